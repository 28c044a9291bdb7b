"""Handle ``execution_timeout`` without losing the outcome of a message in flight."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self, TypeVar

_PATIENCE: Final = 1.0
"""Seconds that a blocking call may still take after the timeout."""

Result = TypeVar("Result")


class TimeIsOverError(TimeoutError):
    """A blocking call was interrupted because of the task's ``execution_timeout``."""


class _EndOfCall(BaseException):
    """Interrupts a call. Not an ``Exception``, since code in the call may catch that and go on."""


class GracefulTimeout:
    """Replaces Airflow's handler of ``execution_timeout`` within a ``with`` block.

    Airflow raises ``AirflowTaskTimeout`` at any point of the task. If that is between the acceptance of a
    message and its record, a retry sends the message again. In the block, a timeout only sets :attr:`is_over`
    and calls :attr:`on_timeout`; only a call made through :meth:`call` is interrupted.

    Without an ``execution_timeout``, or outside of the main thread, it does nothing.
    """

    def __init__(self) -> None:
        self.is_over = False
        """Whether the task has timed out."""
        self.on_timeout: Callable[[], None] = lambda: None
        """Called on a timeout, from a signal handler; it may raise."""
        self._airflows: Any = None
        self._call = 0
        self._is_in_call = False
        self._call_before: int | None = None

    def __enter__(self) -> Self:
        """Replace the handler."""
        airflows = signal.getsignal(signal.SIGALRM)
        if callable(airflows) and threading.current_thread() is threading.main_thread():
            self._airflows = airflows
            signal.signal(signal.SIGALRM, self._on_alarm)
        return self

    def __exit__(self, *error: object) -> None:
        """Restore Airflow's handler."""
        if self._airflows is not None:
            if self.is_over:
                signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._airflows)

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function that may block. After a timeout it is interrupted within one to two seconds.

        :raises TimeIsOverError: if it was interrupted; it may have done its work anyway.
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
        """Restore Airflow's behaviour in a nested block: raise ``AirflowTaskTimeout`` at any point."""

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
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)  # repeat: a later call may block too
        call_before, self._call_before = self._call_before, self._call if self._is_in_call else None
        if not self.is_over:
            self.is_over = True
            self.on_timeout()
        elif self._is_in_call and self._call == call_before:
            raise _EndOfCall
