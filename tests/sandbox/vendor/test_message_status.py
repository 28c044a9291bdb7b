"""The 24-hour window, and the statuses of an accepted message."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_itnio.sandbox import TestingSandbox
from airflow_provider_itnio.sandbox.faults.test_numbers import TABLE
from airflow_provider_itnio.sandbox.vendor.message_status import OUTSIDE_WINDOW

NUMBER = "91856321322"
WOULD_NOT_ARRIVE = "would not arrive: outside the 24-hour window"


@pytest.fixture(scope="module")
def clock():
    class Clock:
        now = 1_795_000_000.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture(scope="module")
def running(clock):
    with TestingSandbox(clock=clock, clock_tolerance=10**9) as sandbox:
        yield sandbox


@pytest.fixture
def closed(running):
    """A sandbox with closed windows and a clock that the test sets."""
    running.clear()
    running.clear_faults()
    return running


@pytest.fixture
def wire(closed, wire_to):
    return wire_to(closed)


def statuses(message):
    return [one.status for one in message.statuses]


def test_outside_the_window_an_ordinary_message_is_accepted_and_fails(closed, wire, message):
    assert wire.custom(message()).json()["status"] == "0"
    (kept,) = closed.messages
    assert any(note.startswith(WOULD_NOT_ARRIVE) for note in kept.notes)
    assert (kept.status, statuses(kept)) == ("failed", ["failed"])
    assert kept.failure.startswith("131047: ")


@pytest.mark.parametrize("kind", ["image", "document", "location", "interactive", "contacts"])
def test_no_ordinary_type_is_delivered_outside_the_window(closed, wire, message, kind):
    content = {
        "image": {"link": "https://example.com/a.png"},
        "document": {"link": "https://example.com/a.pdf", "filename": "a.pdf"},
        "location": {"longitude": "1", "latitude": "2", "name": "a", "address": "b"},
        "interactive": {
            "type": "button",
            "body": {"text": "?"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "yes"}}]},
        },
        "contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}}],
    }[kind]
    wire.custom(message(type=kind, **{kind: content}))
    closed.window_open(NUMBER)
    wire.custom(message(type=kind, **{kind: content}))
    outside, inside = closed.messages
    assert (outside.status, inside.status) == ("failed", "read")
    assert [OUTSIDE_WINDOW in one.notes for one in (outside, inside)] == [True, False]


def test_a_whatsapp_template_is_delivered_outside_the_window_and_opens_none(
    closed, wire, message, template_message
):
    wire.template(template_message())
    wire.custom(message())
    template, text = closed.messages
    assert (template.status, template.notes, statuses(template)) == (
        "read",
        [],
        ["sent", "delivered", "read"],
    )
    assert text.status == "failed"


def test_a_reply_opens_the_window_of_its_sender_for_24_hours(closed, wire, message, clock):
    wire.custom(message())
    closed.reply(message_id=closed.messages[0].id, text="hello")
    wire.custom(message())
    wire.custom(message(recipient="8613800138000"))
    clock.now += timedelta(hours=24).total_seconds() - 1
    wire.custom(message())
    clock.now += 1
    wire.custom(message())
    assert [one.status for one in closed.messages] == ["failed", "read", "failed", "read", "failed"]
    closed.reply(recipient=NUMBER, location={"longitude": "1", "latitude": "2"})
    wire.custom(message())
    assert OUTSIDE_WINDOW not in closed.messages[-1].notes


def test_a_reply_through_the_json_api_opens_the_window_too(closed, wire, message):
    wire.control("POST", "replies", json={"recipient": f"+{NUMBER}", "text": "hello"})
    wire.custom(message())
    assert closed.messages[0].status == "read"


def test_windows_can_be_opened_and_closed(closed, wire, message):
    closed.window_open("+91 856-321-322")
    wire.custom(message())
    closed.window_open(int(NUMBER), is_open=False)
    wire.custom(message())
    assert wire.control("POST", "windows", json={"recipient": f"+{NUMBER}"}).json() == {
        "recipient": NUMBER,
        "open": True,
    }
    wire.custom(message())
    wire.control("POST", "windows", json={"recipient": NUMBER, "open": False})
    wire.custom(message())
    assert [one.status for one in closed.messages] == ["read", "failed", "read", "failed"]
    for wrong in ("no number", "", None, 1.5):
        with pytest.raises(ValueError, match=r"^number: a phone number, "):
            closed.window_open(wrong)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "recipient is missing: a phone number of 7 to 14 digits"),
        ({"recipient": 5}, "recipient: a phone number of 7 to 14 digits, 5 given"),
        ({"recipient": "+86 1471"}, "recipient: a phone number of 7 to 14 digits, '+86 1471' given"),
        ({"recipient": "1" * 15}, f"recipient: a phone number of 7 to 14 digits, {'1' * 15!r} given"),
    ],
)
def test_a_window_needs_a_whole_number(closed, wire, given, error):
    answer = wire.control("POST", "windows", json=given)
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    if given:
        with pytest.raises(ValueError, match="number: a phone number of 7 to 14 digits, "):
            closed.window_open(given["recipient"])


def test_clear_closes_the_windows(closed, wire, message):
    closed.window_open(NUMBER)
    closed.clear()
    wire.custom(message())
    assert closed.messages[0].status == "failed"


def test_with_open_windows_all_windows_start_open(start_sandbox, wire_to, message):
    sandbox = start_sandbox(open_windows=True, push_scale=0)
    wire_to(sandbox).custom(message())
    sandbox.window_open(NUMBER, is_open=False)
    wire_to(sandbox).custom(message())
    assert [one.status for one in sandbox.messages] == ["read", "failed"]


def test_a_message_that_whatsapp_would_drop_fails_in_an_open_window(closed, wire, message):
    closed.window_open(NUMBER)
    wire.custom(message(type="image", image={"link": "http://localhost/a.png"}))
    (kept,) = closed.messages
    assert (kept.status, kept.failure) == ("failed", "131009: Parameter value is not valid")


def test_an_accepted_message_with_a_failing_answer_is_delivered(closed, wire, message):
    closed.window_open(NUMBER)
    closed.fail_next(http_status=500, accept=True)
    wire.custom(message())
    assert closed.messages[0].status == "read"


@pytest.mark.parametrize(
    ("number", "reached", "failure"),
    [
        ("99960000026", ["failed"], "131026: Message undeliverable"),
        ("99960000049", ["failed"], "131049: "),
        ("99960000999", ["failed"], "131999: Message failed to send"),
        ("99970000001", ["sent"], ""),
        ("99970000002", ["sent", "delivered"], ""),
        ("99970000003", [], ""),
    ],
)
def test_test_numbers_are_accepted_and_not_delivered(closed, wire, message, number, reached, failure):
    assert wire.custom(message(recipient=number)).json()["status"] == "0"
    (kept,) = closed.messages
    assert statuses(kept) == reached
    assert kept.failure.startswith(failure)
    assert bool(kept.failure) == bool(failure)
    assert kept.status == (reached or ["accepted"])[-1]
    assert kept.notes == []


def test_these_test_numbers_are_in_the_table():
    assert [number for number in TABLE if number.startswith(("+999 6", "+999 7"))] == [
        "+999 6 000 0NNN",
        "+999 7 000 0001",
        "+999 7 000 0002",
        "+999 7 000 0003",
    ]


def test_a_failing_share_does_not_apply_to_test_numbers(start_sandbox, wire_to, message):
    sandbox = start_sandbox(fail=1.0, push_scale=0)
    assert wire_to(sandbox).custom(message(recipient="99970000002")).json()["status"] == "0"


def test_statuses_come_one_after_the_other(start_sandbox, wire_to, template_message):
    sandbox = start_sandbox(push_scale=0.2)
    wire_to(sandbox).template(template_message())
    (kept,) = sandbox.messages
    assert statuses(kept) == ["sent"]
    assert sandbox.wait_for(status="delivered", timeout=60) == [kept]
    assert sandbox.wait_for(status="read", timeout=60, recipient=f"+{NUMBER}") == [kept]
    assert statuses(kept) == ["sent", "delivered", "read"]


def test_a_status_only_moves_forward(closed, wire, message, template_message):
    wire.template(template_message(), wire.headers())
    (kept,) = closed.messages
    for status in ("delivered", "sent", "failed"):
        closed.push(kept, status)
    assert kept.status == "read"
    wire.template(template_message() | {"recipient": "99970000003"})
    late = closed.messages[1]
    for status, shown in [
        ("delivered", "delivered"),
        ("sent", "delivered"),
        ("failed", "failed"),
        ("read", "read"),
    ]:
        closed.push(late.id, status)
        assert late.status == shown
    assert statuses(late) == ["delivered", "sent", "failed", "read"]
    closed.push(late, "deleted")
    assert late.status == "deleted"


def test_the_timeout_of_wait_for_a_status_lists_the_statuses(closed, wire, message):
    wire.custom(message(text={"body": "hello"}))
    with pytest.raises(TimeoutError) as caught:
        closed.wait_for(timeout=0.01, status="delivered", recipient=NUMBER)
    assert str(caught.value) == (
        "1 accepted messages to 91…22 with status delivered were expected within 0.01 s, 0 came"
        "\n  accepted text to 91…22: 'hello' (failed 131047: Re-engagement message)"
    )
    with pytest.raises(ValueError, match=r"^status: one of sent, "):
        closed.wait_for(status="accepted")
    with pytest.raises(ValueError, match=r"^recipient: a phone number, "):
        closed.wait_for(recipient="nobody")


def test_a_cleared_message_gets_no_further_statuses(start_sandbox, wire_to, template_message):
    sandbox = start_sandbox(push_scale=0.1)
    wire_to(sandbox).template(template_message())
    (cleared,) = sandbox.messages
    sandbox.clear()
    reached = list(cleared.statuses)
    assert sandbox.messages == []
    wire_to(sandbox).template(template_message())
    assert len(sandbox.wait_for(status="read", timeout=60)) == 1
    assert cleared.statuses == reached
