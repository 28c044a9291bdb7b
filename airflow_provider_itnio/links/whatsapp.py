"""Links that a task shows in Airflow's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

__all__ = ["OpenChatLink"]


class OpenChatLink(BaseOperatorLink):
    """Opens the chat with the recipient of a task's message, in the WhatsApp of whoever clicks.

    It does not show the task's message, which was sent by the business phone.
    """

    name = "Open chat in your WhatsApp"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the chat's address.

        :param operator: the task.
        :param ti_key: which of its runs.
        :return: ``https://wa.me/`` and the number; empty as long as the number is not known.
        """
        from airflow_provider_itnio.api.errors import InvalidMessageError
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        try:
            # Where the task has run, or its number stands in the DAG file, no look-up is needed.
            number = normalize_phone(getattr(operator, "recipient", None))
        except InvalidMessageError:
            receipt = XCom.get_value(key="return_value", ti_key=ti_key)
            number = receipt.get("recipient", "") if isinstance(receipt, dict) else ""
        return f"https://wa.me/{number}" if number else ""
