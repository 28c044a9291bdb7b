"""Data as Jinja sees it: a gap (``None``, NaN, ``NaT``, ``NA``) is undefined and never becomes text."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from types import BuiltinMethodType, FunctionType, MethodType, NoneType
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, TemplateError, Undefined
from jinja2.filters import FILTERS
from jinja2.runtime import Context, Macro
from jinja2.utils import missing

from airflow_provider_itnio.api.values import is_gap

__all__ = ["Gap", "LookUpFailed", "RecipientData", "as_data", "data_environment", "without_gaps"]


class Gap(StrictUndefined):  # noqa: PLW1641 - it has a __hash__, which fails
    """A value that data lack.

    It is false, ``none`` and not defined, and ``or`` and ``default`` fill it. Whatever else would write it,
    compute with it or compare it is an error.
    """

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        try:
            shown = str(self._undefined_obj)[:20]
        except Exception:
            shown = "missing"
        name = self._undefined_name or ""
        example = name if re.fullmatch(r"\w+(\.\w+)*", name) else "…"
        which = f" ({name})" if name else ""
        return f"a value is {shown}{which}; give a default, as in {{{{ {example} or '-' }}}}"

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return other is None or isinstance(other, Gap) or self._fail_with_undefined_error()

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = __format__ = StrictUndefined._fail_with_undefined_error
    __repr__ = StrictUndefined._fail_with_undefined_error  # with which a list writes what it holds


class LookUpFailed(Exception):  # noqa: N818
    """Airflow did not answer a look-up.

    :param error: what it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _Dict(dict[str, Any]):
    """A dict without gaps."""


class _List(list[Any]):
    """A list without gaps."""


class _Tuple(tuple[Any, ...]):
    """A tuple without gaps."""

    __slots__ = ()


class RecipientData(dict[str, Any]):
    """What is known of a recipient: ``recipient.name`` is the data's own, also where a dict has a method.

    :param data: what was given of them.
    :param phone: their number, digits only.
    :param name: what an error calls them.
    """

    def __init__(self, data: Mapping[str, Any], *, phone: str | None = None, name: str = "recipient") -> None:
        super().__init__(
            {
                key: value if type(value) in _PLAIN else as_data(value, f"{name}.{key}", of_recipient=True)
                for key, value in data.items()
            }
        )
        if phone is not None:
            self["phone"] = phone

    def __getattribute__(self, name: str) -> Any:
        if name in self:
            return self[name]
        return super().__getattribute__(name)


_PLAIN: Final = frozenset(
    {str, int, bool, bytes, range, FunctionType, MethodType, BuiltinMethodType, Gap, Macro, type(missing)}
    | {_Dict, _List, _Tuple, RecipientData}
)


