"""One task for each kind of WhatsApp message.

You can run it against the sandbox without changes (``make demo``). To send real messages, create an ``itnio``
connection and enter your own number in ``recipient`` when you trigger the DAG. Write to the business phone
first: only a WhatsApp template reaches people who have not written in the last 24 hours.
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_itnio.messages import (
    contact_card,
    list_menu,
    location_request,
    reply_buttons,
    template_message,
)
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

RECIPIENT = "{{ params.recipient }}"

with DAG(
    dag_id="example_whatsapp_messages",
    description=__doc__.partition("\n")[0],
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "recipient": Param("+86 147-1800-4557", type="string", title="Phone number with country code"),
        "answered_message": Param("1", type="string", title="Id of an incoming message to answer"),
    },
    tags=["example", "whatsapp"],
):
    WhatsAppSendOperator(
        task_id="text", recipient=RECIPIENT, text="*{{ dag.dag_id }}* says _hello_ from `{{ run_id }}`"
    )

    WhatsAppSendOperator(
        task_id="reply",
        recipient=RECIPIENT,
        text="Thank you, we have looked into it.",
        reply_to="{{ params.answered_message }}",
    )

    WhatsAppSendOperator(
        task_id="image",
        recipient=RECIPIENT,
        image={"link": "https://www.example.com/rows-per-hour.png", "caption": "Rows per hour"},
    )

    WhatsAppSendOperator(
        task_id="audio", recipient=RECIPIENT, audio="https://www.example.com/good-morning.mp3"
    )

    WhatsAppSendOperator(
        task_id="video",
        recipient=RECIPIENT,
        video={"link": "https://www.example.com/dashboard-tour.mp4", "caption": "The new dashboard"},
    )

    # The recipient sees the file as "Sales 2026-10.pdf", the last part of its link.
    WhatsAppSendOperator(
        task_id="document",
        recipient=RECIPIENT,
        document={"link": "https://www.example.com/Sales%202026-10.pdf", "caption": "Sales of October"},
    )

    WhatsAppSendOperator(
        task_id="sticker", recipient=RECIPIENT, sticker="https://www.example.com/well-done.webp"
    )

    WhatsAppSendOperator(
        task_id="location",
        recipient=RECIPIENT,
        location={
            "longitude": 114.0579,
            "latitude": 22.5431,
            "name": "Data centre",
            "address": "深圳市龙岗区",
        },
    )

    WhatsAppSendOperator(
        task_id="buttons",
        recipient=RECIPIENT,
        interactive=reply_buttons(
            "Load last night's numbers again?",
            {"load-again": "Yes", "leave": "No"},
            footer="The load took 3 hours",
        ),
    )

    WhatsAppSendOperator(
        task_id="list",
        recipient=RECIPIENT,
        interactive=list_menu(
            "Which report do you want?",
            "Reports",
            {
                "Every day": {"sales": "Sales", "returns": ("Returns", "With the reasons customers gave")},
                "Every month": {"churn": "Churn"},
            },
            header="Reports",
        ),
    )

    WhatsAppSendOperator(
        task_id="location_request",
        recipient=RECIPIENT,
        interactive=location_request("Where does the sensor stand now?"),
    )

    WhatsAppSendOperator(
        task_id="contacts",
        recipient=RECIPIENT,
        contacts=[contact_card("Ana Lima", phone="+55 11 91234-5678", company="On-call team")],
    )

    # The only kind that reaches people who have not written in the last 24 hours.
    WhatsAppSendOperator(
        task_id="template",
        recipient=RECIPIENT,
        template=template_message(
            "daily_report",
            "en",
            body=["{{ dag.dag_id }}", "1,204 rows"],
            buttons=[{"url": "reports/{{ dag.dag_id }}"}],
        ),
    )
