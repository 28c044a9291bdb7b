"""The recipients of a broadcast: the forms they are given in, and who of them gets a message."""

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
from airflow_provider_itnio.api.values import integral, is_gap, plain_scalar, type_name
from airflow_provider_itnio.broadcast.entry_hints import dict_hint, entry_hint, rows_of_table
from airflow_provider_itnio.templating import is_list_in_text

_NO_DATA: Final[Mapping[str, Any]] = {}
_AT_ONCE: Final = 1000
"""Entries of a lazy sequence that are fetched at a time."""
_LONGEST_LITERAL: Final = 1_000_000
"""Characters of a list in Python's spelling; reading it takes a hundred times as much memory."""


class Recipient(NamedTuple):
    """One who is to get a message.

    :param position: where they stand in the list, from 0.
    :param number: the number, digits only.
    :param occurrence: which of the person's messages it is, from 0.
    :param data: what else was given of them.
    """

    position: int
    number: str
    occurrence: int
    data: Mapping[str, Any]

    @property
    def person(self) -> str:
        """What is the same in each spelling of the number that WhatsApp knows."""
        return canonical_number(self.number)

    @property
    def key(self) -> tuple[str, int]:
        """Which message it is in the record, in each spelling of the number."""
        return self.person, self.occurrence


class InvalidRecipient(NamedTuple):
    """An entry that is nobody who could get a message.

    :param position: where it stands in the list, from 0.
    :param problem: what is wrong with it, without a whole number.
    :param last_digits: the last four of the digits in its number.
    :param number: its number as it stands in the problem, shortened.
    """

    position: int
    problem: str
    last_digits: str
    number: str


def recipient_list(given: Any, field: str = "recipients") -> Sequence[Any]:
    """Take recipients in each of the forms they may be given in as a list, without judging any.

    :param given: one number; several in a text separated by commas, semicolons or lines; a list in a text, as
        JSON or as Python writes it; one dict with ``phone``; a list, tuple, set, array or column of a data
        frame of numbers and dicts; or the lazy sequence that the outputs of a mapped task are, each of them a
        recipient or a list of dicts.
    :param field: the name an error gives them.
    :return: what is to be one message each.
    :raises InvalidMessageError: if it is none of these.
    """
    try:
        entries = _entries(plain_scalar(given), field)
        hint = dict_hint(given)
        is_lazy = entries is None and not hint and _is_lazy(given)
    except InvalidMessageError:
        raise
    except Exception:  # data that fails when it is asked what it is
        entries, is_lazy, hint = None, False, ""
    if is_lazy:  # what Airflow raises when it can't give them is no fault of the data
        return _fetched(given)
    if entries is None:
        raise InvalidMessageError(
            f"{field}: must be phone numbers or dicts with phone, in a list; {type_name(given)} given{hint}"
        )
    return entries


def _is_lazy(given: Any) -> bool:
    is_sequence = hasattr(given, "__getitem__") and hasattr(given, "__len__")
    return is_sequence and not isinstance(given, (bytes, bytearray, memoryview))


def _entries(given: Any, field: str) -> Sequence[Any] | None:
    if isinstance(given, str):
        return _in_text(given, field)
    if type(given) is list:
        return given
    if isinstance(given, (list, tuple, Set, ValuesView, deque)):
        return list(given)
    if isinstance(given, Mapping) or integral(given) is not None:
        return [given]
    if (rows := rows_of_table(given)) is not None:
        raise InvalidMessageError(f"{field}: a table given; give its rows as dicts ({rows})")
    if hasattr(given, "tolist") and not isinstance(given, memoryview):
        dtype: Any = getattr(given, "dtype", None)
        if getattr(dtype, "kind", "") == "f" and dtype.itemsize < 8:
            raise InvalidMessageError(
                f"{field}: an array of {dtype} given, in which phone numbers have lost digits; "
                "read them as text or int64"
            )
        listed: list[Any] = given.tolist()
        return listed
    return None


def recipients_of(written: Any, rendered: Any, name: str) -> Sequence[Any]:
    """Return what one of the recipients in a DAG file stands for once it is rendered.

    :param written: what the DAG file says; a list is a row of a database there, with no other number in it.
    :param rendered: the same, filled in.
    :param name: the name an error gives it.
    :return: one entry, or those of a list that a variable or an upstream task held.
    :raises InvalidMessageError: if there is none.
    """
    is_one = isinstance(written, (list, tuple)) or is_gap(rendered)
    entries = [rendered] if is_one else recipient_list(rendered, name)
    if not entries:
        raise InvalidMessageError(f"{name}: must hold at least one phone number, an empty list given")
    return entries


