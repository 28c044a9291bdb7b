"""Unit tests of the delivery record of a task's single message."""

from __future__ import annotations

import json

import pytest

from airflow_provider_itnio.api.errors import ContentError, NotSentError, RecordError
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.delivery.policy import PreviousOutcome
from tests.delivery.opened import cleared, opened
from tests.tables import for_each

NUMBER = "8614718004557"
RECEIPT = Receipt("10415ecbd0c848ebb7d5a3fe53269df6", NUMBER, "text", None)
REFUSED = ContentError("status -114, text is empty", code=-114)


def test_another_number_has_no_previous_outcome(store):
    opened(store).record_acceptance(RECEIPT)
    assert opened(store, 2).previous_outcome("5511912345678") is None


def test_an_accepted_message_is_found_with_its_receipt(store):
    opened(store).record_acceptance(RECEIPT)
    assert opened(store, 2).previous_outcome(NUMBER) == PreviousOutcome("accepted", "no", RECEIPT.as_dict())
    assert opened(store, **cleared(2)).previous_outcome(NUMBER) == PreviousOutcome(
        "accepted", "certainly", RECEIPT.as_dict()
    )


def test_a_failed_message_is_found_with_its_reason(store):
    opened(store).record_failure(NUMBER, REFUSED)
    assert opened(store, 2).previous_outcome(NUMBER) == PreviousOutcome(
        "refused", "no", None, "ContentError: status -114, text is empty"
    )


def test_an_intent_without_an_outcome_is_unknown_and_gives_the_time(store):
    opened(store).record_intent(NUMBER)
    previous = opened(store, 2).previous_outcome(NUMBER)
    assert (previous.outcome, previous.cleared, previous.receipt) == ("unknown", "no", None)
    assert previous.reason.startswith("a request may have been sent at 20")


@for_each(
    ("becomes", "outcome"),
    [
        (lambda record: record.record_acceptance(RECEIPT), "accepted"),
        (lambda record: record.record_failure(NUMBER, REFUSED), "refused"),
        (lambda record: record.record_failure(NUMBER, NotSentError("x")), "not_sent"),
        (lambda record: record.withdraw_intent(NUMBER), "not_sent"),
    ],
)
def test_an_intent_is_replaced_by_the_messages_outcome(becomes, outcome, store):
    record = opened(store)
    record.record_intent(NUMBER)
    becomes(record)
    assert opened(store, 2).previous_outcome(NUMBER).outcome == outcome
    assert len(store.kept) == 1


@for_each("retries", [2, 1, 0, 5])
def test_a_task_cleared_after_success_has_no_previous_outcome_with_any_retries(retries, store):
    record = opened(store)
    record.record_acceptance(RECEIPT)
    record.finish()
    assert opened(store, 2, retries=retries).previous_outcome(NUMBER).outcome == "accepted"
    assert opened(store, **cleared(2, retries=retries)).previous_outcome(NUMBER) is None


def test_the_success_of_a_try_that_sent_nothing_counts_too(store):
    opened(store).record_acceptance(RECEIPT)
    again = opened(store, **cleared(2))
    assert again.previous_outcome(NUMBER).cleared == "certainly"
    again.finish()
    assert opened(store, **cleared(3, clears=2)).previous_outcome(NUMBER) is None


def test_a_success_before_the_message_was_sent_again_does_not_count(store):
    record = opened(store)
    record.record_acceptance(RECEIPT)
    record.finish()
    again = opened(store, **cleared(2))
    assert again.previous_outcome(NUMBER) is None
    again.record_acceptance(RECEIPT)
    assert opened(store, **cleared(3, clears=2)).previous_outcome(NUMBER).outcome == "accepted"


def test_after_success_an_unknown_outcome_is_forgotten_only_if_certainly_cleared(store):
    """A user's subclass may catch the error and succeed."""
    record = opened(store)
    record.record_intent(NUMBER)
    record.finish()
    assert opened(store, **cleared(2, retries=1)).previous_outcome(NUMBER).outcome == "unknown"
    assert opened(store, **cleared(2)).previous_outcome(NUMBER) is None


def test_a_success_without_a_message_writes_nothing(store):
    opened(store).finish()
    assert store.written == []


def test_a_message_of_the_same_try_is_not_a_previous_outcome(store):
    record = opened(store)
    record.record_acceptance(RECEIPT)
    assert record.previous_outcome(NUMBER) is None


OTHER_SHAPES = {
    "an unknown word": {"outcome": "delivered"},
    "no outcome": {"outcome": None},
    "accepted without a receipt": {"outcome": "accepted", "receipt": None},
    "accepted with a receipt that lacks the id": {"outcome": "accepted", "receipt": {"type": "text"}},
    "accepted with a receipt in words": {"outcome": "accepted", "receipt": "10415e"},
    "refused without a reason": {"outcome": "refused", "why": None},
}


@for_each("change", OTHER_SHAPES.values())
def test_an_entry_without_the_messages_outcome_is_a_record_error(change, store):
    opened(store).record_acceptance(RECEIPT)
    (key,) = store.kept
    store.set(key, json.loads(store.kept[key]) | change)
    with pytest.raises(RecordError, match="does not contain the outcome of the message"):
        opened(store, 2).previous_outcome(NUMBER)


def test_a_success_mark_of_another_shape_is_a_record_error(store):
    record = opened(store)
    record.record_acceptance(RECEIPT)
    record.finish()
    store.set("whatsapp/finished", True)
    with pytest.raises(RecordError, match="whatsapp/finished"):
        opened(store, **cleared(2)).previous_outcome(NUMBER)
