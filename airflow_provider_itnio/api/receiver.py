"""Build requests to ``itnio-receiver``, and read its answers. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

import pendulum
from pydantic_core import to_json

from airflow_provider_itnio.api.checks import STATUS_ORDER, Delivery
from airflow_provider_itnio.api.clock import ServerClock
from airflow_provider_itnio.api.errors import ReceiverAccessError, ReceiverError
from airflow_provider_itnio.api.phone_numbers import normalize_phone, spellings
from airflow_provider_itnio.api.protocol import Request, clean
from airflow_provider_itnio.api.response import Response
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.status_texts import describe_failure, whatsapp_code

Status: TypeAlias = Literal["none", "sent", "delivered", "read", "failed"]
"""The status of a message: ``none`` if nothing was pushed yet."""
Result = TypeVar("Result")

MAX_IDS: Final = 1000
"""Most message ids in one request."""
UNCLEAR_FOR: Final = 15 * 60
"""Seconds after a question closes in which recipients may still type an answer to it."""
MAX_WAIT: Final = 25.0
"""Most seconds that the receiver delays one answer (long polling)."""
WINDOW_MARGIN: Final = 60.0
"""Seconds that must be left of a 24-hour window for it to count as open, since a message takes time."""


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """The last status that Itniotech has pushed for a message.

    :param message_id: the message's id, as in its receipt.
    :param status: ``none``, ``sent``, ``delivered``, ``read`` or ``failed``.
    :param at: when it reached that status, in UTC by Itniotech's clock; ``None`` with ``none``.
    :param failure: why it failed, and what to do about it if that is known.
    :param code: WhatsApp's code of the failure, if it is a known one.
    """

    message_id: str
    status: Status
    at: pendulum.DateTime | None
    failure: str | None = None
    code: int | None = None

    def has_reached(self, status: str) -> bool:
        """Return whether the message has a status or a later one; ``False`` if it has failed."""
        return self.status != "failed" and STATUS_ORDER.index(self.status) >= STATUS_ORDER.index(status)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message that a person wrote, or an option that a person chose. Its text is untrusted.

    :param message_id: its id; pass it as ``reply_to`` to answer it.
    :param sender: the person's number, digits only.
    :param name: the person's name on WhatsApp.
    :param type: ``text``, ``image``, ``interactive`` and so on.
    :param text: the text, the caption, or the title of the option that was chosen.
    :param option_id: the id of the button or row that was chosen, ``None`` if none was.
    :param reply_to: the id of the message that it answers, ``None`` if there is none.
    :param at: when it was written, in UTC by Itniotech's clock.
    :param business_phone: the number that it was written to, digits only; empty if unknown.
    :param questions: the ids of the questions that were open to the person when it arrived.
    :param closed_questions: the ids of questions that were closed shortly before it arrived.
    """

    message_id: str
    sender: str = field(repr=False)
    name: str = field(repr=False)
    type: str
    text: str
    option_id: str | None
    reply_to: str | None
    at: pendulum.DateTime
    business_phone: str = field(default="", repr=False)
    questions: tuple[str, ...] = ()
    closed_questions: tuple[str, ...] = ()


class Incoming(NamedTuple):
    """Incoming messages in order.

    :param messages: the messages.
    :param cursor: the ``after`` for the next request.
    """

    messages: list[IncomingMessage]
    cursor: str


@dataclass(frozen=True, slots=True)
class Window:
    """A 24-hour window. It opens when a person writes to a business phone; without it, only templates arrive.

    :param last_incoming_at: when the person last wrote, in UTC; ``None`` if the receiver has no such message.
    :param open_until: when the window closes, in UTC; ``None`` if it is not open.
    """

    last_incoming_at: pendulum.DateTime | None
    open_until: pendulum.DateTime | None

    @property
    def is_open(self) -> bool:
        """Whether an ordinary message arrives now: at least ``WINDOW_MARGIN`` seconds are left."""
        if self.open_until is None:
            return False
        return (self.open_until - pendulum.now("UTC")).total_seconds() >= WINDOW_MARGIN


def status_request(ids: Sequence[str], until: str, wait: float) -> Request[list[MessageStatus]]:
    """Build the request for the status of messages.

    :param ids: up to ``MAX_IDS`` message ids.
    :param until: the status to wait for.
    :param wait: seconds that the receiver may delay the answer, up to ``MAX_WAIT``.
    """
    body = to_json({"ids": list(ids), "until": until, "wait": wait})
    return _request("POST", "v1/messages", body, "the status of messages", partial(_parse_statuses, ids=ids))


