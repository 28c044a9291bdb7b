"""The page that lists what came."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from .store import Store

HERE = Path(__file__).parent
TEMPLATES = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
STYLE = (HERE / "static" / "inbox.css").read_bytes()


@dataclass(frozen=True)
class Page:
    """
    The page at ``/`` with its style sheet.

    :param store: what the sandbox got
    """

    store: Store

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/static/inbox.css", self.show_style, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show messages and refused requests, newest first."""
        html = TEMPLATES.get_template("inbox.html").render(
            messages=self.store.messages[::-1], refused=self.store.refused[::-1]
        )
        # JSON may hold halves of characters, for which UTF-8 has no form.
        return Response(html.encode("utf-8", "replace"), media_type="text/html")

    async def show_style(self, request: Request) -> Response:
        """Send the style sheet."""
        return Response(STYLE, media_type="text/css")
