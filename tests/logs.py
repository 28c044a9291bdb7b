"""The package's log, as tests look at it and let it fail."""

from __future__ import annotations

import logging
from contextlib import contextmanager


class FullDisk(logging.Handler):
    """A handler to which no line of the package can be written; the sandbox's can."""

    def emit(self, record):
        if "airflow_provider_itnio" in record.pathname and "sandbox" not in record.pathname:
            raise OSError("No space left on device")


@contextmanager
def lines_go_to(handler):
    """Let a handler get all lines of the package from INFO on."""
    package = logging.getLogger("airflow_provider_itnio")
    before = package.level
    package.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        package.setLevel(before)
