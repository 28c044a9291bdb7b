"""Tasks that ask a question, each somebody else, and wait in the triggerer where there is one."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator

ASKED = {
    "by_tap": ("+86 1000 0000 81", "fail", 600),
    "by_word": ("+86 1000 0000 82", "fail", 600),
    "by_a_stranger": ("+86 1000 0000 83", "leave", 30),
    "by_nobody": ("+86 1000 0000 84", "skip", 2),
}

with DAG("questions", schedule=None, start_date=datetime(2026, 1, 1)):
    for task_id, (recipient, if_no_answer, seconds) in ASKED.items():
        WhatsAppAskOperator(
            task_id=task_id,
            recipients=recipient,
            question="{{ run_id }} is incomplete. What now?",
            options={"again": "Load again", "leave": "Leave it"},
            if_no_answer=if_no_answer,
            answer_within=seconds,
            deferrable=AIRFLOW_V_3_0_PLUS,
            itnio_conn_id="itnio_asking",
            retries=5,
            retry_delay=timedelta(seconds=1),
        )
