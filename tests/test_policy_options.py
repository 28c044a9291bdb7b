"""An invalid option of ``[itnio]`` is logged once: the option, the rule, the value, and what is used."""

from __future__ import annotations

import pytest
from airflow.configuration import conf as core_conf
from airflow.providers.common.compat.sdk import DAG, conf
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio import policies
from airflow_provider_itnio.notifications import alert_options
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

NUMBER = "+86 1000 0000 11"
ALL = "dag_failure,task_failure,dag_recovery"


@pytest.fixture(autouse=True)
def option(monkeypatch):
    """Set options of ``[itnio]``, and forget those read before."""
    alert_options._dag_options.cache_clear()
    alert_options._log_once.cache_clear()
    policies._notifier.cache_clear()
    monkeypatch.delenv("AIRFLOW__ITNIO__ALERT_LIMIT")

    def set_options(**options):
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__ITNIO__{name.upper()}", value)

    return set_options


def read(number=1, tasks=1, **fields):
    """Apply the policies to a DAG as Airflow does."""
    with DAG(f"dag_{number}", schedule=None, **fields) as dag:
        for task in range(tasks):
            EmptyOperator(task_id=f"task_{task}")
    policies.dag_policy(dag)
    for task in dag.tasks:
        policies.task_policy(task)
    return dag


RECIPIENTS = "[itnio] alert_recipients: "
NOT_USED = "; it is not used"
ONE = "must be at least one phone number"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("alert_recipients", '{"default": null}', f"{RECIPIENTS}default: {ONE}, nothing given{NOT_USED}"),
        ("alert_recipients", '{"tag:a": []}', f"{RECIPIENTS}tag:a: {ONE}, a list of 0 given{NOT_USED}"),
        ("alert_recipients", '{"owner:b": ""}', f"{RECIPIENTS}owner:b: {ONE}, '' given{NOT_USED}"),
        ("alert_recipients", "[]", f"{RECIPIENTS}default: {ONE}, a list of 0 given{NOT_USED}"),
        ("alert_recipients", ",,,", f"{RECIPIENTS}default: {ONE}, ',,,' given{NOT_USED}"),
        ("alert_recipients", '{"default": true}', f"{RECIPIENTS}default[0]: "),
        ("alert_recipients", '{"default": 1.5}', f"{RECIPIENTS}default[0]: "),
        ("alert_recipients", '{"default": [{"a": 1}]}', f"{RECIPIENTS}default[0]"),
        (
            "alert_recipients",
            '{"team": "x"}',
            f"{RECIPIENTS}must be phone numbers by default, tag:… and owner:…",
        ),
        ("alert_recipients", '{"tag: ": "x"}', f"owner:…, 'tag: ' given{NOT_USED}"),
        ("alert_recipients", f'{{"owner: ana": "{NUMBER}"}}', f"owner:…, 'owner: ana' given{NOT_USED}"),
        ("alert_recipients", "{", f"{RECIPIENTS}must be phone numbers or JSON, '{{' given; no DAG alerts: "),
        ("alert_recipients", "[" * 50_000, f"{RECIPIENTS}must be phone numbers or JSON, '[[["),
        ("alert_conn_id", "my conn", "[itnio] alert_conn_id: must be a connection's id: at most 200 letters"),
        ("alert_conn_id", "x" * 201, "[itnio] alert_conn_id: must be a connection's id: at most 200 letters"),
        (
            "alert_on",
            "sla",
            "[itnio] alert_on: must be one or more of dag_failure, task_failure, dag_recovery, 'sla' given",
        ),
        ("alert_on", '["dag_failure"]', "given; the default dag_failure,dag_recovery is used"),
        ("alert_on", "dag_failure,late", "'late' given; it is not used"),
        ("alert_skip_tags", '["draft"]', "[itnio] alert_skip_tags: must be tags of at most 100 characters"),
        ("alert_skip_tags", "x" * 101, "[itnio] alert_skip_tags: must be tags of at most 100 characters"),
        ("urgent_tags", '{"a": 1}', "[itnio] urgent_tags: must be tags of at most 100 characters"),
        ("alert_limit", "many", "must be a whole number from 0 to 100000, 'many' given; the default 20 is"),
        ("alert_limit", "1.5", "[itnio] alert_limit: must be a whole number from 0 to 100000, '1.5' given"),
        ("alert_window", "0", "must be a whole number from 1 to 604800, '0' given; the default 600 is used"),
        ("alert_window", "10 min", "[itnio] alert_window: must be a whole number from 1 to 604800, '10 min'"),
        ("quiet_hours", "night", "'night' given; there are no quiet hours"),
        ("quiet_hours", "00:00-24:00", "[itnio] quiet_hours: must be two different times and a time zone"),
    ],
)
def test_an_invalid_option_is_logged_once_for_all_dags_and_tasks(name, value, line, option, caplog):
    option(**{"alert_recipients": NUMBER, "alert_on": ALL} | {name: value})
    for number in range(3):
        read(number, tasks=3)
    (said,) = [record.getMessage() for record in caplog.records if "[itnio]" in record.getMessage()]
    assert line in said
    assert len(said) < 400


