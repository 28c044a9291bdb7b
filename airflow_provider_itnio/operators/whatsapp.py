"""Operators that send WhatsApp messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_itnio.api.checks import check_delivery
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    ItnioError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.links.whatsapp import OpenChatLink
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from airflow_provider_itnio.operators._templated import TemplatedOperator
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict
    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.delivery.policy import PreviousOutcome
    from airflow_provider_itnio.messages import (
        ContactDict,
        DocumentDict,
        InteractiveDict,
        LinkDict,
        LocationDict,
        MediaDict,
        MessageDict,
        TemplateDict,
        TextDict,
    )

__all__ = ["WhatsAppMessageOperator", "WhatsAppSendOperator"]

_WHOLE_MESSAGE: Final = (*MESSAGE_FIELDS, "message")


class WhatsAppMessageOperator(TemplatedOperator):
    """A task with a WhatsApp message. Exactly one of the ten message fields, or ``message``, is given.

    Every parameter is templated, to any depth, and takes Jinja, the output of an upstream task, a
    ``literal(...)`` or a function of ``(context, jinja_env)``. What is written in the DAG file is checked
    when the DAG is parsed, the rest once it is rendered and before anything is sent. A message field that the
    task is given itself wins over one from ``default_args``.

    Limits are those of the vendor's pages ``waCustomSendMsg`` and ``waSendMsg``; where they are silent,
    WhatsApp's own.

    :param text: a text of at most 4,096 characters, or ``{"body": …}``.
    :param image: a link to a JPEG or PNG of at most 5 MB, or ``{"link": …, "caption": …}``; a caption has at
        most 1,024 characters.
    :param audio: a link to a sound of at most 16 MB, or ``{"link": …}``.
    :param video: a link to an MP4 or 3GPP of at most 16 MB, or ``{"link": …, "caption": …}``.
    :param document: a link to a file of at most 100 MB, or ``{"link": …, "filename": …, "caption": …}``.
        ``filename`` defaults to the last part of the link's path.
    :param sticker: a link to a WebP of at most 100 KB, or ``{"link": …}``.
    :param location: ``{"longitude": …, "latitude": …, "name": …, "address": …}``, in decimal degrees.
    :param interactive: what ``reply_buttons``, ``list_menu`` or ``location_request`` of
        ``airflow_provider_itnio.messages`` return.
    :param contacts: one to five of what ``contact_card`` returns.
    :param template: a WhatsApp template: what ``template_message`` returns. It alone reaches people who have
        not written in the last 24 hours.
    :param message: the same as one dict, for messages built upstream: ``{"text": "…"}``. ``type`` and
        ``reply_to`` may stand in it.
    :param reply_to: the id of the incoming message that this one answers.
    :param business_phone: the number it comes from, 7 to 14 digits, in place of the connection's.
    :param app_id: the application it goes through, in place of the connection's.
    :param itnio_conn_id: the connection.
    :param delivery: what happens where nobody can say what became of a message: with ``at_least_once`` the
        task's retries send it again, with ``at_most_once`` the task fails at once.
    :param if_too_long: ``fail``, or ``cut`` to end a text of over 4,096 characters with ``…``.
    :raises InvalidMessageError: if what is written in the DAG file breaks a rule.
    """

    template_fields: Sequence[str] = (
        *MESSAGE_FIELDS,
        "message",
        "reply_to",
        "business_phone",
        "app_id",
        "itnio_conn_id",
        "delivery",
        "if_too_long",
    )
    _own_fields = frozenset({"recipient", "recipients", "exclude", "shared", *template_fields})
    template_fields_renderers: ClassVar[dict[str, str]] = {
        name: "json" for name in (*MESSAGE_FIELDS, "message") if name != "text"
    }
    ui_color = "#d9fdd3"
    _record: DeliveryRecord | BroadcastRecord | None = None

    def __init__(
        self,
        *,
        text: str | TextDict | None = None,
        image: str | MediaDict | None = None,
        audio: str | LinkDict | None = None,
        video: str | MediaDict | None = None,
        document: str | DocumentDict | None = None,
        sticker: str | LinkDict | None = None,
        location: LocationDict | None = None,
        interactive: InteractiveDict | None = None,
        contacts: list[ContactDict] | ContactDict | None = None,
        template: TemplateDict | None = None,
        message: MessageDict | None = None,
        reply_to: str | None = None,
        business_phone: str | int | None = None,
        app_id: str | None = None,
        itnio_conn_id: str = ItnioHook.default_conn_name,
        delivery: Delivery = "at_least_once",
        if_too_long: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.text = text
        self.image = image
        self.audio = audio
        self.video = video
        self.document = document
        self.sticker = sticker
        self.location = location
        self.interactive = interactive
        self.contacts = contacts
        self.template = template
        self.message = message
        self.reply_to = reply_to
        self.business_phone = business_phone
        self.app_id = app_id
        self.itnio_conn_id = itnio_conn_id
        self.delivery = delivery
        self.if_too_long = if_too_long
        self._prefer_own_message()
        self._note_jinja()
        if self._is_written_in_dag_file():
            self._check_what_is_written()

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Mark the task's work as done: cleared by a person from here on, it sends again.

        :param context: the task's context.
        :param result: what :meth:`execute` returned.
        """
        super().post_execute(context, result)
        if self._record is not None:
            self._record.finish()

    def _is_written_in_dag_file(self) -> bool:
        # A mapped task is made when it runs: there a fault must fail the task, so it waits for execute().
        return not getattr(self, "_BaseOperator__from_mapped", False)

    def _prefer_own_message(self) -> None:
        """Let what the task is given itself win: ``location`` in ``default_args`` is another operator's."""
        defaulted = {name for name, value in self._defaults.items() if getattr(self, name, None) is value}
        self._reply_is_default = "reply_to" in defaulted
        given = {name for name in _WHOLE_MESSAGE if getattr(self, name) is not None}
        defaults = given & defaulted
        if given - defaults:
            for name in defaults:
                setattr(self, name, None)
        elif len(defaults) > 1:
            raise InvalidMessageError(
                f"{', '.join(sorted(defaults))}: more than one message field in default_args; "
                "give the task its message itself"
            )

    def _check_what_is_written(self) -> None:
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        self._check_message()
        if self.business_phone and not is_rendered_later(self.business_phone):
            normalize_phone(self.business_phone, "business_phone")
        if not is_rendered_later(self.delivery):
            check_delivery(self.delivery)

    def _check_message(self) -> None:
        from airflow_provider_itnio.api.models import check_fields

        # A text may be over the limit as long as only rendering tells whether it is to be cut.
        if_too_long = "cut" if is_rendered_later(self.if_too_long) else self.if_too_long
        check_fields(self._message_fields(), if_too_long=if_too_long, is_unrendered=is_rendered_later)

    def _message_fields(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in _WHOLE_MESSAGE}
        return {**fields, "reply_to": self._reply_of(fields)}

    def _reply_of(self, fields: Mapping[str, Any]) -> Any:
        """Give what the message answers; what ``default_args`` say of that yields to the message itself."""
        whole = fields.get("message")
        whole = {**fields, **(whole if isinstance(whole, dict) else {})}
        is_overruled = whole.get("template") is not None or whole.get("reply_to") is not None
        return None if is_overruled and self._reply_is_default else self.reply_to

    def _hook(self) -> ItnioHook:
        return ItnioHook(self.itnio_conn_id, app_id=self.app_id, business_phone=self.business_phone)

    @contextmanager
    def _failing_as_documented(self) -> Iterator[None]:
        """Tell Airflow which errors its retries may help with."""
        try:
            yield
        except ItnioError as error:
            if _retries_may_help(error, self.delivery):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error

    def _say_that_accepted_is_not_delivered(self, kind: str) -> None:
        if kind != "template":
            self.log.info(
                "Accepted is not delivered: no WhatsApp template was sent, so the message only arrives "
                "if the recipient has written to the business phone in the last 24 hours"
            )


