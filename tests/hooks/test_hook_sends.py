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
    UnknownOutcomeError,
)
from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import reply_buttons
from tests.hooks.conftest import NUMBER, sent_by
from tests.tables import for_each


@pytest.mark.usefixtures("connection", "quick_tries")
class TestBothWays:
    def test_a_message_is_sent_and_its_receipt_returned(self, way, sandbox):
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

    def test_the_hooks_app_id_and_business_phone_override_the_connections(self, way, sandbox):
        with pytest.raises(AccountError, match="status -10"):
            sent_by(way, ItnioHook(app_id="OtherApp"), NUMBER, text="x")
        sent_by(
            way, ItnioHook(app_id=f" {sandbox.app_id} ", business_phone="+91 856-321-321"), NUMBER, text="x"
        )
        assert sandbox.requests[0].body["appId"] == "OtherApp"
        assert sandbox.messages[0].body["businessPhone"] == "91856321321"

    @for_each(
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
    def test_an_invalid_message_is_refused_before_any_request(
        self, way, recipient, kwargs, sentence, sandbox
    ):
        with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
            sent_by(way, ItnioHook(), recipient, **kwargs)
        assert sandbox.requests == []

    def test_a_business_phone_of_the_task_is_checked_before_anything_is_sent(self, way, sandbox):
        with pytest.raises(InvalidMessageError, match="business_phone: 7 to 14 digits, 2 given"):
            sent_by(way, ItnioHook(business_phone=12), NUMBER, text="x")
        assert sandbox.requests == []

    def test_a_text_over_the_limit_is_truncated_with_if_too_long_truncate(self, way, sandbox):
        sent_by(way, ItnioHook(), NUMBER, text="x" * 5000, if_too_long="truncate")
        assert sandbox.messages[0].text == "x" * 4095 + "…"

    def test_a_message_that_was_not_sent_is_tried_again(self, way, sandbox):
        sandbox.fail_next(http_status=503, headers={"Retry-After": "0"})
        sent_by(way, ItnioHook(), NUMBER, text="x")
        assert [request.http_status for request in sandbox.requests] == [503, 200]

    def test_a_message_is_tried_at_most_max_attempts_times(self, way, sandbox):
        sandbox.fail_next(9, http_status=503, headers={"Retry-After": "0"})
        with pytest.raises(NotSentError, match="HTTP 503"):
            sent_by(way, ItnioHook(max_attempts=2), NUMBER, text="x")
        assert len(sandbox.requests) == 2

    def test_a_retry_after_over_max_retry_after_fails_at_once(self, way, sandbox):
        sandbox.fail_next(http_status=429, headers={"Retry-After": "6"})
        with pytest.raises(NotSentError, match="asks to wait 6 s"):
            sent_by(way, ItnioHook(max_retry_after=5), NUMBER, text="x")
        assert len(sandbox.requests) == 1

    def test_the_hooks_timeout_overrides_the_connections(self, way, sandbox):
        sandbox.fail_next(delay=0.5)
        with pytest.raises(UnknownOutcomeError):
            sent_by(way, ItnioHook(timeout=0.1), NUMBER, text="x")
        assert len(sandbox.wait_for(1)) == 1

    def test_at_most_once_an_ambiguous_status_is_an_unknown_outcome(self, way, sandbox):
        sandbox.fail_next(status=-18)
        with pytest.raises(UnknownOutcomeError):
            sent_by(way, ItnioHook(), NUMBER, text="x", delivery="at_most_once")
        assert len(sandbox.requests) == 1

    def test_the_log_line_of_an_accepted_message_masks_the_number(self, way, logged):
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


@for_each(("missing", "label"), [("app_id", "App id"), ("business_phone", "Business phone")])
def test_the_error_names_a_sender_field_missing_in_connection_and_task(way, missing, label, connect, sandbox):
    connect(extra={missing: None})
    with pytest.raises(ConfigurationError) as caught:
        sent_by(way, ItnioHook(), NUMBER, text="x")
    assert str(caught.value) == (
        f"Connection 'itnio_default', extra.{missing}: is missing, and the task has no {missing}. Fill in "
        f"{label} in the connection ({missing} in its extra), or set {missing}=… in the task or notifier"
    )
    assert get_provider_info()["connection-types"][0]["conn-fields"][missing]["label"] == label
    assert sandbox.requests == []


@for_each("missing", ["app_id", "business_phone"])
def test_a_sender_field_missing_in_the_connection_can_be_given_to_the_hook(way, missing, connect, sandbox):
    connect(extra={missing: None})
    sent_by(way, ItnioHook(**{missing: getattr(sandbox, missing)}), NUMBER, text="x")
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("connection")
def test_many_messages_can_be_sent_concurrently_in_one_event_loop(sandbox):
    async def several():
        hook = ItnioHook()
        return await asyncio.gather(*(hook.asend(f"+86 100-0000-000{n}", text=str(n)) for n in range(8)))

    receipts = asyncio.run(several())
    assert [receipt.recipient for receipt in receipts] == [f"861000000000{n}" for n in range(8)]
    assert sorted(message.text for message in sandbox.messages) == [str(n) for n in range(8)]


@pytest.fixture
def supervisor(monkeypatch):
    """The worker's supervisor: Airflow's socket protocol, answered after 0.02 s."""
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
        except (EOFError, BrokenPipeError):  # the test has ended
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
def test_an_async_task_can_send_while_it_talks_to_its_supervisor(supervisor, sandbox):
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


def test_a_second_hook_uses_the_first_ones_client_and_tcp_connection(forwarder, connect, monkeypatch):
    # The sandbox would refuse a Host header with the forwarder's port.
    monkeypatch.setattr("airflow_provider_itnio.sandbox.security.Security.refusal", lambda self, headers: b"")
    connect(host=f"http://127.0.0.1:{forwarder.port}")
    first, second = ItnioHook(), ItnioHook("itnio_default")
    assert first.get_conn() is second.get_conn()
    for hook in (first, second, ItnioHook(app_id="DGziZf5u")):
        hook.send(NUMBER, text="x")
    assert forwarder.connections == 1


@for_each("other", [{"password": "0therSecret"}, {"login": "0therKey"}, {"extra": {"timeout": 7}}])
def test_another_account_or_timeout_uses_another_client(other, connect):
    connect()
    connect("itnio_other", **other)
    assert ItnioHook().get_conn() is not ItnioHook("itnio_other").get_conn()


@pytest.mark.usefixtures("connection")
def test_the_balance_can_be_read(sandbox):
    balance = ItnioHook().get_balance()
    assert str(balance.balance) == "1000.00"
    assert [request.path for request in sandbox.requests] == ["/sms/getBalance"]
    assert sandbox.messages == []
