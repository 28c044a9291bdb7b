"""Wait for the answer to a question: what to ask the receiver next, and when the wait ends. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.question import NOT_OPEN, Question
from airflow_provider_itnio.api.receiver import MAX_WAIT, Incoming, IncomingMessage, MessageStatus
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.status_wait import RESPONSE_GRACE, RETRY_DELAY

_BATCH_SIZE: Final = 1000
"""Incoming messages in one answer of the receiver."""
_FIRST_WAIT: Final = 1.0
"""Seconds of the first wait, while it is not known whether the question arrived; each later wait is twice as
long."""
_BATCH_PAUSE: Final = 0.5
"""Seconds to pause between two full reads, so that busy inboxes are read in batches."""
_PUSH_GRACE: Final = 30.0
"""Seconds after the question closes in which late pushes of answers written in time are accepted; at most as
long as the question was open."""
_READ_GRACE: Final = 60.0
"""Seconds after that in which messages are still read if there are more."""
_MAX_LOG_LINES: Final = 100
"""Log lines about messages that do not count as an answer."""

log = NeverRaisingLog(__name__)


class AnswerWait:
    """Waits for the first answer to a question, until the question closes or none of its messages arrives.

    :param question: the question.
    :param secret: the connection's secret, which signs the ids of the buttons.
    :param now: returns the Unix time in seconds.
    :param has_template: whether to end as soon as a message has failed that a WhatsApp template can replace.
    """

    def __init__(
        self,
        question: Question,
        secret: Secret,
        now: Callable[[], float] = time.time,
        *,
        has_template: bool = False,
    ) -> None:
        self._question = question
        self.secret = secret
        self._now = now
        self._has_template = has_template
        self._cursor = question.cursor
        self._reads_until = question.ends_at + min(_PUSH_GRACE, question.ends_at - question.begun_at)
        self._requested_at = self._wait = 0.0
        self._max_wait = _FIRST_WAIT
        self._lines = 0
        self._answer: dict[str, Any] | None = None
        self._failed: dict[str, dict[str, Any]] = {}
        self.unsettled = [one.message_id for one in question.asked if one.has_usable_id]
        """Ids of messages that are neither delivered nor failed yet."""
        self._problem = ""
        self._unclear = question.unclear
        self._is_pushed_to = False
        self._reported_state: tuple[str, list[str]] | None = None  # database and recipients, as last reported
        self._is_not_open = self._has_opened = False

    def incoming_query(self) -> dict[str, Any]:
        """Return the next arguments of ``incoming``."""
        self._requested_at = self._now()
        max_wait = MAX_WAIT
        if self.unsettled:  # their statuses are asked for next
            max_wait = self._max_wait
            self._max_wait = min(MAX_WAIT, max_wait * 2)
        self._wait = max(0.0, min(max_wait, self._reads_until - self._requested_at))
        return {"after": self._cursor, "limit": _BATCH_SIZE, "wait": self._wait, "within": self._within()}

    def status_query(self) -> dict[str, Any]:
        """Return the arguments of ``message_status``, which is called next."""
        return {"ids": self.unsettled, "within": self._within()}

    def _within(self) -> float:
        return max(0.0, self._reads_until - self._now()) + RESPONSE_GRACE

    def take(self, incoming: Incoming, statuses: Mapping[str, MessageStatus]) -> float | None:
        """Take the incoming messages, and the statuses of the messages in ``unsettled``.

        :return: the seconds to pause before the next request; ``None`` if the wait is over.
        """
        previous_cursor, self._cursor, self._problem = self._cursor, incoming.cursor, ""
        has_status = any(one.status != "none" for one in statuses.values())
        self._is_pushed_to = self._is_pushed_to or has_status or bool(incoming.messages)
        was_unclear = self._unclear
        for message in incoming.messages:
            if self._accept_answer(message):
                return None
        if self._is_not_open and not self._has_opened:  # an old trigger may have closed it: read once more
            self._cursor, self._unclear, self._reported_state = previous_cursor, was_unclear, None
            self._has_opened = True
            return 0.0
        if self._apply_statuses(statuses):
            return None
        remaining = self._reads_until - (now := self._now())
        has_moved = bool(incoming.messages) and self._cursor != previous_cursor
        if has_moved and remaining > -_READ_GRACE:  # there may be more
            return max(0.0, min(_BATCH_PAUSE, remaining))
        if remaining <= 0:
            return None
        early = self._requested_at + self._wait - now  # the receiver is under load, or stops
        return max(0.0, min(early, RETRY_DELAY))

    def take_error(self, error: ItnioError) -> float | None:
        """Take an error of the receiver that does not end the wait.

        :param error: one of ``TRANSIENT``.
        :return: as :meth:`take`.
        """
        if not self._problem:
            log.warning("%s. Still waiting for an answer", error)
        self._problem = str(error)
        remaining = self._reads_until - self._now()
        return None if remaining <= 0 else min(RETRY_DELAY, remaining)

    def result(self) -> dict[str, Any]:
        """Return how the wait ended, as plain JSON.

        :return: ``answer``, with ``answer``, ``answered_by`` and ``answered_at``, or ``None``; ``failed``,
            the ``failure`` and ``code`` by message id; ``problem``, the error of the last request to the
            receiver; ``cursor``, up to which messages were read; ``is_pushed_to``, whether the receiver had a
            status of one of the messages, or any incoming message; and ``unclear``, who typed an option that
            may belong to another question, or an empty text.
        """
        return {
            "answer": self._answer,
            "failed": self._failed,
            "problem": self._problem,
            "cursor": self._cursor,
            "is_pushed_to": self._is_pushed_to,
            "unclear": self._unclear,
        }

    def open_arguments(self) -> tuple[str, list[str], float, str] | None:
        """Return the arguments of ``open_question``, if what the receiver has on the question is outdated.

        It first got all planned recipients, and some of them may have been refused. Later its database may
        have been replaced, or a message of the question may have failed.
        """
        if (now := self._open_state()) == self._reported_state:
            return None
        return self._question.id, now[1], self._question.ends_at, self._question.task

    def mark_opened(self) -> None:
        """Record that the receiver is up to date."""
        self._reported_state = self._open_state()

    def _open_state(self) -> tuple[str, list[str]]:
        asked = [one.recipient for one in self._question.asked if one.message_id not in self._failed]
        return self._cursor.partition("-")[0], asked

    def _accept_answer(self, message: IncomingMessage) -> bool:
        option, ignored, means = self._question.choice_of(message, self.secret)
        if option is not None:
            self._answer = {
                "answer": option,
                "answered_by": message.sender,
                "answered_at": message.at.isoformat(),
            }
            return True
        if means is not None:
            self._is_not_open = self._is_not_open or ignored == NOT_OPEN
            verb = "typed" if message.option_id is None else "tapped"
            self._unclear = f"{mask_phone(message.sender)} {verb} {means!r}: {ignored}"
        if ignored and self._lines < _MAX_LOG_LINES:
            self._lines += 1
            log.info("A message from %s does not count as an answer: %s", mask_phone(message.sender), ignored)
        return False

    def _apply_statuses(self, statuses: Mapping[str, MessageStatus]) -> bool:
        """Return whether waiting is useless: all messages failed, or one that a template can replace."""
        for message_id, one in statuses.items():
            if one.status == "failed":
                self._failed[message_id] = {"failure": one.failure, "code": one.code}
        self.unsettled = [
            one
            for one in self.unsettled
            if one not in self._failed and not (one in statuses and statuses[one].has_reached("delivered"))
        ]
        errors = self._question.errors_of(self._failed)
        is_for_template = any(self._question.is_for_template(*failed) for failed in errors.items())
        all_failed = all(one.message_id in self._failed for one in self._question.asked)
        return all_failed or (self._has_template and is_for_template)
