"""A message with Jinja in it, compiled once and filled in for each recipient."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.phone_numbers import mask_phone_numbers
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from airflow_provider_itnio.templating import TEMPLATE_EXT, is_rendered_later

if TYPE_CHECKING:
    from jinja2 import Environment, Template

    from airflow_provider_itnio.broadcast.recipients import Recipient

__all__ = ["PersonalMessage", "RecipientData"]

_Node: TypeAlias = Callable[[dict[str, Any]], Any]


class PersonalMessage:
    """The fields of a message, in which each text may say something else to each recipient.

    :param fields: the message fields, with Jinja in their texts to any depth.
    :param environment: the Jinja environment, which also finds ``.j2`` files.
    :param context: what the Jinja may use beside ``recipient``; each look-up in Airflow is made once.
    :param shared: what it may use as ``shared``.
    :raises InvalidMessageError: if Jinja in it can't be compiled or a file not found.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        environment: Environment,
        context: Mapping[str, Any],
        shared: Mapping[str, Any],
    ) -> None:
        self._environment = environment
        environment.finalize = _no_none(environment.finalize)
        self._variables = _read_once(context)
        self._variables["shared"] = shared
        for name, value in environment.globals.items():
            if name not in self._variables:
                self._variables[name] = value
        self._nodes = {name: self._node(value, name) for name, value in fields.items() if value is not None}
        self.is_personal = any(callable(node) for node in self._nodes.values())
        """Whether there is Jinja in it at all; else it is the same for everyone."""
        self.kind = _kind_of(fields)
        """The message's type, such as ``text``."""

    @property
    def same_for_all(self) -> dict[str, Any]:
        """The fields of a message that is not personal."""
        return dict(self._nodes)

    def fields_for(self, recipient: Recipient) -> dict[str, Any]:
        """Fill the message in.

        :param recipient: whom it is for.
        :raises InvalidMessageError: if that fails, naming the field.
        """
        self._variables["recipient"] = RecipientData(recipient.data, phone=recipient.number)
        return {name: node(self._variables) if callable(node) else node for name, node in self._nodes.items()}

    def _node(self, value: Any, path: str) -> Any:
        """Give the value itself if it is the same for everyone, else what fills it in."""
        if isinstance(value, str) and is_rendered_later(value):
            return self._filler(self._compiled(value, path), path)
        if hasattr(value, "iter_references"):
            return value.resolve({})  # a literal(...); the output of a task was refused with the operator
        if isinstance(value, Mapping):
            nodes = {key: self._node(inner, f"{path}.{key}") for key, inner in value.items()}
            if not any(map(callable, nodes.values())):
                return nodes
            return lambda variables: {
                key: node(variables) if callable(node) else node for key, node in nodes.items()
            }
        if isinstance(value, (list, tuple)):
            entries = [self._node(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
            if not any(map(callable, entries)):
                return entries
            return lambda variables: [node(variables) if callable(node) else node for node in entries]
        return value

    def _compiled(self, text: str, path: str) -> Template:
        from jinja2 import TemplateError

        try:
            if text.endswith(TEMPLATE_EXT):
                return self._environment.get_template(text)
            return self._environment.from_string(text)
        except (TemplateError, OSError) as error:
            raise InvalidMessageError(f"{path}: {_words(error)}") from error

    def _filler(self, template: Template, path: str) -> _Node:
        make_context, render = self._environment.context_class, template.root_render_func
        environment, name, blocks = self._environment, template.name, template.blocks

        def filled(variables: dict[str, Any]) -> str:
            # As Template.render does, without a copy of the variables for each text.
            try:
                text = "".join(render(make_context(environment, variables, name, blocks)))
            except _LookUpFailed as failed:
                raise failed.error from None  # it may pass, and is nothing that is wrong with the message
            except Exception as error:
                raise InvalidMessageError(f"{path}: could not be rendered: {_words(error)}") from error
            if text.endswith(TEMPLATE_EXT):
                raise InvalidMessageError(
                    f"{path}: renders to {describe_value(text)}, the name of a Jinja file, not to a message"
                )
            return text

        return filled


def _no_none(finalize: Callable[..., Any] | None) -> Callable[[Any], Any]:
    """Refuse to write None to a person, which is what a NULL of a database would become."""

    def checked(value: Any) -> Any:
        value = finalize(value) if finalize is not None else value
        if value is None:
            raise ValueError(
                "a value is None; name what stands in its place, as in {{ recipient.name or '-' }}"
            )
        return value

    return checked


def _kind_of(fields: Mapping[str, Any]) -> str:
    whole: Any = fields.get("message")
    if hasattr(whole, "iter_references"):
        whole = whole.resolve({})
    given = {**fields, **(whole if isinstance(whole, Mapping) else {})}
    return next((name for name in MESSAGE_FIELDS if given.get(name) is not None), "")


class RecipientData(dict[str, Any]):
    """What is known of a recipient: ``recipient.name`` is the data's own, also where a dict has a method.

    :param data: what was given of them.
    :param phone: their number, digits only.
    """

    def __init__(self, data: Mapping[str, Any], **own: Any) -> None:
        super().__init__({name: _as_data(value) for name, value in data.items()}, **own)

    def __getattribute__(self, name: str) -> Any:
        if name in self:
            return self[name]
        return super().__getattribute__(name)


def _as_data(value: Any) -> Any:
    if isinstance(value, dict):
        return RecipientData(value)
    if isinstance(value, (list, tuple)):
        return [_as_data(inner) for inner in value]
    return value


def _words(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    words = re.sub(r"'[\w.]*RecipientData object'", "recipient", words)
    return mask_phone_numbers(words)[:160]


# --- look-ups in Airflow ----------------------------------------------------------------------------------


def _read_once(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Copy variables so that what they look up in Airflow, which is slow, is looked up once."""
    # Copied as it is: Airflow 2's context warns of a few names when they are read, and only then may.
    read_once = cast("dict[str, Any]", copy.copy(variables))
    if "var" in variables:
        read_once["var"] = {name: _ReadOnce(accessor) for name, accessor in variables["var"].items()}
    for name in ("conn", "ti", "task_instance"):
        if name in variables:
            read_once[name] = _ReadOnce(variables[name])
    return read_once


class _ReadOnce:
    """An object of which each attribute, and each answer of ``get`` and ``xcom_pull``, is read once.

    What can't be read is not read again either.

    :param of: the object.
    """

    def __init__(self, of: Any) -> None:
        self.__of = of
        self.__read: dict[str, tuple[Any, Exception | None]] = {}

    def __getattr__(self, name: str) -> Any:
        value = self.__once(name, lambda: getattr(self.__of, name))
        if name not in ("get", "xcom_pull"):
            return value

        def answer(*args: Any, **kwargs: Any) -> Any:
            question = f"{name} {args!r} {sorted(kwargs.items())!r}"
            return self.__once(question, lambda: value(*args, **kwargs))

        return answer

    def __str__(self) -> str:
        return str(self.__of)

    def __once(self, question: str, read: Callable[[], Any]) -> Any:
        if question not in self.__read:
            try:
                self.__read[question] = (read(), None)
            except Exception as error:
                self.__read[question] = (None, error)
        value, failure = self.__read[question]
        if isinstance(failure, AttributeError):
            raise failure.with_traceback(None)  # which would grow with each time
        if failure is not None:
            raise _LookUpFailed(failure)
        return value


class _LookUpFailed(Exception):  # noqa: N818
    """Airflow did not answer a look-up.

    :param error: what it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
