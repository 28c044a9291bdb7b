"""For any data, only this package's own errors are raised, and no missing value is sent."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_itnio.api.describe import describe_key, describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError, ItnioError
from airflow_provider_itnio.api.models import check_fields, message_from
from airflow_provider_itnio.api.phone_numbers import normalize_phone
from airflow_provider_itnio.broadcast.recipients import (
    InvalidRecipient,
    Recipient,
    Recipients,
    excluded_numbers,
    recipient_list,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import MESSAGE_FIELDS, template_message
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.any_data import (
    ARRAYS,
    GAPS,
    HOSTILE,
    NESTED,
    NUMBER,
    SCALARS,
    HostileDict,
    HostileList,
    Plain,
    Word,
    data,
    leaves,
)
from tests.api.fields import body, contact, currency, date_time, interactive, location
from tests.tables import for_each

quickly = settings(
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)

KEYS = st.sampled_from(
    ["body", "link", "type", "text", "action", "buttons", "rows", "reply", "id", "name", "language", "phone"]
)
anything = data(KEYS)
recipients = data(st.sampled_from(["phone", "name"]))
ODD = {f"{kind} {index}": value for kind, values in (
    ("hostile", HOSTILE), ("scalar", SCALARS), ("gap", GAPS), ("array", ARRAYS), ("nested", NESTED)
) for index, value in enumerate(values)}  # fmt: skip
odd = for_each("name", ODD)
# Airflow itself reads a value's class.
in_airflow = for_each("name", [name for name in ODD if name != "hostile 0"])


def check_error(error: InvalidMessageError) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.isprintable(), ascii(problem)
        assert len(problem) <= 400, problem


@pytest.fixture(autouse=True, scope="module")
def _ignore_pydantics_unraisable_error() -> Iterator[None]:
    """A ``type`` of 5,000 digits makes pydantic report an unraisable error, and continue."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    yield
    sys.unraisablehook = hook


# --- messages -------------------------------------------------------------------------------------------

PLACES = {
    **{kind: (lambda value, kind=kind: {kind: value}) for kind in (*MESSAGE_FIELDS, "message")},
    "body": lambda value: {"text": {"body": value}},
    "key": lambda value: {"text": {"body": "a", value if type(value) is str else "b": value}},
    "reply_to": lambda value: {"text": "a", "reply_to": value},
    "type": lambda value: {"text": "a", "type": value},
    "caption": lambda value: {"image": {"link": "https://a.example/b", "caption": value}},
    "degrees": lambda value: location(longitude=value, latitude=value),
    "discriminator": lambda value: {"interactive": {"type": value, "body": {"text": "a"}}},
    "buttons": lambda value: interactive(action={"buttons": value}),
    "name": lambda value: contact(name=value),
    "phone": lambda value: contact(phones=[{"phone": value, "wa_id": value, "type": value}]),
    "value": lambda value: body({"type": "text", "text": value}),
    "amount": lambda value: body(currency(amount_1000=value)),
    "hour": lambda value: body(date_time(hour=value)),
}


def checked(fields: dict[Any, Any], **options: Any) -> Any:
    try:
        message = message_from(fields, **options)
    except InvalidMessageError as error:
        check_error(error)
        return None
    message.content.model_dump_json(exclude_none=True)
    return message


@for_each("place", PLACES)
@odd
def test_an_odd_value_in_any_field_is_a_message_or_a_readable_error(place: str, name: str) -> None:
    fields = PLACES[place](ODD[name])
    checked(fields)
    try:
        check_fields(fields, is_unrendered=lambda value: False)
    except InvalidMessageError as error:
        check_error(error)


@odd
def test_an_odd_option_is_a_readable_error(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"^if_too_long: must be one of .* given$") as caught:
        message_from({"text": "a"}, if_too_long=ODD[name])
    assert NUMBER not in str(caught.value)


@quickly
@given(kind=st.sampled_from([*MESSAGE_FIELDS, "message"]), value=anything)
def test_any_data_is_a_message_or_a_readable_error(kind: str, value: Any) -> None:
    checked({kind: value})


@odd
def test_an_odd_value_can_be_described(name: str) -> None:
    for described in (describe_value(ODD[name]), describe_key(ODD[name])):
        assert described.isprintable()
        assert len(described) <= 80
        assert NUMBER not in described


