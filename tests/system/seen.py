"""Two DAGs as they ran in real Airflow: ``dags/every_way.py`` and ``dags/native.py``."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from airflow_provider_itnio.sandbox import Sandbox

HERE = Path(__file__).parent
API_KEY = "keyOfTheSystemTests"
SECRET = "secretOfTheSystemTests"

# What happens to the messages to these numbers, in the order of requests.
FAULTS = {
    "8610000000031": {"http_status": 503},
    "8610000000032": {"status": -18},
    "8610000000033": {"status": -69, "count": 9},
    "8610000000034": {"drop": "after_accepting"},
    "8610000000035": {"drop": "before_accepting"},
}


class Seen:
    """What a run has left behind, in Airflow, in its log and at Itniotech."""

    def __init__(self, results, log, sandbox):
        self.results = results
        self.log = log
        self.sandbox = sandbox
        self.tasks = results["every_way"]["tasks"]
        self.native = results["native"]["tasks"]

    def requests_to(self, number):
        return [request for request in self.sandbox.requests if request.body["recipient"] == number]

    def message_of(self, task, tasks=None):
        """Give the message that a task's receipt is about."""
        receipt = (tasks or self.tasks)[task]["xcom"]
        (message,) = [one for one in self.sandbox.messages if one.id == receipt["message_id"]]
        assert (message.recipient, message.type) == (receipt["recipient"], receipt["type"])
        return message

    def ended(self, task, state, tries):
        entry = self.tasks[task]
        return (entry["state"], entry["try"]) == (state, tries)


@pytest.fixture(scope="session")
def seen(airflow, python, tmp_path_factory):
    results = tmp_path_factory.mktemp("run") / "results.json"
    with Sandbox(api_key=API_KEY, secret=SECRET, open_windows=True) as sandbox, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        for number, fault in FAULTS.items():
            sandbox.fail_next(**fault, recipient=number)
        plain = json.loads(sandbox.connection_json())
        hasty = plain | {"extra": plain["extra"] | {"max_attempts": 1}}
        connections = {
            "DEFAULT": plain,
            "HASTY": hasty,
            "UNREACHABLE": hasty | {"host": f"http://127.0.0.1:{deaf.getsockname()[1]}"},
            "WITHOUT_SECRET": plain | {"password": ""},
        }
        env = {f"AIRFLOW_CONN_ITNIO_{name}": json.dumps(value) for name, value in connections.items()}
        env["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "DEBUG"
        dags = [HERE / "dags" / "every_way.py", HERE / "dags" / "native.py"]
        run = python(HERE / "run_dags.py", results, *dags, env=env)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return Seen(json.loads(results.read_text()), run.stdout + run.stderr, sandbox)
