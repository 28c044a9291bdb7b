"""A broadcast with wait_for whose receiver is unreachable or got no push."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from airflow_provider_itnio.api.errors import NotDeliveredError
from airflow_provider_itnio.broadcast import status_watch
from tests.operators.test_broadcast_waiting import NEVER_PUSHED, SENT_ONLY, UNDELIVERABLE, waiting
from tests.receiver.running import READ_TOKEN, running_receiver, status_push
from tests.tables import for_each
from tests.task_runs import counts_of, fails_at_once, may_be_tried_again, numbers

pytestmark = pytest.mark.usefixtures("asked_often", "pushed_to_receiver")


@for_each("extra", [{"path": "/nothing"}, {"token": "another-token-0123456789"}])
def test_a_retry_keeps_waiting_although_a_proxy_answers_for_the_receiver(
    extra, store, sandbox, connect, receiver, caplog
):
    """A proxy does so while the receiver restarts. The messages are sent, so nothing may be lost."""
    run = waiting([SENT_ONLY], store, wait_timeout=1)
    may_be_tried_again(run, NotDeliveredError)
    given = {"receiver_url": receiver.url + extra.get("path", ""), "receiver_token": extra.get("token")}
    connect(extra=receiver.extra | {name: value for name, value in given.items() if value})
    error = may_be_tried_again(run, NotDeliveredError)
    assert "1 recipient: 1 accepted in previous tries, 1 not delivered" in str(error)
    assert "The task waits for the messages of a previous try anyway" in caplog.text
    connect(extra=receiver.extra)
    receiver.push(status_push(sandbox.messages[0].id, "delivered"))
    assert counts_of(run.once()) == {"accepted_earlier": 1, "delivered": 1}
    assert len(sandbox.messages) == 1


def test_a_retry_of_failed_messages_does_not_report_missing_pushes(store):
    """A retry knows from the record that all have failed."""
    run = waiting([UNDELIVERABLE], store)
    for _ in range(2):
        assert "got no push" not in str(fails_at_once(run, NotDeliveredError))


def test_one_missing_answer_at_the_end_of_the_wait_makes_no_message_late(
    store, sandbox, receiver, monkeypatch
):
    """The receiver restarts just when the wait ends, and gets the pushes in the meantime."""
    is_end, real, ask = [], status_watch.status_request, status_watch.StatusWatch._request_all

    def request(*given):
        made = real(*given)
        if is_end == [True]:
            is_end.append(True)
            return dataclasses.replace(made, path="v1/nothing")
        return made

    async def with_end(self, *, delay, expired=()):
        if expired and not is_end:
            is_end.append(True)
            for message in sandbox.messages:
                receiver.push(status_push(message.id, "delivered"))
        await ask(self, delay=delay, expired=expired)

    monkeypatch.setattr(status_watch, "status_request", request)
    monkeypatch.setattr(status_watch.StatusWatch, "_request_all", with_end)
    assert counts_of(waiting([SENT_ONLY, NEVER_PUSHED], store, wait_timeout=1).once())["delivered"] == 2
    assert len(is_end) == 2


def test_a_receiver_without_any_push_is_reported(store, sandbox, receiver):
    sandbox.push_to(None)
    run = waiting(numbers(3), store, wait_timeout=1)
    error = may_be_tried_again(run, NotDeliveredError)
    assert "3 not delivered" in str(error)
    assert "The receiver got no push about any message: Itniotech does not push to it" in str(error)


def test_statuses_from_a_receiver_unreachable_for_half_of_the_wait_are_found(
    store, sandbox, connect, tmp_path
):
    database = f"sqlite:///{tmp_path}/receipts.db"
    with running_receiver(database, tmp_path) as first:
        connect(extra=first.extra)
    sandbox.push_to(None)
    has_ended = threading.Event()

    def come_back():
        """Start the receiver again after all messages were sent, and push their statuses to it."""
        messages = sandbox.wait_for(6, timeout=60)
        with running_receiver(database, tmp_path, port=first.port) as again:
            for message in messages:
                again.push(status_push(message.id, "delivered"))
            has_ended.wait(60)

    coming = threading.Thread(target=come_back)
    coming.start()
    try:
        summary = waiting([*numbers(5), NEVER_PUSHED], store).once()
    finally:
        has_ended.set()
        coming.join()
    assert counts_of(summary) == {"accepted": 6, "delivered": 6}


def test_messages_are_sent_and_not_delivered_if_the_receiver_is_unreachable(
    store, sandbox, connect, closed_port, caplog
):
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    run = waiting(numbers(2), store, wait_timeout=1)
    error = may_be_tried_again(run, NotDeliveredError)
    assert "not delivered within 0:00:01: The receiver could not be asked for the status of messages" in str(
        error
    )
    assert "got no push" not in str(error)
    assert "sent anyway, and the task waits for it afterwards" in caplog.text
    assert caplog.text.count("Still waiting") == 1


@for_each(
    ("extra", "told"),
    [
        ({"receiver_url": None}, "receiver_url: is missing"),
        ({"receiver_token": "another-token-0123456789"}, "receiver_token: the receiver does not accept it"),
    ],
)
@for_each("recipients", [[], ["8613900000000"]])
def test_with_a_missing_or_wrong_receiver_setting_nothing_is_sent(
    recipients, extra, told, sandbox, connect, receiver
):
    connect(extra=receiver.extra | extra)
    assert told in str(fails_at_once(waiting(recipients)))
    assert not sandbox.requests
