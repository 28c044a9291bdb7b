"""The names of the message types, apart from their builders, so that no task loads those to check a name."""

from __future__ import annotations

from typing import Final

MESSAGE_FIELDS: Final = (
    *("text", "image", "audio", "video", "document", "sticker"),
    *("location", "interactive", "contacts", "template"),
)
"""The message types, named as the API names them: one parameter each, of which exactly one is given."""
