"""What a retry sends again, and what a task that a person has cleared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from airflow_provider_itnio.api.errors import ItnioError, NotDeliveredError, NotSentError, RefusedError

if TYPE_CHECKING:
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.receipt import ReceiptDict

Outcome: TypeAlias = Literal["accepted", "unknown", "not_sent", "refused"]
"""The outcome of a message. ``not_sent`` also means a temporary refusal, and ``refused`` that it was accepted
and then failed."""
FailedOutcome: TypeAlias = Literal["unknown", "not_sent", "refused"]
"""The outcome of a message that was not accepted."""
Cleared: TypeAlias = Literal["no", "perhaps", "certainly"]
"""Whether a person has cleared a task since an earlier try of it."""

FALLBACK_IS_GONE: Final = (
    "an earlier try of this task has found that only a WhatsApp template reaches this person, and the task "
    "does not have one any more. Give it back, or clear the task to send the message itself"
)
"""Why a retry sends nothing to somebody."""

_ANY: Final = ("at_least_once", "at_most_once")
# What is sent again, by outcome and delivery: by a retry, and after a person has cleared the failed task.
_SENT_AGAIN: Final[Mapping[tuple[str, str], tuple[bool, bool]]] = {
    **{("accepted", delivery): (False, False) for delivery in _ANY},
    ("unknown", "at_least_once"): (True, True),
    ("unknown", "at_most_once"): (False, True),
    **{("not_sent", delivery): (True, True) for delivery in _ANY},
    **{("refused", delivery): (False, True) for delivery in _ANY},
}


class TaskTry(NamedTuple):
    """A try of a task, and what tells whether a person has cleared the task since.

    Airflow leaves ``max_tries`` as it is when it retries a task. A person who clears the task sets it to the
    number of tries so far plus the task's ``retries``. Where the author has lowered those, that may be what
    it was before.

    :param number: which try it is, from 1; it grows with each, cleared or not.
    :param max_tries: the task instance's.
    :param retries: the task's.
    :param clear_number: how often a person has cleared any task of the DAG run.
    """

    number: int
    max_tries: int
    retries: int
    clear_number: int

    def is_cleared_since(self, earlier: TaskTry) -> Cleared:
        """Return whether a person has cleared the task between an earlier try and this one."""
        if self.max_tries != earlier.max_tries:
            return "certainly"
        if self.clear_number == earlier.clear_number:
            return "no"
        if self.retries == earlier.retries and earlier.max_tries < earlier.number + earlier.retries:
            return "no"  # to clear this task would have raised max_tries: another one of the run was cleared
        return "perhaps"


class PreviousOutcome(NamedTuple):
    """What an earlier try of the task knew of a message.

    :param outcome: the message's outcome.
    :param cleared: whether a person has cleared the task since.
    :param receipt: what was given back, if it was accepted.
    :param why: what happened, in words.
    :param is_fallback: whether it is about what goes out in place of the message.
    """

    outcome: Outcome
    cleared: Cleared
    receipt: ReceiptDict | None = None
    why: str = ""
    is_fallback: bool = False


def is_sent_again(outcome: Outcome, cleared: Cleared, delivery: Delivery) -> bool:
    """Return whether this try sends a message of which an earlier one knows.

    :param outcome: the message's outcome.
    :param cleared: whether a person has cleared the task since.
    :param delivery: what to do if a message's outcome is unknown.
    """
    by_retry, when_cleared = _SENT_AGAIN[outcome, delivery]
    if cleared == "no" or (cleared == "perhaps" and (outcome, delivery) == ("unknown", "at_most_once")):
        return by_retry
    return when_cleared


def outcome_of(error: ItnioError) -> FailedOutcome:
    """Return the outcome of a message that was not accepted."""
    if isinstance(error, NotSentError):
        return "not_sent"
    if isinstance(error, RefusedError):
        return "not_sent" if error.transient else "refused"
    return "refused" if isinstance(error, NotDeliveredError) else "unknown"
