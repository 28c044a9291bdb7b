"""A DAG whose tasks note their context: ``dag.test()`` and ``itnio_sandbox.execute`` must agree."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
    TaskDeferred,
    task,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

NUMBER = "+86 147-1800-4557"
NOTES: dict[str, list] = {}

FIGURES = {"rows": 3, 2: "two", "pair": (1, 2), "at": datetime(2026, 7, 1, tzinfo=UTC), "set": {5}}
"""The return values of the upstream tasks, which the test passes as XComs."""
XCOMS = {
    "part": [10, 20],
    "figures": FIGURES,
    "nothing": None,
    "rows": {"rows": 1, "late": ["a"]},
    "pushed": {3: ("x",)},
}


def note(ti, what):
    NOTES.setdefault(f"{ti.task_id} {ti.map_index} try {ti.try_number}", []).append(f"{what}")


def called(kind):
    def callback(context):
        error = context.get("exception")
        note(
            context["ti"],
            f"{kind} {type(error).__name__} state {context['ti'].state} task {context['task'].task_id}",
        )

    return callback


CALLBACKS = {
    f"on_{kind}_callback": called(kind) for kind in ("execute", "success", "failure", "retry", "skipped")
}


class Soon(BaseTrigger):
    def __init__(self, word):
        super().__init__()
        self.word = word

    def serialize(self):
        return f"{__name__}.Soon", {"word": self.word}

    async def run(self):
        if self.word == "fails":
            raise ValueError("the trigger failed")
        yield TriggerEvent({"word": self.word, 1: "one"})


class Deferring(BaseOperator):
    template_fields = ("word",)

    def __init__(self, *, word, **kwargs):
        super().__init__(**kwargs)
        self.word = word

    def execute(self, context):
        note(context["ti"], f"defers {self.word}")
        context["ti"].xcom_push("before", self.word)
        raise TaskDeferred(trigger=Soon(self.word), method_name="resume")

    def resume(self, context, event):
        note(context["ti"], f"resumes {event} {self.word} {context['ti'].xcom_pull(key='before')}")
        return event["word"]


class ByPosition(BaseOperator):
    def execute(self, context):
        return 1

    def post_execute(self, context, result):
        note(context["ti"], result)


class Given(BaseOperator):
    template_fields = ("value",)

    def __init__(self, *, value, other=None, **kwargs):
        super().__init__(**kwargs)
        self.value = value
        self.other = other

    def pre_execute(self, context):
        note(context["ti"], f"pre {self.value!r:.80}")

    def execute(self, context):
        note(context["ti"], f"{type(self.value).__name__} {self.other}")

    def post_execute(self, context, result=None):
        note(context["ti"], f"post {result}")

    def on_kill(self):
        NOTES.setdefault("killed", []).append(self.task_id)


class Slow(Given):
    def execute(self, context):
        time.sleep(20)


with DAG(
    "compared",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"colour": "red"},
    default_args=CALLBACKS,
) as dag:

    @task
    def part(number):
        return number * 10

    @task
    def figures():
        return FIGURES

    @task
    def nothing():
        return None

    @task(multiple_outputs=True)
    def rows():
        return {"rows": 1, "late": ["a"]}

    parts, loaded, pushed_nothing, split = part.expand(number=[1, 2]), figures(), nothing(), rows()

    @task
    def shown(parts, loaded, late, ti=None):
        for each in (
            parts,
            f"{parts}",
            list(parts),
            len(parts),
            parts[-1],
            sorted(loaded.items(), key=repr),
            late,
        ):
            note(ti, repr(each))

    @task
    def pulled(ti=None):
        note(ti, ti.xcom_pull("nothing", default="x"))
        note(ti, ti.xcom_pull("nothing", map_indexes=-1, default="x"))
        for task_ids in ("part", ["part", "figures"], ["nothing", "rows"], "figures"):
            note(ti, ti.xcom_pull(task_ids))
        for map_indexes in (1, [1, 0], -1, None):
            note(ti, ti.xcom_pull("part", map_indexes=map_indexes))
        note(ti, ti.xcom_pull("figures", map_indexes=0))
        note(ti, ti.xcom_pull("rows", key="late"))

    @task
    def pushed(ti=None):
        note(ti, ti.xcom_pull(key="own", default="x"))
        ti.xcom_push("own", {1: (2, 3)})
        note(ti, ti.xcom_pull(key="own"))
        return {3: ("x",)}

    @task
    def after_pushed(ti=None):
        note(ti, ti.xcom_pull("pushed"))

    @task
    def environment(ti=None, dag_run=None):
        names = ("DAG_ID", "TASK_ID", "TRY_NUMBER", "DAG_OWNER")
        note(ti, [os.environ[f"AIRFLOW_CTX_{name}"] for name in names])
        note(ti, f"{dag_run.run_type} {dag_run.state} {dag_run.conf}")

    @task
    def unserializable():
        return object()

    @task
    def skips():
        raise AirflowSkipException("nothing is late")

    @task(retries=2)
    def fails_at_once():
        raise AirflowFailException("no balance")

    @task(retries=1, retry_delay=timedelta(0))
    def fails():
        raise ValueError("no rows")

    shown(parts, loaded, split["late"])
    [parts, loaded, pushed_nothing, split] >> pulled()
    pushed() >> after_pushed()
    environment(), unserializable(), skips(), fails_at_once(), fails()
    ByPosition(task_id="by_position")
    Slow(task_id="slow", value=1, execution_timeout=timedelta(seconds=0.2))
    Deferring(task_id="deferring", word="{{ params.colour }}")
    Deferring(task_id="trigger_fails", word="fails")
    Given(task_id="rendered", value="{{ params.colour }} {{ ti.xcom_pull('figures')['2'] }} {{ ti.task_id }}")
    loaded >> dag.get_task("rendered")
    Given.partial(task_id="mapped", map_index_template="{{ task.value }}").expand(
        value=parts, other=["a", "b"]
    )
    Given.partial(task_id="row").expand_kwargs([{"value": loaded}])
    Given.partial(task_id="row_of_upstream").expand_kwargs(parts.map(lambda each: {"value": each}))
    told = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="{{ params.colour }}")

ONCE = (
    *("shown", "pulled", "pushed", "after_pushed", "environment", "unserializable", "skips", "fails_at_once"),
    *("by_position", "slow", "deferring", "trigger_fails", "rendered", "tell"),
)
RUNS = [
    *((task_id, {}) for task_id in ONCE),
    *(("fails", {"try_number": number}) for number in (1, 2)),
    *(("mapped", {"map_index": index}) for index in range(4)),
    ("row", {"map_index": 0}),
    *(("row_of_upstream", {"map_index": index}) for index in range(2)),
]
"""The task instances to run with ``execute``, which a run of the DAG runs too."""
