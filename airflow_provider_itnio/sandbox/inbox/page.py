"""The inbox page: its HTML, its static files, and the page with its data as one file to download."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio.sandbox.inbox.items import opened
from airflow_provider_itnio.sandbox.inbox.lists import searched
from airflow_provider_itnio.sandbox.responses import streamed
from airflow_provider_itnio.sandbox.security import CONTENT_SECURITY_POLICY, policy
from airflow_provider_itnio.sandbox.store.exchange import Exchange
from airflow_provider_itnio.sandbox.store.store import Store

HERE = Path(__file__).parent
FRAME = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True).get_template("inbox.html")

MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STATIC = HERE / "static"
ASSETS = {
    file.relative_to(STATIC).as_posix(): file.read_bytes()
    for file in sorted(STATIC.rglob("*"))
    if file.suffix in MEDIA_TYPES
}
KEPT_HERE = "@@kept@@"
ITEMS_A_PART = 50

IMPORT = re.compile(r'^import (\{[^}]*\}) from "(\.[a-z_./]+\.js)";$', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async function|function|class|const) (\w+))", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """The page at ``/`` with its style sheets and scripts."""

    store: Store

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/static/{name:path}", self.show_asset, methods=["GET"]),
            Route("/sandbox/inbox.html", self.save, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """Return the page's HTML, which its scripts fill."""
        return Response(FRAME.render(), media_type="text/html")

    async def show_asset(self, request: Request) -> Response:
        """Return a style sheet, a script or the icon."""
        name = request.path_params["name"]
        if name not in ASSETS:
            return Response("Not Found", 404, media_type="text/plain")
        return Response(ASSETS[name], media_type=MEDIA_TYPES[Path(name).suffix])

    async def save(self, request: Request) -> Response:
        """Return the page with all its data as one file to download."""
        attached = {"content-disposition": 'attachment; filename="inbox.html"'}
        return streamed(one_file(self.store), "text/html; charset=utf-8", attached)


def one_file(store: Store) -> Iterator[bytes]:
    """Yield the page as one file, which shows the same without the sandbox, but takes no replies."""
    style, script = ASSETS["inbox.css"].decode(), ASSETS["inbox.js"].decode()
    allowed = {
        **{name: value for name, value in CONTENT_SECURITY_POLICY.items() if name != "frame-ancestors"},
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data: http: https:",
        "connect-src": "http: https:",
    }
    icon = base64.b64encode(ASSETS["icon.svg"]).decode()
    page = FRAME.render(
        policy=policy(allowed),
        icon=f"data:image/svg+xml;base64,{icon}",
        style=style,
        script=script,
        kept=f'{{"keep": {store.keep}, "exchanges": [{KEPT_HERE}]}}',
    )
    before, _, after = page.encode().partition(KEPT_HERE.encode())
    yield before
    exchanges = store.exchanges()
    for start in range(0, len(exchanges), ITEMS_A_PART):
        kept = ", ".join(json.dumps(_saved(one)) for one in exchanges[start : start + ITEMS_A_PART])
        # It can't contain the end of the script element; it is ASCII, so lone surrogates survive.
        yield f"{', ' if start else ''}{kept}".replace("<", "\\u003c").encode()
    yield after


def _saved(exchange: Exchange) -> dict[str, Any]:
    """Return all data of an exchange, including what the page otherwise requests from the sandbox."""
    return opened(exchange) | {
        "chat": exchange.chat_number,
        "kind": exchange.kind,
        "has_trouble": exchange.has_trouble,
        "searched": searched(exchange),
    }


def _modules(name: str, seen: set[str]) -> Iterator[str]:
    """Yield the scripts that a module imports, then the module, each as a function with a separate scope."""
    seen.add(name)
    text = ASSETS[name].decode()

    def named(path: str) -> str:
        return normpath(join(dirname(name), path))

    for _, path in IMPORT.findall(text):
        if named(path) not in seen:
            yield from _modules(named(path), seen)
    exported = ", ".join(found for _, found in EXPORT.findall(text))
    imported = IMPORT.sub(lambda found: f'const {found[1]} = modules["{named(found[2])}"];', text)
    body = EXPORT.sub(r"\1", imported)
    yield f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# The page loads all style sheets as one and all scripts as one, instead of each with a request.
_STYLES = [content for name, content in ASSETS.items() if name.endswith(".css")]
_SCRIPTS = ["const modules = {};", *_modules("main.js", set())]
ASSETS |= {"inbox.css": b"\n".join(_STYLES), "inbox.js": "\n".join(_SCRIPTS).encode()}
