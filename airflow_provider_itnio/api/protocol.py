"""Build requests from messages, and receipts or errors from answers. No I/O."""

from __future__ import annotations

import re
import ssl
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Any, Final, Generic, Literal, TypeVar

import pendulum
from pydantic_core import to_json

from airflow_provider_itnio import __version__
from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.clock import ServerClock
from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.errors import NotSentError, UnknownOutcomeError, mark_as_not_sent
from airflow_provider_itnio.api.http_errors import error_from_response, to_text
from airflow_provider_itnio.api.masking import mask_phone, mask_phone_numbers
from airflow_provider_itnio.api.message_ids import MAX_ID_LENGTH, UNUSABLE_ID
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import MAX_TEXT_READ, Response, parse_integer
from airflow_provider_itnio.api.signing import Credentials, Secret
from airflow_provider_itnio.api.status_codes import BALANCE_CODES, MESSAGE_CODES, StatusCode, status_code

HEADERS: Final = {
    "Content-Type": "application/json;charset=UTF-8",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"airflow-provider-itnio/{__version__}",
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request(Generic[Result]):
    """A request without its signature.

    :param method: the HTTP method.
    :param path: the endpoint, relative to the base URL.
    :param body: JSON in UTF-8, ``None`` for a GET.
    :param description: a noun for errors, such as ``text message``.
    :param codes: the endpoint's status codes.
    :param parse: reads the result from an answer with status 0, ``None`` if it is not there.
    :param recipient: the recipient of a message.
    """

    method: Literal["GET", "POST"]
    path: str
    body: bytes | None = field(repr=False)
    description: str
    codes: Mapping[int, StatusCode] = field(repr=False)
    parse: Callable[[Mapping[str, Any]], Result | None] = field(repr=False)
    recipient: str | None = field(default=None, repr=False)

    @property
    def subject(self) -> str:
        """The description with the masked number of the recipient, for errors."""
        return f"{self.description} to {mask_phone(self.recipient)}" if self.recipient else self.description


class ClientProtocol(typing.Protocol):
    """Interface of a client to its protocol; see :class:`Protocol`."""

    clock: ServerClock

    def signed_headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request."""

    def sets_clock(self, request: Request[Any], response: Response) -> bool:
        """Set the clock from an answer; return whether to send the request once more."""

    def confirm_clock(self, request: Request[Any], response: Response, offset: float) -> None:
        """Keep a clock offset if the server accepted it, else drop it."""

    def result(
        self, request: Request[Result], response: Response, delivery: Delivery = "at_least_once"
    ) -> Result:
        """Return the result in an answer."""

    def failure(self, error: BaseException, request: Request[Any], *, has_started: bool) -> BaseException:
        """Map an exchange without an answer to an error."""


class Protocol:
    """Builds signed requests of one account, and reads the answers.

    :param credentials: the account, which signs the requests.
    :param now: returns this machine's Unix time in seconds.
    """

    def __init__(self, credentials: Credentials, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self.clock = ServerClock(now)
        self._signed: tuple[int, Secret] = (0, Secret(""))

    def message_request(
        self, message: Message, *, recipient: str, app_id: str, business_phone: str
    ) -> Request[Receipt]:
        """Build the request that sends a message.

        :param message: the message.
        :param recipient: the phone number, digits only.
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

        return Request(
            method="POST",
            path=message.content.endpoint,
            body=to_json(body, exclude_none=True),
            description=f"{message.type} message",
            codes=MESSAGE_CODES,
            parse=partial(self._parse_receipt, recipient=recipient, kind=message.type),
            recipient=recipient,
        )

    def balance_request(self) -> Request[Balance]:
        """Build the request for the balance."""
        return Request("GET", "sms/getBalance", None, "balance request", BALANCE_CODES, _parse_balance)

    def signed_headers(self) -> dict[str, str]:
        """Return the headers that sign a request sent now. Do not store them: tracebacks show variables."""
        second = int(self.clock.now())
        if self._signed[0] != second:  # else it is the signature of the last request
            self._signed = (second, Secret(self._credentials.sign(str(second))))
        return {
            "Sign": self._signed[1].reveal(),
            "Timestamp": str(second),
            "Api-Key": self._credentials.api_key.reveal(),
        }

    def sets_clock(self, request: Request[Any], response: Response) -> bool:
        """Set the clock from an answer that rejects the request's timestamp.

        :return: whether to send the request once more, signed with the new time.
        """
        return self._is_clock_error(request, response) and self.clock.set_from_date(response.header("date"))

    def confirm_clock(self, request: Request[Any], response: Response, offset: float) -> None:
        """Keep a clock offset that the server accepted, and drop one that it rejected.

        After an answer that proves neither, such as a gateway's, the offset is not confirmed: if it is wrong,
        all later messages of the process could be refused.

        :param request: the request that was sent once more.
        :param response: its answer.
        :param offset: the offset that :meth:`sets_clock` had set.
        """
        if self._is_clock_error(request, response):
            self.clock.confirm(offset, accepted=False)
        elif response.status is not None and response.status <= 0 and response.http_status not in (429, 503):
            self.clock.confirm(offset, accepted=True)

    def _is_clock_error(self, request: Request[Any], response: Response) -> bool:
        status = response.status
        if not status or response.http_status in (429, 503):
            return False
        return status_code(request.codes, status).clock

    def result(
        self, request: Request[Result], response: Response, delivery: Delivery = "at_least_once"
    ) -> Result:
        """Return the result in an answer.

        :param request: the request.
        :param response: its answer.
        :param delivery: with ``at_most_once``, the outcome is unknown unless the answer proves that nothing
            was sent.
        :raises NotSentError: after HTTP 429 or 503.
        :raises RefusedError: the subclass for the status code, if Itniotech refused the message.
        :raises UnknownOutcomeError: if the answer is not a documented one.
        """
        if response.status == 0 and (result := request.parse(response.payload)) is not None:
            if isinstance(result, Receipt) and response.header("x-itnio-sandbox"):
                return replace(result, in_sandbox=True)
            return result
        error = error_from_response(response, request, delivery, clean=self.clean, now=self.clock.now())
        response.forget()
        raise error

    def failure(self, error: BaseException, request: Request[Any], *, has_started: bool) -> BaseException:
        """Return the error to raise for an exchange that ended without an answer.

        :param error: the exception that ended it. A timeout of the task or a cancellation is returned as it
            is, without its traceback, whose locals contain the signed request.
        :param request: the request.
        :param has_started: whether any part of the request may have been sent.
        """
        if not isinstance(error, Exception):
            error.__cause__ = error.__context__ = None
            if not has_started:
                mark_as_not_sent(error)
            return error.with_traceback(None)
        certificate = getattr(error, "certificate_error", error)  # aiohttp wraps the error of ssl
        if isinstance(certificate, ssl.SSLCertVerificationError) and not has_started:
            return NotSentError(
                f"The {request.subject} was not sent, the server's certificate does not verify: "
                f"{self.clean(certificate.verify_message, 200)}",
                try_again=False,
            )
        error_text = f"{type(error).__name__}: {self.clean(str(error), 200)}"
        if not has_started:
            return NotSentError(f"The {request.subject} was not sent, no connection: {error_text}")
        return UnknownOutcomeError(
            f"No complete answer came, so Itniotech may have accepted the {request.subject}: {error_text}"
        )

    def _parse_receipt(self, payload: Mapping[str, Any], recipient: str, kind: str) -> Receipt | None:
        data = payload.get("data")
        if not isinstance(data, dict):
            return None
        message_id = self._safe_id(data.get("messageId"))
        if not message_id:
            return None
        # The vendor's table has "imestamp", its sample "timestamp".
        at = _to_datetime(parse_integer(data.get("timestamp", data.get("imestamp")), digits=12))
        return Receipt(message_id, recipient, kind, at)

    def _safe_id(self, value: object) -> str:
        """Return a message id that is safe to log and store; empty if there is none."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**MAX_ID_LENGTH else "9" * (MAX_ID_LENGTH + 1)
        if not isinstance(value, str) or not (text := value.strip()):
            return ""
        if len(text) > MAX_ID_LENGTH:
            return f"{UNUSABLE_ID} has {len(text):,} characters, more than {MAX_ID_LENGTH})"
        if not text.isprintable():
            return f"{UNUSABLE_ID} can't be printed)"
        for secret in self._secrets():
            if secret.reveal().lower() in text.lower() and len(secret.reveal()) > 5:
                return f"{UNUSABLE_ID} contains the Api-Key, the secret or a signature)"
        return text

    def _secrets(self) -> tuple[Secret, ...]:
        return self._credentials.secret, self._credentials.api_key, self._signed[1]

    def clean(self, raw: str, limit: int = 60) -> str:
        """Clean a server's text with :func:`clean`, and remove the account's secrets."""
        return clean(raw, limit, self._secrets())


def clean(raw: str, limit: int, secrets: Iterable[Secret] = ()) -> str:
    """Clean and shorten a text of a server, which may repeat parts of the request.

    :param raw: the text, or an error that quotes it.
    :param limit: the most characters to keep.
    :param secrets: texts to remove.
    :return: one line, without secrets, queries of links and whole phone numbers.
    """
    for secret in secrets:
        raw = raw.replace(secret.reveal() or "***", "***")
    # Cut before the regular expressions: some take quadratic time.
    text = " ".join(raw[:MAX_TEXT_READ].split())
    text = "".join(mark if mark.isprintable() else "\ufffd" for mark in text)
    text = re.sub(r"[0-9a-fA-F]{32,}", "***", text)
    text = re.sub(r"(https?://[^\s?#'\"]*)[?#][^\s'\"]*", r"\1", text)
    text = mask_phone_numbers(re.sub(r"//[^/\s@]*@", "//", text))
    if len(raw) > MAX_TEXT_READ:  # the end may be part of a number or secret that is no longer recognized
        text = text[:-100]
    return truncate(text, limit)


@lru_cache(maxsize=64)
def _to_datetime(seconds: int | None) -> pendulum.DateTime | None:
    """Convert and cache a timestamp: a broadcast has up to a thousand receipts in one second."""
    try:
        return None if seconds is None else pendulum.from_timestamp(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def _parse_balance(payload: Mapping[str, Any]) -> Balance | None:
    balance = _amount(payload.get("balance"))
    if balance is None:
        return None
    return Balance(balance, gift=_amount(payload.get("gift")), credit=_amount(payload.get("credit")))


def _amount(value: object) -> Decimal | None:
    if not isinstance(value, (str, int, float)):
        return None
    try:
        amount = Decimal(to_text(value).strip()[:100])
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount.adjusted()) < 30 else None
