"""``check_link=True``: the first bytes of a plain link are fetched before a message is sent."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_itnio.api import link_check
from airflow_provider_itnio.api.errors import InvalidMessageError, NotSentError
from airflow_provider_itnio.api.links import private_host
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.object_storage import PDF, PNG
from tests.tables import for_each
from tests.task_runs import TaskRun, broadcast_run, fails_at_once

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection")

ANSWERS = {
    "/a.png": (200, {"Content-Type": "image/png"}, PNG),
    "/a.pdf": (206, {"Content-Type": "application/octet-stream", "Content-Range": "bytes 0-99/5000"}, PDF),
    "/login.png": (200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
    "/login.csv": (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Log in</html>"),
    "/login.pdf": (200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
    "/page.html": (200, {"Content-Type": "text/html"}, b"<html>A report</html>"),
    "/page": (200, {"Content-Type": "text/html"}, b"<html>A report</html>"),
    "/told.png": (200, {"Content-Type": "text/html"}, PNG),
    "/large.png": (206, {"Content-Type": "image/png", "Content-Range": "bytes 0-9/5242881"}, PNG),
    "/whole.png": (200, {"Content-Type": "image/png", "Content-Length": "9999999"}, PNG),
    "/empty.csv": (416, {}, b""),
    "/also-empty.csv": (200, {"Content-Length": "0"}, b""),
    "/absent.png": (404, {}, b""),
    "/forbidden.png": (403, {}, b""),
    "/busy.png": (503, {}, b""),
    "/moved.png": (302, {"Location": "/a.png"}, b""),
    "/around.png": (302, {"Location": "/around.png"}, b""),
    "/spaced.png": (302, {"Location": "/a b.png?sig=5ecret"}, b""),
    "/a%20b.png": (200, {"Content-Type": "image/png"}, PNG),
    "/to-login.png": (302, {"Location": "http://user:5ecret@127.0.0.1/a.png"}, b""),
    "/broken.png": (302, {"Location": "http://[::1/a.png?sig=5ecret"}, b""),
    "/port.png": (302, {"Location": "http://127.0.0.1:99999/a.png?sig=5ecret"}, b""),
    "/long-name.png": (302, {"Location": f"http://{'a' * 64}.example/a.png?sig=5ecret"}, b""),
    "/away.png": (302, {"Location": "file:///etc/passwd"}, b""),
}


@pytest.fixture(scope="module")
def files():
    """A server with these files; ``asked`` lists the requests."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Range"]))
            status, headers, body = ANSWERS[self.path.partition("?")[0]]
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def link(files):
    return lambda path: f"http://127.0.0.1:{files.server_port}{path}"


@for_each("path", ["/a.png", "/moved.png", "/spaced.png"])
def test_a_link_that_can_be_fetched_is_sent(path, link, sandbox):
    ItnioHook(check_link=True).send(NUMBER, image=link(path))
    asyncio.run(ItnioHook(check_link=True).asend(NUMBER, image=link(path)))
    broadcast_run([NUMBER], text=None, image=link(path), check_link=True).once()
    assert [message.body["image"]["link"] for message in sandbox.messages] == [link(path)] * 3


def test_only_the_first_8_kib_are_requested(files, link):
    files.asked.clear()
    ItnioHook(check_link=True).prepare(NUMBER, document=link("/a.pdf?X-Amz-Signature=5ecret"))
    assert files.asked == [("/a.pdf?X-Amz-Signature=5ecret", "bytes=0-8191")]
    ItnioHook().prepare(NUMBER, document=link("/a.pdf"))
    assert len(files.asked) == 1


@for_each(
    ("path", "name", "is_sent"),
    [
        ("/page.html", None, True),
        ("/page", None, True),
        ("/page", "report.xls", False),
        ("/page", "x.zzz", True),
    ],
)
def test_a_web_page_is_refused_only_if_the_filename_has_another_known_extension(path, name, is_sent, link):
    document = {"link": link(path)} | ({"filename": name} if name else {})
    with (
        nullcontext()
        if is_sent
        else pytest.raises(InvalidMessageError, match=r"has the extension \.xls, but")
    ):
        ItnioHook(check_link=True).prepare(NUMBER, document=document)


