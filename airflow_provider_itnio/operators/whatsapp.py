"""The operator that sends one WhatsApp message."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.checks import Delivery, check_delivery
from airflow_provider_itnio.api.errors import NotDeliveredError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.links.whatsapp import OpenChatLink
from airflow_provider_itnio.operators._fallback import (
    check_fallback,
    failed_outside_window,
    is_window_closed,
    prepare_fallback,
)
from airflow_provider_itnio.operators._message import SETTINGS, WhatsAppMessageOperator
from airflow_provider_itnio.operators._recorded import RecordedSending
from airflow_provider_itnio.operators._waiting import (
    TRIGGERER_MARGIN,
    WaitFor,
    check_deferrable,
    check_message_id_is_usable,
    check_receiver,
    check_wait,
    is_deferrable,
    is_trigger_timeout,
    prevent_resend,
    wait_for_status,
    wait_seconds,
    with_status,
)
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.delivery.policy import PreviousOutcome
    from airflow_provider_itnio.hooks.prepared_message import PreparedMessage
    from airflow_provider_itnio.message_types import (
        ContactDict,
        DocumentDict,
        InteractiveDict,
        LinkDict,
        LocationDict,
        MediaDict,
        MessageDict,
        TemplateDict,
        TextDict,
        XComArgLike,
    )
    from airflow_provider_itnio.operators._task_arguments import TaskArguments


__all__ = ["WhatsAppMessageOperator", "WhatsAppSendOperator"]

log = NeverRaisingLog(__name__)


class WhatsAppSendOperator(RecordedSending, WhatsAppMessageOperator):
    """Sends one WhatsApp message to one person.

    .. code-block:: python

        WhatsAppSendOperator(
            task_id="tell_finance",
            recipient="{{ var.value.finance_phone }}",
            text="*{{ ds }}* closed with {{ ti.xcom_pull('load') }} rows",
        )

    The task succeeds when Itniotech accepts the message. With ``wait_for="delivered"`` it succeeds when the
    connection's receiver (``itnio-receiver``) reports the message as delivered. A message that is no WhatsApp
    template is delivered only if the recipient has written in the last 24 hours.

    On Airflow 3.3 and later, a retry does not send again if a previous try's message to the recipient was
    accepted. It returns that message's receipt.

    Give exactly one of the ten fields from ``text`` to ``template``, or ``message``. Templated parameters
    also take the output of an upstream task. To compute the message when the task runs, override
    :meth:`build_message` in a subclass. The limits are those of the vendor's pages ``waCustomSendMsg`` and
    ``waSendMsg``, and WhatsApp's own where these pages give none.

    :param recipient: a phone number with country code, in any usual spelling, 7 to 14 digits. (templated)
    :param text: a text of at most 4,096 characters, or ``{"body": …}``. (templated)
    :param image: a link to a JPEG or PNG of at most 5 MB, or ``{"link": …, "caption": …}``; a caption has at
        most 1,024 characters. (templated)
    :param audio: a link to a sound of at most 16 MB, or ``{"link": …}``. (templated)
    :param video: a link to an MP4 or 3GPP of at most 16 MB, or ``{"link": …, "caption": …}``. (templated)
    :param document: a link to a file of at most 100 MB, or ``{"link": …, "filename": …, "caption": …}``.
        ``filename`` defaults to the last part of the link's path. (templated)
    :param sticker: a link to a WebP of at most 100 KB, or ``{"link": …}``. (templated)
    :param location: ``{"longitude": …, "latitude": …, "name": …, "address": …}``, in decimal degrees.
        (templated)
    :param interactive: what ``reply_buttons``, ``list_menu`` or ``location_request`` of
        ``airflow_provider_itnio.messages`` return. (templated)
    :param contacts: one to five of what ``contact_card`` returns. (templated)
    :param template: a WhatsApp template: what ``template_message`` returns. Only a WhatsApp template reaches
        recipients who have not written in the last 24 hours. (templated)
    :param message: the message as one dict, for messages built upstream: ``{"text": "…"}``. It may contain
        ``type`` and ``reply_to``. (templated)
    :param reply_to: the id of the incoming message that this one answers. (templated)
    :param business_phone: the sender's number, 7 to 14 digits; the connection's by default. (templated)
    :param app_id: the sender's application; the connection's by default. (templated)
    :param itnio_conn_id: the connection. (templated)
    :param delivery: what to do if it is unknown whether a message was accepted: with ``at_least_once`` the
        task's retries send it again, with ``at_most_once`` the task fails at once.
    :param if_too_long: ``fail``, or ``truncate`` to cut a text to 4,096 characters, the last of them ``…``.
    :param wait_for: the status at which the task succeeds: ``accepted`` by Itniotech, ``sent``, ``delivered``
        or ``read``. All but the first need a receiver.
    :param wait_timeout: how long to wait for that status after the message is accepted, 1 s to 7 days, a
        timedelta or seconds. Then the task fails; a retry sends nothing and waits as long again.
    :param deferrable: wait in the triggerer, without a worker slot. ``None`` takes Airflow's
        ``[operators] default_deferrable``.
    :param fallback: a WhatsApp template to send instead, once: ``{"template": template_message(…)}``. It is
        sent if the receiver reports that the recipient's 24-hour window is closed, or that the message failed
        for that reason while the task waits. Needs a receiver. (templated)
    :param timeout: seconds to wait for the response; by default the connection's (30).
    :param connect_timeout: seconds to connect, including DNS, proxy and TLS; by default the connection's (5).
    :param max_attempts: attempts for a message that was not sent, within one try of the task, 1 to 10;
        by default the connection's (4).
    :param proxy: URL of an HTTP proxy; by default the connection's.
    :param link_expires_in: how long WhatsApp can fetch a file that is given as ``{"object": "s3://…"}``
        instead of ``link``: a minute to 7 days, a timedelta or seconds.
    :param check_link: fetch the first bytes of a plain link, and fail if WhatsApp could not fetch it or would
        not take it.
    :return: ``{"message_id", "recipient", "type", "timestamp"}``, the time in ISO 8601 and UTC; after a wait
        also ``status`` and ``status_at``.
    :raises InvalidMessageError: if a value in the DAG file breaks a rule of the message.
    :raises InvalidParameterError: if another parameter in the DAG file is out of its range.
    :raises AirflowFailException: at once and without retries, if the message is invalid, a connection's field
        is missing, Itniotech refused, or the message failed after it was accepted; with ``at_most_once`` also
        if the outcome is unknown.
    :raises NotDeliveredError: if the message has not reached ``wait_for`` within ``wait_timeout``; the task's
        retries wait again. Before Airflow 3.3, where they would send again, ``AirflowFailException``.
    :raises NotSentError: if the message was not sent; the task's retries try again.
    :raises UnknownOutcomeError: with ``at_least_once``, if the outcome is unknown; the task's retries send
        again.
    :raises RefusedError: if the refusal is temporary; the task's retries try again.
    :raises RecordError: with ``at_most_once``, if the delivery record could not be written before sending;
        nothing was sent, and the task's retries try again.
    """

    template_fields: Sequence[str] = ("recipient", "fallback", *WhatsAppMessageOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **WhatsAppMessageOperator.template_fields_renderers,
        "fallback": "json",
    }
    operator_extra_links = (OpenChatLink(),)

    def __init__(
        self,
        *,
        recipient: str | int | XComArgLike,
        text: str | TextDict | XComArgLike | None = None,
        image: str | MediaDict | XComArgLike | None = None,
        audio: str | LinkDict | XComArgLike | None = None,
        video: str | MediaDict | XComArgLike | None = None,
        document: str | DocumentDict | XComArgLike | None = None,
        sticker: str | LinkDict | XComArgLike | None = None,
        location: LocationDict | XComArgLike | None = None,
        interactive: InteractiveDict | XComArgLike | None = None,
        contacts: Sequence[ContactDict] | ContactDict | XComArgLike | None = None,
        template: TemplateDict | XComArgLike | None = None,
        message: MessageDict | XComArgLike | None = None,
        reply_to: str | XComArgLike | None = None,
        business_phone: str | int | XComArgLike | None = None,
        app_id: str | XComArgLike | None = None,
        itnio_conn_id: str = ItnioHook.default_conn_name,
        delivery: Delivery = "at_least_once",
        if_too_long: Literal["fail", "truncate"] = "fail",
        wait_for: WaitFor = "accepted",
        wait_timeout: timedelta | float = timedelta(minutes=10),
        deferrable: bool | None = None,
        fallback: MessageDict | XComArgLike | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        max_attempts: int | None = None,
        proxy: str | None = None,
        link_expires_in: timedelta | float = timedelta(hours=1),
        check_link: bool = False,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        arguments = locals()
        super().__init__(settings={name: arguments[name] for name in SETTINGS}, **kwargs)
        self.recipient = recipient
        self.wait_for = wait_for
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable
        self.fallback = fallback
        self._record_jinja()
        if self._is_created_in_dag_file():
            check_wait(wait_for, wait_timeout, self._defaults)
            check_deferrable(deferrable)
            check_fallback(fallback, is_rendered_later)
            if not is_rendered_later(recipient):
                from airflow_provider_itnio.api.phone_numbers import normalize_phone

                normalize_phone(recipient)

    def execute(self, context: Context) -> ReceiptDict:
        """Send the message, unless a previous try has, and wait until it has reached ``wait_for``.

        :param context: the task's context.
        """
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        with self._fail_on_permanent_errors():
            check_delivery(self.delivery)
            check_wait(self.wait_for, self.wait_timeout, self._defaults)
            check_deferrable(self.deferrable)
            self._refuse_unrendered("recipient", "fallback", *WhatsAppMessageOperator.template_fields)
            check_fallback(self.fallback)
            recipient = normalize_phone(self.recipient)
        record = self._delivery_record(context)
        return self._send_or_resume(context, recipient, record, record.begin(recipient))

    def _send_or_resume(
        self, context: Context, recipient: str, record: DeliveryRecord, previous: PreviousOutcome | None
    ) -> ReceiptDict:
        from airflow_provider_itnio.delivery.policy import FALLBACK_REMOVED, should_resend
        from airflow_provider_itnio.operators._previous_try import receipt_of_previous_try

        if previous is not None:
            if not should_resend(previous.outcome, previous.cleared, self.delivery):
                return self._wait_for_status(receipt_of_previous_try(recipient, previous), record)
            if previous.outcome == "unknown":
                log.warning("Sending it again, although a previous try may have sent it: %s", previous.reason)
            if self.fallback is None and record.uses_fallback(recipient):
                if previous.cleared == "no":
                    raise AirflowFailException(f"Nothing is sent: {FALLBACK_REMOVED}")
                record.use_message(recipient)
        fields = {} if record.uses_fallback(recipient) else self._built_message(context)
        with self._fail_on_permanent_errors():
            receipt = self._send(self._prepare(recipient, fields, record), record)
        return self._wait_for_status(receipt.as_dict(), record)

    def _prepare(self, recipient: str, fields: Mapping[str, Any], record: DeliveryRecord) -> PreparedMessage:
        """Return the prepared message: of these fields, or the fallback."""
        hook, fallback = self.hook, self.fallback
        if record.uses_fallback(recipient):
            log.info("The fallback is sent: a previous try found that the message itself is not delivered")
            return prepare_fallback(hook, recipient, fallback)
        prepared = hook.prepare(recipient, if_too_long=self.if_too_long, **fields)
        if fallback is not None and prepared.message.type != "template":
            if is_window_closed(hook, recipient):
                record.use_fallback(recipient)
                return prepare_fallback(hook, recipient, fallback)
            return prepared
        if self.wait_for != "accepted" or fallback is not None:
            check_receiver(hook, wait_seconds(self.wait_timeout))
        return prepared

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> ReceiptDict:
        """Resume after the wait in the triggerer.

        :param context: the task's context.
        :param event: the result of the wait, with the message's receipt: ``dag.test()`` passes nothing else.
        """
        receipt: ReceiptDict = event["receipt"]
        record = self._delivery_record(context)
        previous = record.previous_outcome(receipt["recipient"])
        is_same = previous and previous.receipt and previous.receipt["message_id"] == receipt["message_id"]
        if previous and previous.is_fallback and not is_same:
            # This method has run before, in a worker that died.
            return self._send_or_resume(context, receipt["recipient"], record, previous)
        return self._handle_wait_result(receipt, event, record)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral. No error, not even one of Airflow's, lets a retry send the message again.

        If no triggerer has asked the receiver in time, the task asks it.

        :param next_method: as Airflow passes it.
        :param next_kwargs: as Airflow passes it.
        :param context: the task's context.
        """
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        record = self._delivery_record(context)
        receipt = ((next_kwargs or {}).get("event") or {}).get("receipt") or {}
        with self._fail_on_permanent_errors(), prevent_resend(self, record, receipt.get("recipient", "")):
            if is_trigger_timeout(next_kwargs) and record.store:
                previous = record.previous_outcome(normalize_phone(self.recipient))
                if previous and previous.receipt:
                    message_id = previous.receipt["message_id"]
                    until = self.wait_for
                    event = {} if until == "accepted" else wait_for_status(self.hook, message_id, until, 0)
                    return self._handle_wait_result(previous.receipt, event, record)
            return super().resume_execution(next_method, next_kwargs, context)

    def _wait_for_status(self, receipt: ReceiptDict, record: DeliveryRecord) -> ReceiptDict:
        """Wait until the message has reached ``wait_for``, and return the receipt."""
        if self.wait_for == "accepted":
            return receipt
        message_id, seconds = receipt["message_id"], wait_seconds(self.wait_timeout)
        log.info("Waiting until the message is %s, %s at most", self.wait_for, timedelta(seconds=seconds))
        with self._fail_on_permanent_errors(), prevent_resend(self, record, receipt["recipient"]):
            self._raise_if_stopped()
            check_message_id_is_usable(receipt)
            if is_deferrable(self.deferrable):
                from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger

                self.defer(
                    trigger=WhatsAppStatusTrigger(
                        [message_id], self.wait_for, time.time() + seconds, self.itnio_conn_id, receipt
                    ),
                    method_name="execute_complete",
                    timeout=timedelta(seconds=seconds) + TRIGGERER_MARGIN if record.store else None,
                )
            event = wait_for_status(self.hook, message_id, self.wait_for, seconds)
            return self._handle_wait_result(receipt, event, record)

    def _handle_wait_result(
        self, receipt: ReceiptDict, event: Mapping[str, Any], record: DeliveryRecord
    ) -> ReceiptDict:
        """Return the receipt of a message that reached ``wait_for``, or send the fallback and wait for it."""
        try:
            return with_status(receipt, event, self.wait_for, wait_seconds(self.wait_timeout))
        except NotDeliveredError as error:
            if error.status != "failed" and event.get("left"):
                return self._wait_for_status(receipt, record)  # for a later status: the DAG file has changed
            if self.fallback is None or not failed_outside_window(receipt, error):
                raise
            log.warning("%s. The fallback, a WhatsApp template, is sent instead", error)
            recipient = receipt["recipient"]
            prepared = prepare_fallback(self.hook, recipient, self.fallback)
            record.record_fallback(recipient, error)
        return self._wait_for_status(self._send(prepared, record).as_dict(), record)
