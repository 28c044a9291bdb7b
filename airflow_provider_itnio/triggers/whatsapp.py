"""Triggers that wait for the status of messages, for answers and for incoming messages."""

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
from airflow_provider_itnio.api.checks import check_name
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import TRANSIENT, InvalidParameterError, ItnioError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.question import Question
from airflow_provider_itnio.api.receiver import MAX_WAIT
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.status_wait import RETRY_DELAY, StatusWait
from airflow_provider_itnio.hooks.itnio import ItnioHook

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receiver import IncomingMessage

__all__ = ["WhatsAppAnswerTrigger", "WhatsAppMessageTrigger", "WhatsAppStatusTrigger"]

_STORE_DELAY: Final = 5.0
"""Seconds after which the triggerer has surely stored an event; it stores events once a second."""

_HOOK_TTL: Final = 60.0
"""Seconds after which a connection is looked up again."""

log = NeverRaisingLog(__name__)


class _SharedHook:
    """A hook that triggers share, with a lock for the lookup of its connection.

    :param hook: the hook.
    :param until: the event loop's time until which the hook is used.
    """

    def __init__(self, hook: ItnioHook, until: float) -> None:
        self.hook, self.until = hook, until
        self.loop, self.lock = asyncio.get_running_loop(), asyncio.Lock()


_shared_hooks: Final[dict[str, _SharedHook]] = {}


async def _get_hook(conn_id: str) -> ItnioHook:
    """Return the hook that all triggers of a connection share for a minute.

    A triggerer makes about five lookups a second, so hundreds of triggers would wait for minutes.
    """
    loop, shared = asyncio.get_running_loop(), _shared_hooks.get(conn_id)
    if shared is None or shared.loop is not loop or loop.time() > shared.until:
        shared = _shared_hooks[conn_id] = _SharedHook(ItnioHook(conn_id), loop.time() + _HOOK_TTL)
    async with shared.lock:
        await shared.hook.aaccount()
    return shared.hook


class _SerializableTrigger:
    """The base of the triggers, with serialization."""

    _arguments: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:  # one place for the call of Airflow's untyped __init__
        super().__init__()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class path and arguments."""
        arguments = {name: getattr(self, name) for name in self._arguments}
        return f"{type(self).__module__}.{type(self).__name__}", arguments


class WhatsAppStatusTrigger(_SerializableTrigger, BaseTrigger):
    """Waits until messages have a status or have failed. It only asks the receiver, and never sends.

    One request asks about all of its messages, and waits up to 25 seconds for a change.

    :param message_ids: the ids of the messages, from their receipts.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param ends_at: Unix time in seconds at which the wait ends in any case.
    :param itnio_conn_id: the connection that names the receiver.
    :param receipt: a receipt to return in the event, if the task needs it to resume.
    :param ends_on_failure: whether the wait ends as soon as one of the messages has failed.
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
        """Yield one event: ``receipt``, and ``statuses`` and ``problem`` as in :meth:`StatusWait.result`.

        Without a problem, it also has ``left``: the seconds that are left of the wait.
        """
        receipt = {"receipt": self.receipt}
        wait = StatusWait(self.message_ids, self.until, self.ends_at, ends_on_failure=self.ends_on_failure)
        try:
            while True:
                try:
                    hook = await _get_hook(self.itnio_conn_id)
                    pause = wait.take(await hook.amessage_status(**wait.query()))
                except TRANSIENT as error:
                    pause = wait.take(error)
                if pause is None:
                    break
                await asyncio.sleep(pause)
        except ItnioError as error:  # e.g. the connection was deleted
            yield _Event(payload=wait.result() | receipt | {"problem": f"{type(error).__name__}: {error}"})
            return
        yield _Event(payload=wait.result() | receipt | {"left": max(0.0, self.ends_at - time.time())})


