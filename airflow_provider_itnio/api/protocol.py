"""A message becomes a request, an answer becomes a receipt or an error. No I/O."""

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
from airflow_provider_itnio.api.http_errors import error_of, text_of
from airflow_provider_itnio.api.masking import mask_phone, mask_phone_numbers
from airflow_provider_itnio.api.message_ids import LONGEST_ID, UNUSABLE
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import READ_AT_MOST, Response, whole_number
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
    """What is asked of Itniotech, without its signature.

    :param method: the HTTP method.
    :param path: the endpoint below the base URL.
    :param body: JSON in UTF-8, ``None`` for a GET.
    :param description: what is asked, for errors.
    :param codes: the endpoint's status codes.
    :param parse: reads what was asked for out of an answer with status 0, ``None`` if it is not there.
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
        """What is asked, and for which recipient, without a whole phone number."""
        return f"{self.description} to {mask_phone(self.recipient)}" if self.recipient else self.description


class AnyProtocol(typing.Protocol):
    """What a client asks of the protocol that it speaks; :class:`Protocol` describes it."""

    clock: ServerClock

    def signed_headers(self) -> dict[str, str]:
        """Return the headers that prove who asks."""

    def sets_clock(self, request: Request[Any], answer: Response) -> bool:
        """Take the time from an answer; return whether to send the request once more."""

    def judge_clock(self, request: Request[Any], answer: Response, offset: float) -> None:
        """Keep an offset that helped."""

    def result(
        self, request: Request[Result], answer: Response, delivery: Delivery = "at_least_once"
    ) -> Result:
        """Read what was asked for out of an answer."""

    def failure(self, ended: BaseException, request: Request[Any], *, has_left: bool) -> BaseException:
        """Say what an exchange without an answer means."""


class Protocol:
    """One account's side of the conversation with Itniotech.

    :param credentials: what signs the requests.
    :param now: gives this machine's Unix time in seconds.
    """

    def __init__(self, credentials: Credentials, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self.clock = ServerClock(now)
        self._signed: tuple[int, Secret] = (0, Secret(""))

    def message_request(
        self, message: Message, *, recipient: str, app_id: str, business_phone: str
    ) -> Request[Receipt]:
        """Make the request that sends a message.

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
            parse=partial(self._receipt, recipient=recipient, kind=message.type),
            recipient=recipient,
        )

    def balance_request(self) -> Request[Balance]:
        """Make the request that asks for the balance."""
        return Request("GET", "sms/getBalance", None, "question for the balance", BALANCE_CODES, _balance)

    def signed_headers(self) -> dict[str, str]:
        """Return the headers that sign a request that leaves now. Keep them in no variable."""
        second = int(self.clock.now())
        if self._signed[0] != second:  # else it is the signature of the last request
            self._signed = (second, Secret(self._credentials.sign(str(second))))
        return {
            "Sign": self._signed[1].reveal(),
            "Timestamp": str(second),
            "Api-Key": self._credentials.api_key.reveal(),
        }

    def sets_clock(self, request: Request[Any], answer: Response) -> bool:
        """Take the server's time from an answer that says that the request's time was wrong.

        :return: whether the request is worth sending once more, signed with another time.
        """
        return self._is_about_the_clock(request, answer) and self.clock.set_by(answer.header("date"))

    def judge_clock(self, request: Request[Any], answer: Response, offset: float) -> None:
        """Drop an offset of the clock that did not help, and keep one that did.

        An answer that proves neither, such as a gateway's, is no reason to keep it: each later message of the
        process might be refused.

        :param request: what was asked once more.
        :param answer: what came back.
        :param offset: what :meth:`sets_clock` had set.
        """
        if self._is_about_the_clock(request, answer):
            self.clock.judge(offset, helped=False)
        elif answer.status is not None and answer.status <= 0 and answer.http_status not in (429, 503):
            self.clock.judge(offset, helped=True)

    def _is_about_the_clock(self, request: Request[Any], answer: Response) -> bool:
        status = answer.status
        if not status or answer.http_status in (429, 503):
            return False
        return status_code(request.codes, status).clock

    def result(
        self, request: Request[Result], answer: Response, delivery: Delivery = "at_least_once"
    ) -> Result:
        """Read what was asked for out of an answer.

        :param request: what was asked.
        :param answer: what came back.
        :param delivery: with ``at_most_once`` the outcome is unknown unless nothing was sent for certain.
        :raises NotSentError: HTTP 429 or 503.
        :raises RefusedError: one of its families, by the status code.
        :raises UnknownOutcomeError: if the answer is none that is documented.
        """
        if answer.status == 0 and (result := request.parse(answer.payload)) is not None:
            if isinstance(result, Receipt) and answer.header("x-itnio-sandbox"):
                return replace(result, in_sandbox=True)
            return result
        error = error_of(answer, request, delivery, clean=self.clean, now=self.clock.now())
        answer.forget()
        raise error

    def failure(self, ended: BaseException, request: Request[Any], *, has_left: bool) -> BaseException:
        """Say what an exchange means that ended without an answer.

        :param ended: what ended it. It goes on as it is where it came from outside: a timeout of the task, a
            cancellation. In any case its traceback is let go, whose locals hold the signed request.
        :param request: what was asked.
        :param has_left: whether anything of the request may have left.
        """
        if not isinstance(ended, Exception):
            ended.__cause__ = ended.__context__ = None
            if not has_left:
                mark_as_not_sent(ended)
            return ended.with_traceback(None)
        certificate = getattr(ended, "certificate_error", ended)  # aiohttp's error holds that of ssl
        if isinstance(certificate, ssl.SSLCertVerificationError) and not has_left:
            return NotSentError(
                f"The {request.subject} was not sent, the server's certificate does not verify: "
                f"{self.clean(certificate.verify_message, 200)}",
                try_again=False,
            )
        words = f"{type(ended).__name__}: {self.clean(str(ended), 200)}"
        if not has_left:
            return NotSentError(f"The {request.subject} was not sent, no connection: {words}")
        return UnknownOutcomeError(
            f"No complete answer came, so Itniotech may have accepted the {request.subject}: {words}"
        )

    def _receipt(self, payload: Mapping[str, Any], recipient: str, kind: str) -> Receipt | None:
        data = payload.get("data")
        if not isinstance(data, dict):
            return None
        message_id = self._kept_id(data.get("messageId"))
        if not message_id:
            return None
        # The page's table writes imestamp, its sample timestamp.
        at = _moment(whole_number(data.get("timestamp", data.get("imestamp")), digits=12))
        return Receipt(message_id, recipient, kind, at)

    def _kept_id(self, value: object) -> str:
        """Return a message id as it can be logged and stored; empty if there is none."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**LONGEST_ID else "9" * (LONGEST_ID + 1)
        if not isinstance(value, str) or not (text := value.strip()):
            return ""
        if len(text) > LONGEST_ID:
            return f"{UNUSABLE} has {len(text):,} characters, more than {LONGEST_ID})"
        if not text.isprintable():
            return f"{UNUSABLE} can't be printed)"
        for secret in self._secrets():
            if secret.reveal().lower() in text.lower() and len(secret.reveal()) > 5:
                return f"{UNUSABLE} repeats what signs requests)"
        return text

    def _secrets(self) -> tuple[Secret, ...]:
        return self._credentials.secret, self._credentials.api_key, self._signed[1]

    def clean(self, words: str, at_most: int = 60) -> str:
        """Shorten words of a server as :func:`clean` does, without the account's secrets."""
        return clean(words, at_most, self._secrets())


