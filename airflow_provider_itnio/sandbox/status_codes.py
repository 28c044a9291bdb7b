"""The vendor's status codes in English, per endpoint."""

from __future__ import annotations

from airflow_provider_itnio import status_texts

CUSTOM_PATH = "/wa/custom/sendMsg"
TEMPLATE_PATH = "/wa/template/sendMsg"
BALANCE_PATH = "/sms/getBalance"

SUCCESS = {0: status_texts.StatusText("success")}
SEND_CODES = {**SUCCESS, **status_texts.MESSAGE_TEXTS}
BALANCE_CODES = {**SUCCESS, **status_texts.BALANCE_TEXTS}
CODES = {CUSTOM_PATH: SEND_CODES, TEMPLATE_PATH: SEND_CODES, BALANCE_PATH: BALANCE_CODES}

EXPIRED: dict[str, int] = {CUSTOM_PATH: -4, TEMPLATE_PATH: -4, BALANCE_PATH: -16}
"""Each endpoint's code for a timestamp outside the tolerance."""

OF_HTTP: dict[int, str] = {
    404: "write the host of the connection up to where the vendor's path begins, which is /wa or /sms",
    405: "send by POST, and ask for the balance by GET",
    413: "send less: no message of WhatsApp is so large",
}
"""What to change if the sandbox rejects a request with an HTTP error."""


def text_of(path: str, status: int) -> status_texts.StatusText:
    """Return what a status means at an endpoint, and what to change."""
    unlisted = status_texts.StatusText("a code that the vendor's page does not list")
    return CODES[path].get(status, unlisted)
