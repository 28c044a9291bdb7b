"""The provider information for Airflow. It imports nothing else: Airflow calls it before it is configured."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio import __version__

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description in the form of Airflow's ``provider_info.schema.json``."""
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
                    # Test fails on Airflow 3.3 without a port, and on Airflow 2 without the field extra.
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": "Api-Key",
                        "password": "Secret",
                        "host": "Base URL",
                        "port": "Port (443, for Test on Airflow 3)",
                    },
                    "placeholders": {
                        "login": "Itniotech's apiKey",
                        "password": "Itniotech's apiSecret or apiPwd",
                        "host": "https://api.itniotech.com",
                        "port": "443: without a port, Test on Airflow 3.3 fails with Bad Request",
                    },
                },
                "conn-fields": {name: _field(*about) for name, about in _FIELDS.items()},
            }
        ],
        "notifications": ["airflow_provider_itnio.notifications.whatsapp.WhatsAppNotifier"],
        "task-decorators": [
            {"name": "whatsapp", "class-name": "airflow_provider_itnio.decorators.whatsapp.whatsapp_task"}
        ],
        "extra-links": ["airflow_provider_itnio.links.whatsapp.OpenChatLink"],
        "config": {
            "itnio": {
                "description": "Alerts on WhatsApp for all DAGs, and when alerts are held back",
                "options": {name: _option(*about) for name, about in _OPTIONS.items()},
            }
        },
    }


_FIELDS = {
    "app_id": (
        "App id",
        "The application that sends messages, 8 characters. Required unless each task sets it",
    ),
    "business_phone": (
        "Business phone",
        "The sender's number, 7 to 14 digits with country code. Required unless each task sets it",
    ),
    "alert_template": (
        "Alert template",
        "Name of the WhatsApp template for alerts. Without it, alerts are texts, which reach only recipients "
        "who have written in the last 24 hours",
    ),
    "alert_language": ("Alert language", "Language code of the alert template; default en"),
    "timeout": ("Timeout", "Seconds to wait for a response; default 30", "integer"),
    "connect_timeout": ("Connect timeout", "Seconds to wait for a connection; default 5", "integer"),
    "max_attempts": (
        "Attempts",
        "Attempts for a message that was not sent, 1 to 10; default 4",
        "integer",
    ),
    "proxy": ("Proxy", "URL of an HTTP proxy; default HTTPS_PROXY of the environment"),
    "receiver_url": (
        "Receiver URL",
        "URL of itnio-receiver, such as http://itnio-receiver:8026. Required to wait until a message is "
        "delivered",
    ),
    "receiver_token": ("Receiver token", "One of the receiver's read tokens (ITNIO_RECEIVER_READ_TOKEN)"),
}


def _field(label: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"]}}


_OPTIONS = {
    "alert_recipients": (
        "Recipients of the alerts of all DAGs: phone numbers separated by commas, or JSON with lists by "
        "``default``, ``tag:<tag>`` and ``owner:<owner>``. If empty, only DAGs with a notifier send alerts",
        "+86 147-1800-4557, +86 147-1800-4558",
        "",
    ),
    "alert_conn_id": ("The connection that sends these alerts", "itnio_alerts", "itnio_default"),
    "alert_on": (
        "Events that send these alerts, separated by commas: dag_failure, task_failure, dag_recovery",
        "task_failure",
        "dag_failure,dag_recovery",
    ),
    "alert_skip_tags": (
        "Tags of DAGs that do not send these alerts, separated by commas",
        "sandbox, draft",
        "",
    ),
    "alert_limit": (
        "The most alerts to a recipient within ``alert_window``; further ones are held back and reported "
        "together. 0 (no limit) to 100000",
        "5",
        "20",
        "integer",
    ),
    "alert_window": ("Length of that window in seconds, 1 to 604800", "3600", "600", "integer"),
    "quiet_hours": (
        "Hours in which alerts are held back; the first alert afterwards reports them. Two times, and a time "
        "zone if not UTC",
        "22:00-07:00 Europe/Berlin",
        "",
    ),
    "urgent_tags": ("Tags of DAGs that send alerts in quiet hours, too, separated by commas", "payroll", ""),
}


def _option(description: str, example: str, default: str, kind: str = "string") -> dict[str, Any]:
    return {
        "description": description,
        "version_added": __version__,
        "type": kind,
        "example": example,
        "default": default,
    }
