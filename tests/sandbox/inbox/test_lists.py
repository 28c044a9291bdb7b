"""The lists that the inbox page loads: conversations and their items in pages, and the search."""

from __future__ import annotations

import json

import pytest

from tests.tables import for_each

FIRST, SECOND = "8614718004557", "91856321322"


@pytest.fixture
def get(wire):
    def get(path, **asked):
        answer = wire.control("GET", path, params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def send(wire, message):
    def send(text, recipient=FIRST, **changes):
        return wire.custom(message(text={"body": text}, recipient=recipient, **changes))

    return send


def texts(part):
    return [(one.get("message") or one.get("reply") or one["failure"])["text"] for one in part["items"]]


def test_an_empty_inbox(get):
    told = get("conversations")
    assert told["totals"] == {"messages": 0, "replies": 0, "failures": 0, "conversations": 0}
    assert (told["conversations"], told["next"], told["keep"], told["open_windows"]) == ([], None, 1000, True)
    empty = {"items": [], "before": None, "after": None}
    assert get("failures") == empty
    assert get(f"conversations/{FIRST}/items") == {"window_until": None} | empty


def test_conversations_are_listed_latest_first(get, send, sandbox):
    send("a" * 300)
    send("to another", SECOND)
    send("+", "+")
    sandbox.reply(recipient=FIRST, text="an answer")
    sandbox.fail_next(status=-12, accept=True)
    send("failed", SECOND)
    sandbox.fail_next(http_status=503)
    send("lost", SECOND)
    told = get("conversations")
    assert told["totals"] == {"messages": 3, "replies": 1, "failures": 2, "conversations": 2}
    second, first = told["conversations"]
    assert {name: second[name] for name in ("number", "messages", "replies", "failed", "window_until")} == {
        "number": SECOND,
        "messages": 2,
        "replies": 0,
        "failed": 2,
        "window_until": None,
    }
    assert (second["last"]["kind"], second["last"]["status"]) == ("failure", None)
    assert second["last"]["text"] == "a fault was asked for, by fail_next or POST /sandbox/faults"
    assert (first["number"], first["messages"], first["replies"], first["failed"]) == (FIRST, 1, 1, 0)
    assert (first["last"]["kind"], first["last"]["text"]) == ("reply", "an answer")
    assert first["window_until"] > first["last"]["at"]
    send("b" * 300)
    assert get("conversations")["conversations"][0]["last"]["text"] == "b" * 200


def test_conversations_are_read_in_pages(get, send):
    numbers = [f"49301000{number:03}" for number in range(7)]
    for number in numbers:
        send("hello", number)
    found, before = [], 0
    while before is not None:
        told = get("conversations", limit=3, before=before)
        found.append([one["number"] for one in told["conversations"]])
        before = told["next"]
    assert found == [numbers[:3:-1], numbers[3:0:-1], numbers[:1]]


def test_a_chat_is_read_in_pages_from_its_end_or_any_place(get, send, sandbox):
    for number in range(4):
        send(f"message {number}")
        sandbox.reply(recipient=FIRST, text=f"reply {number}")
        send("elsewhere", SECOND)
    path = f"conversations/{FIRST}/items"
    newest = get(path, limit=3)
    assert texts(newest) == ["reply 2", "message 3", "reply 3"]
    assert newest["after"] is None
    earlier = get(path, limit=3, before=newest["before"])
    assert texts(earlier) == ["message 1", "reply 1", "message 2"]
    oldest = get(path, limit=100, before=earlier["before"])
    assert (texts(oldest), oldest["before"]) == (["message 0", "reply 0"], None)
    forwards = get(path, limit=2, after=oldest["items"][-1]["number"])
    assert texts(forwards) == ["message 1", "reply 1"]
    assert texts(get(path, after=forwards["after"])) == ["message 2", "reply 2", "message 3", "reply 3"]
    assert newest["items"] == get("conversations/+86 147-1800-4557/items", limit=3)["items"]


def test_failures_are_in_their_recipients_chat_and_in_a_list(get, send, wire):
    send("good")
    send("bad", FIRST, channelType=5)
    send("no number", "+")
    wire.custom([1])
    wire.balance(wire.headers(secret="another"))
    assert texts(get(f"conversations/{FIRST}/items")) == ["good", "bad"]
    assert texts(get("failures")) == ["bad", "no number", "", ""]
    first = get("failures", limit=3)
    assert len(first["items"]) == 3
    assert texts(get("failures", before=first["before"])) == ["bad"]


def test_a_later_failed_status_counts_as_a_failure(get, send, sandbox):
    send("hello")
    assert get("conversations")["conversations"][0]["failed"] == 0
    late = "99970000003"
    send("late", late)
    sandbox.push(sandbox.messages[1], "failed")
    sandbox.push(sandbox.messages[1], "failed")
    assert get("conversations")["conversations"][0]["failed"] == 1
    sandbox.push(sandbox.messages[1], "read")  # so it was delivered
    assert get("conversations")["conversations"][0]["failed"] == 0


def test_displaced_messages_are_in_no_list(start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=2, open_windows=True)
    wire = wire_to(sandbox)
    for number in range(4):
        wire.custom(message(recipient=f"4930100000{number}"))
        wire.custom(message(recipient=f"4930100000{number}", channelType=5))
        wire.custom(message(recipient=FIRST))
    told = wire.control("GET", "conversations").json()
    assert told["totals"] == {"messages": 2, "replies": 0, "failures": 2, "conversations": 3}
    counts = {one["number"]: (one["messages"], one["failed"]) for one in told["conversations"]}
    assert counts == {FIRST: (1, 0), "49301000003": (1, 1), "49301000002": (0, 1)}
    sandbox.clear()
    assert wire.control("GET", "conversations").json()["conversations"] == []


def test_the_cursor_of_a_list_continues_the_stream_of_events(get, send, wire, sandbox):
    send("before")
    cursor = get("conversations")["cursor"]
    send("after")
    with wire.control("GET", "events", params={"after": cursor}, stream=True) as answer:
        data = [line for line in iter_until(answer, 1) if line.startswith("data: ")]
    assert "clear" not in data
    assert [one["message"]["text"] for one in json.loads(data[0][6:])] == ["after"]


def iter_until(answer, count):
    """Read lines of a stream of events until this many data lines were read."""
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        yield line
        count -= line.startswith("data: ")
        if not count:
            return


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ROWS", ["42 rows", "7 rows"]),
        ("café", ["Café 数"]),
        ("数", ["Café 数"]),
        ("+86 147-18", ["42 rows", "Café 数", "answer", "bad"]),
        ("at least 7", []),
        ("channelType", ["bad"]),
        ("DGziZf5u", []),  # in every request, so not searched, like the next four
        ("91856321321", []),
        ("POST", []),
        ("sendMsg", []),
        ("up-message-event", []),
        ("nothing", []),
        ("  ", ["42 rows", "7 rows", "Café 数", "answer", "bad"]),
    ],
)
def test_the_search_finds_texts_numbers_and_failures(get, send, sandbox, words, found):
    send("42 rows")
    send("7 rows", SECOND)
    send("Café 数")
    sandbox.reply(recipient=FIRST, text="answer")
    send("bad", FIRST, channelType=5)
    told = get("conversations", q=words)
    items = [
        item
        for one in told["conversations"]
        for item in get(f"conversations/{one['number']}/items", q=words)["items"]
    ]
    items.sort(key=lambda one: one["number"])
    assert texts({"items": items}) == found
    counts = [one["messages"] + one["replies"] + one["failed"] for one in told["conversations"]]
    assert sum(counts) == len(found)
    assert told["totals"]["messages"] == 3
    assert texts(get("failures", q=words)) == [one for one in found if one == "bad"]


