"""A message becomes a request, an answer becomes a receipt or an error. No I/O."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, Generic, Literal, TypeVar

import pendulum
from pydantic_core import from_json, to_json

from airflow_provider_itnio import __version__
from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.clock import ServerClock, seconds_of_date
from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.phone_numbers import mask_phone, mask_phone_numbers
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.api.status_codes import BALANCE_CODES, MESSAGE_CODES, StatusCode, status_code

__all__ = ["ANSWER_LIMIT", "HEADERS", "Protocol", "Request", "Response"]

ANSWER_LIMIT: Final = 1024 * 1024
"""The longest answer that is read, in bytes."""

HEADERS: Final = {
    "Content-Type": "application/json;charset=UTF-8",
    "Accept": "application/json",
    "User-Agent": f"airflow-provider-itnio/{__version__}",
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request(Generic[Result]):
    """What is asked of Itniotech, without its signature.

    :param method: the HTTP method.
    :param path: the endpoint below the base URL.
    :param body: JSON in UTF-8, ``None`` for a GET.
    :param description: what is asked, in words.
    :param codes: the endpoint's status codes.
    :param parse: reads what was asked for out of an answer with status 0, ``None`` if it is not there.
    :param recipient: whom a message goes to.
    """

    method: Literal["GET", "POST"]
    path: str
    body: bytes | None
    description: str
    codes: Mapping[int, StatusCode]
    parse: Callable[[Mapping[str, Any]], Result | None]
    recipient: str | None = None

    @property
    def subject(self) -> str:
        """What is asked, and of whom, in words that hold no whole phone number."""
        return f"{self.description} to {mask_phone(self.recipient)}" if self.recipient else self.description


@dataclass(slots=True)
class Response:
    """What came back.

    :param http_status: the HTTP code.
    :param headers: the headers by lower-case name.
    :param body: at most ``ANSWER_LIMIT`` bytes, and one more if it was longer.
    """

    http_status: int
    headers: Mapping[str, str]
    body: bytes
    status: int | None = field(init=False)
    """The vendor's status, ``None`` if the answer states none."""
    payload: Mapping[str, Any] = field(init=False)
    """The JSON object that it is; empty if it is none."""

    def __post_init__(self) -> None:
        """Read the body, once for all who ask."""
        self.payload = {} if len(self.body) > ANSWER_LIMIT else _json_object(self.body)
        self.status = _whole_number(self.payload.get("status"))


