"""A DAG whose callback prints what an alert names as failed."""

from __future__ import annotations

import sys

from airflow.providers.common.compat.sdk import DAG, task


def note(context):
    from airflow_provider_itnio.notifications.alert_facts import alert_facts

    sys.stdout.write(f"Failed tasks: {alert_facts(context).failed_tasks}\n")


with DAG("failing", schedule=None, on_failure_callback=note) as dag:

    @task
    def load():
        raise ValueError

    @task
    def store(shop):
        raise ValueError

    load()
    store.expand(shop=["a", "b"])