def clean(words: str, at_most: int, secrets: Iterable[Secret] = ()) -> str:
    """Shorten words of a server, which may have repeated what it was sent.

    :param words: the words, or an error's that quotes them.
    :param at_most: characters that are kept.
    :param secrets: what is left out.
    :return: the words in one line, without secrets, links' queries and whole phone numbers.
    """
    for secret in secrets:
        words = words.replace(secret.reveal() or "***", "***")
    # Cut before any expression sees them: the time of some grows with the square of the length.
    text = " ".join(words[:READ_AT_MOST].split())
    text = "".join(mark if mark.isprintable() else "\ufffd" for mark in text)
    text = re.sub(r"[0-9a-fA-F]{32,}", "***", text)
    text = re.sub(r"(https?://[^\s?#'\"]*)[?#][^\s'\"]*", r"\1", text)
    text = mask_phone_numbers(re.sub(r"//[^/\s@]*@", "//", text))
    if len(words) > READ_AT_MOST:  # the end may be half of something that is not to be shown
        text = text[:-100]
    return truncate(text, at_most)


@lru_cache(maxsize=64)
def _moment(seconds: int | None) -> pendulum.DateTime | None:
    """Return one object for each second: a broadcast has up to a thousand receipts of the same."""
    try:
        return None if seconds is None else pendulum.from_timestamp(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def _balance(payload: Mapping[str, Any]) -> Balance | None:
    balance = _amount(payload.get("balance"))
    if balance is None:
        return None
    return Balance(balance, gift=_amount(payload.get("gift")), credit=_amount(payload.get("credit")))


def _amount(value: object) -> Decimal | None:
    if not isinstance(value, (str, int, float)):
        return None
    try:
        amount = Decimal(text_of(value).strip()[:100])
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount.adjusted()) < 30 else None
