"""The inbox page in a real browser."""

from __future__ import annotations

import io
import json
import struct
import threading
import wave
import zlib
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from tests.browsers import running_browser

SAMPLES = Path(__file__).parents[3] / "samples"
RECIPIENT = "8614718004557"
BUSINESS_PHONE = "91856321321"
PAGES_MAY_READ = {"Access-Control-Allow-Origin": "*"}

MARKUP = """document.body.outerHTML.replaceAll(location.port, "").replace(' data-empty=""', "")
  .replace(/<p class="window.*?<.p>/, "")"""
NOTE_DRAFTS = """() => {
  window.drafts = new Set();
  addEventListener("input", ({ target }) => {
    if (target.matches("textarea")) window.drafts.add(target.ariaLabel.match(/\\d+/)[0]);
    else if (target.closest(".fault")) window.drafts = undefined;
  }, true);
}"""
MAKE_AS_NEW = """async (asNew) => {
  if (!window.drafts) return false;
  const until = async (isSo) => {
    for (let left = 100; left && !isSo(); left--) await new Promise(requestAnimationFrame);
  };
  const isLive = new Promise((resolve) => {
    new MutationObserver(resolve).observe(document.querySelector("#state"), { childList: true });
    setTimeout(resolve, 10_000);
  });
  await fetch("/sandbox/messages", { method: "DELETE" });
  if (!(await isLive)) return false; // the page has heard of it
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  document.querySelector("aside:not([data-empty]) header > .tool")?.click();
  if (document.querySelector("#search").value) {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  }
  for (const number of [...window.drafts, "0"]) { // the chat of 0 takes the place of the last one
    location.hash = number;
    await until(() => document.querySelector("h2").textContent === `+${number}`);
    const field = document.querySelector("textarea");
    if (!field) return false;
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  window.drafts = new Set();
  document.querySelector("#announcement").textContent = "";
  document.activeElement.blur();
  await until(() => MARKUP === asNew);
  return MARKUP === asNew;
}""".replace("MARKUP", MARKUP)
CHOOSE = """async (chosen) => {
  location.hash = chosen;
  const shown = () => document.querySelector(chosen ? "main h2" : ".welcome")?.textContent ?? "+0";
  while (shown() === "+0") await new Promise(requestAnimationFrame);
}"""


@pytest.fixture(scope="package")
def browser():
    """One browser for all tests of the page."""
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def open_sandbox():
    """A sandbox that accepts any application and business phone, as the samples have several."""
    with Sandbox(app_id=None, business_phone=None, push_scale=0, open_windows=True) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(open_sandbox, as_new):
    as_new(open_sandbox)
    return open_sandbox


@pytest.fixture
def message(message):
    """A message to the recipient whose conversation the tests look at."""
    return lambda **changes: message(**{"recipient": RECIPIENT, **changes})


@pytest.fixture
def sample(message):
    """A request sample of the vendor's page, from and to a number that the vendor accepts."""

    def read(name):
        held = json.loads((SAMPLES / f"{name}.json").read_text())
        return held | {"recipient": RECIPIENT, "businessPhone": BUSINESS_PHONE}

    return read


@pytest.fixture
def send(wire):
    """Send a message that the sandbox accepts and give its id."""

    def send(body):
        answer = (wire.template if "template" in body else wire.custom)(body).json()
        assert answer["status"] == "0", answer
        return answer["data"]["messageId"]

    return send


def message_id(number):
    return f"{number:031x}f"


def fill(sandbox, numbers, recipient=lambda number: RECIPIENT):
    """Keep a message for each number, as if it had been sent like the first message."""
    store = sandbox._vendor.store
    template, request = store.messages[0], store.all("request")[0]
    for number in numbers:
        text = {"type": "text", "text": {"body": f"row {number}"}}
        body = template.body | text | {"recipient": recipient(number)}
        changed = {"id": message_id(number), "recipient": recipient(number), "text": f"row {number}"}
        store.add(replace(template, body=body, statuses=[], **changed), replace(request, body=body))


@pytest.fixture
def keep(sandbox, monkeypatch):
    """Let the sandbox keep another number of messages."""
    return lambda number: monkeypatch.setattr(sandbox._vendor.store, "keep", number)


@pytest.fixture(scope="package")
def windows(browser, open_sandbox):
    """The windows that no test uses at the moment; a new one, or to load the page, costs more than a test."""
    open_sandbox.clear()
    page = new_window(browser)
    page.goto(open_sandbox.url)
    page.locator("#state.live").wait_for()
    page.evaluate("location.hash = '0'")
    page.locator("h2", has_text="+0").wait_for()
    page.evaluate(NOTE_DRAFTS)
    page.new_markup = page.evaluate(MARKUP)
    return [page]


