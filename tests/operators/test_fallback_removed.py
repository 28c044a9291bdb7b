"""A fallback that is removed from the DAG file after a try of the task has chosen it."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import ItnioError, NotSentError
from tests.operators.test_broadcast_fallback import falling_back, sent, wrote_now
from tests.operators.test_fallback import deferred_first, kept, types_sent
from tests.operators.test_fallback import falling_back as one_falling_back
from tests.operators.test_waiting import resumed, triggered
from tests.receiver.running import new_number
from tests.tables import for_each
from tests.task_runs import counts_of, fails_at_once, may_be_tried_again

pytestmark = pytest.mark.usefixtures("pushed_to_receiver")


@pytest.fixture
def misjudged(receiver):
    """A number whose window is closed, but open in the receiver."""
    number = new_number()
    wrote_now(receiver, {"phone": number})
    return number


@for_each("is_cleared", [False, True])
def test_a_single_messages_text_is_sent_again_only_after_a_clear(is_cleared, store, misjudged, sandbox):
    """The text failed: a retry does not send it again, a cleared task does."""
    run = one_falling_back(misjudged, store, wait_for="delivered", max_attempts=1)
    left = deferred_first(run)
    sandbox.fail_next(http_status=429)
    with pytest.raises(NotSentError):
        resumed(run, left, triggered(left.trigger))
    run.make = one_falling_back(misjudged, fallback=None, wait_for="accepted").make
    if is_cleared:
        run.clear()
        assert run.once()["type"] == "text"
        assert "fallback" not in kept(store)
        assert types_sent(sandbox) == ["text", "text"]
    else:
        assert "only a WhatsApp template reaches this recipient, but the task has no" in str(
            fails_at_once(run)
        )
        run.make = one_falling_back(misjudged, wait_for="delivered").make  # the fallback is restored
        assert run.once()["type"] == "template"
        assert types_sent(sandbox) == ["text", "template"]


@for_each("is_cleared", [False, True])
def test_a_broadcasts_text_is_sent_again_only_after_a_clear(
    is_cleared, store, sandbox, misjudged, connect, receiver, monkeypatch
):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.status_watch.POLL_INTERVAL", 0.3)
    connect(extra=receiver.extra | {"max_attempts": 1})
    opened = new_number()
    wrote_now(receiver, {"phone": opened})
    sandbox.window_open(opened)
    people = [{"phone": misjudged, "name": "Mis"}, {"phone": opened, "name": "Ope"}]
    run = falling_back(people, store, wait_for="delivered")
    sandbox.fail_next(2, delay=0.001)
    sandbox.fail_next(1, http_status=429)
    may_be_tried_again(run, ItnioError)
    run.make = falling_back(people, fallback=None).make
    if is_cleared:
        run.clear()
        assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 1}
        assert sent(sandbox) == {misjudged: ["text", "text"], opened: ["text"]}
        return
    assert "only a WhatsApp template reaches this recipient, but the task has no" in str(fails_at_once(run))
    assert counts_of(run.summary) == {"accepted_earlier": 1, "not_sent": 1}
    run.make = falling_back(people, wait_for="delivered").make  # the fallback is restored
    assert counts_of(run.once())["fallbacks"] == 1
    assert sent(sandbox) == {misjudged: ["text", "template"], opened: ["text"]}
