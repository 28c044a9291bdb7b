from __future__ import annotations

import asyncio
import socket
import threading

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_itnio.api.errors import (
    AccountError,
    ConfigurationError,
    InvalidMessageError,
    InvalidParameterError,
    NotSentError,
    PlatformError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import reply_buttons

NUMBER = "+86 147-1800-4557"


def sent_by(way, hook, *args, **kwargs):
    return hook.send(*args, **kwargs) if way == "send" else asyncio.run(hook.asend(*args, **kwargs))


@pytest.fixture(params=["send", "asend"])
def way(request):
    return request.param


@pytest.mark.usefixtures("connection")
class TestBothWays:
    def test_a_message_arrives_and_its_receipt_says_which(self, way, sandbox):
        receipt = sent_by(way, ItnioHook(), NUMBER, text="42 rows", reply_to="wamid.1")
        (message,) = sandbox.messages
        assert message.body == {
            "appId": sandbox.app_id,
            "businessPhone": sandbox.business_phone,
            "recipient": "8614718004557",
            "channelType": 0,
            "type": "text",
            "text": {"body": "42 rows"},
            "context": {"refMessageId": "wamid.1"},
        }
        assert (receipt.message_id, receipt.recipient, receipt.type) == (message.id, "8614718004557", "text")
        assert receipt.timestamp.int_timestamp == int(message.at.timestamp())

    def test_a_message_given_as_one_dict_is_the_same_message(self, way, sandbox):
        menu = reply_buttons("Again?", {"y": "Yes"})
        sent_by(way, ItnioHook(), NUMBER, interactive=menu)
        sent_by(way, ItnioHook(), NUMBER, message={"type": "interactive", "interactive": menu})
        first, second = sandbox.messages
        assert first.body == second.body

    def test_the_hooks_own_app_and_number_go_before_the_connections(self, way, sandbox):
        with pytest.raises(AccountError, match="status -10"):
            sent_by(way, ItnioHook(app_id="OtherApp"), NUMBER, text="x")
        sent_by(
            way, ItnioHook(app_id=f" {sandbox.app_id} ", business_phone="+91 856-321-321"), NUMBER, text="x"
        )
        assert sandbox.requests[0].body["appId"] == "OtherApp"
        assert sandbox.messages[0].body["businessPhone"] == "91856321321"

    @pytest.mark.parametrize(
        ("recipient", "kwargs", "sentence"),
        [
            ("12", {"text": "x"}, "recipient: 7 to 14 digits"),
            ([NUMBER], {"text": "x"}, "recipient: one phone number, a list"),
            (NUMBER, {}, "exactly one of"),
            (NUMBER, {"text": "x", "image": "https://example.com/a.png"}, "exactly one of"),
            (NUMBER, {"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
            (NUMBER, {"text": "x", "delivery": "twice"}, "delivery: must be one of"),
            (NUMBER, {"text": "x", "if_too_long": "chop"}, "if_too_long: must be one of"),
            (NUMBER, {"txt": "x"}, "txt: unknown field"),
        ],
    )
    def test_nothing_leaves_before_the_input_is_checked(self, way, recipient, kwargs, sentence, sandbox):
        with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
            sent_by(way, ItnioHook(), recipient, **kwargs)
        assert sandbox.requests == []

    def test_a_business_phone_of_the_task_is_checked_before_anything_is_sent(self, way, sandbox):
        with pytest.raises(InvalidMessageError, match="business_phone: 7 to 14 digits, 2 given"):
            sent_by(way, ItnioHook(business_phone=12), NUMBER, text="x")
        assert sandbox.requests == []

    def test_a_text_that_is_too_long_is_cut_on_demand(self, way, sandbox):
        sent_by(way, ItnioHook(), NUMBER, text="x" * 5000, if_too_long="truncate")
        assert sandbox.messages[0].text == "x" * 4095 + "…"

    def test_a_message_that_did_not_leave_is_tried_again(self, way, sandbox):
        sandbox.fail_next(http_status=503, headers={"Retry-After": "0"})
        sent_by(way, ItnioHook(), NUMBER, text="x")
        assert [request.http_status for request in sandbox.requests] == [503, 200]

    def test_only_so_often_as_the_hook_says(self, way, sandbox):
        sandbox.fail_next(9, http_status=503, headers={"Retry-After": "0"})
        with pytest.raises(NotSentError, match="HTTP 503"):
            sent_by(way, ItnioHook(max_attempts=2), NUMBER, text="x")
        assert len(sandbox.requests) == 2

    def test_a_retry_after_longer_than_the_hook_waits_ends_at_once(self, way, sandbox):
        sandbox.fail_next(http_status=429, headers={"Retry-After": "6"})
        with pytest.raises(NotSentError, match="asks to wait 6 s"):
            sent_by(way, ItnioHook(max_retry_after=5), NUMBER, text="x")
        assert len(sandbox.requests) == 1

    def test_the_hooks_own_timeout_goes_before_the_connections(self, way, sandbox):
        sandbox.fail_next(delay=0.5)
        with pytest.raises(UnknownOutcomeError):
            sent_by(way, ItnioHook(timeout=0.1), NUMBER, text="x")
        assert len(sandbox.wait_for(1)) == 1

    def test_at_most_once_makes_an_unproven_answer_unknown(self, way, sandbox):
        sandbox.fail_next(status=-18)
        with pytest.raises(UnknownOutcomeError):
            sent_by(way, ItnioHook(), NUMBER, text="x", delivery="at_most_once")
        assert len(sandbox.requests) == 1

    def test_the_log_says_what_was_accepted_without_the_whole_number(self, way, logged):
        receipt = sent_by(way, ItnioHook(), NUMBER, text="x")
        line = f"Itniotech accepted the text message to 86…57 as {receipt.message_id}"
        assert line in logged()
        assert "8614718004557" not in logged()


def test_a_hook_looks_its_connection_up_once(way, connect, monkeypatch, sandbox):
    connect("itnio_looked_up_once")
    hook = ItnioHook("itnio_looked_up_once")
    sent_by(way, hook, NUMBER, text="first")
    monkeypatch.delenv("AIRFLOW_CONN_ITNIO_LOOKED_UP_ONCE")
    sent_by(way, hook, NUMBER, text="second")
    assert [message.text for message in sandbox.messages] == ["first", "second"]


@pytest.mark.parametrize(("missing", "label"), [("app_id", "App id"), ("business_phone", "Business phone")])
def test_what_neither_connection_nor_task_gives_is_named(way, missing, label, connect, sandbox):
    connect(extra={missing: None})
    with pytest.raises(ConfigurationError) as caught:
        sent_by(way, ItnioHook(), NUMBER, text="x")
    assert str(caught.value) == (
        f"Connection 'itnio_default', extra.{missing}: is missing, and the task gives no {missing}. Fill in "
        f"{label} in the connection ({missing} in its extra), or give {missing}=… to the task or notifier"
    )
    assert get_provider_info()["connection-types"][0]["conn-fields"][missing]["label"] == label
    assert sandbox.requests == []


@pytest.mark.parametrize("missing", ["app_id", "business_phone"])
def test_what_the_connection_lacks_the_hook_can_give(way, missing, connect, sandbox):
    connect(extra={missing: None})
    sent_by(way, ItnioHook(**{missing: getattr(sandbox, missing)}), NUMBER, text="x")
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("connection")
def test_many_messages_leave_one_event_loop_at_once(sandbox):
    async def several():
        hook = ItnioHook()
        return await asyncio.gather(*(hook.asend(f"+86 100-0000-000{n}", text=str(n)) for n in range(8)))

    receipts = asyncio.run(several())
    assert [receipt.recipient for receipt in receipts] == [f"861000000000{n}" for n in range(8)]
    assert sorted(message.text for message in sandbox.messages) == [str(n) for n in range(8)]


@pytest.fixture
def supervisor(monkeypatch):
    """What a task on a worker talks to: Airflow's own socket protocol, answered after a moment."""
    import msgspec
    from airflow.sdk.execution_time import comms, task_runner

    ours, theirs = socket.socketpair()
    frames = msgspec.msgpack.Decoder(comms._RequestFrame)
    asked = []

    def exactly(size):
        got = b""
        while len(got) < size:
            part = theirs.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def answer():
        try:
            while True:
                frame = frames.decode(exactly(int.from_bytes(exactly(4), "big")))
                asked.append(frame.body)
                threading.Event().wait(0.02)
                theirs.sendall(comms._ResponseFrame(id=frame.id).as_bytes())
        except EOFError:
            pass

    thread = threading.Thread(target=answer)
    thread.start()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms.CommsDecoder(socket=ours), raising=False)
    yield asked
    ours.close()
    thread.join()
    theirs.close()


@pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="Airflow's tasks may await their supervisor from 3.3 on")
@pytest.mark.usefixtures("connection")
def test_many_messages_leave_an_async_task_while_it_talks_to_its_supervisor(supervisor, sandbox):
    from airflow.sdk.log import amask_secret

    async def keep_talking():
        while True:
            await amask_secret("chatter of the task's own")

    async def several():
        talk = asyncio.create_task(keep_talking())
        hook = ItnioHook()
        sends = [hook.asend(f"+86 100-0000-000{n}", text=str(n)) for n in range(4)]
        try:
            return await asyncio.gather(*sends)
        finally:
            talk.cancel()
            await asyncio.wait([talk])

    receipts = asyncio.run(asyncio.wait_for(several(), 20))
    assert len(receipts) == len(sandbox.messages) == 4
    assert sandbox.api_key in [request.get("value") for request in supervisor]


class Forwarder:
    """Passes TCP connections on, and counts them."""

    def __init__(self, port):
        self.connections = 0
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._to))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source, sink):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listening.close()


