"""The operator that sends WhatsApp messages to many recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from airflow_provider_itnio.api.checks import check_choice, check_delivery, check_number
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError, ItnioError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.values import plain_scalar
from airflow_provider_itnio.hooks.itnio import ACCEPTED_IS_NOT_DELIVERED, ItnioHook
from airflow_provider_itnio.operators._broadcast_failure import BroadcastFailurePolicy
from airflow_provider_itnio.operators._broadcast_messages import BroadcastMessages
from airflow_provider_itnio.operators._message import SETTINGS
from airflow_provider_itnio.templating import is_rendered_later, literal_unless_templated, references_in

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.async_client import AsyncClient
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.broadcast.fallbacks import Fallbacks
    from airflow_provider_itnio.broadcast.status_watch import StatusWatch
    from airflow_provider_itnio.broadcast.summary import SummaryDict
    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
    from airflow_provider_itnio.delivery.graceful_timeout import GracefulTimeout
    from airflow_provider_itnio.hooks._account import Account
    from airflow_provider_itnio.message_types import (
        ContactDict,
        DocumentDict,
        InteractiveDict,
        LinkDict,
        LocationDict,
        MediaDict,
        MessageDict,
        RecipientsGiven,
        RenderFunction,
        TemplateDict,
        TextDict,
        XComArgLike,
    )
    from airflow_provider_itnio.operators._broadcast_run import BroadcastRun
    from airflow_provider_itnio.operators._task_arguments import TaskArguments
    from airflow_provider_itnio.operators._waiting import WaitFor

__all__ = ["WhatsAppBroadcastOperator"]

_WAIT_TIMEOUT: Final = timedelta(minutes=10)

log = NeverRaisingLog(__name__)


class WhatsAppBroadcastOperator(BroadcastMessages):
    """Sends a WhatsApp message to any number of recipients, with a personal text for each if you want.

    .. code-block:: python

        WhatsAppBroadcastOperator(
            task_id="tell_customers",
            recipients=customers(),  # [{"phone": "+86 147-1800-4557", "name": "Li", "orders": 3}, …]
            text="Dear {{ recipient.name }}, your orders this week: {{ recipient.orders }}.",
        )

    The message's fields, from ``text`` to ``reply_to``, are those of
    :class:`~airflow_provider_itnio.operators.whatsapp.WhatsAppSendOperator`. Their Jinja may use the
    recipient's data, ``{{ recipient.… }}`` (``recipient.phone`` is always there, digits only),
    ``{{ shared.… }}``, and Airflow's context. They are rendered for each recipient, so they are no template
    fields of the task; pass the output of an upstream task through ``shared``.

    A recipient whose message can't be rendered, or whose phone number is invalid, is one failure. The others
    get their messages. An error that affects every message (authentication, account, balance, sender, a
    certificate, or 100 messages in a row without a clear response) stops the broadcast at once.

    On Airflow 3.3 and later a retry continues where the previous try ended. Before 3.3 there is no delivery
    record: a broadcast that has sent any message fails without retries, because a retry would send it again.

    :param recipients: phone numbers, or dicts with ``phone`` and the data for the message: in a list, the
        output of an upstream task, or a text that renders to JSON or to numbers separated by commas or lines.
        Equal entries count once; a number with different data gets a message for each, one after the other.
        (templated)
    :param text: a text. (templated for each recipient, as are the others up to ``reply_to``)
    :param image: a link, or a link and a caption.
    :param audio: a link.
    :param video: a link, or a link and a caption.
    :param document: a link, or a link, a filename and a caption.
    :param sticker: a link.
    :param location: a place.
    :param interactive: buttons, a list, or a request for a location.
    :param contacts: one to five contact cards.
    :param template: a WhatsApp template, which also reaches recipients who have not written in the last 24
        hours.
    :param message: the message as one dict.
    :param reply_to: the id of the incoming message that each message answers.
    :param exclude: numbers that get no message, in any of the forms of ``recipients``. (templated)
    :param shared: data for all messages, a dict whose values may be outputs of upstream tasks. (templated)
    :param max_in_flight: requests that are open at a time, 1 to 1,000; on Airflow 3.3 and later at most half
        of ``checkpoint_every``.
    :param messages_per_second: the highest rate; ``None`` for no limit. WhatsApp takes 80 messages a second
        from a business phone.
    :param if_some_fail: ``fail``, or ``warn`` to succeed if at least one message has reached ``wait_for`` and
        all messages were attempted.
    :param checkpoint_every: outcomes that are recorded at a time, 1 to 10,000. If the worker is killed, at
        most so many recipients get a second message with ``at_least_once``. With ``at_most_once`` none does,
        but the messages of about a second, and those in flight, end as unknown.
    :param keep_receipts: return the receipt of each message, too.
    :param business_phone: the sender's number; the connection's by default. (templated)
    :param app_id: the sender's application; the connection's by default. (templated)
    :param itnio_conn_id: the connection. (templated)
    :param delivery: as for one message.
    :param if_too_long: as for one message.
    :param wait_for: as for one message. The task waits in its worker until each message has reached that
        status or failed.
    :param wait_timeout: how long to wait after the last message is accepted, 1 s to 7 days, a timedelta or
        seconds. Messages that have not reached the status are failures; a retry sends nothing to their
        recipients and waits as long again.
    :param fallback: as for one message, by each recipient's 24-hour window. (templated for each recipient)
    :param timeout: as for one message, in seconds.
    :param connect_timeout: as for one message, in seconds.
    :param max_attempts: as for one message.
    :param proxy: as for one message.
    :param link_expires_in: as for one message.
    :param check_link: as for one message.
    :return: the counts ``recipients``, ``accepted``, ``accepted_earlier``, ``refused``, ``invalid``,
        ``not_sent``, ``unknown``, ``excluded``, ``duplicates``, ``not_attempted``; ``failures``, the first
        1,000 with ``position`` in the list, ``last_digits``, ``outcome``, ``code`` and ``reason``;
        ``failures_not_listed``; with ``keep_receipts`` ``receipts``. After a wait also the counts ``sent``,
        ``delivered``, ``read``, ``not_delivered``, ``waiting``, and with ``fallback`` ``fallbacks``. It is in
        XCom even if the task fails.
    :raises InvalidMessageError: if a value in the DAG file breaks a rule, or a message field contains the
        output of an upstream task.
    :raises InvalidParameterError: if another parameter is out of its range.
    :raises AirflowFailException: if a message failed, and a retry could send nothing or would message people
        again.
    :raises ItnioError: if a message failed and a retry sends it again; after an error that affects every
        message, that error.
    """

    template_fields: Sequence[str] = (
        "recipients",
        "exclude",
        "shared",
        "business_phone",
        "app_id",
        "itnio_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("recipients", "exclude", "shared"), "json"
    )
    _record: BroadcastRecord | None = None
    _run: BroadcastRun | None = None
    _is_killed = False

    def __init__(
        self,
        *,
        recipients: RecipientsGiven,
        text: str | TextDict | RenderFunction | None = None,
        image: str | MediaDict | RenderFunction | None = None,
        audio: str | LinkDict | RenderFunction | None = None,
        video: str | MediaDict | RenderFunction | None = None,
        document: str | DocumentDict | RenderFunction | None = None,
        sticker: str | LinkDict | RenderFunction | None = None,
        location: LocationDict | RenderFunction | None = None,
        interactive: InteractiveDict | RenderFunction | None = None,
        contacts: Sequence[ContactDict] | ContactDict | RenderFunction | None = None,
        template: TemplateDict | RenderFunction | None = None,
        message: MessageDict | RenderFunction | None = None,
        reply_to: str | RenderFunction | None = None,
        exclude: RecipientsGiven | None = None,
        shared: Mapping[str, Any] | XComArgLike | None = None,
        max_in_flight: int = 32,
        messages_per_second: float | None = 80,
        if_some_fail: Literal["fail", "warn"] = "fail",
        checkpoint_every: int = 500,
        keep_receipts: bool = False,
        business_phone: str | int | XComArgLike | None = None,
        app_id: str | XComArgLike | None = None,
        itnio_conn_id: str = ItnioHook.default_conn_name,
        delivery: Delivery = "at_least_once",
        if_too_long: Literal["fail", "truncate"] = "fail",
        wait_for: WaitFor = "accepted",
        wait_timeout: timedelta | float = _WAIT_TIMEOUT,
        fallback: MessageDict | RenderFunction | None = None,
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
        self.recipients = literal_unless_templated(recipients)
        self.exclude = literal_unless_templated(exclude)
        self._excludes = exclude is not None
        self.shared = shared
        self.max_in_flight = max_in_flight
        self.messages_per_second = messages_per_second
        self.wait_for = wait_for
        self.wait_timeout = wait_timeout
        self.fallback = fallback
        self.if_some_fail = if_some_fail
        self.checkpoint_every = checkpoint_every
        self.keep_receipts = keep_receipts
        self._record_jinja()
        if self._is_created_in_dag_file():
            self._check_broadcast_options()
            if isinstance(self.recipients, str) and not is_rendered_later(self.recipients):
                from airflow_provider_itnio.broadcast.recipients import recipient_list

                recipient_list(self.recipients)  # other recipients are data, and checked when the task runs

    def _check_message(self) -> None:
        for name, value in self._message_fields().items():
            _refuse_references(value, name)
        super()._check_message()

    def _check_broadcast_options(self) -> None:
        self.max_in_flight = check_number("max_in_flight", self.max_in_flight, 1, 1000, int)
        self.checkpoint_every = check_number("checkpoint_every", self.checkpoint_every, 1, 10_000, int)
        if self.messages_per_second is not None:
            self.messages_per_second = check_number(
                "messages_per_second", self.messages_per_second, 0.001, 100_000, float
            )
        if self.wait_for != "accepted" or self.wait_timeout != _WAIT_TIMEOUT:
            from airflow_provider_itnio.operators._waiting import check_wait

            check_wait(self.wait_for, self.wait_timeout, self._defaults)
        if self.fallback is not None:
            from airflow_provider_itnio.operators._fallback import check_fallback

            _refuse_references(self.fallback, "fallback")
            check_fallback(self.fallback, is_rendered_later)
        check_choice("if_some_fail", self.if_some_fail, ("fail", "warn"))
        if type(plain_scalar(self.keep_receipts)) is not bool:
            raise InvalidParameterError(
                f"keep_receipts: must be True or False, {describe_value(self.keep_receipts)} given"
            )
        if not (self.shared is None or isinstance(self.shared, Mapping) or is_rendered_later(self.shared)):
            raise InvalidParameterError(
                f'shared: must be a dict, as in {{"week": 47}}, {describe_value(self.shared)} given'
            )

    def execute(self, context: Context) -> SummaryDict:
        """Send to all recipients whose message is not accepted yet.

        :param context: the task's context.
        """
        from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
        from airflow_provider_itnio.delivery.graceful_timeout import GracefulTimeout

        with self._fail_on_permanent_errors():
            check_delivery(self.delivery)
            self._refuse_unrendered(*WhatsAppBroadcastOperator.template_fields)
            self._check_broadcast_options()
            self._check_message()
            record = self._record = BroadcastRecord.from_context(context, self.task_id)
        self._finish_after_post_execute()
        fields = self._built_message(context)
        limit = GracefulTimeout()
        with self._fail_on_permanent_errors():
            run = self._run = self._prepare_run(context, fields, record, limit)
        broadcast = run.broadcast
        if self._is_killed:
            raise ItnioError("The task was ended from outside before anything was sent")
        with limit:
            record.store.call = limit.call
            policy = BroadcastFailurePolicy(broadcast, self.delivery, is_recorded=record.is_persistent)
            try:
                run.run()
            except BaseException as error:
                failure: BaseException | None = policy.exception_after_error(error)
            else:
                failure = policy.exception_at_end(
                    may_fail=self.if_some_fail == "warn", timed_out=limit.has_timed_out
                )
            if policy.retry_would_resend:
                from airflow_provider_itnio.operators._waiting import end_retries

                end_retries(self)  # also if its result can't be written
            report = broadcast.report
            log.info("Ended: %s", report.describe())
            if report.is_in_sandbox:
                self.hook.log_sandbox_page()
            has_receiver = self.wait_for != "accepted" or self.fallback is not None
            if report.counts.accepted and report.kind != "template" and not has_receiver:
                log.warning(ACCEPTED_IS_NOT_DELIVERED)
            summary = report.summary()
            if failure is None:
                return summary
            if self.do_xcom_push and "ti" in context:  # Airflow pushes the result of a successful task only
                self._push(context, summary, limit)
            raise failure

    def on_kill(self) -> None:
        """Send to no further recipient, and record the outcomes of the messages in flight."""
        self._is_killed = True
        if self._run is not None:
            self._run.end("the task was ended from outside")

    def _push(self, context: Context, summary: SummaryDict, limit: GracefulTimeout) -> None:
        try:
            limit.call(context["ti"].xcom_push, "return_value", summary)
        except Exception as error:  # the task must still fail with its own error
            error_text = mask_phone_numbers(f"{type(error).__name__}: {error}")
            log.error("The summary could not be pushed: %s", error_text)

    def _prepare_run(
        self, context: Context, fields: Mapping[str, Any], record: BroadcastRecord, limit: GracefulTimeout
    ) -> BroadcastRun:
        from airflow_provider_itnio.api.async_client import ItnioAsyncClient
        from airflow_provider_itnio.broadcast.engine import Broadcast
        from airflow_provider_itnio.operators._broadcast_run import BroadcastRun

        recipients = self._read_recipients(context)
        account, (app_id, business_phone) = self.hook.account(), self.hook.sender()
        kind, message_for = self._message_factory(fields, context)
        client = ItnioAsyncClient(account.credentials, account.settings)
        receiver = self._receiver_client(account, record)
        broadcast = Broadcast(
            recipients,
            message_for=partial(limit.call, self._log_first(message_for)),
            client=client,
            app_id=app_id,
            business_phone=business_phone,
            record=record,
            kind=kind,
            delivery=self.delivery,
            max_in_flight=self.max_in_flight,
            messages_per_second=self.messages_per_second,
            checkpoint_every=self.checkpoint_every,
            keep_receipts=self.keep_receipts,
            open_file=lambda message: limit.call(self.hook.files.prepare, message),
            watch=None if receiver is None else self._watch(receiver),
            fallbacks=None if receiver is None else self._fallbacks(receiver, context, limit),
        )
        return BroadcastRun(broadcast, [client] if receiver is None else [client, receiver], limit)

    def _receiver_client(self, account: Account, record: BroadcastRecord) -> AsyncClient | None:
        """Return a client of the receiver, ``None`` if the broadcast needs none."""
        if self.wait_for == "accepted" and self.fallback is None:
            return None
        from airflow_provider_itnio.api.async_client import AsyncClient
        from airflow_provider_itnio.broadcast.status_watch import POLL_INTERVAL
        from airflow_provider_itnio.operators._waiting import check_receiver, wait_seconds

        check_receiver(self.hook, wait_seconds(self.wait_timeout), has_messaged=record.has_messaged)
        return AsyncClient(*self.hook.receiver_client_args(account, POLL_INTERVAL))

    def _watch(self, receiver: AsyncClient) -> StatusWatch | None:
        if self.wait_for == "accepted":
            return None
        from airflow_provider_itnio.broadcast.status_watch import StatusWatch
        from airflow_provider_itnio.operators._waiting import wait_seconds

        return StatusWatch(receiver, self.wait_for, wait_seconds(self.wait_timeout))

    def _fallbacks(self, receiver: AsyncClient, context: Context, limit: GracefulTimeout) -> Fallbacks | None:
        if self.fallback is None:
            return None
        from airflow_provider_itnio.broadcast.fallbacks import Fallbacks

        _, business_phone = self.hook.sender()
        return Fallbacks(receiver, business_phone, partial(limit.call, self._fallback_factory(context)))


def _refuse_references(value: Any, name: str) -> None:
    for path in references_in(value, name):
        raise InvalidMessageError(
            f"{path}: is rendered for each recipient and can't be the output of an upstream task; "
            'give that as shared={"found": …} and write {{ shared.found }} here'
        )
