"""A task or a notifier by itself: rendered, executed and called as Airflow does, without a database."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, get_args
from unittest.mock import patch

from airflow_provider_itnio.sandbox.testing.airflow_versions import (
    AIRFLOW_V_3_0_PLUS,
    PlainXComArg,
    execute_operator,
    set_current_context,
)
from airflow_provider_itnio.sandbox.testing.context import (
    context_of_deadline,
    context_of_event,
    context_of_task,
)
from airflow_provider_itnio.sandbox.testing.sandbox import EventKind
from airflow_provider_itnio.sandbox.testing.task_instance import TestingTaskInstance

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, MutableMapping

__all__ = ["run_task", "tell"]

STATES = {
    "failure": "failed",
    "retry": "up_for_retry",
    "success": "success",
    "skipped": "skipped",
    "dag_failure": "failed",
    "dag_success": "success",
}


def run_task(task: Any, xcoms: Mapping[str | tuple[str, str], Any], given: Mapping[str, Any]) -> Any:
    """
    Render a task and execute it.

    :param task: the operator, or what its decorated function returned in a DAG
    :param xcoms: what upstream tasks have left
    :param given: what the test says of the context
    :return: what it returns
    """
    operator = operator_of(task)
    if is_mapped(operator):
        given = {"map_index": 0, **given}
    elif given.get("map_index", -1) != -1:
        raise ValueError(f"map_index: the task is not mapped, {given['map_index']!r} given")
    with _xcoms_by_hand():
        context = context_of_task(operator, xcoms, given)
        if is_mapped(operator):
            operator = _instance_of(operator, context)
        else:
            # A copy, so that the DAG file's own task can be rendered again.
            operator = operator.prepare_for_execution()
        context["task"] = context["ti"].task = operator
        with set_current_context(context):  # type: ignore[arg-type]
            operator.render_template_fields(context)
            # A mapped operator has left the one it made there.
            return execute_operator(context["task"], context)


def tell(
    notifier: Any,
    kind: str,
    exception: BaseException | str | None,
    xcoms: Mapping[str | tuple[str, str], Any],
    given: Mapping[str, Any],
) -> None:
    """
    Call a notifier.

    :param notifier: a notifier, any other callback, several, a deadline or its callback
    :param kind: what happened
    :param exception: what a task failed with
    :param xcoms: what upstream tasks have left
    :param given: what the test says of the context
    """
    if kind not in get_args(EventKind):
        raise ValueError(f"kind: one of {', '.join(get_args(EventKind))}, {kind!r} given")
    if exception is not None and not isinstance(exception, (BaseException, str)):
        raise ValueError(f"exception: an exception or a text, {exception!r:.60} given")
    if exception is not None and kind not in ("failure", "retry"):
        raise ValueError(f"exception: Airflow gives none with {kind}")
    if xcoms and kind == "deadline":
        raise ValueError("xcoms: Airflow gives none with deadline, its context is dag_run and deadline")
    errors: list[Exception] = []
    for one in _each(notifier, kind):
        context = (
            context_of_deadline(given)
            if kind == "deadline"
            else context_of_event(kind, STATES[kind], exception, xcoms, given)
        )
        try:
            if kind == "deadline":
                _tell_of_deadline(one, context)
            else:
                one(context)
        except Exception as error:  # Airflow logs it, and calls the next
            errors.append(error)
    if errors:
        raise errors[0]


def _each(notifier: Any, kind: str) -> list[Any]:
    """Return the callbacks that a test hands over, of which there must be one."""
    several = list(notifier) if isinstance(notifier, (list, tuple)) else [notifier]
    callbacks = [one.callback if type(one).__name__ == "DeadlineAlert" else one for one in several]
    if not callbacks or None in callbacks:
        raise ValueError(f"notifier: there is no callback to call, {notifier!r} given")
    for one in callbacks:
        if isinstance(one, type):
            raise ValueError(f"notifier: a notifier, the class {one.__name__} given")
        is_of_deadline = hasattr(one, "path") and hasattr(one, "kwargs")
        if not callable(one) and not is_of_deadline:
            raise ValueError(f"notifier: a notifier or another callback, {one!r:.60} given")
        if is_of_deadline and not callable(one) and kind != "deadline":
            raise ValueError(
                f"kind: 'deadline', of which alone there is {type(one).__name__}(...), {kind!r} given"
            )
    return callbacks


def operator_of(task: Any) -> Any:
    """
    Give the operator behind what a DAG file calls a task.

    :param task: an operator, or what a decorated function returned in a DAG
    :raises TypeError: if it is neither
    """
    operator = getattr(task, "operator", task)
    if isinstance(operator, type) or not hasattr(operator, "render_template_fields"):
        given = f"the class {task.__name__}" if isinstance(task, type) else type(task).__name__
        raise TypeError(
            f"task: an operator, or what a function with a task decorator returns in a DAG; {given} given"
        )
    return operator


def is_mapped(operator: Any) -> bool:
    """
    Say whether an operator stands for several instances.

    :param operator: the operator
    """
    return hasattr(operator, "_get_specified_expand_input")


@contextmanager
def _xcoms_by_hand() -> Iterator[None]:
    """Let the output of an upstream task be what the test gives, where Airflow would ask its database."""
    asked = PlainXComArg.resolve

    def resolve(self: Any, context: Any, *arguments: Any, **options: Any) -> Any:
        ti = context["ti"]
        if not isinstance(ti, TestingTaskInstance):
            return asked(self, context, *arguments, **options)
        return ti.xcoms.pull(self.operator.task_id, self.key, self.operator)

    with patch.object(PlainXComArg, "resolve", resolve):
        yield


class _Resolved(NamedTuple):
    """
    The arguments of one instance, in the place of those of all.

    :param arguments: its arguments
    :param rendered: the ids of values that are data, and not rendered
    """

    arguments: Mapping[str, Any]
    rendered: set[int]

    def resolve(self, *context: Any, **options: Any) -> tuple[Mapping[str, Any], set[int]]:
        return self.arguments, self.rendered


def _instance_of(operator: Any, context: MutableMapping[str, Any]) -> Any:
    """Return the mapped operator with the arguments of the one instance that the context names."""
    expanded, index = operator._get_specified_expand_input().value, context["ti"].map_index
    if isinstance(expanded, Mapping):
        resolved, number = _one_of_product(expanded, index, context)
    else:
        # Of .expand_kwargs: here Airflow does render what comes from upstream.
        entries = _looked_up(expanded, context)
        if isinstance(entries, Mapping) or not _is_mappable(entries):
            raise ValueError(f"xcoms: a list of dicts for .expand_kwargs, {entries!r:.60} given")
        number = len(entries)
        _check_index(index, number)
        arguments = _looked_up(entries[index], context)
        if not isinstance(arguments, Mapping):
            raise ValueError(f"xcoms: a list of dicts for .expand_kwargs, {arguments!r:.60} given in it")
        resolved = _Resolved(arguments, set())
    if not AIRFLOW_V_3_0_PLUS:
        context["expanded_ti_count"] = number
    instance = copy.copy(operator)
    setattr(instance, instance._expand_input_attr, resolved)
    return instance


def _one_of_product(
    expanded: Mapping[str, Any], index: int, context: Mapping[str, Any]
) -> tuple[_Resolved, int]:
    values = {name: _looked_up(value, context) for name, value in expanded.items()}
    for name, value in values.items():
        if not _is_mappable(value):
            raise ValueError(f"xcoms: a list or a dict for {name}= of .expand, {value!r:.60} given")
    number = 1
    for value in values.values():
        number *= len(value)
    _check_index(index, number)
    arguments = {}
    for name, value in reversed(values.items()):  # as in Airflow, the last one changes fastest
        index, place = divmod(index, len(value))
        arguments[name] = list(value.items() if isinstance(value, Mapping) else value)[place]
    data = {id(arguments[name]) for name, value in expanded.items() if hasattr(value, "resolve")}
    return _Resolved({name: arguments[name] for name in expanded}, data), number


def _is_mappable(value: Any) -> bool:
    return isinstance(value, (Sequence, Mapping)) and not isinstance(value, (str, bytes))


def _check_index(index: int, number: int) -> None:
    if not 0 <= index < number:
        raise IndexError(f"map_index: the mapped task has {number} instances, from 0, {index} given")


def _looked_up(value: Any, context: Mapping[str, Any]) -> Any:
    return value.resolve(context) if hasattr(value, "resolve") else value


def _tell_of_deadline(callback: Any, context: MutableMapping[str, Any]) -> None:
    if hasattr(callback, "path") and hasattr(callback, "kwargs"):
        module, _, name = callback.path.rpartition(".")
        made = getattr(import_module(module), name)(**callback.kwargs, context=context)
        if hasattr(made, "__await__") and not hasattr(callback, "executor"):
            asyncio.run(_awaited(made))
        elif callable(made):
            made(context)
    elif hasattr(callback, "async_notify"):
        asyncio.run(callback.async_notify(context))
    else:
        callback(context)


async def _awaited(made: Awaitable[Any]) -> None:
    await made
