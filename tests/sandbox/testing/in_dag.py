"""Helpers to run one task of a DAG without a database."""

from __future__ import annotations

from importlib.metadata import version
from typing import ClassVar

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from packaging.version import Version

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.sandbox.testing import task_dags
from tests.sandbox.testing.task_dags import NUMBER

AIRFLOW_2 = version("apache-airflow").startswith("2.")
on_airflow_3 = pytest.mark.skipif(AIRFLOW_2, reason="execute runs a task on Airflow 3; see test_dag_test.py")
AIRFLOW_BEFORE_3_3 = Version(version("apache-airflow")) < Version("3.3")


def adhoc(text, *, task_id="tell", **fields):
    """Return a task without a DAG."""
    return WhatsAppSendOperator(task_id=task_id, recipient=NUMBER, text=text, **fields)


def rendered(itnio_sandbox, text, **options):
    itnio_sandbox.execute(in_dag(text), **options)
    return itnio_sandbox.messages[-1].text


def in_dag(text):
    """Return a task with this text in a DAG like the one in task_dags."""
    with DAG(
        "sales",
        schedule=None,
        params=task_dags.dag.params,
        user_defined_macros=task_dags.dag.user_defined_macros,
        user_defined_filters=task_dags.dag.user_defined_filters,
    ):
        return adhoc(text, params={"colour": "red"})


class Looking(BaseOperator):
    """An operator that stores its context for the test."""

    seen: ClassVar[list] = []

    def __init__(self, *, at=None, **kwargs):
        super().__init__(**kwargs)
        self.at = at

    def execute(self, context):
        if callable(self.at):
            self.at()
        self.seen.append(context)


def context_of(itnio_sandbox, task=None, **options):
    """Return the context that a task gets."""
    assert itnio_sandbox.execute(task or Looking(task_id="look"), **options) is None
    return Looking.seen.pop()