def read_recipient(entry: Any, name: str) -> tuple[str, Mapping[str, Any]]:
    """Read one entry of a list of recipients.

    :param entry: a number, a dict with ``phone``, or a row of a database with one column.
    :param name: the name an error gives it.
    :return: the number, digits only, and the dict that it was, if it was one.
    :raises InvalidMessageError: if there is no number in it.
    """
    try:
        return _number_and_data(entry, name)
    except InvalidMessageError:
        raise
    except Exception:  # data that fails when it is asked what it is
        raise InvalidMessageError(f"{name}: can't be read, {describe_value(entry)} given") from None


def excluded_numbers(given: object) -> frozenset[str]:
    """Read the numbers that get no message.

    :param given: as for :func:`recipient_list`.
    :return: their digits.
    :raises InvalidMessageError: if one of them is no number: it would be messaged although it must not be.
    """
    if is_gap(given):
        raise InvalidMessageError(
            f"exclude: {'None' if given is None else describe_value(given)} given, so that everyone would be "
            "messaged; does the upstream function lack a return? An empty list excludes nobody"
        )
    text = plain_scalar(given)
    if type(text) is str and not split_numbers(text):
        return frozenset()
    return frozenset(
        read_recipient(entry, f"exclude[{index}]")[0]
        for index, entry in enumerate(recipient_list(given, "exclude"))
    )


class Recipients:
    """Those who get a message, in the order of the list; iterated over once.

    Equal entries count once. A person with different data gets a message for each. A person is the same in
    each spelling of the number that WhatsApp knows.

    :param entries: of :func:`recipient_list`.
    :param excluded: of :func:`excluded_numbers`.
    """

    def __init__(self, entries: Sequence[Any], excluded: frozenset[str] = frozenset()) -> None:
        self._entries = entries
        self._among_excluded = frozenset(map(canonical_number, excluded))
        self.excluded = 0
        """Entries left out because their number is excluded, so far."""
        self.duplicates = 0
        """Entries left out because an equal one stands before them, so far."""
        self._occurrences: dict[int, int] = {}

    def __len__(self) -> int:
        """Count the entries, those included that are left out."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Recipient | InvalidRecipient]:
        """Yield each who gets a message, and each who can't."""
        first_of = FirstPositions(len(self._entries))
        sent: dict[str, _DifferentData] = {}  # of those who stand in the list again
        for position, entry in enumerate(self._entries):
            try:
                number, data = read_recipient(entry, f"recipients[{position}]")
            except InvalidMessageError as error:
                yield InvalidRecipient(position, str(error), *_shown(entry))
                continue
            person = canonical_number(number)
            if person in self._among_excluded:
                self.excluded += 1
                continue
            first = first_of.position(person, position)
            if first == position:
                yield Recipient(position, number, 0, data)
                continue
            if person not in sent:
                sent[person] = _DifferentData()
                sent[person].add(_other_data(_data_of(self._entries[first])))
            if sent[person].add(_other_data(data)):
                self._occurrences[position] = len(sent[person]) - 1
                yield Recipient(position, number, self._occurrences[position], data)
            else:
                self.duplicates += 1

    def at(self, position: int) -> Recipient:
        """Return one who was yielded before.

        :param position: where they stand in the list.
        """
        number, data = read_recipient(self._entries[position], f"recipients[{position}]")
        return Recipient(position, number, self._occurrences.get(position, 0), data)


