"""The sensor's ``messages``: messages, recipients without one, and invalid values."""

from __future__ import annotations

import json
import re

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_itnio.api.errors import NotDeliveredError
from tests.receiver.running import status_push
from tests.sensors.waiting import NUMBER, OTHER, SUMMARY, waiting
from tests.tables import for_each
from tests.task_runs import broadcast_run, fails_at_once

pytestmark = pytest.mark.usefixtures("pushed_to_receiver")


@for_each("deferrable", [False, True])
def test_recipients_without_an_accepted_message_of_a_broadcast_fail_the_sensor(deferrable, sandbox):
    sandbox.window_open(NUMBER)
    tell = broadcast_run([NUMBER, "12"], if_some_fail="warn", keep_receipts=True)
    run = waiting(json.loads(json.dumps(tell.once())), deferrable=deferrable)
    assert str(fails_at_once(run, NotDeliveredError)) == (
        "NotDeliveredError: no message is known to be accepted for 1 recipient of the broadcast (1 invalid): "
        "see the broadcast's log and summary"
    )
    assert run.summary["not_accepted"] == 1
    assert len(run.summary["statuses"]) == 1


MISSED = {"refused": 1, "invalid": 20, "not_sent": 300, "unknown": 4000, "not_attempted": 50000}


@for_each(
    ("given", "told"),
    [
        *((SUMMARY | {name: 1, "receipts": ["a", "b"]}, "1 recipient of the broadcast") for name in MISSED),
        (
            SUMMARY | MISSED | {"receipts": ["a", "b"]},
            r"54,321 recipients of the broadcast \(1 refused, 20 invalid, 300 not sent, 4,000 unknown, "
            r"50,000 not attempted\)",
        ),
        (
            [
                SUMMARY | {"invalid": 1, "receipts": ["a", "b"]},
                [{"accepted": 0, "invalid": 2, "receipts": []}],
            ],
            r"3 recipients of the broadcast \(3 invalid\)",
        ),
        ({"accepted": 0, "refused": 2, "receipts": []}, r"2 recipients of the broadcast \(2 refused\)"),
        (json.dumps(SUMMARY | {"invalid": 2, "receipts": ["a", "b"]}), r"2 recipients .*\(2 invalid\)"),
    ],
)
@for_each("ends", [AirflowFailException, AirflowSkipException])
def test_recipients_without_a_message_are_counted_in_every_form_of_a_summary(given, told, ends, logged):
    run = waiting(given, soft_fail=ends is AirflowSkipException)
    with pytest.raises(ends) as raised:
        run.once()
    assert re.search(f"accepted for {told}", f"{raised.value} {logged()}")
    assert run.summary["not_accepted"] > 0


def test_failed_messages_and_recipients_without_one_are_reported_together(receiver):
    receiver.push(status_push("lost", "failed", failure="131026: undeliverable"))
    told = str(fails_at_once(waiting(SUMMARY | {"accepted": 1, "invalid": 1, "receipts": ["lost"]})))
    assert "1 of 1 messages were accepted by Itniotech and then failed: lost: 131026" in told
    assert "; no message is known to be accepted for 1 recipient of the broadcast (1 invalid)" in told


def test_excluded_recipients_and_duplicates_do_not_fail_the_sensor(receiver):
    receiver.push(status_push("m", "read"))
    given = SUMMARY | {"accepted": 1, "excluded": 2, "duplicates": 3, "receipts": ["m"]}
    assert waiting(given).once()["not_accepted"] == 0


NONE_OF_IT = {
    "nothing": (None, "messages: must be a receipt or a message id, nothing given; a task that is skipped"),
    "no message": ([], "messages: must contain at least one receipt or message id, an empty list given"),
    "empty lists": ([[], []], "messages: must contain at least one"),
    "an empty text": ("", "messages: a message id is printable text of 1 to 128 characters, '' "),
    "a skipped task among them": (
        ["m-1", None],
        r"messages\[1\]: must be a receipt or a message id, nothing",
    ),
    "a broadcast's summary": (
        SUMMARY,
        "messages: the summary of a broadcast contains message ids only with keep_",
    ),
    "one without accepted messages": (
        SUMMARY | {"accepted": 0, "receipts": []},
        "messages: must contain at least one",
    ),
    "one that lacks a receipt": (
        [SUMMARY | {"accepted": 1, "accepted_earlier": 1, "receipts": ["m"]}],
        r"messages\[0\].receipts: the summary counts 2 accepted messages and has 1 ids, so the others can't",
    ),
    "one id for two messages to a person": (
        SUMMARY | {"receipts": [{"message_id": "m", "recipient": NUMBER}] * 2},
        "messages.receipts: the summary counts 2 accepted messages and has 1 ids",
    ),
    "one id for two people": (
        [{"message_id": "m", "recipient": NUMBER}, "m", {"message_id": "m", "recipient": OTHER}],
        r"messages\[2\].message_id: the message was accepted and can't be waited for: Itniotech gave another",
    ),
    "one id for two people, as numbers": (
        [{"message_id": 1, "recipient": 8614718004557}, {"message_id": 1, "recipient": 8614718004558}],
        r"messages\[1\].message_id: the message was accepted and can't be waited for: Itniotech gave another",
    ),
    "one id in the summaries of two broadcasts": (
        [
            SUMMARY | {"accepted": 1, "receipts": [{"message_id": "m", "recipient": one}]}
            for one in (NUMBER, OTHER)
        ],
        r"messages\[1\].receipts\[0\].message_id: the message was accepted and can't be waited for: Itnio",
    ),
    "one with another receipt": (
        SUMMARY | {"receipts": [{}]},
        r"messages.receipts\[0\]: must be a receipt, an object without message_id given",
    ),
    "one in a list": ([SUMMARY], r"messages\[0\]: the summary of a broadcast"),
    "another object": ({"rows": 5}, "messages: must be a receipt, an object without message_id given"),
    "a receipt without an id": (
        {"message_id": None},
        "messages.message_id: must be a receipt or a message id",
    ),
    "an id that is none": (
        [{"message_id": "(accepted; its id can't be printed)", "recipient": NUMBER}],
        r"messages\[0\].message_id: the message was accepted and can't be waited for \(accepted; its id",
    ),
    "a long id": ("m" * 129, r"messages: a message id is .* \(129 characters\) given"),
    "an id with a line break": ("a\nb", "messages: a message id is printable"),
    "None in Jinja": ("None", "messages: must be a receipt or a message id, nothing given; a task that is"),
    "True": (True, "messages: must be a receipt or a message id"),
    "half a number": (1.5, "messages: must be a receipt or a message id, 1.5 given"),
    "bytes": (b"m", "messages: must be a receipt or a message id"),
    "a broken list": ("[{'message_id':", r"messages: a text that begins with \[ must be JSON"),
    "a mapped task's outputs in Jinja": (
        "LazyXComSequence(<unevaluated length>)",
        "messages: Jinja has turned a mapped task's outputs into a text; pass them directly",
    ),
    "deep lists": (
        [[[[[["m"]]]]]],
        r"messages(\[0\])+: must be a receipt or a message id, a list of 1 given",
    ),
}


@for_each("case", NONE_OF_IT)
def test_the_error_of_an_invalid_message_names_its_position(case):
    given, told = NONE_OF_IT[case]
    with pytest.raises(ValueError, match=f"task 'arrived': .*{told}"):
        waiting(given).once()  # in the DAG file
    run = waiting("m")
    context = run.begin()
    run.operator.messages = given  # from an upstream task
    with pytest.raises(AirflowFailException, match=f"InvalidParameterError: {told}"):
        run.operator.execute(context)
