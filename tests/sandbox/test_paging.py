"""Lists that are read in pages."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.sandbox.api_models import LARGEST_PAGE
from tests.tables import for_each


@pytest.fixture
def five(wire, sandbox, message):
    """Five messages, refusals and replies."""
    for number in range(5):
        wire.custom(message(text={"body": str(number)}, recipient=f"9185632132{number % 2}"))
        wire.custom(message(recipient="1"))
        sandbox.reply(text=str(number), recipient="91856321321")


def pages(wire, first):
    """Follow the links from a page, and return the lists."""
    found = []
    answer = wire.control("GET", first)
    while True:
        assert answer.status_code == 200
        found.append(answer.json())
        if "next" not in answer.links:
            return found
        answer = wire.control("GET", answer.links["next"]["url"].removeprefix("/sandbox/"))


@pytest.mark.parametrize("name", ["messages", "refused", "replies"])
@pytest.mark.parametrize(("limit", "lengths"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (6, [5])])
def test_the_pages_of_a_list_make_up_the_list(five, wire, name, limit, lengths):
    whole = wire.control("GET", name)
    assert "link" not in whole.headers
    found = pages(wire, f"{name}?limit={limit}")
    assert [len(one) for one in found] == lengths
    assert [entry for page in found for entry in page] == whole.json()


def test_the_pages_of_the_requests_make_up_the_list(five, wire):
    assert [len(one) for one in pages(wire, "requests?limit=4")] == [4, 4, 2]


def test_the_pages_of_one_recipients_messages_make_up_the_list(five, wire):
    found = pages(wire, "messages?limit=2&recipient=%2B91856321320")
    assert [[one["text"] for one in page] for page in found] == [["0", "2"], ["4"]]


def test_items_added_or_displaced_between_pages_are_read_or_skipped(start_sandbox, wire_to, message):
    wire = wire_to(start_sandbox(keep=4))

    def send(*numbers):
        for number in numbers:
            wire.custom(message(text={"body": str(number)}))

    send(0, 1, 2, 3)
    first = wire.control("GET", "messages?limit=2")
    send(4, 5, 6)  # displaces the first three
    rest = pages(wire, first.links["next"]["url"].removeprefix("/sandbox/"))
    assert [[one["text"] for one in page] for page in [first.json(), *rest]] == [
        ["0", "1"],
        ["3", "4"],
        ["5", "6"],
    ]


def test_after_a_clear_a_link_returns_newer_items(five, wire, sandbox, message):
    link = wire.control("GET", "messages?limit=2").links["next"]["url"]
    sandbox.clear()
    wire.custom(message(text={"body": "new"}))
    assert [one["text"] for one in wire.control("GET", link.removeprefix("/sandbox/")).json()] == ["new"]


@for_each("name", ["messages", "refused", "requests", "replies"])
@for_each(
    ("query", "error"),
    [
        ("limit=0", "limit: a whole number from 1 to 10000, 0 given"),
        ("limit=10001", "limit: a whole number from 1 to 10000, 10001 given"),
        ("limit=-1", "limit: a whole number from 1 to 10000, '-1' given"),
        ("limit=", "limit: a whole number from 1 to 10000, '' given"),
        ("limit=٣", "limit: a whole number from 1 to 10000, '٣' given"),
        ("limit=" + "9" * 5000, f"limit: a whole number from 1 to 10000, '{'9' * 59} given"),
        ("after=x", "after: a number that a Link header gave, 'x' given"),
    ],
)
def test_an_invalid_page_parameter_is_an_error(wire, name, query, error):
    answer = wire.control("GET", f"{name}?{query}")
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_list_without_a_limit_has_at_most_10000_items_per_page(start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=LARGEST_PAGE + 5)
    wire = wire_to(sandbox)
    wire.custom(message())
    (kept,) = sandbox.messages
    for _ in range(LARGEST_PAGE):
        sandbox._vendor.store.add(kept)
    assert [len(one) for one in pages(wire, "messages")] == [10_000, 1]
