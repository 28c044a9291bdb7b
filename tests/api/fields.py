"""Fields of valid messages, each with one part to change."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.api.models import Message

LINK = "https://files.example/report.pdf"


def fields_of(message: Message) -> dict[str, Any]:
    """The fields from which an equal message can be built."""
    fields: dict[str, Any] = {message.type: message.content.model_dump(exclude_none=True)}
    return fields if message.reply_to is None else fields | {"reply_to": message.reply_to}


def interactive(kind: str = "button", **changes: Any) -> dict[str, Any]:
    """Fields of an interactive message; a change to None removes the key."""
    action = {"button": button_action(), "list": list_action(), "location_request_message": None}[kind]
    whole = {"type": kind, "body": {"text": "Choose"}, "action": action} | changes
    return {"interactive": {name: value for name, value in whole.items() if value is not None}}


def button_action(*replies: dict[str, Any]) -> dict[str, Any]:
    replies = replies or ({"id": "1", "title": "Yes"},)
    return {"buttons": [{"type": "reply", "reply": reply} for reply in replies]}


def buttons(number: int) -> dict[str, Any]:
    return button_action(*({"id": f"id {n}", "title": f"title {n}"} for n in range(number)))


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "title": "Row"} | changes


def rows(number: int, first: int = 0) -> list[dict[str, Any]]:
    return [row(id=f"id {n}") for n in range(first, first + number)]


def list_action(**changes: Any) -> dict[str, Any]:
    return {"button": "Open", "sections": [{"title": "Section", "rows": [row()]}]} | changes


def list_row(**changes: Any) -> dict[str, Any]:
    return interactive("list", action=list_action(sections=[{"title": "Section", "rows": [row(**changes)]}]))


def sections(number: int) -> dict[str, Any]:
    return list_action(sections=[{"title": f"Section {n}", "rows": rows(1, n)} for n in range(number)])


def location(**changes: Any) -> dict[str, Any]:
    return {"location": {"longitude": "104.05", "latitude": "62.6", "name": "N", "address": "A"} | changes}


def contact(**changes: Any) -> dict[str, Any]:
    return {"contacts": [{"name": {"formatted_name": "Ann Smith", "first_name": "Ann"}} | changes]}


def template(*components: dict[str, Any], **changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"name": "new_shop", "language": {"code": "en"}} | changes
    return {"template": whole | ({"components": list(components)} if components else {})}


def header(**parameter: Any) -> dict[str, Any]:
    return template({"type": "header", "parameters": [parameter]})


def body(*parameters: dict[str, Any]) -> dict[str, Any]:
    return template({"type": "body", "parameters": list(parameters)})


def texts(number: int) -> list[dict[str, Any]]:
    return [{"type": "text", "text": f"value {n}"} for n in range(number)]


def url_button(**changes: Any) -> dict[str, Any]:
    parameters = [{"type": "text", "text": "end"}]
    return {"type": "button", "sub_type": "url", "index": "0", "parameters": parameters} | changes


def reply_button(**changes: Any) -> dict[str, Any]:
    parameters = [{"type": "payload", "payload": "yes"}]
    return {"type": "button", "sub_type": "quick_reply", "index": "1", "parameters": parameters} | changes


def currency(**changes: Any) -> dict[str, Any]:
    inner = {"fallback_value": "$100.99", "code": "USD", "amount_1000": 100990} | changes
    return {"type": "currency", "currency": inner}


def date_time(**changes: Any) -> dict[str, Any]:
    return {"type": "date_time", "date_time": {"fallback_value": "February 25, 1977"} | changes}
