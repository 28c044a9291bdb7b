"""Many alerts at once: the first are sent, the rest are held back and reported."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.notifications.guard_cases import NUMBER, ON_CALL, OTHER, failed, last_line

from .events import of_task

pytestmark = pytest.mark.usefixtures("connection")


# --- many alerts at once ----------------------------------------------------------------------------------


def test_of_100_alerts_20_are_sent_and_the_next_one_after_the_window_reports_80(
    notify, sandbox, variables, clock
):
    for number in range(100):
        notify(ON_CALL, failed("sales" if number % 4 else "orders"))
    assert len(sandbox.messages) == 20
    assert [message for message in sandbox.messages[:-1] if "held back" in message.text] == []
    assert last_line(sandbox) == (
        "_Further alerts are held back until 2026-11-25 12:10 UTC: 20 went out within 10 min._"
    )
    clock.now += 600
    notify(ON_CALL, failed("nightly_load"))
    assert len(sandbox.messages) == 21
    assert last_line(sandbox) == (
        "_80 alerts were held back since 2026-11-25 12:00 UTC: sales (60), orders (20)._"
    )
    notify(ON_CALL, failed())
    assert "held back" not in sandbox.messages[-1].text


def test_limit_and_window_are_configuration_options(tell, sandbox, variables, clock, option):
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


def test_a_limit_of_0_holds_no_alert_back_and_writes_no_variable(tell, sandbox, variables, option):
    option(alert_limit=0)
    for _ in range(22):
        tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.writes) == (22, 0)


def test_each_recipient_has_a_separate_limit_under_any_spelling(tell, sandbox, variables, clock, option):
    option(alert_limit=2)
    for _ in range(3):
        tell(ON_CALL, failed())
    tell(WhatsAppNotifier(recipients=[NUMBER.replace("-", " "), OTHER]), failed())
    assert [len(sandbox.sent_to(number)) for number in (NUMBER, OTHER)] == [2, 1]


def test_a_whatsapp_template_contains_the_note_in_its_fifth_value(tell, sandbox, variables, clock, option):
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
        ({"message": {"text": "own"}}, "own\n\n_Further alerts are held back"),
        ({"message": {"text": {"body": "own"}}}, "own\n\n_Further alerts are held back"),
        ({"message": {"image": "https://example.com/a.png"}}, "❌ *DAG failed*"),
    ],
)
def test_a_custom_message_contains_the_note_too(fields, beginning, tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), failed())
    (message,) = sandbox.messages
    assert message.text.startswith(beginning)
    assert "_Further alerts are held back until 2026-11-25 12:10 UTC" in message.text


def test_a_human_in_the_loop_question_is_never_held_back(tell, sandbox, variables, option):
    class Question:
        subject, options = "Load?", ["Yes"]

        def generate_link_to_ui_from_context(self, *, context):
            return "https://airflow.example.com"

    option(alert_limit=1, quiet_hours="00:00-23:59")
    for _ in range(3):
        tell(ON_CALL, of_task("running", task=Question()))
    assert len(sandbox.messages) == 3


# --- alerts that are not sent do not count ----------------------------------------------------------------


def test_a_refused_alert_does_not_count_towards_the_limit(tell, sandbox, variables, clock, option):
    option(alert_limit=2)
    sandbox.fail_next(5, status=-70)
    for _ in range(5):
        with pytest.raises(ItnioError):
            tell(ON_CALL, failed())
    for _ in range(3):
        tell(ON_CALL, failed())
    assert len(sandbox.messages) == 2


def test_the_next_alert_reports_the_held_alerts_of_a_refused_one(tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    for _ in range(3):
        tell(ON_CALL, failed())
    clock.now += 600
    sandbox.fail_next(status=-70)
    with pytest.raises(ItnioError):
        tell(ON_CALL, failed("orders"))
    tell(ON_CALL, failed("orders"))
    assert "_2 alerts were held back since 2026-11-25 12:00 UTC: nightly_load (2)." in last_line(sandbox)


def test_an_alert_with_a_missing_connection_does_not_count_towards_the_limit(
    tell, sandbox, variables, clock, option, quick_look_ups
):
    option(alert_limit=1)
    for _ in range(3):
        with pytest.raises(ItnioError):
            tell(WhatsAppNotifier(recipients=NUMBER, itnio_conn_id="no_such_connection"), failed())
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1
