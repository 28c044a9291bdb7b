"""Handlers for the package's log lines in tests."""

from __future__ import annotations

import logging
from contextlib import contextmanager


class FullDisk(logging.Handler):
    """A handler that raises for every line of the package except the sandbox's."""

    def emit(self, record):
        if "airflow_provider_itnio" in record.pathname and "sandbox" not in record.pathname:
            raise OSError("No space left on device")


@contextmanager
def lines_go_to(handler):
    """Add a handler for the package's log lines at INFO or above."""
    package = logging.getLogger("airflow_provider_itnio")
    before = package.level
    package.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        package.setLevel(before)
