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

from airflow_provider_itnio.notifications.alert_state import shared_folder, state_lock

_ABANDONED_AFTER: Final = 30.0
"""The age of a file whose process has ended without removing it."""


def answer_batched(
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
    request_path = (folder or Path()) / f"{uuid4().hex}.request"
    answer_path = request_path.with_suffix(".answer")
    is_written = False
    try:
        if folder is not None:
            with suppress(OSError):  # it is counted alone
                _write_atomically(request_path, request)
                is_written = True
        with state_lock(seconds, lambda: is_written and not request_path.exists()) as has_lock:
            # Who removes a request decides: its answer is final, or its process does not wait for it.
            was_removed = _remove(request_path)
            if has_lock or not was_removed:
                with suppress(FileNotFoundError):
                    return answer_path.read_text()
            if not has_lock:  # without a turn, the counts of others could be lost
                return None
            others = _waiting_requests(folder) if folder is not None else {}
            own_answer, *rest = answer_all([request, *others.values()])
            if unread := [text for path, text in zip(others, rest, strict=True) if not _give(path, text)]:
                undo(unread)
            return own_answer
    finally:
        with suppress(OSError):
            request_path.unlink(missing_ok=True)
            answer_path.unlink(missing_ok=True)


def _give(request: Path, text: str) -> bool:
    """Write the answer to a request, and return whether its process still waits for it."""
    answer_path = request.with_suffix(".answer")
    with suppress(OSError):
        _write_atomically(answer_path, text)
        if _remove(request):
            return True
        answer_path.unlink(missing_ok=True)
    return False


def _remove(path: Path) -> bool:
    """Remove a file, and return whether it was there."""
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _waiting_requests(folder: Path) -> dict[Path, str]:
    """Return the waiting requests of others, and remove what ended processes have left."""
    requests: dict[Path, str] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # its process has removed it
                if path.name != "lock" and time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                    path.unlink()
                elif path.suffix == ".request":
                    requests[path] = path.read_text()
    return requests


def _write_atomically(path: Path, text: str) -> None:
    """Write a file that no one sees before it is complete."""
    temporary = path.with_suffix(".unfinished")
    temporary.write_text(text)
    temporary.replace(path)
