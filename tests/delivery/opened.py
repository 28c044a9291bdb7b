"""Open a delivery record as a try of the task does."""

from __future__ import annotations

from types import SimpleNamespace

from airflow_provider_itnio.delivery.message_record import DeliveryRecord


def context(store, number=1, *, max_tries=2, retries=2, clear_number=0, task_id="tell"):
    """Return the context of a try of the task."""
    return {
        "task_state_store": store,
        "ti": SimpleNamespace(task_id=task_id, try_number=number, max_tries=max_tries),
        "task": SimpleNamespace(retries=retries),
        "dag_run": SimpleNamespace(clear_number=clear_number),
    }


def opened(store, number=1, kind=DeliveryRecord, **of_the_try):
    """Open the record as this try does."""
    return kind.from_context(context(store, number, **of_the_try), "tell")


def cleared(number, clears=1, retries=2):
    """Return the values of a try after this many clearings, the last one just before it."""
    return {"number": number, "max_tries": number - 1 + retries, "retries": retries, "clear_number": clears}
