"""Incoming messages become events: a running receiver, and a trigger run as in a triggerer."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import suppress

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.triggers.base import BaseTrigger

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.triggers import whatsapp
from airflow_provider_itnio.triggers.whatsapp import WhatsAppMessageTrigger
from tests.api.servers import Server, answer
from tests.receiver.running import READ_TOKEN, incoming_push, running_receiver, text_push
from tests.tables import for_each

ANA = "8613900000001"
BEN = "8613900000002"
_NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def asks(connect, receiver, monkeypatch):
    monkeypatch.setattr(whatsapp, "RETRY_DELAY", 0.05)
    monkeypatch.setattr(whatsapp, "_STORE_DELAY", 0.05)
    monkeypatch.setattr(whatsapp, "_HOOK_TTL", 0.05)  # some tests change the connection
    connect(extra=receiver.extra)


class AssetStateStore:
    """A stub for the asset state store of Airflow 3.3 that an event trigger gets."""

    def __init__(self):
        self.kept = {}
        self.fails = 0

    async def aget(self, key, default=None):
        self._fail()
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key, value):
        self._fail()
        self.kept[key] = json.dumps(value)

    def _fail(self):
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the API server is away")


def written(receiver, phone, words, **more):
    push = text_push(f"in-{next(_NUMBERS)}", words, phone=phone, **more)
    assert receiver.push(push) == 200
    return push["messageId"]


def events_of(trigger, count, meanwhile=lambda: None, store=None, after=0.3):
    """Run a trigger as a triggerer does until it has fired this often; return the events' payloads."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_itnio.triggers.whatsapp.WhatsAppMessageTrigger"
    made = WhatsAppMessageTrigger(**json.loads(json.dumps(kwargs)))
    made.asset_state_store = store
    found = []

    async def take():
        async for event in made.run():
            found.append(event)

    async def run():
        running = asyncio.create_task(take())
        await asyncio.sleep(after)
        await asyncio.to_thread(meanwhile)
        while len(found) < count and not running.done():
            await asyncio.sleep(0.02)
        await asyncio.sleep(after)  # time for further events
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(run())
    return [json.loads(json.dumps(event.payload)) for event in found]


def test_an_events_payload_contains_the_messages_as_plain_json(receiver):
    cursor = ItnioHook().incoming("latest").cursor
    receiver.push(
        incoming_push(
            "in-tap",
            {
                "type": "interactive",
                "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Load again"}},
                "context": {"id": "m-0"},
            },
            phone=ANA,
        )
    )
    (event,) = events_of(WhatsAppMessageTrigger(after=cursor), 1)
    assert event["messages"] == [
        {
            "id": "in-tap",
            "from": ANA,
            "name": "Ana",
            "type": "interactive",
            "text": "Load again",
            "option_id": "yes",
            "reply_to": "m-0",
            "at": "2026-09-21T14:13:20+00:00",
        }
    ]
    assert ItnioHook().incoming(event["cursor"]).messages == []


def test_by_default_a_trigger_starts_with_new_messages_and_continues_after_an_event(receiver):
    written(receiver, ANA, "before")

    def writes():
        for words in ("one", "two", "three"):
            written(receiver, ANA, words)

    events = events_of(WhatsAppMessageTrigger(), 1, writes)
    texts = [message["text"] for event in events for message in event["messages"]]
    assert texts == ["one", "two", "three"]
    assert len(events_of(WhatsAppMessageTrigger(), 2, lambda: _twice(receiver))) == 2


def _twice(receiver):
    written(receiver, ANA, "once")
    time.sleep(0.5)
    written(receiver, ANA, "again")


def test_after_none_starts_with_the_oldest_stored_message(receiver):
    oldest = ItnioHook().incoming().messages or [written(receiver, ANA, "the oldest")]
    (event, *_) = events_of(WhatsAppMessageTrigger(after=None), 1)
    assert event["messages"][0]["id"] == getattr(oldest[0], "message_id", oldest[0])


