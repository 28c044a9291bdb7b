"""Any random valid message is accepted."""

from __future__ import annotations

import re
import string
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.characters import is_invisible
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.phone_numbers import normalize_phone
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from tests.api.fields import fields_of
from tests.api.input_cases import anything, quickly

# --- phone numbers --------------------------------------------------------------------------------------

written_numbers = st.text(st.sampled_from("0123456789+ ()-./,;\n\u200e\u2060＋٣"), max_size=30)


@quickly
@given(value=anything | written_numbers | st.integers(min_value=0, max_value=10**20))
def test_any_phone_number_becomes_digits_or_an_error_that_does_not_show_it(value: Any) -> None:
    try:
        digits = normalize_phone(value)
    except InvalidMessageError as error:
        (problem,) = error.problems
        assert problem.startswith("recipient: ")
        assert "\n" not in problem
        assert len(problem) <= 300
        for number in (
            re.findall(r"\d{7,}", re.sub(r"[^\d,;\n]", "", str(value))) if isinstance(value, str) else []
        ):
            assert number not in problem
    else:
        assert re.fullmatch(r"[1-9][0-9]{6,13}", digits)
        assert normalize_phone(digits) == digits


# --- valid messages ------------------------------------------------------------------------------------

characters = st.characters(exclude_categories=["Cs"])


def words(limit: int, alphabet: Any = characters) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=limit).filter(lambda text: not is_invisible(text))


one_line_characters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])


def one_line(limit: int) -> st.SearchStrategy[str]:
    return words(limit, one_line_characters).filter(lambda text: " " * 5 not in text)


def maybe(**optional: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: strategy | st.none() for name, strategy in optional.items()}


def an_object(**required: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return required


segments = st.text(string.ascii_letters + string.digits + "-_.~%", min_size=1, max_size=12)
links = st.builds(
    "{}://{}.example/{}/{}.pdf{}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.text(string.ascii_lowercase, min_size=1, max_size=9),
    segments,
    segments.filter(lambda s: "%" not in s),
    st.sampled_from(["", "?a=b", "#c"]),
)
captions = maybe(caption=words(1024))


def degrees(limit: int) -> st.SearchStrategy[Any]:
    return (
        st.decimals(-limit, limit, places=6).map(lambda number: format(number, "f"))
        | st.floats(-limit, limit)
        | st.integers(-limit, limit)
    )


places = an_object(longitude=degrees(180), latitude=degrees(90), name=words(30), address=words(30))
line = st.fixed_dictionaries(an_object(text=words(60)))
heading = st.fixed_dictionaries(an_object(text=words(60)), optional={"type": st.just("text")})
around = maybe(header=heading, footer=line)
body_of_interactive = st.fixed_dictionaries(an_object(text=words(1024)))
unblank = words(256).filter(lambda text: text == text.strip())
replies = st.lists(
    st.fixed_dictionaries(an_object(id=unblank, title=words(20))),
    min_size=1,
    max_size=3,
    unique_by=(lambda r: r["id"], lambda r: r["title"]),
)
list_rows = st.lists(
    st.fixed_dictionaries(an_object(id=words(200), title=words(24)), optional=maybe(description=words(72))),
    min_size=1,
    max_size=10,
    unique_by=lambda row: row["id"],
)


@st.composite
def list_actions(draw: st.DrawFn) -> dict[str, Any]:
    every = draw(list_rows)
    cut = draw(st.integers(1, len(every)))
    parts = [part for part in (every[:cut], every[cut:]) if part]
    return {
        "button": draw(words(20)),
        "sections": [{"title": draw(words(24)), "rows": part} for part in parts],
    }


interactives = (
    st.fixed_dictionaries(
        an_object(
            type=st.just("button"),
            body=body_of_interactive,
            action=replies.map(lambda all_: {"buttons": [{"type": "reply", "reply": one} for one in all_]}),
        ),
        optional=around,
    )
    | st.fixed_dictionaries(
        an_object(type=st.just("list"), body=body_of_interactive, action=list_actions()), optional=around
    )
    | st.fixed_dictionaries(
        an_object(type=st.just("location_request_message"), body=body_of_interactive),
        optional={"action": st.just({"name": "send_location"})},
    )
)
home_or_work = st.sampled_from(["HOME", "WORK"])
contacts = st.lists(
    st.fixed_dictionaries(
        an_object(
            name=st.fixed_dictionaries(
                an_object(formatted_name=words(30), first_name=words(20)), optional=maybe(suffix=words(5))
            )
        ),
        optional=maybe(
            birthday=st.dates().map(date.isoformat),
            phones=st.lists(
                st.fixed_dictionaries(
                    an_object(phone=words(20)),
                    optional=maybe(
                        type=st.sampled_from(["CELL", "MAIN", "IPHONE", "HOME", "WORK"]), wa_id=words(14)
                    ),
                ),
                max_size=2,
            ),
            emails=st.lists(
                st.fixed_dictionaries(an_object(email=words(20)), optional=maybe(type=home_or_work)),
                max_size=2,
            ),
            urls=st.lists(
                st.fixed_dictionaries(an_object(url=words(20)), optional=maybe(type=home_or_work)), max_size=2
            ),
            addresses=st.lists(
                st.fixed_dictionaries(
                    {},
                    optional=maybe(street=words(9), zip=words(9), country_code=words(2), type=home_or_work),
                ),
                max_size=2,
            ),
            org=st.fixed_dictionaries({}, optional=maybe(company=words(20), title=words(20))),
        ),
    ),
    min_size=1,
    max_size=5,
)


def parameter(kind: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), kind: inner})


