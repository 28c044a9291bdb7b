"""Which modules a DAG file with alerts imports."""

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
    """Return the modules loaded by policies without options, by both imports, and by a notifier."""
    environment = {name: value for name, value in os.environ.items() if "ITNIO" not in name}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    )
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("LOADED ")]
    return [set(names) for names in json.loads(line.removeprefix("LOADED "))]


def test_policies_without_options_import_no_other_module_of_the_package(loaded):
    applied, *_ = loaded
    ours = {name for name in applied if name.startswith("airflow_provider")}
    assert ours in ({"airflow_provider_itnio", "airflow_provider_itnio.policies"}, set())


def test_importing_notifier_and_decorator_imports_no_other_package_and_no_models(loaded):
    _, imported, _ = loaded
    assert "airflow_provider_itnio.notifications.whatsapp" in imported
    assert "airflow_provider_itnio.decorators.whatsapp" in imported
    known = {*sys.stdlib_module_names, "airflow_provider_itnio", "airflow"}
    assert {name.partition(".")[0] for name in imported} - known == set()
    models_and_clients = {
        f"airflow_provider_itnio.api.{name}" for name in ("models", "client", "async_client")
    }
    assert imported & models_and_clients == set()


def test_a_notifier_in_a_dag_file_imports_no_http_library(loaded):
    *_, made = loaded
    assert "airflow_provider_itnio.api.models" in made
    assert made & {"requests", "aiohttp"} == set()
    of_callbacks = ("alert_state", "guard", "recovery", "sending")
    assert made & {f"airflow_provider_itnio.notifications.{name}" for name in of_callbacks} == set()
