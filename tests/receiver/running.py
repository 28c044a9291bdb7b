"""A receiver in a separate process, and a client that pushes to it and reads from it."""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

PUSH_TOKEN = "push-0123456789abcdefghijkl"
READ_TOKEN = "read-0123456789abcdefghijkl"
AT = 1_790_000_000
_numbers = itertools.count(8613700000000)
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["airflow_provider_itnio.receiver.server", "uvicorn.lifespan.on", "sqlite3", "psycopg2"]
)


def new_number():
    """Return a phone number that no other test uses: a receiver remembers incoming messages."""
    return str(next(_numbers))


class Fork(_forks.Process):
    """The receiver's command in a fork of a process that has imported it, with the methods of ``Popen``."""

    returncode = property(lambda self: self.exitcode)

    def __init__(self, environ, log):
        super().__init__(daemon=True)  # ends with the tests
        self._environ = environ
        self._log = str(log)
        self.start()

    def run(self):
        from airflow_provider_itnio.receiver.cli import main

        for number in (1, 2):
            os.dup2(os.open(self._log, os.O_WRONLY | os.O_APPEND), number)
        os.environ.clear()
        os.environ.update(self._environ)
        sys.exit(main([]))

    def poll(self):
        return self.exitcode

    def wait(self):
        self.join()
        return self.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.join()


class RunningReceiver:
    """A running receiver.

    :param process: its process.
    :param log: the file with its output.
    """

    def __init__(self, process, log):
        self.process = process
        self.log = log
        self.port = self._port()
        self.url = f"http://127.0.0.1:{self.port}"

    def _port(self):
        while not (found := re.search(r"listens on \S+ port (\d+)", self.written())):
            assert self.process.poll() is None, self.written()
            time.sleep(0.02)
        port = int(found[1])
        while self._answer(urllib.request.Request(f"http://127.0.0.1:{port}/healthz"))[0] != 200:
            time.sleep(0.02)
        return port

    @property
    def push_url(self):
        return f"{self.url}/push/{PUSH_TOKEN}"

    @property
    def extra(self):
        """The connection's extra for this receiver."""
        return {"receiver_url": self.url, "receiver_token": READ_TOKEN}

    def written(self):
        return self.log.read_text()

    def push(self, event, token=PUSH_TOKEN):
        """Push an event, or raw bytes; return the HTTP status."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return self._answer(urllib.request.Request(f"{self.url}/push/{token}", body))[0]

    def ask(self, path, body=None, token=READ_TOKEN):
        """Send a request; return the HTTP status and the answer."""
        headers = {"Authorization": f"Bearer {token}"}
        data = None if body is None else json.dumps(body).encode()
        return self._answer(urllib.request.Request(f"{self.url}{path}", data, headers))

    def get(self, path, body=None):
        code, answer = self.ask(path, body)
        assert code == 200, answer
        return answer

    def _answer(self, request):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except (OSError, http.client.HTTPException):  # killed before or during its answer
            return 0, None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _command(environ, log):
    command = [sys.executable, "-m", "airflow_provider_itnio.receiver"]
    with log.open("w") as out:
        return subprocess.Popen(command, env=environ, stdout=out, stderr=out)


@contextmanager
def running_receiver(database, tmp_path, port=0, *, is_forked=True, **environment):
    """Start a receiver; it is stopped after the block, and must end cleanly unless it was killed.

    :param is_forked: whether it is a fork, which starts faster, or the real command.
    """
    log = tmp_path / f"receiver-{time.monotonic_ns()}.log"
    environ = {
        **os.environ,
        "ITNIO_RECEIVER_PUSH_TOKEN": PUSH_TOKEN,
        "ITNIO_RECEIVER_READ_TOKEN": READ_TOKEN,
        "ITNIO_RECEIVER_DATABASE": database,
        "ITNIO_RECEIVER_PORT": str(port),
        **environment,
    }
    log.touch()
    with (Fork if is_forked else _command)(environ, log) as process:
        try:
            yield RunningReceiver(process, log)
        finally:
            process.terminate()
    assert process.returncode in (0, -signal.SIGKILL), log.read_text()


def status_push(message_id, status, at=AT, **more):
    """Return a status push as on the vendor's page."""
    return {
        "appId": "app",
        "channelType": 0,
        "messageId": message_id,
        "eventType": "message-status-event",
        "billable": "true",
        "form": "8613800000000",
        "recipient": "8614718004557",
        "status": status,
        "timestamp": at,
        **more,
    }


def incoming_push(message_id, message, phone="8614718004557", at=AT, **more):
    """Return a push of an incoming message as on the vendor's page."""
    return {
        "appId": "app",
        "channelType": 0,
        "messageId": message_id,
        "timestamp": at,
        "eventType": "up-message-event",
        "businessPhone": "91856321321",
        "from": {"phone": phone, "name": "Ana"},
        "message": message,
        **more,
    }


def text_push(message_id, body, **more):
    return incoming_push(message_id, {"type": "text", "text": {"body": body}}, **more)
