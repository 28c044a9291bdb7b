"""Wait until messages have a status: what to ask the receiver next, and when the wait ends. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.receiver import MAX_WAIT, MessageStatus

RETRY_DELAY: Final = 10.0
"""Seconds to wait after an error of the receiver before the next request."""

RESPONSE_GRACE: Final = 5.0
"""Seconds after the end of a wait in which the receiver's last answer is accepted."""

_ORDER: Final = ("none", "sent", "delivered", "failed", "read")
"""Each status replaces those before it, as in the receiver."""

log = NeverRaisingLog(__name__)


class StatusWait:
    """Waits until each of some messages has a status or has failed.

    :param message_ids: the messages' ids.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param ends_at: Unix time in seconds at which the wait times out.
    :param now: returns the Unix time in seconds.
    :param ends_on_failure: whether the wait ends as soon as one of the messages has failed.
    """

    def __init__(
        self,
        message_ids: Iterable[str],
        until: str,
        ends_at: float,
        now: Callable[[], float] = time.time,
        *,
        ends_on_failure: bool = False,
    ) -> None:
        self._ids = list(message_ids)
        self._until = until
        self._ends_at = ends_at
        self._now = now
        self._ends_on_failure = ends_on_failure
        self._requested_at = 0.0
        self._statuses: Mapping[str, MessageStatus] = {}
        self._problem = ""

    def query(self) -> dict[str, Any]:
        """Return the next arguments of ``message_status``."""
        self._requested_at = self._now()
        remaining = max(0.0, self._ends_at - self._requested_at)
        wait = min(MAX_WAIT, remaining)
        return {"ids": self._ids, "until": self._until, "wait": wait, "within": remaining + RESPONSE_GRACE}

    def take(self, response: Mapping[str, MessageStatus] | ItnioError) -> float | None:
        """Take the answer of ``message_status``, or its error, one of ``TRANSIENT``.

        :return: the seconds to pause before the next request; ``None`` if the wait is over.
        """
        now = self._now()
        if isinstance(response, ItnioError):
            if not self._problem:
                log.warning("%s. Still waiting", response)
            self._problem = str(response)
            pause = RETRY_DELAY
        else:
            self._statuses = {name: self._latest(one) for name, one in response.items()}
            self._problem = ""
            statuses = self._statuses.values()
            failed = sum(one.status == "failed" for one in statuses)
            reached = sum(one.has_reached(self._until) for one in statuses)
            if (failed and self._ends_on_failure) or failed + reached == len(statuses):
                return None
            pause = self._requested_at + MAX_WAIT - now  # a receiver under load answers early
        return None if now >= self._ends_at else max(0.0, min(pause, self._ends_at - now))

    def _latest(self, new: MessageStatus) -> MessageStatus:
        """Return the later one of two answers: a receiver with a new database has lost the first one."""
        return max(new, self._statuses.get(new.message_id, new), key=lambda one: _ORDER.index(one.status))

    def result(self) -> dict[str, Any]:
        """Return the result of the wait, as plain JSON.

        :return: ``statuses``, with ``status``, ``at``, ``failure`` and ``code`` by message id; and
            ``problem``, the error of the last request to the receiver, or an empty text.
        """
        return {
            "statuses": {
                message_id: {
                    "status": one.status,
                    "at": one.at.isoformat() if one.at else None,
                    "failure": one.failure,
                    "code": one.code,
                }
                for message_id, one in self._statuses.items()
            },
            "problem": self._problem,
        }
