"""The command ``itnio-receiver``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from airflow_provider_itnio.receiver.cli import main
from airflow_provider_itnio.receiver.tokens import Tokens, new_token
from tests.receiver.running import PUSH_TOKEN, READ_TOKEN, running_receiver
from tests.tables import for_each

GOOD = {"ITNIO_RECEIVER_PUSH_TOKEN": PUSH_TOKEN, "ITNIO_RECEIVER_READ_TOKEN": READ_TOKEN}
GOOD["ITNIO_RECEIVER_PORT"] = "0"


def run(monkeypatch, capsys, *arguments, **environment):
    for name in [one for one in os.environ if one.startswith("ITNIO_RECEIVER_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr()


@for_each(
    ("environment", "said"),
    [
        ({}, "ITNIO_RECEIVER_PUSH_TOKEN: must be one or two tokens, separated by a comma, 0 given"),
        ({**GOOD, "ITNIO_RECEIVER_READ_TOKEN": " , "}, "ITNIO_RECEIVER_READ_TOKEN: must be one or two"),
        ({**GOOD, "ITNIO_RECEIVER_READ_TOKEN": "a,b,c"}, "3 given"),
        ({**GOOD, "ITNIO_RECEIVER_READ_TOKEN": "short"}, "5 characters, 5 of them different, given"),
        ({**GOOD, "ITNIO_RECEIVER_READ_TOKEN": "abc" * 10}, "30 characters, 3 of them different, given"),
        ({**GOOD, "ITNIO_RECEIVER_READ_TOKEN": "a/b?c#0123456789abcdefghij"}, "must be random"),
        ({**GOOD, "ITNIO_RECEIVER_READ_TOKEN": PUSH_TOKEN}, "whoever pushes must not be able to read"),
        (GOOD, "--database: must be a URL such as sqlite:///"),
        ({**GOOD, "ITNIO_RECEIVER_DATABASE": "receipts.db"}, "--database: must be a URL"),
        ({**GOOD, "ITNIO_RECEIVER_DATABASE": "sqlite://"}, "--database: must be a SQLite file"),
        (
            {**GOOD, "ITNIO_RECEIVER_DATABASE": "mysql://a:geheim@b/c"},
            "must begin with sqlite:// or postgresql+psycopg2://; mysql:// can't be used",
        ),
        (
            {**GOOD, "ITNIO_RECEIVER_DATABASE": "postgres://a:geheim@b/c"},
            "must begin with sqlite:// or postgresql+psycopg2://; postgres:// can't be used",
        ),
        ({**GOOD, "ITNIO_RECEIVER_DATABASE": "postgresql+nix://a:geheim@b/c"}, "--database: must be a URL"),
        (
            {**GOOD, "ITNIO_RECEIVER_DATABASE": "postgresql+psycopg2://a:geheim@127.0.0.1:1/c"},
            "postgresql+psycopg2://a:***@127.0.0.1:1/c can't be used: ",
        ),
        ({**GOOD, "ITNIO_RECEIVER_DATABASE": "sqlite:////nowhere/at/all.db"}, "unable to open database file"),
        ({**GOOD, "ITNIO_RECEIVER_PORT": "70000"}, "argument --port: must be a whole number from 0 to 65535"),
        ({**GOOD, "ITNIO_RECEIVER_KEEP_DAYS": "1"}, "argument --keep-days: must be a whole number from 2"),
        ({**GOOD, "ITNIO_RECEIVER_HOST": "192.0.2.1"}, "can't listen on 192.0.2.1 port 0: "),
    ],
)
def test_an_invalid_setting_is_named_and_ends_the_command_with_2(monkeypatch, capsys, environment, said):
    code, written = run(monkeypatch, capsys, **environment)
    assert code == 2
    assert said in written.err
    assert "geheim" not in written.err
    assert not any(token in written.err for token in (PUSH_TOKEN, READ_TOKEN))
    assert "Traceback" not in written.err


def test_a_port_in_use_is_named_and_ends_the_command_with_2(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, written = run(monkeypatch, capsys, "--port", str(port), **GOOD)
    assert code == 2
    assert f"can't listen on 127.0.0.1 port {port}: Address already in use" in written.err
    assert written.err.endswith("; choose another port with --port\n")


def test_the_token_command_prints_a_valid_token(monkeypatch, capsys):
    tokens = [run(monkeypatch, capsys, "token")[1].out.strip() for _ in range(2)]
    assert len(set(tokens)) == 2
    assert Tokens.read("X", ",".join(tokens)).match(tokens[1])


def test_each_of_two_push_tokens_is_accepted(tmp_path):
    other = new_token()
    more = {"ITNIO_RECEIVER_PUSH_TOKEN": f"{PUSH_TOKEN}, {other}"}
    with running_receiver(f"sqlite:///{tmp_path}/r.db", tmp_path, **more) as receiver:
        assert [receiver.push({}, token) for token in (PUSH_TOKEN, other, f"{PUSH_TOKEN},{other}")] == [
            200,
            200,
            404,
        ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_it_ends_cleanly_also_while_a_request_waits(tmp_path, number):
    with running_receiver(f"sqlite:///{tmp_path}/r.db", tmp_path, is_forked=False) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as waiting:
            request = "GET /v1/messages/x?wait=25 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n"
            waiting.sendall(request.format(READ_TOKEN).encode())
            assert receiver.ask("/v1/incoming")[0] == 200
            receiver.process.send_signal(number)
            assert waiting.recv(1000).startswith(b"HTTP/1.1 200")
        assert receiver.process.wait() == 0
        assert "Traceback" not in receiver.written()


def test_the_receivers_modules_import_neither_airflow_nor_the_api_client():
    code = (
        "import sys, airflow_provider_itnio.receiver.server, airflow_provider_itnio.receiver.cli\n"
        "own = 'airflow_provider_itnio.'\n"
        "wrong = ('airflow.', own + 'api', own + 'sandbox', 'requests', 'aiohttp')\n"
        "print([name for name in sys.modules if name == 'airflow' or name.startswith(wrong)])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
