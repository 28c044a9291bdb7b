"""Any JSON is an event: what can be parsed is parsed, the rest is stored unchanged."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.receiver.database import open_database
from airflow_provider_itnio.receiver.events import IncomingMessage, StatusEvent, UnreadEvent, read_events
from airflow_provider_itnio.receiver.mailbox import Mailbox
from tests.receiver.running import AT, incoming_push, status_push
from tests.tables import for_each

PARTS = status_push("m", "failed") | incoming_push("m", {})
NAMES = [
    *PARTS,
    "failure",
    "phone",
    "name",
    "type",
    "text",
    "body",
    "interactive",
    "button_reply",
    "list_reply",
]
NAMES += ["button", "id", "title", "payload", "context"]
WORDS = [
    "message-status-event",
    "up-message-event",
    "failed",
    "sent",
    "read",
    "text",
    "interactive",
    "m1",
    "86147",
    "\0",
]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(WORDS)
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=3)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
PUSHES = (
    JSON
    | st.builds(
        lambda more: status_push("m", "failed") | more,
        st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
    )
    | st.builds(
        lambda message, more: incoming_push("m", message) | more,
        JSON,
        st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3),
    )
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return Mailbox(*open_database(f"sqlite:///{tmp_path_factory.mktemp('events')}/receipts.db"))


@given(pushed=PUSHES)
def test_any_json_is_parsed_or_stored_unchanged_and_can_be_read(kept, pushed):
    event, *unread = events = read_events(pushed, AT)
    kept.delete_old(2 * AT)  # a message with an id of another example's message would not be stored
    kept.store(events, AT)
    if unread or isinstance(event, UnreadEvent):
        found = kept.unread(1)[0]["body"]
        assert found == json.dumps(pushed)
    if isinstance(event, UnreadEvent):
        assert not unread
    elif isinstance(event, StatusEvent):
        assert kept.messages([event.message_id])[0]["status"] != "none"
    else:
        assert isinstance(event, IncomingMessage)
        assert kept.window(event.sender)["last_incoming_at"] or not event.opens_window
    json.dumps(kept.incoming(None, 1000)).encode()


@given(pushed=PUSHES)
def test_parsed_values_of_any_json_can_be_encoded(pushed):
    with suppress(TypeError):
        for value in vars(read_events(pushed, AT)[0]).values():
            assert "\0" not in str(value)
            str(value).encode()


@for_each("ahead", [301, 400 * 86400, 90_000_000_000])
def test_a_message_time_in_the_future_is_replaced_by_now(ahead):
    assert read_events(incoming_push("m", {}, at=AT + ahead), AT)[0].at == AT
    assert read_events(incoming_push("m", {}, at=AT + 300), AT)[0].at == AT + 300
