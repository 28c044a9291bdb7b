"""A whole message: exactly one of the types, checked by its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from airflow_provider_itnio.api.checks import check_choice
from airflow_provider_itnio.api.describe import describe_key, describe_value, truncate_body
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.hints import object_hint
from airflow_provider_itnio.api.models.base import (
    ContentModel,
    IsUnrendered,
    is_blank,
    never_unrendered,
    text_value,
)
from airflow_provider_itnio.api.models.text import TEXT_LIMIT
from airflow_provider_itnio.api.validation_errors import describe_errors
from airflow_provider_itnio.api.values import integral, is_missing, plain_data, type_name
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS

_MEDIA: Final = ("image", "audio", "video", "document", "sticker")

IF_TOO_LONG: Final = ("fail", "truncate")


@dataclass(frozen=True, slots=True)
class Message:
    """A valid message, without its sender and recipient.

    :param type: its type, as named in the API.
    :param content: its content.
    :param reply_to: the id of the incoming message that it answers.
    """

    type: str
    content: ContentModel
    reply_to: str | None = field(default=None, repr=False)


def model_of(kind: str) -> type[ContentModel]:
    """Import and return the model of a message type. A task's process needs only one of them."""
    file = "media" if kind in _MEDIA else kind
    model: type[ContentModel] = getattr(import_module(f"{__package__}.{file}"), kind.capitalize())
    return model


def message_from(fields: Mapping[str, Any], *, if_too_long: str = "fail") -> Message:
    """Create a message from the fields of an operator, a notifier or a task.

    :param fields: one of ``MESSAGE_FIELDS``, or ``message`` with the same fields as one dict; and
        ``reply_to``. A field that is ``None`` counts as not given.
    :param if_too_long: ``fail``, or ``truncate`` to cut a text of over 4,096 characters, end it with ``…``,
        and close a monospaced block in it.
    :return: the message.
    :raises InvalidMessageError: if it breaks a rule; the error lists all broken rules.
    :raises InvalidParameterError: if ``if_too_long`` is another word.
    """
    message, problems = _read(fields, if_too_long, never_unrendered)
    if message is None:
        raise InvalidMessageError(*problems)
    return message


def check_fields(
    fields: Mapping[str, Any], *, if_too_long: object = "fail", is_unrendered: IsUnrendered
) -> None:
    """Check the fields in a DAG file before they are rendered.

    Errors of a value that is rendered later are ignored. A missing key, an unknown key and too many items are
    reported, since keys are never rendered.

    :param fields: as for :func:`message_from`.
    :param if_too_long: as for :func:`message_from`.
    :param is_unrendered: returns whether a value is rendered later.
    :raises InvalidMessageError: if a rule is broken that rendering can't fix.
    """
    _, problems = _read(fields, if_too_long, is_unrendered)
    if problems:
        raise InvalidMessageError(*problems)


def _read(
    fields: Mapping[str, Any], if_too_long: object, is_unrendered: IsUnrendered
) -> tuple[Message | None, list[str]]:
    check_choice("if_too_long", if_too_long, IF_TOO_LONG)
    present: dict[Any, Any] = {}
    for name, value in fields.items():
        try:
            present[name] = value if is_unrendered(value) else plain_data(value)
        except RecursionError:
            return None, [f"{describe_key(name)}: is nested too deep"]
        except Exception:
            return None, [f"{describe_key(name)}: can't be read, {describe_value(value)} given"]
    try:
        return _build(present, if_too_long, is_unrendered)
    except InvalidMessageError as error:
        return None, list(error.problems)
    except Exception as error:  # data may raise anything when it is compared or counted
        names = _names([name for name, value in present.items() if value is not None])
        return None, [f"message: can't be read, {names} given; checking it raised {type_name(error)}"]


def _build(
    fields: Mapping[Any, Any], if_too_long: object, is_unrendered: IsUnrendered
) -> tuple[Message | None, list[str]]:
    present = {name: value for name, value in fields.items() if value is not None}
    if "message" in present:
        message = present.pop("message")
        if others := [name for name in present if name != "reply_to"]:
            return None, [f"message: can't be combined with other message fields, {_names(others)} given too"]
        if is_unrendered(message):
            return None, []
        if not isinstance(message, Mapping):
            hint = object_hint(message, "message")
            return None, [f"message: must be an object (dict), {describe_value(message)} given{hint}"]
        if problem := _check_with_message(present, message):
            return None, [problem]
        present |= {name: value for name, value in message.items() if value is not None}
    if missing := [name for name, value in present.items() if is_missing(value)]:
        return None, [
            f"{describe_key(name)}: {describe_value(present[name])} given; None counts as not given"
            for name in missing
        ]
    declared = present.pop("type", None)
    reply_to = present.pop("reply_to", None)
    unknown = [name for name in present if name not in MESSAGE_FIELDS]
    if unknown:
        known = ", ".join(MESSAGE_FIELDS)
        return None, [f"{describe_key(name)}: unknown field; known are {known}" for name in unknown]
    if len(present) != 1:
        names = ", ".join(MESSAGE_FIELDS)
        return None, [f"exactly one of {names} or message must be given, {_names(list(present))} given"]
    ((kind, value),) = present.items()
    problems = []
    if (
        declared is not None
        and not is_unrendered(declared)
        and (type(declared) is not str or declared != kind)
    ):
        problems.append(f"type: must match the message, which is {kind}; {describe_value(declared)} given")
    reply_to, problem = _reply_to(reply_to, kind, is_unrendered)
    problems += [problem] if problem else []
    if kind == "text" and if_too_long == "truncate":
        value = _truncate_text(value)
    model = model_of(kind)
    try:
        content = model.model_validate(value, context={"is_unrendered": is_unrendered})
    except ValidationError as error:
        problems += describe_errors(error, model, kind, is_unrendered)
        return None, problems
    return (None, problems) if problems else (Message(kind, content, reply_to), [])


def _names(names: list[Any]) -> str:
    shown = ", ".join(map(describe_key, names[:3])) or "none"
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _check_with_message(present: Mapping[str, Any], message: Mapping[str, Any]) -> str | None:
    if "reply_to" in present and message.get("reply_to") is not None:
        return "reply_to: given twice, beside message and in it"
    known = (*MESSAGE_FIELDS, "type", "reply_to")
    if unknown := [name for name in message if name not in known]:
        return f"message.{describe_key(unknown[0])}: unknown key; known are {', '.join(known)}"
    return None


def _reply_to(value: object, kind: str, is_unrendered: IsUnrendered) -> tuple[str | None, str | None]:
    if is_blank(value):
        return None, None
    if kind == "template":
        return None, "reply_to: a WhatsApp template can't be a reply"
    if is_unrendered(value):
        return None, None
    message_id = value if isinstance(value, str) else integral(value)
    if message_id is None:
        return None, f"reply_to: must be the id of an incoming message, {describe_value(value)} given"
    try:
        return text_value(message_id).strip(), None
    except PydanticCustomError as error:
        return None, f"reply_to: {error.message()}"


def _truncate_text(value: object) -> object:
    body = value.get("body") if isinstance(value, Mapping) else value
    if not isinstance(body, str):
        return value
    shortened = truncate_body(body, TEXT_LIMIT)
    return {**value, "body": shortened} if isinstance(value, Mapping) else shortened
