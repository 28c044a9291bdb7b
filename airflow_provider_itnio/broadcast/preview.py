"""A message as the log shows it: in one line, cut, without whole phone numbers and the queries of links."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_itnio.api.models import Message

_SHOWN: Final = 1000
"""Characters."""
_LINK: Final = re.compile(r"https?://[^\s\"\\]+")
_QUERY: Final = re.compile(r"\?[\w.%~-]+=[^\s\"\\]*")
"""In the end of an address, which a WhatsApp template's button takes."""


def preview(message: Message) -> str:
    """Write a message down for the log."""
    from airflow_provider_itnio.api.describe import link_without_query, truncate
    from airflow_provider_itnio.api.masking import mask_phone_numbers

    content = json.dumps(message.content.model_dump(mode="json", exclude_none=True), ensure_ascii=False)
    # Cut twice: no expression need read more than is shown, and no number or query may be cut in two.
    content = _QUERY.sub("?…", _LINK.sub(lambda link: link_without_query(link[0]), content[: 4 * _SHOWN]))
    return f"{message.type} {truncate(mask_phone_numbers(content), _SHOWN)}"
