"""A list that contains one number many times, each time with other data."""

from __future__ import annotations

import time

from airflow_provider_itnio.broadcast.recipients import Recipient, Recipients
from tests.tables import for_each

PERSON = "8614718004557"


def kept(*data: object) -> list[object]:
    taken = Recipients([{"phone": PERSON, "of": each} for each in data])
    return [one.data["of"] for one in taken if isinstance(one, Recipient)]


def test_equal_data_of_different_types_count_once() -> None:
    assert kept(1, 1.0, True, [1], (1,), [1.0], {"a": {1, 2}}, {"a": {2, 1}}) == [1, [1], (1,), {"a": {1, 2}}]


def test_data_that_contains_itself_does_not_end_the_list() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert len(kept(endless, 1, endless, 2)) == 3


@for_each("wrap", [int, str, lambda n: [n], lambda n: {"row": {"id": n}}])
def test_the_time_for_duplicates_is_linear_in_the_number_of_entries(wrap) -> None:
    def seconds(count: int) -> float:
        entries = [{"phone": PERSON, "of": wrap(index)} for index in range(count)]
        before = time.process_time()
        assert sum(1 for _ in Recipients(entries)) == count
        return time.process_time() - before

    # If entries were compared in pairs, 40 times as many would take 1,600 times as long.
    assert seconds(10_000) < 400 * max(seconds(250), 0.001)
