"""What a DAG file pays for alerts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseNotifier, DecoratedOperator, conf, redact
before = set(sys.modules)
import airflow_provider_itnio.decorators.whatsapp
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
imported = set(sys.modules) - before
WhatsAppNotifier(recipients="+86 1000 0000 11", alert_template="pipeline_alert")
made = set(sys.modules) - before
print("LOADED", json.dumps([sorted(imported), sorted(made)]))
"""


@pytest.fixture(scope="module")
def loaded():
    """Give what importing notifier and decorator loads, and what is loaded once a notifier is made."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("LOADED ")]
    return [set(names) for names in json.loads(line.removeprefix("LOADED "))]


def test_importing_both_loads_no_further_package_and_none_of_the_models(loaded):
    imported, _ = loaded
    assert "airflow_provider_itnio.notifications.whatsapp" in imported
    assert "airflow_provider_itnio.decorators.whatsapp" in imported
    known = {*sys.stdlib_module_names, "airflow_provider_itnio", "airflow"}
    assert {name.partition(".")[0] for name in imported} - known == set()
    models_and_clients = {
        f"airflow_provider_itnio.api.{name}" for name in ("models", "client", "async_client")
    }
    assert imported & models_and_clients == set()


def test_a_notifier_in_a_dag_file_loads_no_http_library(loaded):
    _, made = loaded
    assert "airflow_provider_itnio.api.models" in made
    assert made & {"requests", "aiohttp"} == set()
    of_callbacks = ("alert_state", "guard", "recovery", "sending")
    assert made & {f"airflow_provider_itnio.notifications.{name}" for name in of_callbacks} == set()
