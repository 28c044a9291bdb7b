"""Subclasses that build fields from a mapped task's data: Jinja in the data is never rendered."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.test_data_is_no_jinja import JINJA, NUMBER, account, mapped, sent  # noqa: F401
from tests.tables import for_each, pairs

pytestmark = pytest.mark.usefixtures("account")


class Renamed(WhatsAppSendOperator):
    """Gives a parameter of the operator another name."""

    def __init__(self, *, msg, **kwargs):
        kwargs.setdefault("text", msg)
        super().__init__(**kwargs)


class RenamedToAll(WhatsAppBroadcastOperator):
    """Gives a parameter of the broadcast operator another name."""

    def __init__(self, *, msg, **kwargs):
        kwargs.setdefault("text", f"Hello {{{{ recipient.phone }}}}: {msg}")
        super().__init__(**kwargs)


class Nested(WhatsAppSendOperator):
    """Builds a field from its parameter."""

    def __init__(self, *, msg, **kwargs):
        kwargs.setdefault("interactive", reply_buttons(f"On {{{{ ds }}}}: {msg}", {"a": "A"}))
        super().__init__(**kwargs)


class Joined(WhatsAppSendOperator):
    """Joins two parameters, and changes their whitespace."""

    def __init__(self, *, name, city, **kwargs):
        kwargs.setdefault("text", " ".join(f"Hello {name}{city}".split()))
        super().__init__(**kwargs)


SUBCLASSES = [
    {"operator": Renamed, "recipient": NUMBER},
    {"operator": Nested, "recipient": NUMBER},
    {"operator": RenamedToAll, "recipients": [NUMBER]},
]


@pairs(
    fields=SUBCLASSES,
    by=["expand", "expand_kwargs", "map"],
    data=[JINJA, f"a{JINJA}b", "{% if 1 %}x{% endif %}"],
)
def test_jinja_in_data_that_a_subclass_puts_into_a_field_is_refused(data, by, fields, itnio_sandbox):
    over = {
        "expand": lambda output: {"msg": output},
        "expand_kwargs": lambda output: output,
        "map": lambda output: output.map(lambda row: row),
    }[by]
    pushed = [data] if by == "expand" else [{"msg": data}]
    task = mapped(over=over, by="expand" if by == "expand" else "expand_kwargs", **fields)
    with pytest.raises(AirflowFailException, match="which is never rendered, does too"):
        itnio_sandbox.execute(task, xcoms={"load": pushed})
    assert itnio_sandbox.messages == []


@pairs(fields=SUBCLASSES, by=["expand", "expand_kwargs"])
def test_jinja_of_the_subclass_itself_is_rendered(by, fields, itnio_sandbox):
    over = (lambda output: {"msg": output}) if by == "expand" else (lambda output: output)
    pushed = ["a { b } %}"] if by == "expand" else [{"msg": "a { b } %}"}]
    itnio_sandbox.execute(mapped(over=over, by=by, **fields), xcoms={"load": pushed})
    (message,) = itnio_sandbox.messages
    assert "a { b } %}" in sent(itnio_sandbox)
    assert "{{" not in str(message.body)


def test_jinja_in_partial_is_rendered_although_the_data_contains_the_same(itnio_sandbox):
    task = mapped(Renamed, lambda output: {"msg": output}, recipient=NUMBER, text="By {{ task.task_id }}")
    itnio_sandbox.execute(task, xcoms={"load": ["{{ task.task_id }}"]})
    assert itnio_sandbox.messages[0].text == "By tell"


@for_each(
    "row",
    [
        {"name": "{{ conn.itnio_default.password ~ '", "city": "' }}"},
        {"name": "{{  conn.itnio_default.password  }}", "city": "x"},
        {"name": "{", "city": "{ conn.itnio_default.password }}"},
    ],
)
def test_jinja_that_a_subclass_completes_from_several_data_is_refused(row, itnio_sandbox):
    task = mapped(Joined, lambda output: output, by="expand_kwargs", recipient=NUMBER)
    with pytest.raises(AirflowFailException, match="which is never rendered"):
        itnio_sandbox.execute(task, xcoms={"load": [row]})
    assert itnio_sandbox.messages == []


def test_jinja_in_the_dag_file_is_rendered_beside_data_with_jinja(itnio_sandbox):
    with DAG("mapped", schedule=None, default_args={"text": "{{ task.task_id }} {{ shared.news }}"}):
        output = BaseOperator(task_id="load").output
        told = WhatsAppBroadcastOperator.partial(task_id="tell", recipients=[NUMBER]).expand(shared=output)
    itnio_sandbox.execute(told, xcoms={"load": [{"news": JINJA}]})
    assert itnio_sandbox.messages[0].text == f"tell {JINJA}"


class SetInExecute(WhatsAppBroadcastOperator):
    """Builds its text from an upstream task's output, in execute."""

    def execute(self, context):
        self.text = f"Hello {{{{ recipient.phone[:2] }}}}: {context['ti'].xcom_pull('load')}"
        return super().execute(context)


class SetInPreExecute(WhatsAppBroadcastOperator):
    """Builds its text from an upstream task's output, in pre_execute."""

    def pre_execute(self, context):
        self.text = f"Hello {{{{ recipient.phone[:2] }}}}: {context['ti'].xcom_pull('load')}"


@pairs(operator=[SetInExecute, SetInPreExecute], data=[JINJA, "{{ ti.task_id }}", "x"])
def test_a_broadcasts_text_set_at_run_time_has_no_access_to_airflows_context(operator, data, itnio_sandbox):
    with DAG("a_dag", schedule=None):
        task = operator(task_id="tell", recipients=[NUMBER], text="On {{ ds }}")
    if data == "x":
        itnio_sandbox.execute(task, xcoms={"load": data})
        assert itnio_sandbox.messages[0].text == "Hello 86: x"
        return
    with pytest.raises(AirflowFailException, match="is undefined"):
        itnio_sandbox.execute(task, xcoms={"load": data})
    assert itnio_sandbox.messages == []
