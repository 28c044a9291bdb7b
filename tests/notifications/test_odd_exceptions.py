"""Alerts of exceptions that contain others, have no text, or raise in ``str``."""

from __future__ import annotations

from airflow_provider_itnio.notifications.alert_facts import alert_facts
from tests.tables import for_each

from .events import of_task


class DisguisedError(Exception):
    @property
    def __class__(self):
        raise RuntimeError


class UnreadableGroup(ExceptionGroup):
    @property
    def exceptions(self):
        raise RuntimeError


class UnreadableNotesError(Exception):
    @property
    def __notes__(self):
        raise RuntimeError


def raised(error, within=None, *, cause=False):
    try:
        try:
            raise within or ConnectionError("the database is down")
        except Exception as first:
            if cause:
                raise error from first
            raise error  # noqa: B904 - its context is what is tried
    except Exception as caught:
        return caught


def without_context():
    try:
        try:
            raise ConnectionError("down")
        except ConnectionError:
            raise ValueError("bad row") from None
    except ValueError as caught:
        return caught


def with_notes(*notes):
    error = ValueError("bad row")
    for note in notes:
        error.add_note(note)
    return error


def nested(depth):
    error = KeyError("customer_id")
    for level in range(depth):
        error = ExceptionGroup(f"level {level}", [error])
    return error


GROUPS = ExceptionGroup(
    "loads", [ExceptionGroup("of orders", [KeyError("id"), OSError("full")]), TypeError()]
)
WORDS = [
    (raised(RuntimeError()), "RuntimeError, caused by ConnectionError: the database is down"),
    (
        raised(RuntimeError("load failed")),
        "RuntimeError: load failed\ncaused by ConnectionError: the database is down",
    ),
    (raised(RuntimeError("it says: x"), ValueError("x"), cause=True), "RuntimeError: it says: x"),
    (without_context(), "ValueError: bad row"),
    (with_notes("row 17 of orders.csv", "", "second"), "ValueError: bad row\nrow 17 of orders.csv\nsecond"),
    (with_notes(*map(str, range(9))), "ValueError: bad row\n0\n1\n2\n3\n4"),
    (GROUPS, "ExceptionGroup: loads (2 sub-exceptions)\n- KeyError: 'id'\n- OSError: full\n- TypeError"),
    (nested(5000), "ExceptionGroup: level 4999 (1 sub-exception)\n- KeyError: 'customer_id'"),
    (DisguisedError("boo"), "DisguisedError: boo"),
    (UnreadableGroup("boo", [ValueError()]), "UnreadableGroup: boo (1 sub-exception)"),
    (UnreadableNotesError("boo"), "UnreadableNotesError: boo"),
]


@for_each(("exception", "words"), WORDS)
def test_an_alert_contains_an_exception_with_its_causes_notes_and_sub_exceptions(exception, words):
    facts = alert_facts(of_task(exception=exception))
    assert facts.error == words
    assert facts.error_line == words.partition("\n")[0]
    assert facts.dag_id == "nightly_load"


def test_an_exception_group_of_many_lists_the_first_five():
    many = ExceptionGroup("rows", [ValueError(f"row {number}") for number in range(50_000)])
    assert alert_facts(of_task(exception=many)).error.splitlines()[1:] == [
        f"- ValueError: row {number}" for number in range(5)
    ]
