"""A storm of alerts: the first go out, the rest are held back and told of; any doubt sends."""

from __future__ import annotations

import json
import multiprocessing
import threading
from importlib.metadata import version as installed

import pytest
from airflow.providers.common.compat.sdk import DAG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.notifications import alert_state, guard
from airflow_provider_itnio.notifications.alert_state import AlertState, FailingState, RecipientState, digest
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

if installed("apache-airflow").startswith("2."):
    from airflow.secrets.cache import SecretCache
else:
    from airflow.sdk.execution_time.cache import SecretCache

from .events import of_dag, of_deadline, of_task

NUMBER = "+86 147-1800-4557"
OTHER = "+86 1000 0000 11"
ON_CALL = WhatsAppNotifier(recipients=NUMBER)
pytestmark = pytest.mark.usefixtures("connection")


def failed(dag_id="nightly_load", **changes):
    return of_dag(dag_id=dag_id, **changes) | {"dag": DAG(dag_id, schedule=None)}


def last_line(sandbox):
    return sandbox.messages[-1].text.split("\n")[-1]


# --- a storm ----------------------------------------------------------------------------------------------


def test_of_a_hundred_twenty_go_out_and_the_twenty_first_tells_of_eighty(tell, sandbox, variables, clock):
    for number in range(100):
        tell(ON_CALL, failed("sales" if number % 4 else "orders"))
    assert len(sandbox.messages) == 20
    assert [message for message in sandbox.messages[:-1] if "held back" in message.text] == []
    assert last_line(sandbox) == (
        "_Further alerts are held back until 2026-11-25 12:10 UTC: 20 went out within 10 min._"
    )
    clock.now += 600
    tell(ON_CALL, failed("nightly_load"))
    assert len(sandbox.messages) == 21
    assert last_line(sandbox) == (
        "_80 alerts were held back since 2026-11-25 12:00 UTC: sales (60), orders (20)._"
    )
    tell(ON_CALL, failed())
    assert "held back" not in sandbox.messages[-1].text


def test_limit_and_window_are_options(tell, sandbox, variables, clock, option):
    option(alert_limit=1, alert_window=60)
    for _ in range(3):
        tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1
    clock.now += 60
    tell(ON_CALL, failed())
    assert last_line(sandbox) == (
        "_2 alerts were held back since 2026-11-25 12:00 UTC: nightly_load (2). Further alerts are held back "
        "until 2026-11-25 12:02 UTC: 1 went out within 1 min._"
    )


def test_a_limit_of_nothing_holds_nothing_back_and_writes_nothing(tell, sandbox, variables, option):
    option(alert_limit=0)
    for _ in range(30):
        tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.writes) == (30, 0)


def test_each_recipient_has_a_limit_of_their_own_under_any_spelling(tell, sandbox, variables, clock, option):
    option(alert_limit=2)
    for _ in range(3):
        tell(ON_CALL, failed())
    tell(WhatsAppNotifier(recipients=[NUMBER.replace("-", " "), OTHER]), failed())
    assert [len(sandbox.sent_to(number)) for number in (NUMBER, OTHER)] == [2, 1]


def test_a_whatsapp_template_says_it_in_its_fifth_value(tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    tell(
        WhatsAppNotifier(recipients=NUMBER, alert_template="pipeline_alert"),
        of_task(exception=ValueError("x")),
    )
    (body,) = sandbox.messages[-1].body["template"]["components"]
    assert body["parameters"][4]["text"] == (
        "Further alerts are held back until 2026-11-25 12:10 UTC: 1 went out within 10 min: ValueError: x"
    )


@pytest.mark.parametrize(
    ("fields", "beginning"),
    [
        ({"text": "own"}, "own\n\n_Further alerts are held back"),
        ({"text": {"body": "own"}}, "own\n\n_Further alerts are held back"),
        ({"text": "x" * 4096}, "xxx"),
        ({"image": "https://example.com/a.png"}, "❌ *DAG failed*"),
        ({"message": {"text": "own"}}, "❌ *DAG failed*"),
    ],
)
def test_a_message_of_the_users_own_says_it_too(fields, beginning, tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), failed())
    (message,) = sandbox.messages
    assert message.text.startswith(beginning)
    assert "_Further alerts are held back until 2026-11-25 12:10 UTC" in message.text


