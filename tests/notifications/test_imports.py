"""What a DAG file pays for alerts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseNotifier, DecoratedOperator, conf, redact
with DAG("a", schedule=None) as dag: ...
before = set(sys.modules)
from airflow_provider_itnio import policies
policies.dag_policy(dag)
applied = set(sys.modules) - before
import airflow_provider_itnio.decorators.whatsapp
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
imported = set(sys.modules) - before
WhatsAppNotifier(recipients="+86 1000 0000 11", alert_template="pipeline_alert")
made = set(sys.modules) - before
print("LOADED", json.dumps([sorted(applied), sorted(imported), sorted(made)]))
"""


@pytest.fixture(scope="module")
def loaded():
    """Give what is loaded by policies without options, then by both imports, and once a notifier is made."""
    environment = {name: value for name, value in os.environ.items() if "ITNIO" not in name}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    )
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("LOADED ")]
    return [set(names) for names in json.loads(line.removeprefix("LOADED "))]


def test_the_policies_of_an_airflow_that_is_not_configured_load_nothing_more(loaded):
    applied, *_ = loaded
    ours = {name for name in applied if name.startswith("airflow_provider")}
    assert ours in ({"airflow_provider_itnio", "airflow_provider_itnio.policies"}, set())


def test_importing_both_loads_no_further_package_and_none_of_the_models(loaded):
    _, imported, _ = loaded
    assert "airflow_provider_itnio.notifications.whatsapp" in imported
    assert "airflow_provider_itnio.decorators.whatsapp" in imported
    known = {*sys.stdlib_module_names, "airflow_provider_itnio", "airflow"}
    assert {name.partition(".")[0] for name in imported} - known == set()
    models_and_clients = {
        f"airflow_provider_itnio.api.{name}" for name in ("models", "client", "async_client")
    }
    assert imported & models_and_clients == set()


def test_a_notifier_in_a_dag_file_loads_no_http_library(loaded):
    *_, made = loaded
    assert "airflow_provider_itnio.api.models" in made
    assert made & {"requests", "aiohttp"} == set()
    of_callbacks = ("alert_state", "guard", "recovery", "sending")
    assert made & {f"airflow_provider_itnio.notifications.{name}" for name in of_callbacks} == set()
