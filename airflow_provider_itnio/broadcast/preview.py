"""Format a message for the log: one line, shortened, without whole phone numbers and queries of links."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_itnio.api.models import Message

_SHOWN: Final = 1000
"""Most characters of a preview."""
_LINK: Final = re.compile(r"https?://[^\s\"\\]+")
_QUERY: Final = re.compile(r"\?[\w.%~-]+=[^\s\"\\]*")
"""A query in the last part of a URL, which is the parameter of a template's url button."""


def preview(message: Message) -> str:
    """Return a message as text for the log."""
    from airflow_provider_itnio.api.describe import link_without_query, truncate
    from airflow_provider_itnio.api.masking import mask_phone_numbers

    content = json.dumps(message.content.model_dump(mode="json", exclude_none=True), ensure_ascii=False)
    # Cut twice: first to limit the time of the expressions, but so far that no shown number or query is cut.
    content = _QUERY.sub("?…", _LINK.sub(lambda link: link_without_query(link[0]), content[: 4 * _SHOWN]))
    return f"{message.type} {truncate(mask_phone_numbers(content), _SHOWN)}"
