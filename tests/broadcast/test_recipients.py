from __future__ import annotations

import random

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.broadcast.recipients import (
    InvalidRecipient,
    Recipient,
    Recipients,
    excluded_numbers,
    recipient_list,
)
from tests.task_runs import numbers

LI, ANA = "8614718004557", "5511912345678"
# Python does not write or read such numbers.
HUGE, MINUS_HUGE = pytest.param(10**5000, id="huge"), pytest.param(-(10**5000), id="minus huge")
HUGE_JSON = pytest.param(f"[{'9' * 5000}]", id="huge JSON")


class Lazy:
    def __init__(self, entries):
        self.entries = entries
        self.slices = []

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, key):
        self.slices.append((key.start, key.stop))
        return self.entries[key]


# --- forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
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
    ],
)
def test_recipients_in_every_form_are_a_list(given, entries):
    assert list(recipient_list(given)) == entries


@pytest.mark.parametrize("text", ["a,b", "a;b", "a\nb", " a ,\n b;\n", "a,,b"])
def test_a_text_is_taken_apart_at_commas_semicolons_and_lines(text):
    assert [entry.strip() for entry in recipient_list(text)] == ["a", "b"]


def test_a_lazy_sequence_is_fetched_a_thousand_at_a_time():
    lazy = Lazy(numbers(2500))
    assert len(recipient_list(lazy)) == 2500
    assert lazy.slices == [(0, 1000), (1000, 2000), (2000, 3000)]


@pytest.mark.parametrize("given", [None, True, 1.5, object(), (number for number in [LI])])
def test_what_is_none_of_these_is_refused_by_its_type(given):
    with pytest.raises(InvalidMessageError) as caught:
        recipient_list(given, "exclude")
    assert str(caught.value) == (
        f"exclude: must be phone numbers or dicts with phone, in a list; {type(given).__name__} given"
    )


@pytest.mark.parametrize("text", ["[", "{'phone': 1}", "[1,]", "{{ x }}", HUGE_JSON])
def test_what_begins_like_json_and_is_none_is_refused_with_a_hint(text):
    with pytest.raises(InvalidMessageError, match=r"must be JSON.*recipients=load\(\).*\| tojson"):
        recipient_list(text)


# --- excluded ---------------------------------------------------------------------------------------------


def test_that_nothing_came_of_those_to_exclude_is_an_error():
    with pytest.raises(InvalidMessageError, match="exclude: None given, so that everyone would be messaged"):
        excluded_numbers(None)


@pytest.mark.parametrize("given", ["", "  ", [], "[]"])
def test_nobody_is_excluded(given):
    assert excluded_numbers(given) == frozenset()


def test_the_excluded_are_known_by_their_digits():
    assert excluded_numbers(["+86 147-1800-4557", {"phone": int(ANA), "since": 1}]) == {LI, ANA}


@pytest.mark.parametrize("wrong", ["12", None, {"name": "x"}, True, "nobody", HUGE])
def test_a_wrong_one_among_them_is_an_error_with_its_place(wrong):
    with pytest.raises(InvalidMessageError, match=r"^exclude\[1\]: "):
        excluded_numbers([LI, wrong])


# --- who gets a message -----------------------------------------------------------------------------------


def test_each_is_given_with_place_digits_and_data():
    people = Recipients(["+86 147-1800-4557", {"phone": ANA, "name": "Ana"}])
    assert list(people) == [Recipient(0, LI, 0, {}), Recipient(1, ANA, 0, {"phone": ANA, "name": "Ana"})]
    assert (len(people), people.excluded, people.repeated) == (2, 0, 0)


def test_one_that_is_wrong_is_given_as_such():
    people = list(Recipients([LI, "+86 12", {"name": "x"}, ANA]))
    assert [type(one) for one in people] == [Recipient, InvalidRecipient, InvalidRecipient, Recipient]
    assert people[1] == InvalidRecipient(1, "recipients[1]: 7 to 14 digits, 4 given (+8…12)", "8612")
    assert people[2] == InvalidRecipient(2, "recipients[2].phone: is required, name given", "")


@pytest.mark.parametrize(
    "wrong", [HUGE, MINUS_HUGE, float("nan"), float("inf"), b"1", {"phone": {}}, [LI, 1], []]
)
def test_whatever_stands_in_the_list_only_it_is_wrong(wrong):
    people = list(Recipients([LI, wrong, ANA]))
    assert [type(one) for one in people] == [Recipient, InvalidRecipient, Recipient]
    assert people[1].problem.startswith("recipients[1]")
    assert len(people[1].last_digits) <= 4


def test_equal_ones_count_once_however_the_number_is_written():
    people = Recipients([LI, f"+{LI}", int(LI), {"phone": LI}, f"00{LI}"])
    assert [one.position for one in people] == [0]
    assert people.repeated == 4


def test_a_number_with_other_data_is_another_message_in_order():
    people = Recipients([{"phone": LI, "n": n} for n in (1, 2, 1, 3)])
    assert [(one.position, one.occurrence) for one in people] == [(0, 0), (1, 1), (3, 2)]
    assert people.repeated == 1


def test_an_excluded_one_is_counted_as_such_and_not_as_repeated():
    people = Recipients([LI, LI, ANA], frozenset({LI}))
    assert [one.number for one in people] == [ANA]
    assert (people.excluded, people.repeated) == (2, 0)


@pytest.mark.parametrize("seed", range(20))
def test_none_is_forgotten_and_none_is_given_twice(seed):
    chance = random.Random(seed)
    pool = numbers(60)
    entries = [{"phone": chance.choice(pool), "n": chance.randrange(3)} for _ in range(chance.randrange(300))]
    people = Recipients(entries)
    given = [(one.number, one.data["n"]) for one in people]
    expected = list(dict.fromkeys((entry["phone"], entry["n"]) for entry in entries))
    assert given == expected
    assert len(given) + people.repeated == len(entries)
    keys = [(one.number, one.occurrence) for one in Recipients(entries)]
    assert len(set(keys)) == len(keys)
    assert {occurrence for _, occurrence in keys} <= {0, 1, 2}


def test_a_long_list_of_different_numbers_is_all_given():
    people = numbers(20_000)
    assert [one.number for one in Recipients(people)] == people
