"""``--data``: the sandbox's content survives its process."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest
import requests

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.store.data_file import APPLICATION_ID, FORMAT
from tests.sandbox.receiving import Receiver, state_of, until

RECIPIENT = "91856321322"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sandbox.db"


@pytest.fixture
def kept(path, wire_to):
    """Start a sandbox on the file, with a client for it."""

    @contextmanager
    def kept(**options):
        with Sandbox(data=path, **{"push_scale": 0} | options) as sandbox:
            sandbox.wire = wire_to(sandbox)
            yield sandbox

    return kept


def all_of(sandbox):
    return sandbox.messages, sandbox.refused, sandbox.requests, sandbox.replies


def test_everything_is_the_same_after_a_restart(kept, message, template_message):
    with kept() as sandbox:
        wire = sandbox.wire
        sandbox.reply(recipient=RECIPIENT, text="数")
        wire.custom(message(text={"body": "halves of characters: \ud83d"}))
        wire.template(template_message())
        wire.custom(message(recipient="8614718004557"))  # outside its window
        wire.custom(message(recipient="1"))
        wire.custom(b"\xff{")
        wire.fault(drop="after_accepting")
        with pytest.raises(requests.ConnectionError):
            wire.custom(message())
        wire.fault(status=-5, accept=True)
        wire.custom(message())
        wire.balance()
        wire.control("POST", "replies", json={"message_id": sandbox.messages[0].id, "text": "ok"})
        sandbox.push(sandbox.messages[0], "deleted")
        before = all_of(sandbox)
        numbers = [one.number for one in sandbox._vendor.store.exchanges()]
        told = [wire.control("GET", f"exchanges/{number}").json() for number in numbers]
        lists = wire.control("GET", "conversations").json()
    assert len(before[0]) == 5
    with kept() as sandbox:
        wire = sandbox.wire
        assert all_of(sandbox) == before
        assert [wire.control("GET", f"exchanges/{number}").json() for number in numbers] == told
        again = wire.control("GET", "conversations").json()
        assert again["conversations"] == lists["conversations"]
        assert again["totals"] == lists["totals"]
        assert sandbox.requests[1].headers["CONTENT-TYPE"] == "application/json;charset=UTF-8"
        assert sandbox.messages[0].body is sandbox.requests[0].body  # not twice in memory


def test_windows_are_restored_after_a_restart(kept, message):
    with kept() as sandbox:
        sandbox.window_open(RECIPIENT)
        sandbox.window_open("8614718004557")
        sandbox.window_open("8614718004557", is_open=False)
    with kept(open_windows=True) as sandbox:
        sandbox.wire.custom(message())
        sandbox.wire.custom(message(recipient="8614718004557"))
        assert [one.status for one in sandbox.messages] == ["read", "failed"]


def test_numbers_and_ids_are_never_reused_also_after_a_clear(kept, message):
    numbers, ids = [], []
    for clears in (False, True, False):
        with kept() as sandbox:
            sandbox.wire.custom(message())
            numbers.append(sandbox._vendor.store.exchanges()[-1].number)
            ids.append(sandbox.messages[-1].id)
            if clears:
                sandbox.clear()
    assert numbers == sorted(set(numbers))
    assert len(set(ids)) == 3


def test_clear_empties_the_file(kept, path, message):
    with kept(webhook="http://127.0.0.1:9/", push_scale=1) as sandbox:
        sandbox.wire.custom(message())
        sandbox.wire.custom(message(recipient="1"))
        sandbox.reply(recipient=RECIPIENT, text="x")
        assert sandbox.wire.control("DELETE", "messages").status_code == 204
    with closing(sqlite3.connect(path)) as file:
        tables = ("exchanges", "windows", "pushes")
        assert [file.execute(f"SELECT count(*) FROM {one}").fetchone() for one in tables] == [(0,)] * 3
    with kept() as sandbox:
        assert all_of(sandbox) == ([], [], [], [])


def test_pending_statuses_continue_after_a_restart(kept, template_message):
    with kept(push_scale=1000) as sandbox:
        sandbox.wire.template(template_message())
        sandbox.wire.template(template_message(name="pushed_already"))
        sandbox.push(sandbox.messages[1], "delivered")
        assert [one.status for one in sandbox.messages] == ["sent", "delivered"]
    with kept(push_scale=0.01) as sandbox:
        sandbox.wait_for(2, 60, status="read")
        names = ["sent", "delivered", "read"]
        assert [[one.status for one in message.statuses] for message in sandbox.messages] == [names] * 2


def test_the_file_contains_no_more_than_the_sandbox_keeps(kept, path, message):
    for keep in (5, 3):
        with kept(keep=keep) as sandbox:
            for number in range(6):
                sandbox.wire.custom(message(text={"body": str(number)}))
                sandbox.wire.custom(message(recipient="1"))
                sandbox.wire.balance()
            assert [one.text for one in sandbox.messages][-3:] == ["3", "4", "5"]
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT count(*) FROM exchanges").fetchone() == (3 * keep,)
    with kept(keep=2) as sandbox:
        assert [len(one) for one in all_of(sandbox)] == [2, 2, 6, 0]


def test_pending_pushes_continue_after_a_restart(kept, message):
    with Receiver() as receiver:
        receiver.answers += [503] * 2
        with kept(webhook=receiver.url, push_scale=1, open_windows=True) as sandbox:
            sandbox.reply(recipient=RECIPIENT, text="hello")
            sandbox.wire.custom(message(recipient="99970000001"))  # gets the status sent only
            state_of(sandbox.wire, failed_tries=2)
            message_id = sandbox.messages[0].id
        receiver.got.clear()
        with kept(webhook=receiver.url) as sandbox:
            assert state_of(sandbox.wire, taken=2)["waiting"] == 0
        assert {one["messageId"] for one in receiver.wait(2)} == {message_id, sandbox.replies[0].id}
        receiver.got.clear()
        with kept(webhook=receiver.url) as sandbox:
            sandbox.wire.custom(message())
            state_of(sandbox.wire, taken=3)
        assert [one["messageId"] for one in receiver.got] == [sandbox.messages[-1].id] * 3


def test_pending_pushes_wait_in_the_file_for_a_webhook(kept):
    with Receiver() as receiver:
        with kept(webhook="http://127.0.0.1:9/", push_scale=1) as sandbox:
            sandbox.reply(recipient=RECIPIENT, text="hello")
        with kept() as sandbox:
            sandbox.push_to(receiver.url)
            assert receiver.wait(1)[0]["messageId"] == sandbox.replies[0].id
            state_of(sandbox.wire, waiting=0, taken=1)
        with kept(webhook="http://127.0.0.1:9/", push_scale=1) as sandbox:
            sandbox.reply(recipient=RECIPIENT, text="dropped with the address")
            sandbox.push_to(receiver.url)
            sandbox.reply(recipient=RECIPIENT, text="pushed")
            state_of(sandbox.wire, taken=1)
        assert [one["message"]["text"]["body"] for one in receiver.got] == ["hello", "pushed"]


def started(path):
    """Start the command with the file; return its process and the first line it prints."""
    command = [sys.executable, "-m", "airflow_provider_itnio.sandbox", "--port", "0", "--data", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, process.stdout.readline()


def test_accepted_messages_survive_sigkill(path, wire_to, message):
    process, line = started(path)
    account = Sandbox()
    account._port = int(re.search(r":(\d+)$", line.strip())[1])
    wire, answered = wire_to(account), []

    def send():
        while True:
            try:
                answer = wire.custom(message(text={"body": str(len(answered))}))
                answered.append(answer.json()["data"]["messageId"])
            except OSError:
                return

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(answered) >= 50)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    sender.join()
    with Sandbox(data=path) as sandbox:
        ids = [one.id for one in sandbox.messages]
        assert ids[: len(answered)] == answered
        assert len(ids) - len(answered) in (0, 1)  # the last one may have been stored and not answered


def test_a_second_sandbox_on_the_file_is_refused(kept, path, message):
    with kept() as sandbox:
        process, line = started(path)
        assert process.wait(60) == 2
        process.stdout.close()
        assert line == f"itnio-sandbox: error: data: {path} is in use by another process\n"
        with pytest.raises(RuntimeError, match="is in use by another process"):
            Sandbox(data=path).start()
        sandbox.wire.custom(message())
    with kept() as sandbox:
        assert len(sandbox.messages) == 1


def test_a_sandbox_with_a_file_can_be_started_again_in_the_same_process(path, wire_to, message):
    sandbox = Sandbox(data=path)
    for count in (1, 2):
        with sandbox:
            wire_to(sandbox).custom(message())
            assert len(sandbox.messages) == count
        assert len(sandbox.messages) == count


def write_sqlite(path, statements):
    file = sqlite3.connect(path)
    file.executescript(statements)
    file.close()


def write_damaged(path):
    with Sandbox(data=path) as sandbox:
        for number in range(300):
            sandbox.reply(recipient=RECIPIENT, text=f"{number}" * 100)
    held = bytearray(path.read_bytes())
    held[len(held) // 2 : len(held) // 2 + 4096] = b"\xff" * 4096
    path.write_bytes(held)


def write_half(path):
    write_damaged(path)
    path.write_bytes(path.read_bytes()[:10_000])


def write_strange_row(path):
    with Sandbox(data=path) as sandbox:
        sandbox.reply(recipient=RECIPIENT, text="x")
    write_sqlite(path, "UPDATE exchanges SET entries = '{\"Reply\": 5}'")


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (
            lambda path: path.write_text("not a database, but long enough to look like one" * 50),
            "damaged, or no",
        ),
        (lambda path: write_sqlite(path, "CREATE TABLE t (a)"), "another program"),
        (
            lambda path: write_sqlite(path, f"CREATE TABLE t (a); PRAGMA application_id = {APPLICATION_ID}"),
            "has the format 0 of another version",
        ),
        (
            lambda path: write_sqlite(
                path,
                f"CREATE TABLE t (a); PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {FORMAT + 1}",
            ),
            f"format {FORMAT + 1} of another version of itnio-sandbox, this one reads format {FORMAT}",
        ),
        (write_damaged, "damaged"),
        (write_half, "damaged"),
        (write_strange_row, "damaged"),
        (lambda path: path.mkdir(), "cannot be opened: Is a directory"),
    ],
)
def test_an_unusable_file_is_named_and_left_unchanged(path, write, why):
    write(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(RuntimeError) as caught:
        Sandbox(data=path).start()
    assert str(caught.value).startswith(f"data: {path} ")
    assert why in str(caught.value)
    assert path.is_dir() or path.read_bytes() == before
    (free := Sandbox(data=path.with_name("other.db"))).start()
    free.stop()


@pytest.mark.parametrize("name", ["missing/sandbox.db", "/proc/sandbox.db"])
def test_a_path_where_no_file_can_be_created_is_named(path, name):
    with pytest.raises(RuntimeError, match=f"^data: .*{name} cannot be opened: ") as caught:
        Sandbox(data=path.parent / name).start()
    assert "No such file or directory" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(path):
    path.parent.chmod(0o500)
    with pytest.raises(RuntimeError, match="cannot be opened: Permission denied"):
        Sandbox(data=path).start()


def test_an_empty_file_is_initialised(path, kept, message):
    path.touch()
    with kept() as sandbox:
        sandbox.wire.custom(message())
    with kept() as sandbox:
        assert len(sandbox.messages) == 1


def test_only_its_owner_can_read_the_file(kept, path, message):
    path.touch(mode=0o644)
    with kept() as sandbox:
        sandbox.wire.custom(message())
        modes = {one.name: oct(one.stat().st_mode & 0o777) for one in path.parent.iterdir()}
    assert modes.pop("sandbox.db") == "0o600"
    assert set(modes.values()) <= {"0o600"}


def test_no_secret_is_in_the_file(kept, path, message):
    with kept() as sandbox:
        headers = sandbox.wire.headers()
        sandbox.wire.custom(message(), headers)
        secrets = (sandbox.secret, sandbox.api_key, headers["Sign"])
    held = path.read_bytes()
    assert b"42 rows loaded" in held
    assert not [one for one in secrets if one.encode() in held]


def test_a_message_that_cannot_be_written_is_not_accepted(kept, message):
    with kept() as sandbox:
        sandbox.wire.custom(message())
        sandbox._vendor.store.file._db.execute("PRAGMA max_page_count = 20")
        big = message(text={"body": "x" * 400_000})
        answer = sandbox.wire.custom(big)
        assert answer.status_code == 500
        assert answer.json()["error"].endswith("cannot be read or written: database or disk is full")
        assert len(sandbox.messages) == 1
        assert sandbox.wire.control("GET", "messages").status_code == 200
        assert sandbox.wire.custom(message()).json()["status"] == "0"
    with kept() as sandbox:
        assert len(sandbox.messages) == 2


def test_concurrent_writes_lose_nothing(kept, message):
    with kept() as sandbox:
        threads = [
            threading.Thread(
                target=lambda: [sandbox.reply(recipient=RECIPIENT, text=str(one)) for one in range(50)]
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in range(50):
            sandbox.wire.custom(message())
        for thread in threads:
            thread.join()
        before = all_of(sandbox)
    with kept() as sandbox:
        assert all_of(sandbox) == before
        assert (len(sandbox.messages), len(sandbox.replies)) == (50, 200)


def test_duplicates_and_chosen_buttons_are_recognised_after_a_restart(kept, message):
    buttons = [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]
    content = {"type": "button", "body": {"text": "Again?"}, "action": {"buttons": buttons}}
    asks = message(type="interactive", interactive=content)
    with kept() as sandbox:
        sandbox.wire.custom(asks)
        sandbox.reply(message_id=sandbox.messages[0].id, button="1")
    with kept() as sandbox:
        sandbox.wire.custom(asks)
        assert any(note.startswith("looks like a duplicate") for note in sandbox.messages[1].notes)
        told = [sandbox.wire.control("GET", f"messages/{one.id}").json() for one in sandbox.messages]
        assert [one.get("chosen") for one in told] == ["1", None]
