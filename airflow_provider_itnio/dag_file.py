"""Errors of what is written in a DAG file end at its own line, whatever was called in between."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final, TypeVar

__all__ = ["ending_at_dag_file"]

ErrorType = TypeVar("ErrorType", bound=BaseException)

_SHOWN: Final = 2
"""Frames of an import error that Airflow shows unless told otherwise, the innermost ones."""


def ending_at_dag_file(error: ErrorType) -> ErrorType:
    """Let an error's traceback end at the lines of the DAG file that led to it.

    Airflow's page of import errors shows the last two frames of a traceback, which would be this package's
    and Airflow's own. They stay in the traceback, before the lines of the DAG file.

    :param error: what is about to be raised.
    :return: the same error.
    """
    trace: TracebackType | None = None
    for frame in _frames_of_dag_file():
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
    return error.with_traceback(trace)


def _frames_of_dag_file() -> Iterator[FrameType]:
    """Give the innermost frames that are neither Airflow's nor this package's, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    found = 0
    while frame is not None and found < _SHOWN:
        module, _, _ = frame.f_globals.get("__name__", "").partition(".")
        if module == "importlib":
            return
        if module not in ("airflow", "airflow_provider_itnio"):
            yield frame
            found += 1
        frame = frame.f_back
