"""Unit tests of a broadcast's delivery record."""

from __future__ import annotations

import json

import pytest

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from tests.delivery.opened import cleared
from tests.delivery.opened import opened as opened_as
from tests.tables import for_each
from tests.task_runs import numbers

NUMBER = "8614718004557"
HEAD = "whatsapp/broadcast"


def opened(store, number=1, **of_the_try):
    return opened_as(store, number, BroadcastRecord, **of_the_try)


def keep(record, *outcomes):
    """Write the outcomes of messages."""
    for outcome in outcomes:
        record.add(outcome)
    record.flush()


def accepted(occurrence=0, number=NUMBER):
    return RecordedOutcome((number, occurrence), "accepted", "a" * 32, 1693813991)


def test_outcomes_are_found_by_number_and_occurrence(store):
    kept = [
        accepted(),
        RecordedOutcome((NUMBER, 1), "refused", code=-114),
        RecordedOutcome(("5511912345678", 0), "not_sent"),
        RecordedOutcome(("5511912345679", 12), "unknown"),
        RecordedOutcome(("5511912345670", 0), "accepted", "b" * 32, 1_693_813_991, is_fallback=True),
        RecordedOutcome(("5511912345670", 3), "refused", "c" * 32, code=131047, is_fallback=True),
    ]
    keep(opened(store), *kept)
    again = opened(store, 2)
    assert [again.previous_outcome(one.key) for one in kept] == [(one, "no") for one in kept]
    assert again.previous_outcome((NUMBER, 2)) is None
    when_cleared = opened(store, **cleared(2))
    assert [when_cleared.previous_outcome(one.key) for one in kept] == [(one, "certainly") for one in kept]


def test_the_last_outcome_written_counts(store):
    record = opened(store)
    record.record_intent([((NUMBER, 0), False), ((NUMBER, 1), False)])
    keep(record, RecordedOutcome((NUMBER, 0), "not_sent"))
    keep(record, accepted())
    again = opened(store, 2)
    assert again.previous_outcome((NUMBER, 0))[0].outcome == "accepted"
    assert again.previous_outcome((NUMBER, 1))[0].outcome == "unknown"


def test_an_intent_and_pending_outcomes_are_one_write(store):
    record = opened(store)
    record.add(accepted())
    record.record_intent([((NUMBER, 1), False)])
    assert (store.tried, record.unrecorded) == (2, [])
    again = opened(store, 2)
    assert [again.previous_outcome((NUMBER, n))[0].outcome for n in (0, 1)] == ["accepted", "unknown"]


def test_an_intent_counts_over_the_outcome_written_with_it(store):
    """A message failed and its fallback is about to be sent: the fallback is unknown, not the message."""
    record = opened(store)
    record.add(RecordedOutcome((NUMBER, 0), "not_sent", is_fallback=True))
    record.record_intent([((NUMBER, 0), True)])
    unknown = RecordedOutcome((NUMBER, 0), "unknown", is_fallback=True)
    assert opened(store, 2).previous_outcome((NUMBER, 0)) == (unknown, "no")
    record.finish()
    perhaps = cleared(2, retries=1)
    for this_try in (perhaps, perhaps | {"number": 3}):  # the second try reads what the first one rewrote
        assert opened(store, **this_try).previous_outcome((NUMBER, 0))[0] == unknown


def test_after_a_clear_outcomes_from_before_and_after_it_are_distinguished(store):
    keep(opened(store), RecordedOutcome((NUMBER, 0), "refused"), RecordedOutcome((NUMBER, 1), "refused"))
    keep(opened(store, **cleared(2)), RecordedOutcome((NUMBER, 1), "refused"))
    again = opened(store, 3, max_tries=3, clear_number=1)
    assert [again.previous_outcome((NUMBER, n))[1] for n in (0, 1)] == ["certainly", "no"]


@for_each("retries", [2, 1, 0])
def test_a_task_cleared_after_success_starts_with_an_empty_record(retries, store):
    for clears in range(3):
        this_try = cleared(2 * clears + 1, clears, retries if clears else 2)
        record = opened(store, **this_try)
        assert record.previous_outcome((NUMBER, 0)) is None
        keep(record, accepted())
        a_retry = this_try | {"number": this_try["number"] + 1}
        again = opened(store, **a_retry)
        assert again.previous_outcome((NUMBER, 0))[0].outcome == "accepted"
        again.finish()
        assert opened(store, **a_retry).previous_outcome((NUMBER, 0))[0].outcome == "accepted"


