# ruff: noqa: E501 - in tables a row is a line
from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

from tests.api.fields import (
    LINK,
    body,
    contact,
    currency,
    date_time,
    header,
    interactive,
    list_row,
    location,
)
from tests.api.model_cases import (
    DEGREES,
    FETCHED,
    NO_LINK,
    PLACE,
    content,
    problems,
)
from tests.tables import for_each

# --- short forms and values as text ---------------------------------------------------------------------


@for_each("kind", ["image", "audio", "video", "sticker"])
def test_a_link_is_the_short_form_of_a_media_object(kind: str) -> None:
    assert content({kind: f" {LINK}\n"}) == {"link": LINK}


def test_a_string_is_the_short_form_of_a_text_object() -> None:
    assert content({"text": "  two lines\n"}) == {"body": "  two lines\n"}


@for_each(
    ("link", "filename"),
    [
        ("https://files.example/report.pdf", "report.pdf"),
        ("https://files.example/a/b/report.pdf?X-Amz-Signature=abc#page=2", "report.pdf"),
        ("https://files.example/Monats%20bericht%C3%BC.pdf", "Monats berichtü.pdf"),
        ("https://files.example/a%2Fb.pdf", "b.pdf"),
        ("https://files.example/a%0Ab.pdf", "ab.pdf"),
    ],
)
def test_a_documents_filename_defaults_to_the_last_part_of_its_links_path(link: str, filename: str) -> None:
    assert content({"document": link}) == {"link": link, "filename": filename}
    assert content({"document": {"link": link, "filename": " "}}) == {"link": link, "filename": filename}
    assert content({"document": {"link": link, "filename": "own"}}) == {"link": link, "filename": "own"}


def test_a_single_contact_is_the_short_form_of_a_list_of_one() -> None:
    (card,) = contact()["contacts"]
    assert content({"contacts": card}) == [card]
    assert problems({"contacts": {"name": {}}}) == ["contacts[0].name.formatted_name: required, not given"]


NAME = "contacts[0].name: first_name or another part (last_name, middle_name, suffix, prefix) is required"


def test_a_contact_with_only_a_formatted_name_is_refused_and_the_error_says_how_to_fix_it() -> None:
    for part in ({}, {"first_name": None}, {"suffix": " "}):
        (problem,) = problems(contact(name={"formatted_name": "Ann Smith"} | part))
        assert problem.startswith(NAME)
        assert problem.endswith("the whole name can go into first_name too")
    for part in ("first_name", "last_name", "middle_name", "suffix", "prefix"):
        assert content(contact(name={"formatted_name": "Ann", part: "x"}))[0]["name"][part] == "x"


@for_each(("link", "error"), [
        ("https://a.example/my file.pdf", "must not contain spaces or line breaks, 'https://a.example/my file.pdf' given; write a space as %20"),
        ("https://a.example/a\nb", "must not contain spaces or line breaks, 'https://a.example/a\\nb' given; write a space as %20"),
        ("https://a.example/a\u00a0b", "must not contain spaces or line breaks, 'https://a.example/a\\xa0b' given; write a space as %20"),
        ("https://a.example/\u200ba", "must not contain invisible characters, 'https://a.example/<U+200B>a' given; remove them"),
        ("https://a.example/a\ufe0f", "must not contain invisible characters, 'https://a.example/a<U+FE0F>' given; remove them"),
        ("https://a.example/\x07a", "must not contain invisible characters, 'https://a.example/<U+0007>a' given; remove them"),
        ("/tmp/report.pdf", f"{NO_LINK}, '/tmp/report.pdf' given{FETCHED}"),
        ("./report.pdf", f"{NO_LINK}, './report.pdf' given{FETCHED}"),
        ("C:\\\\report.pdf", f"{NO_LINK}, 'C:\\\\\\\\report.pdf' given{FETCHED}"),
        ("file:///tmp/report.pdf", f"{NO_LINK}, 'file:///tmp/report.pdf' given{FETCHED}"),
        (PurePosixPath("/tmp/report.pdf"), f"{NO_LINK}, '/tmp/report.pdf' given{FETCHED}"),
        ("report.pdf", f"{NO_LINK}, 'report.pdf' given{FETCHED}"),
        ("s3://reports/q3.pdf", f"{NO_LINK}, 's3://reports/q3.pdf' given{FETCHED}"),
        ("gs://reports/q3.pdf", f"{NO_LINK}, 'gs://reports/q3.pdf' given{FETCHED}"),
        ("dbfs:/reports/q3.pdf", f"{NO_LINK}, 'dbfs:/reports/q3.pdf' given{FETCHED}"),
        ("D:/reports/q3.pdf", f"{NO_LINK}, 'D:/reports/q3.pdf' given{FETCHED}"),
        ("www.example.com/q3.pdf", f"{NO_LINK}, 'www.example.com/q3.pdf' given"),
    ])  # fmt: skip
