"""Adds the name of the task or class to errors about arguments, and ends them at the DAG file's line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

Class = TypeVar("Class", bound=type)


def with_named_errors(base: Class) -> Class:
    """Return a base class that names the object in errors about its arguments.

    The error begins with ``task 'group.tell_finance'``, or the name of the class, and its traceback ends at
    the line in the DAG file.

    :param base: Airflow's base class.
    """

    class NamedErrors(type(base)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return _call(super().__call__, cls, kwargs, *args, **kwargs)

        @property
        def __signature__(cls) -> inspect.Signature:
            # Otherwise, the signature of __call__ above would be shown.
            _, *parameters = inspect.signature(getattr(cls, "__init__")).parameters.values()  # noqa: B009
            return inspect.Signature(parameters)

    made: Any = NamedErrors(f"_{base.__name__}", (base,), {"__module__": __name__, "__doc__": base.__doc__})
    if hasattr(base, "partial"):  # an operator's, for mapped tasks

        def partial(cls: Any, /, **kwargs: Any) -> Any:
            return _with_named_expand(_call(super(made, cls).partial, cls, kwargs, **kwargs))

        made.partial = classmethod(partial)
    return cast("Class", made)


def _with_named_expand(partial: Any) -> Any:
    """Name a mapped task in the errors of its ``.expand(…)`` and ``.expand_kwargs(…)``, too."""
    airflows = type(partial)

    class NamedPartial(airflows):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def expand(self, **kwargs: Any) -> Any:
            given = {**self.kwargs, "task_group": None, **kwargs}  # the task_id contains the group already
            return _call(super().expand, self.operator_class, given, **kwargs)

        def expand_kwargs(self, *args: Any, **kwargs: Any) -> Any:
            given = {**self.kwargs, "task_group": None}
            return _call(super().expand_kwargs, self.operator_class, given, *args, **kwargs)

    partial.__class__ = NamedPartial
    return partial


def _call(make: Callable[..., Any], cls: type, given: Mapping[str, Any], /, *args: Any, **kwargs: Any) -> Any:
    """Make an object, and name it in errors. Wrong arguments of a mapped task fail it without retries."""
    try:
        return make(*args, **kwargs)
    except Exception as error:
        from airflow_provider_itnio.argument_hints import is_of_arguments, named_error

        is_final = given.get("_airflow_from_mapped") and is_of_arguments(error)
        named = named_error(error, cls, given)
        if is_final:  # a task that runs, with arguments of an upstream task
            from airflow.providers.common.compat.sdk import AirflowFailException

            raise AirflowFailException(f"{type(error).__name__}: {named}") from error
    raise named
