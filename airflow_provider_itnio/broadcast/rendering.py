"""A message with Jinja templates, compiled once and rendered for each recipient."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.values import is_missing
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS
from airflow_provider_itnio.rendering.lookups import cache_lookups
from airflow_provider_itnio.rendering.missing_values import RecipientData, UnknownRecipient, as_data
from airflow_provider_itnio.rendering.renderer import Renderer, describe_error
from airflow_provider_itnio.templating import is_reference, is_rendered_later

if TYPE_CHECKING:
    from jinja2 import Environment

    from airflow_provider_itnio.broadcast.recipients import Recipient

_RenderField: TypeAlias = Callable[[], Any]
"""Returns a field's value for the current recipient."""


class PersonalMessage:
    """The fields of a message, rendered for each recipient.

    :param fields: the message fields, with Jinja templates in their texts to any depth, or functions of
        ``(context, jinja_env)``.
    :param environment: the Jinja environment, which also finds ``.j2`` files.
    :param context: the task's context for the templates; each lookup in Airflow is made once.
    :param shared: the templates' ``shared``.
    :param data: the names of fields that are data, and not rendered.
    :raises InvalidMessageError: if a template can't be compiled, a file is not found, or ``shared`` is not a
        dict or nested too deep.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        environment: Environment,
        context: Mapping[str, Any],
        shared: Mapping[str, Any],
        data: Collection[str] = (),
    ) -> None:
        self._context = context
        self._shared = shared
        self._environment = environment
        self._variables = cache_lookups(context)
        try:
            self._variables["shared"] = as_data(shared, "shared")
        except Exception as error:
            raise InvalidMessageError(f"shared: can't be used: {describe_error(error)}") from error
        self._renderer = Renderer(environment, self._variables)
        self._recipient: Any = {}
        self._number = ""
        self._extra_variables: dict[str, Any] = {}
        self._fixed: dict[str, Any] = {}
        self._renderers: dict[str, _RenderField] = {}
        for name, value in fields.items():
            if value is not None:
                fixed, render = (value, None) if name in data else self._compile(value, name)
                if render is None:
                    self._fixed[name] = fixed
                else:
                    self._renderers[name] = render
        self.kind = _kind_of(fields, self._fixed)
        """The message's type, such as ``text``."""

    @property
    def is_personal(self) -> bool:
        """Whether any field is rendered; if not, the message is the same for all recipients."""
        return bool(self._renderers)

    @property
    def fixed_fields(self) -> dict[str, Any]:
        """The fields of a message that is not personal."""
        return dict(self._fixed)

    def add(self, variables: Mapping[str, Any]) -> None:
        """Add variables for templates and functions.

        :param variables: data by variable name.
        """
        self._variables.update(variables)
        self._extra_variables.update(variables)

    def fields_for(self, recipient: Recipient) -> dict[str, Any]:
        """Render the message for a recipient.

        :raises InvalidMessageError: if that fails; it names the field.
        """
        try:
            self._recipient, self._number = recipient.data, recipient.number
            self._variables["recipient"] = RecipientData(recipient.data, phone=recipient.number)
        except Exception as error:
            raise InvalidMessageError(f"recipient: can't be used: {describe_error(error)}") from error
        return self._render_fields()

    def fields_for_all(self) -> dict[str, Any] | None:
        """Render the message without a recipient.

        :return: the fields, ``None`` if a template or function reads the recipient.
        :raises InvalidMessageError: if that fails; it names the field.
        """
        unknown = self._recipient = self._variables["recipient"] = UnknownRecipient()
        try:
            fields = self._render_fields()
        except Exception:
            if not unknown.is_read:
                raise
            return None
        return None if unknown.is_read else fields

    def _render_fields(self) -> dict[str, Any]:
        return {**self._fixed, **{name: render() for name, render in self._renderers.items()}}

    def _compile(self, value: Any, path: str) -> tuple[Any, _RenderField | None]:
        """Return a value that is the same for all recipients, or a function that renders it."""
        try:
            return self._compile_part(value, path)
        except RecursionError as error:
            raise InvalidMessageError(f"{path}: {describe_error(error)}") from error

    def _compile_part(self, value: Any, path: str) -> tuple[Any, _RenderField | None]:
        if is_reference(value):
            # A literal(...), or an argument of a mapped task group; a task's output was refused before.
            return value.resolve(self._context), None
        if isinstance(value, Mapping):
            parts = {key: self._compile_part(inner, f"{path}.{key}") for key, inner in value.items()}
            if any(render for _, render in parts.values()):
                return None, lambda: {
                    key: render() if render else fixed for key, (fixed, render) in parts.items()
                }
            return {key: fixed for key, (fixed, _) in parts.items()}, None
        if isinstance(value, (list, tuple)):
            entries = [self._compile_part(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
            if any(render for _, render in entries):
                return None, lambda: [render() if render else fixed for fixed, render in entries]
            return [fixed for fixed, _ in entries], None
        if not is_rendered_later(value):
            return value, None
        if isinstance(value, str):
            return None, self._renderer.compiled(value, path)
        return None, lambda: self._call_function(value, path)

    def _call_function(self, function: Callable[..., Any], path: str) -> Any:
        """Call a function of a DAG file for the recipient. Its result is data, and not rendered."""
        context: Any = copy.copy(self._context)
        context["recipient"] = {**self._recipient, "phone": self._number}
        context["shared"] = self._shared
        for name, value in self._extra_variables.items():
            context[name] = value
        try:
            returned = function(context=context, jinja_env=self._environment)
        except Exception as error:
            error_text = f"{type(error).__name__}: {describe_error(error)}"
            raise InvalidMessageError(f"{path}: its function failed: {error_text}") from error
        if path in (*MESSAGE_FIELDS, "message") and is_missing(returned):
            raise InvalidMessageError(f"{path}: its function returned no value; is a return missing?")
        return returned


def _kind_of(fields: Mapping[str, Any], fixed: Mapping[str, Any]) -> str:
    message = fixed.get("message", fields.get("message"))
    all_fields = {**fields, **(message if isinstance(message, Mapping) else {})}
    return next((name for name in MESSAGE_FIELDS if all_fields.get(name) is not None), "")
