"""Whom a broadcast goes to: the forms recipients are given in, and who of them gets a message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.phone_numbers import normalize_phone, split_numbers

__all__ = [
    "InvalidRecipient",
    "Recipient",
    "Recipients",
    "RecipientsGiven",
    "excluded_numbers",
    "recipient_list",
]

RecipientsGiven: TypeAlias = str | int | Mapping[str, Any] | Sequence[str | int | Mapping[str, Any]]
"""What ``recipients`` takes: numbers, or dicts with ``phone``."""

_NO_DATA: Final[Mapping[str, Any]] = {}
_HINT_TO_A_BROADCAST: Final = "; for several use recipients of a broadcast, or .expand(recipient=[...])"
_AT_ONCE: Final = 1000
"""Entries of a lazy sequence that are fetched at a time."""


class Recipient(NamedTuple):
    """One who is to get a message.

    :param position: where they stand in the list, from 0.
    :param number: the number, digits only.
    :param occurrence: which of the number's messages it is, from 0.
    :param data: what else was given of them.
    """

    position: int
    number: str
    occurrence: int
    data: Mapping[str, Any]


class InvalidRecipient(NamedTuple):
    """An entry that is nobody who could get a message.

    :param position: where it stands in the list, from 0.
    :param problem: what is wrong with it, without a whole number.
    :param last_digits: the last four of the digits in its number.
    """

    position: int
    problem: str
    last_digits: str


def recipient_list(given: object, field: str = "recipients") -> Sequence[Any]:
    """Take recipients in each of the forms they may be given in as a list, without judging any.

    :param given: one number, several in a text separated by commas, semicolons or lines, the same or dicts
        with ``phone`` as JSON, one such dict, a list of numbers and dicts, or the lazy sequence that the
        outputs of a mapped task are, each of them a recipient or a list of dicts.
    :param field: the name an error gives them.
    :return: what is to be one message each.
    :raises InvalidMessageError: if it is none of these.
    """
    if isinstance(given, str):
        return _in_text(given, field)
    if isinstance(given, Mapping):
        return [given]
    if isinstance(given, (list, tuple, set, frozenset, int)) and not isinstance(given, bool):
        return split_numbers(given)
    if hasattr(given, "to_dict"):
        raise InvalidMessageError(f'{field}: a table given; give its rows as dicts (.to_dict("records"))')
    if hasattr(given, "__getitem__") and hasattr(given, "__len__") and not isinstance(given, bytes):
        return _fetched(given)
    raise InvalidMessageError(
        f"{field}: must be phone numbers or dicts with phone, in a list; {type(given).__name__} given"
    )


def excluded_numbers(given: object) -> frozenset[str]:
    """Read the numbers that get no message.

    :param given: as for :func:`recipient_list`.
    :return: their digits.
    :raises InvalidMessageError: if one of them is no number: it would be messaged although it must not be.
    """
    if given is None:
        raise InvalidMessageError(
            "exclude: None given, so that everyone would be messaged; is a return forgotten upstream? "
            "An empty list excludes nobody"
        )
    if isinstance(given, str) and not given.strip():
        return frozenset()
    entries = map(_only_value, recipient_list(given, "exclude"))
    return frozenset(
        normalize_phone(entry.get("phone") if isinstance(entry, Mapping) else entry, f"exclude[{index}]")
        for index, entry in enumerate(entries)
    )


class Recipients:
    """Those who get a message, in the order of the list; iterated over once.

    Equal entries count once. A number with different data gets a message for each.

    :param entries: of :func:`recipient_list`.
    :param excluded: of :func:`excluded_numbers`.
    """

    def __init__(self, entries: Sequence[Any], excluded: frozenset[str] = frozenset()) -> None:
        self._entries = entries
        self._among_excluded = excluded
        self.excluded = 0
        """Entries left out because their number is excluded, so far."""
        self.repeated = 0
        """Entries left out because an equal one stands before them, so far."""

    def __len__(self) -> int:
        """Count the entries, those included that are left out."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Recipient | InvalidRecipient]:
        """Give each who gets a message, and each who can't."""
        seen: dict[str, list[Mapping[str, Any]]] = {number: [] for number in self._maybe_repeated()}
        for position, entry in enumerate(self._entries):
            try:
                number, data = _number_and_data(entry, position)
            except InvalidMessageError as error:
                problem = str(error).replace(_HINT_TO_A_BROADCAST, "; give each as an entry of its own")
                yield InvalidRecipient(position, problem, _last_digits(entry))
                continue
            if number in self._among_excluded:
                self.excluded += 1
                continue
            before = seen.get(number)
            if before is None:
                yield Recipient(position, number, 0, data)
                continue
            others = {key: value for key, value in data.items() if key != "phone"}
            if _is_among(others, before):
                self.repeated += 1
            else:
                before.append(others)
                yield Recipient(position, number, len(before) - 1, data)

    def _maybe_repeated(self) -> Iterator[str]:
        """Find the numbers that stand in the list more than once, and a few that don't.

        One bit for each of 64 times as many places as there are entries, and not a set of all numbers: that
        would be as large as the list itself.
        """
        places = 64 * max(1, len(self._entries))
        bits = bytearray(places // 8)
        for position, entry in enumerate(self._entries):
            try:
                number, _ = _number_and_data(entry, position)
            except InvalidMessageError:
                continue
            byte, bit = divmod(hash(number) % places, 8)
            if bits[byte] & 1 << bit:
                yield number
            bits[byte] |= 1 << bit


def _number_and_data(entry: object, position: int) -> tuple[str, Mapping[str, Any]]:
    entry = _only_value(entry)
    if isinstance(entry, (list, tuple)):
        # Not a list of numbers: what stands beside a number in a row of a database may look like one.
        raise InvalidMessageError(
            f"recipients[{position}]: must be a number or a dict with phone, a row of {len(entry)} values "
            'given; make each row a dict, {"phone": row[0], …}'
        )
    if not isinstance(entry, Mapping):
        return normalize_phone(entry, f"recipients[{position}]"), _NO_DATA
    if "phone" not in entry:
        keys = ", ".join(str(key)[:20] for key in list(entry)[:5]) or "none"
        raise InvalidMessageError(
            f"recipients[{position}]: has no key 'phone', in which the number stands; its keys are {keys}"
        )
    return normalize_phone(entry["phone"], f"recipients[{position}].phone"), entry


def _only_value(entry: object) -> object:
    """Take a row of a database that has one column for what stands in it."""
    return entry[0] if isinstance(entry, (list, tuple)) and len(entry) == 1 else entry


def _is_among(data: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    try:
        return data in others
    except Exception:  # data may compare as it likes, arrays not at all
        return False


def _last_digits(entry: object) -> str:
    number = entry.get("phone") if isinstance(entry, Mapping) else entry
    if isinstance(number, (list, tuple)):
        return ""
    if isinstance(number, int) and not isinstance(number, bool):  # Python refuses to write the longest
        return f"{abs(number) % 10_000:04}"
    return "".join(re.findall(r"\d", str(number)[:100]))[-4:]


def _in_text(given: str, field: str) -> Sequence[Any]:
    text = given.strip()
    if not text:
        raise InvalidMessageError(f"{field}: must hold at least one phone number, an empty text given")
    if text[0] not in "[{":
        return split_numbers(text)
    try:
        return recipient_list(json.loads(text), field)
    except ValueError as error:
        if isinstance(error, InvalidMessageError):
            raise
        raise InvalidMessageError(
            f"{field}: a text that begins with {text[0]} must be JSON. Give the output of an upstream task "
            f"as it is ({field}=load()), or write it as JSON (| tojson)"
        ) from None


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
