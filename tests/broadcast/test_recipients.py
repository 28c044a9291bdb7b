from __future__ import annotations

import random
import re
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace

import attrs
import numpy as np
import pandas as pd
import pytest
import sqlalchemy
from pydantic import BaseModel

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.broadcast.recipients import (
    InvalidRecipient,
    Recipient,
    Recipients,
    excluded_numbers,
    recipient_list,
)
from tests.any_data import ITSELF, Hostile, HostileDict
from tests.tables import for_each
from tests.task_runs import numbers

LI, ANA = "8614718004557", "5511912345678"
# Python refuses to convert such numbers to and from text.
HUGE, MINUS_HUGE = 10**5000, -(10**5000)
HUGE_JSON = f"[{'9' * 5000}]"

DEEP = "[" * 100_000
LONG = f"['{'1' * 1_000_000}']"


@attrs.define
class Lazy:
    """A stub for Airflow's lazy XCom sequence, which is an attrs class, too."""

    entries: list
    slices: list = attrs.Factory(list)

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, key):
        self.slices.append((key.start, key.stop))
        return self.entries[key]


# --- forms ------------------------------------------------------------------------------------------------


@for_each(
    ("given", "entries"),
    [
        ([LI, ANA], [LI, ANA]),
        ((LI,), [LI]),
        ({LI}, [LI]),
        (int(LI), [int(LI)]),
        (LI, [LI]),
        ({"phone": LI}, [{"phone": LI}]),
        ('{"phone": 1}', [{"phone": 1}]),
        ('["a", {"phone": 1}]', ["a", {"phone": 1}]),
        (" [1,\n2] ", [1, 2]),
        ([[LI, ANA], ANA], [[LI, ANA], ANA]),
        ("[[1, 2], 3]", [[1, 2], 3]),
        (Lazy([LI, ANA]), [LI, ANA]),
        (Lazy([[LI], [{"phone": LI}, {"phone": ANA}]]), [[LI], {"phone": LI}, {"phone": ANA}]),
        ([], []),
        ("[]", []),
        ([None, ""], [None, ""]),
        ({LI: 1}.keys(), [LI]),
        ({1: LI}.values(), [LI]),
        (deque([LI, ANA]), [LI, ANA]),
        (Decimal(LI), [Decimal(LI)]),
        (float(LI), [float(LI)]),
        (np.int64(LI), [int(LI)]),
        (pd.Series([LI, ANA]), [LI, ANA]),
        (pd.Series([LI, ANA], index=[1.5, 2.5]), [LI, ANA]),
        (pd.Series([LI, LI]).unique(), [LI]),
        (np.array([int(LI), int(ANA)]), [int(LI), int(ANA)]),
        (pd.Index([LI]), [LI]),
        (np.array([[LI], [ANA]]), [[LI], [ANA]]),
        (f"['{LI}', '{ANA}']", [LI, ANA]),
        (f"('{LI}', '{ANA}')", [LI, ANA]),
        (f"{{'{LI}'}}", [LI]),
        (f"[{LI},]", [int(LI)]),
        (f"{{'phone': '{LI}', 'name': None}}", [{"phone": LI, "name": None}]),
        (f"dict_values(['{LI}'])", [LI]),
        (f"({LI}, {ANA})", [f"({LI}", f" {ANA})"]),
        (f"{LI}，{ANA}", [LI, ANA]),
    ],
)
def test_recipients_in_every_accepted_form_become_a_list(given, entries):
    assert list(recipient_list(given)) == entries


@for_each("text", ["a,b", "a;b", "a\nb", " a ,\n b;\n", "a,,b"])
def test_a_string_is_split_at_commas_semicolons_and_line_breaks(text):
    assert [entry.strip() for entry in recipient_list(text)] == ["a", "b"]


def test_a_lazy_sequence_is_fetched_a_thousand_at_a_time():
    lazy = Lazy(numbers(2500))
    assert len(recipient_list(lazy)) == 2500
    assert lazy.slices == [(0, 1000), (1000, 2000), (2000, 3000)]


