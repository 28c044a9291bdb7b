"""A cache for lookups in Airflow, which are slow: each is made once for all messages of a task."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

from airflow_provider_itnio.rendering.environment import LookUpFailed
from airflow_provider_itnio.rendering.missing_values import as_data, as_given


def read_once(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a task's context, so that each lookup in Airflow is made once."""
    # copy.copy reads no keys: Airflow 2's context warns when some of its keys are read.
    copied = cast("dict[str, Any]", copy.copy(variables))
    if isinstance(accessors := variables.get("var"), Mapping):
        copied["var"] = as_data({name: _ReadOnce(accessor) for name, accessor in accessors.items()}, "var")
    for name in ("conn", "ti", "task_instance"):
        if variables.get(name) is not None:
            copied[name] = _ReadOnce(variables[name])
    return copied


class _ReadOnce:
    """Caches each attribute of an object, and each result of ``get`` and ``xcom_pull``, also errors.

    :param of: the object.
    """

    def __init__(self, of: Any) -> None:
        self.__of = of
        self.__read: dict[str, tuple[Any, Exception | None]] = {}

    def __getattr__(self, name: str) -> Any:
        value = self.__once(name, name, lambda: getattr(self.__of, name))
        if name not in ("get", "xcom_pull"):
            return value

        def answer(*args: Any, **kwargs: Any) -> Any:
            key = f"{name} {as_given(args)!r} {sorted(as_given(kwargs).items())!r}"
            first = next((str(each)[:60] for each in (*args, *kwargs.values())), "")
            return self.__once(key, f"{name}({first!r})", lambda: value(*args, **kwargs))

        return answer

    def __str__(self) -> str:
        return str(self.__of)

    def __once(self, key: str, name: str, read: Callable[[], Any]) -> Any:
        if key not in self.__read:
            try:
                self.__read[key] = (as_data(read(), name), None)
            except Exception as error:
                self.__read[key] = (None, error)
        value, failure = self.__read[key]
        if isinstance(failure, AttributeError):
            raise failure.with_traceback(None)  # the traceback would grow each time it is raised
        if failure is not None:
            raise LookUpFailed(failure)
        return value
