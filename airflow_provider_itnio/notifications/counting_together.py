"""Counts the alerts of all waiting processes of a machine with one read and one write of the Variable.

If each of many processes that alert at once had its own turn, most would wait longer than an alert may.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from airflow_provider_itnio.notifications.alert_state import local_path, taking_turns

_LEFT_SECONDS: Final = 30.0
"""The age of a file whose process has ended without removing it."""


def answer_together(
    request: str, answer_all: Callable[[Sequence[str]], list[str]], seconds: float
) -> str | None:
    """Answer a request, and those of other processes that wait for their turn, or get it answered by them.

    :param request: what is asked for, as a text that other processes understand.
    :param answer_all: changes the Variable, and returns an answer to each of several requests.
    :param seconds: how long to wait for other processes.
    :return: the answer to ``request``, ``None`` if other processes took too long.
    :raises BaseException: what ``answer_all`` raises.
    """
    folder = _folder()
    own = (folder or Path()) / f"{uuid4().hex}.request"
    answer = own.with_suffix(".answer")
    try:
        if folder is not None:
            with suppress(OSError):  # it is counted alone
                _write(own, request)
        with taking_turns(seconds, answer.exists) as is_turn:
            with suppress(FileNotFoundError):
                return answer.read_text()
            if not is_turn:  # without a turn, the counts of others could be lost
                return None
            own.unlink(missing_ok=True)
            others = _others(folder) if folder is not None else {}
            given, *rest = answer_all([request, *others.values()])
            for path, text in zip(others, rest, strict=True):
                with suppress(OSError):  # that process is left to count by itself
                    _write(path.with_suffix(".answer"), text)
                    path.unlink()
            return given
    finally:
        with suppress(OSError):
            own.unlink(missing_ok=True)
            answer.unlink(missing_ok=True)


def _folder() -> Path | None:
    """Return the folder of the requests, ``None`` if it can't be used or belongs to someone else."""
    with suppress(OSError):
        folder = local_path("")
        folder.mkdir(0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            return folder
    return None


def _others(folder: Path) -> dict[Path, str]:
    """Return the waiting requests of others, and remove what ended processes have left."""
    found: dict[Path, str] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # its process has removed it
                if time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                    path.unlink()
                elif path.suffix == ".request":
                    found[path] = path.read_text()
    return found


def _write(path: Path, text: str) -> None:
    """Write a file that no one sees before it is complete."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.replace(path)
