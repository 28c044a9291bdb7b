"""A broadcast that is stopped early: by its ``execution_timeout``, or from outside."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from importlib.metadata import version

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, timeout

from airflow_provider_itnio.api.errors import ItnioError
from tests.operators.time_limits import Blocking, limit_set
from tests.tables import for_each
from tests.task_runs import (
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
    times_sent,
)

AIRFLOW_2 = version("apache-airflow").startswith("2.")
DELIVERIES = ["at_least_once", "at_most_once"]

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def impatient(monkeypatch):
    """Messages in flight get only a short time when a broadcast is stopped."""
    for name in ("_GRACE", "_KILL_GRACE"):
        monkeypatch.setattr(f"airflow_provider_itnio.operators._broadcast_run.{name}", 0.1)


# --- execution_timeout ----------------------------------------------------------------------------------


@pytest.fixture
def over_at(traffic):
    """Set an execution_timeout that is over when this many requests have arrived."""

    @contextmanager
    def limited(requests):
        with limit_set() as time_is_over:

            def arrived(number):
                if len(traffic.order) == requests:
                    time_is_over()

            traffic.on_arrival = arrived
            yield

    return limited


def test_execution_timeout_stops_a_broadcast_in_order_and_a_retry_continues(
    delivery, store, sandbox, over_at
):
    people = numbers(24)
    sandbox.fail_next(24, delay=0.05)
    run = broadcast_run(people, max_in_flight=2, delivery=delivery, store=store)
    with pytest.raises(AirflowTaskTimeout) as caught, over_at(5):
        run.once()
    counts = counts_of(run.summary)
    assert set(counts) == {"accepted", "not_attempted"}
    assert counts["accepted"] == len(sandbox.messages)
    assert (
        f"stopped: the task's execution_timeout is over. 24 recipients: {counts['accepted']} accepted"
        in str(caught.value)
    )
    sandbox.clear_faults()
    assert counts_of(run.once()) == {
        "accepted": counts["not_attempted"],
        "accepted_earlier": counts["accepted"],
    }
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_after_execution_timeout_answers_of_messages_in_flight_are_awaited(store, sandbox, over_at):
    """Nothing else is left to do, so the task succeeds."""
    sandbox.fail_next(delay=0.6)
    run = broadcast_run(numbers(1), store=store)
    with over_at(1):
        assert counts_of(run.once()) == {"accepted": 1}


@pytest.mark.usefixtures("impatient")
def test_messages_without_an_answer_in_that_time_are_unknown(delivery, store, sandbox, over_at):
    people = numbers(3)
    sandbox.fail_next(recipient=people[2], delay=30)
    run = broadcast_run(people, max_in_flight=1, delivery=delivery, store=store)
    error = AirflowTaskTimeout if delivery == "at_least_once" else AirflowFailException
    with pytest.raises(error, match="execution_timeout"), over_at(3):
        run.once()
    assert counts_of(run.summary) == {"accepted": 2, "unknown": 1}
    assert run.summary["failures"][0]["reason"] == (
        "ended before an answer came: the task's execution_timeout is over"
    )
    if delivery == "at_least_once":
        assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 2}
    else:
        fails_at_once(run)
        assert len(sandbox.requests) == 3


def test_messages_that_wait_for_a_retry_of_the_client_are_not_sent(
    delivery, store, connect, sandbox, over_at
):
    connect(extra={"max_attempts": 4})
    people = numbers(3)
    sandbox.fail_next(recipient=people[0], http_status=429, headers={"Retry-After": "30"})
    sandbox.fail_next(recipient=people[2], delay=0.3)  # so that the first answer arrives before it
    run = broadcast_run(people, max_in_flight=3, delivery=delivery, store=store)
    with pytest.raises(AirflowTaskTimeout), over_at(3):
        run.once()
    assert counts_of(run.summary) == {"accepted": 2, "not_sent": 1}
    assert run.summary["failures"][0]["reason"].startswith("ended before it was sent: ")
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 2}


def test_messages_that_wait_for_the_rate_limit_are_not_attempted(delivery, store, sandbox, over_at):
    people = numbers(20)
    run = broadcast_run(people, messages_per_second=4, delivery=delivery, store=store)
    with pytest.raises(AirflowTaskTimeout), over_at(2):
        run.once()
    counts = counts_of(run.summary)
    assert set(counts) == {"accepted", "not_attempted"}
    again = broadcast_run(people, delivery=delivery, store=store)
    again.try_number = 1
    assert counts_of(again.once())["accepted"] == counts["not_attempted"]
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_messages_behind_another_to_the_same_number_are_not_attempted(delivery, store, sandbox, over_at):
    (number,) = numbers(1)
    entries = [{"phone": number, "n": n} for n in range(5)]
    sandbox.fail_next(5, delay=0.1)
    run = broadcast_run(entries, text="{{ recipient.n }}", delivery=delivery, store=store)
    with pytest.raises(AirflowTaskTimeout), over_at(2):
        run.once()
    assert counts_of(run.summary) == {"accepted": 2, "not_attempted": 3}
    sandbox.clear_faults()
    run.once()
    assert [message.text for message in sandbox.messages] == list("01234")


def test_without_a_record_execution_timeout_after_acceptances_fails_without_retries(sandbox, over_at):
    sandbox.fail_next(24, delay=0.05)
    run = broadcast_run(numbers(24), max_in_flight=2)
    with pytest.raises(AirflowFailException) as caught, over_at(5):
        run.once()
    assert "execution_timeout is over" in str(caught.value)
    assert "without a delivery record" in str(caught.value)
    assert set(counts_of(run.summary)) == {"accepted", "not_attempted"}


def test_without_a_record_execution_timeout_before_any_acceptance_leaves_retries(sandbox, over_at):
    sandbox.fail_next(2, http_status=429)
    run = broadcast_run(numbers(9), max_in_flight=1, messages_per_second=8)
    with pytest.raises(AirflowTaskTimeout), over_at(2):
        run.once()
    assert "accepted" not in counts_of(run.summary)


# --- calls that block after it --------------------------------------------------------------------------


@for_each("what", ["outcomes", "intended"])
def test_a_blocking_write_is_ended_and_a_retry_continues(what, delivery, store, sandbox):
    if what == "intended" and delivery == "at_least_once":
        pytest.skip("nothing is intended then")
    people = numbers(30)
    run = broadcast_run(people, max_in_flight=2, delivery=delivery, checkpoint_every=6, store=store)
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        store.before_write = lambda key, value: what in value and len(sandbox.messages) > 9 and block()
        with pytest.raises(AirflowTaskTimeout, match="execution_timeout is over"):
            run.once()
    assert block.was_ended
    counts = counts_of(run.summary)
    assert counts["accepted"] == len(sandbox.messages) < 30
    assert counts_of(run.once())["accepted_earlier"] == counts["accepted"]
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_a_blocking_call_in_a_template_is_ended_and_a_retry_continues(delivery, store, sandbox):
    people = numbers(12)
    context = {"look_up": lambda n: "x"}
    run = broadcast_run(
        people,
        text="{{ look_up(recipient.phone) }}",
        max_in_flight=2,
        delivery=delivery,
        store=store,
        context=context,
    )
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        context["look_up"] = lambda number: block() if number == people[8] else "x"
        with pytest.raises(AirflowTaskTimeout, match="execution_timeout is over"):
            run.once()
    assert block.was_ended
    assert not set(run.summary["failures"])
    assert 12 - run.summary["accepted"] == run.summary["not_attempted"] > 0
    run.once()
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_a_blocking_call_that_catches_every_exception_is_ended_too(store, sandbox):
    """Like Airflow's secrets backends: after an error the next one is tried."""

    def look_up():
        for _ in range(2):
            try:
                return block()
            except Exception:
                continue
        return "x"

    run = broadcast_run(
        numbers(3), text="{{ look_up() }} {{ recipient.phone }}", store=store, context={"look_up": look_up}
    )
    with limit_set() as time_is_over:
        block = Blocking(time_is_over, times=2)
        with pytest.raises(AirflowTaskTimeout):
            run.once()
    assert (block.was_ended, len(block.blocked)) == (True, 1)


