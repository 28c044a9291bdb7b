"""Waiting in the triggerer: for what became of messages, and for what people write."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_itnio.api.answer_wait import AnswerWait
from airflow_provider_itnio.api.errors import MAY_PASS, InvalidParameterError, ItnioError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.question import Question
from airflow_provider_itnio.api.receiver import LONGEST_WAIT
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.status_wait import AFTER_ERROR, StatusWait
from airflow_provider_itnio.hooks.itnio import ItnioHook

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receiver import IncomingMessage

__all__ = ["WhatsAppAnswerTrigger", "WhatsAppMessageTrigger", "WhatsAppStatusTrigger"]

_HANDED_ON: Final = 5.0
"""Seconds in which a triggerer writes an event down, which it does once a second."""

log = NeverRaisingLog(__name__)


class _Asking:
    """What the triggers have in common: each is made anew from its arguments."""

    _arguments: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:  # so that Airflow's, which has no types, is called in one place
        super().__init__()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes it from."""
        given = {name: getattr(self, name) for name in self._arguments}
        return f"{type(self).__module__}.{type(self).__name__}", given


class WhatsAppStatusTrigger(_Asking, BaseTrigger):
    """Waits until messages have a status or have failed. It only asks the receiver, and never sends.

    It asks once in 25 seconds at most, for all of its messages together.

    :param message_ids: ids of messages, as receipts have them.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param ends_at: Unix time in seconds at which it ends in any case.
    :param itnio_conn_id: the connection that names the receiver.
    :param receipt: a receipt that the event gives back, if the task needs one to go on.
    :param ends_on_failure: whether it ends as soon as one of the messages has failed.
    """

    _arguments = ("message_ids", "until", "ends_at", "itnio_conn_id", "receipt", "ends_on_failure")

    def __init__(
        self,
        message_ids: Sequence[str],
        until: str,
        ends_at: float,
        itnio_conn_id: str = "itnio_default",
        receipt: Mapping[str, Any] | None = None,
        *,
        ends_on_failure: bool = False,
    ) -> None:
        super().__init__()
        self.message_ids = list(message_ids)
        self.until = until
        self.ends_at = ends_at
        self.itnio_conn_id = itnio_conn_id
        self.receipt = receipt
        self.ends_on_failure = ends_on_failure

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Give one event: ``receipt``, and ``statuses`` and ``problem`` as in :meth:`StatusWait.result`."""
        receipt = {"receipt": self.receipt}
        wait = StatusWait(self.message_ids, self.until, self.ends_at, ends_on_failure=self.ends_on_failure)
        hook = ItnioHook(self.itnio_conn_id)
        try:
            while True:
                try:
                    pause = wait.take(await hook.amessage_status(**wait.question()))
                except MAY_PASS as error:
                    pause = wait.take(error)
                if pause is None:
                    break
                await asyncio.sleep(pause)
        except ItnioError as error:  # such as a connection that is gone
            yield _Event(payload=wait.result() | receipt | {"problem": f"{type(error).__name__}: {error}"})
            return
        yield _Event(payload=wait.result() | receipt)


class WhatsAppAnswerTrigger(_Asking, BaseTrigger):
    """Waits for the first answer to a question. It only asks the receiver, and never sends.

    :param question: the question, as :meth:`Question.as_dict` writes it.
    :param has_template: whether it ends as soon as a question has failed that a WhatsApp template can ask.
    :param itnio_conn_id: the connection that names the receiver, and whose secret the answers' codes need.
    """

    _arguments = ("question", "has_template", "itnio_conn_id")

    def __init__(
        self, question: Mapping[str, Any], has_template: bool, itnio_conn_id: str = "itnio_default"
    ) -> None:
        super().__init__()
        self.question = question
        self.has_template = has_template
        self.itnio_conn_id = itnio_conn_id

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Give one event: ``question``, and what :meth:`AnswerWait.result` has."""
        question, hook = Question.from_dict(self.question), ItnioHook(self.itnio_conn_id)
        result: dict[str, Any] = {"answer": None, "failed": {}, "cursor": question.cursor}
        try:
            wait = AnswerWait(question, Secret(""), has_template=self.has_template)
            while True:
                try:
                    wait.secret = (await hook.aaccount()).credentials.secret
                    incoming = await hook.aincoming(**wait.what_to_read())
                    pause = wait.take(incoming, await hook.amessage_status(**wait.what_to_ask()))
                    if pause is not None and (again := wait.to_open()):
                        await hook.aopen_question(*again)
                        wait.opened()
                except MAY_PASS as error:
                    pause = wait.take_error(error)
                if pause is None:
                    break
                await asyncio.sleep(pause)
            result = wait.result()
            if result["answer"]:  # what is typed from now on is for other questions
                with suppress(*MAY_PASS):
                    await hook.aclose_question(question.id, result["answer"]["answered_by"])
        except ItnioError as error:  # such as a connection that is gone
            result |= {"problem": f"{type(error).__name__}: {error}"}
        yield _Event(payload={"question": self.question, **result})

    async def on_kill(self) -> None:
        """Close the question. Airflow 3.3 calls it when a person marks or clears the task."""
        with suppress(ItnioError):
            await ItnioHook(self.itnio_conn_id).aclose_question(str(self.question["id"]))


