"""Airflow's task state store, which keeps what a task writes across its tries."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.api.phone_numbers import mask_phone_numbers

__all__ = ["TaskStateStore"]

log = logging.getLogger(__name__)

_WRITES: Final = 3
"""How often a write is tried where a message would else be unrecorded."""
_BETWEEN_WRITES: Final = 0.2
"""Seconds between two of them."""


class TaskStateStore:
    """Airflow's task state store, and which of a task's runs this is.

    ``max_tries`` stays as it is when Airflow retries a task and changes when a person clears it.

    :param store: ``context["task_state_store"]``, ``None`` where there is none.
    :param max_tries: the task instance's.
    """

    def __init__(self, store: Any, max_tries: int) -> None:
        self._store = store
        self.max_tries = max_tries

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Take the store of the task that runs.

        :param context: the task's context.
        :param task_id: the operator's; one that another task executes by itself has no record.
        """
        store, instance = context.get("task_state_store"), context.get("ti")
        if store is None or instance is None:
            log.info(
                "No delivery record: there is no task state store here, which Airflow has from 3.3 on. If "
                "this worker is lost after Itniotech accepted a message, a retry of the task sends it again"
            )
            return cls(None, 0)
        if instance.task_id != task_id:
            log.info(
                "No delivery record: %s is executed inside of the task %s, whose retries send again",
                task_id,
                instance.task_id,
            )
            return cls(None, 0)
        return cls(store, instance.max_tries)

    def __bool__(self) -> bool:
        return self._store is not None

    def get(self, key: str) -> dict[str, Any] | None:
        """Read what stands under a key; ``None`` if nothing does.

        :param key: the key.
        """
        value = self._store.get(key)
        return value if isinstance(value, dict) else None

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Write once; for what must be there before a request leaves.

        :param key: the key.
        :param value: plain JSON.
        :raises RecordError: if the store did not take it.
        """
        try:
            self._store.set(key, dict(value))
        except BaseException as error:
            if not _is_failed_write(error):
                raise
            raise RecordError(f"Airflow's task state store took no record: {_words(error)}") from error

    def set_with_retry(self, key: str, value: Mapping[str, Any]) -> None:
        """Write, and try again if it fails; for what has happened already.

        :param key: the key.
        :param value: plain JSON.
        :raises RecordError: if the store did not take it.
        """
        for left in reversed(range(_WRITES)):
            try:
                self.set(key, value)
                return
            except RecordError as error:
                if not left:
                    raise
                log.warning("%s; trying again", error)
                time.sleep(_BETWEEN_WRITES)


def _is_failed_write(error: BaseException) -> bool:
    # Airflow's DeadlockImminentError is no Exception, and stands in no module that may be imported from.
    return isinstance(error, Exception) or type(error).__name__ == "DeadlockImminentError"


def _words(error: BaseException) -> str:
    return mask_phone_numbers(f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])