@pytest.mark.usefixtures("quick_writes")
def test_a_store_that_always_blocks_fails_the_task_naming_unrecorded_messages(delivery, store, sandbox):
    people = numbers(20)
    run = broadcast_run(people, max_in_flight=1, delivery=delivery, checkpoint_every=6, store=store)
    with limit_set() as time_is_over:
        block = Blocking(time_is_over, times=99)
        store.before_write = lambda key, value: "outcomes" in value and block()
        error = fails_at_once(run)
    assert block.was_ended
    assert "messages were accepted but not recorded" in str(error)
    assert counts_of(run.summary)["accepted"] == len(sandbox.messages) < 20


def test_a_blocking_write_after_the_last_message_does_not_fail_the_task(store, sandbox):
    """All messages were accepted and are recorded, so the task must not fail."""
    run = broadcast_run(numbers(3), store=store)
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        store.before_write = lambda key, value: "outcomes" in value and block()
        assert counts_of(run.once()) == {"accepted": 3}
    assert block.was_ended
    assert counts_of(run.once()) == {"accepted_earlier": 3}


def test_a_blocking_push_of_the_summary_does_not_hide_the_failure(sandbox, store, monkeypatch):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(1), store=store)
    context = run.begin()
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        monkeypatch.setattr(run.ti, "xcom_push", lambda key, value: block())
        with pytest.raises(AirflowFailException, match="text is empty"):
            run.operator.execute(context)
    assert block.was_ended