class WhatsAppAnswerTrigger(_SerializableTrigger, BaseTrigger):
    """Waits for the first answer to a question. It only asks the receiver, and never sends.

    :param question: the question, as :meth:`Question.as_dict` returns it.
    :param has_template: whether the wait ends as soon as a message has failed that is to be replaced by a
        WhatsApp template.
    :param itnio_conn_id: the connection that names the receiver, and whose secret signed the buttons' ids.
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
        """Yield one event: ``question``, and the result as in :meth:`AnswerWait.result`."""
        question = Question.from_dict(self.question)
        result: dict[str, Any] = {"answer": None, "failed": {}, "cursor": question.cursor}
        try:
            wait = AnswerWait(question, Secret(""), has_template=self.has_template)
            while True:
                try:
                    hook = await _get_hook(self.itnio_conn_id)
                    wait.secret = (await hook.aaccount()).credentials.secret
                    incoming = await hook.aincoming(**wait.incoming_query())
                    pause = wait.take(incoming, await hook.amessage_status(**wait.status_query()))
                    if pause is not None and (open_arguments := wait.open_arguments()):
                        await hook.aopen_question(*open_arguments)
                        wait.mark_opened()
                except TRANSIENT as error:
                    pause = wait.take_error(error)
                if pause is None:
                    break
                await asyncio.sleep(pause)
            result = wait.result()
            if result["answer"]:  # typed answers count for other questions from now on
                with suppress(*TRANSIENT):
                    hook = await _get_hook(self.itnio_conn_id)
                    await hook.aclose_question(question.id, result["answer"]["answered_by"])
        except ItnioError as error:  # e.g. the connection was deleted
            result |= {"problem": f"{type(error).__name__}: {error}"}
        yield _Event(payload={"question": self.question, **result})

    async def on_kill(self) -> None:
        """Close the question. Airflow 3.3 calls this when a person marks or clears the task."""
        with suppress(ItnioError):
            await ItnioHook(self.itnio_conn_id).aclose_question(str(self.question["id"]))


class WhatsAppMessageTrigger(_SerializableTrigger, BaseEventTrigger):
    """Yields an event for incoming messages, for an ``AssetWatcher`` (Airflow 3) that starts a DAG.

    .. code-block:: python

        Asset("whatsapp", watchers=[AssetWatcher(name="incoming", trigger=WhatsAppMessageTrigger())])

    It asks the connection's receiver (``itnio-receiver``), and continues to ask while it is unreachable. The
    payload of an event is ``{"messages": [{"id", "from", "name", "type", "text", "option_id", "reply_to",
    "at"}, …], "cursor": …}``: up to 100 messages in order. ``text`` and ``name`` come from strangers,
    ``from`` has digits only, ``at`` is ISO 8601 in UTC. Airflow may run a DAG once for several events: read
    ``extra["payload"]`` of all ``triggering_asset_events``.

    On Airflow 3.3 and later the cursor is stored in the asset's state store, five seconds after each event
    (so at most 20 messages a second). A triggerer that restarts continues there: no message is lost, and an
    event of the last seconds may come twice. A trigger with other arguments has another cursor. If two assets
    have the same trigger, they share it, and no cursor is stored. Without a cursor, as before 3.3, each start
    of the triggerer begins at ``after``.

    :param after: where to begin: ``latest`` for new messages only, the ``cursor`` of an event or of
        ``ItnioHook().incoming()``, or ``None`` for the oldest message in the receiver.
    :param sender: the phone number of the only sender whose messages count, in any spelling; ``None`` for all
        senders.
    :param itnio_conn_id: the connection that names the receiver.
    :raises InvalidParameterError: if ``after`` is none of these, or ``itnio_conn_id`` is no text.
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
            raise InvalidParameterError(
                f"after: must be latest, the cursor of an event, or None; {describe_value(after)} given"
            )
        self.after = after
        self.sender = None if sender is None else normalize_phone(sender, "sender")
        self.itnio_conn_id = check_name("itnio_conn_id", itnio_conn_id)
        self._senders = None if self.sender is None else frozenset(spellings(self.sender))
        self._last_problem = ""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each response of the receiver with messages, forever."""
        cursor = stored_cursor = await self._load_cursor()
        while True:
            asked_at = time.monotonic()
            try:
                hook = await _get_hook(self.itnio_conn_id)
                response = await hook.aincoming(cursor, wait=MAX_WAIT)
            except ItnioError as error:
                self._log_once(f"{error}. The receiver is asked again every {RETRY_DELAY:g} s")
                await asyncio.sleep(RETRY_DELAY)
                continue
            self._last_problem = ""
            messages = [_as_json(message) for message in response.messages if self._is_wanted(message)]
            if messages:
                yield _Event(payload={"messages": messages, "cursor": response.cursor})
            has_changed, cursor = response.cursor != cursor, response.cursor
            if cursor != stored_cursor and await self._store_cursor(cursor, is_event=bool(messages)):
                stored_cursor = cursor
            remaining = asked_at + MAX_WAIT - time.monotonic()
            if not has_changed and remaining > 0:  # the receiver answered early: it is under load, or stops
                await asyncio.sleep(min(remaining, RETRY_DELAY))

    def _is_wanted(self, message: IncomingMessage) -> bool:
        return self._senders is None or message.sender in self._senders

    # --- the cursor in the asset's state store --------------------------------------------------------------

    @property
    def _key(self) -> str:
        """The cursor's key: a hash of the trigger's arguments, so that it shows no phone number."""
        arguments = json.dumps(self.serialize(), sort_keys=True)
        return f"itnio_incoming_{hashlib.sha256(arguments.encode()).hexdigest()[:16]}"

    async def _load_cursor(self) -> str | None:
        while (store := getattr(self, "asset_state_store", None)) is not None:
            try:
                return str(await store.aget(self._key) or "") or self.after
            except ValueError as error:  # there is more than one asset
                self._log_once(f"No cursor is stored: {error}")
                self.asset_state_store = None
            except Exception as error:  # an error of Airflow; beginning at ``after`` would lose messages
                self._log_once(
                    f"The cursor in the asset's state store can't be read: {error}. It is read again"
                )
                await asyncio.sleep(RETRY_DELAY)
        return self.after

    async def _store_cursor(self, cursor: str, *, is_event: bool) -> bool:
        """Store the cursor. Return whether it is stored, or can't be because there is no store."""
        if (store := getattr(self, "asset_state_store", None)) is None:
            return True
        if is_event:  # if the cursor was stored before its event, the event could be lost
            await asyncio.sleep(_STORE_DELAY)
        try:
            await store.aset(self._key, cursor)
        except Exception as error:  # an error of Airflow
            self._log_once(
                f"The cursor can't be stored in the asset's state store: {error}. It is tried again"
            )
            return False
        return True

    def _log_once(self, problem: str) -> None:
        """Log a problem, unless it is the same as the last one."""
        if problem != self._last_problem:
            self._last_problem = problem
            log.warning("%s", mask_phone_numbers(problem))


class _Event(TriggerEvent):
    """An event whose texts and numbers are not shown in the triggerer's log."""

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