@for_each("given", [None, True, 1.5, object(), (number for number in [LI])])
def test_recipients_of_another_type_are_refused_and_the_error_names_the_type(given):
    with pytest.raises(InvalidMessageError) as caught:
        recipient_list(given, "exclude")
    assert str(caught.value) == (
        f"exclude: must be phone numbers or dicts with phone, in a list; {type(given).__name__} given"
    )


@for_each("text", ["[", "{'phone': x}", "[1,,]", "{{ x }}", "[open('x')]", HUGE_JSON, DEEP, LONG])
def test_a_string_that_starts_like_json_but_is_invalid_is_refused_with_a_hint(text):
    with pytest.raises(InvalidMessageError, match=r"must be JSON.*recipients=load\(\).*\| tojson"):
        recipient_list(text)


# --- exclude ----------------------------------------------------------------------------------------------


def test_exclude_none_is_refused():
    with pytest.raises(InvalidMessageError, match="exclude: None given, which would message all recipients"):
        excluded_numbers(None)


@dataclass
class Person:
    phone: str = LI


class Model(BaseModel):
    phone: str = LI


@attrs.define
class Defined:
    phone: str = LI


with sqlalchemy.create_engine("sqlite://").connect() as connection:
    ROW = connection.execute(sqlalchemy.text(f"SELECT {LI}, 2")).one()
FRAME = pd.DataFrame({"phone": [LI], "name": ["Li"]})
OBJECTS = [
    (ROW, r"(Legacy)?Row given; give each row as dict\(row\._mapping\), or select with \.mappings\(\)"),
    (Person(), r"Person given; give each as a dict \(dataclasses\.asdict\)"),
    (Model(), r"Model given; give each as a dict \(\.model_dump\(\)\)"),
    (Defined(), r"Defined given; give each as a dict \(attrs\.asdict\)"),
]


@for_each(
    ("entry", "told"),
    [
        *OBJECTS,
        (FRAME.iloc[0], r"Series given; give each row as a dict \(row\.to_dict\(\)\)"),
        (FRAME, "DataFrame given; give its rows as dicts"),
        (np.array([LI, ANA]), 'ndarray given; make each row a dict, {"phone": row'),
        (Lazy([LI]), r"Lazy given; pass it by itself, not in a list; \.concat\(\) joins the outputs of sev"),
    ],
)
def test_an_object_in_a_list_is_refused_and_the_error_says_what_to_pass(entry, told):
    (found,) = Recipients([entry])
    assert re.match(rf"recipients\[0\]: must be a number or a dict with phone, {told}", found.problem)
    with pytest.raises(InvalidMessageError, match=told):
        excluded_numbers([entry])


@for_each(("given", "told"), OBJECTS)
def test_an_object_as_recipients_is_refused_and_the_error_says_what_to_pass(given, told):
    with pytest.raises(InvalidMessageError, match=f"dicts with phone, in a list; {told}"):
        recipient_list(given)


@for_each("given", ["", "  ", ",", " ;\n,", [], "[]"])
def test_an_empty_exclude_excludes_no_recipient(given):
    assert excluded_numbers(given) == frozenset()


def test_excluded_numbers_are_compared_by_their_digits():
    assert excluded_numbers(["+86 147-1800-4557", {"phone": int(ANA), "since": 1}]) == {LI, ANA}


@for_each("wrong", ["12", None, {"name": "x"}, True, "nobody", HUGE, pd.NA, [LI, ANA]])
def test_an_invalid_number_in_exclude_is_an_error_with_its_position(wrong):
    with pytest.raises(InvalidMessageError, match=r"^exclude\[1\](\.phone)?: "):
        excluded_numbers([LI, wrong])


# --- valid and invalid entries ----------------------------------------------------------------------------


def test_each_recipient_has_its_position_digits_and_data():
    people = Recipients(["+86 147-1800-4557", {"phone": ANA, "name": "Ana"}])
    assert list(people) == [Recipient(0, LI, 0, {}), Recipient(1, ANA, 0, {"phone": ANA, "name": "Ana"})]
    assert (len(people), people.excluded, people.duplicates) == (2, 0, 0)


