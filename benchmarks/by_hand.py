"""The text that all benchmarks send, and the code a user would write to send it without the package."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Final

__all__ = [
    "API_KEY",
    "APP_ID",
    "BUSINESS_PHONE",
    "RECIPIENT",
    "SECRET",
    "TEXT",
    "body_by_hand",
    "connection_to",
    "headers_by_hand",
]

API_KEY: Final = "bDqJFiq9"
SECRET: Final = "7bz1lzh9"
APP_ID: Final = "n0XdVn9P"
BUSINESS_PHONE: Final = "8614718004557"
RECIPIENT: Final = "8613800138000"
TEXT: Final = (
    "*2026-01-01* closed with 41,208 rows, 12 of them rejected. Details: https://reports.example/0101"
)


def connection_to(url: str) -> str:
    """Return the ``itnio`` connection for an environment variable.

    :param url: the server's address.
    """
    return json.dumps(
        {
            "conn_type": "itnio",
            "host": url,
            "login": API_KEY,
            "password": SECRET,
            "extra": {"app_id": APP_ID, "business_phone": BUSINESS_PHONE},
        }
    )


def body_by_hand() -> bytes:
    """Return the same bytes that the package posts, without any check."""
    message = {
        "appId": APP_ID,
        "businessPhone": BUSINESS_PHONE,
        "recipient": RECIPIENT,
        "channelType": 0,
        "type": "text",
        "text": {"body": TEXT},
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def headers_by_hand() -> dict[str, str]:
    """Return the headers that sign a request sent now."""
    timestamp = str(int(time.time()))
    return {
        "Content-Type": "application/json;charset=UTF-8",
        "Sign": hashlib.md5(f"{API_KEY}{SECRET}{timestamp}".encode()).hexdigest(),
        "Timestamp": timestamp,
        "Api-Key": API_KEY,
    }