class WhatsAppMessageTrigger(_Asking, BaseEventTrigger):
    """Gives an event when people write. For an ``AssetWatcher`` (Airflow 3), so that a DAG runs then.

    .. code-block:: python

        Asset("whatsapp", watchers=[AssetWatcher(name="incoming", trigger=WhatsAppMessageTrigger())])

    It asks the connection's receiver (``itnio-receiver``), and keeps asking while that is unreachable. The
    payload of an event is ``{"messages": [{"id", "from", "name", "type", "text", "option_id", "reply_to",
    "at"}, …], "cursor": …}``: up to 100 messages in order. ``text`` and ``name`` come from strangers,
    ``from`` has digits only, ``at`` is ISO 8601 in UTC. Airflow may run a DAG once for several events: read
    all of ``triggering_asset_events``, each event's ``extra["payload"]``.

    On Airflow 3.3 and later the asset's state store keeps the cursor, five seconds after each event (so at
    most 20 messages a second). A triggerer that starts again continues there: nothing is lost, and an event
    of the last seconds may come twice. A trigger with other arguments has its own cursor. Two assets with
    the same trigger share it, and then no cursor is kept. Without one, as before 3.3, each start of the
    triggerer begins at ``after``.

    :param after: where it begins: ``latest`` for what is written from now on, the ``cursor`` of an event or
        of ``ItnioHook().incoming()``, or ``None`` for the oldest message that the receiver keeps.
    :param sender: the number of the one person whose messages count, as people write it; other spellings
        of the same number count too. ``None`` for everybody.
    :param itnio_conn_id: the connection that names the receiver.
    :raises InvalidParameterError: if ``after`` is something else.
    :raises InvalidMessageError: if ``sender`` is no phone number.
    """

    _arguments = ("after", "sender", "itnio_conn_id")

    def __init__(
        self,
        after: str | None = "latest",
        sender: str | int | None = None,
        itnio_conn_id: str = "itnio_default",
    ) -> None:
        from airflow_provider_itnio.api.phone_numbers import normalize_phone, spellings

        super().__init__()
        if after is not None and (not isinstance(after, str) or not after):
            raise InvalidParameterError("after: must be latest, a cursor that an answer gave, or None")
        self.after = after
        self.sender = None if sender is None else normalize_phone(sender, "sender")
        self.itnio_conn_id = itnio_conn_id
        self._wanted = None if self.sender is None else frozenset(spellings(self.sender))
        self._problem = ""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Give an event for each answer of the receiver with messages in it, without an end."""
        cursor = kept = await self._first_cursor()
        while True:
            asked_at = time.monotonic()
            try:
                answer = await ItnioHook(self.itnio_conn_id).aincoming(cursor, wait=LONGEST_WAIT)
            except ItnioError as error:
                self._tell(f"{error}. It is asked again every {AFTER_ERROR:g} s")
                await asyncio.sleep(AFTER_ERROR)
                continue
            self._problem = ""
            messages = [_as_json(one) for one in answer.messages if self._is_wanted(one)]
            if messages:
                yield _Event(payload={"messages": messages, "cursor": answer.cursor})
            news, cursor = answer.cursor != cursor, answer.cursor
            if cursor != kept and await self._keep(cursor, is_event=bool(messages)):
                kept = cursor
            early = asked_at + LONGEST_WAIT - time.monotonic()
            if not news and early > 0:  # the receiver is under load, or stops
                await asyncio.sleep(min(early, AFTER_ERROR))

    def _is_wanted(self, message: IncomingMessage) -> bool:
        return self._wanted is None or message.sender in self._wanted

    # --- the cursor in the asset's state store --------------------------------------------------------------

    @property
    def _key(self) -> str:
        """The name of the cursor, another one for each trigger; a key shows no phone number."""
        mine = json.dumps(self.serialize(), sort_keys=True)
        return f"itnio_incoming_{hashlib.sha256(mine.encode()).hexdigest()[:16]}"

    async def _first_cursor(self) -> str | None:
        while (store := getattr(self, "asset_state_store", None)) is not None:
            try:
                return str(await store.aget(self._key) or "") or self.after
            except ValueError as error:  # there is more than one asset
                self._tell(f"Without a cursor that is kept: {error}")
                self.asset_state_store = None
            except Exception as error:  # of Airflow: to begin at after would lose messages
                self._tell(f"The cursor in the asset's state store can't be read: {error}")
                await asyncio.sleep(AFTER_ERROR)
        return self.after

    async def _keep(self, cursor: str, *, is_event: bool) -> bool:
        """Return whether nothing is left to write."""
        if (store := getattr(self, "asset_state_store", None)) is None:
            return True
        if is_event:  # a cursor that is written before its event may lose that
            await asyncio.sleep(_HANDED_ON)
        try:
            await store.aset(self._key, cursor)
        except Exception as error:  # of Airflow
            self._tell(f"The cursor can't be written to the asset's state store: {error}. It is tried again")
            return False
        return True

    def _tell(self, problem: str) -> None:
        """Log a problem the first time."""
        if problem != self._problem:
            self._problem = problem
            log.warning("%s", mask_phone_numbers(problem))


class _Event(TriggerEvent):
    """An event of which the triggerer's log shows no text and no number."""

    def __repr__(self) -> str:
        return f"TriggerEvent<{', '.join(self.payload)}>"

    __str__ = __repr__


def _as_json(message: IncomingMessage) -> dict[str, Any]:
    return {
        "id": message.message_id,
        "from": message.sender,
        "name": message.name,
        "type": message.type,
        "text": message.text,
        "option_id": message.option_id,
        "reply_to": message.reply_to,
        "at": message.at.isoformat(),
    }