def test_an_invalid_entry_becomes_an_invalid_recipient():
    people = list(Recipients([LI, "+86 12", {"name": "x"}, ANA]))
    assert [type(one) for one in people] == [Recipient, InvalidRecipient, InvalidRecipient, Recipient]
    assert people[1] == InvalidRecipient(1, "recipients[1]: 7 to 14 digits, 4 given (+8…12)", "8612", "+8…12")
    assert people[2] == InvalidRecipient(
        2, "recipients[2]: a dict needs the key 'phone'; its keys are name", "", ""
    )


@for_each(
    "wrong",
    [
        HUGE,
        MINUS_HUGE,
        *[float("nan"), float("inf"), b"1", {"phone": {}}, [LI, 1], [], ITSELF],
        *[
            pd.NA,
            pd.NaT,
            np.float32(LI),
            Decimal("1E+999999999"),
            "\ud800",
            Hostile(),
            HostileDict(),
        ],
        *[np.array([LI, ANA]), pd.Series([LI, ANA]), pd.DataFrame({"phone": [LI]})],
        *[
            {"phone": value}
            for value in (pd.NA, np.array([LI]), pd.Series([LI]), Hostile(), [LI], f"{LI} {ANA}")
        ],
        *[f"{LI}/{ANA}", "1234567 7654321"],
    ],
)
def test_an_invalid_entry_does_not_affect_the_others(wrong):
    people = list(Recipients([LI, wrong, ANA]))
    assert [type(one) for one in people] == [Recipient, InvalidRecipient, Recipient]
    assert people[1].problem.startswith("recipients[1]")
    assert len(people[1].last_digits) <= 4
    assert LI not in people[1].problem


def test_the_error_does_not_show_a_number_in_a_key():
    (one,) = Recipients([{LI: "Li"}])
    assert one.problem == "recipients[0]: a dict needs the key 'phone'; its keys are '86…57'"


def test_several_numbers_in_one_entry_are_refused_with_the_advice_for_a_list():
    (one,) = Recipients([f"{LI},{ANA}"])
    assert one.problem == (
        "recipients[0]: one phone number, several given (86…78); give each as a separate entry"
    )


@for_each("dtype", ["float16", "float32"])
def test_an_array_whose_float_type_loses_digits_is_refused(dtype):
    for given in (np.array([4.2e4], dtype=dtype), pd.Series([4.2e4], dtype=dtype)):
        with pytest.raises(InvalidMessageError, match=f"an array of {dtype} given.*lost digits"):
            recipient_list(given)


def test_a_table_is_refused_with_a_hint():
    with pytest.raises(InvalidMessageError, match=r'give its rows as dicts \(\.to_dict\("records"\)\)'):
        recipient_list(pd.DataFrame({"phone": [LI]}))


# --- duplicates and two spellings of a number---------------------------------------------------------------

SPELLINGS = [
    ("+52 55 1234 5678", "5215512345678"),
    ("+54 11 2345 6789", "+54 9 11 2345-6789"),
    ("+55 11 8765-4321", "+55 (11) 98765-4321"),
]


@for_each(("one", "other"), SPELLINGS + [pair[::-1] for pair in SPELLINGS])
def test_another_spelling_of_a_number_is_a_duplicate(one, other):
    people = Recipients([one, LI], excluded_numbers([other]))
    assert [found.number for found in people] == [LI]
    assert people.excluded == 1
    twice = Recipients([one, other, {"phone": other, "n": 1}, {"phone": one, "n": 1}])
    found = list(twice)
    assert [(person.position, person.occurrence) for person in found] == [(0, 0), (2, 1)]
    assert twice.duplicates == 2
    assert [found[0].number, found[1].number] == [
        "".join(filter(str.isdigit, written)) for written in (one, other)
    ]
    assert found[0].person == found[1].person


def test_equal_entries_count_once_in_every_spelling_of_the_number():
    people = Recipients([LI, f"+{LI}", int(LI), {"phone": LI}, f"00{LI}"])
    assert [one.position for one in people] == [0]
    assert people.duplicates == 4


