"""A Jinja environment that wraps each value that an expression reads with ``as_data``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, TemplateError, Undefined
from jinja2.filters import FILTERS
from jinja2.runtime import Context

from airflow_provider_itnio.api.values import is_infinite, plain_scalar, type_name
from airflow_provider_itnio.rendering.missing_values import (
    AIRFLOW,
    METHODS,
    PLAIN,
    Container,
    MissingValue,
    RecipientData,
    UndefinedName,
    UnknownRecipient,
    as_data,
    has_no_column,
    is_from,
    plain_for_output,
    refuse_missing_values,
    unwrap,
    with_data_result,
)
from airflow_provider_itnio.rendering.no_text import NoTextError, has_text


class AirflowLookupError(Exception):
    """A lookup in Airflow failed, such as that of a variable.

    :param error: what Airflow raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def data_environment(environment: Environment) -> Environment:
    """Return a copy of an environment that wraps each value that an expression reads with ``as_data``.

    :param environment: the DAG's environment. It is not changed.
    """
    copied = environment.overlay()
    copied.__class__ = _data_environment_class(type(environment))  # type: ignore[arg-type]
    copied.context_class = _DataContext
    copied.finalize = _finalize_output(environment.finalize)
    if environment.undefined is StrictUndefined:
        copied.undefined = UndefinedName
    kwargs = {**environment.policies["json.dumps_kwargs"], "default": _json_default}
    copied.policies = {**environment.policies, "json.dumps_kwargs": kwargs}
    copied.tests = {
        **environment.tests,
        "none": lambda value: value is None or isinstance(value, MissingValue),
        "sameas": lambda value, other: unwrap(value) is unwrap(other),
    }
    copied.filters = {
        name: each if each is FILTERS.get(name) and name != "attr" else with_data_result(each, name)
        for name, each in environment.filters.items()
    }
    if (join := copied.filters.get("join")) is FILTERS["join"]:
        copied.filters["join"] = _wrap_join(join)
    for name in ("string", "pprint"):
        if (write := copied.filters.get(name)) is FILTERS[name]:
            copied.filters[name] = _wrap_string_filter(write)
    return copied


@functools.cache
def _data_environment_class(base: type[Environment]) -> type[Environment]:
    class DataEnvironment(base):  # type: ignore[misc, valid-type]
        def getattr(self, obj: Any, attribute: str) -> Any:
            if type(obj) is RecipientData and attribute in obj:
                return obj[attribute]
            try:
                value = super().getattr(obj := unwrap(obj), attribute)
            except Exception as error:
                if has_no_column(obj, attribute):
                    return self.undefined(obj=obj, name=attribute)
                raise _look_up_error(error, obj) from error
            return value if type(value) in PLAIN else as_data(value, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            obj, argument = unwrap(obj), unwrap(argument)
            try:
                value = super().getitem(obj, argument)
            except Exception:
                if has_no_column(obj, argument):
                    return self.undefined(obj=obj, name=argument)
                raise
            name = argument if isinstance(argument, str) else "an entry"
            return value if type(value) in PLAIN else as_data(value, name)

    return DataEnvironment


class _DataContext(Context):
    def resolve_or_missing(self, key: str) -> Any:
        value = super().resolve_or_missing(key)
        if type(value) is UnknownRecipient:
            value.read()
        return value if type(value) in PLAIN else as_data(value, key)

    def call(self, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(obj, "__wrapped__", obj)  # Jinja's sandbox wraps str.format
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "a call")
        if not isinstance(owner, str):  # str.format must see missing values
            args = tuple(map(unwrap, args))
            kwargs = {key: unwrap(each) for key, each in kwargs.items()}
        try:
            value = super().call(obj, *args, **kwargs)
        except Exception as error:
            raise _look_up_error(error, owner) from error
        if type(value) is str and str(name).startswith("to_") and _MISSING_IN_TEXT.search(value):
            refuse_missing_values(owner, f"the result of {name}")  # such as to_string of a data frame
        return value if type(value) in PLAIN else as_data(value, f"the result of {name}")


def _look_up_error(error: Exception, owner: object) -> Exception:
    """Return ``AirflowLookupError`` for an error of an Airflow object, such as ``var``; else the error."""
    is_other = isinstance(error, (TemplateError, AirflowLookupError)) or not is_from(type(owner), *AIRFLOW)
    return error if is_other else AirflowLookupError(error)


def _finalize_output(finalize: Callable[..., Any] | None) -> Callable[[Any], Any]:
    """Refuse to write a missing value, such as NULL from a database, and a function that is not called."""

    def finalized(value: Any) -> Any:
        kind = type(value)
        if kind in PLAIN and finalize is None and kind is not MissingValue and kind not in METHODS:
            return value
        if finalize is not None:
            value = finalize(value._undefined_obj if isinstance(value, MissingValue) else value)
        value = as_data(value)
        if isinstance(value, Undefined):
            return str(value)
        if is_infinite(value) or (callable(value) and not has_text(type(value))):
            raise NoTextError(getattr(value, "__name__", ""), value)
        return value

    return finalized


_MISSING_IN_TEXT: Final = re.compile(r"\b(?:nan|NaN|NaT|None|null)\b|<NA>")


def _json_default(value: Any) -> Any:
    """Return a value that JSON can write. A missing value is an error."""
    if isinstance(value, Undefined):
        return str(value)
    if type(value) is Container and hasattr(value._wrapped, "__iter__"):
        return {key: value[key] for key in value} if isinstance(value, Mapping) else list(value)
    if type(plain := plain_scalar(value)) is not type(value):
        return plain
    raise TypeError(f"a value of type {type_name(value)} can't be written as JSON")


def _wrap_join(join: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(join)
    def wrapper(eval_context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return join(eval_context, [as_data(each, "an entry") for each in value], *args, **kwargs)

    return wrapper


def _wrap_string_filter(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def wrapper(value: Any) -> Any:
        try:
            return write(value)
        except NoTextError:  # the author asks for a dict as text with this filter, but never for a connection
            if type(value) is Container and is_from(value.__class__, *AIRFLOW):
                raise
            return write(plain_for_output(value))

    return wrapper
