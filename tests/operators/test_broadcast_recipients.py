"""The recipients of a broadcast: all forms, each checked separately, and one message at a time to each."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, literal

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from tests.tables import for_each
from tests.task_runs import TaskStateStore, broadcast_run, counts_of, fails_at_once, numbers

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
LI_DIGITS, ANA_DIGITS = "8614718004557", "5511912345678"

pytestmark = pytest.mark.usefixtures("hasty")


class Lazy:
    """A stub for a mapped task's outputs: a sequence that is fetched in slices."""

    def __init__(self, entries):
        self._entries = entries
        self.slices = []

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, key):
        assert isinstance(key, slice), "each entry alone would be a request to Airflow"
        self.slices.append(key)
        return self._entries[key]


# --- forms ----------------------------------------------------------------------------------------------

TWO = {
    "list": [LI, ANA],
    "tuple": (LI, ANA),
    "ints": [int(LI_DIGITS), int(ANA_DIGITS)],
    "dicts": [{"phone": LI}, {"phone": ANA}],
    "numbers and dicts": [LI, {"phone": int(ANA_DIGITS)}],
    "commas": f"{LI}, {ANA}",
    "lines": f"{LI}\n{ANA}\n",
    "semicolons": f" {LI};{ANA}; ",
    "JSON": json.dumps([LI, ANA]),
    "JSON of dicts": json.dumps([{"phone": LI}, {"phone": ANA}], indent=1),
    "lazy": Lazy([LI, ANA]),
    "lazy lists": Lazy([[LI], [{"phone": ANA}], []]),
    "literal": literal([LI, ANA]),
    "a column": pd.Series([LI_DIGITS, ANA_DIGITS]),
    "unique ones of a column": list(pd.Series([int(LI_DIGITS), int(ANA_DIGITS)] * 2).unique()),
    "a column of floats": pd.Series([float(LI_DIGITS), float(ANA_DIGITS)]),
    "an array": np.array([int(LI_DIGITS), int(ANA_DIGITS)]),
    "Python's spelling": str([LI, ANA]),
    "dicts in Python's spelling": str([{"phone": LI, "name": None}, {"phone": ANA, "name": "Ana"}]),
    "a set": {LI, ANA},
    "full-width comma": f"{LI}，{ANA}",
}


@for_each("recipients", TWO.values())
def test_two_recipients_in_any_form_get_one_message_each(recipients, sandbox):
    summary = broadcast_run(recipients).once()
    assert counts_of(summary) == {"accepted": 2}
    assert sorted(message.recipient for message in sandbox.messages) == [ANA_DIGITS, LI_DIGITS]


ONE = {
    "text": LI,
    "int": int(LI_DIGITS),
    "dict": {"phone": LI},
    "JSON": json.dumps({"phone": LI}),
    "text of digits": LI_DIGITS,
}


@for_each("recipients", ONE.values())
def test_one_recipient_needs_no_list(recipients, sandbox):
    assert counts_of(broadcast_run(recipients).once()) == {"accepted": 1}
    assert [message.recipient for message in sandbox.messages] == [LI_DIGITS]


@for_each("written", ["{{ params.to | tojson }}", "{{ params.to | join(',') }}"])
def test_a_template_may_render_to_json_or_to_separated_numbers(written, sandbox):
    run = broadcast_run(written, context={"params": {"to": [LI, ANA]}})
    assert counts_of(run.once()) == {"accepted": 2}


def test_a_list_may_contain_jinja(sandbox):
    run = broadcast_run(["{{ params.boss }}", {"phone": ANA}], context={"params": {"boss": LI}})
    assert counts_of(run.once()) == {"accepted": 2}


@for_each("empty", [[], (), "[]", Lazy([]), Lazy([[]]), literal([])])
def test_an_empty_list_sends_nothing_and_succeeds(empty, sandbox):
    summary = broadcast_run(empty).once()
    assert counts_of(summary) == {}
    assert (summary["recipients"], summary["failures"]) == (0, [])
    assert sandbox.requests == []