def test_a_number_with_other_data_is_another_message_with_the_next_occurrence():
    people = Recipients([{"phone": LI, "n": n} for n in (1, 2, 1, 3)])
    assert [(one.position, one.occurrence) for one in people] == [(0, 0), (1, 1), (3, 2)]
    assert people.duplicates == 1


@for_each(
    "make",
    [lambda: float("nan"), lambda: Decimal("nan"), lambda: [float("nan")], lambda: np.array([1.0, np.nan])],
)
def test_equal_nans_and_arrays_in_data_are_duplicates(make):
    people = Recipients([{"phone": LI, "n": make(), "of": {"n": make()}} for _ in range(2)])
    assert [one.position for one in people] == [0]
    assert people.duplicates == 1
    assert len(list(Recipients([{"phone": LI, "n": make()}, {"phone": LI, "n": 1.0}]))) == 2


def test_an_excluded_number_that_is_repeated_is_not_counted_as_a_duplicate():
    people = Recipients([LI, LI, ANA], frozenset({LI}))
    assert [one.number for one in people] == [ANA]
    assert (people.excluded, people.duplicates) == (2, 0)


@for_each("seed", range(20))
def test_of_random_lists_each_different_entry_is_given_once(seed):
    chance = random.Random(seed)
    pool = numbers(60)
    entries = [{"phone": chance.choice(pool), "n": chance.randrange(3)} for _ in range(chance.randrange(300))]
    people = Recipients(entries)
    given = [(one.number, one.data["n"]) for one in people]
    expected = list(dict.fromkeys((entry["phone"], entry["n"]) for entry in entries))
    assert given == expected
    assert len(given) + people.duplicates == len(entries)
    keys = [(one.number, one.occurrence) for one in Recipients(entries)]
    assert len(set(keys)) == len(keys)
    assert {occurrence for _, occurrence in keys} <= {0, 1, 2}


def test_a_long_list_with_repeated_numbers_keeps_each_different_entry():
    people = numbers(5_000)
    entries = [{"phone": number, "n": round_} for round_ in (0, 1, 0) for number in people]
    recipients = Recipients(entries)
    found = [(one.number, one.occurrence) for one in recipients]
    assert found == [(number, occurrence) for occurrence in (0, 1) for number in people]
    assert recipients.duplicates == 5_000


def test_each_entry_is_read_once():
    class Entry(dict):
        read = 0

        def get(self, key, default=None):
            Entry.read += 1
            return super().get(key, default)

    entries = [Entry(phone=number) for number in numbers(1000)]
    assert len(list(Recipients(entries))) == 1000
    assert Entry.read == 1000


def test_a_long_list_of_different_numbers_is_given_completely():
    people = numbers(20_000)
    assert [one.number for one in Recipients(people)] == people


def test_each_entry_of_a_repeated_number_is_read_once():
    class Row(dict):
        reads = 0

        def get(self, key, default=None):
            self.reads += 1
            return super().get(key, default)

    rows = [Row(phone=LI, n=1), Row(phone=LI, n=2), Row(phone=LI, n=1), Row(phone=ANA)]
    people = Recipients(rows)
    assert [one.position for one in people] == [0, 1, 3]
    assert people.duplicates == 1
    assert [row.reads for row in rows] == [1, 1, 1, 1]


@for_each(
    ("table", "rows"),
    [
        (pd.DataFrame({"phone": [LI]}), '.to_dict("records")'),
        (SimpleNamespace(columns=["phone"], to_dicts=list, to_dict=dict), ".to_dicts()"),  # like polars
        (SimpleNamespace(columns=["phone"], to_pylist=list), ".to_pylist()"),  # like pyarrow
    ],
)
def test_the_error_of_a_table_says_how_to_convert_its_rows_to_dicts(table, rows):
    with pytest.raises(InvalidMessageError) as caught:
        recipient_list(table)
    assert str(caught.value) == f"recipients: a table given; give its rows as dicts ({rows})"
