"""Each status code of the vendor's pages, read again here and not taken from the package."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ContentError,
    ItnioError,
    PlatformError,
    RecipientError,
    RefusedError,
    SenderError,
)
from airflow_provider_itnio.api.status_codes import BALANCE_CODES, MESSAGE_CODES, status_code
from tests.tables import for_each

SEND_PAGE = {
    AccountError: [-68, -69],
    RecipientError: [-70, -71, -72],
    SenderError: [-93, -94, -95, -96, -97],
    ContentError: [
        -112, -114, -115, -116, -117, -118, -119, -120, -121, -122, -123, -124, -125, -127, -128, -129, -132,
        -133, -134, -135,
    ],
}  # fmt: skip
WHATSAPP_PAGES = {
    AuthenticationError: [-1, -4, -6],
    ContentError: [-2, -7, -8, -38, -44, -74, -76, -83],
    AccountError: [-10, -14],
    PlatformError: [-5, -12],
}
ASSUMED_OF_MESSAGES = {
    AuthenticationError: [-16, -30, -31, -32],
    AccountError: [-13],
    PlatformError: [-18],
}
BALANCE_PAGE = {AuthenticationError: [-1, -2, -16], AccountError: [-13], PlatformError: [-18]}
ASSUMED_OF_BALANCE = {AuthenticationError: [-30, -31, -32], AccountError: [-29], PlatformError: [-12, -15]}


def rows(*tables: dict[type[RefusedError], list[int]]) -> list[tuple[int, type[RefusedError]]]:
    return [(code, family) for table in tables for family, codes in table.items() for code in codes]


MESSAGE_TEXTS = rows(SEND_PAGE, WHATSAPP_PAGES, ASSUMED_OF_MESSAGES)
BALANCE_TEXTS = rows(BALANCE_PAGE, ASSUMED_OF_BALANCE)


@for_each(("code", "family"), MESSAGE_TEXTS)
def test_each_message_status_code_has_its_error_class(code: int, family: type[RefusedError]) -> None:
    status = status_code(MESSAGE_CODES, code)
    assert (status.code, status.error_class) == (code, family)
    assert status.transient == (code in (-5, -12, -18))
    assert status.clock == (code in (-4, -16))
    assert status.meaning


@for_each(("code", "family"), BALANCE_TEXTS)
def test_each_balance_status_code_has_its_error_class(code: int, family: type[RefusedError]) -> None:
    status = status_code(BALANCE_CODES, code)
    assert (status.code, status.error_class) == (code, family)
    assert status.transient == (code in (-12, -15, -18))
    assert status.clock == (code == -16)
    assert status.meaning


def test_no_other_code_is_listed() -> None:
    assert sorted(MESSAGE_CODES) == sorted(code for code, _ in MESSAGE_TEXTS)
    assert sorted(BALANCE_CODES) == sorted(code for code, _ in BALANCE_TEXTS)


@for_each("table", [MESSAGE_CODES, BALANCE_CODES])
@for_each("code", [-113, -126, -130, -131, -3, -99999])
def test_an_unlisted_code_is_a_refusal_that_is_not_transient(table, code: int) -> None:
    status = status_code(table, code)
    assert status.error_class is RefusedError
    assert (status.meaning, status.transient, status.clock) == ("not a documented code", False, False)


@for_each(
    ("code", "of_message", "of_balance"),
    [
        (-2, "WhatsApp template is in a state that does not allow this", "IP address not allowed"),
        (-12, "network exception on the platform", "an error on the platform's side"),
        (-4, "timestamp expired", "not a documented code"),
        (-15, "not a documented code", "too many requests"),
        (-68, "balance too low", "not a documented code"),
    ],
)
def test_the_same_code_has_another_meaning_on_the_balance_endpoint(
    code: int, of_message: str, of_balance: str
) -> None:
    assert status_code(MESSAGE_CODES, code).meaning == of_message
    assert status_code(BALANCE_CODES, code).meaning == of_balance


def test_the_meaning_of_a_missing_part_names_the_part() -> None:
    places = ["text", "image", "audio", "video", "sticker", "document"]
    codes = [(-114, -115), (-116, -117), (-118, -119), (-120, -121), (-122, -123), (-124, -125)]
    for place, (whole, part) in zip(places, codes, strict=True):
        assert MESSAGE_CODES[whole].meaning == f"{place} is empty"
        assert MESSAGE_CODES[part].meaning == f"{place}.{'body' if place == 'text' else 'link'} is empty"


def test_every_error_class_is_a_refused_error_and_an_itnio_error() -> None:
    for status in (*MESSAGE_CODES.values(), *BALANCE_CODES.values()):
        assert issubclass(status.error_class, RefusedError)
        assert issubclass(status.error_class, ItnioError)


@for_each(("code", "family"), MESSAGE_TEXTS)
def test_codes_of_the_account_or_the_sender_affect_all_recipients(
    code: int, family: type[RefusedError]
) -> None:
    of_all = family in (AuthenticationError, AccountError, SenderError)
    # A missing price (-69) affects one destination only.
    assert status_code(MESSAGE_CODES, code).affects_all == (of_all and code != -69)


@pytest.mark.parametrize("code", [-113, -999])
def test_an_unlisted_code_does_not_affect_all_recipients(code: int) -> None:
    assert not status_code(MESSAGE_CODES, code).affects_all
