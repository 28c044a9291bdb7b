"""The file of a message: of a media message, or in the header of a WhatsApp template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from airflow_provider_itnio.api.models.media_source import MediaSource
from airflow_provider_itnio.api.models.message import Message


class MediaInMessage(NamedTuple):
    """A file of a message.

    :param kind: ``image``, ``audio``, ``video``, ``document`` or ``sticker``.
    :param source: the link or object that WhatsApp gets it from.
    :param path: the path of ``source`` in the message.
    """

    kind: str
    source: MediaSource
    path: str


def media_in(message: Message) -> MediaInMessage | None:
    """Return the file of a message, ``None`` if it has none."""
    content = message.content
    if isinstance(content, MediaSource):
        return MediaInMessage(message.type, content, message.type)
    for index, component in enumerate(getattr(content, "components", None) or ()):
        if component.type == "header":
            (parameter,) = component.parameters
            source = getattr(parameter, parameter.type)
            if isinstance(source, MediaSource):
                path = f"template.components[{index}].parameters[0].{parameter.type}"
                return MediaInMessage(parameter.type, source, path)
    return None


def with_link(message: Message, link: str, name: str) -> Message:
    """Return a copy of a message with a link instead of the object in storage.

    :param message: a message with a file.
    :param link: the link.
    :param name: the file's name, for a document without ``filename``.
    """
    media = media_in(message)
    if media is None:
        return message
    changed = {"link": link, "object": None}
    if media.kind == "document" and getattr(media.source, "filename", None) is None:
        changed["filename"] = name
    return _with_source(message, media, changed)


def with_object(message: Message, address: str) -> Message:
    """Return a copy of a message with another object in storage as its file.

    :param message: a message with a file.
    :param address: the object's address.
    """
    media = media_in(message)
    return message if media is None else _with_source(message, media, {"object": address})


def _with_source(message: Message, media: MediaInMessage, changed: Mapping[str, Any]) -> Message:
    content = message.content
    if message.type != "template":
        return replace(message, content=content.model_copy(update=changed))
    source = media.source.model_copy(update=changed)
    components = [
        component.model_copy(
            update={"parameters": [component.parameters[0].model_copy(update={media.kind: source})]}
        )
        if component.type == "header"
        else component
        for component in getattr(content, "components", ())
    ]
    return replace(message, content=content.model_copy(update={"components": components}))
