"""The state that alerts share: one Airflow Variable, which all processes that run callbacks can write.

Airflow has no compare-and-set. Processes on one machine use a lock file; processes on several machines may
overwrite each other's changes. If the Variable can't be read or written, alerts are sent.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from airflow.providers.common.compat.sdk import Variable
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_itnio._compat import is_failed_write, read_variable
from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

VARIABLE: Final = "itnio_alerts_held"
_MAX_SIZE: Final = 32_000
"""Characters: MySQL stores at most 64 KiB of an encrypted variable."""
_MAX_DAGS: Final = 10
_DAG_ID_LIMIT: Final = 60
_LOCK_TIMEOUT: Final = 3.0
_PAUSE_SECONDS: Final = 60.0
_FAILING_TTL: Final = 86_400
"""Seconds after which a recovered DAG or task is removed."""
_SENT_TTL: Final = 604_800
"""Seconds after which a count of sent alerts is removed: the longest ``alert_window``."""

Result = TypeVar("Result")
# Anyone can edit a Variable. The limits keep each entry small, and each time a valid date.
Seconds = Annotated[int, Field(ge=0, le=100_000_000_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Digest = Annotated[str, Field(max_length=16)]
DagId = Annotated[str, Field(max_length=_DAG_ID_LIMIT)]

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class RecipientState(_Strict):
    """The number of alerts that were sent to a recipient, and that were held back.

    :param start: when the current window began, in seconds since 1970.
    :param sent: alerts that were sent in that window.
    :param held: alerts that were held back and not yet reported.
    :param since: when the first of the held alerts was held back, in seconds since 1970.
    :param dags: the number of held alerts by DAG, for up to ten DAGs.
    """

    start: Seconds = 0
    sent: Count = 0
    held: Count = 0
    since: Seconds = 0
    dags: dict[DagId, Count] = {}

    def hold(self, dag_id: str, now: int) -> None:
        """Count an alert that is held back.

        :param dag_id: its DAG.
        :param now: seconds since 1970.
        """
        self.since = self.since if self.held else now
        self.held += 1
        dag_id = truncate(dag_id, _DAG_ID_LIMIT)
        if dag_id and (dag_id in self.dags or len(self.dags) < _MAX_DAGS):
            self.dags[dag_id] = self.dags.get(dag_id, 0) + 1

    def take_held(self) -> RecipientState:
        """Return a copy with the held alerts, and remove them from this state."""
        taken = self.model_copy(deep=True)
        self.held, self.since, self.dags = 0, 0, {}
        return taken

    def give_back(self, taken: RecipientState) -> None:
        """Add held alerts again that were taken but not reported."""
        if taken.held:
            self.since = min(taken.since, self.since) if self.held else taken.since
            self.held += taken.held
            for dag_id, count in taken.dags.items():
                self.dags[dag_id] = self.dags.get(dag_id, 0) + count


class FailingState(_Strict):
    """A DAG or task that has failed. It is kept until a day after its recovery.

    :param since: when it failed first, in seconds since 1970.
    :param last: when it failed last, in seconds since 1970.
    :param runs: how many of its runs have failed.
    :param run: the digest of the last failed run.
    :param recovered: the digest of the execution that succeeded; empty while it fails.
    """

    since: Seconds
    last: Seconds
    runs: Count
    run: Digest
    recovered: Digest = ""


class AlertState(_Strict):
    """The whole state. Its keys are digests of phone numbers, and of the ids of failing DAGs and tasks."""

    version: Literal[1] = 1
    recipients: dict[Digest, RecipientState] = {}
    failing: dict[Digest, FailingState] = {}

    def recipient(self, number: str) -> RecipientState:
        """Return the state of a recipient.

        :param number: the phone number, digits only.
        """
        return self.recipient_of(digest(number))

    def recipient_of(self, key: str) -> RecipientState:
        """Return the state of the recipient with a digest."""
        return self.recipients.setdefault(key, RecipientState())

    def to_json(self, now: int) -> str:
        """Return the state as JSON of at most 32,000 characters, without its oldest entries if it is longer.

        :param now: seconds since 1970.
        """
        for key, failing in list(self.failing.items()):
            if failing.recovered and now - failing.last > _FAILING_TTL:
                del self.failing[key]
        for key, recipient in list(self.recipients.items()):
            if not recipient.held and now - recipient.start > _SENT_TTL:
                del self.recipients[key]
        while len(text := self.model_dump_json(exclude_defaults=True)) > _MAX_SIZE:
            self._drop_oldest()
        return text

    def _drop_oldest(self) -> None:
        by_age = sorted(
            self.failing, key=lambda key: (not self.failing[key].recovered, self.failing[key].last)
        )
        if len(by_age) > 100:
            for key in by_age[: len(by_age) - 100]:
                del self.failing[key]
        elif any(recipient.dags for recipient in self.recipients.values()):
            for recipient in self.recipients.values():
                recipient.dags = {}
        else:
            oldest = sorted(self.recipients, key=lambda key: self.recipients[key].start)
            for key in oldest[: len(oldest) // 4 + 1]:
                del self.recipients[key]


def digest(text: str) -> str:
    """Return 16 characters of a hash, to store instead of a phone number or an id."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def read_state() -> AlertState:
    """Return the state in the Variable. A missing or invalid Variable is an empty state.

    :raises Exception: if the Variable can't be read; it must not be overwritten then.
    """
    if not (text := read_variable(VARIABLE)):
        return AlertState()
    try:
        return AlertState.model_validate_json(text)
    except ValidationError:
        _LOG.warning("The Airflow Variable %s has an invalid value and is replaced", VARIABLE)
        return AlertState()


