"""``execution_timeout`` in the client's code while no request is open."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_itnio.api.client import ItnioClient
from tests.operators.time_limits import limit_set

pytestmark = pytest.mark.usefixtures("connection", "quick_tries")


class _OnceSaid(logging.Handler):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def emit(self, record):
        if "trying again in" in record.getMessage():
            self.act()


@contextmanager
def once_said(act):
    """Call a function in the log line about the client's next try."""
    handler = _OnceSaid(act)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def assert_was_not_sent(run, store, sandbox):
    assert [json.loads(text)["outcome"] for text in store.kept.values()] == ["not_sent"]
    assert sandbox.messages == []
    sandbox.clear_faults()
    run.once()
    assert len(sandbox.messages) == 1


def test_a_timeout_in_the_log_line_about_the_next_try_means_not_sent(run, store, sandbox):
    sandbox.fail_next(http_status=429)
    with limit_set() as time_is_over, once_said(time_is_over), pytest.raises(AirflowTaskTimeout):
        run.once()
    assert_was_not_sent(run, store, sandbox)


@pytest.mark.parametrize("name", ["_session", "_send_request"])
@pytest.mark.parametrize("tries_before", [0, 1])
def test_a_timeout_just_before_a_request_means_not_sent(tries_before, name, run, store, sandbox, monkeypatch):
    sandbox.fail_next(http_status=429)
    real, is_over = getattr(ItnioClient, name), []

    def strikes(client, *args):
        if len(sandbox.requests) == tries_before and not is_over:
            is_over.append(True)
            time_is_over()
        return real(client, *args)

    monkeypatch.setattr(ItnioClient, name, strikes)
    with limit_set() as time_is_over, pytest.raises(AirflowTaskTimeout):
        run.once()
    assert len(sandbox.requests) == tries_before
    assert_was_not_sent(run, store, sandbox)
