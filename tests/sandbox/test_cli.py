"""The command itnio-sandbox, as a process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox import cli as command
from airflow_provider_itnio.sandbox.faults.test_numbers import TABLE
from tests.sandbox.receiving import Receiver
from tests.tables import for_each

ROOT = Path(__file__).parents[2]


class Running:
    """The command in a separate process."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_itnio.sandbox", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.lines = [self.process.stdout.readline() for _ in range(4)]
        assert "export" in self.lines[3], self.process.stderr.read()
        name, connection = shlex.split(self.lines[3])[1].split("=", 1)
        assert name == "AIRFLOW_CONN_ITNIO_DEFAULT"
        self.connection = json.loads(connection)
        self.url = self.connection["host"]
        self.api_key = self.connection["login"]
        self.secret = self.connection["password"]

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_accepts_a_message_and_stops_cleanly(wire_to, message, number):
    running = Running()
    assert running.lines[0] == f"itnio-sandbox answers at {running.url}\n"
    assert running.lines[1] == f"Messages are shown at    {running.url}/\n"
    answer = wire_to(running).custom(message())
    assert answer.json()["status"] == "0"
    code, out, err = running.end(number)
    assert (code, out) == (0, "")
    (line,) = err.splitlines()
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d accepted text to 91…22 as {answer.json()['data']['messageId']}", line
    )


def test_options_set_the_account(wire_to, message):
    running = Running(
        *("--api-key", "k", "--secret", "it's", "--app-id", "one", "--app-id", "two"),
        *(
            "--business-phone",
            "any",
            "--balance",
            "0.3",
            "--price",
            "0.2",
            "--clock-tolerance",
            "5",
            "--keep",
            "1",
            "--open-windows",
            "--push-scale",
            "0",
        ),
    )
    wire = wire_to(running)
    assert running.connection == {
        "conn_type": "itnio",
        "login": "k",
        "password": "it's",
        "host": running.url,
        "extra": {"app_id": "one", "business_phone": "91856321321"},
    }
    assert wire.balance().json()["balance"] == "0.3"
    assert wire.balance(wire.headers(str(int(time.time()) - 60))).json()["status"] == "-16"
    assert wire.custom(message(appId="two", businessPhone="17376111187")).json()["status"] == "0"
    assert wire.custom(message(appId="two")).json()["status"] == "-68"
    assert wire.control("GET", "messages").json()[0]["status"] == "read"  # all windows are open
    assert len(requests.get(f"{running.url}/sandbox/refused", timeout=5).json()) == 1  # of two messages
    code, _, err = running.end(signal.SIGINT)
    assert code == 0
    assert "it's" not in err


def test_options_set_failing_shares_and_a_latency(wire_to, message):
    options = ("--fail", "50%", "--fail", "25%:-5", "--latency", "20ms", "--seed", "1")
    running = Running(*options)
    wire = wire_to(running)
    began = time.monotonic()
    first = [wire.custom(message()).json()["status"] for _ in range(40)]
    assert time.monotonic() - began >= 40 * 0.02
    running.end(signal.SIGINT)
    assert set(first) == {"0", "-12", "-5"}
    with Sandbox(fail=["50%", "25%:-5"], seed=1) as sandbox:
        wire = wire_to(sandbox)
        assert [wire.custom(message()).json()["status"] for _ in range(40)] == first


def test_options_set_a_webhook(wire_to, message):
    with Receiver() as receiver:
        options = ("--push-scale", "0.01", "--push-disorder", "--push-twice")
        running = Running("--webhook", receiver.url, *options)
        wire = wire_to(running)
        wire.custom(message())
        wire.control("POST", "replies", json={"recipient": message()["recipient"], "text": "hello"})
        receiver.wait(4)
        wire.custom(message())
        receiver.wait(10)
        code, _, err = running.end(signal.SIGTERM)
    assert receiver.statuses() == ["failed"] * 2 + ["read"] * 2 + ["delivered"] * 2 + ["sent"] * 2
    assert [one["eventType"] for one in receiver.got].count("up-message-event") == 2
    assert code == 0
    assert "a-token" not in err


