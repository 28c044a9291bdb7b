"""Links that a task shows in Airflow's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

__all__ = ["OpenChatLink"]


class OpenChatLink(BaseOperatorLink):
    """Opens a chat with the recipient of a task's message in the user's own WhatsApp.

    The chat does not contain the task's message, which was sent by the business phone.
    """

    name = "Open chat in your WhatsApp"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL of the chat.

        :param operator: the task.
        :param ti_key: the key of the task instance.
        :return: ``https://wa.me/`` and the number; empty while the number is unknown.
        """
        from airflow_provider_itnio.api.errors import InvalidMessageError
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        try:
            # If the number is rendered or a plain value in the DAG file, XCom is not needed.
            number = normalize_phone(getattr(operator, "recipient", None))
        except InvalidMessageError:
            receipt = XCom.get_value(key="return_value", ti_key=ti_key)
            number = receipt.get("recipient", "") if isinstance(receipt, dict) else ""
        return f"https://wa.me/{number}" if number else ""
