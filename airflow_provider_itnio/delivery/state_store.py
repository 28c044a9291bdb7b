"""Read and write Airflow's task state store, which keeps a task's data across its tries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Self

from airflow_provider_itnio._compat import is_failed_write
from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.delivery.graceful_timeout import CallInterruptedError
from airflow_provider_itnio.delivery.policy import Cleared, TaskTry

log = NeverRaisingLog(__name__)

_VERSION: Final = 1
"""Version of the entries' format; entries of other versions are not read."""
_UNUSED_KEY: Final = "itnio:none"
"""A key that is never written."""
_WRITE_ATTEMPTS: Final = 3
"""Attempts to write the outcome of a message."""
_WRITE_RETRY_DELAY: Final = 0.2
"""Seconds between two attempts."""


class Entry(NamedTuple):
    """The entry of a key.

    :param value: the value that was written.
    :param task_try: the try of the task that wrote it.
    :param cleared: whether the task has been cleared since.
    """

    value: dict[str, Any]
    task_try: TaskTry
    cleared: Cleared


class TaskStateStore:
    """Airflow's task state store for one try of a task.

    :param store: ``context["task_state_store"]``, ``None`` if there is none.
    :param task_try: this try.
    """

    def __init__(self, store: Any, task_try: TaskTry) -> None:
        self._store = store
        self._task_try = task_try
        self.call: Callable[..., Any] = _call
        """Calls the store; can be replaced by :meth:`GracefulTimeout.call`."""
        self._interrupted_calls = 0
        self._existence_is_checked = False

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Return the store of the running task.

        :param context: the task's context.
        :param task_id: the operator's. An operator that another task executes has no record.
        """
        store, instance = context.get("task_state_store"), context.get("ti")
        if store is None or instance is None:
            log.info(
                "No delivery record: there is no task state store (it needs Airflow 3.3 or later). If this "
                "worker is lost after Itniotech accepted a message, a retry of the task sends it again"
            )
            store = None
        elif instance.task_id != task_id:
            log.info(
                "No delivery record: %s is executed inside of the task %s, whose retries send it again",
                task_id,
                instance.task_id,
            )
            store = None
        return cls(store, _current_try(context))

    def __bool__(self) -> bool:
        return self._store is not None

    def get(self, key: str) -> Entry | None:
        """Read the entry of a key; ``None`` if there is none.

        :raises RecordError: if it could not be read, or is not an entry of this version.
        """
        value = self._call_store("could not be read", self._store.get, key)
        if value is None:
            self._check_that_record_exists()
            return None
        version = value.get("version") if isinstance(value, dict) else None
        if isinstance(version, int) and version != _VERSION:
            raise unreadable(key, f"it has version {version}, but this package reads version {_VERSION}")
        match value:
            case {
                "version": int(),
                "try": int(number),
                "max_tries": int(max_tries),
                "retries": int(retries),
                "clear_number": int(clear_number),
            }:
                task_try = TaskTry(number, max_tries, retries, clear_number)
                return Entry(value, task_try, self._task_try.is_cleared_since(task_try))
        raise unreadable(key, "it was not written by this package")

    def _check_that_record_exists(self) -> None:
        """Raise if Airflow has replaced the task instance: reading its record then looks like no record."""
        if not self._existence_is_checked:
            self._call_store("could not be read", self._store.delete, _UNUSED_KEY)
            self._existence_is_checked = True

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Write plain JSON, with one attempt. For entries that are required before a request is sent.

        :raises RecordError: if it could not be written.
        """
        number, max_tries, retries, clear_number = self._task_try
        entry = {
            "version": _VERSION,
            "try": number,
            "max_tries": max_tries,
            "retries": retries,
            "clear_number": clear_number,
            **value,
        }
        self._call_store("could not be written", self._store.set, key, entry)
        if self._interrupted_calls and not self._reads_back(key, entry):
            raise RecordError("Airflow's task state store could not be written: it does not return the entry")

    def set_with_retry(self, key: str, value: Mapping[str, Any]) -> None:
        """Write plain JSON, with three attempts. For outcomes of messages.

        After the task's timeout, a write that takes too long is tried only twice.

        :raises RecordError: if it could not be written.
        """
        timeouts = 0
        for attempts_left in reversed(range(_WRITE_ATTEMPTS)):
            try:
                self.set(key, value)
                return
            except RecordError as error:
                timeouts += isinstance(error, _StoreTimeoutError)
                if not attempts_left or timeouts > 1:
                    raise
                log.warning("%s; trying again", error)
                time.sleep(_WRITE_RETRY_DELAY)

    def _reads_back(self, key: str, entry: Mapping[str, Any]) -> bool:
        """Return whether the store has an entry.

        It reads once more for each call that was interrupted: Airflow returns the late answer of such a call
        as the answer of the next one.
        """
        return any(
            self._call_store("could not be read", self._store.get, key) == entry
            for _ in range(self._interrupted_calls + 1)
        )

    def _call_store(self, what_failed: str, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return self.call(function, *args)
        except BaseException as error:
            is_failure = is_failed_write(error)
            self._interrupted_calls += not is_failure or isinstance(error, CallInterruptedError)
            if not is_failure:
                raise
            text = mask_phone_numbers(f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])
            error_class = _StoreTimeoutError if isinstance(error, CallInterruptedError) else RecordError
            failure = error_class(f"Airflow's task state store {what_failed}: {text}")
        raise failure  # outside of the handler, so that the store's error with the value is no context


class _StoreTimeoutError(RecordError):
    """The call was interrupted because of the task's timeout."""


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def unreadable(key: str, why: str) -> RecordError:
    """Return the error for an entry that can't be read."""
    return RecordError(
        f"Nothing was sent: the delivery record of this task can't be read, so it is unknown who already "
        f"has the message ({key}: {why}). Look at it in Airflow, under the task instance's Task State Store. "
        "To send to all recipients, delete it there and clear the task"
    )


def _current_try(context: Mapping[str, Any]) -> TaskTry:
    instance, run, task = context.get("ti"), context.get("dag_run"), context.get("task")
    return TaskTry(
        number=getattr(instance, "try_number", 0),
        max_tries=getattr(instance, "max_tries", 0),
        retries=getattr(task, "retries", 0) or 0,
        clear_number=getattr(run, "clear_number", 0) or 0,
    )
