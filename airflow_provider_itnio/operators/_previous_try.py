"""What a try returns or raises if a previous try has sent its message.

``delivery/policy.py`` decides whether a try sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.delivery.policy import PreviousOutcome

log = NeverRaisingLog(__name__)


def receipt_of_previous_try(recipient: str, previous: PreviousOutcome) -> ReceiptDict:
    """Return the receipt of a previous try, or fail as that try did.

    :param recipient: the phone number, digits only.
    :param previous: the outcome that the previous try recorded.
    :raises AirflowFailException: if the message was refused, failed, or may have been sent.
    """
    number = mask_phone(recipient)
    if previous.receipt is not None:
        log.info(
            "Nothing sent: a previous try of this task sent to %s, accepted as %s",
            number,
            previous.receipt["message_id"].replace(recipient, number),
        )
        return previous.receipt
    if previous.outcome == "refused":
        raise AirflowFailException(
            f"Nothing sent: in a previous try of this task the message to {number} was refused. "
            f"{previous.reason}. Fix the cause, then clear the task to send it"
        )
    raise AirflowFailException(
        f"Nothing sent: a previous try of this task may have sent the message to {number} "
        f"({previous.reason}), and delivery is at_most_once. Clear the task to send it anyway"
    )
