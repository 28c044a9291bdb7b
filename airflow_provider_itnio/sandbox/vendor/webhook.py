"""Push events to a URL, in a separate thread, so that a slow server does not delay the sandbox."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow_provider_itnio.sandbox.addresses import DEFAULT_PORTS
from airflow_provider_itnio.sandbox.api_models import NOWHERE, WebhookGiven
from airflow_provider_itnio.sandbox.responses import JSON_TYPE, json_bytes
from airflow_provider_itnio.sandbox.store.data_file import DataFile, DataFileError

logger = logging.getLogger("airflow_provider_itnio.sandbox")

REPEATED_AFTER = (60.0, 180.0, 300.0)
"""Seconds from a failed push to its next attempt."""

LONGEST_ANSWER = 10.0
LONGEST_REST = 1.0
LARGEST_ANSWER = 64 * 1024
MOST_WAITING = 10_000
LANES = 8
SECONDS_BETWEEN_LINES = 10.0


@dataclass
class Webhook:
    """
    The customer's URL for pushes. Thread-safe.

    Each push is repeated up to three times until the answer is HTTP 2xx within 10 s. Up to 10,000 pushes
    wait; further ones are dropped, counted and logged.

    :param scale: factor for the vendor's pauses of 1, 3 and 5 minutes between attempts
    :param file: the file that also stores waiting pushes, so that they survive the process; None for none
    """

    scale: float = 1.0
    settings: WebhookGiven = NOWHERE
    file: DataFile | None = None
    _sender: _Sender | None = field(default=None, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def put(self, key: str, pushes: Iterable[Mapping[str, Any]]) -> None:
        """Queue pushes. The first attempts of pushes with the same key keep their order."""
        if not self.settings.url:
            return
        bodies = [json_bytes(push) for push in pushes for _ in range(2 if self.settings.twice else 1)]
        with self._lock:
            if self.settings.url:
                self._started().put(key, bodies)

    def configure(self, settings: WebhookGiven) -> None:
        """Push to another URL, or to none. Waiting pushes to the previous URL are dropped."""
        with self._lock:
            self.stop()
            if self.settings.url and self.file:
                self.file.clear("pushes")
            self.settings = settings
            self.resume()

    def resume(self) -> None:
        """Send the pushes that wait in the file, if there is a URL; else they keep waiting."""
        with self._lock:
            for push in list(self.file.rows("pushes")) if self.settings.url and self.file else []:
                self._started().wait(*push)

    def stop(self) -> None:
        """Stop until the next push, and drop waiting pushes, except those in the file."""
        with self._lock:
            if self._sender:
                self._sender.stop()
            self._sender = None

    def _started(self) -> _Sender:
        self._sender = self._sender or _Sender(self.settings.url, self.scale, self.file)
        return self._sender

    def state(self) -> dict[str, Any]:
        """Return the URL without its secret parts, and the counts of pushes."""
        counts = self._sender.counts if self._sender else Counts()
        return {
            **self.settings.model_dump(),
            "url": shown_address(self.settings.url),
            "scale": self.scale,
            **vars(counts),
        }


@dataclass
class Counts:
    """How many pushes wait, succeeded, failed an attempt, failed all attempts, or were dropped."""

    waiting: int = 0
    taken: int = 0
    failed_tries: int = 0
    given_up: int = 0
    dropped: int = 0


class _Push(NamedTuple):
    """A waiting push, its number in the file, and its failed attempts."""

    body: bytes
    number: int = 0
    failed: int = 0


class _Sender:
    """The thread that pushes to one URL."""

    def __init__(self, url: str, scale: float, file: DataFile | None) -> None:
        parts = urlsplit(url)
        self.counts = Counts()
        self._file = file
        self._shown = shown_address(url)
        self._address = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: itnio-sandbox\r\n"
            f"Content-Type: {JSON_TYPE}\r\nConnection: close\r\nContent-Length: "
        ).encode()
        self._pauses = [pause * scale for pause in REPEATED_AFTER]
        self._counting = threading.Lock()
        self._next_line = 0.0
        self._trouble = ""
        self._loop = asyncio.new_event_loop()
        self._lanes: list[asyncio.Queue[_Push]] = [asyncio.Queue() for _ in range(LANES)]
        self._thread = threading.Thread(target=self._run, name="itnio-sandbox-webhook", daemon=True)
        self._thread.start()

    def put(self, key: str, bodies: list[bytes]) -> None:
        with self._counting:
            room = max(0, MOST_WAITING - self.counts.waiting)
            dropped = len(bodies[room:])
            self.counts.dropped += dropped
        if dropped:
            self._log_soon(f"{MOST_WAITING} pushes wait already")
        for body in bodies[:room]:
            self.wait(self._file.put("pushes", None, key, body) if self._file else 0, key, body)

    def wait(self, number: int, key: str, body: bytes) -> None:
        push = _Push(body, number)
        with self._counting:
            self.counts.waiting += 1
        self._loop.call_soon_threadsafe(self._lanes[hash(key) % LANES].put_nowait, push)

    def stop(self) -> None:
        with suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._loop.stop)
        # Nothing is logged, and no push ended in the file, once this has returned.
        self._thread.join(LONGEST_REST)

    def _run(self) -> None:
        # A separate thread pool: name resolution may take long, and must not block anything at the end.
        self._loop.set_default_executor(ThreadPoolExecutor(2, "itnio-sandbox-lookup"))
        workers = [self._loop.create_task(self._work(lane)) for lane in self._lanes]
        try:
            self._loop.run_forever()
            for worker in workers:
                worker.cancel()
            self._loop.run_until_complete(asyncio.gather(*workers, return_exceptions=True))
        finally:
            self._loop.close()

    async def _work(self, lane: asyncio.Queue[_Push]) -> None:
        while True:
            push = await lane.get()
            failed = push.failed
            trouble = await self._post(push.body)
            with self._counting:
                self.counts.taken += not trouble
                self.counts.failed_tries += bool(trouble)
                gives_up = bool(trouble) and failed == len(self._pauses)
                self.counts.given_up += gives_up
                self.counts.waiting -= not trouble or gives_up
            if push.number and self._file and (gives_up or not trouble):
                with suppress(DataFileError):  # it is pushed once more after a restart
                    self._file.delete("pushes", push.number)
            if trouble:
                self._log_soon(trouble)
                if not gives_up:
                    self._loop.call_later(
                        self._pauses[failed], lane.put_nowait, push._replace(failed=failed + 1)
                    )

    async def _post(self, body: bytes) -> str:
        """Push once, and return the error, if any; of the answer, only the HTTP code is read."""
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                reader, writer = await asyncio.open_connection(*self._address, ssl=self._tls)
                try:
                    writer.write(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
                    await writer.drain()
                    line = await reader.readline()
                    # Closing before the answer is complete would be an error for the server.
                    with suppress(OSError, EOFError, TimeoutError):
                        async with asyncio.timeout(LONGEST_REST):
                            await reader.readexactly(LARGEST_ANSWER)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            return f"no answer within {LONGEST_ANSWER:g} s"
        except ssl.SSLError as error:
            return f"no TLS connection ({error.reason})"
        except OSError as error:
            if error.errno and not isinstance(error, socket.gaierror):
                return os.strerror(error.errno).lower()
            return "there is no such host, or it does not answer"
        except ValueError:
            line = b""
        found = re.match(rb"HTTP/1\.[01] ([0-9]{3})\b", line)
        if not found:
            return "the answer is not HTTP"
        return "" if found[1].startswith(b"2") else f"HTTP {found[1].decode()}"

    def _log_soon(self, trouble: str) -> None:
        """Log an error, at once or together with others within some seconds."""
        with self._counting:
            self._trouble, waiting_to_log = trouble, self._trouble
            wait = max(0.0, self._next_line - time.monotonic())
        if not waiting_to_log:
            self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._log)

    def _log(self) -> None:
        """Log one line, without the content of pushes and the URL's path."""
        with self._counting:
            trouble, self._trouble = self._trouble, ""
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        logger.warning(
            "webhook %s: %s. A push is tried %d times. So far: %d failed tries, %d given up, %d dropped",
            self._shown,
            trouble,
            1 + len(self._pauses),
            self.counts.failed_tries,
            self.counts.given_up,
            self.counts.dropped,
        )


def shown_address(url: str) -> str:
    """Return a URL without path and query, which may contain a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""
