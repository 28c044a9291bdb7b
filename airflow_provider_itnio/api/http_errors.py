"""Maps unsuccessful answers to errors: HTTP 429 and 503, refusals, unknown outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.clock import seconds_of_date
from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    ItnioError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.response import ANSWER_LIMIT, Response
from airflow_provider_itnio.api.status_codes import StatusCode, status_code

if TYPE_CHECKING:
    from airflow_provider_itnio.api.protocol import Request

Clean = Callable[[str], str]

_LONGEST_WAIT: Final = 1e9
"""Upper bound of a parsed ``Retry-After``, in seconds."""


def error_of(
    answer: Response, request: Request[Any], delivery: Delivery, *, clean: Clean, now: float
) -> ItnioError:
    """Map an unsuccessful answer to an error.

    :param answer: the answer.
    :param request: the request.
    :param delivery: with ``at_most_once``, the outcome is unknown unless the answer proves that nothing was
        sent.
    :param clean: truncates text of the server, and removes secrets and phone numbers from it.
    :param now: the server's Unix time in seconds.
    """
    status = answer.status
    cautious = delivery == "at_most_once"
    if answer.http_status == 429 or (answer.http_status == 503 and not cautious):
        return _not_sent(request, answer, now)
    if answer.http_status != 503 and status is not None and status < 0:
        known = status_code(request.codes, status)
        if not (cautious and known.transient):
            return _refused(request, answer, known, clean)
    by_gateway = status is None or status > 0
    if by_gateway and 400 <= answer.http_status < 500 and answer.http_status not in (407, 408, 425):
        return _refused_by_http(request, answer)
    return UnknownOutcomeError(
        f"Itniotech's answer does not say whether it accepted the {request.subject}: "
        f"{_described(answer, status, clean)}",
        http_status=answer.http_status,
    )


def _not_sent(request: Request[Any], answer: Response, now: float) -> NotSentError:
    wait = _retry_after(answer.header("retry-after"), now)
    asked = "" if wait is None else f", which asks to wait {wait:.0f} s"
    what = f"Itniotech did not accept the {request.subject}"
    if answer.http_status == 503:
        what = (
            f"The {request.subject} was probably not sent (some gateways return 503 after they have "
            "forwarded the message; with delivery='at_most_once' it is not sent again)"
        )
    return NotSentError(
        f"{what}: HTTP {answer.http_status}{asked}", retry_after=wait, http_status=answer.http_status
    )


def _refused(request: Request[Any], answer: Response, known: StatusCode, clean: Clean) -> RefusedError:
    reason = clean(text_of(answer.payload.get("reason")))
    sentence = f"Itniotech refused the {request.subject}: status {known.code}, {known.meaning}"
    sentence += f" ({known.advice})" if known.advice else ""
    sentence += f"; its reason: {reason!r}" if reason else ""
    return known.error_class(
        sentence,
        code=known.code,
        meaning=known.meaning,
        reason=reason,
        http_status=answer.http_status,
        transient=known.transient,
        affects_all=known.affects_all,
    )


def _refused_by_http(request: Request[Any], answer: Response) -> RefusedError:
    family = AuthenticationError if answer.http_status in (401, 403) else RefusedError
    advice = "; check the connection's host" if answer.http_status in (404, 405) else ""
    return family(
        f"The {request.subject} was refused: HTTP {answer.http_status}, "
        f"without a status code of Itniotech{advice}",
        http_status=answer.http_status,
        affects_all=answer.http_status in (401, 403, 404, 405),
    )


def _described(answer: Response, status: int | None, clean: Clean) -> str:
    described = f"HTTP {answer.http_status}"
    if answer.length > ANSWER_LIMIT:
        return f"{described}, longer than 1 MiB"
    if status == 0:
        return f"{described}, status 0, but the expected data is missing"
    if status is not None:
        return f"{described}, status {status}"
    kind = (answer.header("content-type") or "no content type").partition(";")[0]
    encoding = answer.header("content-encoding")
    packed = f", encoded as {clean(encoding)}," if encoding else ""
    return f"{described}, {answer.length} bytes of {clean(kind)}{packed} without a status"


def text_of(value: object) -> str:
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
        return min(float(value), _LONGEST_WAIT)
    at = seconds_of_date(value)
    return None if at is None else min(max(0.0, at - now), _LONGEST_WAIT)