def test_a_task_perhaps_cleared_after_success_keeps_only_unknown_outcomes(store):
    record = opened(store)
    keep(record, accepted(), RecordedOutcome((NUMBER, 1), "unknown"), RecordedOutcome((NUMBER, 2), "refused"))
    record.finish()
    perhaps = cleared(2, retries=1)
    for this_try in (perhaps, perhaps | {"number": 3}):
        again = opened(store, **this_try)
        assert [again.previous_outcome((NUMBER, n)) is None for n in range(3)] == [True, False, True]
        assert again.previous_outcome((NUMBER, 1))[0].outcome == "unknown"
        assert again.previous_outcome((NUMBER, 1))[1] != "certainly"


def test_a_task_certainly_cleared_after_success_forgets_unknown_outcomes_too(store):
    record = opened(store)
    keep(record, RecordedOutcome((NUMBER, 1), "unknown"))
    record.finish()
    assert opened(store, **cleared(2)).previous_outcome((NUMBER, 1)) is None


def test_each_batch_has_a_separate_key_and_the_head_stays_small(store):
    record = opened(store)
    for n in range(5):
        keep(record, *[accepted(number=number) for number in numbers(100, 100 * n)])
    assert len(store.kept) == 6
    assert len(set(store.written)) == len(store.written)
    assert len(store.kept[HEAD]) < 200


@for_each("count", [0, 1, 500, 10_000])
@for_each("waiting", [0, 1])
def test_a_batch_too_large_for_one_key_is_split(count, waiting, store):
    record = opened(store)
    keys = [(number, n % 3) for n, number in enumerate(numbers(count))]
    for _ in range(waiting):
        record.add(accepted(number="5511912345678"))
    record.record_intent([(key, False) for key in keys])
    keep(record, *[RecordedOutcome(key, "accepted", "a" * 32, 1693813991, -114) for key in keys])
    assert max(len(text.encode()) for text in store.kept.values()) < 64 * 1024
    again = opened(store, 2)
    assert all(again.previous_outcome(key)[0].outcome == "accepted" for key in keys)
    if count == 500:
        assert len(store.written) == 3


@pytest.mark.usefixtures("quick_writes")
def test_outcomes_of_a_failed_write_are_written_with_the_next_one(store):
    record = opened(store)
    store.fail(OSError("Broken pipe"), 3)
    with pytest.raises(RecordError):
        keep(record, accepted())
    assert opened(store, 2).previous_outcome((NUMBER, 0)) is None
    keep(record, accepted(1))
    again = opened(store, 2)
    assert [again.previous_outcome((NUMBER, n))[0].outcome for n in (0, 1)] == ["accepted", "accepted"]


# --- unreadable records -----------------------------------------------------------------------------------


def three_batches(store):
    record = opened(store)
    for occurrence in range(3):
        keep(record, accepted(occurrence))


BROKEN = {
    "the head is lost": (HEAD, None),
    "the head says nothing": (HEAD, {"generation": None}),
    "the head has a generation in words": (HEAD, {"generation": "0"}),
    "the head has a generation below 0": (HEAD, {"generation": -1}),
    "the head does not say whether it finished": (HEAD, {"finished": "no"}),
    "the first batch is lost": (f"{HEAD}/0/0", None),
    "a batch is lost": (f"{HEAD}/0/1", None),
    "a batch is empty": (f"{HEAD}/0/1", {"outcomes": []}),
    "a batch is an object": (f"{HEAD}/0/1", {"outcomes": {}}),
    "a row is a text": (f"{HEAD}/0/1", {"outcomes": [NUMBER]}),
    "a row is too short": (f"{HEAD}/0/1", {"outcomes": [[NUMBER, "accepted", "a", 1]]}),
    "a row is too long": (f"{HEAD}/0/1", {"outcomes": [[NUMBER, "accepted", "a", 1, None, 1]]}),
    "a row has another word": (f"{HEAD}/0/1", {"outcomes": [[NUMBER, "delivered", "a", 1, None]]}),
    "a row has no number": (f"{HEAD}/0/1", {"outcomes": [["", "accepted", "a", 1, None]]}),
    "a row has an order in words": (f"{HEAD}/0/1", {"outcomes": [[f"{NUMBER}#x", "accepted", "a", 1, None]]}),
    "an intent is no number": (f"{HEAD}/0/1", {"intended": [None]}),
    "intents are a text": (f"{HEAD}/0/1", {"intended": NUMBER}),
}


@for_each(("key", "change"), BROKEN.values())
def test_a_damaged_record_raises_and_is_left_unchanged(key, change, store):
    three_batches(store)
    before = json.loads(store.kept[key])
    store.delete(key)
    if change is not None:
        store.set(key, before | change)
    kept = dict(store.kept)
    with pytest.raises(RecordError, match="Nothing was sent: the delivery record of this task can't be read"):
        opened(store, 2)
    assert store.kept == kept
