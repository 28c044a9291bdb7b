"""The JSON for the inbox page: an item for each exchange, and the whole request of an opened one."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.sandbox.responses import json_bytes
from airflow_provider_itnio.sandbox.status_codes import OF_HTTP
from airflow_provider_itnio.sandbox.store.entries import (
    ReceivedMessage,
    SeenRequest,
    Window,
    as_json,
    status_push,
)
from airflow_provider_itnio.sandbox.store.exchange import Exchange
from airflow_provider_itnio.sandbox.summary import summary_of


def item(exchange: Exchange) -> dict[str, Any]:
    """
    Return the item of an exchange: its ``number``, and ``message``, ``reply`` and ``failure`` if it has them.

    A message whose sender did not learn that it was accepted has a failure too. If the recipient has chosen a
    button or a row of a message, its id is in ``chosen``.
    """
    found: dict[str, Any] = {"number": exchange.number}
    if exchange.message:
        found["message"] = as_json(exchange.message)
    if exchange.chosen is not None:
        found["chosen"] = exchange.chosen
    if exchange.reply:
        found["reply"] = as_json(exchange.reply)
    if exchange.failed:
        found["failure"] = failure(exchange)
    return found


def item_as_json(exchange: Exchange) -> bytes:
    """Return the current item of an exchange as JSON; it is cached until the next change."""
    message = exchange.message
    state = (len(message.statuses), len(message.notes), exchange.chosen) if message else None
    if exchange.json_cache is None or exchange.json_cache[0] != state:
        exchange.json_cache = (state, json_bytes(item(exchange)))
    return exchange.json_cache[1]


def update_as_json(changed: ReceivedMessage | Window) -> bytes:
    """Return a change as JSON for the page: ``{"status": {…}}`` or ``{"window": {…}}``."""
    if isinstance(changed, Window):
        until = changed.until.isoformat()
        return json_bytes({"window": {"recipient": changed.recipient, "until": until}})
    update = {name: getattr(changed, name) for name in ("id", "status", "failure", "notes")}
    return json_bytes({"status": update})


def opened(exchange: Exchange) -> dict[str, Any]:
    """Return all data of an exchange: its item with the request, its answer and its pushes."""
    found = item(exchange)
    if exchange.request:
        found["request"] = as_json(exchange.request)
    if message := exchange.message:
        found["pushes"] = [status_push(message, status) for status in message.statuses]
    return found


def failure(exchange: Exchange) -> dict[str, Any]:
    """Return why a request failed."""
    request, refused = exchange.request, exchange.refused
    found: dict[str, Any] = {"status": None, "recipient": exchange.chat_number}
    if request:
        found |= {
            "meaning": _without_status(request),
            "method": request.method,
            "path": request.path,
            "http_status": request.http_status,
            "why": request.cause,
            "advice": "" if request.cause else OF_HTTP.get(request.http_status or 0, ""),
            "by_fault": bool(request.cause),
            "at": request.at.isoformat(),
            "text": _first_words(request.body),
        }
    if refused:
        found |= {name: getattr(refused, name) for name in ("status", "meaning", "why", "advice", "path")}
        found |= {"at": refused.at.isoformat(), "text": _first_words(refused.body)}
    return found


def _without_status(request: SeenRequest) -> str:
    if request.http_status is None:
        return "the connection was closed without an answer"
    if request.accepted:
        return "the answer was a success, but no message is kept"
    if request.http_status != 200:
        return f"the answer was HTTP {request.http_status}"
    if isinstance(request.answer, dict) and str(request.answer.get("status")) == "0":
        return "the answer was a success without a message id"
    return "the answer was not one that the vendor documents"


def _first_words(body: Any) -> str:
    """Return the main text of any request body."""
    if not isinstance(body, dict):
        return ""
    kind = "template" if "template" in body else body.get("type")
    try:
        return summary_of(kind, body) if isinstance(kind, str) else ""
    except KeyError:
        return ""
