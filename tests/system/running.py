"""A complete Airflow that runs ``running_dags``, and the tests' scenarios, which run concurrently."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from scripts.running_airflow import PAGE, PARTS, RunningAirflow, airflow_environment
from scripts.running_receiver import RunningReceiver, with_receiver
from tests.system.slow_server import SlowServer

# As in docs/alerts.md, except for the number, and for other tests' DAGs, which send no alert.
CLUSTER_POLICY = """\
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

ON_CALL = WhatsAppNotifier(recipients=["+86 1000 0000 60"])


def task_policy(task):
    if task.dag_id not in ("failing", "own_words"):
        return
    own = task.on_failure_callback or []
    task.on_failure_callback = [*(own if isinstance(own, (list, tuple)) else [own]), ON_CALL]
"""


ALERT_LIMIT = 8
"""Alerts to one recipient in ten minutes: lower than the default, so that alerts are held back sooner."""


@dataclass
class Running:
    """Airflow, the servers that its alerts and tasks send to, and the scenarios' results."""

    airflow: RunningAirflow
    alerts: Sandbox
    tasks: Sandbox
    faulty: Sandbox
    waiting: Sandbox
    asking: Sandbox
    slow: SlowServer
    place: Path
    dags: Path
    results: dict[str, Future[Any]] = field(default_factory=dict)

    def kill(self, task_id: str, sign: int = signal.SIGKILL) -> None:
        """Send a signal to the process of a task that left its id in ``place``."""
        os.kill(int((self.place / f"{task_id}.pid").read_text()), sign)

    def texts_to(self, number: str) -> list[str]:
        return [message.text for message in self.tasks.sent_to(number)]

    def to_numbers_with(self, start: str) -> Counter[str]:
        """Count the messages to each number with this prefix."""
        return Counter(one.recipient for one in self.tasks.messages if one.recipient.startswith(start))

    def is_asked_for(self, number: str) -> bool:
        """Return whether there was a request for a number, answered or not."""
        return any(request.body["recipient"] == number for request in self.tasks.requests)


class NotInTimeError(AssertionError):
    """A condition that a test waited for did not become true in time."""


def until(what: Callable[[], Any], seconds: float = 240, every: float = 0.2) -> Any:
    """Wait until a function returns a true value, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise NotInTimeError(what)
        time.sleep(every)
    return found


_scenarios: dict[str, tuple[Callable[[Running], Any], tuple[str, ...]]] = {}


def scenario(*, after: tuple[str, ...] = ()) -> Callable[[Callable[[Running], Any]], Any]:
    """Run a function with all other scenarios once Airflow runs; its fixture returns the result.

    :param after: scenarios that must have ended before, if they run.
    """

    def made(run: Callable[[Running], Any]) -> Any:
        _scenarios[run.__name__] = run, after

        @pytest.fixture(scope="module", name=run.__name__)
        def result(running: Running) -> Any:
            return running.results[run.__name__].result()

        return result

    return made


def begin_scenarios(running: Running, items: Iterable[pytest.Item], threads: ThreadPoolExecutor) -> None:
    """Start the scenarios that tests wait for."""
    wanted = {
        name
        for item in items
        if not any(mark.args[0] for mark in item.iter_markers("skipif"))
        for name in getattr(item, "fixturenames", ())
    }

    are_all_there = Event()

    def run(name: str) -> Any:
        are_all_there.wait()
        play, after = _scenarios[name]
        wait([running.results[other] for other in after if other in running.results])
        return play(running)

    for name in _scenarios:
        if name in wanted:
            running.results[name] = threads.submit(run, name)
    are_all_there.set()


@contextmanager
def running_airflow(home: Path, place: Path, items: Iterable[pytest.Item]) -> Iterator[Running]:
    """Run Airflow, and the scenarios that tests wait for, until the end of the block."""
    dags = Path(shutil.copytree(Path(__file__).parent / "running_dags", home / "dags"))
    policy = home / "config" / "airflow_local_settings.py"
    policy.parent.mkdir()
    policy.write_text(CLUSTER_POLICY)
    with (
        Sandbox() as alerts,
        Sandbox(keep=100_000) as tasks,
        Sandbox(keep=100_000) as faulty,
        RunningReceiver(place) as receiver,
        Sandbox(webhook=receiver.push_url) as waiting,
        Sandbox(webhook=receiver.push_url, open_windows=True) as asking,
        SlowServer() as slow,
        ThreadPoolExecutor(len(_scenarios) or 1) as threads,
    ):
        to_tasks = json.loads(tasks.connection_json())
        environment = airflow_environment(
            home,
            dags,
            {
                "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
                "AIRFLOW_CONN_ITNIO_DEFAULT": alerts.connection_json(),
                "AIRFLOW_CONN_ITNIO_TASKS": json.dumps(to_tasks),
                "AIRFLOW_CONN_ITNIO_FAULTY": faulty.connection_json(),
                "AIRFLOW_CONN_ITNIO_WAITING": with_receiver(waiting, receiver),
                "AIRFLOW_CONN_ITNIO_ASKING": with_receiver(asking, receiver),
                "AIRFLOW_CONN_ITNIO_SLOW": json.dumps(to_tasks | {"host": slow.url}),
                "PLACE_OF_TASKS": str(place),
                "AIRFLOW__ITNIO__ALERT_LIMIT": f"{ALERT_LIMIT}",
                "AIRFLOW__ITNIO__ALERT_RECIPIENTS": '{"tag:by_policy": ["+86 1000 0000 70"]}',
            },
        )
        with RunningAirflow(environment, home / "airflow.log", parts=PARTS + PAGE[-1:]) as airflow:
            running = Running(airflow, alerts, tasks, faulty, waiting, asking, slow, place, dags)
            begin_scenarios(running, items, threads)
            yield running
