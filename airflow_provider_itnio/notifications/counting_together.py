"""Counts the alerts of all waiting processes of a machine with one read and one write of the Variable.

If each of many processes that alert at once had its own turn, most would wait longer than an alert may.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from airflow_provider_itnio.notifications.alert_state import shared_folder, taking_turns

_LEFT_SECONDS: Final = 30.0
"""The age of a file whose process has ended without removing it."""


def answer_together(
    request: str,
    answer_all: Callable[[Sequence[str]], list[str]],
    undo: Callable[[Sequence[str]], None],
    seconds: float,
) -> str | None:
    """Answer a request, and those of other processes that wait for their turn, or get it answered by them.

    :param request: what is asked for, as a text that other processes understand.
    :param answer_all: changes the Variable, and returns an answer to each of several requests.
    :param undo: undoes answers whose processes no longer wait for them.
    :param seconds: how long to wait for other processes.
    :return: the answer to ``request``, ``None`` if other processes took too long.
    :raises BaseException: what ``answer_all`` raises.
    """
    folder = shared_folder()
    own = (folder or Path()) / f"{uuid4().hex}.request"
    answer = own.with_suffix(".answer")
    is_asked = False
    try:
        if folder is not None:
            with suppress(OSError):  # it is counted alone
                _write(own, request)
                is_asked = True
        with taking_turns(seconds, lambda: is_asked and not own.exists()) as is_turn:
            # Who removes a request decides: its answer is final, or its process does not wait for it.
            no_longer_waits = _remove(own)
            if is_turn or not no_longer_waits:
                with suppress(FileNotFoundError):
                    return answer.read_text()
            if not is_turn:  # without a turn, the counts of others could be lost
                return None
            others = _others(folder) if folder is not None else {}
            given, *rest = answer_all([request, *others.values()])
            if left := [text for path, text in zip(others, rest, strict=True) if not _give(path, text)]:
                undo(left)
            return given
    finally:
        with suppress(OSError):
            own.unlink(missing_ok=True)
            answer.unlink(missing_ok=True)


def _give(request: Path, text: str) -> bool:
    """Write the answer to a request, and return whether its process still waits for it."""
    answer = request.with_suffix(".answer")
    with suppress(OSError):
        _write(answer, text)
        if _remove(request):
            return True
        answer.unlink(missing_ok=True)
    return False


def _remove(path: Path) -> bool:
    """Remove a file, and return whether it was there."""
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _others(folder: Path) -> dict[Path, str]:
    """Return the waiting requests of others, and remove what ended processes have left."""
    found: dict[Path, str] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # its process has removed it
                if path.name != "lock" and time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                    path.unlink()
                elif path.suffix == ".request":
                    found[path] = path.read_text()
    return found


def _write(path: Path, text: str) -> None:
    """Write a file that no one sees before it is complete."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.replace(path)
