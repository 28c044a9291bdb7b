"""The fixture ``itnio_sandbox``, also in a project with only this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest
import requests

from airflow_provider_itnio.sandbox import TestingSandbox
from tests.tables import for_each, pairs


@pytest.fixture
def run_pytest(tmp_path):
    """Run pytest on a file of a user's project, in a process without these tests' configuration."""

    def run(text, *options, before="", **environment):
        (tmp_path / "test_project.py").write_text(text)
        script = f"{before}\nimport sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))"
        ran = subprocess.run(
            [sys.executable, "-c", script, "-p", "no:cacheprovider", "-q", "-rA", *options],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
            | {"AIRFLOW_HOME": str(tmp_path / "home")}
            | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return ran.returncode, ran.stdout + ran.stderr

    return run


def test_the_plugin_imports_nothing_for_tests_without_the_fixture():
    script = """
import sys, pytest
before = set(sys.modules)
import airflow_provider_itnio.sandbox.testing.plugin
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stdout == "['airflow_provider_itnio']\n"


def test_without_the_extra_other_tests_run_and_the_fixture_says_what_to_install(run_pytest):
    code, shown = run_pytest(
        "def test_other():\n    pass\n\ndef test_it(itnio_sandbox):\n    pass\n",
        before="import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None",
    )
    assert code == 1
    assert "1 passed, 1 error" in shown
    assert "pip install 'airflow-provider-itnio[sandbox]'" in shown


def test_a_project_with_only_the_package_has_the_fixture_without_airflow(run_pytest):
    """Each test starts with a fresh sandbox, also after a stop, and without the environment's proxy."""
    code, shown = run_pytest(
        """
import json, os, sys
from urllib.request import urlopen

def own(name):
    return os.environ.get(f"AIRFLOW_CONN_{name}")

def test_one(itnio_sandbox, monkeypatch):
    assert "uvicorn" in sys.modules
    assert "airflow" not in sys.modules
    itnio_sandbox.connect("other")
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", "mine")
    itnio_sandbox.fail_next(status=-5)
    urlopen(itnio_sandbox.url + "/sms/getBalance")
    assert len(itnio_sandbox.requests) == len(itnio_sandbox.refused) == 1
    assert own("OTHER")

def test_two():
    assert own("ITNIO_DEFAULT") == "theirs"
    assert own("OTHER") is None

def test_three(itnio_sandbox):
    assert json.loads(own("ITNIO_DEFAULT"))["host"] == itnio_sandbox.url
    assert itnio_sandbox.faults == itnio_sandbox.requests == itnio_sandbox.refused == []
    itnio_sandbox.stop()

def test_four(itnio_sandbox):
    urlopen(itnio_sandbox.url + "/sms/getBalance")
    assert len(itnio_sandbox.requests) == 1
""",
        AIRFLOW_CONN_ITNIO_DEFAULT="theirs",
        HTTP_PROXY="http://127.0.0.1:9",
        NO_PROXY="intra.example",
    )
    assert code == 0, shown
    assert "4 passed" in shown


CHANGES = {
    "replies": {"recipient": "8614718004557", "text": "hello"},  # opens the window, like the next line
    "windows": {"recipient": "8614718004558"},
    "faults": {"count": 5, "status": -5},
    "random-failures": {"fail": ["100%:-12"]},
    "webhook": {"url": "http://127.0.0.1:9/theirs", "twice": True, "disorder": True},
}
"""What a test can change, by the endpoint of the sandbox's API."""


def state_of(sandbox):
    names = ("messages", "refused", "requests", "replies", "faults", "random-failures", "webhook")
    return {name: requests.get(f"{sandbox.url}/sandbox/{name}", timeout=5).json() for name in names}


