"""A server's answer, which may be anything: read leniently and with limits."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any, Final

from pydantic_core import from_json

MAX_BODY_SIZE: Final = 1024 * 1024
"""Most bytes of an answer that are read."""

_INTEGER: Final = re.compile(r"\s*-?\d+\s*", re.ASCII)

MAX_TEXT_READ: Final = 2000
"""Most characters of a server's text that are processed."""


@dataclass(slots=True)
class Response:
    """An answer. Its repr hides headers and body, since a server may repeat parts of the request.

    :param http_status: the HTTP code.
    :param headers: the headers by lower-case name.
    :param body: the body, longer than ``MAX_BODY_SIZE`` bytes if it was cut.
    """

    http_status: int
    headers: Mapping[str, str] = field(repr=False)
    body: InitVar[bytes]
    length: int = field(init=False)
    """Bytes of the body that were read."""
    status: int | None = field(init=False)
    """The vendor's status code, ``None`` if the answer has none."""
    payload: Mapping[str, Any] = field(init=False, repr=False)
    """The JSON object in the body; empty if there is none."""

    def __post_init__(self, body: bytes) -> None:
        """Parse the body once."""
        if encoding := self.header("content-encoding"):
            body = _decompress(body, encoding)
        self.length = len(body)
        self.payload = {} if len(body) > MAX_BODY_SIZE else _json_object(body)
        self.status = parse_integer(self.payload.get("status"))

    def header(self, name: str) -> str | None:
        """Return the first ``MAX_TEXT_READ`` characters of a header, named in lower case."""
        value = self.headers.get(name)
        return None if value is None else value[:MAX_TEXT_READ]

    def forget(self) -> None:
        """Drop headers and payload, so that tracebacks can't show them."""
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


def _decompress(body: bytes, encoding: str) -> bytes:
    """Decompress a body that was compressed although the request forbids it, up to ``MAX_BODY_SIZE``."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_BODY_SIZE + 1)
    except zlib.error:
        return b""


def parse_integer(value: object, digits: int = 9) -> int | None:
    """Read a whole number that the vendor writes as text or as a number; ``None`` if it is none.

    :param value: the value in the answer.
    :param digits: the most digits it may have.
    """
    if isinstance(value, str) and len(value) < 2 * digits and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**digits:
        return value
    return None
