"""A message in a line, for lists and assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def summary_of(kind: str, body: Mapping[str, Any]) -> str:
    """
    Give what a person would read first: body, caption, name, template with its parameters.

    It copes with any JSON, since the vendor accepts more than WhatsApp does.

    :param kind: the vendor's name of the type, ``template`` for a WhatsApp template
    """
    return SUMMARIES[kind](body.get(kind))


def _at(value: Any, *names: str) -> str:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _each(value: Any, name: str) -> Iterator[Any]:
    entries = value.get(name) if isinstance(value, dict) else None
    yield from entries if isinstance(entries, list) else ()


def _of_media(content: Any) -> str:
    return _at(content, "caption") or _at(content, "filename") or _at(content, "link")


def _of_location(content: Any) -> str:
    named = ", ".join(filter(None, (_at(content, "name"), _at(content, "address"))))
    return named or f"{_at(content, 'latitude')}, {_at(content, 'longitude')}"


def _of_contacts(content: Any) -> str:
    entries = content if isinstance(content, list) else []
    return ", ".join(filter(None, (_at(one, "name", "formatted_name") for one in entries)))


def _of_template(content: Any) -> str:
    values = [
        _of_parameter(parameter)
        for component in _each(content, "components")
        for parameter in _each(component, "parameters")
    ]
    return ": ".join(filter(None, (_at(content, "name"), ", ".join(filter(None, values)))))


def _of_parameter(parameter: Any) -> str:
    kind = _at(parameter, "type")
    inside = parameter.get(kind) if isinstance(parameter, dict) else None
    if not isinstance(inside, dict):
        return _at(parameter, kind)
    return _at(inside, "fallback_value") or _of_media(inside) or _of_location(inside)


SUMMARIES: Mapping[str, Callable[[Any], str]] = {
    "text": lambda content: _at(content, "body"),
    "image": _of_media,
    "audio": _of_media,
    "video": _of_media,
    "sticker": _of_media,
    "document": _of_media,
    "location": _of_location,
    "interactive": lambda content: _at(content, "body", "text"),
    "contacts": _of_contacts,
    "template": _of_template,
}
