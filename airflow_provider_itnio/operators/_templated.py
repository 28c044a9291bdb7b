"""What of an operator's fields is Jinja of the DAG file, what is data, and how the Jinja is rendered."""

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

_FAULTS_OF_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What rendering raises as often as it is tried, beside Jinja's own errors."""


class TemplatedOperator(BaseOperator):
    """An operator whose fields are rendered with care for what is data.

    In a mapped task only what stands in ``.partial(…)``, in ``default_args`` and in a list that the DAG file
    gives ``.expand(…)`` or ``.expand_kwargs(…)`` is Jinja; what an upstream task gives is data.

    It leans on names of Airflow's own, the same from 2.11 to 3.3: ``_airflow_from_mapped``,
    ``_BaseOperator__from_mapped``, ``_do_render_template_fields`` and what a mapped operator is mapped over.
    """

    template_ext: Sequence[str] = TEMPLATE_EXT
    _own_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are rendered as what belongs there. All others are rendered as Airflow does."""

    _given: Mapping[str, Any] = MappingProxyType({})
    _mapped: frozenset[str] = frozenset()
    _partial: Mapping[str, Any] = MappingProxyType({})
    _mapped_values: Mapping[str, Any] = MappingProxyType({})
    _mapped_arguments: frozenset[str] = frozenset()
    _jinja: frozenset[str] = frozenset()
    _rendered: Mapping[str, Any] = MappingProxyType({})

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note what the task is given itself, before Airflow mixes ``default_args`` in."""
        operator = super().__new__(cls)
        vars(operator)["_given"] = kwargs
        if kwargs.get("_airflow_from_mapped"):
            tasks = getattr(kwargs.get("dag"), "task_dict", {})
            partial = getattr(tasks.get(kwargs.get("task_id")), "partial_kwargs", {})
            mapped = _not_in(partial, kwargs)
            if "default_args" in mapped:
                mapped |= frozenset(kwargs["default_args"] or ())
            vars(operator)["_mapped"] = mapped
            vars(operator)["_partial"] = partial
            vars(operator)["_mapped_values"] = {name: kwargs.get(name) for name in mapped}
            vars(operator)["_mapped_arguments"] = _not_in(
                partial.get("op_kwargs") or {}, kwargs.get("op_kwargs") or {}
            )
        return operator

    def __init__(self, **kwargs: Any) -> None:
        # Airflow hands on those of the DAG, the task group and the task. Airflow 2 gives a mapped function
        # what stands there as its own.
        defaults, given = kwargs.get("default_args") or {}, vars(self).pop("_given", {})
        self._defaults = {
            name: value
            for name, value in defaults.items()
            if name not in given or (is_from_mapped(self) and given[name] is value)
        }
        if is_from_mapped(self):  # in that case, also what stands there for other operators
            taken = inspect.signature(BaseOperator.__init__).parameters
            kwargs = {
                name: value for name, value in kwargs.items() if name in taken or name not in self._defaults
            }
        super().__init__(**kwargs)

    def resolve_template_files(self) -> None:
        """Leave the names of Jinja files as they are: rendering reads them, and tells of one not found."""
        self.prepare_template()

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render a value as Airflow does, but for a text with a blank in it, which is no file's name.

        :param content: the value.
        :param context: what its Jinja may use.
        :param jinja_env: the Jinja environment, the DAG's if not given.
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
        """Render the fields; Airflow calls this of a task, mapped or not."""
        if parent is not self:  # an object in a field that has template fields itself
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        names = list(template_fields)
        own = {name: getattr(self, name) for name in names if name in self._own_fields}
        unrendered = {
            name: value for name, value in own.items() if self._rendered.get(name, self) is not value
        }
        data = self._data_among(unrendered, context)
        rest = [name for name in names if name not in self._own_fields and name not in data]
        arguments = getattr(self, "op_kwargs", None) or {}
        seen = seen_oids | {id(arguments[name]) for name in self._arguments_of_data(context)}
        super()._do_render_template_fields(self, rest, context, jinja_env, seen)
        renderer = self._field_renderer(context, jinja_env)
        for name, value in unrendered.items():
            if name not in data and value is not None:
                # Past Airflow, which would look for references to tasks in all of the data.
                object.__setattr__(self, name, self._rendered_field(renderer, name, value))
        self._rendered = {**self._rendered, **{name: getattr(self, name) for name in names}}

    def _field_renderer(self, context: Context, jinja_env: Environment) -> FieldRenderer:
        from jinja2.nativetypes import NativeEnvironment

        from airflow_provider_itnio.rendering.fields import FieldRenderer

        return FieldRenderer(
            self._text_environment() if isinstance(jinja_env, NativeEnvironment) else jinja_env,
            context,
            jinja_env=jinja_env,
            airflow=lambda value: super(TemplatedOperator, self).render_template(value, context, jinja_env),
            template_ext=self.template_ext,
        )

    def _text_environment(self) -> Environment:
        """Return the DAG's environment, never a native one: a text of digits is to stay a text."""
        if (dag := self.get_dag()) is not None:
            environment: Environment = dag.get_template_env(force_sandboxed=True)
            return environment
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment

        return SandboxedEnvironment(undefined=StrictUndefined)

    def _rendered_field(self, renderer: FieldRenderer, name: str, value: Any) -> Any:
        from jinja2 import TemplateError

        try:
            return renderer.field(name, value)
        except (InvalidMessageError, NotSentError) as error:
            cause = error.__cause__
            if isinstance(cause, AirflowException):  # such as one that skips the task
                raise cause from None
            if isinstance(error, NotSentError):
                raise
            if cause is None or isinstance(cause, (TemplateError, *_FAULTS_OF_DATA)):
                raise AirflowFailException(f"InvalidMessageError: {error}") from error
            raise NotSentError(str(error)) from cause

    # --- what is data ---------------------------------------------------------------------------------------

    def _data_among(self, fields: Mapping[str, Any], context: Context) -> frozenset[str]:
        """Return the names of the fields that are data.

        :raises AirflowFailException: if data hold Jinja, and a subclass made a field that holds some, too.
        """
        data = self._fields_of_data(context)
        if any(_may_be_jinja(leaf) for name in data for _, leaf in leaves(self._mapped_values.get(name))):
            mapped = {name: value for name, value in self._mapped_values.items() if name not in data}
            written = {*jinja_texts([dict(self._partial), self._defaults, mapped])}
            for name in fields.keys() - data:
                _refuse_jinja(written, name, fields[name])
        return data

    def _context_for(self, fields: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        """Return what Jinja in fields may use: nothing of Airflow unless the DAG file says all of it."""
        return context if self._jinja.issuperset(jinja_texts(fields)) else {}

    def _fields_of_data(self, context: Context) -> frozenset[str]:
        """Return the names of the fields whose values an upstream task has given to a mapped task."""
        mapped = self._mapped_operator()
        if mapped is not None and hasattr(mapped, "op_kwargs_expand_input"):
            return frozenset()
        return self._given_by_data(getattr(mapped, "expand_input", None), self._mapped, context)

    def _arguments_of_data(self, context: Context) -> frozenset[str]:
        """Return the names of a decorated function's arguments of which the same holds."""
        expanded = getattr(self._mapped_operator(), "op_kwargs_expand_input", None)
        return self._given_by_data(expanded, self._mapped_arguments, context)

    def _mapped_operator(self) -> Any:
        if not is_from_mapped(self):
            return None
        dag = self.get_dag()
        return None if dag is None else dag.task_dict.get(self.task_id)

    def _given_by_data(self, expanded: Any, names: frozenset[str], context: Context) -> frozenset[str]:
        """Return the names, but for those that what the task was mapped over shows to be the DAG file's."""
        value = getattr(expanded, "value", None)
        if isinstance(value, Mapping):  # of .expand
            return frozenset(name for name in names if name not in value or _is_resolved(value[name]))
        index = getattr(context.get("ti"), "map_index", None)
        if isinstance(value, Sequence) and isinstance(index, int) and 0 <= index < len(value):
            value = value[index]  # of .expand_kwargs, with a list in the DAG file
        return frozenset() if isinstance(value, Mapping) else names

    # --- what is left of it ---------------------------------------------------------------------------------

    def _note_jinja(self) -> None:
        """Remember the Jinja of the DAG file, to know it again should it never be rendered."""
        fields = [getattr(self, name, None) for name in self._own_fields]
        self._jinja = frozenset(text for field in fields for text in jinja_texts(field))

    def _refuse_unrendered(self, *names: str) -> None:
        """Refuse fields that still hold what Airflow was to render."""
        for name in names:
            if name in self._rendered or name not in self._own_fields:
                continue
            for path, leaf in leaves(getattr(self, name, None), name):
                if isinstance(leaf, str):
                    is_left = any(jinja in leaf for jinja in self._jinja)
                else:
                    is_left = is_rendered_later(leaf) and not _is_literal(leaf)
                if is_left:
                    raise InvalidMessageError(
                        f"{path}: not rendered, since the operator is not run as a task of its own. Call its "
                        "render_template_fields(context) before execute(context), or send from Python with "
                        "ItnioHook().send(recipient, text=…)"
                    )


def _may_be_jinja(value: object) -> bool:
    """Return whether data hold Jinja, or may become it beside other data."""
    return isinstance(value, str) and (is_rendered_later(value) or value.rstrip().endswith("{"))


def _refuse_jinja(written: set[str], name: str, value: Any) -> None:
    for path, leaf in leaves(value, name):
        if isinstance(leaf, str) and is_rendered_later(leaf) and leaf not in written:
            raise AirflowFailException(
                f"InvalidMessageError: {path}: holds Jinja, and so does what an upstream task gave, which is "
                f"never run: {describe_value(leaf)}. Map over the operator's own parameter, as in "
                f".expand({name}=…)"
            )


def _not_in(partial: Mapping[str, Any], given: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, value in given.items() if not _is_same(partial.get(name, partial), value))


def _is_same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(one == other)
    except Exception:  # data may compare as it likes
        return False


def _is_resolved(value: Any) -> bool:
    """Return whether a value in a DAG file stands for what is known when the task runs."""
    return hasattr(type(value), "resolve")


def _is_literal(value: Any) -> bool:
    return is_reference(value) and not any(True for _ in value.iter_references())
