"""Why a message failed, in whatever shape it is pushed."""

from __future__ import annotations

import itertools
import json

from airflow_provider_itnio.status_texts import whatsapp_code
from tests.receiver.running import status_push
from tests.tables import for_each

_ids = itertools.count()
RE_ENGAGEMENT = "Re-engagement message"
META_S = (
    "Message failed to send because more than 24 hours have passed since the customer last replied to it."
)
META_S_TABLE = "More than 24 hours have passed since the recipient last replied to the sender number."
OF_META = {"code": 131047, "title": RE_ENGAGEMENT, "error_data": {"details": META_S}, "href": "https://x/4/"}
LONG = "\u957f" * 500


def asked(receiver, push):
    """Push a failure; return its reason read alone and in a list, and whether it is listed as unread."""
    message_id = f"failure-{next(_ids)}"
    push = status_push(message_id, "failed", **push)
    assert receiver.push(push) == 200
    alone = receiver.get(f"/v1/messages/{message_id}")
    [among_others] = receiver.get("/v1/messages", {"ids": [message_id]})["messages"]
    assert alone["status"] == among_others["status"] == "failed"
    unread = [json.loads(one["body"])["messageId"] for one in receiver.get("/v1/unread")["events"][:1]]
    return alone["failure"], among_others["failure"], message_id in unread


@for_each(
    ("push", "told", "code"),
    [
        ({"failure": OF_META}, OF_META, 131047),
        ({"failure": [{"code": 131026}]}, [{"code": 131026}], 131026),
        ({"errors": [{"code": 131026, "title": "x"}]}, [{"code": 131026, "title": "x"}], 131026),
        ({"errors": [{"title": LONG, "code": "131026"}]}, [{"title": LONG, "code": "131026"}], 131026),
        (
            {"failure": "", "error": {"message": "m", "code": 130429}},
            {"message": "m", "code": 130429},
            130429,
        ),
        ({"failure": {}, "errors": [], "reason": "131026"}, 131026, 131026),
        ({"failure": None, "reason": 131026}, 131026, 131026),
        ({"failure": 131026.5}, 131026.5, None),
        ({"failure": {"severity": 4, "errorCode": 131053}}, {"severity": 4, "errorCode": 131053}, 131053),
        ({"failure": {"title": RE_ENGAGEMENT}}, {"title": RE_ENGAGEMENT}, 131047),
        ({"failure": {"title": "no route"}, "reason": "131047"}, {"title": "no route"}, None),
    ],
)
def test_a_reason_of_any_shape_is_stored_and_its_code_found(receiver, push, told, code):
    alone, among_others, is_unread = asked(receiver, push)
    assert json.loads(alone) == told
    assert (whatsapp_code(alone), whatsapp_code(among_others)) == (code, code)
    assert not is_unread


def test_a_reason_is_truncated(receiver):
    alone, among_others, _ = asked(receiver, {"failure": {"title": "x" * 50_000, "code": 131026}})
    assert len(alone) == 20_000
    assert alone.startswith('{"code": 131026, "title": "xxx')
    assert len(among_others) == 400


@for_each(
    "push", [{}, {"failure": ""}, {"failure": None}, {"failure": True, "why": "131047"}, {"errors": [[]]}]
)
def test_a_failure_without_a_reason_is_stored_and_listed_as_unread(receiver, push):
    alone, _, is_unread = asked(receiver, push)
    assert is_unread == (alone == "") == ("errors" not in push)


@for_each(
    ("failure", "code"),
    [
        (RE_ENGAGEMENT, 131047),
        ("RE\u2011ENGAGEMENT MESSAGE", 131047),
        (META_S, 131047),
        (META_S_TABLE, 131047),
        ("failed with 131047.", 131047),
        ("error 4 of 5, code: 131026", 131026),
        (f"131026: {RE_ENGAGEMENT}", 131026),
        (f"470: {RE_ENGAGEMENT}", 470),
        ("the engagement message was refused", None),
        ("not sent in 24 hours", None),
        ("The recipient last replied 3 days ago", None),
        ("1310470", None),
        ("131047.5", None),
        ("", None),
    ],
)
def test_the_whatsapp_code_is_read_only_from_a_reason_that_contains_one(failure, code):
    assert whatsapp_code(failure) == code