def test_the_search_finds_an_id_and_nested_texts_of_a_message(get, wire, message):
    contacts = [{"name": {"formatted_name": "On Call"}, "phones": [{"phone": "+49 30 1"}]}]
    wire.custom(message(type="contacts", contacts=contacts))
    found = get("conversations", q="on call")["conversations"]
    assert [one["number"] for one in found] == [SECOND]
    message_id = get("messages")[0]["id"]
    assert get("conversations", q=message_id[4:20].upper())["conversations"] == found
    assert get(f"messages/{message_id}") == get(f"exchanges/{found[0]['last']['number']}")


def test_a_message_that_is_not_stored_is_not_found(wire):
    answer = wire.control("GET", "messages/0123")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "message_id: there is no message with this id"},
    )


@for_each("path", ["conversations", f"conversations/{FIRST}/items", "failures"])
@for_each(
    ("query", "error"),
    [
        ("limit=0", "limit: a whole number from 1 to 100, 0 given"),
        ("limit=101", "limit: a whole number from 1 to 100, 101 given"),
        ("before=x", "before: a number that the sandbox gave, 'x' given"),
        ("before=-1", "before: a number that the sandbox gave, '-1' given"),
        ("q=" + "x" * 201, "q: at most 200 characters, 201 given"),
        ("recipient=1", "recipient: unknown field; there are limit, before, q"),
    ],
)
def test_an_invalid_page_parameter_is_an_error(wire, path, query, error):
    answer = wire.control("GET", f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


def test_a_search_does_not_block_other_requests(sandbox, send, monkeypatch):
    """Each slice of the search checks at most 100 exchanges."""
    from airflow_provider_itnio.sandbox.inbox import lists

    looked = []
    monkeypatch.setattr(lists, "searched", lambda exchange: looked.append(exchange) or "")
    send("hello")
    exchanges = sandbox._vendor.store.exchanges() * 250
    finding = lists.found(exchanges, "words").__anext__()
    for seen in (100, 200, 250):
        finding.send(None)
        assert len(looked) == seen
    with pytest.raises(StopAsyncIteration):
        finding.send(None)
