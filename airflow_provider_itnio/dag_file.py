"""Ends the traceback of an error in a DAG file at the line of the DAG file."""

from __future__ import annotations

import sys
from types import FrameType, TracebackType
from typing import Final, TypeVar

ErrorType = TypeVar("ErrorType", bound=BaseException)

_SHOWN: Final = 2
"""The number of innermost frames of an import error that Airflow shows by default."""

_DAG_FILE: Final = "unusual_prefix_"
"""The beginning of the module name that Airflow, from 2.11 to 3.3, gives a DAG file."""


def ending_at_dag_file(error: ErrorType) -> ErrorType:
    """End an error's traceback at the lines of the DAG file that caused it.

    Airflow's page of import errors shows the last two frames of a traceback. Without this, they would be
    frames of this package and of Airflow, which are kept before the lines of the DAG file.

    :return: the same error.
    """
    trace: TracebackType | None = None
    for frame in _frames_of_dag_file():
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
    return error.with_traceback(trace)


def _frames_of_dag_file() -> list[FrameType]:
    """Return the two innermost frames that are neither Airflow's nor this package's, the innermost first.

    If both are frames of a module that the DAG file imports, the second is replaced by the DAG file's frame.
    """
    frame: FrameType | None = sys._getframe(2)
    found: list[FrameType] = []
    is_imported = False
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        module, _, _ = name.partition(".")
        is_imported = is_imported or module == "importlib"
        if name.startswith(_DAG_FILE):
            found = [*found[: _SHOWN - 1], frame]
            if len(found) == _SHOWN:
                break
        elif module not in ("airflow", "airflow_provider_itnio") and not is_imported:
            found.append(frame)
        frame = frame.f_back
    return found[:_SHOWN]
