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
    """What the log says of first messages; what goes through logging may be printed too."""
    mark = "The first message, to "
    return list(dict.fromkeys(line.partition(mark)[2] for line in logged().splitlines() if mark in line))


@pytest.mark.usefixtures("connection")
def test_it_is_shown_as_rendered(logged, sandbox):
    broadcast_run(PEOPLE, text="Dear {{ recipient.name }},\nyour report").once()
    (shown,) = first_messages(logged)
    assert shown.startswith('86…57: text {"body": "Dear Li,\\nyour report"}')
    assert len(sandbox.messages) == 2


@pytest.mark.usefixtures("connection")
def test_it_is_shown_before_it_is_sent(logged, sandbox, hasty):
    sandbox.fail_next(5, drop="before_accepting")
    with pytest.raises(Exception, match="unknown"):
        broadcast_run(PEOPLE, text="{{ recipient.name }}").once()
    assert len(first_messages(logged)) == 1


@pytest.mark.usefixtures("connection")
def test_one_that_can_not_be_rendered_is_not_the_first(logged):
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
def test_it_shows_no_whole_number_and_no_query_of_a_link(fields, logged):
    broadcast_run(PEOPLE, text=fields.pop("text", None), **fields).once()
    (shown,) = first_messages(logged)
    assert "topsecret" not in shown
    digits = "".join(character for character in shown if character.isdigit())
    assert "18004557" not in digits
    assert "9123456" not in digits


@pytest.mark.usefixtures("connection")
def test_a_long_one_is_cut(logged):
    broadcast_run([LI], text="x" * 4096).once()
    (shown,) = first_messages(logged)
    assert "x" * 900 in shown
    assert len(shown) < 1200


@pytest.mark.usefixtures("connection")
def test_each_try_shows_the_first_it_sends(logged, sandbox, hasty):
    run = broadcast_run(PEOPLE, store=TaskStateStore(), text="{{ recipient.name }}", max_in_flight=1)
    sandbox.fail_next(recipient=ANA, http_status=429)
    with pytest.raises(Exception, match="not sent"):
        run.once()
    run.once()
    assert [shown[:4] for shown in first_messages(logged)] == ["86…5", "55…7"]


@pytest.mark.usefixtures("connection")
def test_the_log_names_the_sandboxes_page_once(logged, sandbox):
    broadcast_run(PEOPLE, text="hello").once()
    # What goes through logging may be printed too.
    lines = [line for line in logged().splitlines() if "The sandbox shows" in line]
    assert all(f"The sandbox shows the messages at {sandbox.url}/" in line for line in lines)
    assert 1 <= len(lines) <= 2