def incoming_request(after: str | None, limit: int, wait: float) -> Request[Incoming]:
    """Build the request for incoming messages.

    :param after: the cursor of a previous answer, ``latest``, or ``None`` for the oldest message.
    :param limit: the most messages to return, up to 1,000.
    :param wait: seconds that the receiver may delay the answer, up to ``MAX_WAIT``.
    """
    cursor = f"&after={quote(after, safe='')}" if after else ""
    path = f"v1/incoming?limit={limit}&wait={wait:g}{cursor}"
    return _request("GET", path, None, "incoming messages", _parse_incoming)


def window_requests(phone: object, business_phone: str | None) -> list[Request[Window]]:
    """Build the requests for a person's 24-hour window, one for each spelling of the numbers.

    :param phone: the person's number, as people write it.
    :param business_phone: the number that messages come from, digits only; ``None`` for any.
    :raises InvalidMessageError: if ``phone`` is not a phone number.
    """
    people = [{"phone": number} for number in spellings(normalize_phone(phone, "phone"))]
    senders = [{"business_phone": number} for number in spellings(business_phone)] if business_phone else [{}]
    # POST, since urllib3 and proxies log the URL of a request.
    return [
        _request("POST", "v1/window", to_json(person | sender), "a 24-hour window", _parse_window)
        for person in people
        for sender in senders
    ]


async def request_windows(
    perform: Callable[[Request[Window]], Awaitable[Window]], phones: Iterable[str], business_phone: str | None
) -> dict[str, Window]:
    """Return the 24-hour windows of several people, with concurrent requests.

    :param perform: sends one request.
    :param phones: the people's numbers.
    :param business_phone: the number that messages come from, digits only; ``None`` for any.
    :return: the window by number, as it was given.
    :raises InvalidMessageError: if one of ``phones`` is not a phone number.
    """

    async def request_window(phone: str) -> Window:
        return latest_window(await asyncio.gather(*map(perform, window_requests(phone, business_phone))))

    phones = list(phones)
    return dict(zip(phones, await asyncio.gather(*map(request_window, phones)), strict=True))


def latest_window(windows: Iterable[Window]) -> Window:
    """Return the window that is open the longest."""
    return max(windows, key=lambda window: window.open_until.timestamp() if window.open_until else 0.0)


def open_question_request(
    question_id: str, phones: Sequence[str], open_until: int, task: str
) -> Request[str]:
    """Build the request that opens a question. Its result is the cursor from which to read answers.

    The receiver then marks each incoming message with the questions that were open to its sender. To open a
    question again returns the same cursor.

    :param question_id: the question's id: up to 64 letters and digits.
    :param phones: the recipients' numbers in each spelling, digits only, up to 3,000.
    :param open_until: Unix time in seconds, at most 31 days from now.
    :param task: the id of the task that asks, up to 64 letters and digits: its previous question is closed.
        Empty closes none.
    """
    body = to_json(
        {
            "id": question_id,
            "phones": list(phones),
            "open_until": open_until,
            "unclear_for": UNCLEAR_FOR,
            "task": task,
        }
    )
    return _request("POST", "v1/questions", body, "the cursor of a question", _parse_cursor)


def close_question_request(question_id: str, answered_by: Sequence[str]) -> Request[str]:
    """Build the request that closes a question.

    :param question_id: the question's id, or the id of the task that asks.
    :param answered_by: the number of the person who answered, in each spelling, digits only.
    """
    path, body = f"v1/questions/{question_id}/close", to_json({"answered_by": list(answered_by)})
    return _request("POST", path, body, "confirmation that a question is closed", _parse_closed)


