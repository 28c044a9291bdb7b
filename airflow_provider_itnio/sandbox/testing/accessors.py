"""``var`` and ``conn`` of a context, from the environment alone, where Airflow would ask its database."""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_itnio.sandbox.testing.task_instance import NOT_GIVEN

__all__ = ["TestingConnections", "TestingVariables"]


class TestingVariables:
    """
    Airflow's variables as ``var.value`` or ``var.json``.

    :param as_json: whether they are read as JSON
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __getattr__(self, name: str) -> Any:
        _refuse_what_python_asks(name)
        return self.get(name)

    def get(self, key: str, default: Any = NOT_GIVEN) -> Any:
        """
        Give a variable.

        :param key: its name
        :param default: what to give if there is none
        :raises KeyError: if there is none, and no default
        """
        value = os.environ.get(f"AIRFLOW_VAR_{key.upper()}")
        if value is not None:
            return json.loads(value) if self._as_json else value
        if default is not NOT_GIVEN:
            return default
        raise KeyError(f"the test gives no Airflow variable of this name: variables={{{key!r}: ...}}")


class TestingConnections:
    """Airflow's connections as ``conn``."""

    def __getattr__(self, name: str) -> Any:
        _refuse_what_python_asks(name)
        if f"AIRFLOW_CONN_{name.upper()}" not in os.environ:
            raise AirflowNotFoundException(
                f"the test gives no Airflow connection {name!r}: set AIRFLOW_CONN_{name.upper()}"
            )
        return BaseHook.get_connection(name)

    def get(self, conn_id: str, default_conn: Any = None) -> Any:
        """
        Give a connection.

        :param conn_id: its id
        :param default_conn: what to give if there is none
        """
        try:
            return getattr(self, conn_id)
        except AirflowNotFoundException:
            return default_conn


def _refuse_what_python_asks(name: str) -> None:
    """Let Python go without what it may have, such as ``__deepcopy__``."""
    if name.startswith("__"):
        raise AttributeError(name)
