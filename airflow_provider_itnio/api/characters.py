"""Characters of phone numbers as people write them: classes for regular expressions."""

from __future__ import annotations

import re
from typing import Final

# Invisible: category Cf, Unicode's default-ignorable characters, the blank Braille pattern.
INVISIBLE: Final = (
    r"\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
PLUS: Final = r"+\ufe62\uff0b"
# Spaces, slashes, dots, brackets and dashes; no line breaks.
BLANKS: Final = r" \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
SLASHES: Final = r"/\u2044\u2215\uff0f"
DOTS: Final = r".\u00b7\u2024\u2027\uff0e"
MARKS: Final = r"()\uff08\uff09\-\u058a\u05be\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d" + DOTS + SLASHES
INVISIBLE_RUN: Final = f"[{INVISIBLE}]+"
"""A pattern, compiled when it is first used: most DAG files do not need it."""


def is_invisible(text: str) -> bool:
    """Return whether a text contains only whitespace and invisible characters."""
    return re.fullmatch(rf"[\s{INVISIBLE}]*", text) is not None


def show_invisible(text: str) -> str:
    """Replace each invisible character by its code point, such as ``<U+200B>``.

    :param text: any text. Whitespace stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if (character.isprintable() and not re.match(INVISIBLE_RUN, character)) or character.isspace()
        else f"<U+{ord(character):04X}>"
        for character in text
    )
