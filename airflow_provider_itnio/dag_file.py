"""Errors of what is written in a DAG file end at its own line, whatever was called in between."""

from __future__ import annotations

import sys
from types import FrameType, TracebackType
from typing import Final, TypeVar

ErrorType = TypeVar("ErrorType", bound=BaseException)

_SHOWN: Final = 2
"""Frames of an import error that Airflow shows unless told otherwise, the innermost ones."""

_DAG_FILE: Final = "unusual_prefix_"
"""How Airflow, from 2.11 to 3.3, begins the name of the module that it makes of a DAG file."""


def ending_at_dag_file(error: ErrorType) -> ErrorType:
    """Let an error's traceback end at the lines of the DAG file that led to it.

    Airflow's page of import errors shows the last two frames of a traceback, which would be this package's
    and Airflow's own. They stay in the traceback, before the lines of the DAG file.

    :return: the same error.
    """
    trace: TracebackType | None = None
    for frame in _frames_of_dag_file():
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
    return error.with_traceback(trace)


def _frames_of_dag_file() -> list[FrameType]:
    """Return the two innermost frames that are neither Airflow's nor this package's, the innermost first.

    The second is the DAG file's own where both would be those of a module that it imports.
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
