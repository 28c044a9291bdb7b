"""A broadcast logs its first message before it is sent."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.messages import contact_card, template_message
from tests.tables import for_each
from tests.task_runs import TaskStateStore, broadcast_run

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
PEOPLE = [
    {"phone": LI, "name": "Li", "file": "https://a.example/r.pdf?sig=topsecret"},
    {"phone": ANA, "name": "Ana", "file": "https://a.example/s.pdf?sig=topsecret"},
]


def first_messages(logged):
    """The first messages shown in the log; a log line may be printed too."""
    mark = "The first message, to "
    return list(dict.fromkeys(line.partition(mark)[2] for line in logged().splitlines() if mark in line))


@pytest.mark.usefixtures("connection")
def test_the_first_message_is_logged_as_rendered(logged, sandbox):
    broadcast_run(PEOPLE, text="Dear {{ recipient.name }},\nyour report").once()
    (shown,) = first_messages(logged)
    assert shown.startswith('86…57: text {"body": "Dear Li,\\nyour report"}')
    assert len(sandbox.messages) == 2


@pytest.mark.usefixtures("connection")
def test_the_first_message_is_logged_before_it_is_sent(logged, sandbox, hasty):
    sandbox.fail_next(5, drop="before_accepting")
    with pytest.raises(Exception, match="unknown"):
        broadcast_run(PEOPLE, text="{{ recipient.name }}").once()
    assert len(first_messages(logged)) == 1


@pytest.mark.usefixtures("connection")
def test_a_message_that_cannot_be_rendered_is_not_logged_as_the_first(logged):
    people = [{"phone": LI}, {"phone": ANA, "name": "Ana"}]
    broadcast_run(people, text="Dear {{ recipient.name }}", if_some_fail="warn").once()
    (shown,) = first_messages(logged)
    assert shown.startswith('55…78: text {"body": "Dear Ana"}')


@pytest.mark.usefixtures("connection")
@for_each(
    "fields",
    [
        {"document": {"link": "{{ recipient.file }}", "caption": f"ask {LI} or {ANA}"}},
        {"text": "see {{ recipient.file }} or call 8614718004557"},
        {"contacts": [contact_card("Ana", phone=ANA)]},
        {"template": template_message("daily_report", "en", buttons=[{"url": "r.pdf?sig=topsecret"}])},
        {"text": "https://user:topsecret@a.example/ +86 147 1800 4557"},
        {"text": "x" * 990 + " 8614718004557 https://a.example/r.pdf?sig=topsecret"},
    ],
)
def test_the_logged_message_shows_no_whole_number_and_no_query_of_a_link(fields, logged):
    broadcast_run(PEOPLE, text=fields.pop("text", None), **fields).once()
    (shown,) = first_messages(logged)
    assert "topsecret" not in shown
    digits = "".join(character for character in shown if character.isdigit())
    assert "18004557" not in digits
    assert "9123456" not in digits


@pytest.mark.usefixtures("connection")
def test_a_long_first_message_is_truncated_in_the_log(logged):
    broadcast_run([LI], text="x" * 4096).once()
    (shown,) = first_messages(logged)
    assert "x" * 900 in shown
    assert len(shown) < 1200


@pytest.mark.usefixtures("connection")
def test_each_try_logs_the_first_message_it_sends(logged, sandbox, hasty):
    run = broadcast_run(PEOPLE, store=TaskStateStore(), text="{{ recipient.name }}", max_in_flight=1)
    sandbox.fail_next(recipient=ANA, http_status=429)
    with pytest.raises(Exception, match="not sent"):
        run.once()
    run.once()
    assert [shown[:4] for shown in first_messages(logged)] == ["86…5", "55…7"]


@pytest.mark.usefixtures("connection")
def test_the_log_links_to_the_sandboxs_page_once(logged, sandbox):
    broadcast_run(PEOPLE, text="hello").once()
    # A log line may be printed too.
    lines = [line for line in logged().splitlines() if "The sandbox shows" in line]
    assert all(f"The sandbox shows the messages at {sandbox.url}/" in line for line in lines)
    assert 1 <= len(lines) <= 2
