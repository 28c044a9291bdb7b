"""A local server that answers as Itniotech does, so that DAGs can be tried without an account.

It stands on the other side of the wire: nothing here imports the rest of the package, so the two can
disagree. The server needs the extra ``sandbox``; its parts are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_itnio.sandbox.server import Sandbox
    from airflow_provider_itnio.sandbox.store.entries import (
        DeliveryStatus,
        ReceivedMessage,
        RefusedRequest,
        Reply,
        SeenRequest,
    )
    from airflow_provider_itnio.sandbox.testing.sandbox import TestingSandbox

__all__ = [
    "DeliveryStatus",
    "ReceivedMessage",
    "RefusedRequest",
    "Reply",
    "Sandbox",
    "SeenRequest",
    "TestingSandbox",
]

HOMES = {"Sandbox": "server", "TestingSandbox": "testing.sandbox"}

INSTALL_HINT = "the sandbox needs its extra: pip install 'airflow-provider-itnio[sandbox]'"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{HOMES.get(name, 'store.entries')}", __name__), name)
    except ModuleNotFoundError as missing:
        hint = f"{missing.name} is not installed; {INSTALL_HINT}"
        raise ModuleNotFoundError(hint, name=missing.name) from missing
