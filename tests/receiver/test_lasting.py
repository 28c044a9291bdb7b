"""Acknowledged pushes persist: after SIGKILL, with two receivers on one database, over versions."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import threading
import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from airflow_provider_itnio.receiver.database import VERSION, DatabaseError, mailbox, open_database
from airflow_provider_itnio.receiver.events import read_events
from airflow_provider_itnio.receiver.mailbox import Mailbox
from tests.receiver.running import AT, running_receiver, status_push, text_push

pytestmark = pytest.mark.xdist_group("postgresql")  # which is started once

DAY = 24 * 3600


def open_mailbox(url):
    engine, name = open_database(url)
    return Mailbox(engine, name)


class Pusher(threading.Thread):
    """Pushes events one after the other, each until it is answered with 200, like the vendor."""

    def __init__(self, url_of, events):
        super().__init__()
        self.url_of = url_of
        self.events = events
        self.answered = []

    def run(self):
        for event in self.events:
            while self.url_of().push(event) != 200:
                time.sleep(0.01)
            self.answered.append(event)


def answered(pushers):
    return sum(len(pusher.answered) for pusher in pushers)


def test_acknowledged_pushes_survive_sigkill(database, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    current = []
    events = [
        [status_push(f"{n}-{i}", "sent") if i % 2 else text_push(f"{n}-{i}", f"{n} {i}") for i in range(100)]
        for n in range(2)
    ]
    pushers = [Pusher(lambda: current[-1], some) for some in events]
    some_more = random.Random(1)
    for kill in range(2):
        with running_receiver(database, tmp_path, port) as receiver:
            current.append(receiver)
            if not kill:
                for pusher in pushers:
                    pusher.start()
            enough = answered(pushers) + some_more.randint(20, 60)
            while answered(pushers) < enough:
                time.sleep(0.001)
            receiver.kill()
    with running_receiver(database, tmp_path, port) as receiver:
        current.append(receiver)
        for pusher in pushers:
            pusher.join()
        ids = [event["messageId"] for some in events for event in some if "status" in event]
        found = receiver.get("/v1/messages", {"ids": ids})["messages"]
        assert {message["status"] for message in found} == {"sent"}
        incoming = receiver.get("/v1/incoming")["messages"]
        texts = [[one["text"] for one in incoming if one["text"].startswith(f"{n} ")] for n in range(2)]
        assert texts == [[f"{n} {i}" for i in range(0, 100, 2)] for n in range(2)]


def test_two_receivers_on_one_postgresql_act_as_one(postgres_database, tmp_path):
    with (
        running_receiver(postgres_database, tmp_path) as first,
        running_receiver(postgres_database, tmp_path) as second,
    ):
        seen, stop = [], threading.Event()

        def read():
            cursor = ""
            page = {"messages": [1]}
            while page["messages"] or not stop.is_set():
                page = second.get(f"/v1/incoming?after={cursor}&wait=1")
                cursor = page["cursor"]
                seen.extend(one["text"] for one in page["messages"])

        reader = threading.Thread(target=read)
        reader.start()
        pushers = [
            Pusher(lambda one=one: one, [text_push(f"{n}-{i}", f"{n} {i}") for i in range(40)])
            for n, one in enumerate([first, second, first, second])
        ]
        # Pushing the same event to both changes nothing.
        pushers += [
            Pusher(lambda one=one: one, [status_push("both", "read")] * 20) for one in (first, second)
        ]
        for pusher in pushers:
            pusher.start()
        for pusher in pushers:
            pusher.join()
        stop.set()
        reader.join()
        assert sorted(seen) == sorted(f"{n} {i}" for n in range(4) for i in range(40))
        assert first.get("/v1/messages/both")["status"] == "read"
        waiting = []
        asking = threading.Thread(
            target=lambda: waiting.append(second.get("/v1/messages/across?wait=25&until=sent"))
        )
        asking.start()
        first.push(status_push("across", "sent"))
        asking.join()
        assert waiting[0]["status"] == "sent"


def test_old_rows_are_deleted_and_new_ones_are_kept(database):
    kept = open_mailbox(database)
    for name, now in (("old", AT), ("new", AT + 31 * DAY)):
        events = [status_push(name, "sent"), text_push(name, name), {"eventType": name}]
        kept.store([one for event in events for one in read_events(event, now)], now)
    while kept.delete_old(AT + DAY):
        pass
    assert [one["status"] for one in kept.messages(["old", "new"])] == ["none", "sent"]
    page = kept.incoming(None, 10)
    assert [one["text"] for one in page["messages"]] == ["new"]
    assert [one["eventType"] for one in kept.unread(10)] == ["new"]
    while kept.delete_old(AT + 40 * DAY):
        pass
    # Messages that arrive after all others were deleted come after the cursor.
    kept.store(read_events(text_push("later", "later"), AT), AT + 50 * DAY)
    assert [one["text"] for one in kept.incoming(page["cursor"], 10)["messages"]] == ["later"]


def test_only_the_newest_unread_events_are_kept(database, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.receiver.mailbox._MAX_UNREAD", 3)
    kept = open_mailbox(database)
    for number in range(10):
        kept.store(read_events({"eventType": str(number)}, AT), AT)
    while kept.delete_old(0):
        pass
    assert [one["eventType"] for one in kept.unread(10)] == ["9", "8", "7"]


def test_a_cursor_of_another_database_starts_from_the_beginning(tmp_path):
    first, second = (open_mailbox(f"sqlite:///{tmp_path}/{name}.db") for name in "ab")
    for number in range(5):
        first.store(read_events(text_push(str(number), "old"), AT), AT)
    second.store(read_events(text_push("1", "new"), AT), AT)
    cursor = first.incoming("latest", 10)["cursor"]
    assert [one["text"] for one in second.incoming(cursor, 10)["messages"]] == ["new"]


def test_after_a_restore_a_later_cursor_gets_the_messages_since_the_restore(database):
    """A restored backup has the same mailbox name, and its row numbers are used again."""
    engine, name = open_database(database)
    Mailbox(engine, name).store(read_events(text_push("old", "old"), AT), 0)
    restored, of_later = Mailbox(engine, name), f"{name}-9"
    assert restored.incoming(of_later, 10) == {"messages": [], "cursor": f"{name}-1"}
    restored.store(read_events(text_push("new", "new"), AT), int(time.time()))
    assert [one["text"] for one in restored.incoming(of_later, 10)["messages"]] == ["new"]


def test_tables_of_a_later_version_are_refused(database):
    engine, _ = open_database(database)
    with engine.begin() as connection:
        connection.execute(mailbox.update().values(version=VERSION + 1))
    with pytest.raises(
        DatabaseError, match=f"tables have version {VERSION + 1}, this receiver only knows {VERSION}"
    ):
        open_database(database)


def test_tables_of_an_earlier_version_are_migrated(database, monkeypatch):
    engine, name = open_database(database)
    Mailbox(engine, name).store(read_events(status_push("kept", "sent"), AT), AT)
    changes = {VERSION: ("ALTER TABLE itnio_status ADD COLUMN more INTEGER",)}
    monkeypatch.setattr("airflow_provider_itnio.receiver.database._MIGRATIONS", changes)
    monkeypatch.setattr("airflow_provider_itnio.receiver.database.VERSION", VERSION + 1)
    for _ in range(2):
        engine, same = open_database(database)
        assert same == name
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT message_id, more FROM itnio_status")).all() == [
                ("kept", None)
            ]


def test_migrated_tables_of_the_first_version_keep_messages_and_windows(database):
    engine, _ = open_database(database)
    first = open_mailbox(database)
    first.store(read_events(text_push("before", "hi"), AT), AT)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE itnio_incoming DROP COLUMN opens_window"))
        connection.execute(mailbox.update().values(version=1))
    kept = open_mailbox(database)
    assert kept.window("8614718004557")["open_until"] == "2026-09-22T14:13:20+00:00"
    kept.store(read_events(text_push("after", "hi", at="?"), AT + 60), AT + 60)
    assert kept.window("8614718004557")["open_until"] == "2026-09-22T14:13:20+00:00"
    assert len(kept.incoming(None, 10)["messages"]) == 2


def test_a_new_database_opened_concurrently_gets_its_tables_once(database):
    names, threads = [], []
    for _ in range(8):
        threads.append(threading.Thread(target=lambda: names.append(open_database(database)[1])))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1


def test_opening_waits_for_another_process_that_writes_to_a_new_file(tmp_path):
    with closing(sqlite3.connect(tmp_path / "receipts.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        names = []
        opening = threading.Thread(
            target=lambda: names.append(open_database(f"sqlite:///{tmp_path}/receipts.db"))
        )
        opening.start()
        opening.join(0.3)
        assert opening.is_alive()
        other.execute("COMMIT")
        opening.join()
    assert names


def test_a_failing_database_is_answered_with_503_until_it_works_again(postgres_database, tmp_path):
    engine = sa.create_engine(postgres_database, future=True)
    with running_receiver(postgres_database, tmp_path) as receiver:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE itnio_status RENAME TO elsewhere"))
        assert receiver.push(status_push("a", "sent")) == 503
        code, answer = receiver.ask("/v1/messages/a")
        assert (code, answer) == (503, {"error": "the database has failed, try again"})
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO itnio_status"))
            others = sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
            connection.execute(others)
        assert receiver.push(status_push("a", "sent")) == 200
        assert receiver.get("/v1/messages/a")["status"] == "sent"
    engine.dispose()


@pytest.mark.parametrize("is_new", [True, False])
def test_only_their_owner_can_read_the_files_of_sqlite(is_new, tmp_path):
    """They contain people's messages."""
    path = tmp_path / "receipts.db"
    if not is_new:
        open_mailbox(f"sqlite:///{path}").store(read_events(text_push("m", "hi"), AT), AT)
        for one in tmp_path.iterdir():
            one.chmod(0o644)
    umask = os.umask(0o022)
    try:
        engine, name = open_database(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as held:  # the last connection closed deletes the other files
            held.execute("SELECT count(*) FROM itnio_mailbox").fetchone()
            Mailbox(engine, name).store(read_events(text_push("n", "hi"), AT), AT)
            modes = {one.name: oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir()}
    finally:
        os.umask(umask)
    assert modes == dict.fromkeys(("receipts.db", "receipts.db-wal", "receipts.db-shm"), "0o600")
