from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.api.models import Message, message_from, model_of
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from tests.api.fields import (
    LINK,
    body,
    button_action,
    contact,
    currency,
    date_time,
    fields_of,
    interactive,
    location,
    template,
    url_button,
)
from tests.api.model_cases import (
    KNOWN,
    WHOLE,
    content,
    problems,
)
from tests.tables import for_each

# --- several fields, one message ------------------------------------------------------------------------


def test_message_takes_each_type_with_its_short_form() -> None:
    assert message_from({"message": {"text": "a"}}) == message_from({"text": {"body": "a"}})
    for fields in WHOLE.values():
        assert message_from({"message": fields}) == message_from(fields)


def test_type_may_stand_beside_the_field_it_names() -> None:
    assert message_from({"message": {"type": "text", "text": "a"}}) == message_from({"text": "a"})
    assert message_from({"message": {"type": None, "text": "a"}}) == message_from({"text": "a"})


def test_fields_that_are_none_count_as_absent() -> None:
    assert message_from(dict.fromkeys(MESSAGE_FIELDS) | {"text": "a", "message": None}) == message_from(
        {"text": "a"}
    )


ONE_OF = f"exactly one of {KNOWN} or message must be given"
COMBINATIONS = [
    ({}, f"{ONE_OF}, none given"),
    ({"reply_to": "1"}, f"{ONE_OF}, none given"),
    ({"text": "a", "image": LINK}, f"{ONE_OF}, text, image given"),
    ({"message": {}}, f"{ONE_OF}, none given"),
    ({"message": {"text": None}}, f"{ONE_OF}, none given"),
    ({"message": {"text": "a", "image": LINK}}, f"{ONE_OF}, text, image given"),
    ({"caption": "a"}, f"caption: unknown field; known are {KNOWN}"),
    ({"message": "a"}, "message: must be an object (dict), 'a' given; for a text give text=…"),
    ({"message": [{"text": "a"}]}, "message: must be an object (dict), a list of 1 given"),
    (
        {"message": {"text": "a"}, "text": "b", "image": LINK},
        "message: can't be combined with other message fields, text, image given too",
    ),
    (
        {"message": {"text": "a", "caption": "b"}},
        f"message.caption: unknown key; known are {KNOWN}, type, reply_to",
    ),
    ({"message": {1: "a"}}, f"message.<int>: unknown key; known are {KNOWN}, type, reply_to"),
    (
        {"message": {"text": "a", "reply_to": "1"}, "reply_to": "2"},
        "reply_to: given twice, beside message and in it",
    ),
    (
        {"message": {"type": "image", "text": "a"}},
        "type: must match the message, which is text; 'image' given",
    ),
]


@for_each(("fields", "error"), COMBINATIONS)
def test_a_message_with_no_field_or_with_several_is_refused(fields: dict[str, Any], error: str) -> None:
    assert problems(fields) == [error]


def test_a_type_that_does_not_match_is_reported_with_the_other_problems() -> None:
    assert problems({"message": {"type": "image", "text": ""}}) == [
        "type: must match the message, which is text; 'image' given",
        "text.body: must not be empty",
    ]


@for_each(
    ("given", "kept"),
    [("wamid.1", "wamid.1"), (" 1 ", "1"), (17, "17"), ("", None), (" ", None), (None, None)],
)
def test_reply_to_takes_a_message_id_as_text_or_number(given: object, kept: str | None) -> None:
    assert message_from({"text": "a", "reply_to": given}).reply_to == kept
    assert message_from({"message": {"text": "a", "reply_to": given}}).reply_to == kept
    assert message_from({"message": {"text": "a"}, "reply_to": given}).reply_to == kept


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["1"], "must be the id of an incoming message, a list of 1 given"),
        (True, "must be the id of an incoming message, True given"),
        (1.5, "must be the id of an incoming message, 1.5 given"),
        ("\ud800", "must be valid Unicode text; it has an unpaired surrogate"),
        pytest.param(10**5000, "must be text, a number too large given", id="a huge number"),
    ],
)
def test_an_invalid_reply_to_is_refused(given: object, error: str) -> None:
    assert problems({"text": "a", "reply_to": given}) == [f"reply_to: {error}"]


def test_reply_to_with_a_whatsapp_template_is_refused() -> None:
    assert problems(template() | {"reply_to": "1"}) == ["reply_to: a WhatsApp template can't be a reply"]
    assert message_from(template() | {"reply_to": ""}).reply_to is None


def test_a_text_over_the_limit_is_truncated_with_if_too_long_truncate() -> None:
    for text in ("x" * 5000, {"body": "x" * 5000}):
        assert content({"text": text}, if_too_long="truncate") == {"body": "x" * 4095 + "…"}
        assert content({"message": {"text": text}}, if_too_long="truncate") == {"body": "x" * 4095 + "…"}
    assert content({"text": "x" * 4096}, if_too_long="truncate") == {"body": "x" * 4096}


