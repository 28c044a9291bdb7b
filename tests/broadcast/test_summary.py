"""Unit tests of a broadcast's report: counts, log texts, and the summary for XCom."""

from __future__ import annotations

import json

from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.broadcast.recipients import Recipients
from airflow_provider_itnio.broadcast.summary import Report
from airflow_provider_itnio.delivery.broadcast_record import RecordedOutcome
from tests.tables import for_each
from tests.task_runs import counts_of, numbers

RECEIPT = Receipt("10415ecbd0c848ebb7d5a3fe53269df6", "8614718004557", "text", None)


def report_of(count, **options):
    return Report(Recipients(numbers(count)), kind="text", **options)


def test_the_report_counts_each_message_once_and_those_left():
    report = report_of(10)
    report.add_accepted(RECEIPT)
    report.add_previously_accepted(
        RecordedOutcome(("8614718004557", 0), "accepted", "a" * 32), "8614718004557"
    )
    for outcome in ("refused", "invalid", "not_sent", "unknown"):
        report.add_failure(outcome, 3, "4557", None, "why", for_retry=outcome == "not_sent")
    assert counts_of(report.summary()) == {
        "accepted": 1,
        "accepted_earlier": 1,
        **dict.fromkeys(("refused", "invalid", "not_sent", "unknown"), 1),
        "not_attempted": 4,
    }
    assert report.left_for_retry == 5
    assert report.describe() == (
        "10 recipients: 1 accepted, 1 accepted in previous tries, 1 refused, 1 unknown, 1 not sent, "
        "1 invalid, 4 not attempted"
    )
    assert report.describe_failures() == f"{report.describe()}. why (4)"
    assert report.describe_progress().startswith(f"{report.describe()}; ")
    assert json.loads(json.dumps(report.summary())) == report.summary()


def test_a_report_without_recipients_says_nothing_to_send():
    assert report_of(0).describe() == "0 recipients: nothing to send"
    assert report_of(0).describe_progress().endswith("; 0.0 messages/s")


def test_keep_receipts_keeps_receipts_also_of_previous_tries():
    report = report_of(2, keep_receipts=True)
    report.add_accepted(RECEIPT)
    report.add_previously_accepted(RecordedOutcome(("86139", 0), "accepted", "b" * 32, 1693813991), "86139")
    assert report.summary()["receipts"] == [
        RECEIPT.as_dict(),
        {
            "message_id": "b" * 32,
            "recipient": "86139",
            "type": "text",
            "timestamp": "2023-09-04T07:53:11+00:00",
        },
    ]
    assert "receipts" not in report_of(2).summary()


def test_the_summary_lists_the_first_1000_failures_and_counts_all(caplog):
    report = report_of(2000)
    for position in range(1500):
        report.add_failure("refused", position, "4557", -114, "text is empty")
    report.add_failure("unknown", 1500, "4557", None, "lost")
    summary = report.summary()
    assert (summary["refused"], summary["unknown"], summary["failures_not_listed"]) == (1500, 1, 501)
    assert len(summary["failures"]) == 1000
    assert summary["failures"][7] == {
        "position": 7,
        "last_digits": "4557",
        "outcome": "refused",
        "code": -114,
        "reason": "text is empty",
    }
    assert len(caplog.messages) == 21
    assert caplog.messages[0] == "recipients[0] (…4557): refused: text is empty"
    assert "the task's summary counts and lists them" in caplog.messages[-1]


@for_each(("length", "kept"), [(160, 160), (161, 160), (10_000, 160)])
def test_a_reason_is_truncated_to_160_characters(length, kept):
    report = report_of(1)
    report.add_failure("invalid", 0, "", None, "x" * length)
    (failure,) = report.summary()["failures"]
    assert len(failure["reason"]) == kept
    assert failure["reason"].endswith("…") == (length > 160)


def test_equal_reasons_are_grouped_despite_other_positions_and_numbers():
    report = report_of(4)
    for position, number in enumerate(("86…57", "55…78")):
        report.add_failure(
            "invalid", position, "", None, f"recipients[{position}]: 4 digits ({number})", number=number
        )
    report.add_failure("refused", 2, "", -1, "see case 12…34")
    report.add_failure("refused", 3, "", -1, "see case 56…78 of recipients[9]")
    assert report.describe_failures() == (
        f"{report.describe()}. recipients[…]: 4 digits (…) (2); see case 12…34; "
        "see case 56…78 of recipients[9]"
    )