class Protocol:
    """One account's side of the conversation with Itniotech.

    :param credentials: what signs the requests.
    :param now: gives this machine's Unix time in seconds.
    """

    def __init__(self, credentials: Credentials, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self.clock = ServerClock(now)
        self._signed: tuple[int, dict[str, str]] | None = None

    def message_request(
        self, message: Message, *, recipient: str, app_id: str, business_phone: str
    ) -> Request[Receipt]:
        """Make the request that sends a message.

        :param message: the message.
        :param recipient: whom it goes to, digits only.
        :param app_id: the application it goes through.
        :param business_phone: the number it comes from, digits only.
        """
        body: dict[str, Any] = {
            "appId": app_id,
            "businessPhone": business_phone,
            "recipient": recipient,
            "channelType": 0,
        }
        if message.type != "template":
            body["type"] = message.type
        body[message.type] = message.content
        if message.reply_to is not None:
            body["context"] = {"refMessageId": message.reply_to}

        def receipt(payload: Mapping[str, Any]) -> Receipt | None:
            return _receipt(payload, recipient, message.type)

        return Request(
            method="POST",
            path=message.content.endpoint,
            body=to_json(body, exclude_none=True),
            description=f"{message.type} message",
            codes=MESSAGE_CODES,
            parse=receipt,
            recipient=recipient,
        )

    def balance_request(self) -> Request[Balance]:
        """Make the request that asks for the balance."""
        return Request("GET", "sms/getBalance", None, "question for the balance", BALANCE_CODES, _balance)

    def signed_headers(self) -> dict[str, str]:
        """Give the headers that sign a request that leaves now; they are the same for a second."""
        second = int(self.clock.now())
        if self._signed is None or self._signed[0] != second:
            self._signed = (second, self._credentials.headers(second))
        return self._signed[1]

    def sets_clock(self, request: Request[Any], answer: Response) -> bool:
        """Take the server's time from an answer that says that the request's time was wrong.

        :param request: what was asked.
        :param answer: what came back.
        :return: whether the request is worth sending once more, signed with the server's time.
        """
        status = answer.status
        if status == 0:
            return False
        if answer.http_status in (429, 503) or status is None or not status_code(request.codes, status).clock:
            return False
        return self.clock.set_by(answer.headers.get("date"))

    def result(
        self, request: Request[Result], answer: Response, delivery: Delivery = "at_least_once"
    ) -> Result:
        """Read what was asked for out of an answer.

        :param request: what was asked.
        :param answer: what came back.
        :param delivery: with ``at_most_once`` an answer that does not prove that nothing was sent is unknown.
        :raises NotSentError: HTTP 429 or 503.
        :raises RefusedError: one of its families, by the status code.
        :raises UnknownOutcomeError: if the answer is none that is documented.
        """
        status, payload = answer.status, answer.payload
        if status == 0 and (result := request.parse(payload)) is not None:
            return result
        cautious = delivery == "at_most_once"
        if answer.http_status == 429 or (answer.http_status == 503 and not cautious):
            raise self._not_sent(request, answer)
        if answer.http_status != 503 and status is not None and status < 0:
            known = status_code(request.codes, status)
            if not (cautious and known.transient):
                raise self._refused(request, answer, known, str(payload.get("reason") or ""))
        by_gateway = status is None or status > 0
        if by_gateway and 400 <= answer.http_status < 500 and answer.http_status not in (407, 408, 425):
            raise self._refused_by_http(request, answer)
        raise UnknownOutcomeError(
            f"Itniotech's answer does not say what became of the {request.subject}: "
            f"{self._described(answer, status)}",
            http_status=answer.http_status,
        )

    def _not_sent(self, request: Request[Any], answer: Response) -> NotSentError:
        wait = _retry_after(answer.headers.get("retry-after"), self.clock.now())
        asked = "" if wait is None else f", which asks to wait {wait:.0f} s"
        return NotSentError(
            f"Itniotech did not take the {request.subject}: HTTP {answer.http_status}{asked}",
            retry_after=wait,
            http_status=answer.http_status,
        )

    def _refused(
        self, request: Request[Any], answer: Response, known: StatusCode, reason: str
    ) -> RefusedError:
        reason = self.clean(reason)
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

    def _refused_by_http(self, request: Request[Any], answer: Response) -> RefusedError:
        family = AuthenticationError if answer.http_status in (401, 403) else RefusedError
        advice = "; check the connection's host" if answer.http_status in (404, 405) else ""
        return family(
            f"The {request.subject} was refused: HTTP {answer.http_status}, no status of Itniotech's{advice}",
            http_status=answer.http_status,
            affects_all=answer.http_status in (401, 403, 404, 405),
        )

    def _described(self, answer: Response, status: int | None) -> str:
        described = f"HTTP {answer.http_status}"
        if len(answer.body) > ANSWER_LIMIT:
            return f"{described}, longer than 1 MiB"
        if status == 0:
            return f"{described}, status 0 without what was asked for"
        if status is not None:
            return f"{described}, status {status}"
        kind = answer.headers.get("content-type", "no content type").partition(";")[0]
        return f"{described}, {len(answer.body)} bytes of {self.clean(kind)} that hold no status"

    def clean(self, words: str, at_most: int = 60) -> str:
        """Shorten words of a server, which may have repeated what it was sent.

        :param words: the words, or an error's that quotes them.
        :param at_most: characters that are kept.
        :return: the words without secrets, links' queries and whole phone numbers.
        """
        for secret in (self._credentials.secret, self._credentials.api_key):
            words = words.replace(secret, "***")
        words = re.sub(r"\b[0-9a-fA-F]{32}\b", "***", words)
        words = re.sub(r"(https?://[^\s?#'\"]*)[?#][^\s'\"]*", r"\1", words)
        words = re.sub(r"//[^/\s@]*@", "//", words)
        words = mask_phone_numbers(words)
        return words if len(words) <= at_most else f"{words[: at_most - 1]}…"


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        payload = from_json(body)
    except ValueError:
        try:  # slower, and takes other encodings
            payload = json.loads(body)
        except (ValueError, RecursionError):
            return {}
    return payload if isinstance(payload, dict) else {}


def _whole_number(value: object) -> int | None:
    """Read a number that the vendor gives as text or as a number."""
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,9}\s*", value, re.ASCII):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    return None


def _receipt(payload: Mapping[str, Any], recipient: str, kind: str) -> Receipt | None:
    data = payload.get("data")
    if not isinstance(data, dict):
        return None
    message_id = data.get("messageId")
    if not isinstance(message_id, (str, int)) or isinstance(message_id, bool) or not str(message_id).strip():
        return None
    # The page's table writes imestamp, its sample timestamp.
    at = _whole_number_of_seconds(data.get("timestamp", data.get("imestamp")))
    return Receipt(str(message_id).strip(), recipient, kind, at)


def _whole_number_of_seconds(value: object) -> pendulum.DateTime | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}", value, re.ASCII):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return _moment(value)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=64)
def _moment(seconds: int) -> pendulum.DateTime:
    """Give one object for each second: a broadcast has up to a thousand receipts of the same."""
    return pendulum.from_timestamp(seconds)


def _balance(payload: Mapping[str, Any]) -> Balance | None:
    balance = _amount(payload.get("balance"))
    if balance is None:
        return None
    return Balance(balance, gift=_amount(payload.get("gift")), credit=_amount(payload.get("credit")))


def _amount(value: object) -> Decimal | None:
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _retry_after(value: str | None, now: float) -> float | None:
    """Read a ``Retry-After`` header, which holds seconds or a date."""
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", value, re.ASCII):
        return float(value)
    at = seconds_of_date(value)
    return None if at is None else max(0.0, at - now)
