"""Count the outcomes of a broadcast's messages, log failures and progress, and build the summary."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict

from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict
    from airflow_provider_itnio.api.receiver import MessageStatus
    from airflow_provider_itnio.broadcast.recipients import Recipients
    from airflow_provider_itnio.delivery.broadcast_record import RecordedOutcome

log = NeverRaisingLog(__name__)

Failed: TypeAlias = Literal["invalid", "refused", "not_sent", "unknown", "not_delivered"]

MAX_LOGGED: Final = 20
"""Most failures that are logged one by one."""
_MAX_LISTED: Final = 1000
"""Most failures in the summary's list."""
_MAX_REASON_LENGTH: Final = 160
"""Most characters of a failure's reason."""
_MAX_REASONS: Final = 3
"""Most different reasons in an error."""


class FailureDict(TypedDict):
    """A message that was not accepted, or that did not reach the status the task waits for.

    ``position`` is the recipient's position in the list, from 0. ``last_digits`` are the last four digits of
    the number. ``outcome`` is ``invalid``, ``refused``, ``not_sent``, ``unknown`` or ``not_delivered``.
    ``code`` is the vendor's status code, or WhatsApp's code if the message failed after acceptance.
    """

    position: int
    last_digits: str
    outcome: Failed
    code: int | None
    reason: str


class SummaryDict(TypedDict, total=False):
    """The outcome of a broadcast, as in XCom.

    ``recipients`` counts the list. It is the sum of ``accepted`` (in this try), ``accepted_earlier`` (in
    previous tries of the task), ``refused``, ``invalid``, ``not_sent``, ``unknown``, ``excluded``,
    ``duplicates`` (of a previous entry) and ``not_attempted``. ``failures`` lists the first 1,000 failures,
    each with a reason of at most 160 characters; ``failures_not_listed`` counts the others. ``receipts`` is
    only there if the task asks for it.

    If the task waits for its messages, ``sent``, ``delivered``, ``read``, ``not_delivered`` and ``waiting``
    count the messages of ``accepted`` and ``accepted_earlier`` by their last status. ``not_delivered`` have
    failed or timed out; ``waiting`` had neither arrived nor failed when the task ended. If the task has a
    fallback, ``fallbacks`` counts how many of these messages are the fallback.
    """

    recipients: int
    accepted: int
    accepted_earlier: int
    refused: int
    invalid: int
    not_sent: int
    unknown: int
    excluded: int
    duplicates: int
    not_attempted: int
    failures: list[FailureDict]
    failures_not_listed: int
    receipts: list[ReceiptDict]
    sent: int
    delivered: int
    read: int
    not_delivered: int
    waiting: int
    fallbacks: int


@dataclass
class Counts:
    """The messages of a broadcast so far, by outcome; see :class:`SummaryDict`."""

    accepted: int = 0
    accepted_earlier: int = 0
    refused: int = 0
    invalid: int = 0
    not_sent: int = 0
    unknown: int = 0

    @property
    def failed(self) -> int:
        """How many messages were attempted and not accepted."""
        return self.refused + self.invalid + self.not_sent + self.unknown

    @property
    def accepted_in_all(self) -> int:
        """How many messages were accepted in this try and in previous ones."""
        return self.accepted + self.accepted_earlier


@dataclass
class Statuses:
    """The accepted messages of a broadcast so far, by status; see :class:`SummaryDict`."""

    sent: int = 0
    delivered: int = 0
    read: int = 0
    not_delivered: int = 0


