"""What became of the messages of a broadcast, counted."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import ReceiptDict

__all__ = ["LOGGED", "Counts", "Failed", "FailureDict", "SummaryDict"]

log = logging.getLogger(__name__)

Failed: TypeAlias = Literal["invalid", "refused", "not_sent", "unknown"]

LOGGED: Final = 20
"""Failures that the log shows one by one."""
_LISTED: Final = 1000
"""Failures that the summary lists one by one."""
_REASON: Final = 160
"""Characters of a failure's reason."""
_WHOSE: Final = re.compile(r"recipients\[\d+\]|\d\d…\d\d")
"""What is another in the reason of each recipient."""


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
    """What became of a broadcast, as it stands in XCom.

    ``recipients`` counts the list. It is the sum of ``accepted`` (in this try), ``accepted_earlier`` (in
    earlier tries of the task), ``refused``, ``invalid``, ``not_sent``, ``unknown``, ``excluded``,
    ``repeated`` (equal to an entry before) and ``not_reached``. ``failures`` lists the first 1,000 that
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
    repeated: int
    not_reached: int
    failures: list[FailureDict]
    failures_not_listed: int
    receipts: list[ReceiptDict]


@dataclass
class Counts:
    """The counts of a broadcast so far; see :class:`SummaryDict`."""

    accepted: int = 0
    accepted_earlier: int = 0
    refused: int = 0
    invalid: int = 0
    not_sent: int = 0
    unknown: int = 0
    failures: list[FailureDict] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """How often each reason was one, whoever it was for; of very many different ones the first."""

    @property
    def failed(self) -> int:
        """How many messages were not accepted of those that were tried."""
        return self.refused + self.invalid + self.not_sent + self.unknown

    def add_failure(
        self, outcome: Failed, position: int, last_digits: str, code: int | None, reason: str
    ) -> None:
        """Count a message that was not accepted.

        :param outcome: what became of it.
        :param position: where its recipient stands in the list.
        :param last_digits: the last four digits of the number.
        :param code: the vendor's status code.
        :param reason: why, in words.
        """
        setattr(self, outcome, getattr(self, outcome) + 1)
        if len(reason) > _REASON:
            reason = f"{reason[: _REASON - 1]}…"
        alike = _WHOSE.sub(lambda whose: "recipients[…]" if whose[0][0] == "r" else "…", reason)
        if alike in self.reasons or len(self.reasons) < _LISTED:
            self.reasons[alike] += 1
        if len(self.failures) < _LISTED:
            self.failures.append(
                {
                    "position": position,
                    "last_digits": last_digits,
                    "outcome": outcome,
                    "code": code,
                    "reason": reason,
                }
            )
        if self.failed <= LOGGED:
            log.warning("recipients[%s] (…%s): %s: %s", position, last_digits, outcome, reason)
        elif self.failed == LOGGED + 1:
            log.warning("More failures are counted, and listed in the task's summary")
