"""Data in Jinja: a missing value (``None``, NaN, ``NaT``, ``NA``) is undefined and never becomes text."""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import BuiltinMethodType, FunctionType, MethodType, NoneType, SimpleNamespace
from typing import Any, Final, NoReturn, cast

from jinja2 import StrictUndefined, Undefined
from jinja2.runtime import Macro
from jinja2.utils import missing

from airflow_provider_itnio.api.describe import closest_key, describe_keys, describe_value
from airflow_provider_itnio.api.values import is_missing, plain_data, plain_scalar, type_name
from airflow_provider_itnio.rendering.no_text import PATH, NoTextError, has_text


class MissingValue(StrictUndefined):  # noqa: PLW1641 - it has a __hash__, which fails
    """A missing value in data.

    It is false, ``none`` and not defined, and ``or`` and ``default`` replace it. To write it, compute with it
    or compare it is an error.
    """

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        try:
            value_text = str(self._undefined_obj)[:20]
        except Exception:
            value_text = "missing"
        name = self._undefined_name or ""
        example = name if PATH.fullmatch(name) else "…"
        name_text = f" ({name})" if name else ""
        return f"a value is {value_text}{name_text}; give a default, as in {{{{ {example} | default('-') }}}}"

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return other is None or isinstance(other, MissingValue) or self._fail_with_undefined_error()

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = __format__ = StrictUndefined._fail_with_undefined_error
    __repr__ = StrictUndefined._fail_with_undefined_error  # a list uses it to write its entries


class UndefinedName(StrictUndefined):
    """An undefined name. A list that contains it can't be written, either."""

    __slots__ = ()
    __repr__ = StrictUndefined._fail_with_undefined_error

    @property
    def _undefined_message(self) -> str:
        obj, name = self._undefined_obj, self._undefined_name
        if obj is missing or (names := _names_in(obj)) is None:
            return super()._undefined_message
        owner = getattr(obj, "_Dict__dict_name", "") or type_name(obj)
        close = closest_key(str(name), names)
        suggestion = f"did you mean {describe_value(close)}? It" if close else "it"
        return f"{owner} has no {describe_value(name)}; {suggestion} has {describe_keys(names) or 'nothing'}"


def _names_in(obj: Any) -> list[Any] | None:
    """Return the names of the values in a row or another object; ``None`` if it has no such names."""
    kind = type(obj)
    if isinstance(obj, Mapping) or (hasattr(kind, "keys") and hasattr(kind, "to_numpy")):  # pandas
        return list(obj.keys())
    if hasattr(kind, "to_dicts"):  # polars' data frame
        return list(obj.columns)
    if isinstance(obj, SimpleNamespace):
        return list(vars(obj))
    fields = getattr(kind, "_fields", None) or getattr(kind, "__dataclass_fields__", None)
    return list(fields) if fields else None


def has_no_column(obj: Any, name: Any) -> bool:
    """Return whether an object is a polars data frame without such a column. Its own error is not Jinja's."""
    return isinstance(name, str) and hasattr(type(obj), "to_dicts") and name not in obj.columns


class _Dict(dict[str, Any]):
    """A dict of data, which can't become text.

    :param values: the values, as :func:`as_data` returns them.
    :param dict_name: the dict's name for errors.
    """

    def __init__(self, values: Mapping[str, Any], dict_name: str = "") -> None:
        super().__init__(values)
        self.__dict_name = dict_name

    def __repr__(self) -> str:
        raise NoTextError(self.__dict_name or "a dict", self)


class _List(list[Any]):
    """A list that writes numpy's scalars as Python's: ``5``, not ``np.int64(5)``."""

    def __repr__(self) -> str:
        return repr([plain_scalar(value) for value in self])


class _Tuple(tuple[Any, ...]):
    """A tuple that writes numpy's scalars as Python's."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(tuple(plain_scalar(value) for value in self))


class RecipientData(_Dict):
    """The data of a recipient. ``recipient.items`` in Jinja is the value of that key, not the dict's method.

    :param data: the data.
    :param phone: the phone number, digits only.
    :param name: the data's name for errors.
    """

    def __init__(self, data: Mapping[str, Any], *, phone: str | None = None, name: str = "recipient") -> None:
        super().__init__(
            {
                key: value if type(value) in PLAIN else as_data(value, f"{name}.{key}", of_recipient=True)
                for key, value in data.items()
            },
            name,
        )
        if phone is not None:
            self["phone"] = phone

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class RecipientUsedError(Exception):
    """A message that is rendered without a recipient uses the recipient's data."""


