"""Tasks that ask a question, each another recipient, and wait in the triggerer if there is one.

One waits in its worker, and writes its process id for the test.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator

ASKED = {
    "by_tap": ("+86 1000 0000 81", "fail", 600),
    "by_word": ("+86 1000 0000 82", "fail", 600),
    "by_a_stranger": ("+86 1000 0000 83", "leave", 6),
    "by_nobody": ("+86 1000 0000 84", "skip", 2),
    "by_an_old_button": ("+86 1000 0000 84", "leave", 6),
    "is_killed": ("+86 1000 0000 85", "fail", 600),
}


def leave_process_id(context: Any) -> None:
    if context["ti"].try_number == 1:
        (Path(os.environ["PLACE_OF_TASKS"]) / "asks.pid").write_text(str(os.getpid()))


with DAG("questions", schedule=None, start_date=datetime(2026, 1, 1)):
    tasks = {}
    for task_id, (recipient, if_no_answer, seconds) in ASKED.items():
        waits_in_worker = task_id == "is_killed"
        tasks[task_id] = WhatsAppAskOperator(
            task_id=task_id,
            recipients=recipient,
            question="{{ run_id }} is incomplete. What now?",
            options={"again": "Load again", "leave": "Leave it"},
            if_no_answer=if_no_answer,
            answer_within=seconds,
            deferrable=AIRFLOW_V_3_0_PLUS and not waits_in_worker,
            itnio_conn_id="itnio_asking",
            retries=5,
            retry_delay=timedelta(seconds=1),
            pre_execute=leave_process_id if waits_in_worker else None,
            trigger_rule="all_done",
        )
    tasks["by_nobody"] >> tasks["by_an_old_button"]
