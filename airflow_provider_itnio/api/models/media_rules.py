"""WhatsApp's rules for files: their size, and their media type by name and first bytes."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import ConfigurationError

FIRST_BYTES: Final = 8192
"""Bytes at the beginning of a file that are read to detect its media type."""

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_GENERIC: Final = ("application/octet-stream", "binary/octet-stream")
"""Media types that storage reports for files uploaded without one."""

_PAGE: Final = "text/html"
"""The media type of a login page."""


@dataclass(frozen=True, slots=True)
class MediaRule:
    """The files that WhatsApp accepts for one type of message.

    :param max_size: the largest size in bytes.
    :param types: the media types by file extension; empty if any is accepted.
    :param description: ``types`` in words, for errors.
    :param aliases: other media types that may be detected for such files, and the type to use for each.
    """

    max_size: int
    types: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)


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
        aliases={"video/mp4": "audio/mp4"},
    ),
    "video": MediaRule(
        16 * _MIB, {"mp4": "video/mp4", "3gp": "video/3gpp", "3gpp": "video/3gpp"}, "an MP4 or 3GPP"
    ),
    "document": MediaRule(100 * _MIB),
    "sticker": MediaRule(100 * _KIB, {"webp": "image/webp"}, "a WebP"),
}
"""By type of message. The sizes are from the vendor's page, the media types from WhatsApp.
1 MB is 1,048,576 bytes."""

_SIGNATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "pdf": ("application/pdf",),
    "docx": (f"{_OFFICE}.wordprocessingml.document", "application/zip"),
    "xlsx": (f"{_OFFICE}.spreadsheetml.sheet", "application/zip"),
    "pptx": (f"{_OFFICE}.presentationml.presentation", "application/zip"),
}
"""The media types that the first bytes of a document must have, by file extension."""


def size_problem(kind: str, size: int) -> str:
    """Return why WhatsApp would not accept a file of this size.

    :param kind: the message's type.
    :param size: bytes.
    :return: a part of a sentence; empty if it would accept it.
    """
    max_size = MEDIA_RULES[kind].max_size
    if size == 0:
        return "is empty"
    if size > max_size:
        return f"has {size:,} bytes; WhatsApp accepts at most {max_size:,} for {_a(kind)}"
    return ""


def type_problem(kind: str, name: str, first_bytes: bytes, served_as: str = "") -> str:
    """Return why WhatsApp would not accept a file's media type.

    :param kind: the message's type.
    :param name: the file's name, empty if it has none.
    :param first_bytes: its first ``FIRST_BYTES``.
    :param served_as: the media type in the server's ``Content-Type``, empty if there is none.
    :return: a part of a sentence; empty if it would accept it.
    :raises ConfigurationError: if the package ``filetype`` is not installed.
    """
    rule, extension, detected = MEDIA_RULES[kind], _extension(name), _detect_type(first_bytes)
    is_specific = served_as and served_as not in _GENERIC
    by_name = mimetypes.guess_type(f"_.{extension}")[0] if extension else None
    if not rule.types:
        expected = _SIGNATURES.get(extension, ())
        if expected and detected not in expected:
            return f"has the extension .{extension}, but {_first_bytes(detected)}"
        if served_as == _PAGE and by_name not in (None, _PAGE):
            return f"has the extension .{extension}, but its server answers with a web page ({_PAGE})"
        return ""
    if extension not in rule.types and by_name:
        return f"must be {rule.description} for {_a(kind)}; by its name it is {by_name}"
    if detected not in {*rule.types.values(), *rule.aliases}:
        return f"must be {rule.description} for {_a(kind)}; {_first_bytes(detected)}"
    if is_specific and served_as not in {*rule.types.values(), *rule.aliases}:
        return f"must be {rule.description} for {_a(kind)}; its server calls it {describe_value(served_as)}"
    return ""


def media_type(kind: str, name: str, first_bytes: bytes) -> str:
    """Return the media type that a file's server should send, if it is known.

    :param kind: the message's type. The file must follow its rules.
    :param name: the file's name.
    :param first_bytes: its first ``FIRST_BYTES``.
    :return: the type; empty if it is not known.
    """
    extension, detected = _extension(name), _detect_type(first_bytes)
    if MEDIA_RULES[kind].types:
        return MEDIA_RULES[kind].aliases.get(detected, detected)
    if extension in _SIGNATURES:
        return _SIGNATURES[extension][0]
    return mimetypes.guess_type(f"_.{extension}")[0] or detected


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _first_bytes(kind: str) -> str:
    return f"its first bytes are those of {kind}" if kind else "the type of its first bytes is unknown"


def _detect_type(first_bytes: bytes) -> str:
    try:
        import filetype
    except ImportError:
        raise ConfigurationError(
            "Files are checked with the package filetype, which is not installed: "
            "pip install 'airflow-provider-itnio[files]'"
        ) from None
    detected = filetype.guess_mime(first_bytes) or ""
    if not detected and first_bytes[4:8] == b"ftyp":  # a variant of MP4 that filetype does not know
        return "video/mp4"
    return str(detected)
