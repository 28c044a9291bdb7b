"""``execution_timeout`` as an event loop can take it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["graceful_timeout"]


@contextmanager
def graceful_timeout(stop: Callable[[], None]) -> Iterator[None]:
    """Let ``execution_timeout`` stop the event loop's work in good order.

    Airflow's own handler raises wherever the loop happens to be. To be entered in the loop.

    :param stop: called in the loop when the time is over.
    """
    airflows = signal.getsignal(signal.SIGALRM)
    if not callable(airflows) or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGALRM, stop)
    try:
        yield
    finally:
        # Between the two an alarm would end the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        loop.remove_signal_handler(signal.SIGALRM)
        signal.signal(signal.SIGALRM, airflows)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