@for_each("before", ["", "Sales:\n", "x" * 4088, "x" * 4090, "x" * 4092, "x" * 4094])
def test_a_truncated_code_block_is_closed(before: str) -> None:
    text = f"{before}```\n" + "region  7\n" * 500 + "```\nand 3 more"
    body = content({"text": text}, if_too_long="truncate")["body"]
    assert len(body) <= 4096
    assert body.count("```") in (0, 2)
    assert body.endswith(("…\n```", "…"))
    closed = "```\n1\n```" + "x" * 5000
    assert content({"text": closed}, if_too_long="truncate") == {"body": closed[:4095] + "…"}


def test_only_a_text_is_truncated() -> None:
    assert problems({"image": {"link": LINK, "caption": "x" * 1025}}, if_too_long="truncate") == [
        "image.caption: at most 1024 characters, 1025 given"
    ]
    assert problems({"text": {"body": "x" * 5000, "extra": 1}}, if_too_long="truncate") == [
        "text.extra: unknown key; known are body"
    ]
    assert problems({"text": ["x"] * 5000}, if_too_long="truncate") == [
        "text.body: must be text, a list of 5000 given; join it, for example with | join(', ')"
    ]


def test_another_value_of_if_too_long_is_refused() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        message_from({"text": "a"}, if_too_long="split")
    assert str(caught.value) == "if_too_long: must be one of fail, truncate; 'split' given"


# --- what no error may contain--------------------------------------------------------------------------

PHONE = "+8614718004557"
SIGNED = "https://files.example/a.pdf?X-Amz-Signature=5ecret"
ANYWHERE = [
    lambda value: {"image": f"no link but {value}"},
    lambda value: {"message": value},
    lambda value: {"interactive": value},
    lambda value: {"contacts": value},
    lambda value: {"template": value},
    lambda value: {"text": "a", "type": value},
    lambda value: {"text": "a", "reply_to": [value]},
    lambda value: {"interactive": {"type": value}},
    lambda value: interactive(header={"type": value, "text": "a"}),
    lambda value: interactive(body=value),
    lambda value: interactive(action=button_action(*[{"id": value, "title": "a"}] * 2)),
    lambda value: interactive(action={"buttons": value}),
    lambda value: location(longitude=value),
    lambda value: location(link=f"no link but {value}"),
    lambda value: contact(birthday=value),
    lambda value: contact(phones=[{"phone": [value], "type": value}]),
    lambda value: template(name=f"Name {value}"),
    lambda value: template(language={"code": value}),
    lambda value: template(url_button(index=value)),
    lambda value: body(currency(code=value, amount_1000=f"x{value}")),
    lambda value: body(date_time(month=value)),
    lambda value: body({"type": value}),
]


def everything_said(fields: dict[str, Any]) -> str:
    with pytest.raises(InvalidMessageError) as caught:
        message_from(fields)
    error = caught.value
    return f"{error} {error!r} {error.args!r} {error.problems!r}"


@for_each("place", ANYWHERE)
def test_no_error_contains_a_whole_phone_number(place) -> None:
    for number in (PHONE, PHONE[1:], "+86 147-1800-4557", int(PHONE), float(PHONE)):
        said = everything_said(place(number))
        assert "4718004" not in said
        assert "147-1800" not in said


@for_each("place", ANYWHERE)
def test_no_error_contains_the_query_of_a_link(place) -> None:
    assert "5ecret" not in everything_said(place(SIGNED))


@for_each("place", ANYWHERE)
def test_no_error_contains_the_whole_of_a_long_value(place) -> None:
    for value in ("long " * 500, "l" * 61):
        assert value not in everything_said(place(value))


def test_every_message_field_has_a_model() -> None:
    assert len({model_of(name) for name in MESSAGE_FIELDS}) == len(MESSAGE_FIELDS)


def test_only_the_model_of_the_messages_type_is_imported() -> None:
    program = (
        "import sys; from airflow_provider_itnio.api.models import message_from; "
        "message_from({'text': 'hi'}); "
        "print(*sorted(name for name in sys.modules if '.api.models.' in name))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name.rpartition(".")[2] for name in ran.stdout.split()] == ["base", "message", "text"]


def test_a_message_rebuilt_from_its_fields_is_equal() -> None:
    for fields in WHOLE.values():
        message = message_from(fields)
        assert message_from(fields_of(message)) == message
    reply = Message("text", message_from({"text": "a"}).content, "1")
    assert message_from(fields_of(reply)) == reply