@for_each(
    ("given", "sentence"),
    [
        (None, "recipients: must be phone numbers or dicts with phone, in a list; NoneType given"),
        ("", "recipients: must contain at least one phone number, an empty text given"),
        (" ,\n;", "recipients: must contain at least one phone number, ',\\n;' given"),
        (f"[{LI}", "a text that begins with [ must be JSON"),
        (pd.DataFrame({"phone": [LI]}), 'give its rows as dicts (.to_dict("records"))'),
    ],
)
def test_invalid_recipients_after_rendering_fail_the_task_at_once(given, sentence, sandbox):
    run = broadcast_run("{{ params.to }}", context={"params": {"to": LI}})
    context = run.begin()
    run.operator.recipients = given  # as after rendering
    with pytest.raises(AirflowFailException) as caught:
        run.operator.execute(context)
    error = caught.value
    assert type(error.__cause__) is InvalidMessageError
    assert sentence in str(error)
    assert LI not in str(error)
    assert sandbox.requests == []


def test_empty_variables_without_any_number_fail_the_task(sandbox):
    run = broadcast_run("{{ params.a }},{{ params.b }}", context={"params": {"a": "", "b": ""}})
    assert "recipients: must contain at least one phone number, ',' given" in str(fails_at_once(run))
    assert sandbox.requests == []


@for_each("native", [False, True])
def test_a_list_in_an_expression_needs_no_filter(native, sandbox):
    run = broadcast_run(
        "{{ params.to }}",
        context={"params": {"to": [{"phone": LI}, ANA]}},
        dag={"render_template_as_native_obj": native},
    )
    assert counts_of(run.once()) == {"accepted": 2}


# --- each checked separately ----------------------------------------------------------------------------

WRONG = {
    "too short": ("12345", "2345"),
    "too long": ("123456789012345", "2345"),
    "words": ("Li", ""),
    "empty": ("", ""),
    "None": (None, ""),
    "bool": (True, ""),
    "no phone": ({"name": "Li"}, ""),
    "phone None": ({"phone": None, "name": "Li"}, ""),
    "phone of words": ({"phone": "call me"}, ""),
    "leading zero": ("0147-1800-4557", "4557"),
    "decimal": (8614718004557.5, None),
    "several": (f"{LI} / {ANA},{LI}", None),
    "far too many digits": (10**5000, None),
    "a set": ({"phone": {LI}}, None),
    "deep lists": ([[LI]], None),
    "an object": (object(), None),
    "NA": (pd.NA, ""),
    "NaN": (float("nan"), ""),
    "phone NA": ({"phone": pd.NA}, ""),
    "an array": (np.array([LI, ANA]), ""),
    "a column": (pd.Series([LI]), ""),
    "a table": (pd.DataFrame({"phone": [LI]}), ""),
    "phone an array": ({"phone": np.array([1, 2])}, ""),
    "a float32": (np.float32(LI_DIGITS), None),
    "two joined by a blank": ("1234567 7654321", None),
    "two joined by a slash": (f"{LI_DIGITS}/{ANA_DIGITS}", None),
    "two joined by a plus": (f"{LI} {ANA}", None),
}


@for_each(("wrong", "digits"), WRONG.values())
def test_an_invalid_recipient_is_one_failure_and_does_not_affect_the_others(wrong, digits, sandbox, logged):
    run = broadcast_run([LI, wrong if not isinstance(wrong, list) else [wrong], ANA])
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 2, "invalid": 1}
    (failure,) = run.summary["failures"]
    assert (failure["position"], failure["outcome"], failure["code"]) == (1, "invalid", None)
    assert failure["reason"].startswith("recipients[1]")
    if digits is not None:
        assert failure["last_digits"] == digits
    shown = json.dumps(run.summary) + logged()
    # Errors that show how to write a number contain LI.
    assert not [one for one in (LI_DIGITS, ANA, ANA_DIGITS, "123456789012345") if one in shown]


def test_an_invalid_number_in_a_rendered_string_does_not_affect_the_others(sandbox):
    run = broadcast_run("{{ params.to }}", context={"params": {"to": f"{LI}, nobody, {ANA}"}})
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 2, "invalid": 1}


