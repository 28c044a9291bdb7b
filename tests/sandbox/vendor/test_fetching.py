"""``--fetch-files``: the sandbox fetches a message's file like WhatsApp."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_itnio.sandbox import Sandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(92)


@pytest.fixture
def files():
    """A server with files; ``asked`` lists the requests, ``go_on`` lets it answer."""
    asked, go_on = [], threading.Event()
    go_on.set()
    answers = {
        "/a.png": (200, {"Content-Type": "image/png"}, PNG),
        "/page.png": (200, {"Content-Type": "text/html"}, b"<html>"),
        "/a.pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF"),
        "/empty.pdf": (200, {"Content-Type": "application/pdf"}, b""),
        "/expired.pdf": (403, {}, b"secret"),
        "/large.webp": (200, {"Content-Type": "image/webp"}, bytes(102_401)),
        "/moved.png": (302, {"Location": "/a.png"}, b""),
        "/away.png": (302, {"Location": "http://127.0.0.1:9/a.png"}, b""),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            go_on.wait(30)
            status, headers, body = answers[self.path.partition("?")[0]]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.go_on = asked, go_on
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield server
    go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def note_of(sandbox, place=-1):
    """Wait for the note about the file on the latest message."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for note in sandbox.messages[place].notes:
            if "the file " in note:
                return note
        time.sleep(0.02)
    raise AssertionError("no note came")


def test_a_note_gives_the_result_of_the_fetch(files, start_sandbox, wire_to, message):
    notes = [
        ("image", "/a.png", "the file was fetched as WhatsApp would: image/png, 100 bytes"),
        ("image", "/moved.png", "the file was fetched as WhatsApp would: image/png, 100 bytes"),
        ("document", "/a.pdf?sig=1", "the file was fetched as WhatsApp would: application/pdf, 4 bytes"),
        ("image", "/page.png", "would not arrive: the file is text/html; WhatsApp takes image/jpeg,"),
        ("document", "/expired.pdf", "would not arrive: the file could not be fetched: HTTP 403"),
        ("document", "/empty.pdf", "would not arrive: the file is empty"),
        ("sticker", "/large.webp", "would not arrive: the file has more than 102,400 bytes"),
        ("image", "/away.png", "would not arrive: the file could not be fetched: it redirects to another"),
    ]
    sandbox = start_sandbox(fetch_files=True, open_windows=True)
    wire = wire_to(sandbox)
    for kind, path, _ in notes:
        content = {"link": files.url + path} | ({"filename": "a.pdf"} if kind == "document" else {})
        assert wire.custom(message(type=kind, text=None, **{kind: content})).json()["status"] == "0"
    for place, (_, path, note) in enumerate(notes):
        assert note_of(sandbox, place).startswith(note), path
    assert sandbox.refused == []


def test_the_note_is_kept_after_a_restart(files, wire_to, message, tmp_path):
    with Sandbox(data=tmp_path / "data.db", fetch_files=True, open_windows=True) as sandbox:
        wire_to(sandbox).custom(message(type="image", text=None, image={"link": f"{files.url}/a.png"}))
        note, kept = note_of(sandbox), sandbox.messages[-1]
    with Sandbox(data=tmp_path / "data.db") as sandbox:
        assert sandbox.messages == [kept]
        assert note in sandbox.messages[-1].notes


def test_answers_do_not_wait_for_a_file(files, start_sandbox, wire_to, message):
    files.go_on.clear()
    sandbox = start_sandbox(fetch_files=True)
    wire = wire_to(sandbox)
    for _ in range(20):
        body = message(type="image", text=None, image={"link": f"{files.url}/a.png"})
        assert wire.custom(body).json()["status"] == "0"
    assert wire.balance().json()["status"] == "0"
    assert not any("the file " in note for one in sandbox.messages for note in one.notes)
    files.go_on.set()
    note_of(sandbox)


def test_without_fetch_files_or_a_web_link_nothing_is_fetched(files, start_sandbox, wire_to, message):
    wire = wire_to(start_sandbox())
    wire.custom(message(type="image", text=None, image={"link": f"{files.url}/a.png"}))
    wire = wire_to(start_sandbox(fetch_files=True))
    wire.custom(message())
    wire.custom(message(type="image", text=None, image={"link": "ftp://127.0.0.1/a.png"}))
    assert files.asked == []
