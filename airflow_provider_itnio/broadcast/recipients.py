"""Read the recipients of a broadcast in all accepted forms, and skip excluded numbers and duplicates."""

from __future__ import annotations

import json
import re
from array import array
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence, Set, ValuesView
from contextlib import suppress
from typing import Any, Final, NamedTuple

from airflow_provider_itnio.api.describe import describe_key, describe_value, truncate
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.phone_numbers import canonical_number, normalize_phone, split_numbers
from airflow_provider_itnio.api.values import integral, is_missing, plain_scalar, type_name
from airflow_provider_itnio.broadcast.entry_hints import dict_hint, entry_hint, rows_of_table
from airflow_provider_itnio.templating import is_list_in_text

_NO_DATA: Final[Mapping[str, Any]] = {}
_FETCH_SIZE: Final = 1000
"""Entries of a lazy sequence that are fetched at a time."""
_MAX_LITERAL_LENGTH: Final = 1_000_000
"""Most characters of a list as a Python literal; parsing it needs a hundred times as much memory."""


class Recipient(NamedTuple):
    """A recipient of a message.

    :param position: the position in the list, from 0.
    :param number: the number, digits only.
    :param occurrence: the index of the message among the messages to this person, from 0.
    :param data: the dict that was given, if any.
    """

    position: int
    number: str
    occurrence: int
    data: Mapping[str, Any]

    @property
    def person(self) -> str:
        """The canonical number, the same for all spellings that WhatsApp knows."""
        return canonical_number(self.number)

    @property
    def key(self) -> tuple[str, int]:
        """The message's key in the record, the same for all spellings of the number."""
        return self.person, self.occurrence


class InvalidRecipient(NamedTuple):
    """An entry that is no valid recipient.

    :param position: the position in the list, from 0.
    :param problem: what is wrong with it, with the number masked.
    :param last_digits: the last four digits of its number.
    :param number: its masked number, as in ``problem``.
    """

    position: int
    problem: str
    last_digits: str
    number: str


def recipient_list(value: Any, field: str = "recipients") -> Sequence[Any]:
    """Convert recipients in any accepted form to a list, without checking its entries.

    :param value: one number; a text with several numbers, separated by commas, semicolons or line breaks; a
        list in a text, as JSON or as a Python literal; one dict with ``phone``; a list, tuple, set, array or
        column of a data frame, of numbers and dicts; or the lazy sequence of a mapped task's outputs, each of
        them a recipient or a list of dicts.
    :param field: the parameter's name, for errors.
    :return: the entries, one for each message.
    :raises InvalidMessageError: if it is none of these.
    """
    try:
        entries = _entries(plain_scalar(value), field)
        hint = dict_hint(value)
        is_lazy = entries is None and not hint and _is_lazy(value)
    except InvalidMessageError:
        raise
    except Exception:  # data may raise anything when it is inspected
        entries, is_lazy, hint = None, False, ""
    if is_lazy:  # outside of the try: an error of Airflow is not an error of the data
        return _fetch_outputs(value)
    if entries is None:
        raise InvalidMessageError(
            f"{field}: must be phone numbers or dicts with phone, in a list; {type_name(value)} given{hint}"
        )
    return entries


def _is_lazy(value: Any) -> bool:
    is_sequence = hasattr(value, "__getitem__") and hasattr(value, "__len__")
    return is_sequence and not isinstance(value, (bytes, bytearray, memoryview))


def _entries(value: Any, field: str) -> Sequence[Any] | None:
    if isinstance(value, str):
        return _parse_text(value, field)
    if type(value) is list:
        return value
    if isinstance(value, (list, tuple, Set, ValuesView, deque)):
        return list(value)
    if isinstance(value, Mapping) or integral(value) is not None:
        return [value]
    if (rows := rows_of_table(value)) is not None:
        raise InvalidMessageError(f"{field}: a table given; give its rows as dicts ({rows})")
    if hasattr(value, "tolist") and not isinstance(value, memoryview):
        dtype: Any = getattr(value, "dtype", None)
        if getattr(dtype, "kind", "") == "f" and dtype.itemsize < 8:
            raise InvalidMessageError(
                f"{field}: an array of {dtype} given, in which phone numbers have lost digits; "
                "read them as text or int64"
            )
        listed: list[Any] = value.tolist()
        return listed
    return None


def expand_recipient(raw: Any, rendered: Any, name: str) -> Sequence[Any]:
    """Return the entries of one recipient in a DAG file after rendering.

    :param raw: the value in the DAG file; a list is a database row there, which is one recipient.
    :param rendered: the rendered value.
    :param name: the value's name, for errors.
    :return: one entry, or the entries of a list from a variable or an upstream task.
    :raises InvalidMessageError: if there is none.
    """
    is_one = isinstance(raw, (list, tuple)) or is_missing(rendered)
    entries = [rendered] if is_one else recipient_list(rendered, name)
    if not entries:
        raise InvalidMessageError(f"{name}: must contain at least one phone number, an empty list given")
    return entries