@for_each(
    "rows",
    [
        [[LI_DIGITS, 20260117001], [ANA_DIGITS, 20260117002]],
        [(LI_DIGITS, "55119123456"), (ANA_DIGITS, "55119123457")],
        Lazy([[[LI_DIGITS, 20260117001]], [[ANA_DIGITS, 20260117002]]]),
        Lazy([(LI_DIGITS, 20260117001), (ANA_DIGITS, 20260117002)]),
        json.dumps([[LI_DIGITS, 20260117001], [ANA_DIGITS, 20260117002]]),
    ],
)
def test_a_database_row_of_several_columns_is_an_invalid_recipient(rows, sandbox):
    run = broadcast_run(rows)
    error = fails_at_once(run)
    assert sandbox.requests == []
    assert counts_of(run.summary) == {"invalid": 2}
    assert "a row of 2 values given; make each row a dict" in str(error)


def test_positions_in_a_mapped_tasks_outputs_count_single_entries(sandbox):
    run = broadcast_run(Lazy([[{"phone": LI}, {"phone": ANA}], ["12"]]))
    fails_at_once(run)
    assert [failure["position"] for failure in run.summary["failures"]] == [2]


def test_a_row_with_one_column_is_a_number(sandbox):
    run = broadcast_run([(LI,), [ANA]], exclude=[(ANA,)])
    assert counts_of(run.once()) == {"accepted": 1, "excluded": 1}


def test_one_row_per_instance_of_a_mapped_task_is_not_a_list_of_numbers(sandbox):
    run = broadcast_run(Lazy([[LI, "Li", 20261124], [ANA, "Ana", 20261125]]))
    fails_at_once(run)
    assert sandbox.requests == []


# --- exclude --------------------------------------------------------------------------------------------

EXCLUDED = {
    "list": ["+86 1471 8004557"],
    "text": f"12345678; {LI}",
    "int": int(LI_DIGITS),
    "lazy": Lazy([[LI]]),
    "template": "{{ params.out }}",
}


@for_each("exclude", EXCLUDED.values())
def test_an_excluded_number_gets_no_message(exclude, sandbox):
    run = broadcast_run([LI, ANA, {"phone": LI}], exclude=exclude, context={"params": {"out": LI}})
    assert counts_of(run.once()) == {"accepted": 1, "excluded": 2}
    assert [message.recipient for message in sandbox.messages] == [ANA_DIGITS]


@for_each("exclude", [None, [], "", " ", "{{ params.nobody }}"])
def test_an_empty_exclude_excludes_no_recipient(exclude, sandbox):
    run = broadcast_run([LI], exclude=exclude, context={"params": {"nobody": ""}})
    assert counts_of(run.once()) == {"accepted": 1}


@for_each(
    ("exclude", "sentence"),
    [
        ([ANA, "12"], "exclude[1]: 7 to 14 digits, 2 given"),
        (f"['{LI}'", "exclude: a text that begins with [ must be JSON"),
        (1.5, "exclude: must be phone numbers"),
    ],
)
def test_an_invalid_exclude_fails_the_task_before_sending(exclude, sentence, sandbox):
    error = fails_at_once(broadcast_run([LI], exclude=exclude), InvalidMessageError)
    assert sentence in str(error)
    assert sandbox.requests == []


MEXICO, MEXICO_MOBILE = "+52 55 1234 5678", "5215512345678"


def test_an_excluded_number_gets_no_message_under_another_spelling(sandbox):
    run = broadcast_run([MEXICO, LI, "+55 11 98765-4321"], exclude=[MEXICO_MOBILE, "551187654321"])
    assert counts_of(run.once()) == {"accepted": 1, "excluded": 2}
    assert [message.recipient for message in sandbox.messages] == [LI_DIGITS]


# --- duplicates, and several messages per number --------------------------------------------------------


def test_equal_entries_count_once(sandbox, logged):
    entries = [LI, LI_DIGITS, {"phone": int(LI_DIGITS)}, ANA, {"phone": ANA, "name": "Ana"}]
    entries += [{"name": "Ana", "phone": ANA_DIGITS}, f"00{LI_DIGITS}"]
    assert counts_of(broadcast_run(entries).once()) == {"accepted": 3, "duplicates": 4}
    assert Counter(message.recipient for message in sandbox.messages) == {LI_DIGITS: 1, ANA_DIGITS: 2}
    assert "4 duplicates" in logged()


