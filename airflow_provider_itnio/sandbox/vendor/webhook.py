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

RETRY_DELAYS = (60.0, 180.0, 300.0)
"""Seconds from a failed push to its next attempt."""

RESPONSE_TIMEOUT = 10.0
CLOSE_TIMEOUT = 1.0
MAX_RESPONSE_SIZE = 64 * 1024
MAX_WAITING = 10_000
WORKERS = 8
LOG_INTERVAL = 10.0


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
                self._get_sender().put(key, bodies)

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
                self._get_sender().wait(*push)

    def stop(self) -> None:
        """Stop until the next push, and drop waiting pushes, except those in the file."""
        with self._lock:
            if self._sender:
                self._sender.stop()
            self._sender = None

    def _get_sender(self) -> _Sender:
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
        self._masked_url = shown_address(url)
        self._address = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._request_head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: itnio-sandbox\r\n"
            f"Content-Type: {JSON_TYPE}\r\nConnection: close\r\nContent-Length: "
        ).encode()
        self._pauses = [pause * scale for pause in RETRY_DELAYS]
        self._counts_lock = threading.Lock()
        self._next_log_at = 0.0
        self._last_error = ""
        self._loop = asyncio.new_event_loop()
        self._queues: list[asyncio.Queue[_Push]] = [asyncio.Queue() for _ in range(WORKERS)]
        self._thread = threading.Thread(target=self._run, name="itnio-sandbox-webhook", daemon=True)
        self._thread.start()

    def put(self, key: str, bodies: list[bytes]) -> None:
        with self._counts_lock:
            free = max(0, MAX_WAITING - self.counts.waiting)
            dropped = len(bodies[free:])
            self.counts.dropped += dropped
        if dropped:
            self._schedule_log(f"{MAX_WAITING} pushes wait already")
        for body in bodies[:free]:
            self.wait(self._file.put("pushes", None, key, body) if self._file else 0, key, body)

    def wait(self, number: int, key: str, body: bytes) -> None:
        push = _Push(body, number)
        with self._counts_lock:
            self.counts.waiting += 1
        self._loop.call_soon_threadsafe(self._queues[hash(key) % WORKERS].put_nowait, push)

    def stop(self) -> None:
        with suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._loop.stop)
        # Nothing is logged, and no push ended in the file, once this has returned.
        self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        # A separate thread pool: name resolution may take long, and must not block anything at the end.
        self._loop.set_default_executor(ThreadPoolExecutor(2, "itnio-sandbox-lookup"))
        workers = [self._loop.create_task(self._run_worker(queue)) for queue in self._queues]
        try:
            self._loop.run_forever()
            for worker in workers:
                worker.cancel()
            self._loop.run_until_complete(asyncio.gather(*workers, return_exceptions=True))
        finally:
            self._loop.close()

    async def _run_worker(self, queue: asyncio.Queue[_Push]) -> None:
        while True:
            push = await queue.get()
            failed = push.failed
            error = await self._post(push.body)
            with self._counts_lock:
                self.counts.taken += not error
                self.counts.failed_tries += bool(error)
                gives_up = bool(error) and failed == len(self._pauses)
                self.counts.given_up += gives_up
                self.counts.waiting -= not error or gives_up
            if push.number and self._file and (gives_up or not error):
                with suppress(DataFileError):  # it is pushed once more after a restart
                    self._file.delete("pushes", push.number)
            if error:
                self._schedule_log(error)
                if not gives_up:
                    self._loop.call_later(
                        self._pauses[failed], queue.put_nowait, push._replace(failed=failed + 1)
                    )

    async def _post(self, body: bytes) -> str:
        """Push once, and return the error, if any; of the answer, only the HTTP code is read."""
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                reader, writer = await asyncio.open_connection(*self._address, ssl=self._tls)
                try:
                    writer.write(b"%s%d\r\n\r\n%s" % (self._request_head, len(body), body))
                    await writer.drain()
                    line = await reader.readline()
                    # Closing before the answer is complete would be an error for the server.
                    with suppress(OSError, EOFError, TimeoutError):
                        async with asyncio.timeout(CLOSE_TIMEOUT):
                            await reader.readexactly(MAX_RESPONSE_SIZE)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            return f"no answer within {RESPONSE_TIMEOUT:g} s"
        except ssl.SSLError as error:
            return f"no TLS connection ({error.reason})"
        except OSError as error:
            if error.errno and not isinstance(error, socket.gaierror):
                return os.strerror(error.errno).lower()
            return "there is no such host, or it does not answer"
        except ValueError:
            line = b""
        match = re.match(rb"HTTP/1\.[01] ([0-9]{3})\b", line)
        if not match:
            return "the answer is not HTTP"
        return "" if match[1].startswith(b"2") else f"HTTP {match[1].decode()}"

    def _schedule_log(self, error: str) -> None:
        """Log an error, at once or together with others within some seconds."""
        with self._counts_lock:
            self._last_error, pending = error, self._last_error
            wait = max(0.0, self._next_log_at - time.monotonic())
        if not pending:
            self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._log)

    def _log(self) -> None:
        """Log one line, without the content of pushes and the URL's path."""
        with self._counts_lock:
            error, self._last_error = self._last_error, ""
            self._next_log_at = time.monotonic() + LOG_INTERVAL
        logger.warning(
            "webhook %s: %s. A push is tried %d times. So far: %d failed tries, %d given up, %d dropped",
            self._masked_url,
            error,
            1 + len(self._pauses),
            self.counts.failed_tries,
            self.counts.given_up,
            self.counts.dropped,
        )


def shown_address(url: str) -> str:
    """Return a URL without path and query, which may contain a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""
