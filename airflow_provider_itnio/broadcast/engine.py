"""Send many messages concurrently: a bounded number in flight, at a steady rate. No Airflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    ItnioError,
    NotSentError,
    RecordError,
    RefusedError,
    UnknownOutcomeError,
    is_marked_as_not_sent,
    mark_as_not_sent,
)
from airflow_provider_itnio.api.links import TYPES_WITH_FILES
from airflow_provider_itnio.api.masking import mask_phone, mask_phone_numbers
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.time_limit import in_thread
from airflow_provider_itnio.broadcast.accepted_messages import AcceptedMessages
from airflow_provider_itnio.broadcast.pace import Pace, expected_rate
from airflow_provider_itnio.broadcast.queue import MessageQueue
from airflow_provider_itnio.broadcast.queued_message import QueuedMessage
from airflow_provider_itnio.broadcast.recipients import Recipient, Recipients
from airflow_provider_itnio.broadcast.summary import Report
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from airflow_provider_itnio.delivery.graceful_timeout import CallInterruptedError
from airflow_provider_itnio.delivery.policy import outcome_of, should_resend

if TYPE_CHECKING:
    from airflow_provider_itnio.api.async_client import ItnioAsyncClient
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.api.receipt import Receipt
    from airflow_provider_itnio.broadcast.fallbacks import Fallbacks
    from airflow_provider_itnio.broadcast.status_watch import StatusWatch

log = NeverRaisingLog(__name__)

_PROGRESS_INTERVAL: Final = 10.0
"""Seconds between two lines of progress while messages are sent."""
_WAIT_PROGRESS_INTERVAL: Final = 60.0
"""Seconds between two lines of progress after all are sent, which may take days."""
_FLUSH_INTERVAL: Final = 2.0
"""Seconds after which outcomes are recorded even if the batch is not full."""
_MAX_UNANSWERED: Final = 100
"""Consecutive messages without a clear answer after which the broadcast stops."""
_MAX_WAITING: Final = 1000
"""Most messages that may wait for a previous one to the same number."""


class Broadcast:
    """Sends a message to each recipient, several at a time, but never two at a time to the same number.

    :param recipients: the recipients.
    :param message_for: creates the message for one recipient, or raises ``InvalidMessageError``.
    :param client: sends the messages; the broadcast controls its waits, and the caller closes it.
    :param app_id: the application the messages go through.
    :param business_phone: the number they come from, digits only.
    :param record: the delivery record, with the outcomes of previous tries.
    :param kind: the messages' type, such as ``text``.
    :param delivery: what to do if a message's outcome is unknown.
    :param max_in_flight: open requests at a time; with a record, at most half of ``checkpoint_every``.
    :param messages_per_second: the most messages per second; ``None`` for no limit.
    :param checkpoint_every: the most messages whose outcome is lost if the worker is killed.
    :param keep_receipts: keep the receipt of each message.
    :param open_file: returns a function that prepares a message with a file, called in a thread; ``None`` if
        the message is ready.
    :param watch: asks for the statuses of accepted messages, if the task waits for them.
    :param fallbacks: chooses between message and fallback, if the task has a fallback.
    """

    def __init__(
        self,
        recipients: Recipients,
        *,
        message_for: Callable[[Recipient], Message],
        client: ItnioAsyncClient,
        app_id: str,
        business_phone: str,
        record: BroadcastRecord,
        kind: str,
        delivery: Delivery = "at_least_once",
        max_in_flight: int = 32,
        messages_per_second: float | None = 80,
        checkpoint_every: int = 500,
        keep_receipts: bool = False,
        open_file: Callable[[Message], Callable[[], Message] | None] = lambda message: None,
        watch: StatusWatch | None = None,
        fallbacks: Fallbacks | None = None,
    ) -> None:
        self._open_file = open_file
        self.report = Report(
            recipients,
            kind=kind,
            keep_receipts=keep_receipts,
            waits=watch is not None,
            falls_back=fallbacks is not None,
        )
        self.stop_reason: str | None = None
        """Why the broadcast stopped early; ``None`` if it did not."""
        self.stop_error: ItnioError | None = None
        """The error that stopped it, because it would affect all messages."""
        self.watch = watch
        """Asks for the statuses of accepted messages, if the task waits for them."""
        self._record = record
        self._delivery: Delivery = delivery
        self._fallbacks = fallbacks
        self._accepted = AcceptedMessages(
            recipients, report=self.report, record=record, add=self._add, watch=watch, fallbacks=fallbacks
        )
        self._in_flight = (
            min(max_in_flight, max(1, checkpoint_every // 2)) if record.is_persistent else max_in_flight
        )
        # Unwritten outcomes and messages in flight together are never more than checkpoint_every.
        self._batch_size = max(1, checkpoint_every - self._in_flight)
        self._queue = MessageQueue(
            recipients,
            message_for=message_for,
            record=record,
            report=self.report,
            accepted=self._accepted,
            delivery=delivery,
            fallbacks=fallbacks,
            max_waiting=min(_MAX_WAITING, checkpoint_every),
            first_batch=expected_rate(self._in_flight, messages_per_second),
        )
        self._pace = Pace(messages_per_second)
        # Only one worker takes a message and waits for its turn at a time: it may be written as intended.
        self._take_lock = asyncio.Lock()
        self._slots = asyncio.Semaphore(self._in_flight)
        self._request = partial(client.send, app_id=app_id, business_phone=business_phone, delivery=delivery)
        client.wait_before_retry = self._wait_before_retry
        self._stop_event = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        self._unanswered = 0
        self._record_failed = False

    async def run(self) -> None:
        """Send all messages, and wait for their statuses if asked to, until done or stopped."""
        background = [
            asyncio.create_task(self._log_progress()),
            asyncio.create_task(self._flush_periodically()),
        ]
        try:
            if self.watch is None:
                await self._send_all()
            else:
                await self._send_all_and_wait(self.watch)
        except BaseException as error:  # also an error that a signal handler raises at any point of the loop
            self.stop(mask_phone_numbers(f"{type(error).__name__}: {error}"))
            self._cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            raise
        finally:
            for task in background:
                task.cancel()
            self._flush_remaining()
        if self._failure is not None:
            raise self._failure

    def stop(self, reason: str, grace: float | None = None) -> None:
        """Send no more messages.

        :param reason: the reason.
        :param grace: seconds that messages in flight may still wait for their answers; ``None`` for the
            client's own timeouts.
        """
        if self.stop_reason is None:
            self.stop_reason = reason
        self._stop_event.set()
        self._pace.end()
        self._queue.close()
        self._flush()  # before the last answers arrive: the process may be killed before that
        if grace is not None:
            asyncio.get_running_loop().call_later(grace, self._cancel)

    @property
    def accepted_but_unrecorded(self) -> list[str]:
        """Recipients whose messages were accepted but not recorded, by position and last digits."""
        # By key, so that a recipient with a message and a fallback is named once.
        accepted = {entry.key: entry for entry in self._record.unrecorded if entry.outcome == "accepted"}
        return [f"recipients[{entry.position}] (…{entry.key[0][-4:]})" for entry in accepted.values()]

    async def _send_all(self) -> None:
        """Send what is in the queue. With fallbacks there are more workers, since some ask for windows."""
        extra = 0 if self._fallbacks is None else min(self._in_flight, self._fallbacks.MAX_CONCURRENT)
        self._workers = [asyncio.create_task(self._run_worker()) for _ in range(self._in_flight + extra)]
        await asyncio.gather(*self._workers)

    # --- one of several workers -----------------------------------------------------------------------------

    async def _run_worker(self) -> None:
        try:
            while (queued := await self._take()) is not None:
                await self._send(queued)
                if self._fallbacks is not None:
                    self._slots.release()
        except asyncio.CancelledError:
            if self.stop_reason is None:
                raise
        except CallInterruptedError as error:
            self.stop(str(error))
        except RecordError as error:
            self.stop_error = self.stop_error or error
            self._stop_recording(error)
        except Exception as error:
            # Stop, but let the messages in flight finish, so that their outcomes are known.
            self._failure = self._failure or error
            self.stop(mask_phone_numbers(f"{type(error).__name__}: {error}"))

    async def _take(self) -> QueuedMessage | None:
        """Return the next message when it may be sent; ``None`` if there is none left."""
        while True:
            async with self._take_lock:
                queued = await self._queue.take()
                if queued is None:
                    return None
                if self._fallbacks is None and queued.message.type not in TYPES_WITH_FILES:
                    return await self._wait_for_slot(queued)
            # Outside of the lock: several messages are prepared at a time.
            prepared = await self._prepare(queued)
            if prepared is not None:
                return await self._wait_for_slot(prepared)

    async def _wait_for_slot(self, queued: QueuedMessage) -> QueuedMessage | None:
        """Return the message when it may be sent; ``None`` if the broadcast was stopped."""
        try:
            await self._pace.wait_for_slot()
        except asyncio.CancelledError:
            self._queue.put_back(queued)
            raise
        if self.stop_reason is not None:
            self._queue.put_back(queued)
            self._slots.release()
            return None
        return queued

    async def _prepare(self, queued: QueuedMessage) -> QueuedMessage | None:
        """Return the message or its fallback, with its file; ``None`` if that failed."""
        try:
            if self._fallbacks is not None:
                queued = await self._fallbacks.choose(queued)
            if queued.message.type in TYPES_WITH_FILES and (prepare_file := self._open_file(queued.message)):
                queued = queued._replace(message=await asyncio.wrap_future(in_thread(prepare_file)))
            if self._fallbacks is not None:
                await self._slots.acquire()
            return queued
        except (InvalidMessageError, ConfigurationError) as error:
            position, number = queued.recipient.position, queued.recipient.number
            self.report.add_failure("invalid", position, number[-4:], None, str(error))
            self._queue.done(queued)
            self._add(RecordedOutcome(queued.key, "not_sent", is_fallback=queued.is_fallback))
        except ItnioError as error:
            self._handle_failure(queued, error)
        except BaseException:
            self._queue.put_back(queued)
            raise
        return None

    async def _send(self, queued: QueuedMessage) -> None:
        try:
            receipt = await self._request(queued.message, recipient=queued.recipient.number)
        except ItnioError as error:
            self._handle_failure(queued, error)
        except BaseException as error:
            reason = (isinstance(error, asyncio.CancelledError) and self.stop_reason) or type(error).__name__
            if is_marked_as_not_sent(error):
                self._handle_failure(queued, NotSentError(f"ended before it was sent: {reason}"))
            else:
                self._handle_failure(queued, UnknownOutcomeError(f"ended before an answer came: {reason}"))
            raise
        else:
            self._handle_acceptance(queued, receipt)

    async def _wait_before_retry(self, seconds: float) -> None:
        """Wait for the next attempt of a message, which counts for the rate too. A stop ends the wait."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stop_event.wait()
            await self._pace.wait_for_slot()
            if self.stop_reason is not None:
                raise asyncio.CancelledError
        except asyncio.CancelledError as error:
            mark_as_not_sent(error)
            raise

    def _handle_acceptance(self, queued: QueuedMessage, receipt: Receipt) -> None:
        position, message_id = queued.recipient.position, receipt.message_id
        self._unanswered = 0
        self.report.add_accepted(receipt, is_fallback=queued.is_fallback)
        self._queue.done(queued)
        if self._record.is_persistent:
            at = None if receipt.timestamp is None else int(receipt.timestamp.timestamp())
            self._add(
                RecordedOutcome(queued.key, "accepted", message_id, at, None, position, queued.is_fallback)
            )
        self._accepted.add(queued, message_id)

    def _handle_failure(self, queued: QueuedMessage, error: ItnioError) -> None:
        outcome = outcome_of(error)
        code = error.code if isinstance(error, RefusedError) else None
        self._unanswered = 0 if outcome == "refused" else self._unanswered + 1
        if self._affects_all(error):
            if outcome == "refused":
                # This recipient's message is not the cause: a retry sends it.
                outcome = "not_sent"
            self.stop_error = self.stop_error or error
            self.stop(f"it would affect every message: {error}")
        self.report.add_failure(
            "refused" if isinstance(error, RefusedError) else outcome,
            queued.recipient.position,
            queued.recipient.number[-4:],
            code,
            _reason(error),
            number=mask_phone(queued.recipient.number),
            for_retry=should_resend(outcome, "no", self._delivery),
        )
        self._queue.done(queued)
        self._add(RecordedOutcome(queued.key, outcome, code=code, is_fallback=queued.is_fallback))

    def _affects_all(self, error: ItnioError) -> bool:
        if self._unanswered >= _MAX_UNANSWERED:
            return True
        if isinstance(error, NotSentError):
            return not error.try_again
        return isinstance(error, RefusedError) and error.affects_all

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()

    # --- statuses of accepted messages ----------------------------------------------------------------------

    async def _send_all_and_wait(self, watch: StatusWatch) -> None:
        watching = asyncio.create_task(watch.watch())
        try:
            await self._send_all()
        finally:
            watching.cancel()
        watch.start_timeout()
        try:
            while self.stop_reason is None and (len(watch) or self._accepted.fallbacks):
                if self._accepted.fallbacks:
                    await self._send_all()
                    watch.start_timeout()
                else:
                    await watch.poll(self._stop_event)
        except CallInterruptedError as error:
            self.stop(str(error))

    # --- the record -----------------------------------------------------------------------------------------

    def _add(self, outcome: RecordedOutcome) -> None:
        self._record.add(outcome)
        if len(self._record.unrecorded) >= self._batch_size:
            self._flush()

    def _flush(self) -> None:
        if self._record_failed:
            return
        try:
            self._record.flush()
        except RecordError as error:
            self._stop_recording(error)

    def _stop_recording(self, error: RecordError) -> None:
        self._record_failed = True  # no more writes: each would block the loop as long as this one
        self.stop(str(error))

    def _flush_remaining(self) -> None:
        for queued in self._queue.unsent_intended():
            self._record.add(RecordedOutcome(queued.key, "not_sent", is_fallback=queued.is_fallback))
        self._record_failed = False  # one last attempt, which blocks nothing
        self._flush()

    async def _flush_periodically(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_INTERVAL)
            if self.stop_reason is None:
                self._flush()

    async def _log_progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_INTERVAL if self.report.not_attempted else _WAIT_PROGRESS_INTERVAL)
            log.info("%s", self.report.describe_progress())


def _reason(error: ItnioError) -> str:
    if isinstance(error, RefusedError) and error.meaning:
        return f"{error.meaning}; its reason: {error.reason!r}" if error.reason else error.meaning
    return str(error)
