"""Random input gives a message or a readable error."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.api.models import check_fields, message_from
from airflow_provider_itnio.api.protocol import Protocol
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from tests.api.fields import fields_of
from tests.api.input_cases import Odd, anything, keys, quickly
from tests.tables import for_each

PYDANTIC_WORDS = re.compile(
    r"input should|value error|valid dictionary|validation|pydantic|keys should", re.I
)
QUOTED = r"'(\\.|[^'\\])*'|\"(\\.|[^\"\\])*\""
PATH = re.compile(rf"([\w.\[\]<>-]|{QUOTED})+: \S|exactly one of ")


def check_error(error: InvalidMessageError) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.isprintable(), ascii(problem)
        assert PATH.match(problem), problem
        assert len(problem) <= 320, problem
        assert not PYDANTIC_WORDS.search(re.sub(QUOTED, "", problem)), problem


def check(fields: dict[Any, Any], **options: Any) -> None:
    try:
        message = message_from(fields, **options)
    except InvalidMessageError as error:
        check_error(error)
    except InvalidParameterError as error:
        check_error(InvalidMessageError(str(error)))
    else:
        request = Protocol(Credentials("k", "s")).message_request(
            message, recipient="8614718004557", app_id="a", business_phone="91856321321"
        )
        assert request.body is not None
        assert message_from(fields_of(message)) == message


@pytest.fixture(autouse=True, scope="module")
def _ignore_pydantics_unraisable_error() -> Iterator[None]:
    """A ``type`` of 5,000 digits makes pydantic report an unraisable error, and continue."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    yield
    sys.unraisablehook = hook


@pytest.mark.parametrize("kind", [*MESSAGE_FIELDS, "message"])
@quickly
@given(value=anything)
def test_any_value_of_a_field_is_a_message_or_a_readable_error(kind: str, value: object) -> None:
    check({kind: value})


@quickly
@given(
    fields=st.dictionaries(st.sampled_from([*MESSAGE_FIELDS, "message", "type", "reply_to"]) | keys, anything)
)
def test_any_fields_are_a_message_or_a_readable_error(fields: dict[Any, Any]) -> None:
    check(fields)


@quickly
@given(beside=st.dictionaries(st.sampled_from(["type", "reply_to"]), anything), if_too_long=anything)
def test_any_option_is_a_message_or_a_readable_error(beside: dict[str, Any], if_too_long: Any) -> None:
    check({"text": "a"} | beside, if_too_long=if_too_long)
    check({"message": {"text": "a"} | beside})


@quickly
@given(kind=st.sampled_from([*MESSAGE_FIELDS, "message"]), value=anything)
def test_any_value_in_a_dag_file_is_accepted_or_a_readable_error(kind: str, value: object) -> None:
    try:
        check_fields({kind: value}, is_unrendered=lambda part: isinstance(part, Odd))
    except InvalidMessageError as error:
        check_error(error)


INTERACTIVE = st.fixed_dictionaries(
    {"type": st.sampled_from(["list", "button", "location_request_message"])},
    optional={
        "header": anything,
        "body": anything,
        "action": st.dictionaries(st.sampled_from(["button", "buttons", "sections", "name"]), anything)
        | st.fixed_dictionaries(
            {
                "buttons": st.lists(
                    st.fixed_dictionaries(
                        {"reply": st.dictionaries(st.sampled_from(["id", "title"]), anything) | anything}
                    ),
                    max_size=4,
                )
            }
        )
        | st.fixed_dictionaries(
            {
                "sections": st.lists(
                    st.fixed_dictionaries(
                        {"title": anything, "rows": st.lists(anything, max_size=3) | anything}
                    ),
                    max_size=3,
                )
            }
        ),
    },
)
TEMPLATE = st.fixed_dictionaries(
    {"name": anything, "language": anything},
    optional={
        "components": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["header", "body", "button"]) | anything},
                optional={
                    "sub_type": st.sampled_from(["url", "quick_reply"]) | anything,
                    "index": anything,
                    "parameters": st.lists(
                        st.fixed_dictionaries(
                            {"type": st.sampled_from(["text", "image", "currency", "date_time", "payload"])},
                            optional=dict.fromkeys(("text", "image", "currency", "payload"), anything)
                            | {
                                "date_time": st.dictionaries(
                                    st.sampled_from(["hour", "month", "fallback_value"]), anything
                                )
                            },
                        ),
                        max_size=3,
                    )
                    | anything,
                },
            ),
            max_size=3,
        )
    },
)


@quickly
@given(value=INTERACTIVE)
def test_a_mutated_interactive_message_is_a_message_or_a_readable_error(value: dict[str, Any]) -> None:
    check({"interactive": value})


@quickly
@given(value=TEMPLATE)
def test_a_mutated_template_message_is_a_message_or_a_readable_error(value: dict[str, Any]) -> None:
    check({"template": value})


@for_each("kind", MESSAGE_FIELDS)
def test_deep_nesting_is_a_readable_error(kind: str) -> None:
    value: Any = "a"
    for _ in range(20_000):
        value = {"body": value} if kind == "interactive" else [value]
    for fields in ({kind: value}, {"message": {kind: {"body": value, "type": "list"}}}):
        with pytest.raises(InvalidMessageError) as caught:
            message_from(fields)
        check_error(caught.value)