def test_an_invalid_webhook_ends_it_with_2_and_is_not_shown(capsys, handlers_restored):
    assert command.main(["--port", "0", "--webhook", "http://user:secret@example.com/"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("itnio-sandbox: error: webhook: an http or https address")
    assert "secret" not in said


def test_shares_of_over_100_percent_end_it_with_2(capsys, handlers_restored):
    assert command.main(["--port", "0", "--fail", "60%", "--fail", "50%:503"]) == 2
    assert (
        capsys.readouterr().err
        == "itnio-sandbox: error: fail: at most 100% together, ['60%', '50%:503'] given\n"
    )


def test_a_port_in_use_ends_it_with_2_and_one_line(capsys, handlers_restored):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command.main(["--port", str(port)]) == 2
    assert capsys.readouterr() == (
        "",
        f"itnio-sandbox: error: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "choose another port with --port\n",
    )


def test_without_the_extra_main_returns_2(monkeypatch, capsys, handlers_restored):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "airflow_provider_itnio.sandbox.server")
    assert command.main([]) == 2
    assert capsys.readouterr().err == (
        "itnio-sandbox: error: uvicorn is not installed; "
        "the sandbox needs its extra: pip install 'airflow-provider-itnio[sandbox]'\n"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--port", "x"], "invalid int value: 'x'"),
        (["--latency", "200"], "'200' is not a time such as 200ms or 1.5s"),
        (["--seed", "x"], "invalid int value"),
    ],
)
def test_the_error_of_an_invalid_option_names_it(capsys, options, text):
    with pytest.raises(SystemExit) as ended:
        command.main([f"{options[0]}={options[1]}"])
    assert ended.value.code == 2
    assert f"argument {options[0]}: {text}" in capsys.readouterr().err


@for_each(
    ("option", "text"),
    [
        ("--port=65536", "port: a whole number from 0 to 65535, 65536 given"),
        ("--allowed-host=http://box", "allowed_hosts: a host such as sandbox, "),
        ("--keep=0", "keep: a whole number from 1, 0 given"),
        ("--balance=-1", "balance: an amount from 0, '-1' given"),
        ("--price=a", "price: an amount from 0, 'a' given"),
        ("--clock-tolerance=nan", "clock_tolerance: seconds, from 0, nan given"),
        ("--fail=5", "fail: shares such as 5% or 2.5%:-5, over 0% and at most 100%, ['5'] given"),
        ("--fail=5%:late", "fail: after the colon a code such as -12, "),
        ("--latency=601s", "latency: seconds, from 0 to 600, 601.0 given"),
    ],
)
def test_an_invalid_value_ends_it_with_2(capsys, handlers_restored, option, text):
    assert command.main([option]) == 2
    assert capsys.readouterr().err.startswith(f"itnio-sandbox: error: {text}")


def test_a_host_of_another_machine_ends_it_with_2(capsys, handlers_restored):
    assert command.main(["--host", "192.0.2.1"]) == 2
    said = capsys.readouterr().err
    assert "cannot listen on 192.0.2.1 port 8025" in said
    assert "--port" not in said


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for option in (
        "host",
        "port",
        "api-key",
        "secret",
        "allowed-host",
        "app-id",
        "business-phone",
        "balance",
        "clock-tolerance",
        "keep",
        "fail",
        "latency",
        "seed",
        "webhook",
        "push-twice",
        "push-disorder",
        "push-scale",
        "open-windows",
        "fetch-files",
    ):
        assert f"--{option}" in shown
    for number, meaning in TABLE.items():
        assert f"{number}  {meaning}" in shown
    for path in ("messages", "refused", "requests", "replies", "faults", "webhook", "pushes", "windows"):
        assert f"/sandbox/{path}" in shown


@pytest.fixture
def handlers_restored():
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_main_returns_0_when_it_is_interrupted(capsys, handlers_restored):
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    assert command.main(["--port", "0", "--keep", "5", "--balance", "1"]) == 0
    assert "export AIRFLOW_CONN_ITNIO_DEFAULT=" in capsys.readouterr().out


def test_the_module_runs_as_the_command():
    ran = subprocess.run(
        [sys.executable, "-m", "airflow_provider_itnio.sandbox", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=20,
    )
    assert ran.stdout.startswith("usage: itnio-sandbox")
