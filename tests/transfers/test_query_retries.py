"""Retries of a task that sends the rows of a query, when the rows have changed."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import ItnioError, NotDeliveredError, NotSentError
from tests.tables import for_each
from tests.task_runs import TaskStateStore, counts_of, may_be_tried_again
from tests.transfers.test_sql_to_whatsapp import NUMBER, report, texts

pytestmark = pytest.mark.usefixtures("connection")


def test_a_retry_with_other_rows_messages_no_number_twice(people, sandbox):
    run = report(recipient_column="phone", text="{{ row.name }} {{ row.orders }}", store=TaskStateStore())
    sandbox.fail_next(status=-18)
    may_be_tried_again(run, ItnioError)
    assert len(sandbox.messages) == 2
    people("UPDATE people SET orders = orders + 1, name = name || '!'")
    people("DELETE FROM people WHERE name = 'Li!'")
    people("INSERT INTO people VALUES ('+39 06 1234 5678', 'Zoe', 1, '')")
    run.once()
    numbers = [message.recipient for message in sandbox.messages]
    assert len(numbers) == len(set(numbers)) == 4
    assert texts(sandbox)["390612345678"] == "Zoe 1"


@for_each(
    ("fields", "is_retried"),
    [
        ({"if_empty": "skip", "recipients": [NUMBER, "+55 11 91234-5678"]}, True),
        ({"if_empty": "skip", "recipient_column": "phone"}, True),
        ({"if_empty": "send", "recipient_column": "phone"}, True),
        ({"if_empty": "fail", "recipient_column": "phone"}, False),
    ],
)
def test_a_retry_without_rows_reports_messages_not_sent_in_previous_tries(
    people, sandbox, fields, is_retried
):
    run = report(text="x", store=TaskStateStore(), **fields)
    sandbox.fail_next(status=-18)
    may_be_tried_again(run, ItnioError)
    accepted = len(sandbox.messages)
    people("DELETE FROM people")
    for _ in range(2):
        with pytest.raises(NotSentError if is_retried else AirflowFailException) as failed:
            run.once()
        assert "previous tries" in str(failed.value)
        assert f"{accepted} accepted, 1 not sent" in str(failed.value)
    assert len(sandbox.messages) == accepted


@for_each("if_empty", ["skip", "send"])
def test_a_retry_without_rows_reports_messages_awaited_in_previous_tries(
    people, sandbox, pushed_to_receiver, if_empty
):
    # A number for tests whose messages reach the status "sent" only.
    people("DELETE FROM people; INSERT INTO people VALUES ('99970000001', 'Li', 1, '')")
    run = report(
        recipient_column="phone",
        text="x",
        wait_for="delivered",
        wait_timeout=1,
        if_empty=if_empty,
        store=TaskStateStore(),
    )
    may_be_tried_again(run, NotDeliveredError)
    people("DELETE FROM people")
    with pytest.raises(NotSentError, match=r"1 accepted\. This try sends nothing and does not wait"):
        run.once()


def test_a_retry_without_recipients_left_runs_no_query(people, sandbox):
    run = report(recipients=[NUMBER], text="{{ row_count }}", store=TaskStateStore())
    run.once(ends="failing")
    people("DROP TABLE people")
    assert counts_of(run.once()) == {"accepted_earlier": 1}
    assert len(sandbox.messages) == 1