@pytest.fixture
def forwarder(sandbox):
    forwarder = Forwarder(sandbox.port)
    yield forwarder
    forwarder.close()


def test_a_second_hook_uses_the_first_ones_client_and_tcp_connection(forwarder, connect, monkeypatch):
    # The sandbox would refuse a Host header that names the forwarder's port.
    monkeypatch.setattr("airflow_provider_itnio.sandbox.security.Security.refusal", lambda self, headers: b"")
    connect(host=f"http://127.0.0.1:{forwarder.port}")
    first, second = ItnioHook(), ItnioHook("itnio_default")
    assert first.get_conn() is second.get_conn()
    for hook in (first, second, ItnioHook(app_id="DGziZf5u")):
        hook.send(NUMBER, text="x")
    assert forwarder.connections == 1


@pytest.mark.parametrize(
    "other", [{"password": "0therSecret"}, {"login": "0therKey"}, {"extra": {"timeout": 7}}]
)
def test_another_account_or_patience_is_another_client(other, connect):
    connect()
    connect("itnio_other", **other)
    assert ItnioHook().get_conn() is not ItnioHook("itnio_other").get_conn()


@pytest.mark.usefixtures("connection")
def test_the_balance_can_be_asked_for(sandbox):
    balance = ItnioHook().get_balance()
    assert str(balance.balance) == "1000.00"
    assert [request.path for request in sandbox.requests] == ["/sms/getBalance"]
    assert sandbox.messages == []


