"""The outcomes of a broadcast's messages: counted, logged while it runs, and summed up at its end."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict

from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict
    from airflow_provider_itnio.broadcast.recipients import Recipients
    from airflow_provider_itnio.delivery.broadcast_record import RecordedOutcome

log = NeverRaisingLog(__name__)

Failed: TypeAlias = Literal["invalid", "refused", "not_sent", "unknown"]

LOGGED: Final = 20
"""Failures that the log shows one by one."""
_LISTED: Final = 1000
"""Failures that the summary lists one by one."""
_REASON: Final = 160
"""Characters of a failure's reason."""
_NAMED: Final = 3
"""Different reasons that an error names."""


class FailureDict(TypedDict):
    """One message that was not accepted.

    ``position`` is where its recipient stands in the list, from 0, ``last_digits`` the last four of the
    number, ``outcome`` one of ``invalid``, ``refused``, ``not_sent``, ``unknown``, ``code`` the vendor's
    status code, if there is one.
    """

    position: int
    last_digits: str
    outcome: Failed
    code: int | None
    reason: str


class SummaryDict(TypedDict, total=False):
    """The outcome of a broadcast, as it is in XCom.

    ``recipients`` counts the list. It is the sum of ``accepted`` (in this try), ``accepted_earlier`` (in
    earlier tries of the task), ``refused``, ``invalid``, ``not_sent``, ``unknown``, ``excluded``,
    ``duplicates`` (equal to an entry before) and ``not_attempted``. ``failures`` lists the first 1,000 that
    failed, each reason cut at 160 characters; ``failures_not_listed`` counts the others. ``receipts`` is
    there where it was asked for.
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
        """How many messages were not accepted of those that were tried."""
        return self.refused + self.invalid + self.not_sent + self.unknown

    @property
    def accepted_in_all(self) -> int:
        """How many messages were accepted in this try and in earlier ones."""
        return self.accepted + self.accepted_earlier


class Report:
    """The outcome of each message of a broadcast, in counts and in words.

    :param recipients: the recipients.
    :param kind: the messages' type, such as ``text``.
    :param keep_receipts: keep the receipt of each message.
    """

    def __init__(self, recipients: Recipients, *, kind: str, keep_receipts: bool = False) -> None:
        self.counts = Counts()
        self.kind = kind
        self.is_in_sandbox = False
        """Whether ``itnio-sandbox`` has answered in place of Itniotech."""
        self._recipients = recipients
        self._receipts: list[Receipt] | None = [] if keep_receipts else None
        self._failures: list[FailureDict] = []
        # Of very many different ones the first.
        self._reasons: Counter[str] = Counter()
        self._for_retry = 0
        self._begun = time.monotonic()

    @property
    def not_attempted(self) -> int:
        """How many entries of the list nothing was done for."""
        recipients, done = self._recipients, self.counts.accepted_in_all + self.counts.failed
        return len(recipients) - done - recipients.excluded - recipients.duplicates

    @property
    def left_for_retry(self) -> int:
        """How many messages a retry that knows this try's outcomes would send."""
        return self._for_retry + self.not_attempted

    def add_accepted(self, receipt: Receipt) -> None:
        """Count a message that was accepted."""
        self.counts.accepted += 1
        self.is_in_sandbox = receipt.in_sandbox
        if self._receipts is not None:
            self._receipts.append(receipt)

    def add_accepted_earlier(self, kept: RecordedOutcome, number: str) -> None:
        """Count a message that an earlier try of the task has sent.

        :param kept: what the record says of it.
        :param number: whom it went to, digits only.
        """
        self.counts.accepted_earlier += 1
        if self._receipts is not None:
            self._receipts.append(_receipt_of(kept, number, self.kind))

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
        """Count a message that was not accepted; the first ones are logged.

        :param outcome: the message's outcome.
        :param position: where its recipient stands in the list.
        :param last_digits: the last four digits of the number.
        :param code: the vendor's status code.
        :param reason: why, in words.
        :param number: the recipient's number as it may stand in the reason, shortened.
        :param for_retry: whether a retry that knows this would send it.
        """
        counts = self.counts
        setattr(counts, outcome, getattr(counts, outcome) + 1)
        self._for_retry += for_retry
        # Equal for everyone whom the same happened to.
        alike = reason.replace(f"recipients[{position}]", "recipients[…]")
        alike = truncate(alike.replace(number, "…") if number else alike, _REASON)
        reason = truncate(reason, _REASON)
        if alike in self._reasons or len(self._reasons) < _LISTED:
            self._reasons[alike] += 1
        if len(self._failures) < _LISTED:
            self._failures.append(
                FailureDict(
                    position=position, last_digits=last_digits, outcome=outcome, code=code, reason=reason
                )
            )
        if counts.failed <= LOGGED:
            log.warning("recipients[%s] (…%s): %s: %s", position, last_digits, outcome, reason)
        elif counts.failed == LOGGED + 1:
            log.warning("More failures are counted, and listed in the task's summary")

    def summary(self) -> SummaryDict:
        """Return the outcome of the broadcast, as plain JSON."""
        summary: SummaryDict = {
            "recipients": len(self._recipients),
            **asdict(self.counts),  # type: ignore[typeddict-item]
            "excluded": self._recipients.excluded,
            "duplicates": self._recipients.duplicates,
            "not_attempted": self.not_attempted,
            "failures": self._failures,
            "failures_not_listed": self.counts.failed - len(self._failures),
        }
        if self._receipts is not None:
            summary["receipts"] = [receipt.as_dict() for receipt in self._receipts]
        return summary

    def describe(self) -> str:
        """Return the counts so far, for people."""
        counts, everyone = self.counts, len(self._recipients)
        named = {
            "accepted": counts.accepted,
            "accepted in earlier tries": counts.accepted_earlier,
            "refused": counts.refused,
            "unknown": counts.unknown,
            "not sent": counts.not_sent,
            "invalid": counts.invalid,
            "excluded": self._recipients.excluded,
            "duplicates": self._recipients.duplicates,
            "not attempted": self.not_attempted,
        }
        told = ", ".join(f"{count:,} {name}" for name, count in named.items() if count)
        return f"{everyone:,} recipient{'' if everyone == 1 else 's'}: {told or 'nobody to send to'}"

    def describe_failures(self) -> str:
        """Return the counts so far and the most frequent reasons of failures, for people."""
        reasons = self._reasons.most_common(_NAMED)
        told = "; ".join(f"{reason} ({count:,})" if count > 1 else reason for reason, count in reasons)
        return f"{self.describe()}. {told}" if told else self.describe()

    def describe_progress(self) -> str:
        """Return the counts so far, how fast messages leave and how long the rest will take, for people."""
        counts = self.counts
        sent = counts.accepted + counts.refused + counts.not_sent + counts.unknown
        rate = sent / max(time.monotonic() - self._begun, 0.001)
        left = f", about {self.not_attempted / rate:,.0f} s left" if rate else ""
        return f"{self.describe()}; {rate:,.1f} messages/s{left}"


def _receipt_of(kept: RecordedOutcome, number: str, kind: str) -> Receipt:
    import pendulum

    from airflow_provider_itnio.api.receipt import Receipt

    at = None if kept.at is None else pendulum.from_timestamp(kept.at)
    return Receipt(kept.message_id, number, kind, at)
