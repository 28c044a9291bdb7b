"""Builders accept the API's objects and upstream outputs, and refuse anything else by name."""

from __future__ import annotations

import inspect
import json
from collections import UserDict
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, literal, task
from airflow.providers.standard.operators.empty import EmptyOperator
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.messages import (
    contact_card,
    list_menu,
    location_request,
    reply_buttons,
    template_message,
)
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.tables import for_each

BUTTON = {"type": "reply", "reply": {"id": "yes", "title": "Yes"}}
ROW = {"id": "sales", "title": "Sales", "description": "of the last day"}
NUMBER = "+86 147-1800-4557"
BUILDERS = (reply_buttons, list_menu, location_request, contact_card, template_message)


def sent(**fields: Any) -> Any:
    """The message's content as the JSON that is sent."""
    return json.loads(to_json(message_from(fields).content, exclude_none=True))


# --- the API's own objects ------------------------------------------------------------------------------

API_OBJECTS = {
    "buttons": (reply_buttons("Go?", [BUTTON]), reply_buttons("Go?", {"yes": "Yes"})),
    "reply objects": (reply_buttons("Go?", [BUTTON["reply"]]), reply_buttons("Go?", {"yes": "Yes"})),
    "a button whose id is reply": (
        reply_buttons("Go?", {"reply": "Yes"}),
        reply_buttons("Go?", [{"id": "reply", "title": "Yes"}]),
    ),
    "body, header and footer": (
        reply_buttons(
            {"text": "Go?"}, {"a": "A"}, header={"type": "text", "text": "h"}, footer={"text": "f"}
        ),
        reply_buttons("Go?", {"a": "A"}, header="h", footer="f"),
    ),
    "sections": (
        list_menu("Which?", "Open", [{"title": "S", "rows": [ROW]}]),
        list_menu("Which?", "Open", {"S": {"sales": ("Sales", "of the last day")}}),
    ),
    "rows": (
        list_menu("Which?", "Open", {"S": [ROW]}),
        list_menu("Which?", "Open", {"S": {"sales": {"title": "Sales", "description": "of the last day"}}}),
    ),
    "rows in a section": (
        list_menu("Which?", "Open", [{"title": "S", "rows": {"sales": "Sales"}}]),
        list_menu("Which?", "Open", {"S": {"sales": "Sales"}}),
    ),
    "columns of a table": (
        list_menu("Which?", "Open", {"S": {"id": "Id", "title": "Title", "name": "Name"}}),
        list_menu("Which?", "Open", {"S": [{"id": n, "title": n.title()} for n in ("id", "title", "name")]}),
    ),
    "the body of a location request": (location_request({"text": "Where?"}), location_request("Where?")),
}
CONTACTS = {
    "a name": (
        contact_card({"formatted_name": "Ana", "first_name": "Ana"}, company={"company": "Shop"}),
        contact_card("Ana", company="Shop"),
    ),
    "one phone and e-mail": (
        contact_card("Ana", phone={"phone": "1", "type": "CELL"}, email={"email": "a", "type": "WORK"}),
        contact_card("Ana", phone="1", email="a"),
    ),
    "several": (
        contact_card("Ana", phone=[{"phone": "1", "type": "CELL"}], email=["a"]),
        contact_card("Ana", phone="1", email="a"),
    ),
}
TEMPLATES = {
    "values": (
        template_message(
            "t", "en", header={"type": "text", "text": "h"}, body=[{"type": "text", "text": "b"}]
        ),
        template_message("t", "en", header="h", body=["b"]),
    ),
    "components": (
        template_message(
            "t",
            {"code": "en"},
            header={"type": "header", "parameters": [{"type": "text", "text": "h"}]},
            body={"type": "body", "parameters": [{"type": "text", "text": "b"}]},
            buttons=[
                {"sub_type": "url", "parameters": [{"type": "text", "text": "u"}]},
                {
                    "type": "button",
                    "sub_type": "quick_reply",
                    "index": "1",
                    "parameters": [{"type": "payload", "payload": "p"}],
                },
            ],
        ),
        template_message("t", "en", header="h", body=["b"], buttons=[{"url": "u"}, {"quick_reply": "p"}]),
    ),
    "a link in its object": (
        template_message("t", "en", header={"image": {"link": "https://a.example/a.png"}}),
        template_message("t", "en", header={"image": "https://a.example/a.png"}),
    ),
    "texts that an upstream task gave": (
        template_message("t", "en", body={"parameters": ["Monday", 1204]}),
        template_message("t", "en", body=["Monday", "1204"]),
    ),
}


@for_each(("pasted", "built"), API_OBJECTS.values())
def test_the_apis_interactive_objects_can_be_pasted(pasted: Any, built: Any) -> None:
    assert sent(interactive=pasted) == sent(interactive=built)


@pytest.mark.parametrize(("pasted", "built"), CONTACTS.values(), ids=CONTACTS)
def test_the_apis_contact_objects_can_be_pasted(pasted: Any, built: Any) -> None:
    assert sent(contacts=pasted) == sent(contacts=built)


