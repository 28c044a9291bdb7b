"""Errors about the arguments of an operator, notifier or hook name it, and end at the DAG file's line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

Class = TypeVar("Class", bound=type)


def with_named_errors(base: Class) -> Class:
    """Return a base class whose subclasses tell what is wrong with their arguments.

    The error begins with ``task 'group.tell_finance'``, or the name of the class, and its traceback ends at
    the DAG file's own line.

    :param base: Airflow's base class.
    """

    class NamedErrors(type(base)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return _call(super().__call__, cls, kwargs, *args, **kwargs)

        @property
        def __signature__(cls) -> inspect.Signature:
            # Else that of __call__ above would be shown.
            _, *parameters = inspect.signature(getattr(cls, "__init__")).parameters.values()  # noqa: B009
            return inspect.Signature(parameters)

    made: Any = NamedErrors(f"_{base.__name__}", (base,), {"__module__": __name__, "__doc__": base.__doc__})
    if hasattr(base, "partial"):  # an operator's, for mapped tasks

        def partial(cls: Any, /, **kwargs: Any) -> Any:
            return _with_named_expand(_call(super(made, cls).partial, cls, kwargs, **kwargs))

        made.partial = classmethod(partial)
    return cast("Class", made)


def _with_named_expand(partial: Any) -> Any:
    """Let ``.expand(…)`` and ``.expand_kwargs(…)`` of a mapped task name it in their errors too."""
    airflows = type(partial)

    class NamedPartial(airflows):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def expand(self, **kwargs: Any) -> Any:
            given = {**self.kwargs, "task_group": None, **kwargs}  # the group stands in the task_id by now
            return _call(super().expand, self.operator_class, given, **kwargs)

        def expand_kwargs(self, *args: Any, **kwargs: Any) -> Any:
            given = {**self.kwargs, "task_group": None}
            return _call(super().expand_kwargs, self.operator_class, given, *args, **kwargs)

    partial.__class__ = NamedPartial
    return partial


def _call(make: Callable[..., Any], cls: type, given: Mapping[str, Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what makes an object, and name the object in the error if that fails."""
    try:
        return make(*args, **kwargs)
    except Exception as error:
        from airflow_provider_itnio.argument_hints import named_error

        named = named_error(error, cls, given)
    raise named