def test_airflows_signal_handler_is_restored():
    run = broadcast_run([])
    with timeout(30):
        before = signal.getsignal(signal.SIGALRM)
        assert callable(before)
        run.once()
        assert signal.getsignal(signal.SIGALRM) == before


def test_airflows_signal_handler_is_restored_after_a_failure(store, sandbox):
    sandbox.fail_next(status=-1)
    run = broadcast_run(numbers(3), store=store)
    with timeout(30):
        before = signal.getsignal(signal.SIGALRM)
        with pytest.raises(ItnioError):
            run.once()
        assert signal.getsignal(signal.SIGALRM) == before


def test_a_task_without_execution_timeout_sets_no_signal_handler(sandbox):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    broadcast_run(numbers(2)).once()
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 executes no operator in another thread")
def test_a_broadcast_runs_in_a_thread_other_than_the_main_one(sandbox):
    done = []
    run = broadcast_run(numbers(3))
    with timeout(30):
        thread = threading.Thread(target=lambda: done.append(run.once()))
        thread.start()
        thread.join()
    assert counts_of(done[0]) == {"accepted": 3}


# --- from outside ---------------------------------------------------------------------------------------


@pytest.fixture
def ended_from_outside(traffic):
    """Send SIGTERM at a request; Airflow handles it by calling ``on_kill``."""
    before = signal.getsignal(signal.SIGTERM)

    def end(run, at_request):
        signal.signal(signal.SIGTERM, lambda *_: run.operator.on_kill())

        def arrived(number):
            if len(traffic.order) == at_request:
                os.kill(os.getpid(), signal.SIGTERM)

        traffic.on_arrival = arrived

    yield end
    signal.signal(signal.SIGTERM, before)


def test_sigterm_stops_a_broadcast_and_a_retry_continues(delivery, store, sandbox, ended_from_outside):
    people = numbers(40)
    sandbox.fail_next(40, delay=0.02)
    run = broadcast_run(people, max_in_flight=4, delivery=delivery, checkpoint_every=10, store=store)
    ended_from_outside(run, at_request=10)
    error = may_be_tried_again(run, ItnioError)
    assert "stopped: the task was ended from outside" in str(error)
    counts = counts_of(run.summary)
    assert set(counts) == {"accepted", "not_attempted"}
    assert 10 <= counts["accepted"] < 40
    assert counts["accepted"] == len(sandbox.messages)
    assert counts_of(run.once()) == {
        "accepted": counts["not_attempted"],
        "accepted_earlier": counts["accepted"],
    }
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


@pytest.mark.usefixtures("impatient")
def test_sigterm_waits_only_a_limited_time_for_answers(delivery, store, sandbox, ended_from_outside):
    people = numbers(4)
    sandbox.fail_next(recipient=people[3], delay=5)
    run = broadcast_run(people, max_in_flight=1, delivery=delivery, store=store)
    ended_from_outside(run, at_request=4)
    if delivery == "at_least_once":
        may_be_tried_again(run, ItnioError)
    else:
        fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 3, "unknown": 1}
    assert "the task was ended from outside" in run.summary["failures"][0]["reason"]


def test_without_a_record_sigterm_after_acceptances_fails_without_retries(sandbox, ended_from_outside):
    run = broadcast_run(numbers(40), max_in_flight=4)
    sandbox.fail_next(40, delay=0.02)
    ended_from_outside(run, at_request=10)
    assert "without a delivery record" in str(fails_at_once(run))


def test_on_kill_after_the_broadcast_has_ended_does_nothing(sandbox):
    run = broadcast_run(numbers(2), store=TaskStateStore())
    run.once()
    run.operator.on_kill()
    assert len(sandbox.messages) == 2
