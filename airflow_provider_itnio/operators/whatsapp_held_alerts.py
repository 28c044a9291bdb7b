"""The operator that sends a summary of alerts that were held back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.templating import is_rendered_later, leaves, recipient_entries

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.notifications.alert_state import RecipientState
    from airflow_provider_itnio.operators._task_arguments import TaskArguments

    _Operator = BaseOperator
else:
    _Operator = with_named_errors(BaseOperator)

__all__ = ["WhatsAppHeldAlertsOperator"]

log = NeverRaisingLog(__name__)

_LOCK_TIMEOUT: Final = 30.0
"""How long to wait for alerts of this machine that are counted."""


class WhatsAppHeldAlertsOperator(_Operator):
    """Sends each recipient the number of their alerts that were held back, by the limit or in quiet hours.

    .. code-block:: python

        with DAG("held_alerts", schedule="*/15 * * * *", start_date=datetime(2026, 1, 1), catchup=False):
            WhatsAppHeldAlertsOperator(task_id="tell", recipients="+86 147-1800-4557")

    It sends nothing to a recipient without held alerts, and nothing in ``[itnio] quiet_hours``. No retry and
    no later alert repeats a summary: held alerts are removed from the Variable before the message is sent,
    and put back only if the message was certainly not sent. If the worker is killed while it sends to a
    recipient, that recipient's summary may be lost.

    :param recipients: one phone number, several in a text separated by commas or lines, or a list.
        (templated)
    :param alert_template: the name of a WhatsApp template with six values, as for
        :class:`~airflow_provider_itnio.notifications.whatsapp.WhatsAppNotifier`; by default the connection's
        extra of this name. (templated)
    :param alert_language: the template's language; by default the connection's extra of this name, or ``en``.
        (templated)
    :param itnio_conn_id: the connection. (templated)
    :return: the number of held alerts that were reported, over all recipients.
    :raises InvalidMessageError: if an entry of ``recipients`` is no phone number, or ``alert_template`` or
        ``alert_language`` is no valid name.
    :raises InvalidParameterError: if ``itnio_conn_id`` is no text.
    """

    template_fields: Sequence[str] = ("recipients", "alert_template", "alert_language", "itnio_conn_id")
    ui_color = "#d9fdd3"

    def __init__(
        self,
        *,
        recipients: str | int | Sequence[str | int],
        alert_template: str | None = None,
        alert_language: str | None = None,
        itnio_conn_id: str = ItnioHook.default_conn_name,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        super().__init__(**dict[str, Any](kwargs))  # Airflow 2 and 3 type some of them differently
        self.recipients = recipients
        self.alert_template = alert_template
        self.alert_language = alert_language
        self.itnio_conn_id = itnio_conn_id
        # Imported here, because these imports would slow down the import of this module.
        from airflow_provider_itnio.api.checks import check_name
        from airflow_provider_itnio.hooks.hook_fields import check_alert_template

        if not any(is_rendered_later(leaf) for _, leaf in leaves(recipients)):
            self._numbers()
        if not is_rendered_later(itnio_conn_id):
            check_name("itnio_conn_id", itnio_conn_id)
        check_alert_template(alert_template, alert_language)

    def execute(self, context: Context) -> int:
        """Send each recipient the summary of their held alerts.

        :param context: the task's context.
        :return: the number of held alerts that were reported.
        :raises AirflowFailException: at once and without retries, if a rendered value is invalid, or a
            connection's field is missing.
        :raises NotSentError: after all recipients, if a message was not sent; a retry sends it.
        :raises RefusedError: after all recipients, if a message was refused; a retry sends it.
        :raises UnknownOutcomeError: if it is unknown whether a message was sent; a retry does not repeat it.
        """
        from airflow_provider_itnio.notifications.alert_options import holding_options
        from airflow_provider_itnio.notifications.guard import is_quiet_now

        if is_quiet_now(holding_options()):
            log.info("Nothing is sent: these are quiet hours")
            return 0
        reported, failures = 0, []
        with _fail_on_permanent_errors():
            numbers = self._numbers()
        for number in numbers:
            if not (held := self._take_held(number)).held:
                continue
            try:
                self._report(number, held)
                reported += held.held
            except Exception as error:
                failures.append(error)
        log.info("%s held alerts were reported", reported)
        if failures:
            with _fail_on_permanent_errors():
                raise min(failures, key=_is_permanent)  # if a retry helps any recipient, it is made
        return reported

    def _numbers(self) -> list[str]:
        from airflow_provider_itnio.api.errors import InvalidMessageError
        from airflow_provider_itnio.broadcast.recipients import expand_recipient, read_recipient

        numbers = [
            read_recipient(entry, f"recipients[{index}]")[0]
            for index, raw_entry in enumerate(recipient_entries(self.recipients))
            for entry in expand_recipient(raw_entry, raw_entry, f"recipients[{index}]")
        ]
        if not numbers:
            raise InvalidMessageError("recipients: at least one phone number is required, none given")
        return numbers

    def _take_held(self, number: str) -> RecipientState:
        from airflow_provider_itnio.api.phone_numbers import canonical_number
        from airflow_provider_itnio.notifications.alert_state import change_state

        return change_state(
            lambda state: state.recipient(canonical_number(number)).take_held(), _LOCK_TIMEOUT
        )

    def _report(self, number: str, held: RecipientState) -> None:
        from airflow_provider_itnio.api.errors import (
            ContentError,
            InvalidMessageError,
            ItnioError,
            UnknownOutcomeError,
        )
        from airflow_provider_itnio.notifications.alert_facts import AlertFacts
        from airflow_provider_itnio.notifications.guard import describe_held
        from airflow_provider_itnio.notifications.rendering import RenderedAlert

        alert = RenderedAlert(
            facts=AlertFacts(kind="alerts_held"),
            recipients=[number],
            template=self.alert_template,
            language=self.alert_language,
        )
        may_be_sent = False
        try:
            hook = ItnioHook(self.itnio_conn_id)
            *templates, text = alert.messages(hook.account())
            note = describe_held(held)
            may_be_sent = True
            for template in templates:
                try:
                    hook.send(number, **template("", note) or {})
                    return
                except (ContentError, InvalidMessageError) as error:
                    log.warning("The WhatsApp template can't be used, so a text is sent: %s", error)
            hook.send(number, **text("", note) or {})
        except BaseException as error:
            # After any other error during the request, such as execution_timeout, the outcome is unknown.
            was_not_sent = isinstance(error, ItnioError) and not isinstance(error, UnknownOutcomeError)
            if was_not_sent or not may_be_sent:
                self._put_back(number, held)
            raise

    def _put_back(self, number: str, held: RecipientState) -> None:
        from airflow_provider_itnio._compat import is_failed_write
        from airflow_provider_itnio.api.phone_numbers import canonical_number
        from airflow_provider_itnio.notifications.alert_state import change_state
        from airflow_provider_itnio.notifications.guard import log_unreported

        try:
            change_state(
                lambda state: state.recipient(canonical_number(number)).give_back(held), _LOCK_TIMEOUT
            )
        except BaseException as error:
            if not is_failed_write(error):
                raise
            log_unreported(number, held)


@contextmanager
def _fail_on_permanent_errors() -> Iterator[None]:
    """Raise ``AirflowFailException`` for a value that a retry does not help."""
    try:
        yield
    except Exception as error:
        if not _is_permanent(error):
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def _is_permanent(error: Exception) -> bool:
    from airflow_provider_itnio.api.errors import (
        ConfigurationError,
        ConnectionLookupError,
        InvalidMessageError,
        InvalidParameterError,
    )

    is_invalid_value = isinstance(error, (ConfigurationError, InvalidMessageError, InvalidParameterError))
    return is_invalid_value and not isinstance(error, ConnectionLookupError)