@for_each("gap", GAPS)
@for_each("place", [name for name in PLACES if name != "key"])
def test_the_error_of_a_missing_value_names_it(place: str, gap: Any) -> None:
    with pytest.raises(InvalidMessageError, match=r"a missing value \((nan|NaN|sNaN|NaT|<NA>|None)\) given"):
        message_from(PLACES[place](gap))


@for_each(
    ("value", "text"),
    [
        (np.int64(1204), "1204"),
        (np.float64(12.5), "12.5"),
        (np.float32(0.1), "0.1"),
        (np.bool_(True), "True"),
        (np.str_("a"), "a"),
        (np.array(7), "7"),
        (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02 03:04:05"),
        (pd.Timestamp("2026-01-02 03:04:05"), "2026-01-02 03:04:05"),
        (pd.Series([1204]).sum(), "1204"),
        (Decimal("12.50"), "12.50"),
        (Fraction(1, 3), "1/3"),
        (Word.TEXT, "text"),
        (Plain.WORD, "text"),
        (pd.Timedelta(days=1), "1 days 00:00:00"),
    ],
)
def test_a_scalar_of_any_library_is_sent_as_text(value: Any, text: str) -> None:
    assert message_from({"text": value}).content.body == text
    template = message_from({"template": template_message("a", "en", body=["Monday", value])})
    assert template.content.components[0].parameters[1].text == text


@for_each("value", [*ARRAYS[:2], *ARRAYS[3:], b"a", object(), pd.Period("2026")])
def test_the_error_of_another_value_names_its_type(value: Any) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        message_from({"text": value})
    assert str(caught.value) == f"text.body: must be text, a value of type {type(value).__name__} given"


@for_each(
    ("value", "degrees"),
    [
        (np.float64(52.5), "52.5"),
        (np.float32(52.1), "52.1"),
        (np.int64(52), "52"),
        (Decimal("52.50"), "52.50"),
        (Decimal("5.25E+1"), "52.5"),
        (Fraction(105, 2), "52.5"),
        (np.array(52.5), "52.5"),
        (Decimal("1E-999999999"), "0"),
    ],
)
def test_any_real_number_is_accepted_as_a_coordinate(value: Any, degrees: str) -> None:
    assert message_from(location(latitude=value, longitude=value)).content.longitude == degrees


@for_each("value", [float("inf"), np.float64("-inf"), Decimal("Infinity"), Decimal("1E+99")])
def test_a_coordinate_out_of_range_is_refused(value: Any) -> None:
    with pytest.raises(
        InvalidMessageError, match=f"must be decimal degrees from -90 to 90, '{re.escape(str(value))}'"
    ):
        message_from(location(latitude=value))


@for_each("value", [np.int64(5), np.float64(5), Decimal("5.0"), Fraction(5), np.float32(5), "5"])
def test_a_whole_number_of_any_type_is_accepted_as_an_int(value: Any) -> None:
    parameters = (
        message_from(body(currency(amount_1000=value), date_time(hour=value)))
        .content.components[0]
        .parameters
    )
    assert (parameters[0].currency.amount_1000, parameters[1].date_time.hour) == (5, 5)


@pytest.mark.parametrize("value", [1e17, np.float64(2**53), np.float32(16_777_217)])
def test_a_float_that_has_lost_digits_is_refused_as_an_int(value: Any) -> None:
    with pytest.raises(InvalidMessageError, match="that has lost digits given; give it as int or text"):
        message_from(body(currency(amount_1000=value)))


def test_a_str_enum_member_is_accepted_as_a_string() -> None:
    fields = interactive("location_request_message")["interactive"]
    kind = Word("list")
    assert message_from({"interactive": interactive("list")["interactive"] | {"type": kind}}) == message_from(
        interactive("list")
    )
    assert message_from({"interactive": fields, "type": "interactive"}).type == "interactive"


def test_a_phone_number_as_a_float_is_sent_as_digits() -> None:
    card = message_from(contact(phones=[{"phone": float(NUMBER), "wa_id": np.float64(NUMBER)}])).content.root[
        0
    ]
    assert card.phones is not None
    assert (card.phones[0].phone, card.phones[0].wa_id) == (NUMBER, NUMBER)


# --- recipients -----------------------------------------------------------------------------------------


@odd
def test_an_odd_recipient_is_a_number_or_a_readable_error(name: str) -> None:
    value = ODD[name]
    for number in (value, {"phone": value}):
        people = list(Recipients([NUMBER, number, "91856321322"]))
        assert [one.position for one in people] in ([0, 1, 2], [0, 2])
        assert isinstance(people[0], Recipient)
        assert isinstance(people[-1], Recipient)
        for one in people:
            if isinstance(one, InvalidRecipient):
                assert one.problem.startswith("recipients[1]")
                assert NUMBER not in one.problem
                assert one.problem.isprintable()
    for read in (normalize_phone, recipient_list, excluded_numbers):
        try:
            read(value)
        except InvalidMessageError as error:
            check_error(error)


@quickly
@given(value=recipients)
def test_any_data_as_recipients_are_recipients_or_a_readable_error(value: Any) -> None:
    for read in (normalize_phone, recipient_list, excluded_numbers):
        try:
            read(value)
        except InvalidMessageError as error:
            check_error(error)
    given_in_list = value if type(value) is list else [value]
    people = Recipients(given_in_list)
    found = list(people)
    assert len(found) + people.duplicates == len(given_in_list)
    assert all(isinstance(one, (Recipient, InvalidRecipient)) for one in found)


# --- over a socket --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("connection")
@quickly
@given(recipient=leaves, kind=st.sampled_from(MESSAGE_FIELDS), value=anything)
def test_the_hook_sends_any_data_or_raises_its_own_error(
    recipient: Any, kind: str, value: Any, sandbox: Any
) -> None:
    for fields in ({kind: value}, {"text": value if type(value) is not dict else "a"}):
        for number in (recipient, NUMBER):
            try:
                receipt = ItnioHook().send(number, **fields)
            except InvalidMessageError as error:
                check_error(error)
            else:
                assert sandbox.messages[-1].recipient == receipt.recipient


@pytest.mark.usefixtures("connection")
@in_airflow
@for_each("field", ["recipient", "text", "message"])
def test_an_odd_value_in_the_operator_fails_the_task_at_once_or_is_sent(
    field: str, name: str, sandbox: Any
) -> None:
    value = {"text": ODD[name]} if field == "message" else ODD[name]
    operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="a")
    # As after rendering; Airflow's __setattr__ would search the value for XComArgs.
    vars(operator).update({"text": None if field == "message" else "a"} | {field: value})
    try:
        receipt = operator.execute({})
    except AirflowFailException as error:
        check_error(cast("InvalidMessageError", error.__cause__))
    else:
        assert sandbox.messages[-1].recipient == receipt["recipient"]