def test_a_link_that_cannot_be_fetched_is_refused_and_the_error_says_how_to_fix_it(
    link: object, error: str
) -> None:
    assert problems({"image": {"link": link}}) == [f"image.link: {error}"]


def test_non_ascii_characters_of_a_link_are_encoded() -> None:
    sent = "https://xn--mnchen-3ya.example:8443/%E6%8A%A5%E5%91%8A%20a.pdf?x=%C3%A9&y=1#z"
    given = "https://münchen.example:8443/报告%20a.pdf?x=é&y=1#z"
    assert content({"document": given}) == {"link": sent, "filename": "报告 a.pdf"}


def test_an_object_may_be_any_mapping() -> None:
    assert content({"text": MappingProxyType({"body": "a"})}) == {"body": "a"}
    assert content({"message": MappingProxyType({"image": MappingProxyType({"link": LINK})})}) == {
        "link": LINK
    }


def test_keys_with_one_possible_value_may_be_left_out() -> None:
    short = interactive(header={"text": "H"}, action={"buttons": [{"reply": {"id": "1", "title": "Yes"}}]})
    assert content(short) == content(interactive(header={"type": "text", "text": "H"}))
    assert content(interactive("location_request_message"))["action"] == {"name": "send_location"}


@for_each(
    ("given", "sent"),
    [
        (62.636152267456, "62.636152267456"),
        (12, "12"),
        (Decimal("12.50"), "12.50"),
        (" -12.5 ", "-12.5"),
        ("+12.5", "+12.5"),
        (1e-7, "0.0000001"),
    ],
)
def test_degrees_are_sent_as_text_without_an_exponent(given: object, sent: str) -> None:
    assert content(location(longitude=given))["longitude"] == sent
    (component,) = content(header(type="location", location=PLACE | {"latitude": given}))["components"]
    assert component["parameters"][0]["location"]["latitude"] == sent


@for_each(
    ("given", "text"),
    [
        (42, "42"),
        (True, "True"),
        (1.5, "1.5"),
        (Decimal("0.10"), "0.10"),
        (date(2025, 1, 31), "2025-01-31"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_scalar_from_native_rendering_is_sent_as_text(given: object, text: str) -> None:
    assert content({"text": given}) == {"body": text}
    assert content({"text": {"body": given}}) == {"body": text}
    assert content(body({"type": "text", "text": given}))["components"][0]["parameters"][0]["text"] == text
    assert content(list_row(description=given))["action"]["sections"][0]["rows"][0]["description"] == text


def test_a_scalars_length_is_that_of_its_text() -> None:
    assert problems(list_row(title=UUID(int=1))) == [
        "interactive.action.sections[0].rows[0].title: at most 24 characters, 36 given"
    ]
    assert problems(list_row(description=10**80)) == [
        "interactive.action.sections[0].rows[0].description: at most 72 characters, 81 given"
    ]


def test_a_number_of_a_million_digits_is_refused_as_degrees() -> None:
    assert problems(location(longitude="1" * 1_000_002)) == [f"location.longitude: {DEGREES}, '11…11' given"]


def test_a_documents_link_that_cannot_be_parsed_is_refused() -> None:
    assert problems({"document": "https://[::1/a.pdf"}) == [
        f"document.link: {NO_LINK}, 'https://[::1/a.pdf' given"
    ]


def test_a_generator_that_raises_while_it_is_read_is_refused() -> None:
    def broken() -> Any:
        yield {"reply": {"id": "1", "title": "1"}}
        raise RuntimeError("gone")

    assert problems(interactive(action={"buttons": broken()})) == [
        "interactive.action.buttons[1]: can't be read, a value of type generator given"
    ]


def test_a_list_may_be_given_as_a_generator() -> None:
    replies = [{"reply": {"id": f"{n}", "title": f"{n}"}} for n in range(4)]
    assert content(interactive(action={"buttons": iter(replies[:3])})) == content(
        interactive(action={"buttons": replies[:3]})
    )
    (problem,) = problems(interactive(action={"buttons": iter(replies)}))
    assert problem.startswith("interactive.action.buttons: at most 3 buttons, ")


def test_whole_numbers_may_be_given_as_text() -> None:
    parameters = [currency(amount_1000=" 100990 "), date_time(hour="15", year=1977.0)]
    assert content(body(*parameters))["components"][0]["parameters"] == [
        currency(amount_1000=100990),
        date_time(hour=15, year=1977),
    ]
