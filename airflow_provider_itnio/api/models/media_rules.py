"""What WhatsApp takes of a file: how large it may be, and its media type, by its name and its first bytes."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import ConfigurationError

FIRST_BYTES: Final = 8192
"""Bytes of a file from which its media type is told."""

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_UNTOLD: Final = ("application/octet-stream", "binary/octet-stream")
"""What storage says of a file whose media type nobody has told it."""

_PAGE: Final = "text/html"
"""What a server answers with where it wants a login first."""


@dataclass(frozen=True, slots=True)
class MediaRule:
    """What WhatsApp takes for one type of message.

    :param largest: bytes.
    :param types: the media types, by the endings of names; empty if it takes any.
    :param words: the same for people.
    :param also: what the first bytes may be told as too, and the media type that they then are.
    """

    largest: int
    types: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    also: Mapping[str, str] = field(default_factory=dict)


MEDIA_RULES: Final[Mapping[str, MediaRule]] = {
    "image": MediaRule(
        5 * _MIB, {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png"}, "a JPEG or PNG"
    ),
    "audio": MediaRule(
        16 * _MIB,
        {
            **{"aac": "audio/aac", "amr": "audio/amr", "mp3": "audio/mpeg", "m4a": "audio/mp4"},
            **{"mp4": "audio/mp4", "ogg": "audio/ogg", "opus": "audio/ogg"},
        },
        "AAC, AMR, MP3, MP4 audio or OGG",
        also={"video/mp4": "audio/mp4"},
    ),
    "video": MediaRule(
        16 * _MIB, {"mp4": "video/mp4", "3gp": "video/3gpp", "3gpp": "video/3gpp"}, "an MP4 or 3GPP"
    ),
    "document": MediaRule(100 * _MIB),
    "sticker": MediaRule(100 * _KIB, {"webp": "image/webp"}, "a WebP"),
}
"""By type of message. The sizes are those of the vendor's page, the media types WhatsApp's own.
1 MB counts as 1,048,576 bytes."""

_SIGNATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "pdf": ("application/pdf",),
    "docx": (f"{_OFFICE}.wordprocessingml.document", "application/zip"),
    "xlsx": (f"{_OFFICE}.spreadsheetml.sheet", "application/zip"),
    "pptx": (f"{_OFFICE}.presentationml.presentation", "application/zip"),
}
"""By the endings of documents' names, what their first bytes must be."""


def size_problem(kind: str, size: int) -> str:
    """Say what is wrong with a file's size.

    :param kind: the message's type.
    :param size: bytes.
    :return: a part of a sentence; empty if nothing is wrong.
    """
    largest = MEDIA_RULES[kind].largest
    if size == 0:
        return "is empty"
    if size > largest:
        return f"has {size:,} bytes; WhatsApp takes at most {largest:,} for {_a(kind)}"
    return ""


def type_problem(kind: str, name: str, first_bytes: bytes, told: str = "") -> str:
    """Say why WhatsApp would not take a file's media type.

    :param kind: the message's type.
    :param name: the file's name, empty if it has none.
    :param first_bytes: its first ``FIRST_BYTES``.
    :param told: the media type that a server tells, empty if it tells none.
    :return: a part of a sentence; empty if it would take it.
    :raises ConfigurationError: if the package that knows media types is not there.
    """
    rule, ending, found = MEDIA_RULES[kind], _ending(name), _type_of(first_bytes)
    is_told = told and told not in _UNTOLD
    by_name = mimetypes.guess_type(f"_.{ending}")[0] if ending else None
    if not rule.types:
        wanted = _SIGNATURES.get(ending, ())
        if wanted and found not in wanted:
            return f"is no {ending.upper()} as its name says; {_first_bytes(found)}"
        if told == _PAGE and by_name not in (None, _PAGE):
            return f"is no {ending.upper()} as its name says; its server answers with a web page ({_PAGE})"
        return ""
    if ending not in rule.types and by_name:
        return f"must be {rule.words} for {_a(kind)}; by its name it is {by_name}"
    if found not in {*rule.types.values(), *rule.also}:
        return f"must be {rule.words} for {_a(kind)}; {_first_bytes(found)}"
    if is_told and told not in {*rule.types.values(), *rule.also}:
        return f"must be {rule.words} for {_a(kind)}; its server calls it {describe_value(told)}"
    return ""


def media_type(kind: str, name: str, first_bytes: bytes) -> str:
    """Return the media type that a file's server should tell, as far as it is known.

    :param kind: the message's type, whose rules the file keeps.
    :param name: the file's name.
    :param first_bytes: its first ``FIRST_BYTES``.
    :return: the type; empty if it is not known.
    """
    ending, found = _ending(name), _type_of(first_bytes)
    if MEDIA_RULES[kind].types:
        return MEDIA_RULES[kind].also.get(found, found)
    if ending in _SIGNATURES:
        return _SIGNATURES[ending][0]
    return mimetypes.guess_type(f"_.{ending}")[0] or found


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _first_bytes(found: str) -> str:
    return f"its first bytes are those of {found}" if found else "its first bytes are of an unknown kind"


def _type_of(first_bytes: bytes) -> str:
    try:
        import filetype
    except ImportError:
        raise ConfigurationError(
            "Files are checked with the package filetype, which is not installed: "
            "pip install 'airflow-provider-itnio[files]'"
        ) from None
    found = filetype.guess_mime(first_bytes) or ""
    if not found and first_bytes[4:8] == b"ftyp":  # a kind of MP4 that it does not know
        return "video/mp4"
    return str(found)
