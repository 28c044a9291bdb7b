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
                    "airflow_provider_itnio.operators.whatsapp_broadcast",
                ],
            }
        ],
        "hooks": [
            {
                "integration-name": "Itniotech WhatsApp",
                "python-modules": ["airflow_provider_itnio.hooks.itnio"],
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
                "conn-fields": {
                    "app_id": {
                        "label": "App id",
                        "description": "Needed, unless each task gives it: the application that messages go "
                        "through, 8 characters",
                        "schema": {"type": ["string", "null"]},
                    },
                    "business_phone": {
                        "label": "Business phone",
                        "description": "Needed, unless each task gives it: the number that messages come "
                        "from, 7 to 14 digits with country code",
                        "schema": {"type": ["string", "null"]},
                    },
                    "alert_template": {
                        "label": "Alert template",
                        "description": "Name of the WhatsApp template that carries alerts; without one they "
                        "are texts, which reach only people who have written in the last 24 hours",
                        "schema": {"type": ["string", "null"]},
                    },
                    "alert_language": {
                        "label": "Alert language",
                        "description": "Language code of the alert template; en if left empty",
                        "schema": {"type": ["string", "null"]},
                    },
                    "timeout": {
                        "label": "Timeout",
                        "description": "Seconds to wait for an answer; 30 if left empty",
                        "schema": {"type": ["integer", "null"]},
                    },
                    "connect_timeout": {
                        "label": "Connect timeout",
                        "description": "Seconds to wait for a connection; 5 if left empty",
                        "schema": {"type": ["integer", "null"]},
                    },
                    "max_attempts": {
                        "label": "Attempts",
                        "description": "Attempts for a message that was not sent, 1 to 10; 4 if left empty",
                        "schema": {"type": ["integer", "null"]},
                    },
                    "proxy": {
                        "label": "Proxy",
                        "description": "URL of an HTTP proxy; the environment's if left empty",
                        "schema": {"type": ["string", "null"]},
                    },
                },
            }
        ],
        "notifications": ["airflow_provider_itnio.notifications.whatsapp.WhatsAppNotifier"],
        "task-decorators": [
            {"name": "whatsapp", "class-name": "airflow_provider_itnio.decorators.whatsapp.whatsapp_task"}
        ],
        "extra-links": ["airflow_provider_itnio.links.whatsapp.OpenChatLink"],
    }
