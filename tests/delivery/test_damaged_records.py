"""Delivery records that were changed by others, partly lost, or not written completely."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.api.protocol import _to_datetime
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from tests.delivery.opened import cleared
from tests.delivery.opened import opened as opened_as
from tests.tables import for_each
from tests.task_runs import TaskStateStore, numbers

NUMBER = "8614718004557"
HEAD = "whatsapp/broadcast"
ROW = [NUMBER, "accepted", "a" * 32, 1693813991, None]
CANT_BE_READ = "Nothing was sent: the delivery record of this task can't be read"


def opened(store, number=1, **of_the_try):
    return opened_as(store, number, BroadcastRecord, **of_the_try)


def accepted(occurrence=0, number=NUMBER):
    return RecordedOutcome((number, occurrence), "accepted", "a" * 32, 1693813991)


def with_batches(count):
    """Return a store with this many batches of a broadcast."""
    store = TaskStateStore()
    record = opened(store)
    for occurrence in range(count):
        record.add(accepted(occurrence))
        record.flush()
    return store


def change(store, key, **changes):
    store.set(key, json.loads(store.kept[key]) | changes)


@for_each("generation", [True, 10**30, 0.0])
def test_an_invalid_generation_is_an_unreadable_record(generation):
    store = with_batches(2)
    change(store, HEAD, generation=generation)
    with pytest.raises(RecordError, match=CANT_BE_READ):
        opened(store, 2)


@for_each(
    ("cell", "value"),
    [
        (0, f"{NUMBER}#{'9' * 5000}"),
        (0, "٨٦١٤٧١٨٠٠٤٥٥٧"),
        (0, int(NUMBER)),
        (3, 10**30),
        (3, -(10**12)),
        (3, True),
    ],
)
def test_a_row_with_an_impossible_value_is_an_unreadable_record(cell, value):
    store = with_batches(3)
    row = list(ROW)
    row[cell] = value
    change(store, f"{HEAD}/0/1", outcomes=[row])
    with pytest.raises(RecordError, match=CANT_BE_READ):
        opened(store, 2)


@for_each("seconds", [-62135596800, -1, 0, 99999999999, 253402300799, 10**11 * -9])
def test_a_receipt_with_any_server_time_can_be_read_again(seconds):
    moment = _to_datetime(seconds)
    at = None if moment is None else int(moment.timestamp())
    store = TaskStateStore()
    record = opened(store)
    record.add(accepted()._replace(at=at))
    record.flush()
    assert opened(store, 2).previous_outcome((NUMBER, 0))[0].at == at


@for_each("lost", [(HEAD, "0/0"), ("0/0", "0/1"), ("0/1", "0/2"), ("0/1", "0/2", "0/3")])
def test_several_adjacent_lost_keys_are_an_unreadable_record(lost):
    store = with_batches(5)
    for key in lost:
        store.delete(key if key == HEAD else f"{HEAD}/{key}")
    with pytest.raises(RecordError, match=CANT_BE_READ):
        opened(store, 2)


@for_each("failing", [0, 1])
def test_a_failing_write_after_a_possible_clear_keeps_unknown_outcomes(failing):
    store = TaskStateStore()
    record = opened(store)
    record.add(RecordedOutcome((NUMBER, 1), "unknown"))
    record.flush()
    record.finish()
    perhaps = cleared(2, retries=1)
    store.fail(OSError("Broken pipe"), 1, after=failing)
    with pytest.raises(RecordError):
        opened(store, **perhaps)
    again = opened(store, **perhaps | {"number": 3})
    assert again.previous_outcome((NUMBER, 1))[0].outcome == "unknown"
    assert again.previous_outcome((NUMBER, 1))[1] != "certainly"


def test_a_try_with_a_failing_write_leaves_nothing_that_a_later_cleared_try_reads():
    store = TaskStateStore()
    record = opened(store)
    record.add(RecordedOutcome((NUMBER, 1), "unknown"))
    record.flush()
    record.finish()
    store.fail(OSError("Broken pipe"), 1, after=1)
    with pytest.raises(RecordError):
        opened(store, **cleared(2, retries=1))
    certainly = cleared(3, 2)
    assert opened(store, **certainly).previous_outcome((NUMBER, 1)) is None
    assert opened(store, **certainly | {"number": 4}).previous_outcome((NUMBER, 1)) is None


@pytest.mark.usefixtures("quick_writes")
def test_after_a_flush_that_fails_midway_only_unwritten_outcomes_are_unrecorded(store):
    record = opened(store)
    for number in numbers(2000):
        record.add(accepted(number=number))
    store.fail(OSError("Broken pipe"), 3, after=2)
    with pytest.raises(RecordError):
        record.flush()
    recorded = sum(len(json.loads(text).get("outcomes", [])) for text in store.kept.values())
    assert 0 < recorded < 2000
    assert len(record.unrecorded) == 2000 - recorded


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def is_read(store, kind, number):
    try:
        return opened_as(store, 2, kind).previous_outcome(number) is not None
    except RecordError:
        return None


@given(
    JSON.filter(lambda value: value is not None),
    st.sampled_from(["", "outcomes", "intended", "row", *range(5)]),
)
def test_a_batch_with_random_content_gives_its_outcomes_or_a_record_error(value, where):
    store = with_batches(1)
    key = f"{HEAD}/0/0"
    row = list(ROW)
    if isinstance(where, int):
        row[where] = value
    changes = {"": None, "outcomes": {where: value}, "intended": {where: value}}.get(
        where, {"outcomes": [row]}
    )
    if where == "row":
        changes = {"outcomes": [value]}
    if changes is None:
        store.set(key, value)
    else:
        change(store, key, **changes)
    is_read(store, BroadcastRecord, (NUMBER, 0))  # may raise RecordError only
    if changes is None or where in ("outcomes", "row"):
        assert is_read(store, BroadcastRecord, (NUMBER, 0)) is None


@given(
    JSON.filter(lambda value: value is not None), st.sampled_from(["", "outcome", "receipt", "message_id"])
)
def test_a_messages_entry_with_random_content_gives_its_outcome_or_a_record_error(value, where):
    store = TaskStateStore()
    opened_as(store).record_acceptance(Receipt("a" * 32, NUMBER, "text", None))
    (key,) = store.kept
    entry = json.loads(store.kept[key])
    if where == "message_id":
        entry["receipt"][where] = value
    elif where:
        entry[where] = value
    store.set(key, entry if where else value)
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord

    assert is_read(store, DeliveryRecord, NUMBER) is not False