class LockTimeoutError(Exception):
    """Other processes have used the Variable for too long. Without a turn, their counts could be lost."""


def change_state(change: Callable[[AlertState], Result], seconds: float | None = None) -> Result:
    """Change the state in the Variable.

    :param change: changes the state and returns a result.
    :param seconds: how long to wait for other processes; 3 by default.
    :raises LockTimeoutError: if they took longer.
    :raises BaseException: if the Variable could not be read or written.
    """
    with state_lock(_LOCK_TIMEOUT if seconds is None else seconds) as has_lock:
        if not has_lock:
            raise LockTimeoutError("other processes use the Airflow Variable " + VARIABLE)
        return change_locked(change)


def change_locked(change: Callable[[AlertState], Result]) -> Result:
    """Change the state as :func:`change_state` does, if it is this process's turn."""
    state = read_state()
    now = int(time.time())
    before = state.to_json(now)
    result = change(state)
    if (text := state.to_json(now)) != before:
        Variable.set(VARIABLE, text, "WhatsApp alerts that were sent and that are held back")
    return result


class _VariableUse:
    """Until when alerts do not use the Variable: Airflow 3 tries for up to 15 seconds before it fails."""

    paused_until = 0.0


def pause_variable_use() -> None:
    """Do not use the Variable in this process for a minute, so that alerts do not wait for it again."""
    _VariableUse.paused_until = time.monotonic() + _PAUSE_SECONDS


def update_state(change: Callable[[AlertState], Result], default: Result) -> Result:
    """Change the state in the Variable, or return a default if that fails.

    :param change: as for :func:`change_state`.
    :param default: the result if the Variable could not be read or written, now or in the last minute.
    """
    return or_default(lambda: change_state(change), default)


def or_default(update: Callable[[], Result], default: Result) -> Result:
    """Call a function that uses the Variable, or return a default as :func:`update_state` does."""
    if time.monotonic() < _VariableUse.paused_until:
        return default
    try:
        return update()
    except LockTimeoutError:
        return default
    except BaseException as error:
        if not is_failed_write(error):
            raise
        pause_variable_use()
        name = type(error).__name__
        _LOG.warning("The Airflow Variable %s can't be used (%s); alerts are sent without it", VARIABLE, name)
        return default


@contextmanager
def state_lock(seconds: float, is_done: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Wait for other processes of this machine that change the Variable.

    :param seconds: how long to wait at most.
    :param is_done: whether there is nothing left to wait for.
    :return: whether it is this process's turn, or turns can't be taken.
    """
    file, has_lock = None, True
    with suppress(OSError):
        if (folder := shared_folder()) is not None:
            file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            has_lock = _acquire_lock(file, seconds, is_done)
    try:
        yield has_lock
    finally:
        if file is not None:
            os.close(file)


def shared_folder() -> Path | None:
    """Return a temporary folder that the processes of this user and this Airflow share.

    :return: ``None`` if it can't be used or belongs to someone else.
    """
    name = f"itnio-alerts-{os.getuid()}-{digest(os.environ.get('AIRFLOW_HOME', ''))}"
    with suppress(OSError):
        folder = Path(tempfile.gettempdir(), name)
        folder.mkdir(0o700, exist_ok=True)
        info = folder.lstat()
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid():
            return folder
    return None


def _acquire_lock(file: int, seconds: float, is_done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if is_done() or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
