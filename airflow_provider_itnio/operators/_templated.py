"""Rendering of an operator's fields: Jinja from the DAG file is rendered, data from upstream is not."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, BaseOperator

from airflow_provider_itnio._compat import is_from_mapped
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, NotSentError
from airflow_provider_itnio.templating import (
    TEMPLATE_EXT,
    check_functions,
    is_reference,
    is_rendered_later,
    is_template_file,
    jinja_texts,
    leaves,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment

    from airflow_provider_itnio.rendering.fields import FieldRenderer

_DATA_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What rendering raises on every attempt, beside Jinja's own errors."""


class TemplatedOperator(BaseOperator):
    """An operator that renders Jinja from the DAG file, and never Jinja in data.

    In a mapped task, Jinja is rendered in ``.partial(…)``, in ``default_args`` and in lists that the DAG
    file gives to ``.expand(…)`` or ``.expand_kwargs(…)``. The output of an upstream task is data.

    It uses private names of Airflow that are the same from 2.11 to 3.3: ``_airflow_from_mapped``,
    ``_BaseOperator__from_mapped``, ``_do_render_template_fields``, ``op_kwargs_expand_input``.
    """

    template_ext: Sequence[str] = TEMPLATE_EXT
    _own_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that this package renders, by the type that belongs there. Airflow renders all others."""

    _explicit_arguments: Mapping[str, Any] = MappingProxyType({})
    _mapped_names: frozenset[str] = frozenset()
    _partial_arguments: Mapping[str, Any] = MappingProxyType({})
    _mapped_values: Mapping[str, Any] = MappingProxyType({})
    _mapped_arguments: frozenset[str] = frozenset()
    _dag_file_jinja: frozenset[str] = frozenset()
    _rendered: Mapping[str, Any] = MappingProxyType({})

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Store the task's own arguments, before Airflow merges ``default_args`` into them."""
        operator = super().__new__(cls)
        vars(operator)["_explicit_arguments"] = kwargs
        if kwargs.get("_airflow_from_mapped"):
            tasks = getattr(kwargs.get("dag"), "task_dict", {})
            partial = getattr(tasks.get(kwargs.get("task_id")), "partial_kwargs", {})
            mapped = _changed_names(partial, kwargs)
            if "default_args" in mapped:
                mapped |= frozenset(kwargs["default_args"] or ())
            vars(operator)["_mapped_names"] = mapped
            vars(operator)["_partial_arguments"] = partial
            vars(operator)["_mapped_values"] = {name: kwargs.get(name) for name in mapped}
            vars(operator)["_mapped_arguments"] = _changed_names(
                partial.get("op_kwargs") or {}, kwargs.get("op_kwargs") or {}
            )
        return operator

    def __init__(self, **kwargs: Any) -> None:
        # Airflow passes the default_args of the DAG, the task group and the task. To a mapped function,
        # Airflow 2 passes their values as its own arguments, too.
        defaults, explicit = kwargs.get("default_args") or {}, vars(self).pop("_explicit_arguments", {})
        self._defaults = {
            name: value
            for name, value in defaults.items()
            if name not in explicit or (is_from_mapped(self) and explicit[name] is value)
        }
        if is_from_mapped(self):  # Airflow passes it the default_args of other operators, too
            allowed = inspect.signature(BaseOperator.__init__).parameters
            kwargs = {
                name: value for name, value in kwargs.items() if name in allowed or name not in self._defaults
            }
        super().__init__(**kwargs)

    def resolve_template_files(self) -> None:
        """Keep the names of Jinja files: rendering reads the files, and fails if one is not found."""
        self.prepare_template()

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render a value as Airflow does, except that a text with a space in it is never a file's name.

        :param content: the value.
        :param context: the context for Jinja.
        :param jinja_env: the Jinja environment; the DAG's by default.
        :param seen_oids: the ids of values that are not rendered.
        """
        if (
            isinstance(content, str)
            and content.endswith(tuple(self.template_ext))
            and not is_template_file(content, self.template_ext)
            and id(content) not in (seen_oids or ())
        ):
            return self._render((jinja_env or self.get_template_env()).from_string(content), context)
        return super().render_template(content, context, jinja_env, seen_oids)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields. Airflow calls this for mapped and unmapped tasks."""
        if parent is not self:  # an object in a field that has template fields itself
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        self._before_rendering(context)
        field_names = list(template_fields)
        own_values = {name: getattr(self, name) for name in field_names if name in self._own_fields}
        unrendered = {
            name: value for name, value in own_values.items() if self._rendered.get(name, self) is not value
        }
        data = self._check_data_fields(unrendered, context)
        other_names = [name for name in field_names if name not in self._own_fields and name not in data]
        arguments = getattr(self, "op_kwargs", None) or {}
        seen = seen_oids | {id(arguments[name]) for name in self._data_argument_names(context)}
        super()._do_render_template_fields(self, other_names, context, jinja_env, seen)
        renderer = self._field_renderer(context, jinja_env)
        for name, value in unrendered.items():
            if name not in data and value is not None:
                # Not by setattr, with which Airflow would search all of the data for references to tasks.
                object.__setattr__(self, name, self._render_field(renderer, name, value))
        self._rendered = {**self._rendered, **{name: getattr(self, name) for name in field_names}}

    def _before_rendering(self, context: Context) -> None:
        """Act before the first field. No code here runs earlier when Airflow 2 resumes a deferred task."""

    def _field_renderer(self, context: Context, jinja_env: Environment) -> FieldRenderer:
        from jinja2.nativetypes import NativeEnvironment

        from airflow_provider_itnio.rendering.fields import FieldRenderer

        return FieldRenderer(
            self._text_environment() if isinstance(jinja_env, NativeEnvironment) else jinja_env,
            context,
            jinja_env=jinja_env,
            render=lambda value: super(TemplatedOperator, self).render_template(value, context, jinja_env),
            template_ext=self.template_ext,
        )

    def _text_environment(self) -> Environment:
        """Return the DAG's environment, never a native one: a text of digits must stay a text."""
        if (dag := self.get_dag()) is not None:
            environment: Environment = dag.get_template_env(force_sandboxed=True)
            return environment
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment

        return SandboxedEnvironment(undefined=StrictUndefined)

    def _render_field(self, renderer: FieldRenderer, name: str, value: Any) -> Any:
        from jinja2 import TemplateError

        try:
            return renderer.field(name, value)
        except (InvalidMessageError, NotSentError) as error:
            cause = error.__cause__
            if isinstance(cause, AirflowException):  # such as one that skips the task
                raise cause from None
            if isinstance(error, NotSentError):
                raise
            if cause is None or isinstance(cause, (TemplateError, *_DATA_ERRORS)):
                raise AirflowFailException(f"InvalidMessageError: {error}") from error
            raise NotSentError(str(error)) from cause

    # --- fields that are data -------------------------------------------------------------------------------

    def _check_data_fields(self, fields: Mapping[str, Any], context: Context) -> frozenset[str]:
        """Return the names of the fields that are data.

        :raises AirflowFailException: if data contain Jinja, and a subclass built another field with Jinja.
        """
        data = self._data_field_names(context)
        if any(_may_be_jinja(leaf) for name in data for _, leaf in leaves(self._mapped_values.get(name))):
            mapped = {name: value for name, value in self._mapped_values.items() if name not in data}
            dag_file_texts = {*jinja_texts([dict(self._partial_arguments), self._defaults, mapped])}
            for name in fields.keys() - data:
                _refuse_jinja(dag_file_texts, name, fields[name])
        return data

    def _context_for(self, fields: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        """Return the context for Jinja in fields: empty unless all of the Jinja is in the DAG file."""
        return context if self._dag_file_jinja.issuperset(jinja_texts(fields)) else {}

    def _data_field_names(self, context: Context) -> frozenset[str]:
        """Return the names of a mapped task's fields whose values are output of an upstream task."""
        mapped = self._mapped_operator()
        if mapped is not None and hasattr(mapped, "op_kwargs_expand_input"):
            return frozenset()
        return self._names_from_upstream(getattr(mapped, "expand_input", None), self._mapped_names, context)

    def _data_argument_names(self, context: Context) -> frozenset[str]:
        """Return the names of a mapped function's arguments whose values are output of an upstream task."""
        expanded = getattr(self._mapped_operator(), "op_kwargs_expand_input", None)
        return self._names_from_upstream(expanded, self._mapped_arguments, context)

    def _mapped_operator(self) -> Any:
        if not is_from_mapped(self):
            return None
        dag = self.get_dag()
        return None if dag is None else dag.task_dict.get(self.task_id)

    def _names_from_upstream(self, expanded: Any, names: frozenset[str], context: Context) -> frozenset[str]:
        """Return the names except those whose values the DAG file gives ``.expand`` or ``.expand_kwargs``."""
        value = getattr(expanded, "value", None)
        if isinstance(value, Mapping):  # of .expand
            return frozenset(name for name in names if name not in value or _is_resolvable(value[name]))
        index = getattr(context.get("ti"), "map_index", None)
        if isinstance(value, Sequence) and isinstance(index, int) and 0 <= index < len(value):
            value = value[index]  # of .expand_kwargs, with a list in the DAG file
        return frozenset() if isinstance(value, Mapping) else names

    # --- Jinja that was not rendered ------------------------------------------------------------------------

    def _record_jinja(self) -> None:
        """Remember the Jinja of the DAG file, to find it in fields that were never rendered."""
        fields = {name: getattr(self, name, None) for name in self._own_fields}
        self._dag_file_jinja = frozenset(text for field in fields.values() for text in jinja_texts(field))
        if not is_from_mapped(self):
            for name, field in fields.items():
                check_functions(field, name)

    def _refuse_unrendered(self, *names: str) -> None:
        """Raise ``InvalidMessageError`` if fields still contain Jinja or references of the DAG file."""
        for name in names:
            if name in self._rendered or name not in self._own_fields:
                continue
            for path, leaf in leaves(getattr(self, name, None), name):
                if isinstance(leaf, str):
                    is_unrendered = any(jinja in leaf for jinja in self._dag_file_jinja)
                else:
                    is_unrendered = is_rendered_later(leaf) and not _is_literal(leaf)
                if is_unrendered:
                    raise InvalidMessageError(
                        f"{path}: not rendered, because execute() was called directly and not by Airflow. "
                        "Call render_template_fields(context) before it, or send from Python with "
                        "ItnioHook().send(recipient, text=…)"
                    )


def _may_be_jinja(value: object) -> bool:
    """Return whether data contain Jinja, or could form Jinja together with a following text."""
    return isinstance(value, str) and (is_rendered_later(value) or value.rstrip().endswith("{"))


def _refuse_jinja(dag_file_texts: set[str], name: str, value: Any) -> None:
    for path, leaf in leaves(value, name):
        if isinstance(leaf, str) and is_rendered_later(leaf) and leaf not in dag_file_texts:
            raise AirflowFailException(
                f"InvalidMessageError: {path}: contains Jinja, and the output of an upstream task, which is "
                f"never rendered, does too: {describe_value(leaf)}. Map over the operator's own parameter, "
                f"as in .expand({name}=…)"
            )


def _changed_names(partial: Mapping[str, Any], arguments: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        name for name, value in arguments.items() if not _is_equal(partial.get(name, partial), value)
    )


def _is_equal(left: Any, right: Any) -> bool:
    try:
        return left is right or bool(left == right)
    except Exception:  # data of any type, whose comparison may raise
        return False


def _is_resolvable(value: Any) -> bool:
    """Return whether a value in a DAG file is a reference that Airflow resolves when the task runs."""
    return hasattr(type(value), "resolve")


def _is_literal(value: Any) -> bool:
    return is_reference(value) and not any(True for _ in value.iter_references())
