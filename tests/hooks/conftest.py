from __future__ import annotations

import asyncio
import socket
import threading

import pytest

NUMBER = "+86 147-1800-4557"


def sent_by(way, hook, *args, **kwargs):
    return hook.send(*args, **kwargs) if way == "send" else asyncio.run(hook.asend(*args, **kwargs))


@pytest.fixture(params=["send", "asend"])
def way(request):
    return request.param


class Forwarder:
    """Forwards TCP connections and counts them."""

    def __init__(self, port):
        self.connections = 0
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._to))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source, sink):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listening.close()


@pytest.fixture
def forwarder(sandbox):
    forwarder = Forwarder(sandbox.port)
    yield forwarder
    forwarder.close()


def settings_of(hook):
    return hook.get_conn()._settings
