"""Hints in errors: what to write if a text was given where an object is required."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_FORMS: Final = {
    "message": "for a text give text=…",
    "template": "give template_message({name!r}, 'en', body=[…])",
    "interactive": "give what reply_buttons(…), list_menu(…) or location_request(…) return",
    "location": 'give {{"longitude": …, "latitude": …, "name": …, "address": …}}',
    "contacts": "give what contact_card(…) returns, in a list",
}
_NATIVE: Final = (
    "a Jinja template gives an object with render_template_as_native_obj=True on the DAG, "
    "but not in a broadcast; or pass the upstream task's output itself"
)


def object_hint(value: object, path: str, required: Iterable[str] = ()) -> str:
    """Return a hint for a text that was given where an object is required.

    :param value: the value that was given.
    :param path: its path in the message.
    :param required: the keys that the object must have.
    :return: the rest of a sentence, empty if the value is no text.
    """
    if not isinstance(value, str):
        return ""
    if value.lstrip()[:1] in ("{", "["):  # an object that Jinja has rendered to text
        return f"; {_NATIVE}"
    if form := _FORMS.get(re.sub(r"\[\d+\]", "", path)):
        name = value if re.fullmatch(r"[a-z][a-z0-9_]{0,59}", value) else "name_of_the_template"
        return f"; {form.format(name=name)}"
    keys = ", ".join(f'"{key}": …' for key in required)
    return f"; give {{{keys}}}" if keys else f"; {_NATIVE}"
