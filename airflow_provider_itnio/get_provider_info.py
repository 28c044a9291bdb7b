"""What Airflow discovers about this package. It imports nothing: Airflow calls it before it is configured."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio import __version__

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Describe the provider as ``provider_info.schema.json`` of Airflow asks for it."""
    return {
        "package-name": "airflow-provider-itnio",
        "name": "Itniotech WhatsApp",
        "versions": [__version__],
        "description": "WhatsApp messages through Itniotech's API, as tasks and alerts",
        "integrations": [
            {
                "integration-name": "Itniotech WhatsApp",
                "external-doc-url": "https://www.itniotech.com/",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": "Itniotech WhatsApp",
                "python-modules": [
                    "airflow_provider_itnio.operators.whatsapp",
                    "airflow_provider_itnio.operators.whatsapp_ask",
                    "airflow_provider_itnio.operators.whatsapp_broadcast",
                    "airflow_provider_itnio.operators.whatsapp_held_alerts",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "Itniotech WhatsApp",
                "python-modules": ["airflow_provider_itnio.sensors.whatsapp"],
            }
        ],
        "triggers": [
            {
                "integration-name": "Itniotech WhatsApp",
                "python-modules": ["airflow_provider_itnio.triggers.whatsapp"],
            }
        ],
        "hooks": [
            {
                "integration-name": "Itniotech WhatsApp",
                "python-modules": ["airflow_provider_itnio.hooks.itnio"],
            }
        ],
        "transfers": [
            {
                "source-integration-name": "Common SQL",
                "target-integration-name": "Itniotech WhatsApp",
                "python-module": "airflow_provider_itnio.transfers.sql_to_whatsapp",
            }
        ],
        "connection-types": [
            {
                "connection-type": "itnio",
                "hook-class-name": "airflow_provider_itnio.hooks.itnio.ItnioHook",
                "hook-name": "Itniotech WhatsApp",
                "ui-field-behaviour": {
                    # The port stays: on Airflow 3.3 Test fails without one. So does extra: on Airflow 2 Test
                    # fails without its text area.
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": "Api-Key",
                        "password": "Secret",
                        "host": "Base URL",
                        "port": "Port (443, for Test on Airflow 3)",
                    },
                    "placeholders": {
                        "login": "what Itniotech calls apiKey",
                        "password": "what Itniotech calls apiSecret or apiPwd",
                        "host": "https://api.itniotech.com",
                        "port": "443: without a port, Test on Airflow 3.3 says Bad Request",
                    },
                },
                "conn-fields": {name: _field(*told) for name, told in _FIELDS.items()},
            }
        ],
        "notifications": ["airflow_provider_itnio.notifications.whatsapp.WhatsAppNotifier"],
        "task-decorators": [
            {"name": "whatsapp", "class-name": "airflow_provider_itnio.decorators.whatsapp.whatsapp_task"}
        ],
        "extra-links": ["airflow_provider_itnio.links.whatsapp.OpenChatLink"],
        "config": {
            "itnio": {
                "description": "Alerts on WhatsApp for every DAG, and when alerts are held back",
                "options": {name: _option(*told) for name, told in _OPTIONS.items()},
            }
        },
    }


_FIELDS = {
    "app_id": (
        "App id",
        "Needed, unless each task gives it: the application that messages go through, 8 characters",
    ),
    "business_phone": (
        "Business phone",
        "Needed, unless each task gives it: the number that messages come from, 7 to 14 digits with country "
        "code",
    ),
    "alert_template": (
        "Alert template",
        "Name of the WhatsApp template that carries alerts; without one they are texts, which reach only "
        "people who have written in the last 24 hours",
    ),
    "alert_language": ("Alert language", "Language code of the alert template; en if left empty"),
    "timeout": ("Timeout", "Seconds to wait for an answer; 30 if left empty", "integer"),
    "connect_timeout": ("Connect timeout", "Seconds to wait for a connection; 5 if left empty", "integer"),
    "max_attempts": (
        "Attempts",
        "Attempts for a message that was not sent, 1 to 10; 4 if left empty",
        "integer",
    ),
    "proxy": ("Proxy", "URL of an HTTP proxy; HTTPS_PROXY of the environment if left empty"),
    "receiver_url": (
        "Receiver URL",
        "Address of itnio-receiver, such as http://itnio-receiver:8026; needed to wait until a message is "
        "delivered",
    ),
    "receiver_token": ("Receiver token", "One of the receiver's read tokens (ITNIO_RECEIVER_READ_TOKEN)"),
}


def _field(label: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"]}}


_OPTIONS = {
    "alert_recipients": (
        "Whom every DAG alerts: phone numbers separated by commas, or JSON with lists by ``default``, "
        "``tag:<tag>`` and ``owner:<owner>``. Empty: only DAGs with a notifier of their own alert",
        "+86 147-1800-4557, +86 147-1800-4558",
        "",
    ),
    "alert_conn_id": ("The connection that these alerts go through", "itnio_alerts", "itnio_default"),
    "alert_on": (
        "When every DAG alerts, separated by commas: ``dag_failure``, ``task_failure``, ``dag_recovery``",
        "task_failure",
        "dag_failure,dag_recovery",
    ),
    "alert_skip_tags": ("DAGs with one of these tags, separated by commas, do not", "sandbox, draft", ""),
    "alert_limit": (
        "How many alerts go out to a recipient within ``alert_window``; further ones are held back and told "
        "of together. From 0 (any number) to 100000",
        "5",
        "20",
        "integer",
    ),
    "alert_window": ("Seconds of that window, from 1 to 604800", "3600", "600", "integer"),
    "quiet_hours": (
        "When alerts are held back until the first one afterwards: two times, and a time zone if not UTC",
        "22:00-07:00 Europe/Berlin",
        "",
    ),
    "urgent_tags": ("DAGs with one of these tags, separated by commas, alert at any hour", "payroll", ""),
}


def _option(description: str, example: str, default: str, kind: str = "string") -> dict[str, Any]:
    return {
        "description": description,
        "version_added": __version__,
        "type": kind,
        "example": example,
        "default": default,
    }