@pairs(
    options=[
        {},
        {"fail": ["2%:-5"], "webhook": "http://127.0.0.1:9/own", "balance": 10, "open_windows": True},
    ],
    restart=[False, True],
    way=["begin_test", "POST /sandbox/reset"],
)
def test_a_tests_changes_are_reset_before_the_next_test(options, restart, way, wire_to, message):
    def reset(sandbox):
        if way == "begin_test":
            sandbox.begin_test(lambda name, value: None)
        else:
            assert requests.post(f"{sandbox.url}/sandbox/reset", timeout=5).status_code == 204

    with TestingSandbox(seed=1, **options) as sandbox:
        before = state_of(sandbox)
        wire_to(sandbox).custom(message())
        for name, given in CHANGES.items():
            assert requests.post(f"{sandbox.url}/sandbox/{name}", json=given, timeout=5).status_code == 201
        if restart:
            sandbox.stop()
            sandbox.start()
        reset(sandbox)
        assert state_of(sandbox) == before
        assert sandbox.balance == options.get("balance")
        for recipient in ("8614718004557", "8614718004558", message()["recipient"]):
            wire_to(sandbox).custom(message(recipient=recipient))
        arrives = "read" if "open_windows" in options else "failed"
        assert [one.status for one in sandbox.messages] == [arrives] * 3


def test_connect_applies_changes_to_the_connection(itnio_sandbox):
    itnio_sandbox.connect("my_conn", login="k", password=None, extra={"app_id": "a", "timeout": 5})
    assert json.loads(os.environ["AIRFLOW_CONN_MY_CONN"]) == {
        "conn_type": "itnio",
        "login": "k",
        "host": itnio_sandbox.url,
        "extra": {"app_id": "a", "business_phone": "91856321321", "timeout": 5},
    }


def test_connect_with_extra_none_keeps_the_default_extra(itnio_sandbox):
    itnio_sandbox.connect("my_conn", **{"extra": None})
    assert json.loads(os.environ["AIRFLOW_CONN_MY_CONN"])["extra"]["app_id"] == "DGziZf5u"


@for_each(
    ("given", "text"),
    [
        ({"pasword": "x"}, "pasword: unknown field; there are conn_type, login, password"),
        ({"conn_id": None}, "conn_id: an id without"),
        ({"conn_id": "a=b"}, "conn_id: an id without '=', 'a=b' given"),
        ({"port": "x"}, "port: a whole number from 0 to 65535, 'x' given"),
        ({"login": 5}, "login: a text, 5 given"),
        ({"password": True}, "password: a text, True given"),
        ({"host": "a\ud800"}, "host: a text without NUL and lone surrogates"),
        ({"conn_id": "\ud800"}, "conn_id: a text without NUL and lone surrogates"),
        ({"extra": {"x": object()}}, "connect: must be valid as JSON"),
        ({"extra": "x"}, "extra: a dict of changes in the extras, 'x' given"),
    ],
)
def test_connect_with_invalid_arguments_raises(itnio_sandbox, given, text):
    with pytest.raises(ValueError, match=text):
        itnio_sandbox.connect(**{"conn_id": "c1"} | given)


def test_port_0_is_stored_in_the_connection(itnio_sandbox):
    itnio_sandbox.connect("my_conn", port=0)
    assert json.loads(os.environ["AIRFLOW_CONN_MY_CONN"])["port"] == 0


def test_the_fixture_keeps_at_least_100000_messages(itnio_sandbox, message):
    assert itnio_sandbox._vendor.store.keep >= 100_000


def test_connect_outside_a_test_raises():
    with TestingSandbox() as sandbox:
        with pytest.raises(RuntimeError, match="only be called during a test"):
            sandbox.connect()
        sandbox.begin_test(lambda name, value: None)
        sandbox.end_test()
        with pytest.raises(RuntimeError, match="only be called during a test"):
            sandbox.connect()


def test_wait_for_returns_messages_of_another_thread(itnio_sandbox, wire_to, message):
    threading.Timer(0.1, lambda: wire_to(itnio_sandbox).custom(message())).start()
    (arrived,) = itnio_sandbox.wait_for(1, timeout=5)
    assert (arrived.type, arrived.recipient, arrived.text) == ("text", "91856321322", "42 rows loaded")
    assert itnio_sandbox.sent_to("+91 (856) 321-322") == [arrived]
    assert itnio_sandbox.sent_to("+91 (856) 321-323") == []


def test_refused_requests_have_a_status_and_a_meaning(itnio_sandbox):
    requests.get(f"{itnio_sandbox.url}/sms/getBalance", timeout=5)
    (refused,) = itnio_sandbox.refused
    assert (refused.status, refused.meaning) == (-1, "authentication failed")
