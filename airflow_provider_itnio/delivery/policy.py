"""Which messages a retry or a cleared task sends again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from airflow_provider_itnio.api.errors import ItnioError, NotDeliveredError, NotSentError, RefusedError

if TYPE_CHECKING:
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.receipt import ReceiptDict

Outcome: TypeAlias = Literal["accepted", "unknown", "not_sent", "refused"]
"""The outcome of a message. ``not_sent`` includes a transient refusal, and ``refused`` a message that was
accepted and then failed."""
FailedOutcome: TypeAlias = Literal["unknown", "not_sent", "refused"]
"""The outcome of a message that was not accepted."""
Cleared: TypeAlias = Literal["no", "perhaps", "certainly"]
"""Whether a task has been cleared since a previous try."""

FALLBACK_REMOVED: Final = (
    "a previous try of this task found that only a WhatsApp template reaches this recipient, but the task "
    "has no template any more. Add it again, or clear the task to send the message itself"
)
"""Why a retry sends nothing to a recipient."""

_ALL_DELIVERIES: Final = ("at_least_once", "at_most_once")
# Whether to send again, by outcome and delivery: in a retry, and after the failed task was cleared.
_IS_RESENT: Final[Mapping[tuple[str, str], tuple[bool, bool]]] = {
    **{("accepted", delivery): (False, False) for delivery in _ALL_DELIVERIES},
    ("unknown", "at_least_once"): (True, True),
    ("unknown", "at_most_once"): (False, True),
    **{("not_sent", delivery): (True, True) for delivery in _ALL_DELIVERIES},
    **{("refused", delivery): (False, True) for delivery in _ALL_DELIVERIES},
}


class TaskTry(NamedTuple):
    """A try of a task, with the values that show whether the task has been cleared since.

    A retry does not change ``max_tries``. Clearing sets it to the number of tries so far plus the task's
    ``retries``. If the author has lowered ``retries``, the result may equal the old ``max_tries``.

    :param number: the number of the try, from 1; it also grows when the task is cleared.
    :param max_tries: ``max_tries`` of the task instance.
    :param retries: ``retries`` of the task.
    :param clear_number: how many times tasks of the DAG run have been cleared.
    """

    number: int
    max_tries: int
    retries: int
    clear_number: int

    def is_cleared_since(self, previous: TaskTry) -> Cleared:
        """Return whether the task was cleared between a previous try and this one."""
        if self.max_tries != previous.max_tries:
            return "certainly"
        if self.clear_number == previous.clear_number:
            return "no"
        if self.retries == previous.retries and previous.max_tries < previous.number + previous.retries:
            return "no"  # clearing this task would have raised max_tries, so another task was cleared
        return "perhaps"


class PreviousOutcome(NamedTuple):
    """The outcome of a message in a previous try of the task.

    :param outcome: the message's outcome.
    :param cleared: whether the task has been cleared since.
    :param receipt: the receipt, if it was accepted.
    :param reason: what happened, if it was not accepted.
    :param is_fallback: whether this is the outcome of the fallback.
    """

    outcome: Outcome
    cleared: Cleared
    receipt: ReceiptDict | None = None
    reason: str = ""
    is_fallback: bool = False


def should_resend(outcome: Outcome, cleared: Cleared, delivery: Delivery) -> bool:
    """Return whether this try sends a message again that a previous try has recorded.

    :param outcome: the message's outcome.
    :param cleared: whether the task has been cleared since.
    :param delivery: what to do if a message's outcome is unknown.
    """
    in_retry, after_clear = _IS_RESENT[outcome, delivery]
    if cleared == "no" or (cleared == "perhaps" and (outcome, delivery) == ("unknown", "at_most_once")):
        return in_retry
    return after_clear


def outcome_of(error: ItnioError) -> FailedOutcome:
    """Return the outcome of a message that was not accepted."""
    if isinstance(error, NotSentError):
        return "not_sent"
    if isinstance(error, RefusedError):
        return "not_sent" if error.transient else "refused"
    return "refused" if isinstance(error, NotDeliveredError) else "unknown"