class ReceiverProtocol:
    """Builds requests to a receiver, and reads the answers.

    :param token: the read token.
    """

    def __init__(self, token: Secret) -> None:
        self._token = token
        self.clock = ServerClock()

    def signed_headers(self) -> dict[str, str]:
        """Return the header with the token. Do not store it: tracebacks show variables."""
        return {"Authorization": f"Bearer {self._token.reveal()}"}

    def sets_clock(self, request: Request[Any], response: Response) -> bool:
        """Return ``False``: receiver requests have no timestamp."""
        return False

    def confirm_clock(self, request: Request[Any], response: Response, offset: float) -> None:
        """Do nothing: receiver requests have no timestamp."""

    def result(
        self, request: Request[Result], response: Response, delivery: Delivery = "at_least_once"
    ) -> Result:
        """Return the result in an answer.

        :param request: the request.
        :param response: its answer.
        :param delivery: not used.
        :raises ReceiverAccessError: after HTTP 401 (the token is not accepted) or 404 (not a receiver).
        :raises ReceiverError: if the answer does not contain the result.
        """
        if response.http_status == 200 and (result := request.parse(response.payload)) is not None:
            return result
        code, text = response.http_status, self._clean(str(response.payload.get("error") or ""))
        response.forget()
        if code == 401:
            raise ReceiverAccessError(
                "receiver_token: the receiver does not accept it; give the connection a token of its "
                "ITNIO_RECEIVER_READ_TOKEN"
            )
        if code == 404:
            raise ReceiverAccessError("receiver_url: no itnio-receiver answers there (HTTP 404)")
        if code == 200:
            text = "with something else. Is receiver_url the address of itnio-receiver?"
        raise ReceiverError(
            f"The receiver did not return {request.description}: HTTP {code} {text}".rstrip(),
            http_status=code,
        )

    def failure(self, error: BaseException, request: Request[Any], *, has_started: bool) -> BaseException:
        """Return the error to raise for a request that ended without an answer.

        :param error: the exception that ended it. A timeout of the task or a cancellation is returned as is.
        :param request: the request.
        :param has_started: not used.
        """
        if not isinstance(error, Exception):
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        return ReceiverError(
            f"The receiver could not be asked for {request.description}: "
            f"{type(error).__name__}: {self._clean(str(error))}. Is itnio-receiver running at receiver_url?"
        )

    def _clean(self, text: str) -> str:
        return clean(text, 200, [self._token])


def _request(
    method: Literal["GET", "POST"],
    path: str,
    body: bytes | None,
    description: str,
    parse: Callable[[Mapping[str, Any]], Result | None],
) -> Request[Result]:
    return Request(method, path, body, description, {}, parse)


def _parse_statuses(payload: Mapping[str, Any], ids: Sequence[str]) -> list[MessageStatus] | None:
    match payload:
        case {"messages": list() as messages} if len(messages) == len(ids):
            return _all_or_none(map(_parse_status, ids, messages))
    return None


def _parse_status(message_id: str, item: object) -> MessageStatus | None:
    match item:
        case {"message_id": of} if of != message_id:
            return None
        case {"message_id": _, "status": "none"}:
            return MessageStatus(message_id, "none", None)
        case {"message_id": _, "status": "sent" | "delivered" | "read" as status, "at": at} if (
            moment := _parse_time(at)
        ):
            return MessageStatus(message_id, status, moment)
        case {"message_id": _, "status": "failed", "at": at, "failure": failure} if moment := _parse_time(at):
            text = clean(str(failure or ""), 300)
            return MessageStatus(message_id, "failed", moment, describe_failure(text), whatsapp_code(text))
    return None


def _parse_incoming(payload: Mapping[str, Any]) -> Incoming | None:
    match payload:
        case {"messages": list() as item, "cursor": str() as cursor} if cursor.isascii():
            messages = _all_or_none(map(_parse_message, item))
            return None if messages is None else Incoming(messages, cursor)
    return None


def _parse_message(item: object) -> IncomingMessage | None:
    match item:
        case {
            "message_id": str() as message_id,
            "from": str() as sender,
            "name": str() as name,
            "type": str() as kind,
            "text": str() as text,
            "option": None | {"id": str()} as option,
            "reply_to": None | str() as reply_to,
            "at": str() as at,
            "business_phone": str() as business_phone,
            "questions": list() as questions,
            **more,
        } if (moment := _parse_time(at)) is not None:
            option_id = option["id"] if option else None
            closed = more.get("closed_questions")
            return IncomingMessage(
                *(message_id, sender, name, kind, text, option_id, reply_to, moment, business_phone),
                questions=tuple(map(str, questions)),
                closed_questions=tuple(map(str, closed if isinstance(closed, list) else ())),
            )
    return None


def _parse_cursor(payload: Mapping[str, Any]) -> str | None:
    cursor = payload.get("cursor")
    return cursor if isinstance(cursor, str) and cursor.isascii() else None


def _parse_closed(payload: Mapping[str, Any]) -> str | None:
    return str(payload["id"]) if "id" in payload else None


def _parse_window(payload: Mapping[str, Any]) -> Window | None:
    match payload:
        case {"last_incoming_at": last, "open_until": until}:
            return Window(_parse_time(last), _parse_time(until))
    return None


def _all_or_none(values: Iterable[Result | None]) -> list[Result] | None:
    """Return the values, or ``None`` if one of them could not be read."""
    results = list(values)
    parsed = [value for value in results if value is not None]
    return parsed if len(parsed) == len(results) else None


def _parse_time(text: object) -> pendulum.DateTime | None:
    try:
        moment = pendulum.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if isinstance(moment, pendulum.DateTime) else None
