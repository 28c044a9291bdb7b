"""The hook's requests to a running receiver."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time

import pendulum
import pytest

from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidParameterError,
    ReceiverError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.api.servers import Server, answer
from tests.receiver.running import AT, READ_TOKEN, new_number
from tests.tables import for_each

OWN, OTHER = "91856321321", "5511987654321"
_NUMBERS = itertools.count(1)


@pytest.fixture
def hook(connect, receiver):
    connect(extra=receiver.extra)
    return ItnioHook()


@pytest.fixture(params=["sync", "async"])
def asked(request, hook):
    """Call a method of the hook, or its async variant."""

    def call(name, *args, **kwargs):
        if request.param == "sync":
            return getattr(hook, name)(*args, **kwargs)
        return asyncio.run(getattr(hook, f"a{name}")(*args, **kwargs))

    return call


def status(message_id, name, **more):
    return {
        "eventType": "message-status-event",
        "messageId": message_id,
        "status": name,
        "timestamp": AT,
        **more,
    }


def incoming(phone, text, at=AT, to=OWN, **message):
    return {
        "eventType": "up-message-event",
        "messageId": f"in-{next(_NUMBERS)}",
        "timestamp": at,
        "businessPhone": to,
        "from": {"phone": phone, "name": "Ana"},
        "message": message or {"type": "text", "text": {"body": text}},
    }


def new_id():
    return f"m-{next(_NUMBERS)}"


def test_message_status_returns_the_status_of_each_message(asked, receiver):
    sent, delivered, unknown = new_id(), new_id(), new_id()
    receiver.push(status(sent, "sent"))
    receiver.push(status(delivered, "delivered"))
    found = asked("message_status", [sent, delivered, unknown, sent])
    assert {one: told.status for one, told in found.items()} == {
        sent: "sent",
        delivered: "delivered",
        unknown: "none",
    }
    assert found[sent].at == pendulum.from_timestamp(AT)
    assert found[unknown].at is None
    assert asked("message_status", sent)[sent].has_reached("sent")


def test_more_than_a_thousand_statuses_are_requested_in_parts(asked, receiver):
    ids = [new_id() for _ in range(2001)]
    receiver.push(status(ids[-1], "read"))
    found = asked("message_status", iter(ids))
    assert list(found) == ids
    assert found[ids[-1]].has_reached("delivered")


@for_each(
    ("failure", "told", "code"),
    [
        (
            "131047: Re-engagement message",
            "131047, the recipient has not written in the last 24 hours: send a WhatsApp template "
            "(131047: Re-engagement message)",
            131047,
        ),
        (
            "131056",
            "131056, too many messages to this recipient: wait a few minutes between messages to one "
            "recipient; WhatsApp takes about one in six seconds",
            131056,
        ),
        ("no route\nto +86 147-1800-4557", "no route to +86 1*******57", None),
        ("999999: news", "999999: news", None),
        ("", "no reason given", None),
    ],
)
def test_a_failed_status_gives_the_reason_and_what_to_do(asked, receiver, failure, told, code):
    message_id = new_id()
    receiver.push(status(message_id, "failed", failure=failure))
    found = asked("message_status", message_id)[message_id]
    assert (found.status, found.code) == ("failed", code)
    assert not found.has_reached("sent")
    if code or "\n" not in failure:
        assert found.failure == told
    else:
        assert "\n" not in found.failure
        assert "147" not in found.failure


def test_message_status_with_wait_returns_once_the_status_is_reached(asked, receiver):
    message_id = new_id()
    receiver.push(status(message_id, "read"))
    assert asked("message_status", message_id, until="read", wait=25)[message_id].status == "read"


def test_incoming_returns_messages_in_order_and_once(asked, receiver):
    cursor = asked("incoming", "latest").cursor
    receiver.push(incoming("8613900000001", "first"))
    receiver.push(
        incoming(
            "8613900000002",
            "",
            type="interactive",
            interactive={"type": "button_reply", "button_reply": {"id": "yes", "title": "Load again"}},
            context={"id": "m-0"},
        )
    )
    found, after = asked("incoming", cursor, wait=25)
    assert [(one.sender, one.text, one.option_id, one.reply_to) for one in found] == [
        ("8613900000001", "first", None, None),
        ("8613900000002", "Load again", "yes", "m-0"),
    ]
    assert found[0].at == pendulum.from_timestamp(AT)
    assert asked("incoming", after).messages == []
    assert len(asked("incoming", cursor, limit=1).messages) == 1


@for_each(
    ("wrote", "asked_for"),
    [
        ("8613900000003", "+86 139-0000-0003"),
        ("5511987654329", "551187654329"),
        ("551187654322", 5511987654322),
        ("5215512345678", "525512345678"),
        ("5491112345678", "541112345678"),
    ],
)
def test_a_window_is_open_for_a_day_under_any_spelling_of_the_number(asked, receiver, wrote, asked_for):
    at = int(pendulum.now().timestamp()) - 3600
    receiver.push(incoming(wrote, "hello", at=at))
    window = asked("window", asked_for)
    assert window.is_open
    assert window.open_until == pendulum.from_timestamp(at + 24 * 3600)


@for_each(
    ("written_to", "sent_from", "is_open"),
    [
        (OWN, None, True),
        ("", None, True),
        (OTHER, None, False),
        (OTHER, "+55 11 98765-4321", True),
        ("551187654321", OTHER, True),  # spelled without the ninth digit
        (OWN, OTHER, False),
    ],
)
def test_a_window_is_open_only_for_the_business_phone_that_was_written_to(
    connect, receiver, written_to, sent_from, is_open
):
    connect(extra=receiver.extra)
    number, hook = new_number(), ItnioHook(business_phone=sent_from)
    receiver.push(incoming(number, "hello", int(time.time()), written_to))
    assert hook.window(number).is_open is is_open
    assert asyncio.run(hook.awindow(number)).is_open is is_open
    assert hook.windows([number])[number].is_open is is_open


@for_each(("left", "is_open"), [(-5, False), (3, False), (50, False), (90, True)])
def test_a_window_that_is_about_to_close_counts_as_closed(asked, receiver, left, is_open):
    number = new_number()
    receiver.push(incoming(number, "hello", int(time.time()) - 24 * 3600 + left))
    assert asked("window", number).is_open is is_open


def test_without_a_business_phone_messages_to_any_business_phone_count(connect, receiver):
    connect(extra=receiver.extra | {"business_phone": None})
    number = new_number()
    receiver.push(incoming(number, "hello", int(time.time()), OTHER))
    assert ItnioHook().window(number).is_open


def test_the_answer_of_an_older_receiver_without_business_phones_is_read(connect):
    told = {"phone": "8613900000001", "last_incoming_at": "2099-01-01T00:00:00+00:00"}
    told["open_until"] = "2099-01-02T00:00:00+00:00"
    with Server(lambda received: answer(told)) as server:
        connect(extra={"receiver_url": server.url, "receiver_token": READ_TOKEN})
        assert ItnioHook().window("8613900000001").is_open
        body = json.loads(server.requests[0].body)
    assert body == {"phone": "8613900000001", "business_phone": OWN}


def test_a_window_is_closed_if_the_last_message_is_old_or_there_is_none(asked, receiver):
    receiver.push(incoming("8613900000004", "hello"))
    assert not asked("window", "8613900000004").is_open
    assert asked("window", "8613900000005").last_incoming_at is None


@for_each(
    ("name", "args", "kwargs", "told"),
    [
        ("message_status", (["m", 1],), {}, "ids: each must be"),
        ("message_status", ("m",), {"until": "accepted"}, "until: must be one of sent, delivered, read"),
        ("message_status", ("m",), {"wait": 26}, "wait: must be a number from 0 to 25, 26 given"),
        ("incoming", (1,), {}, "after: must be the cursor"),
        ("incoming", (), {"limit": 1001}, "limit: must be a whole number from 1 to 1000, 1001 given"),
    ],
)
def test_the_error_of_an_invalid_parameter_names_it(asked, name, args, kwargs, told):
    with pytest.raises(InvalidParameterError, match=told):
        asked(name, *args, **kwargs)


def test_a_window_of_an_invalid_number_is_refused(asked):
    with pytest.raises(InvalidMessageError, match="phone: "):
        asked("window", "nobody")


def test_an_unknown_cursor_is_an_error(asked):
    with pytest.raises(ReceiverError, match="HTTP 400 after: must be the cursor"):
        asked("incoming", "x&limit=1")


@for_each(
    ("extra", "told"),
    [
        ({}, "extra.receiver_url: is missing.*start itnio-receiver"),
        (
            {"receiver_url": "http://127.0.0.1:1"},
            r"extra.receiver_token \(a read token of the receiver\): is m",
        ),
        ({"receiver_url": "//x", "receiver_token": READ_TOKEN}, "extra.receiver_url: must be an address"),
    ],
)
def test_the_error_of_a_connection_without_a_receiver_says_what_to_fill_in(connect, extra, told):
    connect(extra=extra)
    with pytest.raises(ConfigurationError, match=told):
        ItnioHook().message_status("m")


def test_the_error_of_a_wrong_token_names_the_field_and_not_the_token(connect, receiver, logged):
    connect(extra={"receiver_url": receiver.url, "receiver_token": "wrong-token-0123456789"})
    with pytest.raises(ConfigurationError, match="receiver_token: the receiver does not accept it") as raised:
        ItnioHook().message_status("m")
    assert "wrong-token-0123456789" not in f"{raised.value!r}{logged()}"


def test_the_log_never_contains_the_whole_number(asked, logged):
    asked("window", "8613900000077")
    assert "8613900000077" not in logged()


def test_an_unreachable_receiver_is_a_receiver_error(connect, closed_port):
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    for asking in (
        lambda: ItnioHook().message_status("m"),
        lambda: asyncio.run(ItnioHook().amessage_status("m")),
    ):
        with pytest.raises(ReceiverError, match="could not be asked for the status of messages"):
            asking()


def test_a_receiver_url_of_another_server_is_a_configuration_error(connect, sandbox):
    connect(extra={"receiver_url": sandbox.url, "receiver_token": READ_TOKEN})
    with pytest.raises(ConfigurationError, match="receiver_url: no itnio-receiver answers there"):
        ItnioHook().message_status("m")


def test_a_web_page_as_the_receivers_answer_is_a_receiver_error(connect):
    with Server(lambda _: answer(b"<html>Sign in</html>")) as portal:
        connect(extra={"receiver_url": portal.url, "receiver_token": READ_TOKEN})
        with pytest.raises(ReceiverError, match="HTTP 200 with something else"):
            ItnioHook().message_status("m")


def test_sending_ignores_an_invalid_receiver_url(connect, sandbox):
    connect(extra={"receiver_url": "nonsense"})
    assert ItnioHook().send("+86 147-1800-4557", text="hello").message_id


@for_each(("given", "wait", "timeout"), [(30, 0.0, 10.0), (2, 0.0, 2.0), (30, 25.0, 35.0)])
def test_a_receiver_request_times_out_10_seconds_after_its_wait_at_most(connect, given, wait, timeout):
    connect(extra={"receiver_url": "http://127.0.0.1:1", "receiver_token": READ_TOKEN, "timeout": given})
    hook = ItnioHook()
    assert hook.receiver_client_args(hook.account(), wait)[1].timeout == timeout
    for within in (1.0, 7.0, 1000.0):
        settings = hook.receiver_client_args(hook.account(), wait, within)[1]
        assert settings.timeout == min(timeout, within)
        assert settings.connect_timeout == min(5.0, within)


def test_a_receiver_that_never_answers_is_a_receiver_error(asked_silent):
    with pytest.raises(ReceiverError, match="could not be asked"):
        asked_silent("message_status", "m")


@pytest.fixture(params=["sync", "async"])
def asked_silent(request, connect):
    """Call the hook with a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        connect(extra={"receiver_url": url, "receiver_token": READ_TOKEN, "timeout": 0.5})
        hook = ItnioHook()
        if request.param == "sync":
            yield lambda name, *args: getattr(hook, name)(*args)
        else:
            yield lambda name, *args: asyncio.run(getattr(hook, f"a{name}")(*args))