# --- a message that is checked first and sent later -------------------------------------------------------


@pytest.mark.usefixtures("connection")
def test_preparing_checks_a_message_and_sends_nothing(sandbox):
    prepared = ItnioHook().prepare(NUMBER, text="42 rows", reply_to="wamid.1")
    assert sandbox.requests == []
    assert (prepared.recipient, prepared.message.type) == ("8614718004557", "text")
    assert (prepared.app_id, prepared.business_phone) == (sandbox.app_id, sandbox.business_phone)
    receipt = ItnioHook().send_prepared(prepared)
    (message,) = sandbox.messages
    assert receipt.message_id == message.id
    assert message.body["context"] == {"refMessageId": "wamid.1"}


@pytest.mark.parametrize(
    ("recipient", "fields", "sentence"),
    [
        ("12", {"text": "x"}, "recipient: 7 to 14 digits"),
        (NUMBER, {}, "exactly one of"),
        (NUMBER, {"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
        (NUMBER, {"text": "x", "if_too_long": "chop"}, "if_too_long: must be one of"),
    ],
)
@pytest.mark.usefixtures("connection")
def test_a_message_that_breaks_a_rule_can_not_be_prepared(recipient, fields, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
        ItnioHook().prepare(recipient, **fields)


@pytest.mark.parametrize("missing", ["app_id", "business_phone"])
def test_preparing_needs_a_sender(missing, connect):
    connect(extra={missing: None})
    with pytest.raises(ConfigurationError, match=rf"extra\.{missing}: is missing"):
        ItnioHook().prepare(NUMBER, text="x")
    with pytest.raises(ConfigurationError, match=rf"extra\.{missing}: is missing"):
        ItnioHook().sender()


@pytest.mark.usefixtures("connection")
def test_where_messages_come_from_is_the_connections_or_the_hooks(sandbox):
    assert ItnioHook().sender() == (sandbox.app_id, sandbox.business_phone)
    hook = ItnioHook(app_id=" OtherApp ", business_phone="+91 856-321-322")
    assert hook.sender() == ("OtherApp", "91856321322")


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.usefixtures("connection")
def test_a_prepared_message_is_sent_with_its_delivery(delivery, sandbox):
    sandbox.fail_next(status=-18)
    hook = ItnioHook()
    error = UnknownOutcomeError if delivery == "at_most_once" else PlatformError
    with pytest.raises(error):
        hook.send_prepared(hook.prepare(NUMBER, text="x"), delivery)
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("connection")
def test_who_sends_what_was_prepared_logs_it_once_it_is_on_record(logged):
    hook = ItnioHook()
    receipt = hook.send_prepared(hook.prepare(NUMBER, text="x"))
    assert "Itniotech accepted" not in logged()
    hook.log_accepted(receipt)
    assert f"Itniotech accepted the text message to 86…57 as {receipt.message_id}" in logged()
    assert "8614718004557" not in logged()


# --- many messages through one client ---------------------------------------------------------------------


class BrokenLog:
    """A log none of whose lines can be written."""

    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

        return fail


@pytest.mark.usefixtures("connection")
def test_a_line_that_can_not_be_written_does_not_undo_an_acceptance(way, sandbox, monkeypatch):
    monkeypatch.setattr(ItnioHook, "log", BrokenLog())
    receipt = sent_by(way, ItnioHook(), NUMBER, text="x")
    assert receipt.message_id == sandbox.messages[0].id


def test_what_is_sent_in_a_hooks_block_goes_through_one_client(forwarder, connect, sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.sandbox.security.Security.refusal", lambda self, headers: b"")
    connect(host=f"http://127.0.0.1:{forwarder.port}")

    async def several():
        async with ItnioHook() as hook:
            for n in range(4):
                await hook.asend(f"+86 100-0000-000{n}", text=str(n))
        await hook.asend(NUMBER, text="after")

    asyncio.run(several())
    assert forwarder.connections == 2
    assert len(sandbox.messages) == 5


def test_a_block_of_a_hook_that_is_misconfigured_is_not_entered(connect, sandbox):
    connect(extra={"timeout": "soon"})

    async def several():
        async with ItnioHook() as hook:
            await hook.asend(NUMBER, text="x")

    with pytest.raises(ConfigurationError, match=r"extra\.timeout"):
        asyncio.run(several())
    assert sandbox.requests == []


@pytest.mark.usefixtures("connection")
def test_neither_hook_nor_what_it_makes_shows_a_number():
    hook = ItnioHook(business_phone="91856321321")
    prepared = hook.prepare(NUMBER, text="x")
    shown = f"{prepared} {prepared!r} {hook.account()} {hook.account()!r}"
    assert "8614718004557" not in shown
    assert "91856321321" not in shown
