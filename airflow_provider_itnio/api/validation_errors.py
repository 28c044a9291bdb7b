"""Translate pydantic's errors to sentences with the path in the message, the limit and the value given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails

from airflow_provider_itnio.api.describe import describe_key, describe_value
from airflow_provider_itnio.api.hints import object_hint


def describe_errors(
    error: ValidationError, model: type[BaseModel], name: str, is_unrendered: Callable[[object], bool]
) -> list[str]:
    """Return one sentence for each rule that a message breaks.

    :param error: pydantic's error.
    :param model: the model of the message.
    :param name: the message's type, with which every path begins.
    :param is_unrendered: returns whether a value is rendered later; errors of such a value are left out.
    """
    problems = []
    for details in error.errors(include_url=False):
        if not is_unrendered(_bad_value(details)):
            # A key that is not text can't be part of a path, so the error is reported for the object.
            loc = details["loc"][:-1] if details["type"] == "invalid_key" else details["loc"]
            location = _ErrorLocation(name, model, loc)
            problems.append(f"{location.path}{_discriminator(details)}: {_sentence(details, location)}")
    return problems


class _ErrorLocation:
    """The place of an error in a message, found by following pydantic's path through the models.

    After a union of models, pydantic's path has the name of the selected model, which is not a key.
    """

    def __init__(self, name: str, model: type[BaseModel], loc: Iterable[int | str]) -> None:
        self.path = self.last_name = name
        self.known_keys: list[str] = []
        models = list(_models(model))
        for part in loc:
            if isinstance(part, int):
                self.path += f"[{part}]"
            elif len(models) > 1:
                models = [member for member in models if part in _literals(member)]
            else:
                fields = models[0].model_fields if models else {}
                self.known_keys = list(fields)
                self.path += f".{describe_key(part)}"
                self.last_name = part
                models = list(_models(fields[part].annotation)) if part in fields else []
        members = models[0].model_fields if len(models) == 1 else {}
        self.required_keys = [name for name, field in members.items() if field.is_required()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models of an annotation, which may be a union."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from _models(annotation.model_fields["root"].annotation)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(annotation):
            yield from _models(inner)


def _literals(model: type[BaseModel]) -> set[str]:
    """Return the values of ``type`` and ``sub_type`` that select a model."""
    return {
        word
        for key in ("type", "sub_type")
        if key in model.model_fields
        for word in get_args(model.model_fields[key].annotation)
    }


def _bad_value(details: ErrorDetails) -> object:
    value = details["input"]
    if (key := _discriminator(details)) and isinstance(value, Mapping):
        return value.get(key.removeprefix("."))
    # A missing or unknown key is not caused by the value, so rendering can't fix it.
    return None if details["type"] in ("missing", "extra_forbidden") else value


def _discriminator(details: ErrorDetails) -> str:
    """Return the key, after a dot, whose value selects no model of a union; else an empty text."""
    if details["type"] not in ("union_tag_invalid", "union_tag_not_found"):
        return ""
    if not isinstance(details["input"], Mapping):
        return ""
    return f".{details['ctx']['discriminator'].strip(chr(39))}"


def _sentence(details: ErrorDetails, location: _ErrorLocation) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    match kind:
        case "rule":
            return str(context["sentence"])
        case "missing":
            return "required, not given"
        case "extra_forbidden":
            return f"unknown key; known are {', '.join(location.known_keys)}"
        case "too_long" | "string_too_long":
            is_list = isinstance(value, Iterable) and not isinstance(value, str)
            unit = location.last_name if is_list else "characters"
            number = context["actual_length"] or "more" if is_list else len(str(value))
            return f"at most {_with_unit(context['max_length'], unit)}, {number} given"
        case "too_short":
            least = _with_unit(context["min_length"], location.last_name)
            return f"at least {least}, {context['actual_length']} given"
        case "list_type":
            return f"must be a list, {describe_value(value)} given{object_hint(value, location.path)}"
        case "literal_error":
            return f"must be {_one_of(context['expected'])}; {describe_value(value)} given"
        case "union_tag_invalid":
            return f"must be {_one_of(context['expected_tags'])}; {describe_value(_bad_value(details))} given"
        case "union_tag_not_found" if isinstance(value, Mapping):
            return "required, not given"
        case "greater_than_equal":
            return f"at least {context['ge']}, {describe_value(value)} given"
        case "less_than_equal":
            return f"at most {context['le']}, {describe_value(value)} given"
        case "invalid_key":
            return f"keys must be text, {describe_value(value)} given"
        case "string_unicode":
            return "must be valid Unicode text; it has an unpaired surrogate"
        case _ if kind.startswith("int_") or kind == "finite_number":
            return f"must be a whole number, {describe_value(value)} given"
        case _ if kind.startswith(("model_", "union_tag_")):
            hint = object_hint(value, location.path, location.required_keys)
            return f"must be an object (dict), {describe_value(value)} given{hint}"
        case _:
            return f"can't be read, {describe_value(value)} given"


def _one_of(choices_text: str) -> str:
    choices = choices_text.replace(" or ", ", ")
    return "one of " + choices.replace("'", "") if "," in choices else choices


def _with_unit(number: int, unit: str) -> str:
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"
