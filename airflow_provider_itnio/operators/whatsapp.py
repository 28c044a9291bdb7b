"""Operators that send WhatsApp messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, BaseOperator

from airflow_provider_itnio.alarm import alarm_to
from airflow_provider_itnio.api.delivery import check_delivery
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    ItnioError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.number_check import check_number
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.links import OpenChatLink
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from airflow_provider_itnio.templating import (
    TEMPLATE_EXT,
    is_rendered_later,
    kept_from_rendering,
    references_in,
    unread_template_files,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg
    from jinja2 import Environment

    from airflow_provider_itnio.api.async_client import ItnioAsyncClient
    from airflow_provider_itnio.api.delivery import Delivery
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict
    from airflow_provider_itnio.broadcast import Broadcast
    from airflow_provider_itnio.broadcast_record import BroadcastRecord
    from airflow_provider_itnio.broadcast_summary import SummaryDict
    from airflow_provider_itnio.delivery_record import DeliveryRecord, Earlier
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
    from airflow_provider_itnio.recipients import Recipient, RecipientsGiven

__all__ = ["WhatsAppBroadcastOperator", "WhatsAppMessageOperator", "WhatsAppSendOperator"]


class WhatsAppMessageOperator(BaseOperator):
    """A task with a WhatsApp message. Exactly one of the ten message fields, or ``message``, is given.

    Every parameter is templated, to any depth. What is written in the DAG file is checked when the DAG is
    parsed, the rest once it is rendered and before anything is sent.

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
    template_ext: Sequence[str] = TEMPLATE_EXT
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

    def _check_what_is_written(self) -> None:
        from airflow_provider_itnio.api.phone_numbers import phone_digits

        self._check_message()
        if self.business_phone and not is_rendered_later(self.business_phone):
            phone_digits(self.business_phone, "business_phone")
        if not is_rendered_later(self.delivery):
            check_delivery(self.delivery)

    def _check_message(self) -> None:
        from airflow_provider_itnio.api.models import check_fields

        # A text may be over the limit as long as only rendering tells whether it is to be cut.
        if_too_long = "cut" if is_rendered_later(self.if_too_long) else self.if_too_long
        check_fields(self._message_fields(), if_too_long=if_too_long, is_hole=is_rendered_later)

    def _message_fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*MESSAGE_FIELDS, "message", "reply_to")}

    def _refuse_unread_template_files(self, *names: str) -> None:
        problems = [problem for name in names for problem in unread_template_files(getattr(self, name), name)]
        if problems:
            raise InvalidMessageError(*problems)

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
        if self._is_written_in_dag_file() and not is_rendered_later(recipient):
            from airflow_provider_itnio.api.phone_numbers import phone_digits

            phone_digits(recipient)

    def execute(self, context: Context) -> ReceiptDict:
        """Send the message, unless an earlier try of the task has.

        :param context: the task's context.
        """
        from airflow_provider_itnio.api.phone_numbers import phone_digits
        from airflow_provider_itnio.delivery_record import is_sent_again

        with self._failing_as_documented():
            check_delivery(self.delivery)
            self._refuse_unread_template_files("recipient")
            recipient = phone_digits(self.recipient)
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
        from airflow_provider_itnio.delivery_record import DeliveryRecord

        # One for each run of the task; in a test an operator may be executed for several.
        instance = context.get("ti")
        this_try = instance and (instance.run_id, instance.map_index, instance.try_number)
        if self._record is None or self._try_of_record != this_try:
            self._record = DeliveryRecord.of(context, self.task_id)
            self._try_of_record = this_try
        return self._record

    def _write_message(self, context: Context) -> None:
        """Do nothing: the message stands in the fields."""

    def _send(self, recipient: str, record: DeliveryRecord) -> Receipt:
        # Not what a decorated function is called with, which is its own, nor what it returned, which is data.
        rendered = (name for name in self.template_fields if name in WhatsAppMessageOperator.template_fields)
        self._refuse_unread_template_files(*rendered)
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

    def _not_again(self, recipient: str, earlier: Earlier) -> ReceiptDict:
        """Give the receipt of an earlier try, or fail as it did."""
        from airflow_provider_itnio.api.phone_numbers import shortened_number

        number = shortened_number(recipient)
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