def test_a_question_is_never_held_back(tell, sandbox, variables, option):
    class Question:
        subject, options = "Load?", ["Yes"]

        def generate_link_to_ui_from_context(self, *, context):
            return "https://airflow.example.com"

    option(alert_limit=1, quiet_hours="00:00-23:59")
    for _ in range(3):
        tell(ON_CALL, of_task("running", task=Question()))
    assert len(sandbox.messages) == 3


# --- what does not go out holds nothing back --------------------------------------------------------------


def test_an_alert_that_is_refused_takes_no_place(tell, sandbox, variables, clock, option):
    option(alert_limit=2)
    sandbox.fail_next(5, status=-70)
    for _ in range(5):
        with pytest.raises(ItnioError):
            tell(ON_CALL, failed())
    for _ in range(3):
        tell(ON_CALL, failed())
    assert len(sandbox.messages) == 2


def test_what_a_refused_alert_should_have_told_the_next_one_tells(tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    for _ in range(3):
        tell(ON_CALL, failed())
    clock.now += 600
    sandbox.fail_next(status=-70)
    with pytest.raises(ItnioError):
        tell(ON_CALL, failed("orders"))
    tell(ON_CALL, failed("orders"))
    assert "_2 alerts were held back since 2026-11-25 12:00 UTC: nightly_load (2)." in last_line(sandbox)


def test_a_connection_that_is_not_there_takes_no_place(tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    for _ in range(3):
        with pytest.raises(ItnioError):
            tell(WhatsAppNotifier(recipients=NUMBER, itnio_conn_id="no_such_connection"), failed())
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1


# --- any doubt sends --------------------------------------------------------------------------------------

NONSENSE = [
    "", "nonsense", "[]", "7", "null", '"x"', "{",
    '{"version": 2}', '{"recipients": 7}', '{"recipients": {"a": 7}}',
    json.dumps({"version": 1, "recipients": {digest("8614718004557"): {"start": 1e18, "sent": 99}}}),
    json.dumps({"version": 1, "recipients": {digest("8614718004557"): {"start": 9_999_999_999, "sent": 99}}}),
    json.dumps({"version": 1, "recipients": {digest("8614718004557"): {"start": -5, "sent": "many"}}}),
    json.dumps({"failing": {"a": {"since": 1, "last": 1, "runs": 1, "run": "r" * 40_000}}}),
    json.dumps({"failing": {"f" * 40_000: {"since": 1, "last": 1, "runs": 1, "run": "r"}}}),
    json.dumps({"recipients": {digest("8614718004557"): {"held": 1, "since": 10**30}}}),
    json.dumps({"recipients": {digest("8614718004557"): {"held": 10**30, "since": 1}}}),
]  # fmt: skip


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_in_the_variable_holds_nothing_back(value, tell, sandbox, variables, clock):
    variables.values[alert_state.VARIABLE] = value
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1
    assert variables.recipients[0]["sent"] == 1


@pytest.mark.parametrize("broken", ["unreadable", "unwritable", "forgetful"])
@pytest.mark.parametrize("options", [{}, {"quiet_hours": "00:00-23:59", "alert_limit": 2}])
def test_a_variable_that_cant_be_kept_holds_nothing_back(broken, options, tell, sandbox, variables, option):
    option(**options)
    setattr(variables, broken, True)
    for _ in range(30):
        tell(ON_CALL, failed())
    assert len(sandbox.messages) == 30


def test_a_variable_that_cant_be_kept_is_not_asked_for_again_for_a_minute(tell, sandbox, variables, clock):
    variables.unreadable = True
    for _ in range(3):
        tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.asked) == (3, 1)
    variables.unreadable = False
    clock.now += 61
    tell(ON_CALL, failed())
    assert (variables.asked, variables.writes) == (2, 1)


def test_an_airflow_that_does_not_answer_holds_nothing_up(tell, sandbox, variables, monkeypatch):
    monkeypatch.setattr(guard, "_SECONDS", 0.2)
    variables.answering.clear()
    threading.Timer(3, variables.answering.set).start()
    for _ in range(3):
        tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.asked) == (3, 1)
    for thread in threading.enumerate():
        if thread.name == "whatsapp-alert-guard":
            thread.join()