class UnknownRecipient:
    """A placeholder for the recipient that records whether a message uses the recipient's data."""

    is_read = False

    def read(self, *_: object) -> NoReturn:
        """Record the use, and end the rendering.

        :raises RecipientUsedError: always.
        """
        self.is_read = True
        raise RecipientUsedError

    __getattr__ = __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __str__ = __repr__ = read


class Container:
    """Wraps an object with values, such as a data frame: its values are data, and missing ones never text.

    :param wrapped: the object.
    :param name: the object's name for errors.
    """

    __slots__ = ("_name", "_wrapped")
    __array_ufunc__ = None  # so that numpy uses this class's arithmetic

    def __init__(self, wrapped: Any, name: str) -> None:
        self._wrapped = wrapped
        self._name = name

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._wrapped)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._wrapped, name)
        return with_data_result(value, name) if isinstance(value, METHODS) else as_data(value, name)

    def __iter__(self) -> Iterator[Any]:
        entry = f"an entry of {self._name}".removesuffix(" of ")
        return (as_data(each, entry) for each in self._wrapped)

    def __str__(self) -> str:
        return format(self, "")

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        if isinstance(self._wrapped, Mapping) or not has_text(type(self._wrapped)):
            raise NoTextError(self._name, self._wrapped)
        refuse_missing_values(self._wrapped, self._name)
        return format(self._wrapped, spec) if spec else str(self._wrapped)


def _delegate(name: str, *, is_reversed: bool = False) -> Callable[..., Any]:
    function = getattr(operator, name, None) or getattr(builtins, name)

    def delegated(self: Container, *others: Any) -> Any:
        values = [self._wrapped, *map(unwrap, others)]
        return as_data(function(*(reversed(values) if is_reversed else values)), self._name)

    return delegated


_ARITHMETIC: Final = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_OTHER: Final = "lt le gt ge eq ne contains getitem neg abs invert len bool int float round reversed hash"
for _name in (*_ARITHMETIC, *_OTHER.split()):
    setattr(Container, f"__{_name}__", _delegate(_name))
for _name in _ARITHMETIC:
    setattr(Container, f"__r{_name}__", _delegate(_name, is_reversed=True))

METHODS: Final = (FunctionType, MethodType, BuiltinMethodType)
PLAIN: Final = frozenset(
    {str, int, bool, bytes, range, *METHODS, MissingValue, UndefinedName, Macro, type(missing)}
    | {_Dict, _List, _Tuple, RecipientData, Container}
)


