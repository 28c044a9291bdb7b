"""A Variable that can't be read is not overwritten, so held alerts are reported later."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_itnio._compat import read_variable
from airflow_provider_itnio.notifications import alert_state
from airflow_provider_itnio.notifications.alert_state import VARIABLE, AlertState, RecipientState, digest

from .events import AIRFLOW_2
from .guard_cases import ON_CALL, failed

if AIRFLOW_2:
    from airflow.secrets import metastore
    from airflow.secrets.cache import SecretCache
else:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import comms, supervisor
    from airflow.sdk.execution_time.cache import SecretCache

pytestmark = pytest.mark.usefixtures("connection", "clock")
NOW = 1_795_608_000  # the clock's


class Store:
    """The store of Variables: Airflow 3's supervisor, or Airflow 2's database."""

    def __init__(self):
        self.value = None
        self.fails = 0
        self.how = "raised"
        self.writes = 0

    def read(self):
        if self.fails:
            self.fails -= 1
            if AIRFLOW_2:
                raise RuntimeError("the database is locked")
            if self.how == "raised":
                raise AirflowRuntimeError(self.error())
            return self.error() if self.how == "answered" else self.missing()
        if AIRFLOW_2:
            return self.value
        return self.missing() if self.value is None else comms.VariableResult(key=VARIABLE, value=self.value)

    def error(self):
        return comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 500})

    def missing(self):
        """The API server also answers this if its database is unreachable."""
        return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": VARIABLE})

    def keys(self):
        if self.how == "missing, without keys":
            return self.error()
        keys = [] if self.value is None else [f"{VARIABLE}_too", VARIABLE]
        return comms.VariableKeysResult(keys=keys, total_entries=len(keys))

    def write(self, value):
        self.value, self.writes = value, self.writes + 1

    def send(self, msg):
        if isinstance(msg, comms.GetVariable):
            assert msg.key == VARIABLE
            return self.read()
        if isinstance(msg, comms.GetVariableKeys):
            assert msg.prefix == VARIABLE
            return self.keys()
        if isinstance(msg, comms.PutVariable):
            self.write(msg.value)
            return comms.OKResponse(ok=True)
        raise AssertionError(msg)


@pytest.fixture
def store(monkeypatch, tmp_path):
    store = Store()
    monkeypatch.delenv("AIRFLOW__ITNIO__ALERT_LIMIT")
    monkeypatch.setattr(alert_state.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("airflow_provider_itnio.notifications.guard._TIMEOUT", 60.0)
    if AIRFLOW_2:
        fetch = SimpleNamespace(get_variable=lambda key: store.read())
        monkeypatch.setattr(metastore, "MetastoreBackend", lambda: fetch)
        monkeypatch.setattr("airflow.models.variable.ensure_secrets_loaded", lambda: [fetch])
        monkeypatch.setattr(alert_state.Variable, "set", lambda key, value, description: store.write(value))
        yield store
    else:
        with supervisor.set_supervisor_comms(store):
            yield store


def held():
    state = RecipientState(start=NOW - 60, sent=20, held=80, since=NOW - 50, dags={"sales": 80})
    return AlertState(recipients={digest("8614718004557"): state}).to_json(NOW)


@pytest.mark.parametrize("how", ["raised", "answered", "missing", "missing, without keys"])
def test_held_alerts_are_reported_after_a_read_that_failed(how, tell, sandbox, store, clock):
    store.value, store.fails, store.how = held(), 1, how
    tell(ON_CALL, failed())
    assert (len(sandbox.messages), store.value, store.writes) == (1, held(), 0)
    clock.now += 600
    tell(ON_CALL, failed())
    assert "_80 alerts were held back since 2026-11-25 11:59 UTC: sales (80)._" in sandbox.messages[-1].text


def test_a_missing_variable_is_created(tell, sandbox, store):
    tell(ON_CALL, failed())
    assert (len(sandbox.messages), store.writes) == (1, 1)


def test_a_missing_variable_is_distinguished_from_an_unreadable_one(store):
    assert read_variable(VARIABLE) is None
    store.value = ""
    assert read_variable(VARIABLE) == ""
    store.fails = 1
    with pytest.raises(Exception, match=r"locked|API_SERVER_ERROR"):
        read_variable(VARIABLE)


def test_the_dag_processors_cache_is_not_used(store, monkeypatch):
    # SecretCache.init() starts a process that outlives the tests.
    monkeypatch.setattr(SecretCache, "_cache", {})
    monkeypatch.setattr(SecretCache, "_ttl", timedelta(minutes=15), raising=False)
    SecretCache.save_variable(VARIABLE, held())
    assert alert_state.Variable.get(VARIABLE) == held()
    assert read_variable(VARIABLE) is None
    store.value = "new"
    assert read_variable(VARIABLE) == "new"