def as_data(value: Any, name: str = "", *, of_recipient: bool = False) -> Any:
    """Give a value in which each gap is a :class:`Gap`, to any depth of dicts, lists, tuples and sets.

    :param value: anything.
    :param name: what an error calls it.
    :param of_recipient: let a dict's keys win over its methods.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if value == value else Gap(obj=value, name=name)  # noqa: PLR0124
    if of_recipient and issubclass(kind, dict):
        return RecipientData(value, name=name)
    if kind is dict:
        return _Dict({key: as_data(inner, f"{name}.{key}".strip(".")) for key, inner in value.items()})
    if kind in (list, tuple, set, frozenset):
        entry = f"an entry of {name}" if name else "an entry"
        made = _Tuple if kind is tuple and not of_recipient else _List
        return made([as_data(inner, entry, of_recipient=of_recipient) for inner in value])
    if issubclass(kind, Sequence) and not issubclass(kind, (str, bytes, list, tuple)):
        return as_data(list(value), name)  # the outputs of a mapped task, fetched as they are read
    is_scalar = not any(hasattr(kind, each) for each in _NO_GAP) or (
        hasattr(kind, "ndim") and value.ndim == 0  # numpy's array without a dimension
    )
    if isinstance(value, NoneType) or (is_scalar and is_gap(value)):
        return Gap(obj=value, name=name)
    return value


_NO_GAP: Final = ("__len__", "__iter__", "__getattr__")
"""What no gap has. To compare what does may take long."""


def without_gaps(value: Any) -> Any:
    """Give what :func:`as_data` was given.

    :param value: what a template's expression gives.
    """
    if isinstance(value, Gap):
        return value._undefined_obj
    if isinstance(value, dict):
        return {key: without_gaps(inner) for key, inner in value.items()}
    if type(value) in (list, _List):
        return [without_gaps(inner) for inner in value]
    if type(value) in (tuple, _Tuple):
        return tuple(without_gaps(inner) for inner in value)
    return value


# --- the environment --------------------------------------------------------------------------------------


def data_environment(environment: Environment) -> Environment:
    """Give an environment like this one, in which every value that an expression looks up is data.

    :param environment: a DAG's. It stays as it is.
    """
    own = environment.overlay()
    own.__class__ = _data_aware(type(environment))  # type: ignore[arg-type]
    own.context_class = _DataContext
    own.finalize = _no_gap(environment.finalize)
    own.tests = {**environment.tests, "none": lambda value: value is None or isinstance(value, Gap)}
    own.filters = {
        name: each if each is FILTERS.get(name) else _gives_data(each, name)
        for name, each in environment.filters.items()
    }
    if (join := own.filters.get("join")) is FILTERS["join"]:
        own.filters["join"] = _joins_data(join)
    return own


@functools.cache
def _data_aware(base: type[Environment]) -> type[Environment]:
    class DataEnvironment(base):  # type: ignore[misc, valid-type]
        def getattr(self, obj: Any, attribute: str) -> Any:
            if type(obj) is RecipientData and attribute in obj:
                return obj[attribute]
            try:
                value = super().getattr(obj, attribute)
            except Exception as error:
                raise _look_up_error(error, obj) from error
            return value if type(value) in _PLAIN else as_data(value, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            value = super().getitem(obj, argument)
            return value if type(value) in _PLAIN else as_data(value, str(argument))

    return DataEnvironment


class _DataContext(Context):
    def resolve_or_missing(self, key: str) -> Any:
        value = super().resolve_or_missing(key)
        return value if type(value) in _PLAIN else as_data(value, key)

    def call(self, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        try:
            value = super().call(obj, *args, **kwargs)
        except Exception as error:
            raise _look_up_error(error, getattr(obj, "__self__", None)) from error
        return (
            value
            if type(value) in _PLAIN
            else as_data(value, f"what {getattr(obj, '__name__', 'a call')} gives")
        )


def _look_up_error(error: Exception, asked: object) -> Exception:
    """Tell what Airflow's own objects raise, such as its variables, from a fault of the template or data."""
    is_airflows = type(asked).__module__.startswith("airflow") and not isinstance(error, TemplateError)
    return LookUpFailed(error) if is_airflows and not isinstance(error, LookUpFailed) else error


def _no_gap(finalize: Callable[..., Any] | None) -> Callable[[Any], Any]:
    """Refuse to write a gap, which is what a NULL of a database would become."""

    def checked(value: Any) -> Any:
        if type(value) in _PLAIN and finalize is None and not isinstance(value, Gap):
            return value
        if finalize is not None:
            value = finalize(value._undefined_obj if isinstance(value, Gap) else value)
        value = as_data(value)
        return str(value) if isinstance(value, Undefined) else value

    return checked


def _gives_data(each: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(each)
    def giving_data(*args: Any, **kwargs: Any) -> Any:
        return as_data(each(*args, **kwargs), f"what {name} gives")

    return giving_data


def _joins_data(join: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(join)
    def joining_data(eval_context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return join(eval_context, [as_data(each, "an entry") for each in value], *args, **kwargs)

    return joining_data
