"""Handle ``execution_timeout`` without losing the outcome of a message in flight."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self, TypeVar

_INTERRUPT_DELAY: Final = 1.0
"""Seconds that a blocking call may still take after the timeout."""

Result = TypeVar("Result")


class CallInterruptedError(TimeoutError):
    """A blocking call was interrupted because of the task's ``execution_timeout``."""


class _CallInterrupt(BaseException):
    """Interrupts a call. Not an ``Exception``, since code in the call may catch that and go on."""


class GracefulTimeout:
    """Replaces Airflow's handler of ``execution_timeout`` within a ``with`` block.

    Airflow raises ``AirflowTaskTimeout`` at any point of the task. If that is between the acceptance of a
    message and its record, a retry sends the message again. In the block, a timeout only sets
    :attr:`has_timed_out` and calls :attr:`on_timeout`; only a call made through :meth:`call` is interrupted.

    Without an ``execution_timeout``, or outside of the main thread, it does nothing.
    """

    def __init__(self) -> None:
        self.has_timed_out = False
        """Whether the task has timed out."""
        self.on_timeout: Callable[[], None] = lambda: None
        """Called on a timeout, from a signal handler; it may raise."""
        self._airflow_handler: Any = None
        self._calls = 0
        self._is_calling = False
        self._alarm_call: int | None = None

    def __enter__(self) -> Self:
        """Replace the handler."""
        airflow_handler = signal.getsignal(signal.SIGALRM)
        if callable(airflow_handler) and threading.current_thread() is threading.main_thread():
            self._airflow_handler = airflow_handler
            signal.signal(signal.SIGALRM, self._on_alarm)
        return self

    def __exit__(self, *error: object) -> None:
        """Restore Airflow's handler."""
        if self._airflow_handler is not None:
            if self.has_timed_out:
                signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._airflow_handler)

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function that may block. After a timeout it is interrupted within one to two seconds.

        :raises CallInterruptedError: if it was interrupted; it may have done its work anyway.
        """
        try:
            self._calls += 1
            self._is_calling = True
            return function(*args)
        except _CallInterrupt:
            raise CallInterruptedError("the task's execution_timeout is over") from None
        finally:
            self._is_calling = False

    @contextmanager
    def airflow_behaviour(self) -> Iterator[None]:
        """Restore Airflow's behaviour in a nested block: raise ``AirflowTaskTimeout`` at any point."""

        def raise_airflow_timeout() -> None:
            self._airflow_handler(signal.SIGALRM, None)

        previous, self.on_timeout = self.on_timeout, raise_airflow_timeout
        try:
            if self.has_timed_out:
                raise_airflow_timeout()
            yield
        finally:
            self.on_timeout = previous

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, _INTERRUPT_DELAY)  # repeat: a later call may block too
        previous_call, self._alarm_call = self._alarm_call, self._calls if self._is_calling else None
        if not self.has_timed_out:
            self.has_timed_out = True
            self.on_timeout()
        elif self._is_calling and self._calls == previous_call:
            raise _CallInterrupt