@for_each(
    ("wrote", "sender"),
    [(BEN, "+86 139-0000-0002"), (BEN, int(BEN)), ("5511987654321", "551187654321")],
)
def test_with_a_sender_only_their_messages_count_under_any_spelling(wrote, sender, receiver):
    def writes():
        written(receiver, ANA, "another person")
        written(receiver, wrote, "this one")

    events = events_of(WhatsAppMessageTrigger(sender=sender), 1, writes)
    assert [message["text"] for event in events for message in event["messages"]] == ["this one"]


def test_an_unreachable_receiver_is_tried_again_and_logged_once(receiver, connect, closed_port, caplog):
    cursor = ItnioHook().incoming("latest").cursor
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})

    def comes_back():
        written(receiver, ANA, "meanwhile")
        connect(extra=receiver.extra)

    (event,) = events_of(WhatsAppMessageTrigger(after=cursor), 1, comes_back, after=0.5)
    assert event["messages"][0]["text"] == "meanwhile"
    assert caplog.text.count("could not be asked for incoming messages") == 1


def test_a_trigger_continues_after_its_connection_is_corrected(receiver, connect, caplog):
    cursor = ItnioHook().incoming("latest").cursor
    connect(extra={"receiver_url": receiver.url, "receiver_token": "another-token-0123456789"})

    def mended():
        written(receiver, ANA, "meanwhile")
        connect(extra=receiver.extra)

    assert len(events_of(WhatsAppMessageTrigger(after=cursor), 1, mended)) == 1
    assert "receiver_token: the receiver does not accept it" in caplog.text
    assert "another-token-0123456789" not in caplog.text


def test_an_idle_receiver_is_called_once_in_25_seconds(receiver):
    trigger = WhatsAppMessageTrigger()
    asked = []
    ask = ItnioHook.aincoming

    async def counted(hook, after, **more):
        asked.append(after)
        return await ask(hook, after, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ItnioHook, "aincoming", counted)
        events_of(trigger, 0, after=1)
    assert len(asked) == 2  # one for the latest cursor, and one for the messages after it
    assert asked[0] == "latest"


def test_a_restarted_triggerer_misses_no_message(receiver):
    store = AssetStateStore()
    events_of(WhatsAppMessageTrigger(), 0, store=store)  # no messages yet
    (key,) = store.kept
    written(receiver, ANA, "while it was away")
    (event,) = events_of(WhatsAppMessageTrigger(), 1, store=store)
    assert event["messages"][0]["text"] == "while it was away"
    assert json.loads(store.kept[key]) == event["cursor"]
    assert events_of(WhatsAppMessageTrigger(), 0, store=store) == []  # and fires no event twice


def test_each_trigger_has_a_separate_cursor_whose_key_contains_no_number(receiver):
    store = AssetStateStore()
    for trigger in (WhatsAppMessageTrigger(), WhatsAppMessageTrigger(sender=ANA)):
        events_of(trigger, 0, store=store)
    assert len(store.kept) == 2
    assert ANA not in "".join(store.kept)


def test_a_cursor_is_stored_only_after_its_event_was_taken(receiver, monkeypatch):
    monkeypatch.setattr(whatsapp, "_STORE_DELAY", 600)
    store = AssetStateStore()
    before = events_of(WhatsAppMessageTrigger(), 1, lambda: written(receiver, ANA, "crash"), store=store)
    again = events_of(WhatsAppMessageTrigger(), 1, store=store)  # the first event may be lost
    assert before[0]["messages"] == again[0]["messages"]


def test_a_failing_store_loses_no_message(receiver, caplog):
    store = AssetStateStore()
    events_of(WhatsAppMessageTrigger(), 0, store=store)
    written(receiver, ANA, "while it was away")
    store.fails = 2
    (event,) = events_of(WhatsAppMessageTrigger(), 1, store=store)
    assert event["messages"][0]["text"] == "while it was away"
    assert caplog.text.count("can't be read: the API server is away") == 1