class WhatsAppSendOperator(WhatsAppMessageOperator):
    """Sends one WhatsApp message to one person.

    The task succeeds when Itniotech accepts the message; whether it arrives is not known. A message that is
    no WhatsApp template only arrives if the recipient has written in the last 24 hours.

    On Airflow 3.3 and later, a retry of the task sends nothing to a recipient for whom an earlier try's
    message was accepted, and returns that message's receipt.

    Beside ``recipient`` it takes the parameters of :class:`WhatsAppMessageOperator`. All are templated.

    :param recipient: a phone number with country code, as people write it: 7 to 14 digits.
    :return: ``{"message_id", "recipient", "type", "timestamp"}``, the time in ISO 8601 and UTC.
    :raises AirflowFailException: at once and without retries, if the message is invalid, a connection's field
        is missing, or Itniotech refused; with ``at_most_once`` also if nobody can say what became of it.
    :raises NotSentError: if it is certain that the message did not leave; the task's retries try again.
    :raises UnknownOutcomeError: with ``at_least_once``, if nobody can say what became of it; the task's
        retries send again.
    :raises RefusedError: if the refusal is one that passes; the task's retries try again.
    :raises RecordError: with ``at_most_once``, if Airflow did not take the record that the message is about
        to leave; nothing was sent, and the task's retries try again.
    """

    template_fields: Sequence[str] = ("recipient", *WhatsAppMessageOperator.template_fields)
    operator_extra_links = (OpenChatLink(),)
    _record: DeliveryRecord | None = None
    _try_of_record: Any = None

    def __init__(self, *, recipient: str | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recipient = recipient
        self._note_jinja()
        if self._is_written_in_dag_file() and not is_rendered_later(recipient):
            from airflow_provider_itnio.api.phone_numbers import normalize_phone

            normalize_phone(recipient)

    def execute(self, context: Context) -> ReceiptDict:
        """Send the message, unless an earlier try of the task has.

        :param context: the task's context.
        """
        from airflow_provider_itnio.api.phone_numbers import normalize_phone
        from airflow_provider_itnio.delivery.policy import is_sent_again

        with self._failing_as_documented():
            check_delivery(self.delivery)
            self._refuse_unrendered("recipient", *WhatsAppMessageOperator.template_fields)
            recipient = normalize_phone(self.recipient)
        record = self._record_of(context)
        if (earlier := record.earlier(recipient)) is not None:
            if not is_sent_again(earlier, self.delivery):
                return self._not_again(recipient, earlier)
            if earlier.outcome == "unknown":
                self.log.warning("Sending although nobody knows whether it was sent: %s", earlier.why)
        self._write_message(context)
        with self._failing_as_documented():
            receipt = self._send(recipient, record)
        self._say_that_accepted_is_not_delivered(receipt.type)
        return receipt.as_dict()

    def _record_of(self, context: Context) -> DeliveryRecord:
        from airflow_provider_itnio.delivery.message_record import DeliveryRecord

        # One for each run of the task; in a test an operator may be executed for several.
        instance = context.get("ti")
        this_try = instance and (instance.run_id, instance.map_index, instance.try_number)
        if self._record is None or self._try_of_record != this_try:
            self._record = DeliveryRecord.from_context(context, self.task_id)
            self._try_of_record = this_try
        return self._record

    def _write_message(self, context: Context) -> None:
        """Do nothing: the message stands in the fields."""

    def _send(self, recipient: str, record: DeliveryRecord) -> Receipt:
        hook = self._hook()
        envelope = hook.envelope(recipient, if_too_long=self.if_too_long, **self._message_fields())
        if self.delivery == "at_most_once":
            record.intend(recipient)
        try:
            receipt = hook.post(envelope, self.delivery)
        except ItnioError as error:
            record.failed(recipient, error)
            raise
        except BaseException as ended:
            # Airflow 2 ends a task with an AirflowTaskTerminated, which is no Exception.
            if not isinstance(ended, AirflowTaskTimeout) and isinstance(ended, (Exception, SystemExit)):
                raise
            what = (
                "the task's execution_timeout"
                if isinstance(ended, AirflowTaskTimeout)
                else type(ended).__name__
            )
            unknown = UnknownOutcomeError(f"Nobody can say what became of the message: {what} ended it")
            record.failed(recipient, unknown)
            if self.delivery != "at_most_once":
                raise
            # Airflow would retry, and the message may have been on its way.
            raise unknown from ended
        record.accepted(receipt)
        return receipt

    def _not_again(self, recipient: str, earlier: PreviousOutcome) -> ReceiptDict:
        """Give the receipt of an earlier try, or fail as it did."""
        from airflow_provider_itnio.api.phone_numbers import mask_phone

        number = mask_phone(recipient)
        if earlier.receipt is not None:
            self.log.info(
                "Nothing sent: an earlier try of this task sent to %s, accepted as %s",
                number,
                earlier.receipt["message_id"],
            )
            return earlier.receipt
        if earlier.outcome == "refused":
            raise AirflowFailException(
                f"Nothing sent: in an earlier try of this task the message to {number} was refused. "
                f"{earlier.why}. Once mended, clear the task to send it"
            )
        raise AirflowFailException(
            f"Nothing sent: nobody can say what became of the message to {number} in an earlier try of this "
            f"task ({earlier.why}), and delivery is at_most_once. Clear the task to send it all the same"
        )


def _retries_may_help(error: ItnioError, delivery: Delivery) -> bool:
    from airflow_provider_itnio.api.errors import RecordError

    match error:
        case InvalidMessageError() | ConfigurationError():
            return False
        case NotSentError() | RecordError():
            return True
        case UnknownOutcomeError():
            return delivery == "at_least_once"
        case RefusedError():
            return error.transient
        case _:
            return False
