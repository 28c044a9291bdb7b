"""Log lines that can't undo what has happened."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any


class NeverRaisingLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines are lost where a handler fails, and never raise.

    A message that was accepted can't be taken back, whatever becomes of the line that says so.

    :param name: the logger's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name))

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line.

        :param level: its level.
        :param msg: its text, with ``%`` for each of the others.
        :param args: what stands there.
        :param kwargs: what :meth:`logging.Logger.log` takes.
        """
        with suppress(Exception):
            super().log(level, msg, *args, **{"stacklevel": 2} | kwargs)