@pytest.fixture(scope="module")
def any_page(windows, open_sandbox):
    """A page of a sandbox, whatever it shows, for tests that change nothing of it."""
    if windows[-1].url == "about:blank":
        windows[-1].goto(open_sandbox.url)
    return windows[-1]


@pytest.fixture(scope="package")
def as_new(windows):
    """Make a sandbox, and the page that may show it, as if nothing had come yet."""
    new_markup = windows[0].new_markup

    def as_new(sandbox):
        sandbox.clear_faults()
        sandbox.push_to(None)
        page = windows[-1]
        if not page.url.startswith(f"{sandbox.url}/"):
            sandbox.clear()
        elif not page.evaluate(MAKE_AS_NEW, new_markup):
            page.goto("about:blank")
            sandbox.clear()

    return as_new


@pytest.fixture
def take_window(browser, windows):
    """Take a window; an error in the scripts of its page fails the test."""
    used = []

    def take_window(**look):
        page = windows.pop() if windows else new_window(browser)
        used.append(page)
        look_like(page, **look)
        return page

    yield take_window
    for page in reversed(used):
        page.unroute_all()
        windows.append(page)
    for page in windows[:-1]:
        leave(page)
    errors = [error for page in used for error in page.errors]
    for page in used:
        page.errors.clear()
    assert errors == []


def look_like(page, *, colours="light", width=1200, height=800):
    """Change only what differs: each change is a layout."""
    if page.viewport_size != {"width": width, "height": height}:
        page.set_viewport_size({"width": width, "height": height})
    if page.colours != colours:
        page.emulate_media(color_scheme=colours)
        page.colours = colours


def leave(page):
    if page.url != "about:blank":
        page.goto("about:blank")


def new_window(browser):
    page = browser.new_context(locale="en-GB", timezone_id="UTC").new_page()
    page.set_default_timeout(30_000)
    page.colours, page.errors = None, []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda line: page.errors.append(line.text) if "Security Policy" in line.text else None)
    return page


@pytest.fixture
def open_page(take_window):
    """Load any page."""
    opened = []

    def open_page(url, **options):
        page = take_window(**options)
        leave(page)
        page.goto(url)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        leave(page)


@pytest.fixture
def open_inbox(take_window, sandbox):
    """Show a conversation, ``refused`` or nothing chosen in the inbox, loaded anew only if it must be."""

    def open_inbox(chosen=RECIPIENT, **options):
        page = take_window(**options)
        if page.url.startswith(f"{sandbox.url}/"):
            page.evaluate(CHOOSE, chosen)
        else:
            page.goto(f"{sandbox.url}/#{chosen}")
            page.locator("#state.live").wait_for(state="attached")
            page.evaluate(NOTE_DRAFTS)
        return page

    return open_inbox


@pytest.fixture
def bubble():
    """Find the bubble of a message by its id."""
    return lambda page, message_id: page.locator(f'article[data-id="{message_id}"]')


class Files:
    """A server of files that messages can link to; anything it does not know is 404, and pages may know."""

    def __init__(self):
        self.served = {}
        self.asked = []
        self.only_to_get = set()
        self.wait = lambda: None
        files = self

        class Serve(BaseHTTPRequestHandler):
            def do_GET(self):
                files.asked.append((self.command, self.path))
                files.wait()
                refused = self.command == "HEAD" and self.path in files.only_to_get
                unknown = ("text/plain", b"x" * 243 if refused else b"", PAGES_MAY_READ)
                served = {} if refused else files.served
                media_type, content, headers = served.get(self.path, unknown)
                self.send_response(403 if refused else 200 if self.path in served else 404)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Serve)

    def link(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{path}"

    def add(self, path, media_type, content, **headers):
        self.served[f"/{path}"] = (media_type, content, headers)


@pytest.fixture(scope="package")
def files():
    held = Files()
    held.add("chart.png", "image/png", png(40, 30))
    held.add("tone.wav", "audio/wav", sound())
    held.add("Sales%202026.pdf", "application/pdf", b"x" * 1_234_567, **PAGES_MAY_READ)
    held.add("private.pdf", "application/pdf", b"x" * 2000)
    held.add("signed.pdf", "application/pdf", b"x" * 2000, **PAGES_MAY_READ)
    held.only_to_get.add("/signed.pdf")
    threading.Thread(target=held.server.serve_forever, daemon=True).start()
    yield held
    held.server.shutdown()
    held.server.server_close()


def png(width, height):
    def chunk(name, content):
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x0b\x7a\x5f" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def sound():
    held = io.BytesIO()
    with wave.open(held, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(b"\0\0" * 8000)
    return held.getvalue()
