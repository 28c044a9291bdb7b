"""The names of the message types. A separate module, so that a check of a name does not load the builders."""

from __future__ import annotations

from typing import Final

MESSAGE_FIELDS: Final = (
    *("text", "image", "audio", "video", "document", "sticker"),
    *("location", "interactive", "contacts", "template"),
)
"""The message types under the API's names. Each is a parameter, of which a message has exactly one."""