@pytest.mark.usefixtures("connection")
@in_airflow
def test_an_odd_recipient_of_an_alert_does_not_affect_the_others(name: str, sandbox: Any) -> None:
    notifier = WhatsAppNotifier(recipients=[NUMBER, "91856321322"], text="a")
    notifier.recipients = [NUMBER, ODD[name], "91856321322"]
    with suppress(ItnioError):
        notifier.notify({"dag": None})
    assert {NUMBER, "91856321322"} <= {message.recipient for message in sandbox.messages}


@pytest.mark.usefixtures("connection")
@for_each(
    ("value", "text"),
    [
        (np.int64(1204), "1204"),
        (Decimal("12.50"), "12.50"),
        (Word.TEXT, "text"),
        (pd.Timestamp("2026-01-02"), "2026-01-02 00:00:00"),
    ],
)
def test_scalars_of_other_libraries_are_sent_by_both_clients(value: Any, text: str, sandbox: Any) -> None:
    ItnioHook().send(np.int64(NUMBER), text=value)
    asyncio.run(ItnioHook().asend(Decimal(NUMBER), text=value))
    assert [(message.recipient, message.text) for message in sandbox.messages] == [(NUMBER, text)] * 2


def test_the_error_of_an_unreadable_container_names_the_field() -> None:
    for value in (HostileDict(), HostileList([1])):
        with pytest.raises(InvalidMessageError, match=r"^interactive: can't be read, "):
            message_from({"interactive": {"type": "list", "action": value}})
    for value in NESTED:
        with pytest.raises(InvalidMessageError, match=r"^contacts: is nested too deep$"):
            message_from({"contacts": [value]})