def as_data(value: Any, name: str = "", *, of_recipient: bool = False) -> Any:
    """Replace missing values by :class:`MissingValue`, at any depth of dicts, lists, tuples and sets.

    :param value: anything.
    :param name: the value's name for errors.
    :param of_recipient: return dicts as :class:`RecipientData`.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if value == value else MissingValue(obj=value, name=name)  # noqa: PLR0124
    if kind.__name__ == "Proxy" and hasattr(kind, "__wrapped__"):  # Airflow 3's lazy values
        return as_data(value.__wrapped__, name)
    if of_recipient and issubclass(kind, dict):
        return RecipientData(value, name=name)
    if kind is dict:
        return _Dict({key: as_data(inner, f"{name}.{key}".strip(".")) for key, inner in value.items()}, name)
    if kind in (list, tuple, set, frozenset) or hasattr(kind, "_make"):
        entry = f"an entry of {name}" if name else "an entry"
        entries = [as_data(inner, entry, of_recipient=of_recipient) for inner in value]
        make = getattr(kind, "_make", _Tuple if kind is tuple else _List)  # _make: a named tuple
        return make(entries)
    if issubclass(kind, Sequence) and not issubclass(kind, (str, bytes, list, tuple)):
        return as_data(list(value), name)  # the lazy outputs of a mapped task
    if _is_container(kind) and not _is_zero_dimensional(value):  # type: ignore[arg-type]  # a type is hashable
        return Container(value, name)
    is_scalar = _is_zero_dimensional(value) or not any(hasattr(kind, each) for each in _NOT_MISSING)
    if isinstance(value, NoneType) or (is_scalar and is_missing(value)):
        return MissingValue(obj=value, name=name)
    is_text = has_text(kind) or callable(value) or is_from(kind, "jinja2")
    return value if is_text else Container(value, name)


_NOT_MISSING: Final = ("__len__", "__iter__", "__getattr__")
"""Attributes that no missing value has. Comparing a value that has one may take long."""


@functools.lru_cache(1000)
def _is_container(kind: type) -> bool:
    if issubclass(kind, (str, bytes, bytearray, memoryview, type, Undefined)):
        return False
    # Iterable objects of Airflow, such as a task instance, are no data.
    is_data = not is_from(kind, *AIRFLOW, "jinja2") or issubclass(kind, Mapping)
    holds = any(_type_has(kind, each) for each in ("__iter__", "__len__", "__dataclass_fields__"))
    return is_data and (holds or kind is SimpleNamespace)


def _type_has(kind: type, name: str) -> bool:
    """Return whether values of a type have an attribute. An enum is iterable, its members are not."""
    return any(name in vars(base) for base in kind.__mro__)


def _is_zero_dimensional(value: Any) -> bool:
    """Return whether a value is a numpy array without a dimension, which is a scalar."""
    if not hasattr(type(value), "ndim") or value.ndim != 0:
        return False
    return getattr(getattr(value, "dtype", None), "names", None) is None  # otherwise, it is a record


def refuse_missing_values(value: Any, name: str) -> None:
    """Check that a value can be written.

    :raises UndefinedError: if it contains a missing value, at any depth.
    """
    seen: dict[int, Any] = {}  # keeps the objects, so that no id is used again
    stack = [value]
    while stack:
        each = unwrap(stack.pop())
        if isinstance(each, (str, bytes, int)) or id(each) in seen:
            continue
        if isinstance(each, MissingValue):
            each._fail_with_undefined_error()
        if is_missing(each):
            MissingValue(
                obj=each, name=f"an entry of {name}".removesuffix(" of ")
            )._fail_with_undefined_error()
        if values := list(_values_in(each)):
            seen[id(each)] = each
            stack += values


def _values_in(value: Any) -> Iterable[Any]:
    kind = type(value)
    if isinstance(value, Mapping):
        return value.values()
    if hasattr(kind, "to_numpy"):  # pandas
        value = value.to_numpy()
    if hasattr(value, "tolist"):
        listed: Any = value.tolist()
        return cast("Iterable[Any]", listed) if isinstance(listed, (list, tuple)) else ()
    if names := getattr(kind, "__dataclass_fields__", None):
        return [getattr(value, name, "") for name in names]
    if kind is SimpleNamespace:
        return list(vars(value).values())
    is_looped_over = _type_has(kind, "__iter__") and not isinstance(value, Iterator)
    return cast("Iterable[Any]", value) if is_looped_over else ()


def unwrap_all(value: Any) -> Any:
    """Undo :func:`as_data`."""
    kind = type(value)
    if kind is MissingValue:
        return value._undefined_obj
    if kind is Container:
        return value._wrapped
    if issubclass(kind, dict):
        return {key: unwrap_all(inner) for key, inner in value.items()}
    if kind in (list, _List):
        return [unwrap_all(inner) for inner in value]
    if kind in (tuple, _Tuple) or hasattr(kind, "_make"):
        return getattr(kind, "_make", tuple)([unwrap_all(inner) for inner in value])
    return value


def plain_for_output(value: Any) -> Any:
    """Return data for the filters that write them as Python does.

    :raises UndefinedError: if they contain a missing value.
    """
    refuse_missing_values(value, "")
    plain = unwrap_all(value)
    return plain_data(plain) if isinstance(plain, Mapping) else plain


def unwrap(value: Any) -> Any:
    """Return the object in a :class:`Container`, for code that is no template."""
    return value._wrapped if type(value) is Container else value


def with_data_result(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Wrap a function: it gets the objects without :class:`Container`, and its result becomes data."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        unwrapped = {key: unwrap(value) for key, value in kwargs.items()}
        return as_data(function(*map(unwrap, args), **unwrapped), f"the result of {name}")

    return wrapper


AIRFLOW: Final = ("airflow", "airflow_provider_itnio")
"""Packages whose objects are Airflow's; the sandbox has replacements for tests."""


def is_from(kind: type, *packages: str) -> bool:
    """Return whether a type is from one of these packages."""
    return kind.__module__.partition(".")[0] in packages
