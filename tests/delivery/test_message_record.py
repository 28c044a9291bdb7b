"""The record itself: what it says of a message, and how it stands in Airflow's task state store."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from airflow_provider_itnio.api.errors import (
    ContentError,
    ItnioError,
    NotSentError,
    PlatformError,
    RecordError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from airflow_provider_itnio.delivery.message_record import DeliveryRecord
from airflow_provider_itnio.delivery.policy import PreviousOutcome, is_sent_again, outcome_of
from tests.task_runs import TaskStateStore, numbers

NUMBER = "8614718004557"
RECEIPT = Receipt("10415ecbd0c848ebb7d5a3fe53269df6", NUMBER, "text", None)
REFUSED = ContentError("status -114, text is empty", code=-114)
KINDS = [DeliveryRecord, BroadcastRecord]


def context(store, max_tries=2, task_id="tell"):
    return {"task_state_store": store, "ti": SimpleNamespace(task_id=task_id, max_tries=max_tries)}


def opened(store, max_tries=2, kind=DeliveryRecord):
    """Open the record as a new try of the task does."""
    return kind.from_context(context(store, max_tries), "tell")


def keep(record, *outcomes):
    """Write what became of messages of a broadcast."""
    for outcome in outcomes:
        record.add(outcome)
    record.flush()


@pytest.fixture
def store():
    return TaskStateStore()


# --- the table --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "delivery", "by_retry", "when_cleared"),
    [
        ("accepted", "at_least_once", False, False),
        ("accepted", "at_most_once", False, False),
        ("unknown", "at_least_once", True, True),
        ("unknown", "at_most_once", False, True),
        ("not_sent", "at_least_once", True, True),
        ("not_sent", "at_most_once", True, True),
        ("refused", "at_least_once", False, True),
        ("refused", "at_most_once", False, True),
    ],
)
def test_whether_it_is_sent_again(outcome, delivery, by_retry, when_cleared):
    assert is_sent_again(PreviousOutcome(outcome, cleared=False), delivery) is by_retry
    assert is_sent_again(PreviousOutcome(outcome, cleared=True), delivery) is when_cleared


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotSentError("no connection"), "not_sent"),
        (NotSentError("no certificate", try_again=False), "not_sent"),
        (PlatformError("-18", transient=True), "not_sent"),
        (REFUSED, "refused"),
        (UnknownOutcomeError("lost"), "unknown"),
        (ItnioError("new kind"), "unknown"),
    ],
)
def test_what_became_of_a_message_by_its_error(error, outcome):
    assert outcome_of(error) == outcome


# --- one message ------------------------------------------------------------------------------------------


def test_it_knows_nothing_of_what_was_not_sent(store):
    opened(store).accepted(RECEIPT)
    assert opened(store).earlier("5511912345678") is None


def test_it_knows_what_was_accepted(store):
    opened(store).accepted(RECEIPT)
    assert opened(store).earlier(NUMBER) == PreviousOutcome("accepted", False, RECEIPT.as_dict())
    assert opened(store, 4).earlier(NUMBER) == PreviousOutcome("accepted", True, RECEIPT.as_dict())


def test_it_knows_why_one_failed(store):
    opened(store).failed(NUMBER, REFUSED)
    earlier = opened(store).earlier(NUMBER)
    assert earlier == PreviousOutcome(
        "refused", False, None, "ContentError: status -114, text is empty", -114
    )


def test_an_intent_alone_is_unknown_and_says_when(store):
    opened(store).intend(NUMBER)
    earlier = opened(store).earlier(NUMBER)
    assert (earlier.outcome, earlier.cleared, earlier.receipt) == ("unknown", False, None)
    assert earlier.why.startswith("a request may have left at 20")


@pytest.mark.parametrize(
    ("becomes", "outcome"),
    [
        (lambda record: record.accepted(RECEIPT), "accepted"),
        (lambda record: record.failed(NUMBER, REFUSED), "refused"),
        (lambda record: record.failed(NUMBER, NotSentError("x")), "not_sent"),
    ],
)
def test_an_intent_is_replaced_by_what_became_of_it(becomes, outcome, store):
    record = opened(store)
    record.intend(NUMBER)
    becomes(record)
    assert opened(store).earlier(NUMBER).outcome == outcome
    assert len(store.kept) == 1


def test_cleared_after_its_end_it_knows_nothing(store):
    record = opened(store)
    record.accepted(RECEIPT)
    record.finish()
    assert opened(store).earlier(NUMBER).outcome == "accepted"
    assert opened(store, 4).earlier(NUMBER) is None


def test_the_end_of_a_try_that_sent_nothing_counts_too(store):
    opened(store).accepted(RECEIPT)
    again = opened(store, 4)
    assert again.earlier(NUMBER).cleared
    again.finish()
    assert opened(store, 6).earlier(NUMBER) is None


def test_an_end_without_a_message_writes_nothing(store):
    opened(store).finish()
    assert store.written == []


def test_a_message_of_this_very_try_is_no_earlier_one(store):
    record = opened(store)
    record.accepted(RECEIPT)
    assert record.earlier(NUMBER) is None


# --- several messages -------------------------------------------------------------------------------------


def test_a_broadcasts_record_knows_each_by_number_and_order(store):
    record = opened(store, kind=BroadcastRecord)
    kept = [
        RecordedOutcome((NUMBER, 0), "accepted", "a" * 32, 1693813991),
        RecordedOutcome((NUMBER, 1), "refused", code=-114),
        RecordedOutcome(("5511912345678", 0), "not_sent"),
        RecordedOutcome(("5511912345679", 12), "unknown"),
    ]
    keep(record, *kept)
    again = opened(store, kind=BroadcastRecord)
    assert [again.earlier(one.key) for one in kept] == [(one, False) for one in kept]
    assert again.earlier((NUMBER, 2)) is None
    cleared = opened(store, 4, BroadcastRecord)
    assert [cleared.earlier(one.key) for one in kept] == [(one, True) for one in kept]


def test_what_was_written_last_counts(store):
    record = opened(store, kind=BroadcastRecord)
    record.intend([(NUMBER, 0), (NUMBER, 1)])
    keep(record, RecordedOutcome((NUMBER, 0), "not_sent"))
    keep(record, RecordedOutcome((NUMBER, 0), "accepted", "a" * 32))
    again = opened(store, kind=BroadcastRecord)
    assert again.earlier((NUMBER, 0))[0].outcome == "accepted"
    assert again.earlier((NUMBER, 1))[0].outcome == "unknown"


def test_after_a_clearing_old_and_new_are_told_apart(store):
    keep(
        opened(store, kind=BroadcastRecord),
        RecordedOutcome((NUMBER, 0), "refused"),
        RecordedOutcome((NUMBER, 1), "refused"),
    )
    keep(opened(store, 4, BroadcastRecord), RecordedOutcome((NUMBER, 1), "refused"))
    again = opened(store, 4, BroadcastRecord)
    assert [again.earlier((NUMBER, n))[1] for n in (0, 1)] == [True, False]


def test_a_broadcast_cleared_after_its_end_knows_nothing_and_then_its_own(store):
    for max_tries in (2, 4, 6):
        record = opened(store, max_tries, BroadcastRecord)
        assert record.earlier((NUMBER, 0)) is None
        keep(record, RecordedOutcome((NUMBER, 0), "accepted", "a" * 32))
        assert opened(store, max_tries, BroadcastRecord).earlier((NUMBER, 0))[0].outcome == "accepted"
        record.finish()
        assert opened(store, max_tries, BroadcastRecord).earlier((NUMBER, 0))[0].outcome == "accepted"


def test_each_batch_has_a_key_of_its_own_and_the_head_stays_small(store):
    record = opened(store, kind=BroadcastRecord)
    for n in range(5):
        people = numbers(100, 100 * n)
        keep(record, *[RecordedOutcome((number, 0), "accepted", "a" * 32, 1693813991) for number in people])
    assert len(store.kept) == 6
    assert len(set(store.written)) == len(store.written)
    head = min(store.kept, key=len)
    assert len(store.kept[head]) < 100


@pytest.mark.parametrize("count", [0, 1, 500, 10_000])
def test_what_is_too_large_for_a_key_is_divided(count, store):
    record = opened(store, kind=BroadcastRecord)
    keys = [(number, n % 3) for n, number in enumerate(numbers(count))]
    record.intend(keys)
    keep(record, *[RecordedOutcome(key, "accepted", "a" * 32, 1693813991, -114) for key in keys])
    assert max(len(text.encode()) for text in store.kept.values()) < 64 * 1024
    again = opened(store, kind=BroadcastRecord)
    assert all(again.earlier(key)[0].outcome == "accepted" for key in keys)
    if count == 500:
        assert len(store.written) == 3


# --- writes that fail -------------------------------------------------------------------------------------


def test_a_record_error_names_what_the_store_said(store):
    store.fail(OSError("Broken\n pipe"))
    with pytest.raises(RecordError, match="took no record: OSError: Broken pipe"):
        opened(store).intend(NUMBER)


def test_what_is_no_failed_write_goes_through(store):
    store.fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        opened(store).accepted(RECEIPT)


def test_a_write_of_what_has_happened_is_tried_three_times_with_a_pause(store):
    store.fail(OSError("Broken pipe"))
    begun = time.monotonic()
    opened(store).accepted(RECEIPT)
    assert store.tried == 3
    assert time.monotonic() - begun >= 0.4


def test_a_write_of_what_is_about_to_happen_is_tried_once(store):
    store.fail(OSError("Broken pipe"))
    for act in (
        lambda: opened(store).intend(NUMBER),
        lambda: opened(store, kind=BroadcastRecord),
    ):
        before = store.tried
        with pytest.raises(RecordError):
            act()
        assert store.tried == before + 1


def test_what_a_write_could_not_say_is_not_known_until_a_later_one_says_it(store, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.delivery.state_store._BETWEEN_WRITES", 0)
    record = opened(store, kind=BroadcastRecord)
    store.fail(OSError("Broken pipe"), 3)
    with pytest.raises(RecordError):
        keep(record, RecordedOutcome((NUMBER, 0), "accepted"))
    assert opened(store, kind=BroadcastRecord).earlier((NUMBER, 0)) is None
    keep(record, RecordedOutcome((NUMBER, 1), "accepted"))
    again = opened(store, kind=BroadcastRecord)
    assert [again.earlier((NUMBER, n))[0].outcome for n in (0, 1)] == ["accepted", "accepted"]


# --- where there is none ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "there is no task state store here"),
        ({"ti": SimpleNamespace(task_id="tell", max_tries=2)}, "there is no task state store here"),
        (context(TaskStateStore(), task_id="other"), "tell is executed inside of the task other"),
    ],
)
def test_where_there_is_none_one_line_says_so_and_nothing_is_kept(kind, given, words, caplog):
    caplog.set_level("INFO")
    record = kind.from_context(given, "tell")
    assert len(caplog.messages) == 1
    assert words in caplog.messages[0]
    if kind is DeliveryRecord:
        record.intend(NUMBER)
        record.accepted(RECEIPT)
        record.failed(NUMBER, REFUSED)
        assert record.earlier(NUMBER) is None
    else:
        assert not record.is_kept
        record.intend([(NUMBER, 0)])
        keep(record, RecordedOutcome((NUMBER, 0), "accepted"))
        assert record.unrecorded == []
        assert record.earlier((NUMBER, 0)) is None
    record.finish()
    assert len(caplog.messages) == 1


def test_all_it_keeps_is_json(store):
    record = opened(store, kind=BroadcastRecord)
    keep(record, RecordedOutcome((NUMBER, 0), "accepted", "a", 1))
    opened(store).accepted(RECEIPT)
    assert all(isinstance(json.loads(text), dict) for text in store.kept.values())
    assert all(len(key) < 512 for key in store.kept)