def test_a_decision_that_comes_too_late_changes_nothing(tell, sandbox, variables, monkeypatch):
    held = {"start": 1, "sent": 20, "held": 3, "since": 1, "dags": {"sales": 3}}
    before = json.dumps({"recipients": {digest("8614718004557"): held}})
    variables.values[alert_state.VARIABLE] = before
    monkeypatch.setattr(guard, "_SECONDS", 0.2)
    variables.answering.clear()
    threading.Timer(3, variables.answering.set).start()
    tell(ON_CALL, failed())
    for thread in threading.enumerate():
        if thread.name == "whatsapp-alert-guard":
            thread.join()
    # The alert has gone out without a word of the three, so the next one still has to tell of them.
    assert "held back" not in sandbox.messages[-1].text
    assert variables.values[alert_state.VARIABLE] == before


class DeadlockImminentError(BaseException):
    """As Airflow 3.3's, which stands in no public module."""


def test_a_variable_that_cant_be_read_again_holds_nothing_back(tell, sandbox, variables, option, monkeypatch):
    def refuse(*args):
        raise DeadlockImminentError

    option(quiet_hours="00:00-23:59")
    monkeypatch.setattr(guard, "read_state", refuse)
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1


def test_a_window_may_last_a_week(tell, sandbox, variables, clock, option):
    option(alert_limit=2, alert_window=604_800)
    for _ in range(2):
        tell(ON_CALL, failed())
    clock.now += 3 * 86_400
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 2


def test_what_is_held_back_is_held_until_the_minute_that_is_told(tell, sandbox, variables, clock, option):
    option(alert_limit=1, alert_window=3600)
    clock.now += 10
    tell(ON_CALL, failed())
    assert last_line(sandbox) == (
        "_Further alerts are held back until 2026-11-25 13:01 UTC: 1 went out within 1 h._"
    )


def test_a_variable_that_a_secrets_backend_hides_holds_nothing_back(tell, sandbox, variables, clock, option):
    option(quiet_hours="00:00-23:59")
    shown = AlertState(recipients={"a": RecipientState(start=int(clock.now), sent=3)}).to_json(int(clock.now))
    variables.values[alert_state.VARIABLE] = shown
    variables.forgetful = True
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1


def test_what_the_dag_processor_has_cached_does_not_count(monkeypatch):
    monkeypatch.setenv("AIRFLOW__SECRETS__USE_CACHE", "True")
    SecretCache.init()
    try:
        stale, new = (
            AlertState(recipients={digest("8614718004557"): RecipientState(start=1, held=held)}).to_json(1)
            for held in (80, 0)
        )
        SecretCache.save_variable(alert_state.VARIABLE, stale)
        monkeypatch.setenv(f"AIRFLOW_VAR_{alert_state.VARIABLE.upper()}", new)
        assert alert_state.read_state().recipient("8614718004557").held == 0
    finally:
        SecretCache.reset()


def test_a_variable_that_is_deleted_begins_anew(tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    for _ in range(3):
        tell(ON_CALL, failed())
    variables.values.clear()
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 2


@pytest.mark.parametrize("given_limit", ["many", "-1", "1.5", "999999999999", "", "0x10"])
def test_a_limit_that_is_none_counts_as_twenty(given_limit, tell, sandbox, variables, clock, option, logged):
    option(alert_limit=given_limit)
    for _ in range(25):
        tell(ON_CALL, failed())
    assert len(sandbox.messages) == 20
    assert ("[itnio] alert_limit: must be a whole number from 0 to 100000" in logged()) is bool(given_limit)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text()
    | st.recursive(
        st.integers() | st.text() | st.none(),
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["version", "recipients", "failing", digest("8614718004557"), "start", "sent", "held"]
            ),
            inner,
        ),
    ).map(json.dumps)
)
def test_whatever_stands_in_the_variable_a_first_alert_goes_out(value, sandbox, variables, clock):
    variables.values[alert_state.VARIABLE] = value
    before = len(sandbox.messages)
    ON_CALL.notify(failed())
    held = value.count('"sent"') and "1764" in value  # a full window of now is no nonsense
    assert held or len(sandbox.messages) == before + 1


