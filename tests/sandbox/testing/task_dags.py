"""A user's DAG, for tests that run its tasks one by one."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, BaseOperator, get_current_context, task

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

NUMBER = "+86 147-1800-4557"
SHOPS = ["+55 11 91234-5678", "+91 98765 43210"]
NOTES = []


class Counting(BaseOperator):
    """An operator without WhatsApp that notes every call of its methods."""

    template_fields = ("words",)

    def __init__(self, *, words, **kwargs):
        super().__init__(**kwargs)
        self.words = words

    def pre_execute(self, context):
        super().pre_execute(context)
        NOTES.append(f"pre {self.words}")

    def execute(self, context):
        NOTES.append(f"execute {context['ti'].xcom_pull(key='left', default='nothing')}")
        context["ti"].xcom_push("left", 5)
        NOTES.append(f"pushed {context['ti'].xcom_pull(key='left')}")
        return len(self.words)

    def post_execute(self, context, result=None):
        super().post_execute(context, result)
        NOTES.append("post")


with DAG(
    "sales",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"shop": 7},
    user_defined_macros={"double": lambda number: 2 * number},
    user_defined_filters={"loud": str.upper},
    default_args={"on_failure_callback": WhatsAppNotifier(recipients=NUMBER)},
) as dag:

    @task
    def load():
        return {"rows": 1}

    @task(multiple_outputs=True)
    def figures():
        return {"rows": 1, "revenue": 2}

    @task
    def part(number):
        return number

    @task.whatsapp(recipient=NUMBER)
    def tell(loaded, ds=None):
        assert get_current_context()["ds"] == ds
        return f"{ds}: {loaded['rows']}"

    @task.whatsapp(recipient=NUMBER)
    def tell_value(value):
        return f"{value}"

    loaded = load()
    found = figures()
    parts = part.expand(number=[1, 2])
    told = tell(loaded)
    tell_revenue = tell_value.override(task_id="tell_revenue")(found["revenue"])
    tell_parts = tell_value.override(task_id="tell_parts")(parts)
    tell_each = tell.override(task_id="tell_each").expand(loaded=loaded)

    def send(task_id, text, recipient=NUMBER, **fields):
        return WhatsAppSendOperator(task_id=task_id, text=text, recipient=recipient, **fields)

    to_shops = WhatsAppSendOperator.partial(task_id="to_shops", text="{{ ds }} is closed").expand(
        recipient=SHOPS
    )
    to_upstream = WhatsAppSendOperator.partial(task_id="to_upstream", recipient=NUMBER).expand(text=loaded)
    to_product = WhatsAppSendOperator.partial(task_id="to_product").expand(
        text=loaded.map(str), recipient=[NUMBER, *SHOPS]
    )
    to_rows = WhatsAppSendOperator.partial(task_id="to_rows").expand_kwargs(loaded)
    to_written_rows = WhatsAppSendOperator.partial(task_id="to_written_rows").expand_kwargs(
        [{"text": "one {{ ds }}", "recipient": NUMBER}, {"text": loaded, "recipient": NUMBER}]
    )

with DAG("native", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=True):
    to_native = WhatsAppSendOperator(
        task_id="to_native", recipient="{{ params.phone }}", contacts="{{ ti.xcom_pull('cards') }}"
    )
