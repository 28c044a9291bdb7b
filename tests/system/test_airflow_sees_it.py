"""The package in Airflow's own commands and pages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_itnio import __version__
from airflow_provider_itnio.get_provider_info import get_provider_info

from .conftest import AIRFLOW_2

pytestmark = pytest.mark.system

HERE = Path(__file__).parent


def test_airflow_lists_the_provider_without_a_warning(airflow):
    run = airflow("providers", "list", "--output", "json")
    assert run.returncode == 0, run.stderr
    (listed,) = [
        one
        for one in json.loads(run.stdout[run.stdout.index("[{") :])
        if one["package_name"] == "airflow-provider-itnio"
    ]
    assert listed["version"] == __version__
    assert "itnio" not in run.stderr
    assert "warning" not in run.stdout.lower()


def test_airflow_loads_hook_connection_form_and_link_without_a_warning(airflow):
    program = """
import json, warnings
warnings.simplefilter("always")
from airflow.providers_manager import ProvidersManager

manager = ProvidersManager()
hook = manager.hooks["itnio"]
manager.initialize_providers_extra_links()
print("RESULT", json.dumps({
    "class": hook.hook_class_name,
    "name": hook.hook_name,
    "conn_id": hook.connection_id_attribute_name,
    "links": [link for link in manager.extra_links_class_names if "itnio" in link],
    "fields": [name for name in manager.connection_form_widgets if "itnio" in name],
    "behaviour": manager.field_behaviours["itnio"],
}))
"""
    run = airflow(program=program)
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    found = json.loads(line.removeprefix("RESULT "))
    assert found["class"] == "airflow_provider_itnio.hooks.itnio.ItnioHook"
    assert (found["name"], found["conn_id"]) == ("Itniotech WhatsApp", "itnio_conn_id")
    assert found["links"] == ["airflow_provider_itnio.links.whatsapp.OpenChatLink"]
    names = get_provider_info()["connection-types"][0]["conn-fields"]
    assert set(found["fields"]) == {f"extra__itnio__{name}" for name in names}
    assert found["behaviour"]["relabeling"]["login"] == "Api-Key"
    other = run.stdout.replace(line, "") + run.stderr
    assert "itnio" not in other


class TestConnectionsTest:
    def test_a_valid_connection_succeeds(self, airflow, sandbox):
        env = {"AIRFLOW_CONN_ITNIO_DEFAULT": sandbox.connection_json()}
        run = airflow("connections", "test", "itnio_default", env=env)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "Connection success!" in run.stdout
        assert [request.path for request in sandbox.requests] == ["/sms/getBalance"]
        assert sandbox.messages == []
        assert sandbox.secret not in run.stdout + run.stderr

    def test_a_wrong_secret_fails_and_says_what_to_do(self, airflow, sandbox):
        fields = json.loads(sandbox.connection_json()) | {"password": "wrongSecretOfTests"}
        run = airflow(
            "connections", "test", "itnio_default", env={"AIRFLOW_CONN_ITNIO_DEFAULT": json.dumps(fields)}
        )
        shown = " ".join(run.stdout.split())
        assert "Connection failed!" in shown
        assert "check the connection's Api-Key (login) and secret (password)" in shown
        assert "wrongSecretOfTests" not in run.stdout + run.stderr


@pytest.fixture(scope="module")
def imported():
    """Import in a new process what a DAG file imports, then the whole package and the DAGs."""
    program = """
import json, pkgutil, runpy, sys, warnings
from airflow.providers.common.compat.sdk import (
    DAG, AirflowFailException, BaseHook, BaseOperator, BaseOperatorLink, XCom, mask_secret,
)
before = set(sys.modules)
import airflow_provider_itnio.hooks.itnio
import airflow_provider_itnio.links.whatsapp
import airflow_provider_itnio.messages
import airflow_provider_itnio.operators.whatsapp
import airflow_provider_itnio.operators.whatsapp_broadcast
further = set(sys.modules) - before
for name in further:
    if name.startswith("airflow_provider_itnio"):
        del sys.modules[name]
import airflow.models.dagbag
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import airflow_provider_itnio as package
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if "sandbox" not in module.name:
            __import__(module.name)
    for path in sys.argv[1:]:
        runpy.run_path(path)
warned = [
    f"{warning.filename} {warning.category.__name__} {warning.message}"
    for warning in caught
    if "airflow_provider_itnio" in warning.filename or warning.filename in sys.argv[1:]
]
imported = [name for name in sys.modules if name.startswith("airflow_provider_itnio.")]
print(json.dumps({"further": [*further], "warned": warned, "imported": imported}))
"""
    command = [sys.executable, "-c", program, *(HERE / "dags").glob("*.py")]
    return json.loads(subprocess.check_output(command, text=True).splitlines()[-1])


def test_importing_the_package_and_a_dag_raises_no_warning(imported):
    assert len(imported["imported"]) > 10
    assert imported["warned"] == []


def test_a_dag_file_imports_no_other_package(imported):
    further = {*imported["further"]}
    known = {*sys.stdlib_module_names, "airflow_provider_itnio"}
    assert "airflow_provider_itnio.operators.whatsapp" in further
    assert {name.partition(".")[0] for name in further} <= known
    assert not {"airflow_provider_itnio.api.models", "airflow_provider_itnio.api.client"} & further


def test_a_dag_can_be_serialized_and_deserialized(airflow):
    """Builders return plain dicts, so they are serialized; the operators need not be importable."""
    program = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("every_way", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if sys.argv[2] == "2":
    from airflow.serialization.serialized_objects import SerializedDAG as Stored
else:
    from airflow.serialization.serialized_objects import DagSerialization as Stored
written = json.loads(json.dumps(Stored.to_dict(module.dag)))
read = Stored.from_dict(written)
original, buttons = (dag.get_task("buttons") for dag in (module.dag, read))
mapped = read.get_task("mapped")
print("RESULT", json.dumps({
    "tasks": sorted(read.task_ids) == sorted(module.dag.task_ids),
    "interactive": buttons.interactive == original.interactive,
    "fields": list(buttons.template_fields) == list(original.template_fields),
    "partial": mapped.partial_kwargs["text"] == "Hi from {{ shop }}",
    "upstream": sorted(read.get_task("upstream_menu").upstream_task_ids),
    "links": list(buttons.operator_extra_link_dict),
}))
"""
    run = airflow(f"{HERE}/dags/every_way.py", "2" if AIRFLOW_2 else "3", program=program)
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert json.loads(line.removeprefix("RESULT ")) == {
        "tasks": True,
        "interactive": True,
        "fields": True,
        "partial": True,
        "upstream": ["load"],
        "links": ["Open chat in your WhatsApp"],
    }


def test_a_mistake_in_a_dag_file_is_an_import_error_of_that_file(airflow, tmp_path):
    (tmp_path / "wrong.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        "from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator\n"
        "with DAG('wrong', schedule=None):\n"
        "    WhatsAppSendOperator(task_id='tell', recipient='+86 147-1800-4557', text='x' * 4097)\n"
    )
    program = """
import sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(*bag.import_errors.values())
"""
    run = airflow(str(tmp_path), program=program)
    assert "InvalidMessageError: task 'tell': text.body: at most 4096 characters, 4097 given" in run.stdout, (
        run.stderr
    )
