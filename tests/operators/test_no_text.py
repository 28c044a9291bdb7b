"""Objects in a text: Python's repr of a connection, a function or a generator is never sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from types import SimpleNamespace
from uuid import UUID

import numpy as np
import pydantic
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.test_gaps_in_containers import WHERE, rendered
from tests.tables import for_each

NUMBER = "8613900000000"
PASSWORD = "not-for-whatsapp"


@dataclass
class Order:
    shop: str


class Customer(pydantic.BaseModel):
    name: str


class Plain:
    shop = "Berlin"


@WHERE
@for_each(
    ("text", "value", "error"),
    [
        ("{{ X }}", Order("Berlin"), "x is no text: write one of its values, as in {{ …; it is a Order"),
        ("Hi {{ X }}", Plain(), "it is a Plain"),
        ("{{ 'Hi ' ~ X }}", Plain(), "it is a Plain"),
        ("{{ [X] | join }}", Plain(), "it is a Plain"),
        ("{{ '%s' | format(X) }}", Plain(), "it is a Plain"),
        ("{{ X }}", Customer(name="Li"), "write one of its values, as in {{ …; it is a Customer"),
        ("{{ X }}", SimpleNamespace(name="Li"), "it is a SimpleNamespace"),
        ("{{ X.title }}", "li", "title is no text: call it, as in {{ title() }}; it is a function"),
        ("{{ X.isoformat }}", date(2026, 1, 1), "isoformat is no text: call it"),
        ("{{ X | map('upper') }}", ["a"], "write its entries, as in {{ … | join(', ') }}; it is a generator"),
        ("{{ X | select }}", ["a"], "it is a generator"),
        ("{{ X }}", {"a": 1}.keys(), "it is a dict_keys"),
        ("{{ X }}", Order, "call it"),
        *(
            (
                "{{ X }}",
                infinite,
                "no text: it is …; write a text instead, as in {{ '-' if … > 1e99 else …",
            )
            for infinite in (
                float("inf"),
                float("-inf"),
                np.float64("inf"),
                np.float32("inf"),
                Decimal("-inf"),
            )
        ),
    ],
)
def test_an_object_without_its_own_str_is_an_error(text, value, error, where):
    with pytest.raises(InvalidMessageError) as caught:
        rendered(text, value, where)
    for part in error.split("…"):
        assert part in str(caught.value)


@WHERE
@for_each(
    ("text", "value", "expected"),
    [
        ("{{ X.shop }}", Plain(), "Berlin"),
        ("{{ X.shop }} {{ X | string }}", Order("Berlin"), "Berlin Order(shop='Berlin')"),
        ("{{ {'order': X} | string }}", Order("Berlin"), "{'order': Order(shop='Berlin')}"),
        ("{{ X.title() }}", "li", "Li"),
        ("{{ X | map('upper') | join(', ') }}", ["a", "b"], "A, B"),
        ("{{ X }}", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("{{ X }}", Decimal("1.50"), "1.50"),
        ("{{ X }}", 1 + 2j, "(1+2j)"),
        ("{{ X }}", datetime(2026, 1, 1, 8), "2026-01-01 08:00:00"),
        ("{{ X }}", PurePosixPath("a/b"), "a/b"),
        ("{{ X }}", ValueError("it broke"), "it broke"),
        ("{{ X is sameas X }} {{ X == X }}", Plain(), "True True"),
        ("{% set n = namespace(k=1) %}{% set n.k = X %}{{ n.k }}", 2, "2"),
        ("{% macro bold(x) %}*{{ x }}*{% endmacro %}{{ bold(X) }}", "li", "*li*"),
    ],
)
def test_an_object_with_its_own_str_is_rendered(text, value, expected, where):
    assert rendered(text, value, where) == expected


@for_each(
    "jinja", ["{{ conn.wh }}", "{{ conn.get('wh') }}", "{{ conn.wh | string }}", "{{ 'At ' ~ conn.wh }}"]
)
@for_each(
    "task",
    [
        lambda text: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text=text),
        lambda text: WhatsAppSendOperator(
            task_id="tell", recipient=NUMBER, template=template_message("n", "en", body=[text])
        ),
        lambda text: WhatsAppBroadcastOperator(task_id="tell", recipients=[NUMBER], text=text),
    ],
)
@pytest.mark.usefixtures("connection")
def test_a_connection_in_a_text_is_an_error_that_does_not_show_its_password(
    sandbox, monkeypatch, task, jinja
):
    held = {"conn_type": "postgres", "host": "db", "login": "etl", "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_WH", json.dumps(held))
    with DAG("a_dag", schedule=None):
        telling = task(f"Load from {jinja} failed")
    with pytest.raises(AirflowFailException, match="it is a Connection") as caught:
        sandbox.execute(telling)
    assert PASSWORD not in str(caught.value)
    assert sandbox.messages == []
