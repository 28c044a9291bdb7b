"""Maps unsuccessful answers to errors: HTTP 429 and 503, refusals, unknown outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.clock import parse_http_date
from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    ItnioError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.response import MAX_BODY_SIZE, Response
from airflow_provider_itnio.api.status_codes import StatusCode, status_code

if TYPE_CHECKING:
    from airflow_provider_itnio.api.protocol import Request

Clean = Callable[[str], str]

_MAX_RETRY_AFTER: Final = 1e9
"""Upper bound of a parsed ``Retry-After``, in seconds."""


def error_from_response(
    response: Response, request: Request[Any], delivery: Delivery, *, clean: Clean, now: float
) -> ItnioError:
    """Map an unsuccessful answer to an error.

    :param response: the answer.
    :param request: the request.
    :param delivery: with ``at_most_once``, the outcome is unknown unless the answer proves that nothing was
        sent.
    :param clean: truncates text of the server, and removes secrets and phone numbers from it.
    :param now: the server's Unix time in seconds.
    """
    status = response.status
    at_most_once = delivery == "at_most_once"
    if response.http_status == 429 or (response.http_status == 503 and not at_most_once):
        return _not_sent(request, response, now)
    if response.http_status != 503 and status is not None and status < 0:
        entry = status_code(request.codes, status)
        if not (at_most_once and entry.transient):
            return _refused(request, response, entry, clean)
    by_gateway = status is None or status > 0
    if by_gateway and 400 <= response.http_status < 500 and response.http_status not in (407, 408, 425):
        return _refused_by_http(request, response)
    return UnknownOutcomeError(
        f"Itniotech's answer does not say whether it accepted the {request.subject}: "
        f"{_describe(response, status, clean)}",
        http_status=response.http_status,
    )


def _not_sent(request: Request[Any], response: Response, now: float) -> NotSentError:
    wait = _retry_after(response.header("retry-after"), now)
    wait_text = "" if wait is None else f", which asks to wait {wait:.0f} s"
    text = f"Itniotech did not accept the {request.subject}"
    if response.http_status == 503:
        text = (
            f"The {request.subject} was probably not sent (some gateways return 503 after they have "
            "forwarded the message; with delivery='at_most_once' it is not sent again)"
        )
    return NotSentError(
        f"{text}: HTTP {response.http_status}{wait_text}", retry_after=wait, http_status=response.http_status
    )


def _refused(request: Request[Any], response: Response, entry: StatusCode, clean: Clean) -> RefusedError:
    reason = clean(to_text(response.payload.get("reason")))
    sentence = f"Itniotech refused the {request.subject}: status {entry.code}, {entry.meaning}"
    sentence += f" ({entry.advice})" if entry.advice else ""
    sentence += f"; its reason: {reason!r}" if reason else ""
    return entry.error_class(
        sentence,
        code=entry.code,
        meaning=entry.meaning,
        reason=reason,
        http_status=response.http_status,
        transient=entry.transient,
        affects_all=entry.affects_all,
    )


def _refused_by_http(request: Request[Any], response: Response) -> RefusedError:
    error_class = AuthenticationError if response.http_status in (401, 403) else RefusedError
    advice = "; check the connection's host" if response.http_status in (404, 405) else ""
    return error_class(
        f"The {request.subject} was refused: HTTP {response.http_status}, "
        f"without a status code of Itniotech{advice}",
        http_status=response.http_status,
        affects_all=response.http_status in (401, 403, 404, 405),
    )


def _describe(response: Response, status: int | None, clean: Clean) -> str:
    described = f"HTTP {response.http_status}"
    if response.length > MAX_BODY_SIZE:
        return f"{described}, longer than 1 MiB"
    if status == 0:
        return f"{described}, status 0, but the expected data is missing"
    if status is not None:
        return f"{described}, status {status}"
    kind = (response.header("content-type") or "no content type").partition(";")[0]
    encoding = response.header("content-encoding")
    encoding_text = f", encoded as {clean(encoding)}," if encoding else ""
    return f"{described}, {response.length} bytes of {clean(kind)}{encoding_text} without a status"


def to_text(value: object) -> str:
    """Return a value of JSON as text, or its type if ``str`` fails: on huge numbers and deep nesting."""
    try:
        return str(value or "")
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"


def _retry_after(value: str | None, now: float) -> float | None:
    """Read a ``Retry-After`` header, which contains seconds or a date."""
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,300}(\.\d{1,9})?\s*", value, re.ASCII):
        return min(float(value), _MAX_RETRY_AFTER)
    at = parse_http_date(value)
    return None if at is None else min(max(0.0, at - now), _MAX_RETRY_AFTER)
