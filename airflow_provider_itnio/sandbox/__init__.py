"""A local server that answers like Itniotech, to test DAGs without an account.

It is independent of the client: nothing here imports ``api``, so that each can reveal errors of the other.
The server needs the extra ``sandbox``; its modules are imported on first use.
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