@for_each(("pasted", "built"), TEMPLATES.values())
def test_the_apis_template_objects_can_be_pasted(pasted: Any, built: Any) -> None:
    assert sent(template=pasted) == sent(template=built)


def test_template_values_may_be_numbers_and_dates() -> None:
    built = template_message("t", "en", body=[1204, 2.5, Decimal("1.50"), date(2026, 7, 1)])
    texts = [value["text"] for value in sent(template=built)["components"][0]["parameters"]]
    assert texts == ["1204", "2.5", "1.50", "2026-07-01"]


# --- the outputs of upstream tasks ----------------------------------------------------------------------

UPSTREAM = {
    "text": "a text",
    "row": ROW,
    "rows": [ROW],
    "sections": [{"title": "S", "rows": [ROW]}],
    "buttons": [BUTTON],
    "values": [
        "Monday",
        1204,
        {"currency": {"fallback_value": "1 $", "code": "USD", "amount_1000": 1000}},
        {"date_time": {"fallback_value": "today"}},
    ],
    "button": {
        "type": "button",
        "sub_type": "url",
        "index": "0",
        "parameters": [{"type": "text", "text": "u"}],
    },
}
OF_UPSTREAM: dict[str, Any] = {
    "a row's title": lambda up: {"interactive": list_menu("q", "Open", {"S": {"sales": up["text"]}})},
    "a row's description": lambda up: {
        "interactive": list_menu("q", "Open", {"S": {"sales": ("Sales", up["text"])}})
    },
    "a row": lambda up: {"interactive": list_menu("q", "Open", {"S": [up["row"]]})},
    "rows": lambda up: {"interactive": list_menu("q", "Open", {"S": up["rows"]})},
    "sections": lambda up: {"interactive": list_menu("q", "Open", up["sections"])},
    "the label": lambda up: {"interactive": list_menu(up["text"], up["text"], {"S": {"a": "A"}})},
    "a button's title": lambda up: {"interactive": reply_buttons("q", {"yes": up["text"]})},
    "buttons": lambda up: {"interactive": reply_buttons("q", up["buttons"], header=up["text"])},
    "a location request": lambda up: {"interactive": location_request(up["text"])},
    "a card": lambda up: {
        "contacts": [contact_card(up["text"], phone=up["text"], email=up["text"], company=up["text"])]
    },
    "a template's value": lambda up: {"template": template_message("t", "en", body=[up["text"]])},
    "a template's values": lambda up: {"template": template_message("t", "en", body=up["values"])},
    "a template's header": lambda up: {"template": template_message("t", "en", header=up["text"])},
    "the end of a url": lambda up: {"template": template_message("t", "en", buttons=[{"url": up["text"]}])},
    "a template's button": lambda up: {"template": template_message("t", "en", buttons=[up["button"]])},
}


@for_each("fields", OF_UPSTREAM.values())
def test_the_output_of_an_upstream_task_is_sent(fields: Any, sandbox: Any) -> None:
    with DAG("built", schedule=None):
        outputs = {name: EmptyOperator(task_id=name).output for name in UPSTREAM}
        operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields(outputs))
    assert operator.upstream_task_ids
    sandbox.execute(operator, xcoms=UPSTREAM)
    (message,) = sandbox.messages
    (name,) = {"interactive", "contacts", "template"} & set(message.body)
    assert message.body[name] == sent(**fields(UPSTREAM))


def test_the_outputs_of_a_mapped_task_may_be_a_templates_values(sandbox: Any) -> None:
    with DAG("built", schedule=None):
        values = task(task_id="value")(lambda number: number).expand(number=[1, 2])
        as_they_are = WhatsAppSendOperator(
            task_id="tell", recipient=NUMBER, template=template_message("t", "en", body=values)
        )
        mapped = template_message("t", "en", body=values.map(lambda value: f"no. {value}"))
        changed = WhatsAppSendOperator(task_id="tell_more", recipient=NUMBER, template=mapped)
    for operator in (as_they_are, changed):
        sandbox.execute(operator, xcoms={"value": ["a", "b"]})
    assert [message.body["template"] for message in sandbox.messages] == [
        sent(template=template_message("t", "en", body=body)) for body in (["a", "b"], ["no. a", "no. b"])
    ]


def test_a_literal_is_accepted_as_a_text() -> None:
    with DAG("built", schedule=None):
        WhatsAppSendOperator(
            task_id="tell", recipient=NUMBER, interactive=reply_buttons(literal("{{ x }}"), {"a": "A"})
        )


# --- mistakes -------------------------------------------------------------------------------------------

