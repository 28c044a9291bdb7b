"""Let a share of the messages fail at random; a seed makes it repeatable."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema

from airflow_provider_itnio.sandbox.api_models import Given
from airflow_provider_itnio.sandbox.faults.fault import BEFORE_ACCEPTING, Fault

MAX_RECIPIENTS = 100_000
DEFAULT_FAILURE = "-12"
DROP = "drop"


class Share(NamedTuple):
    """The share of messages that fail, above 0 and at most 1, and how they fail."""

    share: float
    fault: Fault

    def __str__(self) -> str:
        how = self.fault.status or self.fault.http_status or DROP
        return f"{100 * self.share:.10g}%:{how}"


class RandomFailures:
    """
    Draws which messages fail.

    A draw depends on the seed, the recipient and the number of previous messages to the recipient, not on
    other messages in flight: a broadcast gets the same failures again, in whatever order its messages arrive.
    The number of messages is known for the last ``MAX_RECIPIENTS`` recipients.

    :param shares: the shares that fail, and how; together at most 1. It may be replaced
    :param seed: makes draws repeatable; None draws at random
    """

    def __init__(self, shares: tuple[Share, ...], seed: int | None = None) -> None:
        self.shares = shares
        self._seed = random.SystemRandom().getrandbits(64) if seed is None else seed
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def draw(self, recipient: str) -> Fault | None:
        """Return what happens to the next message to a recipient, None if nothing does."""
        shares = self.shares
        if not shares:
            return None
        with self._lock:
            count = self._counts.pop(recipient, 0) + 1
            self._counts[recipient] = count  # at the end: the first one has waited longest for a message
            if len(self._counts) > MAX_RECIPIENTS:
                del self._counts[next(iter(self._counts))]
        value = random.Random(f"{self._seed} {recipient} {count}").random()  # noqa: S311
        for share, fault in shares:
            if value < share:
                return fault
            value -= share
        return None

    def restart_seed(self) -> None:
        """Restart the seed, so that it gives the same failures once more."""
        with self._lock:
            self._counts.clear()


def shares_from(given: float | str | Iterable[str] | None) -> tuple[Share, ...]:
    """Read shares: a number from 0 to 1, or texts for :func:`share_from`; None for no failures."""
    if given is None:
        return ()
    if isinstance(given, (int, float)):
        if isinstance(given, bool) or not 0 <= given <= 1:
            raise ValueError("a number from 0 to 1, or a text such as '5%'")
        return (Share(float(given), _fault_from(DEFAULT_FAILURE)),) if given else ()
    shares = tuple(share_from(one) for one in ([given] if isinstance(given, str) else given))
    if sum(one.share for one in shares) > 1 + 1e-9:
        raise ValueError("at most 100% together")
    return shares


def share_from(text: str) -> Share:
    """Read a share such as ``5%`` (of code -12), ``5%:-5``, ``5%:503`` (an HTTP code) or ``5%:drop``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%(?::(.+))?", str(text).strip())
    if not match or not 0 < float(match[1]) <= 100:
        raise ValueError("shares such as 5% or 2.5%:-5, over 0% and at most 100%")
    return Share(float(match[1]) / 100, _fault_from(match[2] or DEFAULT_FAILURE))


def _fault_from(name: str) -> Fault:
    if name == DROP:
        return Fault(drop=BEFORE_ACCEPTING)
    if re.fullmatch(r"-[1-9][0-9]{0,3}", name):
        return Fault(status=int(name))
    if re.fullmatch(r"[45][0-9]{2}", name):
        return Fault(http_status=int(name))
    raise ValueError(f"after the colon a code such as -12, an HTTP code from 400 to 599, or {DROP}")


Shares: TypeAlias = Annotated[
    Any,  # a tuple of Share, which the API is given as texts
    PlainValidator(shares_from),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]


class RandomFailuresGiven(Given):
    """The shares of messages that fail from now on; with an empty list none fails."""

    fail: Shares = Field(description="a list of texts such as 5%, 2.5%:503 or 1%:drop")