class FirstPositions:
    """Where in a list each person stands first: a hash table in a sixth of the memory of a dict."""

    def __init__(self, count: int) -> None:
        self._size = 2 * count + 1
        self._people = array("Q", bytes(8 * self._size))
        self._positions = array("I", bytes(4 * self._size))

    def position(self, person: str, position: int) -> int:
        """Return where a person, up to 14 digits without a leading 0, stands first: here if they are new."""
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
        # Not a list of numbers: what stands beside a number in a row of a database may look like one.
        raise InvalidMessageError(
            f"{name}: must be a number or a dict with phone, a row of {len(entry)} values "
            'given; make each row a dict, {"phone": row[0], …}'
        )
    if not isinstance(entry, Mapping):
        if hint := entry_hint(entry):
            raise InvalidMessageError(
                f"{name}: must be a number or a dict with phone, {type_name(entry)} given{hint}"
            )
        return normalize_phone(entry, name, if_several=_ONE_EACH), _NO_DATA
    data = _data_of(entry)
    phone = data.get("phone", _NO_DATA)
    if phone is _NO_DATA:
        keys = ", ".join(truncate(describe_key(key), 20) for key in list(data)[:5]) or "none"
        raise InvalidMessageError(f"{name}: a dict needs the key 'phone'; its keys are {keys}")
    return normalize_phone(phone, f"{name}.phone", if_several=_ONE_EACH), data


def _unwrapped(entry: Any) -> Any:
    """Take the value out of a row of a database with one column."""
    return entry[0] if isinstance(entry, (list, tuple)) and len(entry) == 1 else entry


def _data_of(entry: Any) -> Mapping[str, Any]:
    entry = _unwrapped(entry)
    return (entry if isinstance(entry, dict) else dict(entry)) if isinstance(entry, Mapping) else _NO_DATA


_ONE_EACH: Final = "give each as a separate entry"


def _other_data(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in data.items() if key != "phone"}


class _DifferentData:
    """What is known of one person in each of their entries, as far as it differs."""

    def __init__(self) -> None:
        self._by_fingerprint: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, data: Mapping[str, Any]) -> bool:
        """Add the data of an entry, and say whether it differs from all before."""
        with suppress(Exception):  # data may do as it likes
            data = _comparable(data)
        others = self._by_fingerprint[_fingerprint(data)]  # compared with all, many would take very long
        with suppress(Exception):
            if data in others:
                return False
        others.append(data)
        self._count += 1
        return True


def _comparable(value: Any) -> Any:
    """Return data that compares by what stands in it: gaps, which differ from themselves, and arrays too."""
    if isinstance(value, Mapping):
        return {key: _comparable(inner) for key, inner in value.items()}
    if hasattr(type(value), "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        inner = map(_comparable, value)
        return tuple(inner) if isinstance(value, tuple) else list(inner)
    return None if is_gap(value) else value


def _fingerprint(value: Any) -> int:
    """Return a number that is the same for equal data; of what has none, the same for all."""
    try:
        if isinstance(value, Mapping):
            return hash(frozenset((key, _fingerprint(inner)) for key, inner in value.items()))
        if isinstance(value, (list, tuple)):
            return hash(tuple(map(_fingerprint, value)))
        return hash(value)
    except Exception:
        return 0


def _shown(entry: Any) -> tuple[str, str]:
    """Return the last four digits of an entry that is no recipient, and its number as an error shows it."""
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


def _in_text(given: str, field: str) -> Sequence[Any]:
    text = given.strip()
    if not is_list_in_text(text):
        if not (entries := split_numbers(text)):
            shown = describe_value(text) if text else "an empty text"
            raise InvalidMessageError(f"{field}: must hold at least one phone number, {shown} given")
        return entries
    listed = _read_list(text)
    if not isinstance(listed, (list, tuple, set, dict)):
        raise InvalidMessageError(
            f"{field}: a text that begins with {text[0]} must be JSON, or a list as Python writes it. Give "
            f"the output of an upstream task as it is ({field}=load()), or write it as JSON (| tojson)"
        )
    return recipient_list(listed, field)


def _read_list(text: str) -> object:
    """Read a list as JSON or as Python writes it, as Jinja does with the list of a variable."""
    import ast

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    inner = re.fullmatch(r"[A-Za-z_]+\((.*)\)", text, re.DOTALL)  # such as dict_values([...])
    try:
        return ast.literal_eval(inner[1] if inner else text) if len(text) <= _LONGEST_LITERAL else None
    except Exception:
        return None


def _fetched(sequence: Any) -> Sequence[Any]:
    """Fetch the outputs of a mapped task, each of which may be a list of dicts.

    No list of numbers: it may be a row of a database.
    """
    entries: list[Any] = []
    for start in range(0, len(sequence), _AT_ONCE):
        for output in sequence[start : start + _AT_ONCE]:
            several = isinstance(output, list) and all(isinstance(entry, Mapping) for entry in output)
            entries.extend(output) if several else entries.append(output)
    return entries
