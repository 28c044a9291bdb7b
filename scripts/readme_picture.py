"""Draw the pictures of README.md and docs/sandbox.md: the inbox of a real sandbox, with messages of DAGs.

python -m scripts.readme_picture
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.errors import RefusedError
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.messages import reply_buttons, template_message
from airflow_provider_itnio.sandbox import Sandbox
from scripts.pictures import PUBLIC_NAME, NoPictureError, take_picture

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "inbox.png"
DARK_PICTURE = PICTURE.with_name("inbox-dark.png")

# The state after some seconds, with recipients who have written before.
SETTINGS: Mapping[str, Any] = {"push_scale": 0, "open_windows": True}

ON_CALL = "8614718004557"
REFUSED = "99910000068"
ANA, OMAR, LI, JOE = "5511912345678", "971501234567", "8613800138000", "14155550123"

CHART = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; width: 640px; height: 210px; font: 18px "Liberation Sans", sans-serif; color: #40505a }
h1 { font-size: 20px; margin: 0; padding: 16px 28px 0 }
div { display: flex; align-items: flex-end; gap: 12px; height: 130px; padding: 12px 28px }
i { flex: 1; background: #7fc4ae; border-radius: 4px 4px 0 0 }
i:nth-child(9) { background: #0b7a5f }
</style><h1>Revenue per day, thousand $</h1><div>%s</div>"""
BARS = (42, 55, 48, 63, 71, 66, 58, 74, 96, 88, 80, 84)


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves a folder without a log, and lets pages read the size of a file."""

    def end_headers(self) -> None:
        """Add the CORS header that lets pages read the answer."""
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine and yield its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{PUBLIC_NAME}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Sender:
    """Sends messages to a sandbox as a task does.

    :param sandbox: the sandbox.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        settings = ClientSettings(base_url=sandbox.url)
        self._client = ItnioClient(Credentials(sandbox.api_key, sandbox.secret), settings)
        self._sandbox = sandbox

    def send(self, recipient: str, **fields: Any) -> str:
        """Send one message and return its id."""
        receipt = self._client.send(
            message_from(fields),
            recipient=recipient,
            app_id=self._sandbox.app_id,
            business_phone=self._sandbox.business_phone,
        )
        return receipt.message_id

    def reply(self, **fields: str) -> None:
        """Reply as a recipient."""
        request = Request(f"{self._sandbox.url}/sandbox/replies", json.dumps(fields).encode())
        with urlopen(request):
            pass


def send_all(sender: Sender, files: str) -> str:
    """Send the messages for the pictures, and return the id of the one whose request the first one shows."""
    sender.send(ANA, text="*Stock report* for São Paulo is ready")
    sender.send(OMAR, text="تم تحميل *1,204* صفا بنجاح ✅")
    sender.send(LI, text="*昨日销售* 已加载：41,208 行，12 行被拒绝 📊")
    template: Mapping[str, Any] = template_message("pipeline_alert", "en", body=["sales.load", "try 3 of 3"])
    sender.send(JOE, template=template)
    with suppress(RefusedError):
        sender.send(REFUSED, text="This one is refused")
    sender.send(
        ON_CALL,
        text="*sales.load* failed on try 3 of 3\n> connection to warehouse timed out\n"
        "Run `manual__2026-11-24`, after _12 min_\nhttps://airflow.example/runs/812",
    )
    buttons = reply_buttons(
        "Load last night's numbers again?",
        {"again": "Load again", "leave": "Leave it"},
    )
    question = sender.send(ON_CALL, interactive=buttons)
    sender.reply(message_id=question, button="again")
    sender.send(
        ON_CALL,
        image={"link": f"{files}/revenue.png", "caption": "*41,208 rows* loaded. Best day: _$96k_ 🎉"},
    )
    document = {"link": f"{files}/Sales%202026-11-23.pdf", "filename": "Sales 2026-11-23.pdf"}
    sender.send(ON_CALL, document=document)
    return question


def main() -> int:
    """Draw the picture."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, served(Path(folder)) as files, Sandbox(**SETTINGS) as sandbox:
        chart = Path(folder) / "chart.html"
        chart.write_text(CHART % "".join(f'<i style="height:{bar}%"></i>' for bar in BARS))
        (Path(folder) / "Sales 2026-11-23.pdf").write_bytes(b"%PDF-1.7" + bytes(486_000))
        try:
            take_picture(
                f"{files}/chart.html", Path(folder) / "revenue.png", width=640, height=210, shown_when="i"
            )
            question = send_all(Sender(sandbox), files)
            url = f"{sandbox.url}/#{ON_CALL}/{question}"
            take_picture(url, PICTURE, width=1360, height=880, shown_when=".request-line")
            with urlopen(f"{sandbox.url}/sandbox/failures") as answer:
                failed = json.load(answer)["items"][0]["number"]
            url = f"{sandbox.url}/#{REFUSED}/{failed}"
            take_picture(
                url, DARK_PICTURE, width=1360, height=640, colours="dark", shown_when=".request-line"
            )
        except NoPictureError as reason:
            print(f"No picture: {reason}", file=sys.stderr)
            return 1
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
