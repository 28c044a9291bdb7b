"""The operator that sends WhatsApp messages to many people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_itnio.api.checks import check_delivery, check_number
from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    ItnioError,
)
from airflow_provider_itnio.broadcast.graceful_timeout import graceful_timeout
from airflow_provider_itnio.operators.whatsapp import WhatsAppMessageOperator
from airflow_provider_itnio.templating import (
    literal_unless_templated,
    references_in,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_itnio.api.async_client import ItnioAsyncClient
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.broadcast.engine import Broadcast
    from airflow_provider_itnio.broadcast.recipients import Recipient, RecipientsGiven
    from airflow_provider_itnio.broadcast.summary import SummaryDict
    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord

__all__ = ["WhatsAppBroadcastOperator"]


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
        self.recipients = literal_unless_templated(recipients)
        self.exclude = literal_unless_templated(exclude)
        self._excludes = exclude is not None
        self.shared = shared
        self.max_in_flight = max_in_flight
        self.messages_per_second = messages_per_second
        self.if_some_fail = if_some_fail
        self.checkpoint_every = checkpoint_every
        self.keep_receipts = keep_receipts
        self._note_jinja()
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
        from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord

        with self._failing_as_documented():
            check_delivery(self.delivery)
            self._refuse_unrendered(*WhatsAppBroadcastOperator.template_fields)
            self._check_how_it_is_sent()
            self._check_message()
            self._record = BroadcastRecord.from_context(context, self.task_id)
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
            self.log.info("Ended: %s", broadcast.describe())
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
        from airflow_provider_itnio.broadcast.engine import Broadcast
        from airflow_provider_itnio.broadcast.recipients import Recipients, excluded_numbers, recipient_list

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
        from airflow_provider_itnio.broadcast.rendering import PersonalMessage

        fields = self._message_fields()
        personal = PersonalMessage(
            fields,
            self._text_environment(),
            context,
            _resolved(self.shared, context) or {},
            data=self._fields_of_data(context),
        )
        if not personal.is_personal:
            message = message_from(personal.same_for_all, if_too_long=self.if_too_long)
            return message.type, lambda recipient: message
        return personal.kind, lambda recipient: message_from(
            personal.fields_for(recipient), if_too_long=self.if_too_long
        )

    async def _run(self, broadcast: Broadcast, client: ItnioAsyncClient) -> None:
        loop = asyncio.get_running_loop()

        def stop(why: str) -> None:
            with suppress(RuntimeError):  # the loop has ended by itself just now
                loop.call_soon_threadsafe(broadcast.stop, why, _GRACE_OF_KILL)

        self._stop = stop
        with graceful_timeout(lambda: broadcast.stop(_TIMED_OUT, _GRACE)):
            async with client:
                await broadcast.run()

    def _problem(self, broadcast: Broadcast, record: BroadcastRecord) -> BaseException | None:
        """Say how the task is to fail, if it is to."""
        words = broadcast.describe()
        if (forgotten := self._forgotten(broadcast)) is not None:
            return forgotten
        if not broadcast.tally.failed and not broadcast.not_reached:
            return None
        if broadcast.stopped is None and self.if_some_fail == "warn" and broadcast.accepted_in_all:
            self.log.warning("Some failed; cleared, this task sends to everyone again: %s", words)
            return None
        cause = broadcast.stopped_by
        why = f"stopped: {broadcast.stopped}. {words}" if broadcast.stopped else broadcast.describe_failures()
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
            f"({listed}): {broadcast.stopped}. {broadcast.describe()}"
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
