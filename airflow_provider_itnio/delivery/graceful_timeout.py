"""``execution_timeout`` where a message may just have been accepted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self, TypeVar

_PATIENCE: Final = 1.0
"""Seconds that a call which blocks is given once the time is over."""

Result = TypeVar("Result")


class TimeIsOverError(TimeoutError):
    """A call that blocks was ended, since the task's ``execution_timeout`` is over."""


class _EndOfCall(BaseException):
    """Ends a call wherever it is. No ``Exception``: the call might take it for a reason to try otherwise."""


class GracefulTimeout:
    """Takes the place of Airflow's own handler of ``execution_timeout`` within a ``with`` block.

    Airflow raises ``AirflowTaskTimeout`` wherever the task happens to be. Between an acceptance and its
    record, a retry of the task would then message people again. In the block the end of the time is only
    noted, and told to :attr:`on_timeout`; but a call made through :meth:`call` is ended where it blocks.

    Without an ``execution_timeout``, or outside of the main thread, it does nothing.
    """

    def __init__(self) -> None:
        self.is_over = False
        """Whether the time is over."""
        self.on_timeout: Callable[[], None] = lambda: None
        """Called when it is, in the middle of whatever runs; it may raise."""
        self._airflows: Any = None
        self._call = 0
        self._is_in_call = False
        self._call_before: int | None = None

    def __enter__(self) -> Self:
        """Begin the block."""
        airflows = signal.getsignal(signal.SIGALRM)
        if callable(airflows) and threading.current_thread() is threading.main_thread():
            self._airflows = airflows
            signal.signal(signal.SIGALRM, self._on_alarm)
        return self

    def __exit__(self, *error: object) -> None:
        """End the block."""
        if self._airflows is not None:
            if self.is_over:
                signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._airflows)

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call what may block and may be ended; once the time is over, it is given a second, at most two.

        :raises TimeIsOverError: if it took longer; it may have done its work anyway.
        """
        try:
            self._call += 1
            self._is_in_call = True
            return function(*args)
        except _EndOfCall:
            raise TimeIsOverError("the task's execution_timeout is over") from None
        finally:
            self._is_in_call = False

    @contextmanager
    def as_airflow_does(self) -> Iterator[None]:
        """Raise ``AirflowTaskTimeout`` within a block in it, wherever the task is."""

        def raise_as_airflow_does() -> None:
            self._airflows(signal.SIGALRM, None)

        before, self.on_timeout = self.on_timeout, raise_as_airflow_does
        try:
            if self.is_over:
                raise_as_airflow_does()
            yield
        finally:
            self.on_timeout = before

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)  # again and again: a later call may block too
        call_before, self._call_before = self._call_before, self._call if self._is_in_call else None
        if not self.is_over:
            self.is_over = True
            self.on_timeout()
        elif self._is_in_call and self._call == call_before:
            raise _EndOfCall