# --- quiet hours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "is_quiet"),
    [
        ("11:00-13:00", True),
        ("11:00-12:00", False),
        ("12:00-13:00 UTC", True),
        ("22:00-07:00", False),
        ("22:00-13:00", True),
        ("22:00-07:00 Asia/Shanghai", False),
        ("19:00-21:00 Asia/Shanghai", True),
        ("13:00 - 14:00 Europe/Berlin", True),
        ("12:00-13:00 Europe/Berlin", False),
    ],
)
def test_hours_are_of_their_zone_and_may_pass_midnight(
    hours, is_quiet, tell, sandbox, variables, clock, option
):
    option(quiet_hours=hours)
    tell(ON_CALL, failed())
    assert (sandbox.messages == []) is is_quiet


def test_what_was_held_in_the_night_the_first_alert_of_the_morning_tells(
    tell, sandbox, variables, clock, option
):
    option(quiet_hours="11:30-14:00 UTC", alert_limit=0)
    for _ in range(2):
        tell(ON_CALL, failed())
    clock.now += 2 * 3600
    tell(ON_CALL, failed())
    (message,) = sandbox.messages
    assert "_2 alerts were held back since 2026-11-25 12:00 UTC: nightly_load (2)._" in message.text


def test_a_dag_with_an_urgent_tag_alerts_at_night(tell, sandbox, variables, clock, option):
    option(quiet_hours="11:30-14:00", urgent_tags="finance, payroll")
    for tags in (["marketing"], ["a", "payroll"], []):
        tell(ON_CALL, failed() | {"dag": DAG("nightly_load", schedule=None, tags=tags)})
    assert len(sandbox.messages) == 1


def test_of_a_deadline_the_tags_are_not_known_so_that_it_may_be_urgent(
    tell, sandbox, variables, clock, option
):
    option(quiet_hours="11:30-14:00", urgent_tags="finance")
    tell(ON_CALL, of_deadline())
    assert len(sandbox.messages) == 1
    option(urgent_tags="")
    tell(ON_CALL, of_deadline())
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize(
    "hours",
    ["night", "22:00", "22-07", "25:00-07:00", "22:00-22:00", "22:00-07:00 Mars/Base", "22:00-07:00 ../x"],
)
def test_hours_that_are_none_hold_nothing_back(hours, tell, sandbox, variables, clock, option, logged):
    option(quiet_hours=hours)
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1
    assert "[itnio] quiet_hours: must be two different times and a time zone, such as" in logged()


# --- what stands in the variable --------------------------------------------------------------------------


def test_no_number_stands_in_it(tell, sandbox, variables, option):
    option(alert_limit=1)
    for _ in range(3):
        tell(WhatsAppNotifier(recipients=[NUMBER, OTHER]), failed())
    written = variables.values[alert_state.VARIABLE]
    assert "4557" not in written
    assert "8610000" not in written
    assert [one["dags"] for one in variables.recipients] == [{"nightly_load": 2}] * 2


def test_it_is_bounded_and_what_is_held_back_goes_last():
    state = AlertState(
        recipients={
            digest(str(number)): RecipientState(
                start=number, held=number % 50, since=1, dags={f"dag_{one}" * 9: 1 for one in range(10)}
            )
            for number in range(1, 400)
        },
        failing={
            digest(str(number)): FailingState(since=1, last=number, runs=3, run=digest("x"))
            for number in range(1000)
        },
    )
    written = state.to_json(500)
    assert len(written) <= 32_000
    kept = AlertState.model_validate_json(written)
    assert 50 < len(kept.failing) <= 100
    assert min(failing.last for failing in kept.failing.values()) > 800
    assert digest("399") in kept.recipients


def _alert(number, path):
    class Kept:
        @staticmethod
        def get(key, default):
            return path.read_text() if path.exists() else default

        @staticmethod
        def set(key, value, description):
            path.write_text(value)

    alert_state.Variable = Kept

    def change(state):
        state.recipient("1").hold("sales", 1)

    for _ in range(number):
        alert_state.update_state(change, None)


def test_processes_of_one_machine_lose_no_change_of_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(alert_state, "_LOCK_SECONDS", 600.0)
    path = tmp_path / "variable"
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_alert, args=(25, path)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    (recipient,) = json.loads(path.read_text())["recipients"].values()
    assert recipient["held"] == 200


def test_a_lock_that_cant_be_had_holds_nothing_up(tell, sandbox, variables, monkeypatch):
    monkeypatch.setattr(alert_state.tempfile, "gettempdir", lambda: "/no/such/folder")
    tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.writes) == (1, 1)
