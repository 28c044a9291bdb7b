"""Runs take turns: each changes the environment of the whole process, and how Airflow looks up XComs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["environment", "turn"]

LONGEST_RUN = 300.0
"""After how many seconds without a turn for any other run a run that waits gives up."""


class _Turns:
    """The turns of runs beside each other: those of a test, or those that one run, ``outer``, has begun."""

    def __init__(self, outer: _Turns | None = None) -> None:
        self.outer = outer
        self.lock = threading.Lock()
        self.taken = 0
        self.is_over = False

    def wait(self) -> None:
        """Wait for the next turn, and take it."""
        taken = self.taken
        while not self.lock.acquire(timeout=LONGEST_RUN):
            if taken == self.taken:
                raise RuntimeError(
                    f"execute, alert: another one has been running for {LONGEST_RUN:.0f} s. If that has "
                    "begun this thread itself, and waits for it: begin it with "
                    "contextvars.copy_context().run, as asyncio.to_thread does"
                )
            taken = self.taken
        self.taken += 1


_OUTSIDE = _Turns()
_TURNS: ContextVar[_Turns | None] = ContextVar("_TURNS", default=None)


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other run is active, except the one that has begun this one, in whatever thread."""
    turns = _take()
    inner = _Turns(turns)
    token = _TURNS.set(inner)
    try:
        yield
    finally:
        _TURNS.reset(token)
        try:
            inner.wait()  # what this one has begun in other threads ends first
            inner.is_over = True
            inner.lock.release()
        finally:
            turns.lock.release()


def _take() -> _Turns:
    """Take a turn within the run that has begun this one; if that is over, within the one above it."""
    turns = _TURNS.get() or _OUTSIDE
    while True:
        while turns.is_over and turns.outer:
            turns = turns.outer
        turns.wait()
        if not turns.is_over:
            return turns
        turns.lock.release()


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have these variables, then put back those of Airflow's tasks and variables, and touch no others."""
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
