"""Alerts for all DAGs with one line of configuration; an invalid line breaks no DAG."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.metadata import version as installed

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator

from airflow_provider_itnio import policies
from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.notifications import alert_options
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

if installed("apache-airflow").startswith("2."):
    from airflow.models.dagbag import DagBag
else:
    from airflow.dag_processing.dagbag import DagBag

NUMBER, OTHER, THIRD = "+86 1000 0000 11", "+86 1000 0000 12", "+86 1000 0000 13"
OPTIONS = get_provider_info()["config"]["itnio"]["options"]


@pytest.fixture(autouse=True)
def forget():
    alert_options._dag_options.cache_clear()
    alert_options._log_once.cache_clear()
    policies._notifier.cache_clear()
    policies._warn_of_unknown_options.cache_clear()


@pytest.fixture
def option(monkeypatch):
    def set_options(**options):
        for name, value in options.items():
            assert name in OPTIONS
            monkeypatch.setenv(f"AIRFLOW__ITNIO__{name.upper()}", value)

    return set_options


def dag_with(dag_id="sales", owner="ana", **fields):
    with DAG(dag_id, schedule=None, **fields) as dag:
        EmptyOperator(task_id="one", owner=owner)
    return dag


def applied(dag):
    policies.dag_policy(dag)
    for task in dag.tasks:
        policies.task_policy(task)
    return dag


def alerts(callbacks):
    """Return the arguments of the notifiers among callbacks."""
    found = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
    return [
        (one.recipients, one.itnio_conn_id, one.only_after_failure)
        for one in found
        if isinstance(one, WhatsAppNotifier)
    ]


def of(dag):
    (task,) = dag.tasks
    return {
        "dag_failure": alerts(dag.on_failure_callback),
        "dag_recovery": alerts(dag.on_success_callback),
        "task_failure": alerts(task.on_failure_callback),
    }


NOTHING = {"dag_failure": [], "dag_recovery": [], "task_failure": []}


def test_airflow_loads_the_policies_and_applies_them_to_every_dag_file(option, tmp_path):
    (point,) = [one for one in entry_points(group="airflow.policy") if one.name == "itnio_alerts"]
    assert point.load() is policies
    option(alert_recipients=NUMBER)
    (tmp_path / "dags.py").write_text(
        'from airflow.providers.common.compat.sdk import DAG\nwith DAG("a", schedule=None): ...\n'
    )
    bag = DagBag(str(tmp_path))
    assert of_dag(bag.dags["a"]) == (
        [([NUMBER], "itnio_default", False)],
        [([NUMBER], "itnio_default", True)],
    )


def of_dag(dag):
    return alerts(dag.on_failure_callback), alerts(dag.on_success_callback)


def test_without_recipients_nothing_changes(option):
    option(alert_on="dag_failure,task_failure,dag_recovery", alert_conn_id="x")
    dag = applied(dag_with())
    assert of(dag) == NOTHING
    assert (dag.has_on_failure_callback, dag.has_on_success_callback) == (False, False)


def test_alert_recipients_is_the_only_required_option(option):
    option(alert_recipients=f"{NUMBER}, {OTHER}")
    dag = applied(dag_with())
    assert of(dag) == {
        "dag_failure": [([NUMBER, OTHER], "itnio_default", False)],
        "dag_recovery": [([NUMBER, OTHER], "itnio_default", True)],
        "task_failure": [],
    }
    assert (dag.has_on_failure_callback, dag.has_on_success_callback) == (True, True)


@pytest.mark.parametrize(
    "events", ["dag_failure", "task_failure", "dag_recovery", "task_failure, dag_failure"]
)
def test_alert_on_selects_the_events(events, option):
    option(alert_recipients=NUMBER, alert_on=events, alert_conn_id="itnio_alerts")
    said = of(applied(dag_with()))
    assert {event for event, told in said.items() if told} == {one.strip() for one in events.split(",")}
    assert {told[0][1] for told in said.values() if told} == {"itnio_alerts"}


def test_callbacks_of_the_dag_are_kept(option):
    option(alert_recipients=NUMBER, alert_on="dag_failure,task_failure,dag_recovery")
    for own in (print, [print], (print, repr)):
        dag = applied(
            dag_with(
                on_failure_callback=own, on_success_callback=own, default_args={"on_failure_callback": own}
            )
        )
        (task,) = dag.tasks
        kept = list(own) if isinstance(own, (list, tuple)) else [own]
        for callbacks in (dag.on_failure_callback, dag.on_success_callback, task.on_failure_callback):
            assert callbacks[:-1] == kept
            assert isinstance(callbacks[-1], WhatsAppNotifier)


@pytest.mark.parametrize("as_method", [False, True])
def test_a_dag_with_its_own_notifier_gets_no_second_one(as_method, option):
    option(alert_recipients=NUMBER, alert_on="dag_failure,task_failure,dag_recovery")
    own = WhatsAppNotifier(recipients=OTHER)
    callback = own.notify if as_method else own
    dag = applied(dag_with(on_failure_callback=[callback], default_args={"on_failure_callback": callback}))
    own_of_task = policies._callbacks(dag.tasks[0].on_failure_callback)  # a copy, on Airflow 2
    assert (dag.on_failure_callback, len(own_of_task)) == ([callback], 1)
    assert alerts(dag.on_success_callback) == []


def test_a_dag_with_its_own_recovery_notifier_gets_one_for_its_failure(option):
    option(alert_recipients=NUMBER)
    own = WhatsAppNotifier(recipients=OTHER, only_after_failure=True)
    said = of(applied(dag_with(on_success_callback=own)))
    assert said["dag_failure"] == [([NUMBER], "itnio_default", False)]
    assert said["dag_recovery"] == [(OTHER, "itnio_default", True)]


def test_policies_can_be_applied_twice(option):
    option(alert_recipients=NUMBER, alert_on="dag_failure,task_failure,dag_recovery")
    dag = applied(dag_with())
    once = of(dag)
    assert of(applied(dag)) == once


def test_policies_apply_to_mapped_tasks(option):
    option(alert_recipients=NUMBER, alert_on="task_failure")
    with DAG("sales", schedule=None) as dag:
        PythonOperator.partial(task_id="one", python_callable=print).expand(op_args=[["a"], ["b"]])
    assert of(applied(dag))["task_failure"] == [([NUMBER], "itnio_default", False)]


BY_KEY = f'{{"default": "{NUMBER}", "tag:finance": ["{OTHER}"], "owner:ben": "{THIRD}, {OTHER}"}}'


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, [NUMBER]),
        ({"tags": ["finance", "x"]}, [OTHER]),
        ({"owner": "ben"}, [THIRD, OTHER]),
        ({"owner": "eve, ben"}, [THIRD, OTHER]),
        ({"owner": None}, [NUMBER]),
        ({"tags": ["finance"], "owner": "ben"}, [OTHER, THIRD]),
        ({"tags": ["draft"]}, None),
        ({"tags": ["finance", "draft"]}, None),
    ],
)
def test_recipients_are_selected_by_tag_and_owner(fields, told, option):
    option(alert_recipients=BY_KEY, alert_skip_tags="draft, sandbox", alert_on="dag_failure,task_failure")
    said = of(applied(dag_with(**fields)))
    expected = [(told, "itnio_default", False)] if told else []
    assert (said["dag_failure"], said["task_failure"]) == (expected, expected)


def test_without_a_default_only_the_named_tags_and_owners_alert(option):
    option(alert_recipients=f'{{"tag:finance": ["{OTHER}"]}}')
    assert of(applied(dag_with())) == NOTHING
    assert of(applied(dag_with(tags=["finance"])))["dag_failure"]


@pytest.mark.parametrize(
    "jinja",
    [
        "{{ var.value.oncall }}",
        "{% if ds %}+86 1000 0000 11{% endif %}",
        "{# on call #}{{ var.value.oncall }}",
    ],
)
def test_recipients_may_be_jinja(jinja, option):
    option(alert_recipients=jinja)
    assert of(applied(dag_with()))["dag_failure"] == [([jinja], "itnio_default", False)]


@pytest.mark.parametrize("events", [",", " , ,", ""])
def test_an_empty_alert_on_means_the_default_events(events, option):
    option(alert_recipients=NUMBER, alert_on=events)
    said = of(applied(dag_with()))
    assert [event for event, told in said.items() if told] == ["dag_failure", "dag_recovery"]


# --- invalid options ------------------------------------------------------------------------------------

NONSENSE = [
    "nonsense", "%", "%(x)s", "{", "[", "[]", "{}", "null", "{{", "{% if %}", "{{ x", '{"default": 7}',
    '{"default": null}', '{"default": {"a": [1]}}', '{"tag:": [[]]}', '{"nobody": "+86"}', "[[[[1]]]]",
    "12", "+", ",,,", "x" * 100_000, "❌",
    "1e999", "-1", "true", '"', "'; DROP TABLE dag; --",
]  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_an_invalid_value_in_any_option_breaks_no_dag(name, option, tmp_path, monkeypatch, logged):
    (tmp_path / "dags.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        'with DAG("a", schedule=None, tags=["x"], on_failure_callback=print):\n'
        '    EmptyOperator(task_id="b")\n'
    )
    option(alert_recipients=NUMBER, alert_on="dag_failure,task_failure,dag_recovery")
    for value in NONSENSE:
        monkeypatch.setenv(f"AIRFLOW__ITNIO__{name.upper()}", value)
        bag = DagBag(str(tmp_path))
        assert bag.import_errors == {}
        callbacks = bag.dags["a"].on_failure_callback
        assert (callbacks if callable(callbacks) else callbacks[0]) is print


class Odd:
    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


@pytest.mark.parametrize("subject", [None, Odd(), object(), 7], ids=["nothing", "odd", "object", "number"])
def test_policies_never_raise_for_any_subject(subject, option):
    option(alert_recipients=NUMBER, alert_on="dag_failure,task_failure,dag_recovery")
    policies.dag_policy(subject)
    policies.task_policy(subject)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"alert_recipients": f"{NUMBER}, 12345"},
            "[itnio] alert_recipients: default[1]: 7 to 14 digits",
        ),
        ({"alert_recipients": "{"}, "[itnio] alert_recipients: must be phone numbers or JSON"),
        (
            {"alert_recipients": '{"team": "+86"}'},
            "must be phone numbers by default, tag:… and owner:…, 'team' given",
        ),
        (
            {"alert_on": "dag_failure,sla"},
            "[itnio] alert_on: must be one or more of dag_failure, task_failure, dag_recovery, 'sla' given",
        ),
    ],
)
def test_an_unusable_option_is_logged_once_for_all_dags(options, said, option, caplog):
    option(**{"alert_recipients": NUMBER} | options)
    for number in range(5):
        applied(dag_with(f"dag_{number}"))
    assert len([record for record in caplog.records if said in record.getMessage()]) == 1, caplog.text
    assert len(caplog.records) == 1 or "alert_recipients" in options


def test_an_invalid_number_does_not_affect_the_others(option):
    option(alert_recipients=f"123, {NUMBER}")
    assert of(applied(dag_with()))["dag_failure"] == [([NUMBER], "itnio_default", False)]


@pytest.mark.parametrize("name", ["ALERT_RECIPIENT", "ALERT_RECIPIENTS_", "RECIPIENTS_CMD"])
def test_a_misspelled_option_is_logged_once(name, monkeypatch, caplog):
    monkeypatch.setenv(f"AIRFLOW__ITNIO__{name}", NUMBER)
    for _ in range(2):
        assert not alerts(applied(dag_with()).on_failure_callback)
    (line,) = [record.getMessage() for record in caplog.records if record.name == policies.__name__]
    assert line.startswith(
        f"[itnio]: AIRFLOW__ITNIO__{name} is no option; the options are AIRFLOW__ITNIO__ALERT_"
    )
    assert NUMBER not in line


def test_existing_options_are_not_logged_as_misspelled(monkeypatch, caplog):
    for option in OPTIONS:
        for ending in ("", "_CMD", "_SECRET"):
            monkeypatch.setenv(f"AIRFLOW__ITNIO__{option.upper()}{ending}", "")
    applied(dag_with())
    assert not [record for record in caplog.records if record.name == policies.__name__]