def test_a_number_with_different_data_gets_each_message_in_the_lists_order(sandbox):
    entries = [{"phone": LI, "n": n % 6} for n in range(12)]
    run = broadcast_run(entries, text="{{ recipient.n }}")
    assert counts_of(run.once()) == {"accepted": 6, "duplicates": 6}
    assert [message.text for message in sandbox.messages] == list("012345")


@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("kept", [True, False])
def test_a_number_has_one_message_in_flight_and_gets_its_messages_in_order(delivery, kept, sandbox, traffic):
    people = numbers(6)
    entries = [{"phone": people[n % 6], "n": n} for n in range(48)]
    sandbox.fail_next(48, delay=0.01)
    run = broadcast_run(
        entries,
        text="{{ recipient.n }}",
        delivery=delivery,
        max_in_flight=24,
        store=TaskStateStore() if kept else None,
    )
    assert counts_of(run.once()) == {"accepted": 48}
    assert traffic.peak_of_a_number == 1
    assert 1 < traffic.peak <= 6
    for number in people:
        got = [int(message.text) for message in sandbox.sent_to(number)]
        assert got == sorted(got)
        assert len(got) == 8


def test_two_spellings_of_a_number_have_one_message_in_flight(sandbox, traffic):
    entries = [{"phone": (MEXICO, MEXICO_MOBILE)[n % 2], "n": n} for n in range(8)]
    sandbox.fail_next(8, delay=0.02)
    run = broadcast_run(entries, text="{{ recipient.n }}", max_in_flight=8)
    assert counts_of(run.once()) == {"accepted": 8}
    assert traffic.peak == 1
    assert [message.text for message in sandbox.messages] == list("01234567")
    assert {message.recipient for message in sandbox.messages} == {"525512345678", MEXICO_MOBILE}


def test_after_a_failure_the_next_message_to_the_same_number_is_sent(sandbox):
    entries = [{"phone": LI, "n": n} for n in range(4)]
    sandbox.fail_next(status=-114)
    run = broadcast_run(entries, text="{{ recipient.n }}")
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 3, "refused": 1}
    assert [message.text for message in sandbox.messages] == ["1", "2", "3"]


def test_messages_behind_a_slow_number_do_not_delay_others(sandbox, traffic):
    entries = [{"phone": LI, "n": n} for n in range(3)] + numbers(20)
    sandbox.fail_next(recipient=LI, delay=0.5)
    run = broadcast_run(entries, text="{{ recipient.n | default(9) }}", max_in_flight=2)
    assert counts_of(run.once()) == {"accepted": 23}
    # Others are sent while the first answer is delayed: all of them, except on a busy machine.
    assert traffic.order.index(LI_DIGITS) == 0
    assert traffic.order.index(LI_DIGITS, 1) > 4
    assert [message.text for message in sandbox.sent_to(LI)] == ["0", "1", "2"]


def test_more_messages_to_one_number_than_fit_in_the_queue_are_all_sent(sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._MAX_WAITING", 5)
    entries = [{"phone": LI, "n": n} for n in range(30)] + [{"phone": ANA, "n": n} for n in range(30)]
    run = broadcast_run(entries, text="{{ recipient.n }}", max_in_flight=8)
    assert counts_of(run.once()) == {"accepted": 60}
    for number in (LI, ANA):
        got = [int(message.text) for message in sandbox.sent_to(number)]
        assert all(one < other for one, other in pairwise(got))


def test_the_error_of_an_invalid_option_masks_a_number():
    with pytest.raises(InvalidParameterError, match=r": if_some_fail: must be one of fail, warn; ") as caught:
        broadcast_run(LI, if_some_fail=f"to {LI}").once()
    assert "1800" not in str(caught.value)


def test_a_number_in_an_airflow_error_is_masked_in_the_log(sandbox, logged, monkeypatch):
    def broken(self, *args, **kwargs):
        raise RuntimeError(f"no room for {LI}")

    monkeypatch.setattr("tests.task_runs.TaskInstance.xcom_push", broken)
    fails_at_once(broadcast_run(["12"]))
    assert "The summary could not be pushed: RuntimeError: no room for +86…57" in logged()
