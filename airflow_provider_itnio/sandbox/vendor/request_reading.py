"""Read a request to the vendor: its JSON, and its headers with secrets masked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from starlette.datastructures import Headers

from airflow_provider_itnio.sandbox.store.exchange import headers_of

MAX_JSON_DEPTH = 100
SECRET_HEADERS = frozenset({"sign", "api-key", "authorization", "proxy-authorization", "cookie"})
MASK = "***"
MIN_SECRET = 6
"""Shortest secret that is searched for within other texts; a shorter one may occur by chance."""


def read_json(raw_body: bytes) -> tuple[dict[str, Any] | Any, str]:
    """Return a body as JSON, and why it is not the object that the vendor needs; empty if it is."""
    try:
        value = json.loads(raw_body.decode("utf-8"), parse_constant=_no_number, parse_float=_number)
    except UnicodeDecodeError:
        return None, "the body is not UTF-8"
    except RecursionError:
        return None, "the JSON is nested too deeply"
    except json.JSONDecodeError as error:
        return None, f"the body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    except ValueError as error:
        return None, f"the body is not JSON: {error}"
    if _is_too_deep(value, raw_body):
        return None, f"the JSON is nested too deeply, at most {MAX_JSON_DEPTH} levels"
    return value, "" if isinstance(value, dict) else "the JSON is not an object"


def mask_headers(headers: Headers, secrets: Iterable[str]) -> Headers:
    """Mask secrets in the values of headers, whatever the header's name is."""

    def holds_a_secret(value: str) -> bool:
        return any(secret in value if len(secret) >= MIN_SECRET else secret == value for secret in secrets)

    masked_headers = [
        (name, MASK if name in SECRET_HEADERS or holds_a_secret(value) else value)
        for name, value in headers.items()
    ]
    return headers_of(masked_headers)


def _is_too_deep(value: Any, raw_body: bytes) -> bool:
    """Return whether JSON is nested so deep that it can be read but not written again."""
    if raw_body.count(b"[") + raw_body.count(b"{") <= MAX_JSON_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, (dict, list)) for one in level)


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text[:40])


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
