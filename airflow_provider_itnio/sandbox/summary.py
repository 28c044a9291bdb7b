"""A message in a line, for lists and assertions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_itnio.sandbox.json_path import objects_at, text_at


def summary_of(kind: str, body: Mapping[str, Any]) -> str:
    """
    Return the main text of a message: body, caption, name, or template with its parameters.

    It accepts any JSON, since the vendor accepts more than WhatsApp does.
    """
    if kind == "contacts":
        return ", ".join(
            filter(None, (text_at(one, "name", "formatted_name") for one in objects_at(body, kind)))
        )
    return SUMMARIES[kind](body.get(kind))


def _of_media(content: Any) -> str:
    return text_at(content, "caption") or text_at(content, "filename") or text_at(content, "link")


def _of_location(content: Any) -> str:
    named = ", ".join(filter(None, (text_at(content, "name"), text_at(content, "address"))))
    return named or f"{text_at(content, 'latitude')}, {text_at(content, 'longitude')}"


def _of_template(content: Any) -> str:
    values = map(_of_parameter, objects_at(content, "components", "parameters"))
    return ": ".join(filter(None, (text_at(content, "name"), ", ".join(filter(None, values)))))


def _of_parameter(parameter: dict[str, Any]) -> str:
    kind = text_at(parameter, "type")
    inside = parameter.get(kind)
    if not isinstance(inside, dict):
        return text_at(parameter, kind)
    return text_at(inside, "fallback_value") or _of_media(inside) or _of_location(inside)


SUMMARIES: Mapping[str, Callable[[Any], str]] = {
    "text": lambda content: text_at(content, "body"),
    **dict.fromkeys(("image", "audio", "video", "sticker", "document"), _of_media),
    "location": _of_location,
    "interactive": lambda content: text_at(content, "body", "text"),
    "template": _of_template,
}
