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


def _media_text(content: Any) -> str:
    return text_at(content, "caption") or text_at(content, "filename") or text_at(content, "link")


def _location_text(content: Any) -> str:
    named = ", ".join(filter(None, (text_at(content, "name"), text_at(content, "address"))))
    return named or f"{text_at(content, 'latitude')}, {text_at(content, 'longitude')}"


def _template_text(content: Any) -> str:
    values = map(_parameter_text, objects_at(content, "components", "parameters"))
    return ": ".join(filter(None, (text_at(content, "name"), ", ".join(filter(None, values)))))


def _parameter_text(parameter: dict[str, Any]) -> str:
    kind = text_at(parameter, "type")
    value = parameter.get(kind)
    if not isinstance(value, dict):
        return text_at(parameter, kind)
    return text_at(value, "fallback_value") or _media_text(value) or _location_text(value)


SUMMARIES: Mapping[str, Callable[[Any], str]] = {
    "text": lambda content: text_at(content, "body"),
    **dict.fromkeys(("image", "audio", "video", "sticker", "document"), _media_text),
    "location": _location_text,
    "interactive": lambda content: text_at(content, "body", "text"),
    "template": _template_text,
}