REFUSED = [
    ("image", "/login.png", "must be a JPEG or PNG for an image; the type of its first bytes is unknown"),
    ("document", "/login.csv", "has the extension .csv, but its server answers with a web page (text/html)"),
    ("document", "/login.pdf", "has the extension .pdf, but the type of its first bytes is unknown"),
    ("image", "/told.png", "must be a JPEG or PNG for an image; its server calls it 'text/html'"),
    ("image", "/large.png", "has 5,242,881 bytes; WhatsApp accepts at most 5,242,880 for an image"),
    ("image", "/whole.png", "has 9,999,999 bytes"),
    ("document", "/empty.csv", "is empty"),
    ("document", "/also-empty.csv", "is empty"),
    ("image", "/absent.png", "its server answers HTTP 404"),
    ("image", "/forbidden.png?sig=5ecret", "can't be fetched without a login: its server answers HTTP 403"),
    ("image", "/around.png", "redirects more than 5 times"),
    ("image", "/to-login.png", "redirects to a link with a user name; WhatsApp can't log in"),
    ("image", "/broken.png", "does not redirect to an http:// or https:// link"),
    ("image", "/port.png", "does not redirect to an http:// or https:// link"),
    ("image", "/long-name.png", "is not a valid URL (Unicode"),
    ("image", "/away.png", "does not redirect to an http:// or https:// link"),
]


@for_each(("kind", "path", "words"), REFUSED)
def test_a_link_that_whatsapp_could_not_fetch_is_refused(kind, path, words, link, sandbox):
    fields = {kind: link(path), "check_link": True}
    run = TaskRun(lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields))
    refused = str(fails_at_once(run, InvalidMessageError))
    assert f"{kind}.link: '{link(path).partition('?')[0]}' " in refused
    assert words in refused
    assert "5ecret" not in refused
    with pytest.raises(InvalidMessageError) as caught:
        ItnioHook(check_link=True).send(NUMBER, **{kind: link(path)})
    assert caught.value.__context__ is None or "5ecret" not in repr(caught.value.__context__)
    fails_at_once(broadcast_run([NUMBER], text=None, **fields), InvalidMessageError)
    with pytest.raises(InvalidMessageError):
        asyncio.run(ItnioHook(check_link=True).asend(NUMBER, **{kind: link(path)}))
    assert sandbox.requests == []


@for_each("check_link", [False, True])
def test_a_link_with_a_password_is_refused(check_link, sandbox):
    with pytest.raises(InvalidMessageError, match="without a user name and a password") as refused:
        ItnioHook(check_link=check_link).send(NUMBER, image="https://user:hunter2@files.example.com/a.png")
    assert "hunter2" not in str(refused.value)
    assert sandbox.requests == []


def test_an_unreachable_server_is_a_not_sent_error_so_the_task_can_retry(link, closed_port, sandbox):
    for where in (link("/busy.png"), f"http://127.0.0.1:{closed_port}/a.png"):
        with pytest.raises(NotSentError, match="could not be fetched, nothing was sent"):
            ItnioHook(check_link=True).send(NUMBER, image=where)
    assert sandbox.requests == []


def test_a_redirect_from_a_public_to_a_private_address_is_refused(link):
    with pytest.raises(InvalidMessageError, match="an address that only this network knows"):
        link_check._redirect_target("https://files.example/a.png", link("/a.png"), "image.link: 'x'")
    assert link_check._redirect_target(link("/a"), "/a.png", "") == link("/a.png")


@for_each(
    ("where", "host"),
    [
        ("http://localhost/a", "localhost"),
        ("http://10.1.2.3/a", "10.1.2.3"),
        ("http://192.168.1.1:8080/a", "192.168.1.1"),
        ("http://[::1]/a", "::1"),
        ("http://[::ffff:10.0.0.1]/a", "::ffff:10.0.0.1"),
        ("http://[64:ff9b::10.0.0.1]/a", "64:ff9b::10.0.0.1"),
        ("http://[64:ff9b::8.8.8.8]/a", ""),
        ("http://[2002:7f00:1::]/a", "2002:7f00:1::"),
        ("http://localhost.localdomain/a", "localhost.localdomain"),
        ("http://127.1/a", "127.1"),
        ("http://intranet/a", "intranet"),
        ("https://files.local./a", "files.local"),
        ("https://minio.corp/a", "minio.corp"),
        ("https://files.example.com/a", ""),
        ("https://8.8.8.8/a", ""),
        ("https://10.example.com/a", ""),
        ("http://[", ""),
    ],
)
def test_private_addresses_are_recognised(where, host):
    assert private_host(where) == host


def test_a_private_address_is_warned_about_once(caplog, sandbox):
    people = [f"8613900000{n:03d}" for n in range(3)]
    broadcast_run(people, text=None, image="http://minio:9000/{{ recipient.phone }}.png").once()
    assert caplog.text.count("'minio' is a private address") == 1
    assert len(sandbox.messages) == 3


@for_each("given", ["yes", 1, None])
def test_check_link_must_be_true_or_false(given):
    with pytest.raises(ValueError, match="check_link: must be True or False"):
        WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="x", check_link=given)