def test_an_option_that_airflow_cannot_read_is_logged_with_its_name(option, caplog, monkeypatch):
    def get(section, name, **options):
        if name == "alert_on":
            raise ValueError("'%' must be followed by '%' or '('")
        return conf.get(section, name, **options)

    monkeypatch.setattr(alert_options, "conf", type("Conf", (), {"get": staticmethod(get)}))
    option(alert_recipients=NUMBER)
    dag = read()
    assert dag.on_failure_callback
    assert "[itnio] alert_on: can't be read (ValueError); the default is used" in caplog.text


def test_a_tag_may_contain_brackets(option, caplog):
    option(alert_recipients=NUMBER, alert_skip_tags="[wip], {x}")
    assert (read(tags=["[wip]"]).on_failure_callback, bool(read().on_failure_callback)) == (None, True)
    assert "[itnio]" not in caplog.text


def test_a_notifier_in_a_dag_file_logs_invalid_options_for_holding_alerts_back(option, caplog):
    option(quiet_hours="night", alert_limit="many")
    for _ in range(3):
        WhatsAppNotifier(recipients=NUMBER)
    said = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in said] == ["[itnio] alert_limit", "[itnio] quiet_hours"]


def test_alert_conn_id_may_be_jinja_or_any_name_that_airflow_accepts(option, caplog):
    for conn_id in ("{{ var.value.alerts }}", "team-a.alerts/1"):
        option(alert_recipients=NUMBER, alert_conn_id=conn_id)
        assert read().on_failure_callback[-1].itnio_conn_id == conn_id
    assert "[itnio]" not in caplog.text


def asking(get, asked):
    return lambda conf, section, *names, **how: asked.append(section) or get(conf, section, *names, **how)


@pytest.mark.parametrize("recipients", [None, NUMBER, '{"owner:ana": "+86 1000 0000 12"}'])
def test_options_are_not_read_again_for_each_task(recipients, option, monkeypatch):
    asked = []
    of_dag = DAG.owner.fget
    monkeypatch.setattr(DAG, "owner", property(lambda dag: asked.append("owner") or of_dag(dag)))
    for each in {type(conf), type(core_conf)}:
        monkeypatch.setattr(each, "get", asking(each.get, asked))
    if recipients:
        option(alert_recipients=recipients, alert_on=ALL)
    owner = {"default_args": {"owner": "ana"}}
    read(0, **owner)
    asked.clear()
    read(1, **owner)
    once = [one for one in asked if one in ("itnio", "owner")]
    asked.clear()
    dag = read(2, tasks=200, **owner)
    assert [one for one in asked if one in ("itnio", "owner")] == once
    assert bool(dag.tasks[-1].on_failure_callback) is bool(recipients)


def test_a_changed_configuration_applies_to_a_dag_that_is_parsed_again(option):
    option(alert_recipients=NUMBER)
    dag = read()
    policies.dag_policy(dag)
    option(alert_recipients="+86 1000 0000 12")
    dag.on_failure_callback = None
    policies.dag_policy(dag)
    assert dag.on_failure_callback[-1].recipients == ["+86 1000 0000 12"]
