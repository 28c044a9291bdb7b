"""Renders the fields of an operator or a notifier, each by its type: a text, an object, or recipients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from jinja2.nativetypes import NativeEnvironment

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, NotSentError
from airflow_provider_itnio.api.hints import object_hint
from airflow_provider_itnio.api.values import is_missing
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS
from airflow_provider_itnio.rendering.no_text import NoTextError
from airflow_provider_itnio.rendering.renderer import Renderer, describe_error
from airflow_provider_itnio.templating import TEMPLATE_EXT, check_functions, is_reference

if TYPE_CHECKING:
    from jinja2 import Environment

_MESSAGE_FIELDS: Final = (*MESSAGE_FIELDS, "message", "fallback")
_OBJECT_FIELDS: Final = frozenset({*_MESSAGE_FIELDS, "shared", "options"} - {"text"})
_RECIPIENT_FIELDS: Final = frozenset({"recipient", "recipients", "exclude", "business_phone"})
_SENDER_FIELDS: Final = frozenset({"business_phone", "app_id", "itnio_conn_id"})
_CHECKED_LATER: Final = ("shared.", "recipients[", "exclude")
"""Fields in which ``None`` is not an error here: it is checked later, where it is used."""


class FieldRenderer:
    """Renders fields for one context. Data is never rendered.

    :param environment: the Jinja environment, never a native one.
    :param context: the context for Jinja and for functions.
    :param jinja_env: the DAG's environment, which may be native. Functions get it, as from Airflow.
    :param render: Airflow's own rendering, for values that are neither text nor dict nor list.
    :param template_ext: endings of the names of Jinja files.
    """

    def __init__(
        self,
        environment: Environment,
        context: Any,
        *,
        jinja_env: Environment,
        render: Callable[[Any], Any],
        template_ext: Sequence[str] = TEMPLATE_EXT,
    ) -> None:
        self._renderer = Renderer(environment, copy.copy(context), template_ext)
        self._context = context
        self._native = isinstance(jinja_env, NativeEnvironment)
        self._jinja_env = jinja_env
        self._airflow_render = render

    def field(self, name: str, value: Any) -> Any:
        """Render one field.

        :raises InvalidMessageError: if it can't be rendered, or a message field is missing after rendering.
        :raises NotSentError: if a function of the DAG file fails.
        """
        try:
            rendered = self._render_value(name, value)
        except RecursionError as error:
            raise InvalidMessageError(f"{name}: {describe_error(error)}") from error
        except InvalidMessageError as error:
            if name in _OBJECT_FIELDS and isinstance(error.__cause__, NoTextError):
                raise InvalidMessageError(f"{error}{object_hint('{', name)}") from error
            raise
        if name in _MESSAGE_FIELDS and is_missing(rendered):
            raise _missing_value_error(name, rendered)
        is_empty = isinstance(rendered, str) and not rendered
        if name in _SENDER_FIELDS and is_empty and value:  # otherwise, the connection's would be used
            raise InvalidMessageError(f"{name}: is empty after rendering, {describe_value(value)} given")
        return rendered

    def _render_value(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and self._native and name in _OBJECT_FIELDS:
            return self._renderer.native(value, name)
        if name.partition("[")[0] not in _RECIPIENT_FIELDS:
            return self._render_part(value, name)
        if isinstance(value, (list, tuple)):
            return [self._render_recipient(entry, f"{name}[{index}]") for index, entry in enumerate(value)]
        return self._render_recipient(value, name)

    def _render_recipient(self, entry: Any, path: str) -> Any:
        """Render a recipient's number. Its other values are data and not rendered, also in a DAG file."""
        if isinstance(entry, str):
            return self._renderer.text_or_object(entry, path, or_number=True)
        if not isinstance(entry, dict):
            return self._render_part(entry, path)
        return {
            key: self._render_recipient(value, f"{path}.{key}") if key == "phone" else self._resolve(value)
            for key, value in entry.items()
        }

    def _resolve_reference(self, value: Any, path: str) -> Any:
        if (resolved := self._airflow_render(value)) is None and not path.startswith(_CHECKED_LATER):
            raise _missing_value_error(path, None)
        is_lazy = isinstance(resolved, Sequence) and not isinstance(resolved, (str, bytes, list, tuple))
        return [*resolved] if is_lazy and path.partition("[")[0] not in _RECIPIENT_FIELDS else resolved

    def _resolve(self, value: Any) -> Any:
        if is_reference(value):
            return self._airflow_render(value)
        if isinstance(value, dict):
            return {key: self._resolve(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolve(inner) for inner in value]
        return value

    def _render_part(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            render = self._renderer.text_or_object if self._native else self._renderer.text
            return render(value, path)
        if isinstance(value, dict):
            return {key: self._render_part(inner, f"{path}.{key}") for key, inner in value.items()}
        if isinstance(value, (list, tuple, set)):
            parts = [self._render_part(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
            if isinstance(value, list):
                return parts
            return value._make(parts) if hasattr(value, "_make") else type(value)(parts)
        if is_reference(value):
            return self._resolve_reference(value, path)
        check_functions(value, path)
        try:
            if callable(value):
                return value(context=self._context, jinja_env=self._jinja_env)
            return self._airflow_render(value)
        except Exception as error:
            problem = "its function failed" if callable(value) else "could not be rendered"
            error_text = f"{type(error).__name__}: {describe_error(error)}"
            raise NotSentError(f"{path}: {problem}: {error_text}") from error


def _missing_value_error(path: str, value: object) -> InvalidMessageError:
    return InvalidMessageError(
        f"{path}: its value is {value}; is a return missing in the upstream function? Or give a default"
    )
