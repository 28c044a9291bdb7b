"""One task of a DAG by itself, without a database."""

from __future__ import annotations

from importlib.metadata import version

from airflow.providers.common.compat.sdk import (
    DAG,
    BaseOperator,
)
from packaging.version import Version

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.sandbox.testing import task_dags
from tests.sandbox.testing.task_dags import NUMBER

AIRFLOW_2 = version("apache-airflow").startswith("2.")
AIRFLOW_BEFORE_3_3 = Version(version("apache-airflow")) < Version("3.3")


def adhoc(text, *, task_id="tell", **fields):
    """Give a task without a DAG."""
    return WhatsAppSendOperator(task_id=task_id, recipient=NUMBER, text=text, **fields)


def rendered(itnio_sandbox, text, **options):
    itnio_sandbox.execute(in_dag(text), **options)
    return itnio_sandbox.messages[-1].text


def in_dag(text):
    """Give a task in a DAG like the users' one, to render a text in."""
    with DAG(
        "sales",
        schedule=None,
        params=task_dags.dag.params,
        user_defined_macros=task_dags.dag.user_defined_macros,
        user_defined_filters=task_dags.dag.user_defined_filters,
    ):
        return adhoc(text, params={"colour": "red"})


class Looking(BaseOperator):
    """An operator that gives its context back."""

    def __init__(self, *, at=None, **kwargs):
        super().__init__(**kwargs)
        self.at = at

    def execute(self, context):
        if callable(self.at):
            self.at()
        return context