header_parameters = (
    parameter("text", one_line(60))
    | parameter("image", st.fixed_dictionaries(an_object(link=links)))
    | parameter("video", st.fixed_dictionaries(an_object(link=links)))
    | parameter("document", st.fixed_dictionaries(an_object(link=links), optional=maybe(filename=words(20))))
    | parameter("location", st.fixed_dictionaries(places))
)
body_parameters = (
    parameter("text", one_line(1024))
    | parameter("currency", st.fixed_dictionaries(an_object(
        fallback_value=one_line(20),
        code=st.text(string.ascii_uppercase, min_size=3, max_size=3),
        amount_1000=st.integers(-(2**63) + 1, 2**63 - 1),
    )))
    | parameter("date_time", st.fixed_dictionaries(an_object(fallback_value=one_line(20)), optional=maybe(
        day_of_week=st.integers(1, 7), year=st.integers(0, 9999), month=st.integers(1, 12),
        day_of_month=st.integers(1, 31), hour=st.integers(0, 23), minute=st.integers(0, 59),
        calendar=words(10),
    )))
)  # fmt: skip
buttons_of_templates = (
    st.integers(0, 9)
    .map(str)
    .flatmap(
        lambda index: (
            st.fixed_dictionaries(
                {
                    "type": st.just("button"),
                    "sub_type": st.just("url"),
                    "index": st.just(index),
                    "parameters": st.tuples(parameter("text", one_line(1024))).map(list),
                }
            )
            | st.fixed_dictionaries(
                {
                    "type": st.just("button"),
                    "sub_type": st.just("quick_reply"),
                    "index": st.just(index),
                    "parameters": st.tuples(parameter("payload", words(50))).map(list),
                }
            )
        )
    )
)
components = (
    st.fixed_dictionaries({"type": st.just("header"), "parameters": st.tuples(header_parameters).map(list)})
    | st.fixed_dictionaries(
        {"type": st.just("body"), "parameters": st.lists(body_parameters, min_size=1, max_size=20)}
    )
    | buttons_of_templates
)
templates = st.fixed_dictionaries(
    an_object(
        name=st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=512),
        language=st.fixed_dictionaries(an_object(code=st.sampled_from(["en", "zh_TW", "fil", "es_MX"]))),
    ),
    optional=maybe(
        components=st.lists(components, max_size=4, unique_by=lambda part: (part["type"], part.get("index")))
    ),
)
VALID = {
    "text": words(4096) | st.fixed_dictionaries(an_object(body=words(4096))) | st.integers() | st.dates(),
    "image": links | st.fixed_dictionaries(an_object(link=links), optional=captions),
    "audio": links | st.fixed_dictionaries(an_object(link=links)),
    "video": links | st.fixed_dictionaries(an_object(link=links), optional=captions),
    "document": links
    | st.fixed_dictionaries(an_object(link=links), optional=captions | maybe(filename=words(40))),
    "sticker": links | st.fixed_dictionaries(an_object(link=links)),
    "location": st.fixed_dictionaries(places, optional=maybe(link=links)),
    "interactive": interactives,
    "contacts": contacts | contacts.map(lambda cards: cards[0]),
    "template": templates,
}  # fmt: skip


@pytest.mark.parametrize("kind", MESSAGE_FIELDS)
@quickly
@given(data=st.data())
def test_any_valid_fields_make_a_message_that_can_be_rebuilt_from_its_fields(
    kind: str, data: st.DataObject
) -> None:
    fields = {kind: data.draw(VALID[kind])}
    if kind != "template":
        fields["reply_to"] = data.draw(st.none() | words(20))
    message = message_from(fields)
    assert message_from(fields_of(message)) == message
    assert message_from({"message": fields}) == message
