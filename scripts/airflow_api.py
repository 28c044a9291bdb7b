"""A client of Airflow 3's REST API, for the demo and the system tests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from scripts.ports import free_port


class AirflowApi:
    """Reads from Airflow's API server, and writes through a second, separate API server.

    Airflow's API server writes its audit log in its event loop. If a task's request has locked the SQLite
    database, the event loop waits for the lock, and the task's request waits for the event loop, until SQLite
    gives up. A separate server that handles one request at a time can't deadlock like this.

    :param url: the URL of Airflow's API server.
    """

    def __init__(self, url: str) -> None:
        self.writing_port = free_port()
        """The port of the server for writes."""
        self._url = url
        self._writing_url = f"http://127.0.0.1:{self.writing_port}"
        self._tokens: dict[str, str] = {}
        self._turn = threading.Lock()

    @property
    def can_write(self) -> bool:
        """Whether the server for writes answers."""
        with suppress(OSError):
            urlopen(f"{self._writing_url}/api/v2/version", timeout=5).close()
            return True
        return False

    def get(self, path: str) -> Any:
        """Return the JSON at a path of the API."""
        return self._request(self._url, "GET", path, None)

    def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a writing request; repeat it if the database was locked, since it was rolled back then.

        :param method: the HTTP method.
        :param path: the path below the API's root.
        :param body: the body, sent as JSON.
        """
        with self._turn:
            deadline = time.monotonic() + 60
            while True:
                try:
                    return self._request(self._writing_url, method, path, body)
                except HTTPError as error:
                    if "Database error" not in "".join(error.__notes__) or time.monotonic() > deadline:
                        raise
                time.sleep(0.5)

    def _request(self, url: str, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        if url not in self._tokens:
            with urlopen(f"{url}/auth/token", timeout=60) as answer:
                self._tokens[url] = json.load(answer)["access_token"]
        request = Request(
            f"{url}/api/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._tokens[url]}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            error.add_note(f"{method} {path}: {error.read().decode(errors='replace')[:2000]}")
            raise