class Report:
    """Counts the outcomes of a broadcast's messages, and describes them.

    :param recipients: the recipients.
    :param kind: the messages' type, such as ``text``.
    :param keep_receipts: keep the receipt of each message.
    :param waits: whether the task waits for the messages' statuses.
    :param falls_back: whether the task has a fallback.
    """

    def __init__(
        self,
        recipients: Recipients,
        *,
        kind: str,
        keep_receipts: bool = False,
        waits: bool = False,
        falls_back: bool = False,
    ) -> None:
        self.counts = Counts()
        self.statuses = Statuses()
        self.kind = kind
        self.is_in_sandbox = False
        """Whether the messages went to ``itnio-sandbox`` instead of Itniotech."""
        self._waits = waits
        self._falls_back = falls_back
        self._fallbacks = 0
        self._replaced_count = 0
        self._status_by_id: dict[str, tuple[str, str | None]] = {}
        self._replaced: set[str] = set()
        self._recipients = recipients
        self._receipts: list[Receipt] | None = [] if keep_receipts else None
        self._failures: list[FailureDict] = []
        # Bounded: only the first _LISTED different reasons are counted.
        self._reasons: Counter[str] = Counter()
        self._retryable = 0
        self._started_at = time.monotonic()

    @property
    def not_attempted(self) -> int:
        """How many entries of the list were not processed."""
        recipients, done = self._recipients, self.counts.accepted_in_all + self.counts.failed
        return len(recipients) - done - recipients.excluded - recipients.duplicates

    @property
    def failed(self) -> int:
        """How many messages have failed, before or after acceptance."""
        return self.counts.failed + self.statuses.not_delivered

    @property
    def waiting(self) -> int:
        """How many accepted messages are still waited for."""
        return self.counts.accepted_in_all - sum(asdict(self.statuses).values()) if self._waits else 0

    @property
    def has_messaged(self) -> bool:
        """Whether any message was accepted in this try, even if it was replaced by the fallback."""
        return self.counts.accepted > 0 or self._replaced_count > 0

    @property
    def succeeded(self) -> int:
        """How many messages have reached the status the task waits for."""
        return self.counts.accepted_in_all - self.statuses.not_delivered - self.waiting

    @property
    def left_for_retry(self) -> int:
        """How many messages a retry with a delivery record would send or wait for."""
        return self._retryable + self.not_attempted + self.waiting

    def add_accepted(self, receipt: Receipt, *, is_fallback: bool = False) -> None:
        """Count a message that was accepted."""
        self.counts.accepted += 1
        self.is_in_sandbox = receipt.in_sandbox
        self._fallbacks += is_fallback
        if self._receipts is not None:
            self._receipts.append(receipt)

    def add_previously_accepted(self, recorded: RecordedOutcome, number: str) -> None:
        """Count a message that was accepted in a previous try of the task.

        :param recorded: the message's entry in the record.
        :param number: the recipient's number, digits only.
        """
        self.counts.accepted_earlier += 1
        self._fallbacks += recorded.is_fallback
        if self._receipts is not None:
            kind = "template" if recorded.is_fallback else self.kind
            self._receipts.append(_build_receipt(recorded, number, kind))

    def store_status(self, status: MessageStatus) -> None:
        """Store the status of an accepted message for its receipt."""
        if self._receipts is not None:
            at = status.at.isoformat() if status.at else None
            self._status_by_id[status.message_id] = status.status, at

    def add_arrived(self, status: MessageStatus) -> None:
        """Count an accepted message that has reached the status the task waits for."""
        setattr(self.statuses, status.status, getattr(self.statuses, status.status) + 1)

    def replace_by_fallback(
        self, message_id: str, position: int, last_digits: str, reason: str, *, by_previous_try: bool
    ) -> None:
        """Stop counting an accepted message, since its fallback is sent; the first ones are logged.

        :param message_id: the vendor's id of the message.
        :param position: the recipient's position in the list.
        :param last_digits: the last four digits of the number.
        :param reason: why it failed.
        :param by_previous_try: whether a previous try has sent it.
        """
        self.counts.accepted_earlier -= by_previous_try
        self.counts.accepted -= not by_previous_try
        if self._receipts is not None:
            self._replaced.add(message_id)
        self._replaced_count += 1
        if self._replaced_count <= MAX_LOGGED:
            log.warning(
                "recipients[%s] (…%s): %s. The fallback is sent instead", position, last_digits, reason
            )
        elif self._replaced_count == MAX_LOGGED + 1:
            log.warning("The fallback is sent to more recipients; the task's summary counts them")

    def add_failure(
        self,
        outcome: Failed,
        position: int,
        last_digits: str,
        code: int | None,
        reason: str,
        *,
        number: str = "",
        for_retry: bool = False,
    ) -> None:
        """Count a message that was not accepted or not delivered; the first ones are logged.

        :param outcome: the message's outcome.
        :param position: the recipient's position in the list.
        :param last_digits: the last four digits of the number.
        :param code: the vendor's status code.
        :param reason: why it failed.
        :param number: the recipient's masked number, if it is in the reason.
        :param for_retry: whether a retry with a delivery record would send it, or wait for it again.
        """
        counts = self.statuses if outcome == "not_delivered" else self.counts
        setattr(counts, outcome, getattr(counts, outcome) + 1)
        self._retryable += for_retry
        # Without position and number, so that equal reasons are counted together.
        normalized = reason.replace(f"recipients[{position}]", "recipients[…]")
        normalized = truncate(normalized.replace(number, "…") if number else normalized, _MAX_REASON_LENGTH)
        reason = truncate(reason, _MAX_REASON_LENGTH)
        if normalized in self._reasons or len(self._reasons) < _MAX_LISTED:
            self._reasons[normalized] += 1
        if len(self._failures) < _MAX_LISTED:
            self._failures.append(
                FailureDict(
                    position=position, last_digits=last_digits, outcome=outcome, code=code, reason=reason
                )
            )
        if self.failed <= MAX_LOGGED:
            log.warning("recipients[%s] (…%s): %s: %s", position, last_digits, outcome, reason)
        elif self.failed == MAX_LOGGED + 1:
            log.warning("More failures are not logged; the task's summary counts and lists them")

    def summary(self) -> SummaryDict:
        """Return the outcome of the broadcast, as plain JSON."""
        summary: SummaryDict = {
            "recipients": len(self._recipients),
            **asdict(self.counts),  # type: ignore[typeddict-item]
            "excluded": self._recipients.excluded,
            "duplicates": self._recipients.duplicates,
            "not_attempted": self.not_attempted,
            "failures": self._failures,
            "failures_not_listed": self.failed - len(self._failures),
        }
        if self._waits:
            summary["sent"] = self.statuses.sent
            summary["delivered"] = self.statuses.delivered
            summary["read"] = self.statuses.read
            summary["not_delivered"] = self.statuses.not_delivered
            summary["waiting"] = self.waiting
        if self._falls_back:
            summary["fallbacks"] = self._fallbacks
        if self._receipts is not None:
            summary["receipts"] = [
                self._with_status(receipt)
                for receipt in self._receipts
                if receipt.message_id not in self._replaced
            ]
        return summary

    def _with_status(self, receipt: Receipt) -> ReceiptDict:
        fields, status = receipt.as_dict(), self._status_by_id.get(receipt.message_id)
        return fields if status is None else {**fields, "status": status[0], "status_at": status[1]}

    def describe(self) -> str:
        """Return the counts so far as text."""
        counts, recipients = self.counts, len(self._recipients)
        counts_by_name = {
            "accepted": counts.accepted,
            "accepted in previous tries": counts.accepted_earlier,
            "refused": counts.refused,
            "unknown": counts.unknown,
            "not sent": counts.not_sent,
            "invalid": counts.invalid,
            "excluded": self._recipients.excluded,
            "duplicates": self._recipients.duplicates,
            "not attempted": self.not_attempted,
            **{name.replace("_", " "): count for name, count in asdict(self.statuses).items()},
            "waited for": self.waiting,
            "fallbacks": self._fallbacks,
        }
        text = ", ".join(f"{count:,} {name}" for name, count in counts_by_name.items() if count)
        return f"{recipients:,} recipient{'' if recipients == 1 else 's'}: {text or 'nothing to send'}"

    def describe_failures(self) -> str:
        """Return the counts so far and the most frequent reasons of failures as text."""
        reasons = self._reasons.most_common(_MAX_REASONS)
        text = "; ".join(f"{reason} ({count:,})" if count > 1 else reason for reason, count in reasons)
        return f"{self.describe()}. {text}" if text else self.describe()

    def describe_progress(self) -> str:
        """Return the counts so far, the rate and the time left as text."""
        counts = self.counts
        sent = counts.accepted + counts.refused + counts.not_sent + counts.unknown
        rate = sent / max(time.monotonic() - self._started_at, 0.001)
        remaining = f", about {self.not_attempted / rate:,.0f} s left" if rate and self.not_attempted else ""
        return f"{self.describe()}; {rate:,.1f} messages/s{remaining}"


def _build_receipt(recorded: RecordedOutcome, number: str, kind: str) -> Receipt:
    import pendulum

    from airflow_provider_itnio.api.receipt import Receipt

    at = None if recorded.at is None else pendulum.from_timestamp(recorded.at)
    return Receipt(recorded.message_id, number, kind, at)
