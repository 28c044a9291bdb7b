"""The sandbox as one ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from .control import Control
from .events import Events
from .guard import Guard
from .page import Page
from .vendor import METHODS, Elsewhere, Endpoint, Vendor

if TYPE_CHECKING:
    from .addresses import OwnHosts


def sandbox_app(vendor: Vendor, hosts: OwnHosts) -> Guard:
    """
    Put the endpoints together behind the guard.

    :param vendor: the vendor it plays
    :param hosts: the Host headers that mean this server
    """
    routes = [
        *(Route(path, Endpoint(vendor, path, method)) for path, method in METHODS.items()),
        Route("/sandbox/events", Events(vendor.store, vendor.stopping), methods=["GET"]),
        *Control(vendor).routes(),
        *Page(vendor.store).routes(),
        Route("/", Elsewhere(vendor), methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    app.router.default = Elsewhere(vendor)
    return Guard(app, hosts, vendor.clock)
