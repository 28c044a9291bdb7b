"""What came back from a server that may say anything: read leniently, and no more of it than is of use."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any, Final

from pydantic_core import from_json

ANSWER_LIMIT: Final = 1024 * 1024
"""The longest answer that is read, in bytes."""

_WHOLE: Final = re.compile(r"\s*-?\d+\s*", re.ASCII)

READ_AT_MOST: Final = 2000
"""Characters of a server's words that are looked at."""


@dataclass(slots=True)
class Response:
    """What came back. It does not show: a server may have repeated what it was sent.

    :param http_status: the HTTP code.
    :param headers: the headers by lower-case name.
    :param body: at most ``ANSWER_LIMIT`` bytes, and one more if it was longer.
    """

    http_status: int
    headers: Mapping[str, str] = field(repr=False)
    body: InitVar[bytes]
    length: int = field(init=False)
    """How many bytes the body has, as far as it was read."""
    status: int | None = field(init=False)
    """The vendor's status, ``None`` if the answer states none."""
    payload: Mapping[str, Any] = field(init=False, repr=False)
    """The JSON object that it is; empty if it is none."""

    def __post_init__(self, body: bytes) -> None:
        """Read the body, once for all who ask."""
        if encoding := self.header("content-encoding"):
            body = _unpacked(body, encoding)
        self.length = len(body)
        self.payload = {} if len(body) > ANSWER_LIMIT else _json_object(body)
        self.status = whole_number(self.payload.get("status"))

    def header(self, name: str) -> str | None:
        """Return the text of a header, named in lower case, as far as it can be of use."""
        value = self.headers.get(name)
        return None if value is None else value[:READ_AT_MOST]

    def forget(self) -> None:
        """Let go of what a traceback's locals might show."""
        self.headers = self.payload = {}


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        payload = from_json(body)
    except ValueError:
        try:  # slower, and takes other encodings
            payload = json.loads(body)
        except (ValueError, RecursionError):
            return {}
    return payload if isinstance(payload, dict) else {}


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Unpack what came packed though it was not to, and no more of it than is read of any answer."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, ANSWER_LIMIT + 1)
    except zlib.error:
        return b""


def whole_number(value: object, digits: int = 9) -> int | None:
    """Read a number that the vendor gives as text or as a number.

    :param value: what stands in an answer.
    :param digits: how many it has at most.
    """
    if isinstance(value, str) and len(value) < 2 * digits and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**digits:
        return value
    return None
