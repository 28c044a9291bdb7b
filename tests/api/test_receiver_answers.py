"""A receiver's answers are parsed or rejected, without a network."""

from __future__ import annotations

from airflow_provider_itnio.api.receiver import incoming_request, open_question_request, status_request
from tests.tables import for_each

AT = "2026-11-26T10:00:00+00:00"
MESSAGE = {
    "message_id": "m1",
    "from": "8615200000001",
    "name": "Ana",
    "type": "text",
    "text": "again",
    "option": None,
    "reply_to": None,
    "at": AT,
    "business_phone": "",
    "questions": ["q1"],
}


def read(cursor="a-1", **changed):
    return incoming_request(None, 1, 0).parse({"messages": [MESSAGE | changed], "cursor": cursor})


def test_an_incoming_message_is_read():
    message = read(option={"id": "x", "title": "Again"}, reply_to="m0").messages[0]
    assert (message.option_id, message.reply_to) == ("x", "m0")
    assert read().messages[0].option_id is None


@for_each("value", [5, True, ["x"], {"id": 1}, {"id": None}])
@for_each("name", ["option", "reply_to"])
def test_a_message_with_a_value_of_the_wrong_type_is_rejected(name, value):
    assert read(**{name: value}) is None
    assert read(option={"id": value}) is None


@for_each("cursor", ["\ud800", "\u00e9", 5, None])
def test_a_cursor_that_does_not_fit_into_a_url_is_rejected(cursor):
    assert read(cursor=cursor) is None
    assert open_question_request("q", ["49"], 1, "").parse({"cursor": cursor}) is None


def test_statuses_in_another_order_than_requested_are_rejected():
    told = [{"message_id": one, "status": "sent", "at": AT} for one in ("m2", "m1")]
    assert status_request(["m1", "m2"], "sent", 0).parse({"messages": told}) is None
    assert len(status_request(["m2", "m1"], "sent", 0).parse({"messages": told})) == 2


@for_each("status", ["none", "sent", "delivered", "read", "failed"])
def test_a_status_of_another_message_or_without_a_time_is_rejected(status):
    def status_entry(**changed):
        whole = {"message_id": "m1", "status": status, "at": AT, "failure": "131026"} | changed
        return {name: value for name, value in whole.items() if value != "left out"}

    def is_read(answer):
        return status_request(["m1"], "sent", 0).parse({"messages": [answer]}) is not None

    assert is_read(status_entry())
    assert not is_read(status_entry(message_id="left out"))
    assert not is_read(status_entry(message_id=None))
    for at in (None, "left out", "soon", 1790000000, ["x"]):
        assert is_read(status_entry(at=at)) == (status == "none")
