"""A question to the person on call, and a branch for each answer.

The connection needs a receiver (guide: questions). The WhatsApp template ``what_now`` has two quick-reply
buttons; it is sent to people who have not written in the last 24 hours, all others get reply buttons.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator

START = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("example_whatsapp_ask", schedule=None, start_date=START, catchup=False):
    ask = WhatsAppAskOperator(
        task_id="ask",
        recipients=["+86 147-1800-4557"],
        question="The load of {{ run_id }} is incomplete. What now?",
        options={"load_again": "Load again", "leave_it": "Leave it"},
        answer_within=timedelta(hours=2),
        if_no_answer="leave_it",
        template=template_message("what_now", "en", body=["{{ run_id }}"]),
        # Where a triggerer runs: deferrable=True, so that waiting takes no worker slot.
    )

    @task.branch
    def follow(answer: Any) -> str:
        return str(answer["answer"])

    @task
    def load_again() -> str:
        return "loaded again"

    @task
    def leave_it() -> str:
        return "left as it is"

    follow(ask.output) >> [load_again(), leave_it()]
