"""Many messages at a time: a bounded pool of them in flight, at a steady pace. No Airflow."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    ItnioError,
    NotSentError,
    RecordError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.phone_numbers import mask_phone_numbers
from airflow_provider_itnio.api.status_codes import MESSAGE_CODES, status_code
from airflow_provider_itnio.broadcast.pace import Pace
from airflow_provider_itnio.broadcast.recipients import InvalidRecipient, Recipient, Recipients
from airflow_provider_itnio.broadcast.summary import LOGGED, Counts, Failed, SummaryDict
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, MessageKey, RecordedOutcome
from airflow_provider_itnio.delivery.policy import PreviousOutcome, is_sent_again, outcome_of

if TYPE_CHECKING:
    from airflow_provider_itnio.api.async_client import ItnioAsyncClient
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.api.receipt import Receipt

__all__ = ["Broadcast"]

log = logging.getLogger(__name__)

_REASONS: Final = 3
"""Different reasons that an error names."""
_PROGRESS_EVERY: Final = 10.0
"""Seconds between two lines of progress."""
_RECORDED_AFTER: Final = 2.0
"""Seconds after which an outcome is recorded, where no batch is full before."""
_UNANSWERED_IN_A_ROW: Final = 100
"""Messages without an answer that settles them, one behind the other, after which nobody else is tried."""
_BEHIND_OTHERS: Final = 1000
"""Messages that may wait for an earlier one to the same number."""


class _Ready(NamedTuple):
    """A message that may leave."""

    recipient: Recipient
    message: Message

    @property
    def key(self) -> MessageKey:
        return self.recipient.number, self.recipient.occurrence


class Broadcast:
    """Sends each recipient a message, several at a time, never two at a time to the same number.

    :param recipients: whom it goes to.
    :param message_for: makes the message of one recipient, or raises ``InvalidMessageError``.
    :param client: sends it, and waits between tries as this broadcast says; the caller closes it.
    :param app_id: the application the messages go through.
    :param business_phone: the number they come from, digits only.
    :param record: what earlier tries have sent, and where this one writes what it sends.
    :param kind: the messages' type, such as ``text``.
    :param delivery: what matters more where nobody can say what became of a message.
    :param max_in_flight: messages that wait for their answer at a time; at most half of ``checkpoint_every``
        where there is a record.
    :param messages_per_second: how many leave in a second; ``None`` for no limit.
    :param checkpoint_every: messages of which a worker that is killed may lose the outcome.
    :param keep_receipts: keep the receipt of each message.
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
    ) -> None:
        self.tally = Counts()
        self.stopped: str | None = None
        """Why no new message was taken, in words; ``None`` if everyone was reached."""
        self.stopped_by: ItnioError | None = None
        """The error that would have met everyone."""
        self.unrecorded: list[RecordedOutcome] = []
        """What the record has not taken yet; after the end, what it does not know."""
        self._recipients = recipients
        self._message_for = message_for
        self._client = client
        self._client.between_tries = self._between_tries
        self._app_id = app_id
        self._business_phone = business_phone
        self._record = record
        self._delivery: Delivery = delivery
        self._checkpoint_every = checkpoint_every
        self._in_flight = (
            min(max_in_flight, max(1, checkpoint_every // 2)) if record.is_kept else max_in_flight
        )
        # So many are written at a time that with those in flight they are never more than a batch.
        self._batch = max(1, checkpoint_every - self._in_flight)
        # What waits for another message to the same number is intended too: with it, no more than a batch.
        self._room = min(_BEHIND_OTHERS, checkpoint_every)
        self._pace = Pace(messages_per_second)
        self.kind = kind
        self._receipts: list[Receipt] | None = [] if keep_receipts else None
        self._sendable = self._what_is_sent()
        self._planned: deque[_Ready] = deque()
        self._busy: set[str] = set()
        self._behind: dict[str, deque[_Ready]] = {}
        self._waiting = 0
        self._freed: deque[_Ready] = deque()
        self._left_over: list[_Ready] = []
        self._something_is_done = asyncio.Event()
        self._stopping = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        self._unanswered_in_a_row = 0
        self._left_for_retry = 0
        self._record_is_lost = False
        self._sent_though_unknown = 0
        self._started = 0.0

    async def run(self) -> None:
        """Send until everyone was reached, or something stops it."""
        self._started = asyncio.get_running_loop().time()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._in_flight)]
        beside = [
            asyncio.create_task(self._tell_progress()),
            asyncio.create_task(self._write_down_now_and_then()),
        ]
        try:
            await asyncio.gather(*self._workers)
        except BaseException as error:  # also what a signal's handler raises wherever the loop happens to be
            self.stop(mask_phone_numbers(f"{type(error).__name__}: {error}"))
            self._cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            raise
        finally:
            for task in beside:
                task.cancel()
            self._write_down_the_rest()
        if self._failure is not None:
            raise self._failure

    def stop(self, why: str, grace: float | None = None) -> None:
        """Take no new messages.

        :param why: the reason, in words.
        :param grace: seconds that those in flight may still wait for their answers; ``None`` for as long as
            the client is patient.
        """
        if self.stopped is None:
            self.stopped = why
        self._stopping.set()
        self._pace.end()
        self._something_is_done.set()
        if self.unrecorded:  # before the answers that are waited for: the process may be killed meanwhile
            self._write_down()
        if grace is not None:
            asyncio.get_running_loop().call_later(grace, self._cancel)

    @property
    def not_reached(self) -> int:
        """How many entries of the list nothing was done for."""
        tally, recipients = self.tally, self._recipients
        done = tally.accepted + tally.accepted_earlier + tally.failed
        return len(recipients) - done - recipients.excluded - recipients.repeated

    @property
    def accepted_in_all(self) -> int:
        """How many messages were accepted in this try and in earlier ones."""
        return self.tally.accepted + self.tally.accepted_earlier

    @property
    def accepted_but_unrecorded(self) -> list[str]:
        """Whose messages were accepted and are not on record: position in the list and last digits."""
        return [
            f"recipients[{kept.position}] (…{kept.key[0][-4:]})"
            for kept in self.unrecorded
            if kept.outcome == "accepted"
        ]

    @property
    def left_for_retry(self) -> int:
        """How many messages a retry that knows this try's outcomes would send."""
        return self._left_for_retry + self.not_reached

    def summary(self) -> SummaryDict:
        """Give what became of the broadcast, as plain JSON."""
        tally = self.tally
        summary: SummaryDict = {
            "recipients": len(self._recipients),
            "accepted": tally.accepted,
            "accepted_earlier": tally.accepted_earlier,
            "refused": tally.refused,
            "invalid": tally.invalid,
            "not_sent": tally.not_sent,
            "unknown": tally.unknown,
            "excluded": self._recipients.excluded,
            "repeated": self._recipients.repeated,
            "not_reached": self.not_reached,
            "failures": tally.failures,
            "failures_not_listed": tally.failed - len(tally.failures),
        }
        if self._receipts is not None:
            summary["receipts"] = [receipt.as_dict() for receipt in self._receipts]
        return summary

    def describe(self) -> str:
        """Give the counts so far, for people."""
        tally, everyone = self.tally, len(self._recipients)
        counts = {
            "accepted": tally.accepted,
            "accepted in earlier tries": tally.accepted_earlier,
            "refused": tally.refused,
            "unknown": tally.unknown,
            "not sent": tally.not_sent,
            "invalid": tally.invalid,
            "excluded": self._recipients.excluded,
            "repeated": self._recipients.repeated,
            "not reached": self.not_reached,
        }
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        return f"{everyone:,} recipient{'' if everyone == 1 else 's'}: {told or 'nobody to send to'}"

    def describe_failures(self) -> str:
        """Give the counts so far and the most frequent reasons of failures, for people."""
        reasons = self.tally.reasons.most_common(_REASONS)
        told = "; ".join(f"{reason} ({count:,})" if count > 1 else reason for reason, count in reasons)
        return f"{self.describe()}. {told}" if told else self.describe()

    # --- one of several that send ---------------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while (ready := await self._take()) is not None:
                if await self._is_its_turn(ready):
                    await self._send(ready)
        except asyncio.CancelledError:
            if self.stopped is None:
                raise
        except RecordError as error:
            self.stopped_by = self.stopped_by or error
            self.stop(str(error))
        except Exception as error:
            # Those in flight are waited for: what becomes of them is to be known.
            self._failure = self._failure or error
            self.stop(mask_phone_numbers(f"{type(error).__name__}: {error}"))

    async def _is_its_turn(self, ready: _Ready) -> bool:
        try:
            await self._pace.turn()
        except asyncio.CancelledError:
            self._left_over.append(ready)
            raise
        if self.stopped is not None:
            self._left_over.append(ready)
            return False
        return True

    async def _send(self, ready: _Ready) -> None:
        recipient = ready.recipient
        try:
            receipt = await self._client.send(
                ready.message,
                recipient=recipient.number,
                app_id=self._app_id,
                business_phone=self._business_phone,
                delivery=self._delivery,
            )
        except ItnioError as error:
            self._failed(ready, error)
        except BaseException as error:
            from airflow_provider_itnio.api.async_client import CancelledBetweenTriesError

            if isinstance(error, CancelledBetweenTriesError):
                self._failed(ready, NotSentError(f"ended between two tries: {self.stopped}"))
                raise
            why = self.stopped if isinstance(error, asyncio.CancelledError) else type(error).__name__
            self._failed(ready, UnknownOutcomeError(f"ended before an answer came: {why or 'cancelled'}"))
            raise
        else:
            self.tally.accepted += 1
            self._unanswered_in_a_row = 0
            if self._receipts is not None:
                self._receipts.append(receipt)
            self._free(ready)
            if self._record.is_kept:
                at = None if receipt.timestamp is None else int(receipt.timestamp.timestamp())
                position = recipient.position
                self._keep(RecordedOutcome(ready.key, "accepted", receipt.message_id, at, position=position))

    async def _between_tries(self, seconds: float) -> None:
        """Wait for the next try of a message, which takes its turn like any other. A stop ends this."""
        from airflow_provider_itnio.api.async_client import CancelledBetweenTriesError

        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            await self._pace.turn()
        except asyncio.CancelledError:
            raise CancelledBetweenTriesError from None
        if self.stopped is not None:
            raise CancelledBetweenTriesError

    def _failed(self, ready: _Ready, error: ItnioError) -> None:
        outcome = outcome_of(error)
        code = error.code if isinstance(error, RefusedError) else None
        affects_all = isinstance(error, RefusedError) and error.affects_all
        self._unanswered_in_a_row = 0 if outcome == "refused" else self._unanswered_in_a_row + 1
        if self._unanswered_in_a_row >= _UNANSWERED_IN_A_ROW:
            affects_all = True
        if isinstance(error, NotSentError) and not error.try_again:
            affects_all = True
        if affects_all:
            if outcome == "refused":
                # Nothing is wrong with this recipient's message: a retry is to send it too.
                outcome = "not_sent"
            self.stopped_by = self.stopped_by or error
            self.stop(f"it would meet everyone: {error}")
        self._left_for_retry += is_sent_again(PreviousOutcome(outcome, cleared=False), self._delivery)
        recipient = ready.recipient
        self.tally.add_failure(
            "refused" if isinstance(error, RefusedError) else _failed(outcome),
            recipient.position,
            recipient.number[-4:],
            code,
            _reason(error),
        )
        self._free(ready)
        if self._record.is_kept:
            self._keep(RecordedOutcome(ready.key, outcome, code=code))

    def _free(self, ready: _Ready) -> None:
        """Let the next message to the same number leave."""
        person = ready.recipient.person
        if behind := self._behind.get(person):
            self._freed.append(behind.popleft())
            self._waiting -= 1
            if not behind:
                del self._behind[person]
        else:
            self._busy.discard(person)
        self._something_is_done.set()

    def _keep(self, kept: RecordedOutcome) -> None:
        self.unrecorded.append(kept)
        if len(self.unrecorded) >= self._batch:
            self._write_down()

    # --- who is next ----------------------------------------------------------------------------------------

    async def _take(self) -> _Ready | None:
        """Give the next message, whose number has no other in flight; ``None`` if there is no more."""
        while self.stopped is None:
            if self._freed:
                return self._freed.popleft()
            if self._waiting + len(self._freed) < self._room:
                ready = self._next()
                if ready is None:
                    if not self._waiting:
                        return None
                elif ready.recipient.person in self._busy:
                    self._behind.setdefault(ready.recipient.person, deque()).append(ready)
                    self._waiting += 1
                    continue
                else:
                    self._busy.add(ready.recipient.person)
                    return ready
            self._something_is_done.clear()
            await self._something_is_done.wait()
        return None

    def _next(self) -> _Ready | None:
        if self._delivery == "at_most_once" and self._record.is_kept:
            if not self._planned:
                self._plan()
            return self._planned.popleft() if self._planned else None
        return next(self._sendable, None)

    def _plan(self) -> None:
        """Write the intent to send a batch before any of it leaves."""
        planned = list(islice(self._sendable, self._room - self._waiting - len(self._freed)))
        if not planned:
            return
        if self.unrecorded:  # so that a worker that is killed leaves no more than one batch unknown
            self._write_down()
        try:
            self._record.intend([ready.key for ready in planned])
        except RecordError:
            # It may have been written all the same; what is known for sure is that nothing has left.
            self.unrecorded += [RecordedOutcome(ready.key, "not_sent") for ready in planned]
            raise
        self._planned.extend(planned)

    def _what_is_sent(self) -> Iterator[_Ready]:
        """Give each message that this try sends, and count those that it does not."""
        for recipient in self._recipients:
            if isinstance(recipient, InvalidRecipient):
                self.tally.add_failure(
                    "invalid", recipient.position, recipient.last_digits, None, recipient.problem
                )
                continue
            known = self._record.earlier((recipient.number, recipient.occurrence))
            if known is not None and not self._is_sent_again(recipient, *known):
                continue
            try:
                message = self._message_for(recipient)
            except InvalidMessageError as error:
                self.tally.add_failure("invalid", recipient.position, recipient.number[-4:], None, str(error))
                continue
            yield _Ready(recipient, message)

    def _is_sent_again(self, recipient: Recipient, kept: RecordedOutcome, cleared: bool) -> bool:
        if is_sent_again(PreviousOutcome(kept.outcome, cleared), self._delivery):
            if kept.outcome == "unknown":
                self._sent_though_unknown += 1
                if self._sent_though_unknown <= LOGGED:
                    log.warning(
                        "Nobody knows whether an earlier try sent to recipients[%s] (…%s); now it is sent",
                        recipient.position,
                        recipient.number[-4:],
                    )
            return True
        if kept.outcome == "accepted":
            self.tally.accepted_earlier += 1
            if self._receipts is not None:
                self._receipts.append(_receipt_of(kept, self.kind))
            return False
        reason = "an earlier try of this task may have sent it, and nobody can say"
        if kept.outcome == "refused":
            meaning = "" if kept.code is None else status_code(MESSAGE_CODES, kept.code).meaning
            reason = f"refused in an earlier try of this task{meaning and ': '}{meaning}"
        self.tally.add_failure(
            _failed(kept.outcome), recipient.position, recipient.number[-4:], kept.code, reason
        )
        return False

    # --- the record -----------------------------------------------------------------------------------------

    def _write_down(self) -> None:
        if self._record_is_lost:
            return
        try:
            self._record.keep(self.unrecorded)
            self.unrecorded.clear()
        except RecordError as error:
            self._record_is_lost = True  # each further write would hold up the loop for as long as this one
            self.stop(str(error))

    def _write_down_the_rest(self) -> None:
        if self._delivery == "at_most_once" and self._record.is_kept:
            behind = chain.from_iterable(self._behind.values())
            intended = chain(self._planned, self._freed, self._left_over, behind)
            self.unrecorded += [RecordedOutcome(ready.key, "not_sent") for ready in intended]
        if self.unrecorded:
            self._record_is_lost = False  # once more, now that nothing is held up
            self._write_down()

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            log.info("%s", self._progress())

    async def _write_down_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_RECORDED_AFTER)
            if self.unrecorded and self.stopped is None:
                self._write_down()

    def _progress(self) -> str:
        tally = self.tally
        seconds = asyncio.get_running_loop().time() - self._started
        rate = (tally.accepted + tally.refused + tally.not_sent + tally.unknown) / seconds
        left = f", about {self.not_reached / rate:,.0f} s left" if rate else ""
        return f"{self.describe()}; {rate:,.1f} messages/s{left}"

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()


def _failed(outcome: Any) -> Failed:
    return "refused" if outcome == "refused" else "not_sent" if outcome == "not_sent" else "unknown"


def _reason(error: ItnioError) -> str:
    if isinstance(error, RefusedError) and error.meaning:
        return f"{error.meaning}; its reason: {error.reason!r}" if error.reason else error.meaning
    return str(error)


def _receipt_of(kept: RecordedOutcome, kind: str) -> Receipt:
    import pendulum

    from airflow_provider_itnio.api.receipt import Receipt

    at = None if kept.at is None else pendulum.from_timestamp(kept.at)
    return Receipt(kept.message_id, kept.key[0], kind, at)
