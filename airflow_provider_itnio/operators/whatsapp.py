"""Operators that send WhatsApp messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_itnio.api.checks import check_delivery, check_number
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidParameterError,
    ItnioError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
    is_marked_as_not_sent,
)
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.delivery.safe_logging import SafeLogger
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.links.whatsapp import OpenChatLink
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from airflow_provider_itnio.operators._after_post_execute import run_after_post_execute
from airflow_provider_itnio.operators._templated import TemplatedOperator
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict
    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.delivery.policy import PreviousOutcome
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

    _Operator = TemplatedOperator
else:
    _Operator = with_named_errors(TemplatedOperator)

__all__ = ["WhatsAppMessageOperator", "WhatsAppSendOperator"]

_WHOLE_MESSAGE: Final = (*MESSAGE_FIELDS, "message")

log = SafeLogger(__name__)


class WhatsAppMessageOperator(_Operator):
    """What the operators that send a WhatsApp message share. Exactly one message field is given.

    What is written in the DAG file is checked when the DAG is parsed, the rest once it is rendered and before
    anything is sent.
    """

    template_fields: Sequence[str] = (
        *MESSAGE_FIELDS,
        "message",
        "reply_to",
        "business_phone",
        "app_id",
        "itnio_conn_id",
    )
    _own_fields = frozenset({"recipient", "recipients", "exclude", "shared", *template_fields})
    template_fields_renderers: ClassVar[dict[str, str]] = {
        name: "json" for name in (*MESSAGE_FIELDS, "message") if name != "text"
    }
    ui_color = "#d9fdd3"
    _record: DeliveryRecord | BroadcastRecord | None = None
    _finishes = False

    def __init__(
        self,
        *,
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
        timeout: float | None = None,
        connect_timeout: float | None = None,
        max_attempts: int | None = None,
        proxy: str | None = None,
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
        self.timeout = timeout
        self.connect_timeout = connect_timeout
        self.max_attempts = max_attempts
        self.proxy = proxy
        self._prefer_own_message()
        self._note_jinja()
        if self._is_written_in_dag_file():
            self._check_what_is_written()

    @cached_property
    def hook(self) -> ItnioHook:
        """The hook that sends, with the connection and the settings of this task."""
        return ItnioHook(
            self.itnio_conn_id,
            app_id=cast("str | None", self.app_id),  # rendered by now
            business_phone=cast("str | int | None", self.business_phone),
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            max_attempts=self.max_attempts,
            proxy=self.proxy,
        )

    def build_message(self, context: Context) -> Mapping[str, Any]:
        """Give the message to send. Override it to compute the message when the task runs.

        What it gives is sent as it is: Jinja in it is not rendered, except for the ``{{ recipient.… }}`` of a
        broadcast. An attempt that sends nothing, since an earlier one has, does not call it.

        :param context: the task's context.
        :return: message fields, as the operator takes them: ``{"text": "…"}``. Those that the task was given,
            unless overridden.
        """
        return self._message_fields()

    def _finish_after_post_execute(self) -> None:
        """Let the record's last entry, that the task has done its work, follow all of the task's own code."""

        def finish() -> None:
            if self._record is not None:
                self._record.finish()

        if not self._finishes:
            self._finishes = True
            run_after_post_execute(self, finish)

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
        check_delivery(self.delivery)
        for name in ("timeout", "connect_timeout"):
            if (seconds := getattr(self, name)) is not None:
                check_number(name, seconds, 0.001, 3600, whole=False)
        if self.max_attempts is not None:
            check_number("max_attempts", self.max_attempts, 1, 10, whole=True)
        if self.proxy:
            _check_proxy(self.proxy)

    def _check_message(self) -> None:
        from airflow_provider_itnio.api.models import check_fields

        if self._computes_message() and all(value is None for value in self._message_fields().values()):
            return
        check_fields(self._message_fields(), if_too_long=self.if_too_long, is_unrendered=is_rendered_later)

    def _computes_message(self) -> bool:
        """Say whether a subclass has code of its own that may give the message when the task runs."""
        subclasses = takewhile(
            lambda one: not one.__module__.startswith("airflow_provider_itnio."), type(self).__mro__
        )
        return any(
            name in vars(one) for one in subclasses for name in ("build_message", "execute", "pre_execute")
        )

    def _message_fields(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in _WHOLE_MESSAGE}
        return {**fields, "reply_to": self._reply_of(fields)}

    def _reply_of(self, fields: Mapping[str, Any]) -> Any:
        """Give what the message answers; what ``default_args`` say of that yields to the message itself."""
        whole = fields.get("message")
        whole = {**fields, **(whole if isinstance(whole, dict) else {})}
        is_overruled = whole.get("template") is not None or whole.get("reply_to") is not None
        return None if is_overruled and self._reply_is_default else self.reply_to

    @contextmanager
    def _failing_as_documented(self) -> Iterator[None]:
        """Tell Airflow which errors its retries may help with."""
        try:
            yield
        except ItnioError as error:
            if _retries_may_help(error, self.delivery):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error


class WhatsAppSendOperator(WhatsAppMessageOperator):
    """Sends one WhatsApp message to one person.

    .. code-block:: python

        WhatsAppSendOperator(
            task_id="tell_finance",
            recipient="{{ var.value.finance_phone }}",
            text="*{{ ds }}* closed with {{ ti.xcom_pull('load') }} rows",
        )

    The task succeeds when Itniotech accepts the message; whether it arrives is not known. A message that is
    no WhatsApp template only arrives if the recipient has written in the last 24 hours.

    On Airflow 3.3 and later, a retry of the task sends nothing to a recipient for whom an earlier try's
    message was accepted, and returns that message's receipt.

    Exactly one of the ten fields from ``text`` to ``template``, or ``message``, is given. What is templated
    also takes the output of an upstream task. To compute the message when the task runs, override
    :meth:`build_message` in a subclass. Limits are those of the vendor's pages ``waCustomSendMsg`` and
    ``waSendMsg``; where they are silent, WhatsApp's own.

    :param recipient: a phone number with country code, as people write it: 7 to 14 digits. (templated)
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
    :param template: a WhatsApp template: what ``template_message`` returns. It alone reaches people who have
        not written in the last 24 hours. (templated)
    :param message: the same as one dict, for messages built upstream: ``{"text": "…"}``. ``type`` and
        ``reply_to`` may stand in it. (templated)
    :param reply_to: the id of the incoming message that this one answers. (templated)
    :param business_phone: the number it comes from, 7 to 14 digits, in place of the connection's. (templated)
    :param app_id: the application it goes through, in place of the connection's. (templated)
    :param itnio_conn_id: the connection. (templated)
    :param delivery: what happens where nobody can say what became of a message: with ``at_least_once`` the
        task's retries send it again, with ``at_most_once`` the task fails at once.
    :param if_too_long: ``fail``, or ``truncate`` to end a text of over 4,096 characters with ``…``.
    :param timeout: seconds to wait for the answer, in place of the connection's (30).
    :param connect_timeout: seconds to wait for a connection, in place of the connection's (5).
    :param max_attempts: how often a message that did not leave is tried within one try of the task, 1 to 10,
        in place of the connection's (4).
    :param proxy: URL of an HTTP proxy, in place of the connection's.
    :return: ``{"message_id", "recipient", "type", "timestamp"}``, the time in ISO 8601 and UTC.
    :raises InvalidMessageError: if what is written in the DAG file breaks a rule of the message.
    :raises InvalidParameterError: if another parameter in the DAG file is out of its range.
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
    _instance_of_record: Any = None

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
        timeout: float | None = None,
        connect_timeout: float | None = None,
        max_attempts: int | None = None,
        proxy: str | None = None,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        # fmt: off
        super().__init__(
            text=text, image=image, audio=audio, video=video, document=document, sticker=sticker,
            location=location, interactive=interactive, contacts=contacts, template=template,
            message=message, reply_to=reply_to, business_phone=business_phone, app_id=app_id,
            itnio_conn_id=itnio_conn_id, delivery=delivery, if_too_long=if_too_long,
            timeout=timeout, connect_timeout=connect_timeout, max_attempts=max_attempts, proxy=proxy,
            **kwargs,
        )
        # fmt: on
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
            if not is_sent_again(earlier.outcome, earlier.cleared, self.delivery):
                return self._not_again(recipient, earlier)
            if earlier.outcome == "unknown":
                log.warning("Sending although nobody knows whether it was sent: %s", earlier.why)
        fields = self.build_message(context)
        with self._failing_as_documented():
            receipt = self._send(recipient, fields, record)
        return receipt.as_dict()

    def _record_of(self, context: Context) -> DeliveryRecord:
        """Give the record of this try, in which the operator may be executed several times."""
        from airflow_provider_itnio.delivery.message_record import DeliveryRecord

        instance = context.get("ti")
        if self._record is None or instance is not self._instance_of_record:
            self._record = DeliveryRecord.from_context(context, self.task_id)
            self._instance_of_record = instance
            self._finish_after_post_execute()
        return self._record

    def _send(self, recipient: str, fields: Mapping[str, Any], record: DeliveryRecord) -> Receipt:
        from airflow_provider_itnio.delivery.graceful_timeout import GracefulTimeout

        hook = self.hook
        prepared = hook.prepare(recipient, if_too_long=self.if_too_long, **fields)
        with GracefulTimeout() as limit:
            record.store.call = limit.call
            if self.delivery == "at_most_once":
                try:
                    with limit.as_airflow_does():
                        record.intend(recipient)
                except BaseException:  # it may have been written all the same
                    record.withdraw(recipient)
                    raise
            receipt: Receipt | None = None
            try:
                with limit.as_airflow_does():
                    receipt = hook.send_prepared(prepared, self.delivery)
            except BaseException as error:
                if receipt is None:
                    self._has_failed(recipient, error, record)
                    raise
            record.accepted(receipt)
        hook.log_accepted(receipt)
        return receipt

    def _has_failed(self, recipient: str, error: BaseException, record: DeliveryRecord) -> None:
        failure = _failure_of(error)
        record.failed(recipient, failure)
        if self.delivery == "at_most_once" and isinstance(failure, UnknownOutcomeError):
            # Airflow would retry what ended it, and the message may have been on its way.
            raise failure from (None if failure is error else error)

    def _not_again(self, recipient: str, earlier: PreviousOutcome) -> ReceiptDict:
        """Give the receipt of an earlier try, or fail as it did."""
        from airflow_provider_itnio.api.phone_numbers import mask_phone

        number = mask_phone(recipient)
        if earlier.receipt is not None:
            log.info(
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


def _failure_of(error: BaseException) -> ItnioError:
    """Say what became of a message by whatever ended its sending."""
    if isinstance(error, ItnioError):
        return error
    what = "the task's execution_timeout" if isinstance(error, AirflowTaskTimeout) else type(error).__name__
    if is_marked_as_not_sent(error):
        return NotSentError(f"Nothing was on its way when {what} ended it")
    return UnknownOutcomeError(f"Nobody can say what became of the message: {what} ended it")


def _check_proxy(proxy: object) -> None:
    from airflow_provider_itnio.api.settings import check_proxy
    from airflow_provider_itnio.api.signing import Secret

    try:
        check_proxy(Secret(str(proxy).strip()))
    except ConfigurationError as error:
        raise InvalidParameterError(f"proxy: {error}") from None


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
