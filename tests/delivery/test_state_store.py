"""Entries in Airflow's task state store: how they are written, read, and not read."""

from __future__ import annotations

import json
import logging
import traceback

import pytest

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from airflow_provider_itnio.delivery.graceful_timeout import TimeIsOverError
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


def test_an_entry_says_its_version_and_which_try_wrote_it(store):
    entries_in(store, number=3, max_tries=5, retries=4, clear_number=1).set("a", {"x": 1})
    assert json.loads(store.kept["a"]) == {
        "version": 1,
        "try": 3,
        "max_tries": 5,
        "retries": 4,
        "clear_number": 1,
        "x": 1,
    }


def test_an_entry_is_read_with_whether_the_task_was_cleared_since(store):
    entries_in(store).set("a", {"x": 1})
    assert entries_in(store, number=2).get("a").cleared == "no"
    assert entries_in(store, **cleared(2)).get("a").cleared == "certainly"
    assert entries_in(store, **cleared(2, retries=1)).get("a").cleared == "perhaps"
    assert entries_in(store).get("b") is None


def test_an_error_shows_nothing_of_what_the_store_repeats(store):
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
def test_an_entry_of_another_shape_says_what_a_person_can_do(value, store):
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
def test_a_call_that_fails_is_a_record_error_that_names_what_the_store_said(failure, store, monkeypatch):
    store.fail(failure)
    with pytest.raises(RecordError, match=f"could not be written: {type(failure).__name__}: Broken pipe"):
        entries_in(store).set("a", {})

    def get(key):
        raise failure

    monkeypatch.setattr(store, "get", get)
    with pytest.raises(RecordError, match=f"could not be read: {type(failure).__name__}: Broken pipe"):
        entries_in(store).get("a")


def test_an_end_of_the_task_goes_through(store):
    store.fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        entries_in(store).set_with_retry("a", {})
    assert store.tried == 1


def test_a_write_of_what_is_about_to_happen_is_tried_once(store):
    store.fail(OSError("Broken pipe"))
    with pytest.raises(RecordError):
        entries_in(store).set("a", {})
    assert store.tried == 1


@for_each("failure", [OSError("Broken pipe"), TimeoutError("of its own")])
def test_a_write_of_what_has_happened_is_tried_three_times_with_a_pause(failure, store, monkeypatch):
    pauses = []
    monkeypatch.setattr("airflow_provider_itnio.delivery.state_store.time.sleep", pauses.append)
    store.fail(failure)
    with pytest.raises(RecordError):
        entries_in(store).set_with_retry("a", {})
    assert (store.tried, pauses) == (3, [0.2, 0.2])


@pytest.mark.usefixtures("quick_writes")
def test_a_write_that_takes_too_long_when_the_time_is_over_is_tried_once_more(store):
    store.fail(TimeIsOverError("the task's execution_timeout is over"))
    with pytest.raises(RecordError, match="execution_timeout is over"):
        entries_in(store).set_with_retry("a", {})
    assert store.tried == 2


class AnswersLate:
    """A store behind one socket: the answer to a call that was ended is taken for that to the next one."""

    def __init__(self, *, keeps):
        self.kept, self.keeps, self.answers, self.ends = {}, keeps, [], True

    def _answer(self, answer):
        self.answers.append(answer)
        if self.ends:
            self.ends = False
            raise TimeIsOverError("the task's execution_timeout is over")
        return self.answers.pop(0)

    def set(self, key, value):
        if self.keeps:
            self.kept[key] = value
        self._answer(None)

    def get(self, key):
        return self._answer(self.kept.get(key))


@for_each("keeps", [True, False])
@pytest.mark.usefixtures("quick_writes")
def test_behind_a_call_that_was_ended_a_write_counts_once_the_store_gives_it_back(keeps):
    entries = entries_in(AnswersLate(keeps=keeps))
    with pytest.raises(RecordError):
        entries.set("a", {"x": 1})
    if keeps:
        entries.set("a", {"x": 2})
    else:
        with pytest.raises(RecordError, match="it does not return the entry"):
            entries.set("a", {"x": 2})


@pytest.mark.usefixtures("quick_writes")
def test_no_log_handler_that_fails_keeps_a_write_from_being_tried_again(store):
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


# --- where there is none ----------------------------------------------------------------------------------


@for_each("kind", KINDS)
@for_each(
    ("given", "words"),
    [
        ({}, "there is no task state store"),
        (context(None), "there is no task state store"),
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
        record.withdraw(NUMBER)
        assert record.previous_outcome(NUMBER) is None
    else:
        assert not record.is_kept
        record.intend([((NUMBER, 0), False)])
        record.add(RecordedOutcome((NUMBER, 0), "accepted"))
        record.flush()
        assert record.unrecorded == []
        assert record.previous_outcome((NUMBER, 0)) is None
    record.finish()
    assert len(caplog.messages) == 1


def test_all_that_is_kept_is_json_under_short_keys(store):
    record = opened(store, kind=BroadcastRecord)
    record.intend([((number, 0), False) for number in numbers(3)])
    opened(store).intend(NUMBER)
    assert all(isinstance(json.loads(text), dict) for text in store.kept.values())
    assert all(len(key) < 512 for key in store.kept)
