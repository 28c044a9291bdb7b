"""Entries in Airflow's task state store: how they are written and read, and which are unreadable."""

from __future__ import annotations

import json
import logging
import traceback

import pytest

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from airflow_provider_itnio.delivery.graceful_timeout import CallInterruptedError
from airflow_provider_itnio.delivery.message_record import DeliveryRecord
from airflow_provider_itnio.delivery.state_store import TaskStateStore as Entries
from tests.delivery.opened import cleared, context, opened
from tests.tables import for_each
from tests.task_runs import DeadlockImminentError, TaskStateStore, numbers

NUMBER = "8614718004557"
KINDS = [DeliveryRecord, BroadcastRecord]


def entries_in(store, **of_the_try):
    return Entries.from_context(context(store, **of_the_try), "tell")


# --- an entry ---------------------------------------------------------------------------------------------


def test_an_entry_contains_its_version_and_the_try_that_wrote_it(store):
    entries_in(store, number=3, max_tries=5, retries=4, clear_number=1).set("a", {"x": 1})
    assert json.loads(store.kept["a"]) == {
        "version": 1,
        "try": 3,
        "max_tries": 5,
        "retries": 4,
        "clear_number": 1,
        "x": 1,
    }


def test_reading_an_entry_says_whether_the_task_was_cleared_since(store):
    entries_in(store).set("a", {"x": 1})
    assert entries_in(store, number=2).get("a").cleared == "no"
    assert entries_in(store, **cleared(2)).get("a").cleared == "certainly"
    assert entries_in(store, **cleared(2, retries=1)).get("a").cleared == "perhaps"
    assert entries_in(store).get("b") is None


def test_an_error_does_not_show_values_that_the_store_echoes(store):
    store.fail(OSError(f"can't store {{'recipient': '{NUMBER}'}}"))
    with pytest.raises(RecordError) as caught:
        entries_in(store).set("a", {"recipient": NUMBER})
    assert NUMBER not in "".join(traceback.format_exception(caught.value))


STAMP = {"version": 1, "try": 1, "max_tries": 2, "retries": 2, "clear_number": 0}
OTHER_SHAPES = {
    "a JSON text": json.dumps(STAMP),
    "a text": "accepted",
    "a list": [STAMP],
    "a number": 1,
    "false": False,
    "an empty object": {},
    "no version": {name: value for name, value in STAMP.items() if name != "version"},
    "as before versions": {"max_tries": 2, "recipient": NUMBER, "outcome": "accepted"},
    "a newer version": STAMP | {"version": 2},
    "an older version": STAMP | {"version": 0},
    "a version in words": STAMP | {"version": "1"},
    "no try": {name: value for name, value in STAMP.items() if name != "try"},
    "no max_tries": {name: value for name, value in STAMP.items() if name != "max_tries"},
    "max_tries in words": STAMP | {"max_tries": "2"},
    "retries are null": STAMP | {"retries": None},
}


@for_each("value", OTHER_SHAPES.values())
def test_the_error_of_an_unreadable_entry_says_what_to_do(value, store):
    store.set("whatsapp/x", value)
    with pytest.raises(RecordError) as caught:
        entries_in(store).get("whatsapp/x")
    words = str(caught.value)
    assert words.startswith("Nothing was sent: the delivery record of this task can't be read")
    assert "whatsapp/x: " in words
    assert "Task State Store" in words
    assert "To send to all recipients, delete it there and clear the task" in words
    assert NUMBER not in words


# --- calls that fail --------------------------------------------------------------------------------------


@for_each("failure", [OSError("Broken\n pipe"), DeadlockImminentError("Broken pipe")])
def test_a_failing_call_is_a_record_error_with_the_stores_error_text(failure, store, monkeypatch):
    store.fail(failure)
    with pytest.raises(RecordError, match=f"could not be written: {type(failure).__name__}: Broken pipe"):
        entries_in(store).set("a", {})

    def get(key):
        raise failure

    monkeypatch.setattr(store, "get", get)
    with pytest.raises(RecordError, match=f"could not be read: {type(failure).__name__}: Broken pipe"):
        entries_in(store).get("a")


