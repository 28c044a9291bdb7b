"""The recipients and messages of a broadcast, built from the task's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.operators._message import WhatsAppMessageOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.broadcast.recipients import Recipient, Recipients
    from airflow_provider_itnio.broadcast.rendering import PersonalMessage

log = NeverRaisingLog(__name__)


class BroadcastMessages(WhatsAppMessageOperator):
    """Builds the message for each recipient."""

    recipients: Any
    exclude: Any
    shared: Any
    fallback: Any
    _excludes: bool

    def _recipient_entries(self, context: Context) -> Sequence[Any]:
        """Return the recipients' entries. Each is checked when it is read."""
        from airflow_provider_itnio.broadcast.recipients import recipient_list

        return recipient_list(resolve_literal(self.recipients, context))

    def _read_recipients(self, context: Context) -> Recipients:
        """Return the recipients without the excluded ones. Each is checked when it is read."""
        from airflow_provider_itnio.broadcast.recipients import Recipients, excluded_numbers

        excluded = excluded_numbers(resolve_literal(self.exclude, context)) if self._excludes else frozenset()
        return Recipients(self._recipient_entries(context), excluded)

    def _message_factory(
        self, fields: Mapping[str, Any], context: Context
    ) -> tuple[str, Callable[[Recipient], Message]]:
        """Return the type of the messages, and a function that builds the message for one recipient."""
        from airflow_provider_itnio.api.models import message_from

        personal = self._personal_message(fields, context)
        if not personal.is_personal:
            message = message_from(personal.fixed_fields, if_too_long=self.if_too_long)
            return message.type, self._shared_message_factory(message)
        return personal.kind, lambda recipient: message_from(
            self._render_for(personal, recipient), if_too_long=self.if_too_long
        )

    def _personal_message(self, fields: Mapping[str, Any], context: Context) -> PersonalMessage:
        from airflow_provider_itnio.broadcast.rendering import PersonalMessage

        return PersonalMessage(
            fields,
            self._text_environment(),
            self._context_for(fields, context),
            resolve_literal(self.shared, context) or {},
            data=self._check_data_fields(fields, context),
        )

    def _render_for(self, personal: PersonalMessage, recipient: Recipient) -> dict[str, Any]:
        """Render a message, or a fallback, for one recipient."""
        return personal.fields_for(recipient)

    def _shared_message_factory(self, message: Message) -> Callable[[Recipient], Message]:
        """Check the message's file once, before it is first sent. An invalid file ends the broadcast."""
        is_checked = False

        def build(recipient: Recipient) -> Message:
            nonlocal is_checked
            if not is_checked:
                with self._fail_on_permanent_errors():
                    self.hook.check_file(message)
                is_checked = True
            return message

        return build

    def _fallback_factory(self, context: Context) -> Callable[[Recipient], Message]:
        """Return a function that builds the fallback for one recipient."""
        from airflow_provider_itnio.operators._fallback import fallback_message

        personal = self._personal_message({"fallback": self.fallback}, context)
        if not personal.is_personal:
            message = fallback_message(personal.fixed_fields.get("fallback"))
            return lambda recipient: message
        return lambda recipient: fallback_message(self._render_for(personal, recipient)["fallback"])

    def _log_first(self, message_for: Callable[[Recipient], Message]) -> Callable[[Recipient], Message]:
        """Log the first message before it is sent."""
        from airflow_provider_itnio.api.masking import mask_phone
        from airflow_provider_itnio.broadcast.preview import preview

        is_shown = False

        def build(recipient: Recipient) -> Message:
            nonlocal is_shown
            message = message_for(recipient)
            if not is_shown:
                is_shown = True
                log.info("The first message, to %s: %s", mask_phone(recipient.number), preview(message))
            return message

        return build


def resolve_literal(value: Any, context: Context) -> Any:
    """Return the value in a ``literal(...)``; Airflow has resolved all other references."""
    return value.resolve(context) if hasattr(value, "iter_references") else value
