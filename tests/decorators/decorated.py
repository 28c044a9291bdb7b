"""Tasks made with ``@task.whatsapp``."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import (
    DAG,
    task,
)

from airflow_provider_itnio.messages import reply_buttons

NUMBER = "+86 147-1800-4557"


def made(function, *args, recipient=NUMBER, default_args=None, **parameters):
    """Decorate a function in a DAG, as a DAG author does, and return its operator."""
    called = parameters.pop("called", {})
    if recipient is not None:
        parameters["recipient"] = recipient
    with DAG("report", schedule=None, default_args=default_args or {}):
        return task.whatsapp(**parameters)(function)(*args, **called).operator


def run(function, *args, context=None, **parameters):
    """Run a decorated function as Airflow does: render its fields, then execute it."""
    operator = made(function, *args, **parameters)
    context = {"dag": operator.dag, "task": operator, "params": {}, **(context or {})}
    operator.render_template_fields(context)
    return operator.execute(context)


def returns(value):
    def report():
        return value

    return report


VALUES = {
    "text": "hello",
    "contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}}],
    "interactive": reply_buttons("x", {"a": "A"}),
    "message": {"text": "hello"},
}
