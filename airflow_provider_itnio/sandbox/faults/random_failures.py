"""A share of the messages fails: which ones, is drawn so that it can be drawn the same again."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema

from airflow_provider_itnio.sandbox.api_models import Given
from airflow_provider_itnio.sandbox.faults.fault import BEFORE_ACCEPTING, Fault

RECIPIENTS_KNOWN = 100_000
USUAL_FAILURE = "-12"
DROP = "drop"


class Share(NamedTuple):
    """How many messages fail, over 0 and at most 1, and how."""

    share: float
    fault: Fault

    def __str__(self) -> str:
        how = self.fault.status or self.fault.http_status or DROP
        return f"{100 * self.share:.10g}%:{how}"


class RandomFailures:
    """
    Draws which messages fail.

    A draw depends on the seed, the recipient and how many messages that recipient was sent before, not on
    what else is in flight: a broadcast meets the same failures again, however its messages overtake each
    other. How many were sent is known of the last ``RECIPIENTS_KNOWN`` recipients.

    :param shares: how many fail, and how; together at most 1. It may be set anew
    :param seed: the same seed draws the same; None draws anew each time
    """

    def __init__(self, shares: tuple[Share, ...], seed: int | None = None) -> None:
        self.shares = shares
        self._seed = random.SystemRandom().getrandbits(64) if seed is None else seed
        self._sent: dict[str, int] = {}
        self._lock = threading.Lock()

    def draw(self, recipient: str) -> Fault | None:
        """Tell what happens to the next message to a recipient, None if nothing does."""
        shares = self.shares
        if not shares:
            return None
        with self._lock:
            count = self._sent.pop(recipient, 0) + 1
            self._sent[recipient] = count  # at the end, so that the first one is who was sent nothing longest
            if len(self._sent) > RECIPIENTS_KNOWN:
                del self._sent[next(iter(self._sent))]
        drawn = random.Random(f"{self._seed} {recipient} {count}").random()  # noqa: S311
        for share, fault in shares:
            if drawn < share:
                return fault
            drawn -= share
        return None

    def begin_again(self) -> None:
        """Forget what was drawn, so that a seed gives the same failures once more."""
        with self._lock:
            self._sent.clear()


def shares_from(given: float | str | Iterable[str] | None) -> tuple[Share, ...]:
    """Read shares: a number from 0 to 1 or texts as :func:`share_from` takes them; None for no failures."""
    if given is None:
        return ()
    if isinstance(given, (int, float)):
        if isinstance(given, bool) or not 0 <= given <= 1:
            raise ValueError("a number from 0 to 1, or a text such as '5%'")
        return (Share(float(given), _fault_called(USUAL_FAILURE)),) if given else ()
    shares = tuple(share_from(one) for one in ([given] if isinstance(given, str) else given))
    if sum(one.share for one in shares) > 1 + 1e-9:
        raise ValueError("at most 100% together")
    return shares


def share_from(text: str) -> Share:
    """Read a share such as ``5%`` (of code -12), ``5%:-5``, ``5%:503`` (an HTTP code) or ``5%:drop``."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%(?::(.+))?", str(text).strip())
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError("shares such as 5% or 2.5%:-5, over 0% and at most 100%")
    return Share(float(found[1]) / 100, _fault_called(found[2] or USUAL_FAILURE))


def _fault_called(name: str) -> Fault:
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
    """What shares of all messages fail from now on; an empty list lets none fail."""

    fail: Shares = Field(description="a list of texts such as 5%, 2.5%:503 or 1%:drop")
