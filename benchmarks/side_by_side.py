"""Measure two ways of doing the same in alternating blocks, and print a table of the results."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

from benchmarks.local_server import ROOT

__all__ = [
    "AS_JSON",
    "Figure",
    "airflow_of_its_own",
    "cpu_in_forks",
    "cpu_in_turns",
    "describe",
    "figure",
    "in_new_process",
    "machine",
    "main",
    "table",
]

AS_JSON: Final = "--json"
"""The argument that makes a benchmark print its figures as JSON in the last line."""

_home = tempfile.TemporaryDirectory(prefix="itnio-benchmark-")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    :param what: what was measured.
    :param cost: its cost, with the unit.
    :param against: the alternative, or ``""``.
    :param against_cost: the alternative's cost, with the unit.
    :param ratio: the median over the blocks of the ratio of both costs; ``None`` without an alternative.
    :param target: the target in words; ``""`` if there is none.
    :param met: whether the target is met; ``None`` without a target.
    """

    what: str
    cost: str
    against: str = ""
    against_cost: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


def airflow_of_its_own() -> None:
    """Set a new Airflow home for this process, and remove proxies, which change the cost of a request.

    Call it before Airflow is imported. Logging is off, since the alternatives log nothing; set
    ``AIRFLOW__LOGGING__LOGGING_LEVEL=INFO`` in the environment to include it.
    """
    own = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in [name for name in os.environ if name.lower() in own or name.startswith("AIRFLOW_CONN_")]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = _home.name
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


def cpu_in_turns(
    ways: Mapping[str, Callable[[], object]], *, blocks: int, calls: int
) -> dict[str, list[float]]:
    """Measure this process's CPU time for several functions, in alternating blocks.

    :param ways: the functions by name. Each is first called a few times without measurement.
    :param blocks: blocks per function.
    :param calls: calls per block.
    :return: microseconds per call, one entry for each block.
    """
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for call in ways.values():
        for _ in range(3):
            call()
    for _ in range(blocks):
        for name, call in ways.items():
            # Do not count effects of the previous function, such as a cold cache.
            call()
            start = time.process_time_ns()
            for _ in range(calls):
                call()
            costs[name].append((time.process_time_ns() - start) / calls / 1000)
    return costs


def cpu_in_forks(ways: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Measure the cost of the first call in a new process, forked from this one as Airflow forks its tasks.

    :param ways: the functions by name, each called once per process. They alternate.
    :param rounds: processes per function.
    :return: microseconds, one entry for each process.
    """
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            costs[name].append(_cpu_in_fork(call))
    return costs


def _cpu_in_fork(call: Callable[[], object]) -> float:
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            start = time.process_time_ns()
            call()
            os.write(sender, str((time.process_time_ns() - start) / 1000).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(sender)
    with open(receiver) as answer:
        cost = answer.read()
    os.waitpid(child, 0)
    if not cost:
        raise RuntimeError("the forked process failed")
    return float(cost)


def in_new_process(program: str, *arguments: str) -> Any:
    """Run a program in a new process, at the root of the repository.

    :param program: its source code; its last line of output is JSON.
    :param arguments: its ``sys.argv``.
    :return: the parsed JSON.
    """
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def figure(
    what: tuple[str, Sequence[float]],
    against: tuple[str, Sequence[float]],
    *,
    unit: str,
    at_most: float | None = None,
) -> Figure:
    """Compare two ways.

    :param what: a name and its costs, one for each block.
    :param against: the name and costs of the alternative, one for each block.
    :param unit: the costs' unit.
    :param at_most: the largest ratio that meets the target.
    """
    ratio = statistics.median(cost / other for cost, other in zip(what[1], against[1], strict=True))
    return Figure(
        what[0],
        describe(what[1], unit),
        against[0],
        describe(against[1], unit),
        ratio,
        "" if at_most is None else f"at most {at_most:.2f}",
        None if at_most is None else ratio <= at_most,
    )


def describe(costs: Sequence[float], unit: str) -> str:
    """Return the median of costs with the unit.

    :param costs: one for each block.
    :param unit: their unit.
    """
    median = statistics.median(costs)
    return f"{median:,.0f} {unit}" if median >= 100 else f"{median:.3g} {unit}"


def machine() -> str:
    """Describe this machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, Airflow {version('apache-airflow')}, "
        f"requests {version('requests')}, pydantic {version('pydantic')}; "
        f"load before the run {os.getloadavg()[0]:.1f}"
    )


def table(figures: Sequence[Figure]) -> str:
    """Return figures as a Markdown table that is also readable as plain text.

    :param figures: its lines.
    """
    head = ("what", "cost", "against", "its cost", "ratio", "target", "met")
    rows = [
        head,
        *(
            (
                line.what,
                line.cost,
                line.against,
                line.against_cost,
                _describe_ratio(line.ratio),
                line.target,
                {True: "yes", False: "NO", None: ""}[line.met],
            )
            for line in figures
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _describe_ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"


def main(measure: Callable[[], list[Figure]]) -> None:
    """Run one benchmark and print its figures.

    :param measure: the benchmark.
    """
    described = machine()
    figures = measure()
    if AS_JSON in sys.argv[1:]:
        print(json.dumps([asdict(line) for line in figures]))
    else:
        print(f"{described}\n\n{table(figures)}")
