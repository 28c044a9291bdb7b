"""A cache for lookups in Airflow, which are slow: each is made once for all messages of a task."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

from airflow_provider_itnio.rendering.environment import AirflowLookupError
from airflow_provider_itnio.rendering.missing_values import as_data, unwrap_all


def cache_lookups(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a task's context, so that each lookup in Airflow is made once."""
    # copy.copy reads no keys: Airflow 2's context warns when some of its keys are read.
    copied = cast("dict[str, Any]", copy.copy(variables))
    if isinstance(accessors := variables.get("var"), Mapping):
        copied["var"] = as_data({name: _Cached(accessor) for name, accessor in accessors.items()}, "var")
    for name in ("conn", "ti", "task_instance"):
        if variables.get(name) is not None:
            copied[name] = _Cached(variables[name])
    return copied


class _Cached:
    """Caches each attribute of an object, and each result of ``get`` and ``xcom_pull``, also errors.

    :param target: the object.
    """

    def __init__(self, target: Any) -> None:
        self.__target = target
        self.__results: dict[str, tuple[Any, Exception | None]] = {}

    def __getattr__(self, name: str) -> Any:
        value = self.__cached(name, name, lambda: getattr(self.__target, name))
        if name not in ("get", "xcom_pull"):
            return value

        def cached_call(*args: Any, **kwargs: Any) -> Any:
            key = f"{name} {unwrap_all(args)!r} {sorted(unwrap_all(kwargs).items())!r}"
            first_argument = next((str(each)[:60] for each in (*args, *kwargs.values())), "")
            return self.__cached(key, f"{name}({first_argument!r})", lambda: value(*args, **kwargs))

        return cached_call

    def __str__(self) -> str:
        return str(self.__target)

    def __cached(self, key: str, name: str, read: Callable[[], Any]) -> Any:
        if key not in self.__results:
            try:
                self.__results[key] = (as_data(read(), name), None)
            except Exception as error:
                self.__results[key] = (None, error)
        value, failure = self.__results[key]
        if isinstance(failure, AttributeError):
            raise failure.with_traceback(None)  # the traceback would grow each time it is raised
        if failure is not None:
            raise AirflowLookupError(failure)
        return value
