"""A number in a list of dicts has only its phone as data, as docs/reports.md says."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.task_runs import counts_of

RECIPIENTS = [
    "+86 147-1800-4557",
    {"phone": "+55 11 91234-5678", "name": "Ana"},
    {"phone": "+49 30 1234567", "name": None},
]


@pytest.mark.parametrize(
    ("text", "counts", "sent"),
    [
        ("Dear {{ recipient.name }}", {"accepted": 1, "invalid": 2}, {"Dear Ana"}),
        (
            "Dear {{ recipient.name | default('customer', true) }}",
            {"accepted": 3},
            {"Dear Ana", "Dear customer"},
        ),
    ],
)
def test_a_number_in_a_list_of_dicts_needs_a_jinja_default(text, counts, sent, sandbox):
    operator = WhatsAppBroadcastOperator(
        task_id="tell", recipients=RECIPIENTS, text=text, if_some_fail="warn"
    )
    assert counts_of(sandbox.execute(operator)) == counts
    assert {message.text for message in sandbox.messages} == sent
