"""What a retry sends again, and what a task that a person has cleared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from airflow_provider_itnio.api.errors import ItnioError, NotSentError, RefusedError

if TYPE_CHECKING:
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.receipt import ReceiptDict

__all__ = ["FailedOutcome", "Outcome", "PreviousOutcome", "is_sent_again", "outcome_of"]

Outcome: TypeAlias = Literal["accepted", "unknown", "not_sent", "refused"]
"""What became of a message; ``not_sent`` also stands for a refusal that passes."""
FailedOutcome: TypeAlias = Literal["unknown", "not_sent", "refused"]
"""What became of a message that was not accepted."""

_ANY: Final = ("at_least_once", "at_most_once")
# What is sent again, by outcome and delivery: by a retry, and after a person has cleared the failed task.
_SENT_AGAIN: Final[Mapping[tuple[str, str], tuple[bool, bool]]] = {
    **{("accepted", delivery): (False, False) for delivery in _ANY},
    ("unknown", "at_least_once"): (True, True),
    ("unknown", "at_most_once"): (False, True),
    **{("not_sent", delivery): (True, True) for delivery in _ANY},
    **{("refused", delivery): (False, True) for delivery in _ANY},
}


class PreviousOutcome(NamedTuple):
    """What an earlier try of the task knew of a message.

    :param outcome: what became of it.
    :param cleared: whether a person has cleared the task since.
    :param receipt: what was given back, if it was accepted.
    :param why: what happened, in words.
    :param code: the vendor's status code, if it was refused with one.
    """

    outcome: Outcome
    cleared: bool
    receipt: ReceiptDict | None = None
    why: str = ""
    code: int | None = None


def is_sent_again(earlier: PreviousOutcome, delivery: Delivery) -> bool:
    """Say whether this try sends a message of which an earlier one knows.

    :param earlier: what it knows.
    :param delivery: what matters more where nobody can say what became of a message.
    """
    by_retry, when_cleared = _SENT_AGAIN[earlier.outcome, delivery]
    return when_cleared if earlier.cleared else by_retry


def outcome_of(error: ItnioError) -> FailedOutcome:
    """Say what became of a message that was not accepted.

    :param error: what its sending raised.
    """
    if isinstance(error, NotSentError):
        return "not_sent"
    if isinstance(error, RefusedError):
        return "not_sent" if error.transient else "refused"
    return "unknown"
