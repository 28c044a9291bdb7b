"""Results of the DAGs in ``dags``, run by real Airflow in one process."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from airflow_provider_itnio.sandbox import Sandbox

HERE = Path(__file__).parent
API_KEY = "keyOfTheSystemTests"
SECRET = "secretOfTheSystemTests"

# Faults for messages to these numbers, in the order of requests.
FAULTS = {
    "8610000000031": {"http_status": 503},
    "8610000000032": {"status": -18},
    "8610000000033": {"status": -69, "count": 9},
    "8610000000034": {"drop": "after_accepting"},
    "8610000000035": {"drop": "before_accepting"},
}


class Seen:
    """The results of a run: in Airflow, in its log and at Itniotech."""

    def __init__(self, results, log, sandbox):
        self.results = results
        self.log = log
        self.sandbox = sandbox
        self.tasks = results["every_way"]["tasks"]
        self.native = results["native"]["tasks"]

    def requests_to(self, number):
        return [request for request in self.sandbox.requests if request.body["recipient"] == number]

    def message_of(self, task, tasks=None):
        """Return the message of a task's receipt."""
        receipt = (tasks or self.tasks)[task]["xcom"]
        (message,) = [one for one in self.sandbox.messages if one.id == receipt["message_id"]]
        assert (message.recipient, message.type) == (receipt["recipient"], receipt["type"])
        return message

    def ended(self, task, state, tries):
        entry = self.tasks[task]
        return (entry["state"], entry["try"]) == (state, tries)


class SeenData:
    """The results of ``dags/data.py``."""

    def __init__(self, results, log, sandbox):
        self.log = log
        self.sandbox = sandbox
        self.tasks = results["data"]["tasks"] | {
            f"native.{name}": entry for name, entry in results["native_data"]["tasks"].items()
        }

    def message_of(self, task):
        receipt = self.tasks[task]["xcom"]
        (message,) = [one for one in self.sandbox.messages if one.id == receipt["message_id"]]
        return message

    def texts_of(self, task, count):
        return [self.message_of(f"{task}[{index}]").text for index in range(count)]

    def state_of(self, task):
        return self.tasks[task]["state"], self.tasks[task]["try"]


@pytest.fixture(scope="session")
def runs(airflow, tmp_path_factory):
    results = tmp_path_factory.mktemp("run") / "results.json"
    with (
        Sandbox(api_key=API_KEY, secret=SECRET, open_windows=True) as sandbox,
        Sandbox(secret=SECRET) as for_data,
        socket.socket() as deaf,
    ):
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
        env["DEFAULT_OF_data"] = for_data.connection_json()
        dags = [HERE / "dags" / f"{name}.py" for name in ("every_way", "native", "data")]
        program = (HERE / "run_dags.py").read_text()
        run = airflow(*map(str, (results, *dags)), program=program, env=env)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    # The supervisor of dag.test() logs the values to mask; a worker's does not.
    log = "\n".join(line for line in (run.stdout + run.stderr).splitlines() if "MaskSecret(" not in line)
    return json.loads(results.read_text()), log, sandbox, for_data


@pytest.fixture(scope="session")
def seen(runs):
    results, log, sandbox, _ = runs
    return Seen(results, log, sandbox)


@pytest.fixture(scope="session")
def seen_data(runs):
    results, log, _, sandbox = runs
    return SeenData(results, log, sandbox)