def read_recipient(entry: Any, name: str) -> tuple[str, Mapping[str, Any]]:
    """Read one entry of a list of recipients.

    :param entry: a number, a dict with ``phone``, or a database row with one column.
    :param name: the entry's name, for errors.
    :return: the number, digits only, and the dict, which is empty if the entry is no dict.
    :raises InvalidMessageError: if it has no valid number.
    """
    try:
        return _number_and_data(entry, name)
    except InvalidMessageError:
        raise
    except Exception:  # data may raise anything when it is inspected
        raise InvalidMessageError(f"{name}: can't be read, {describe_value(entry)} given") from None


def excluded_numbers(value: object) -> frozenset[str]:
    """Read the numbers in ``exclude``.

    :param value: as for :func:`recipient_list`.
    :return: the numbers, digits only.
    :raises InvalidMessageError: if one of them is invalid, since its owner could get a message.
    """
    if is_missing(value):
        raise InvalidMessageError(
            f"exclude: {'None' if value is None else describe_value(value)} given, which would message all "
            "recipients; is a return missing in the upstream function? An empty list excludes no one"
        )
    text = plain_scalar(value)
    if type(text) is str and not split_numbers(text):
        return frozenset()
    return frozenset(
        read_recipient(entry, f"exclude[{index}]")[0]
        for index, entry in enumerate(recipient_list(value, "exclude"))
    )


class Recipients:
    """The recipients, in the order of the list; iterate over them only once.

    Equal entries count once. A person with several entries whose data differs gets a message for each. All
    spellings of a number that WhatsApp knows are the same person.

    :param entries: the result of :func:`recipient_list`.
    :param excluded: the result of :func:`excluded_numbers`.
    """

    def __init__(self, entries: Sequence[Any], excluded: frozenset[str] = frozenset()) -> None:
        self._entries = entries
        self._excluded_numbers = frozenset(map(canonical_number, excluded))
        self.excluded = 0
        """Entries skipped so far because their number is excluded."""
        self.duplicates = 0
        """Entries skipped so far because they equal a previous entry."""
        self._occurrences: dict[int, int] = {}

    def __len__(self) -> int:
        """Return the number of entries, including skipped ones."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Recipient | InvalidRecipient]:
        """Yield each recipient, valid or not."""
        first_positions = FirstPositions(len(self._entries))
        distinct: dict[str, _DistinctData] = {}  # of people with several entries
        for position, entry in enumerate(self._entries):
            try:
                number, data = read_recipient(entry, f"recipients[{position}]")
            except InvalidMessageError as error:
                yield InvalidRecipient(position, str(error), *_mask_number(entry))
                continue
            person = canonical_number(number)
            if person in self._excluded_numbers:
                self.excluded += 1
                continue
            first = first_positions.position(person, position)
            if first == position:
                yield Recipient(position, number, 0, data)
                continue
            if person not in distinct:
                distinct[person] = _DistinctData()
                distinct[person].add(_without_phone(_data_of(self._entries[first])))
            if distinct[person].add(_without_phone(data)):
                self._occurrences[position] = len(distinct[person]) - 1
                yield Recipient(position, number, self._occurrences[position], data)
            else:
                self.duplicates += 1

    def at(self, position: int) -> Recipient:
        """Return a recipient that was yielded before.

        :param position: the position in the list.
        """
        number, data = read_recipient(self._entries[position], f"recipients[{position}]")
        return Recipient(position, number, self._occurrences.get(position, 0), data)


class FirstPositions:
    """The first position of each person in a list: a hash table with a sixth of the memory of a dict."""

    def __init__(self, count: int) -> None:
        self._size = 2 * count + 1
        self._people = array("Q", bytes(8 * self._size))
        self._positions = array("I", bytes(4 * self._size))

    def position(self, person: str, position: int) -> int:
        """Return the first position of a person (up to 14 digits, not 0 first), ``position`` if it is new."""
        key, slot = int(person), hash(person) % self._size
        while self._people[slot] not in (0, key):
            slot = (slot + 1) % self._size
        if self._people[slot] == key:
            return self._positions[slot]
        self._people[slot], self._positions[slot] = key, position
        return position


def _number_and_data(entry: Any, name: str) -> tuple[str, Mapping[str, Any]]:
    entry = _unwrapped(entry)
    if isinstance(entry, (list, tuple)):
        # Not read as numbers: other columns of a database row may look like numbers.
        raise InvalidMessageError(
            f"{name}: must be a number or a dict with phone, a row of {len(entry)} values "
            'given; make each row a dict, {"phone": row[0], …}'
        )
    if not isinstance(entry, Mapping):
        if hint := entry_hint(entry):
            raise InvalidMessageError(
                f"{name}: must be a number or a dict with phone, {type_name(entry)} given{hint}"
            )
        return normalize_phone(entry, name, if_several=_SEVERAL_HINT), _NO_DATA
    data = _data_of(entry)
    phone = data.get("phone", _NO_DATA)
    if phone is _NO_DATA:
        keys = ", ".join(truncate(describe_key(key), 20) for key in list(data)[:5]) or "none"
        raise InvalidMessageError(f"{name}: a dict needs the key 'phone'; its keys are {keys}")
    return normalize_phone(phone, f"{name}.phone", if_several=_SEVERAL_HINT), data


def _unwrapped(entry: Any) -> Any:
    """Return the value of a database row with one column."""
    return entry[0] if isinstance(entry, (list, tuple)) and len(entry) == 1 else entry


def _data_of(entry: Any) -> Mapping[str, Any]:
    entry = _unwrapped(entry)
    return (entry if isinstance(entry, dict) else dict(entry)) if isinstance(entry, Mapping) else _NO_DATA


_SEVERAL_HINT: Final = "give each as a separate entry"


def _without_phone(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in data.items() if key != "phone"}


class _DistinctData:
    """The different data in the entries of one person."""

    def __init__(self) -> None:
        self._by_fingerprint: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, data: Mapping[str, Any]) -> bool:
        """Add the data of an entry, and return whether it differs from all previous data."""
        with suppress(Exception):  # data may raise anything
            data = _comparable(data)
        others = self._by_fingerprint[_fingerprint(data)]  # comparing with all would be quadratic
        with suppress(Exception):
            if data in others:
                return False
        others.append(data)
        self._count += 1
        return True


def _comparable(value: Any) -> Any:
    """Return data that compares by value, also arrays and missing values (NaN differs from itself)."""
    if isinstance(value, Mapping):
        return {key: _comparable(inner) for key, inner in value.items()}
    if hasattr(type(value), "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        inner = map(_comparable, value)
        return tuple(inner) if isinstance(value, tuple) else list(inner)
    return None if is_missing(value) else value


def _fingerprint(value: Any) -> int:
    """Return a hash that is equal for equal data; 0 for data that can't be hashed."""
    try:
        if isinstance(value, Mapping):
            return hash(frozenset((key, _fingerprint(inner)) for key, inner in value.items()))
        if isinstance(value, (list, tuple)):
            return hash(tuple(map(_fingerprint, value)))
        return hash(value)
    except Exception:
        return 0


