"""A broadcast with wait_for: the sandbox pushes to a running receiver."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_itnio.api.errors import InvalidParameterError, NotDeliveredError
from airflow_provider_itnio.broadcast import engine, status_watch
from airflow_provider_itnio.operators._broadcast_run import BroadcastRun
from tests.operators.time_limits import limit_set
from tests.operators.ways import OF_MANY
from tests.receiver.running import status_push
from tests.tables import for_each
from tests.task_runs import (
    TaskRun,
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
    times_sent,
)

UNDELIVERABLE, SENT_ONLY, DELIVERED_ONLY, NEVER_PUSHED = (
    *("99960000026", "99970000001"),
    *("99970000002", "99970000003"),
)

pytestmark = pytest.mark.usefixtures("asked_often", "pushed_to_receiver")


@pytest.fixture
def people(sandbox):
    found = numbers(5)
    for number in found:
        sandbox.window_open(number)
    return found


def waiting(recipients, store=None, **fields):
    return broadcast_run(recipients, store=store, **{"wait_for": "delivered", "wait_timeout": 600, **fields})


@pytest.fixture
def pushed_in_time(sandbox, receiver, monkeypatch):
    """Start the wait only after the receiver knows of the messages, for a busy machine."""
    begin = status_watch.StatusWatch.start_timeout

    def begin_late(watch):
        sent = [one for one in sandbox.messages if one.recipient not in (SENT_ONLY, NEVER_PUSHED)]
        some = [one for one in sandbox.messages if one.recipient == SENT_ONLY]
        while {"none", "sent"} & statuses_of(sent) or "none" in statuses_of(some):
            time.sleep(0.02)
        begin(watch)

    def statuses_of(messages):
        answer = receiver.get("/v1/messages", {"ids": [one.id for one in messages]})
        return {one["status"] for one in answer["messages"]}

    monkeypatch.setattr(status_watch.StatusWatch, "start_timeout", begin_late)


def in_words(summary):
    return {one["position"]: (one["code"], one["reason"]) for one in summary["failures"]}


@for_each("make", OF_MANY.values())
@for_each("word", ["sent", "delivered", "read"])
def test_a_task_with_wait_for_succeeds_once_all_messages_reach_the_status(make, word, sandbox, people):
    def made():
        task = make(wait_for=word, keep_receipts=True)
        task.recipients = people
        return task

    summary = TaskRun(made).once()
    reached = {"sent": ("sent", "delivered", "read"), "delivered": ("delivered", "read"), "read": ("read",)}
    assert sum(summary[name] for name in reached[word]) == counts_of(summary)["accepted"] == 5
    assert {one["status"] for one in summary["receipts"]} <= {*reached[word]}
    assert all(one["status_at"] for one in summary["receipts"])


def test_without_wait_for_the_summary_has_no_statuses_and_no_receiver_is_needed(sandbox, connect):
    connect(extra={"receiver_url": "nonsense"})
    assert not {"delivered", "waiting", "fallbacks"} & {*broadcast_run(numbers(2)).once()}


@pytest.mark.usefixtures("pushed_in_time")
def test_failed_and_late_messages_are_listed_with_their_reason(store, sandbox, receiver, people):
    run = waiting([*people, UNDELIVERABLE, SENT_ONLY, NEVER_PUSHED], store, wait_timeout=1)
    error = may_be_tried_again(run, NotDeliveredError)
    assert counts_of(run.summary) | {"delivered": 0, "read": 0} == {
        **{"accepted": 8, "not_delivered": 3},
        **{"delivered": 0, "read": 0},
    }
    told = in_words(run.summary)
    assert told[5][0] == 131026
    assert told[5][1].startswith("131026, the message can't be delivered: check that the number has WhatsApp")
    assert told[6] == (None, "not delivered within 0:00:01: its last status is sent")
    assert told[7] == (None, "not delivered within 0:00:01: its last status is none")
    assert {one["outcome"] for one in run.summary["failures"]} == {"not_delivered"}
    assert "3 not delivered" in str(error)
    assert "131026" in str(error)
    assert "got no push about any" not in str(error)
    # A retry waits for the late messages again, sends nothing, and reports the failed one again.
    late = sandbox.sent_to(SENT_ONLY)[0], sandbox.sent_to(NEVER_PUSHED)[0]
    for message in late:
        receiver.push(status_push(message.id, "read"))
    failed = fails_at_once(run, NotDeliveredError)
    assert "131026" in str(failed)
    assert counts_of(run.summary)["accepted_earlier"] == 8
    assert run.summary["not_delivered"] == 1
    assert in_words(run.summary)[5][1].startswith("failed in a previous try of this task: 131026, the mess")
    assert set(times_sent(sandbox).values()) == {1}
    run.clear()  # sends only to the failed recipient
    fails_at_once(run, NotDeliveredError)
    assert times_sent(sandbox)[UNDELIVERABLE] == 2
    assert len(sandbox.messages) == 9


def test_a_message_that_failed_stays_a_failure_after_wait_for_is_removed(store, sandbox, people):
    run = waiting([*people, UNDELIVERABLE], store)
    fails_at_once(run, NotDeliveredError)
    task = broadcast_run([*people, UNDELIVERABLE], store=store, keep_receipts=True).make
    run.make = task
    error = fails_at_once(run)
    assert "accepted in a previous try of this task, then failed: 131026, the message can't" in str(error)
    assert counts_of(run.summary) == {"accepted_earlier": 5, "refused": 1}
    assert len(run.summary["receipts"]) == 5
    assert len(sandbox.messages) == 6
    run.clear()
    assert counts_of(run.once()) == {"accepted_earlier": 5, "accepted": 1}


def test_a_long_wait_does_not_fill_the_log(people, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(engine, "_PROGRESS_INTERVAL", 0.05)
    may_be_tried_again(waiting([SENT_ONLY], TaskStateStore(), wait_timeout=1), NotDeliveredError)
    lines = [one for one in caplog.text.splitlines() if "messages/s" in one]
    assert sum("1 waited for" in one for one in lines) <= 1


def test_a_task_cleared_after_its_wait_succeeded_sends_to_all_recipients_again(store, sandbox, people):
    run = waiting(people, store)
    run.once()
    run.clear()
    assert counts_of(run.once())["accepted"] == 5
    assert len(sandbox.messages) == 10


@for_each("fails", [True, False])
def test_if_some_fail_applies_to_undelivered_messages(fails, sandbox, people):
    """if_some_fail applies to undelivered messages as to refused ones."""
    run = waiting([*([] if fails else people), UNDELIVERABLE], if_some_fail="warn")
    if fails:  # no message arrived
        fails_at_once(run, NotDeliveredError)
    else:
        assert counts_of(run.once())["not_delivered"] == 1


def test_without_a_record_a_late_message_leaves_no_retries(sandbox, people):
    error = fails_at_once(waiting([*people, SENT_ONLY], wait_timeout=1))
    assert "without a delivery record, a retry would message people again" in str(error)


@for_each(
    "recipients",
    [[], ["99910000114"], ["12"], ["99910000114", "12"]],
)
def test_without_acceptances_there_is_no_wait(recipients, sandbox):
    run = waiting(recipients)
    if recipients:
        fails_at_once(run)
        assert run.summary["waiting"] == run.summary["delivered"] == 0
    else:
        assert counts_of(run.once()) == {}


def test_a_message_with_the_statuses_failed_and_read_counts_as_read(sandbox, receiver):
    sandbox.fail_next(1, delay=0.001)
    run = waiting([NEVER_PUSHED])
    with pushing(sandbox, receiver, "failed", "read"):
        assert counts_of(run.once()) == {"accepted": 1, "read": 1}


class pushing:  # noqa: N801 - used as a function
    """Push statuses of the first message as soon as it is sent, before the receiver is called again."""

    def __init__(self, sandbox, receiver, *statuses):
        self.thread = threading.Thread(target=self.run, args=(sandbox, receiver, statuses))

    def run(self, sandbox, receiver, statuses):
        (message,) = sandbox.wait_for(1, timeout=60)
        for status in reversed(statuses):
            receiver.push(status_push(message.id, status, failure="131026"))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.thread.join()


def test_each_of_several_messages_to_one_number_is_waited_for(store, sandbox, people):
    entries = [{"phone": people[0], "n": n} for n in range(3)] + [{"phone": UNDELIVERABLE, "n": 0}] * 2
    run = waiting(entries, store, text="{{ recipient.n }}")
    fails_at_once(run, NotDeliveredError)
    counts = counts_of(run.summary)
    assert (counts["accepted"], counts["not_delivered"], counts["duplicates"]) == (4, 1, 1)


@for_each(
    ("wrong", "told"),
    [
        ({"wait_for": "arrived"}, "wait_for: must be one of accepted, sent, delivered, read"),
        ({"wait_for": None}, "wait_for: must be"),
        ({"wait_timeout": 0}, "wait_timeout: must be a number from 1 to 604800"),
        ({"wait_for": "accepted", "wait_timeout": 60}, 'wait_timeout: needs wait_for="sent", "delivered" or'),
        ({"wait_for": "accepted", "wait_timeout": "soon"}, "wait_timeout: must be"),
    ],
)
@for_each("make", OF_MANY.values())
def test_an_invalid_wait_parameter_is_an_import_error(make, wrong, told):
    with pytest.raises(InvalidParameterError, match=told):
        make(**{"wait_for": "read", **wrong})


@pytest.fixture
def once_it_waits(monkeypatch):
    """Call a function after a broadcast has sent all messages and waits."""
    real = BroadcastRun._run

    def patch(happens):
        async def with_it(broadcast_run):
            async def look():
                watch, report = broadcast_run.broadcast.watch, broadcast_run.broadcast.report
                while not len(watch) or report.not_attempted:
                    await asyncio.sleep(0.01)
                happens()

            looking = asyncio.create_task(look())
            await real(broadcast_run)
            await looking

        monkeypatch.setattr(BroadcastRun, "_run", with_it)

    yield patch
    monkeypatch.setattr(BroadcastRun, "_run", real)


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_on_kill_during_the_wait_leaves_the_retries_which_wait_again(delivery, store, sandbox, once_it_waits):
    run = waiting([SENT_ONLY, NEVER_PUSHED], store, delivery=delivery)
    once_it_waits(lambda: run.operator.on_kill())  # noqa: PLW0108 - the operator of the running try
    error = may_be_tried_again(run, NotDeliveredError)
    assert "stopped: the task was ended from outside. 2 recipients: 2 accepted, 2 waited for" in str(error)
    assert counts_of(run.summary) == {"accepted": 2, "waiting": 2}
    once_it_waits(lambda: [sandbox.push(message, "delivered") for message in sandbox.messages])
    assert counts_of(run.once()) == {"accepted_earlier": 2, "delivered": 2}
    assert len(sandbox.messages) == 2


def test_execution_timeout_during_the_wait_leaves_the_retries(store, sandbox, once_it_waits):
    run = waiting([SENT_ONLY, NEVER_PUSHED], store)
    with limit_set() as time_is_over:
        once_it_waits(time_is_over)
        error = may_be_tried_again(run, AirflowTaskTimeout)
    assert "execution_timeout is over. 2 recipients: 2 accepted, 2 waited for" in str(error)
    assert counts_of(run.summary) == {"accepted": 2, "waiting": 2}


class Terminated(BaseException):
    """Like the exception Airflow 2 raises at any line of a task that is ended."""


def test_a_signal_handlers_exception_during_the_wait_keeps_the_record(store, sandbox, once_it_waits):
    def raising(*_):
        raise Terminated

    run = waiting([SENT_ONLY], store)
    before = signal.signal(signal.SIGUSR1, raising)
    try:
        # From a thread, so that it interrupts the event loop and not this function.
        once_it_waits(threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start)
        with pytest.raises(Terminated):
            run.once()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert counts_of(run.summary) == {"accepted": 1, "waiting": 1}
    once_it_waits(lambda: [sandbox.push(message, "delivered") for message in sandbox.messages])
    assert counts_of(run.once()) == {"accepted_earlier": 1, "delivered": 1}
    assert len(sandbox.messages) == 1


def test_statuses_are_requested_in_groups_and_not_too_often(store, sandbox, people, monkeypatch):
    asked = []
    real = status_watch.status_request
    monkeypatch.setattr(
        status_watch, "status_request", lambda ids, *rest: asked.append(len(ids)) or real(ids, *rest)
    )
    monkeypatch.setattr(status_watch, "MAX_IDS", 2)
    run = waiting([*people, SENT_ONLY, NEVER_PUSHED], store, wait_timeout=1)
    may_be_tried_again(run, NotDeliveredError)
    assert max(asked) == 2
    assert len(asked) < 6 * 4  # rounds of 0.2 s within 1 s, with at most four requests each


def test_a_wait_adds_no_entries_to_the_record(store, sandbox, people):
    waiting(people, store).once()
    plain = TaskStateStore()
    broadcast_run(people, store=plain).once()
    assert [len(json.loads(text)) for text in store.kept.values()] == [
        len(json.loads(text)) for text in plain.kept.values()
    ]


def test_modules_for_waits_and_files_are_imported_only_when_needed(sandbox):
    program = """
import sys
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
WhatsAppSendOperator(task_id="of_a_file", recipient="8613900000001", document={"object": "s3://b/a.pdf"})
ItnioHook().prepare("8613900000001", text="x")
given = {"recipients": ["8613900000001"], "text": "x"}
WhatsAppBroadcastOperator(task_id="waits", wait_for="read", **given)
WhatsAppBroadcastOperator(task_id="tell", **given).execute({})
loaded = {name.removeprefix("airflow_provider_itnio.") for name in sys.modules}
waits = {"broadcast.status_watch", "broadcast.fallbacks", "api.receiver", "api.status_wait"}
print(loaded & {*waits, "object_files", "filetype", "s3fs"})
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "set()"
    assert len(sandbox.messages) == 1