def test_a_keyboard_interrupt_is_not_caught(store):
    store.fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        entries_in(store).set_with_retry("a", {})
    assert store.tried == 1


def test_a_write_before_sending_is_tried_once(store):
    store.fail(OSError("Broken pipe"))
    with pytest.raises(RecordError):
        entries_in(store).set("a", {})
    assert store.tried == 1


@for_each("failure", [OSError("Broken pipe"), TimeoutError("of its own")])
def test_a_write_after_sending_is_tried_three_times_with_a_pause(failure, store, monkeypatch):
    pauses = []
    monkeypatch.setattr("airflow_provider_itnio.delivery.state_store.time.sleep", pauses.append)
    store.fail(failure)
    with pytest.raises(RecordError):
        entries_in(store).set_with_retry("a", {})
    assert (store.tried, pauses) == (3, [0.2, 0.2])


@pytest.mark.usefixtures("quick_writes")
def test_a_write_that_the_execution_timeout_ends_is_tried_once_more(store):
    store.fail(CallInterruptedError("the task's execution_timeout is over"))
    with pytest.raises(RecordError, match="execution_timeout is over"):
        entries_in(store).set_with_retry("a", {})
    assert store.tried == 2


class AnswersLate:
    """A store with one socket: the answer to an interrupted call is read as the answer to the next."""

    def __init__(self, *, keeps):
        self.kept, self.keeps, self.answers, self.ends = {}, keeps, [], True

    def _answer(self, answer):
        self.answers.append(answer)
        if self.ends:
            self.ends = False
            raise CallInterruptedError("the task's execution_timeout is over")
        return self.answers.pop(0)

    def set(self, key, value):
        if self.keeps:
            self.kept[key] = value
        self._answer(None)

    def get(self, key):
        return self._answer(self.kept.get(key))


@for_each("keeps", [True, False])
@pytest.mark.usefixtures("quick_writes")
def test_after_an_interrupted_call_a_write_counts_only_if_the_store_returns_it(keeps):
    entries = entries_in(AnswersLate(keeps=keeps))
    with pytest.raises(RecordError):
        entries.set("a", {"x": 1})
    if keeps:
        entries.set("a", {"x": 2})
    else:
        with pytest.raises(RecordError, match="it does not return the entry"):
            entries.set("a", {"x": 2})


@pytest.mark.usefixtures("quick_writes")
def test_a_write_is_tried_again_despite_a_failing_log_handler(store):
    class Failing(logging.Handler):
        def emit(self, record):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    handler = Failing()
    logging.getLogger().addHandler(handler)
    try:
        store.fail(OSError("Broken pipe"), 2)
        entries_in(store).set_with_retry("a", {})
    finally:
        logging.getLogger().removeHandler(handler)
    assert (list(store.kept), store.tried) == (["a"], 3)


# --- without a store --------------------------------------------------------------------------------------


@for_each("kind", KINDS)
@for_each(
    ("given", "words"),
    [
        ({}, "there is no task state store"),
        (context(None), "there is no task state store"),
        (context(TaskStateStore(), task_id="other"), "tell is executed inside of the task other"),
    ],
)
def test_without_a_store_one_log_line_says_so_and_nothing_is_recorded(kind, given, words, caplog):
    caplog.set_level("INFO")
    record = kind.from_context(given, "tell")
    assert len(caplog.messages) == 1
    assert words in caplog.messages[0]
    if kind is DeliveryRecord:
        record.record_intent(NUMBER)
        record.withdraw_intent(NUMBER)
        assert record.previous_outcome(NUMBER) is None
    else:
        assert not record.is_persistent
        record.record_intent([((NUMBER, 0), False)])
        record.add(RecordedOutcome((NUMBER, 0), "accepted"))
        record.flush()
        assert record.unrecorded == []
        assert record.previous_outcome((NUMBER, 0)) is None
    record.finish()
    assert len(caplog.messages) == 1


def test_all_entries_are_json_under_short_keys(store):
    record = opened(store, kind=BroadcastRecord)
    record.record_intent([((number, 0), False) for number in numbers(3)])
    opened(store).record_intent(NUMBER)
    assert all(isinstance(json.loads(text), dict) for text in store.kept.values())
    assert all(len(key) < 512 for key in store.kept)