WRONG: dict[str, Any] = {
    'reply_buttons: buttons: must be a dict of titles by id, as in {"yes": "Yes"}': [
        lambda: reply_buttons("q", ["A", "B"]),
        lambda: reply_buttons("q", "A"),
        lambda: reply_buttons("q", BUTTON),
        lambda: reply_buttons("q", BUTTON["reply"]),
        lambda: reply_buttons("q", None),
    ],
    "reply_buttons: buttons[0]: must be a button, as in": [lambda: reply_buttons("q", [{"yes": "Yes"}])],
    "reply_buttons: buttons['buttons']: must be a text; a list of 1 given": [
        lambda: reply_buttons("q", {"buttons": [BUTTON]})
    ],
    "reply_buttons: body: must be a text; None given": [lambda: reply_buttons(None, {"a": "A"})],
    "list_menu: sections: must be a dict of rows by title": [
        lambda: list_menu("q", "Open", ["A"]),
        lambda: list_menu("q", "Open", "A"),
        lambda: list_menu("q", "Open", {"title": "S", "rows": [ROW]}),
    ],
    "list_menu: sections['a']: must be a dict of titles by id": [
        lambda: list_menu("q", "Open", {"a": "A"}),
        lambda: list_menu("q", "Open", {"a": ["A"]}),
        lambda: list_menu("q", "Open", {"a": ROW}),
    ],
    "list_menu: sections['a']['b']: must be a title, or a title and a description; a list of 3 given": [
        lambda: list_menu("q", "Open", {"a": {"b": ("c", "d", "e")}})
    ],
    "list_menu: sections['a']['b']['id']: must be 'b', as the row's key, or left out; a text given": [
        lambda: list_menu("q", "Open", {"a": {"b": {"id": "c", "title": "C"}}})
    ],
    "list_menu: sections[0]: must be a section, as in": [lambda: list_menu("q", "Open", [{"S": ROW}])],
    "list_menu: button: must be a text; a dict with 'text' given": [
        lambda: list_menu("q", {"text": "Open"}, {})
    ],
    "location_request: body: must be a text": [lambda: location_request(["Where?"])],
    "contact_card: name: must be a text": [lambda: contact_card(None)],
    "contact_card: phone[1]: must be a text; None given": [lambda: contact_card("A", phone=["1", None])],
    'template_message: body: must be a list of values, as in ["Monday", "1,204 rows"]; a text given': [
        lambda: template_message("t", "en", body="{{ ds }} done")
    ],
    "template_message: body[1]: must be a text; None given": [
        lambda: template_message("t", "en", body=["a", None])
    ],
    "template_message: body[0]: must be a text, or an object with one key": [
        lambda: template_message("t", "en", body=[{"currency": {}, "date_time": {}}]),
        lambda: template_message("t", "en", body=[{}]),
    ],
    "template_message: buttons: must be a list": [
        lambda: template_message("t", "en", buttons="x"),
        lambda: template_message("t", "en", buttons={"url": "x"}),
    ],
    'template_message: buttons[0]: must be None, {"url": "end of the address"}': [
        lambda: template_message("t", "en", buttons=["x"]),
        lambda: template_message("t", "en", buttons=[{"url": "x", "quick_reply": "y"}]),
    ],
    "template_message: header: must be a text, or an object with one key": [
        lambda: template_message("t", "en", header={"image": "a", "video": "b"})
    ],
    "template_message: language: must be a text": [lambda: template_message("t", ["en"])],
}


@for_each(("says", "build"), [(says, build) for says, builds in WRONG.items() for build in builds])
def test_the_error_of_a_mistake_names_it(says: str, build: Any) -> None:
    with pytest.raises(TypeError) as caught:
        build()
    assert str(caught.value).startswith(says)


def test_an_error_shows_no_whole_number() -> None:
    with pytest.raises(TypeError) as caught:
        list_menu("q", "Open", {"+86 147-1800-4557": {"8614718004557": None}})
    assert "1800" not in str(caught.value)


class Odd:
    """An object whose methods raise."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("not now")

    def __bool__(self) -> bool:
        raise RuntimeError("not now")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not now")

    __hash__ = None  # type: ignore[assignment]


KEYS = st.one_of(
    st.text(max_size=5),
    st.integers(),
    st.none(),
    st.sampled_from(
        ["id", "title", "reply", "rows", "type", "text", "parameters", "url", "sub_type", "image"]
    ),
)
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.binary(max_size=3),
        st.decimals(),
        st.dates(),
        st.integers(5000, 5001).map(lambda digits: 10**digits),
        st.builds(Odd),
        st.just(literal("x")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3).map(UserDict),
        st.frozensets(st.text(max_size=3), max_size=2),
    ),
    max_leaves=8,
)


def arguments(builder: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw any value for each required parameter, and for some of the others."""
    parameters = inspect.signature(builder).parameters.values()
    required = {one.name: ANYTHING for one in parameters if one.default is one.empty}
    optional = {one.name: ANYTHING for one in parameters if one.default is not one.empty}
    return st.fixed_dictionaries(required, optional=optional)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
@given(data=st.data())
def test_with_any_arguments_a_builder_returns_a_dict_or_an_error_that_names_it(
    builder: Any, data: Any
) -> None:
    try:
        built = builder(**data.draw(arguments(builder)))
    except (TypeError, ValueError) as error:
        built = str(error)
    assert isinstance(built, dict) or built.startswith(f"{builder.__name__}: ")
