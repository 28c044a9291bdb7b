"""Let runs take turns: each changes the environment of the process, and how Airflow looks up XComs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["environment", "turn"]

MAX_RUN_TIME = 300.0
"""Seconds after which a waiting run gives up, if no run has ended."""


class _RunLock:
    """The turns of concurrent runs: those of a test, or those started by the run ``outer``."""

    def __init__(self, outer: _RunLock | None = None) -> None:
        self.outer = outer
        self.lock = threading.Lock()
        self.taken = 0
        self.has_ended = False

    def wait(self) -> None:
        """Wait for the next turn, and take it."""
        taken = self.taken
        while not self.lock.acquire(timeout=MAX_RUN_TIME):
            if taken == self.taken:
                raise RuntimeError(
                    f"execute, alert: another run has been active for {MAX_RUN_TIME:.0f} s. If that run has "
                    "started this thread and waits for it, start the thread with "
                    "contextvars.copy_context().run, as asyncio.to_thread does"
                )
            taken = self.taken
        self.taken += 1


_OUTERMOST = _RunLock()
_TURNS: ContextVar[_RunLock | None] = ContextVar("_TURNS", default=None)


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other run is active, except the run that has started this one, in any thread."""
    turns = _acquire()
    inner = _RunLock(turns)
    token = _TURNS.set(inner)
    try:
        yield
    finally:
        _TURNS.reset(token)
        try:
            inner.wait()  # runs that this one has started in other threads end first
            inner.has_ended = True
            inner.lock.release()
        finally:
            turns.lock.release()


def _acquire() -> _RunLock:
    """Take a turn within the run that has started this one; if that has ended, within its outer run."""
    turns = _TURNS.get() or _OUTERMOST
    while True:
        while turns.has_ended and turns.outer:
            turns = turns.outer
        turns.wait()
        if not turns.has_ended:
            return turns
        turns.lock.release()


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables; then restore those of Airflow's tasks and variables, and no others."""
    before = _airflow_variables()
    try:
        os.environ.update(variables)
        yield
    finally:
        for name in _airflow_variables().keys() - before:
            del os.environ[name]
        os.environ.update(before)


def _airflow_variables() -> dict[str, str]:
    prefixes = ("AIRFLOW_CTX_", "AIRFLOW_VAR_")
    return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