def _mask_number(entry: Any) -> tuple[str, str]:
    """Return the last four digits and the masked number of an invalid entry."""
    try:
        entry = _unwrapped(entry)
        number = plain_scalar(entry.get("phone") if isinstance(entry, Mapping) else entry)
        if (whole := integral(number)) is not None:
            return f"{abs(whole) % 10_000:04}", mask_phone(str(whole)) if abs(whole) < 10**30 else ""
        if not isinstance(number, str):
            return "", ""
        return "".join(re.findall(r"\d", number[-100:]))[-4:], mask_phone(number)
    except Exception:
        return "", ""


def _parse_text(value: str, field: str) -> Sequence[Any]:
    text = value.strip()
    if not is_list_in_text(text):
        if not (entries := split_numbers(text)):
            shown = describe_value(text) if text else "an empty text"
            raise InvalidMessageError(f"{field}: must contain at least one phone number, {shown} given")
        return entries
    listed = _read_list(text)
    if not isinstance(listed, (list, tuple, set, dict)):
        raise InvalidMessageError(
            f"{field}: a text that begins with {text[0]} must be JSON or a Python list. Pass the upstream "
            f"task's output itself ({field}=load()), or render it as JSON (| tojson)"
        )
    return recipient_list(listed, field)


def _read_list(text: str) -> object:
    """Read a list as JSON or as a Python literal, which is how Jinja renders a list."""
    import ast

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    inner = re.fullmatch(r"[A-Za-z_]+\((.*)\)", text, re.DOTALL)  # such as dict_values([...])
    try:
        return ast.literal_eval(inner[1] if inner else text) if len(text) <= _MAX_LITERAL_LENGTH else None
    except Exception:
        return None


def _fetch_outputs(sequence: Any) -> Sequence[Any]:
    """Fetch the outputs of a mapped task. A list of dicts is several recipients.

    A list of numbers is not, since it may be a database row.
    """
    entries: list[Any] = []
    for start in range(0, len(sequence), _FETCH_SIZE):
        for output in sequence[start : start + _FETCH_SIZE]:
            is_several = isinstance(output, list) and all(isinstance(entry, Mapping) for entry in output)
            entries.extend(output) if is_several else entries.append(output)
    return entries
