"""A logger that never raises."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any


class NeverRaisingLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that drops a line if a handler fails, and never raises.

    An accepted message can't be taken back, so a failed log line must not fail the task.

    :param name: the logger's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name))

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line. The parameters are those of :meth:`logging.Logger.log`."""
        with suppress(Exception):
            super().log(level, msg, *args, **{"stacklevel": 2} | kwargs)