def test_a_cursor_that_could_not_be_stored_is_stored_later(receiver, monkeypatch, caplog):
    monkeypatch.setattr(whatsapp, "MAX_WAIT", 0.1)
    store = AssetStateStore()

    def one_message():
        store.fails = 2
        written(receiver, ANA, "the only one")

    (event,) = events_of(WhatsAppMessageTrigger(), 1, one_message, store=store, after=0.8)
    assert list(store.kept.values()) == [json.dumps(event["cursor"])]
    assert "can't be stored in the asset's state store: the API server is away" in caplog.text


def test_http_400_of_a_proxy_does_not_repeat_events(receiver, connect):
    written(receiver, ANA, "before")

    def behind_a_proxy_that_refuses():
        with Server(lambda _: answer(b"<html>Bad Request</html>", 400)) as proxy:
            connect(extra=receiver.extra | {"receiver_url": proxy.url})
            written(receiver, ANA, "one")  # ends the open request; the next one goes to the proxy
            while not proxy.requests:
                time.sleep(0.05)
            written(receiver, ANA, "two")
            connect(extra=receiver.extra)

    events = events_of(WhatsAppMessageTrigger(), 2, behind_a_proxy_that_refuses, store=AssetStateStore())
    assert [message["text"] for event in events for message in event["messages"]] == ["one", "two"]


def test_a_receiver_with_another_database_is_read_from_its_beginning(receiver, tmp_path, connect):
    store = AssetStateStore()
    events_of(WhatsAppMessageTrigger(), 0, store=store)
    with running_receiver(f"sqlite:///{tmp_path}/another.db", tmp_path) as another:
        written(another, ANA, "in the new one")
        connect(extra=another.extra)
        (event,) = events_of(WhatsAppMessageTrigger(), 1, store=store)
    assert event["messages"][0]["text"] == "in the new one"


def test_an_events_repr_contains_no_text_and_no_number(receiver):
    cursor = ItnioHook().incoming("latest").cursor
    written(receiver, ANA, "private words")

    async def first():
        return await anext(WhatsAppMessageTrigger(after=cursor).run())

    event = asyncio.run(first())
    assert event.payload["messages"][0]["text"] == "private words"
    assert "private" not in f"{event!r} {event}"
    assert ANA not in f"{event!r} {event}"


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="asset watchers are of Airflow 3")
def test_an_asset_watcher_accepts_the_trigger_and_its_event_is_serialized(receiver):
    from airflow.jobs.triggerer_job_runner import messages
    from airflow.sdk import Asset, AssetWatcher
    from airflow.triggers.base import BaseEventTrigger

    trigger = WhatsAppMessageTrigger(sender="+86 139-0000-0001")
    assert Asset("whatsapp", watchers=[AssetWatcher(name="incoming", trigger=trigger)])
    path, kwargs = trigger.serialize()
    assert BaseEventTrigger.hash(path, kwargs) == BaseEventTrigger.hash(path, kwargs | {"sender": ANA})
    event = whatsapp._Event(payload={"messages": [{"text": "hello"}], "cursor": "a-1"})
    told = messages.TriggerStateChanges(events=[(1, event, None)]).model_dump_json()
    assert json.loads(told)["events"][0][1]["payload"]["messages"] == [{"text": "hello"}]


def test_it_is_a_base_trigger_in_every_airflow_version():
    assert isinstance(WhatsAppMessageTrigger(), BaseTrigger)


@for_each(
    ("fields", "error", "told"),
    [
        (
            {"after": 5},
            InvalidParameterError,
            "after: must be latest, the cursor of an event, or None; 5 given",
        ),
        ({"after": ""}, InvalidParameterError, "after: must be latest"),
        ({"itnio_conn_id": None}, InvalidParameterError, "itnio_conn_id: must be text, nothing given"),
        ({"itnio_conn_id": " "}, InvalidParameterError, "itnio_conn_id: must not be empty"),
        ({"sender": "nobody"}, InvalidMessageError, "sender: "),
    ],
)
def test_the_error_of_an_invalid_parameter_names_it(fields, error, told):
    with pytest.raises(error, match=told):
        WhatsAppMessageTrigger(**fields)