class WhatsAppBroadcastOperator(WhatsAppMessageOperator):
    """Sends each of any number of people a WhatsApp message, with words of their own if wanted.

    The message's fields may use ``{{ recipient.… }}``, what was given of a recipient (``recipient.phone`` is
    always there, digits only), ``{{ shared.… }}``, and what every template may. They are filled in for each
    recipient, so they are no template fields of the task, and the output of an upstream task gets into them
    through ``shared``.

    A recipient whose message can't be filled in, or whose number is none, is one failure, not the end of the
    task. What would meet everyone (authentication, account, balance, sender, a certificate, 100 messages one
    behind the other without an answer that settles them) stops it at once.

    On Airflow 3.3 and later a retry goes on where the try before it ended. Before that Airflow keeps no
    record of a task: there a broadcast that has messaged anyone fails without retries, which would message
    them again.

    Beside those below it takes the parameters of :class:`WhatsAppMessageOperator`. ``recipients``,
    ``exclude``, ``shared``, ``business_phone``, ``app_id``, ``itnio_conn_id``, ``delivery`` and
    ``if_too_long`` are templated.

    :param recipients: phone numbers, or dicts with ``phone`` and what else the message uses: in a list, the
        output of an upstream task, or a text that renders to JSON or to numbers separated by commas or lines.
        Equal entries count once; a number with different data gets a message for each, one after the other.
    :param exclude: numbers that get no message, in any of the same forms.
    :param shared: what is the same for everyone, as a dict whose values may be outputs of upstream tasks.
    :param max_in_flight: messages that wait for their answer at a time, 1 to 1,000; on Airflow 3.3 and later
        at most half of ``checkpoint_every``.
    :param messages_per_second: how many leave in a second, at most; ``None`` for no limit. WhatsApp takes 80
        from a business phone.
    :param if_some_fail: ``fail``, or ``warn`` to succeed if anyone's message was accepted and everyone was
        reached.
    :param checkpoint_every: outcomes that are recorded at a time, 1 to 10,000: with ``at_least_once``, as
        many people at most get a second message if the worker is killed; with ``at_most_once`` none does.
    :param keep_receipts: return the receipt of each message too.
    :return: the counts ``recipients``, ``accepted``, ``accepted_earlier``, ``refused``, ``invalid``,
        ``not_sent``, ``unknown``, ``excluded``, ``repeated``, ``not_reached``; ``failures``, the first 1,000
        with ``position`` in the list, ``last_digits``, ``outcome``, ``code`` and ``reason``;
        ``failures_not_listed``; and ``receipts`` if wanted. It stands in XCom also if the task fails.
    :raises InvalidMessageError: if what is written in the DAG file breaks a rule, or a message field holds
        the output of an upstream task.
    :raises AirflowFailException: if a message failed and a retry could send nothing, or would message people
        again.
    :raises ItnioError: if a message failed that a retry sends again; if everyone's would fail, the error that
        stopped it.
    """

    template_fields: Sequence[str] = (
        "recipients",
        "exclude",
        "shared",
        "business_phone",
        "app_id",
        "itnio_conn_id",
        "delivery",
        "if_too_long",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "recipients": "json",
        "exclude": "json",
        "shared": "json",
    }
    _record: BroadcastRecord | None = None
    _stop: Callable[[str], None] | None = None
    _is_ended = False

    def __init__(
        self,
        *,
        recipients: RecipientsGiven | XComArg,
        exclude: RecipientsGiven | XComArg | None = None,
        shared: Mapping[str, Any] | None = None,
        max_in_flight: int = 32,
        messages_per_second: float | None = 80,
        if_some_fail: Literal["fail", "warn"] = "fail",
        checkpoint_every: int = 500,
        keep_receipts: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recipients = kept_from_rendering(recipients)
        self.exclude = kept_from_rendering(exclude)
        self._excludes = exclude is not None
        self.shared = shared
        self.max_in_flight = max_in_flight
        self.messages_per_second = messages_per_second
        self.if_some_fail = if_some_fail
        self.checkpoint_every = checkpoint_every
        self.keep_receipts = keep_receipts
        if self._is_written_in_dag_file():
            self._check_how_it_is_sent()

    def _check_message(self) -> None:
        for name, value in self._message_fields().items():
            for path in references_in(value, name):
                raise InvalidMessageError(
                    f"{path}: is filled in for each recipient and can't be the output of an upstream task; "
                    'give that as shared={"found": …} and write {{ shared.found }} here'
                )
        super()._check_message()

    def _check_how_it_is_sent(self) -> None:
        check_number("max_in_flight", self.max_in_flight, 1, 1000, whole=True)
        check_number("checkpoint_every", self.checkpoint_every, 1, 10_000, whole=True)
        if self.messages_per_second is not None:
            check_number("messages_per_second", self.messages_per_second, 0.001, 100_000, whole=False)
        if self.if_some_fail not in ("fail", "warn"):
            raise InvalidMessageError(
                f"if_some_fail: must be one of fail, warn; {self.if_some_fail!r:.60} given"
            )

    def execute(self, context: Context) -> SummaryDict:
        """Send to everyone who has nothing yet.

        :param context: the task's context.
        """
        from airflow_provider_itnio.broadcast_record import BroadcastRecord

        with self._failing_as_documented():
            check_delivery(self.delivery)
            self._refuse_unread_template_files("business_phone", "app_id", "itnio_conn_id", "if_too_long")
            self._check_how_it_is_sent()
            self._check_message()
            self._record = BroadcastRecord.of(context, self.task_id)
            broadcast, client = self._prepared(context, self._record)
        if self._is_ended:
            raise ItnioError("The task was ended from outside before anything was sent")
        try:
            asyncio.run(self._run(broadcast, client))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._push(context, broadcast)
            if (forgotten := self._forgotten(broadcast)) is not None:
                raise forgotten from error
            if self._record.is_kept or not self._has_messaged(broadcast):
                raise
            if type(error).__name__ == "AirflowTaskTerminated":
                # Airflow 2 looks at the state that a person has set, but not with another error.
                self.retries = 0
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}. {_WITHOUT_RECORD}") from error
        finally:
            self._stop = None
            self.log.info("Ended: %s", broadcast.in_words())
        if broadcast.tally.accepted:
            self._say_that_accepted_is_not_delivered(broadcast.kind)
        problem = self._problem(broadcast, self._record)
        if problem is None:
            summary = broadcast.summary()
            if self.do_xcom_push and "ti" in context:
                # Airflow does so too, but only once the work is marked as done.
                context["ti"].xcom_push(key="return_value", value=summary)
            return summary
        self._push(context, broadcast)
        raise problem

    def on_kill(self) -> None:
        """Take no new recipients, and write down what became of the others."""
        self._is_ended = True
        if self._stop is not None:
            self._stop("the task was ended from outside")

    def _push(self, context: Context, broadcast: Broadcast) -> None:
        """Push the summary of a task that fails, whose return value would be lost."""
        if not self.do_xcom_push or "ti" not in context:
            return
        try:
            context["ti"].xcom_push(key="return_value", value=broadcast.summary())
        except Exception as error:  # which must not hide why the task fails
            self.log.error("The summary could not be pushed: %s: %s", type(error).__name__, error)

    def _prepared(self, context: Context, record: BroadcastRecord) -> tuple[Broadcast, ItnioAsyncClient]:
        from airflow_provider_itnio.api.async_client import ItnioAsyncClient
        from airflow_provider_itnio.broadcast import Broadcast
        from airflow_provider_itnio.recipients import Recipients, excluded_numbers, recipient_list

        entries = recipient_list(_resolved(self.recipients, context))
        excluded = excluded_numbers(_resolved(self.exclude, context)) if self._excludes else frozenset()
        recipients = Recipients(entries, excluded)
        hook = self._hook()
        account, sender = hook.account(), hook.sender()
        kind, message_for = self._message_maker(context)
        client = ItnioAsyncClient(account.credentials, account.settings)
        broadcast = Broadcast(
            recipients,
            message_for=message_for,
            client=client,
            app_id=sender.app_id,
            business_phone=sender.business_phone,
            record=record,
            kind=kind,
            delivery=self.delivery,
            max_in_flight=self.max_in_flight,
            messages_per_second=self.messages_per_second,
            checkpoint_every=self.checkpoint_every,
            keep_receipts=self.keep_receipts,
        )
        return broadcast, client

    def _message_maker(self, context: Context) -> tuple[str, Callable[[Recipient], Message]]:
        """Give the messages' type, and what makes the message of one recipient."""
        from airflow_provider_itnio.api.models import message_from
        from airflow_provider_itnio.personal_message import PersonalMessage

        fields = self._message_fields()
        personal = PersonalMessage(
            fields, self._template_environment(), context, _resolved(self.shared, context) or {}
        )
        if not personal.is_personal:
            message = message_from(personal.same_for_all, if_too_long=self.if_too_long)
            return message.type, lambda recipient: message
        return personal.kind, lambda recipient: message_from(
            personal.fields_for(recipient), if_too_long=self.if_too_long
        )

    def _template_environment(self) -> Environment:
        if (dag := self.get_dag()) is not None:
            # Never native: a text of digits is to stay a text.
            environment: Environment = dag.get_template_env(force_sandboxed=True)
            return environment
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment

        return SandboxedEnvironment(undefined=StrictUndefined)

    async def _run(self, broadcast: Broadcast, client: ItnioAsyncClient) -> None:
        loop = asyncio.get_running_loop()

        def stop(why: str) -> None:
            with suppress(RuntimeError):  # the loop has ended by itself just now
                loop.call_soon_threadsafe(broadcast.stop, why, _GRACE_OF_KILL)

        self._stop = stop
        with alarm_to(lambda: broadcast.stop(_TIMED_OUT, _GRACE)):
            async with client:
                await broadcast.run()

    def _problem(self, broadcast: Broadcast, record: BroadcastRecord) -> BaseException | None:
        """Say how the task is to fail, if it is to."""
        words = broadcast.in_words()
        if (forgotten := self._forgotten(broadcast)) is not None:
            return forgotten
        if not broadcast.tally.failed and not broadcast.not_reached:
            return None
        if broadcast.stopped is None and self.if_some_fail == "warn" and broadcast.accepted_in_all:
            self.log.warning("Some failed; cleared, this task sends to everyone again: %s", words)
            return None
        cause = broadcast.stopped_by
        why = f"stopped: {broadcast.stopped}. {words}" if broadcast.stopped else broadcast.failures_in_words()
        if not self._retry_may_help(broadcast, record):
            if broadcast.left_for_retry and not record.is_kept:
                why = f"{why}. {_WITHOUT_RECORD}"
            failure = AirflowFailException(why)
            failure.__cause__ = cause
            return failure
        if broadcast.stopped == _TIMED_OUT:
            return AirflowTaskTimeout(why)
        if cause is not None:
            cause.args = (f"{cause}. {words}",)
            return cause
        return ItnioError(why)

    def _forgotten(self, broadcast: Broadcast) -> AirflowFailException | None:
        """Give the error that says whose messages were accepted without being on record."""
        forgotten = broadcast.accepted_but_unrecorded
        if not forgotten:
            return None
        again = (
            "a retry would message them again"
            if self.delivery == "at_least_once"
            else "a retry would take them for unknown"
        )
        listed = ", ".join(forgotten[:50]) + (", …" if len(forgotten) > 50 else "")
        return AirflowFailException(
            f"RecordError: {len(forgotten)} messages were accepted that are not on record, so {again} "
            f"({listed}): {broadcast.stopped}. {broadcast.in_words()}"
        )

    def _retry_may_help(self, broadcast: Broadcast, record: BroadcastRecord) -> bool:
        if record.is_kept:
            return broadcast.left_for_retry > 0
        # Without a record a retry sends to everyone.
        return broadcast.left_for_retry > 0 and not self._has_messaged(broadcast)

    def _has_messaged(self, broadcast: Broadcast) -> bool:
        """Say whether anyone has, or must be taken to have, a message of this try."""
        tally = broadcast.tally
        return tally.accepted > 0 or (tally.unknown > 0 and self.delivery == "at_most_once")


_GRACE: Final = 5.0
"""Seconds for which a broadcast that is out of time waits for answers that are on their way."""

_GRACE_OF_KILL: Final = 2.0
"""The same where Airflow ends it, which kills the process 5 seconds after it has told it."""

_WITHOUT_RECORD: Final = "Not tried again: without a delivery record, a retry would message people again"

_TIMED_OUT: Final = "the task's execution_timeout is over"


def _resolved(value: Any, context: Context) -> Any:
    """Give what a ``literal(...)`` holds; Airflow has resolved the others."""
    return value.resolve(context) if hasattr(value, "iter_references") else value


def _retries_may_help(error: ItnioError, delivery: Delivery) -> bool:
    from airflow_provider_itnio.task_state import RecordError

    match error:
        case InvalidMessageError() | ConfigurationError():
            return False
        case NotSentError() | RecordError():
            return True
        case UnknownOutcomeError():
            return delivery == "at_least_once"
        case RefusedError():
            return error.passes
        case _:
            return False
