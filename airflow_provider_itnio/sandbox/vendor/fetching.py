"""Fetch the files of accepted messages as WhatsApp would, and note the results on the messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from airflow_provider_itnio.sandbox.json_path import objects_at, text_at
from airflow_provider_itnio.sandbox.store.entries import ReceivedMessage

FETCHED: Final = "the file was fetched as WhatsApp would"
NOT_FETCHED: Final = "would not arrive: the file "

_TIMEOUT: Final = 10.0
_THREADS: Final = 2
_MAX_WAITING: Final = 100
"""Most files that wait to be fetched; files of further messages are skipped."""
_CHUNK: Final = 1 << 16
_MIB: Final = 1 << 20
_MAX_SIZES: Final = {
    **{"image": 5 * _MIB, "audio": 16 * _MIB, "video": 16 * _MIB},
    **{"document": 100 * _MIB, "sticker": 100 << 10},
}
_TYPES: Final = {
    "image": ("image/jpeg", "image/png"),
    "audio": ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"),
    "video": ("video/mp4", "video/3gpp", "video/3gp"),
    "sticker": ("image/webp",),
}


class FileFetcher:
    """
    Fetches files in separate threads, so that no answer waits for one.

    Only links of accepted messages are fetched, by GET, and redirects are followed on the same server only.
    The content is counted and not stored.
    """

    def __init__(self, note: Callable[[ReceivedMessage, str], None]) -> None:
        self._note = note
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="itnio-sandbox-file")
        self._waiting = 0

    def fetch(self, message: ReceivedMessage) -> None:
        """Start to fetch the file of a message, if it has one. Call it in the server's event loop."""
        for kind, link in _links(message):
            if self._waiting < _MAX_WAITING:
                self._waiting += 1
                self._threads.submit(self._fetch, message, kind, link)

    def close(self) -> None:
        """Start no more fetches. A running fetch ends at its timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, message: ReceivedMessage, kind: str, link: str) -> None:
        try:
            note = outcome(kind, link)
        except Exception as error:  # the server may not speak HTTP
            note = f"{NOT_FETCHED}could not be fetched: {type(error).__name__}"
        self._waiting -= 1
        self._note(message, note)


def outcome(kind: str, link: str) -> str:
    """Fetch a file, and return the result as text."""
    try:
        size, media_type = _fetch_size_and_type(link, _MAX_SIZES[kind])
    except HTTPError as refused:
        with refused:
            return f"{NOT_FETCHED}could not be fetched: HTTP {refused.code}"
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{NOT_FETCHED}could not be fetched: {str(reason) or type(error).__name__}"[:200]
    if size == 0:
        return f"{NOT_FETCHED}is empty"
    if size > _MAX_SIZES[kind]:
        return f"{NOT_FETCHED}has more than {_MAX_SIZES[kind]:,} bytes"
    if kind in _TYPES and media_type not in _TYPES[kind]:
        return f"{NOT_FETCHED}is {media_type}; WhatsApp takes {', '.join(_TYPES[kind])}"
    return f"{FETCHED}: {media_type}, {size:,} bytes"


def _links(message: ReceivedMessage) -> Iterator[tuple[str, str]]:
    parts = [(message.type, message.body.get(message.type))]
    if message.type == "template":
        parameters = objects_at(message.body, "template", "components", "parameters")
        parts = [(kind := text_at(one, "type"), one.get(kind)) for one in parameters]
    for kind, part in parts:
        if kind in _MAX_SIZES and isinstance(part, dict) and isinstance(part.get("link"), str):
            yield kind, part["link"]


def _fetch_size_and_type(link: str, max_size: int) -> tuple[int, str]:
    """Return the size in bytes and the media type of a file; at most one byte over the limit is read."""
    deadline = time.monotonic() + _TIMEOUT
    request = Request(link, headers={"User-Agent": "itnio-sandbox"})  # noqa: S310  links were checked
    with build_opener(_SameServer).open(request, timeout=_TIMEOUT) as answer:
        size = 0
        while size <= max_size and (part := answer.read1(_CHUNK)):
            size += len(part)
            if time.monotonic() > deadline:
                raise TimeoutError(f"it took longer than {_TIMEOUT:.0f} seconds")
        return size, answer.headers.get_content_type()


class _SameServer(HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(self, req: Request, fp: Any, code: int, *others: Any) -> Request | None:
        """Follow a redirect to the same server only."""
        *_, location = others
        target, source = urlsplit(urljoin(req.full_url, location)), urlsplit(req.full_url)
        if (target.scheme, target.netloc) != (source.scheme, source.netloc):
            fp.close()
            raise ValueError("it redirects to another server, which the sandbox does not follow")
        return super().redirect_request(req, fp, code, *others)
