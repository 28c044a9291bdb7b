"""The receiver's HTTP endpoints."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar, cast

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_itnio.receiver.events import LONGEST_ID, digits_of, read_events
from airflow_provider_itnio.receiver.mailbox import ORDER, CursorError, Mailbox, as_one_of_many, has_reached
from airflow_provider_itnio.receiver.tokens import Tokens
from airflow_provider_itnio.receiver.writer import INCOMING, NotKeptError, Writer

LARGEST_PUSH: Final = 256 * 1024
LARGEST_QUESTION: Final = 512 * 1024
MOST_IDS: Final = 1000
MOST_INCOMING: Final = 1000
LONGEST_WAIT: Final = 25.0
MOST_PHONES: Final = 3000
LONGEST_UNCLEAR: Final = 24 * 3600
"""Most seconds after a question closes in which typed words may still be meant for it."""
LONGEST_OPEN: Final = 31 * 24 * 3600
"""Most seconds that a question may be open."""
MOST_READERS: Final = 500
"""Most requests that wait at a time. Further ones are answered at once."""

_ASK_AGAIN: Final = 2.0
"""Seconds between two reads of a waiting request, for events stored by another receiver."""

_GATHERING: Final = 0.5
"""Seconds that a request about several messages waits for more events before it reads again."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Answer = TypeVar("Answer")


class Receiver:
    """The handlers of all endpoints.

    :param mailbox: the stored events.
    :param writer: stores new events.
    :param push: the push tokens.
    :param read: the read tokens.
    """

    def __init__(self, mailbox: Mailbox, writer: Writer, push: Tokens, read: Tokens) -> None:
        self._mailbox = mailbox
        self._writer = writer
        self._push = push
        self._read = read
        self._readers = 0
        self.stopping = False

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/push/{token}", self._pushed, methods=["POST"]),
                Route("/v1/messages/{message_id:path}", self._asked(self._message), methods=["GET"]),
                Route("/v1/messages", self._asked(self._messages), methods=["POST"]),
                Route("/v1/incoming", self._asked(self._incoming), methods=["GET"]),
                Route("/v1/window/{phone}", self._asked(self._window), methods=["GET"]),
                Route("/v1/window", self._asked(self._window), methods=["POST"]),
                Route("/v1/questions", self._asked(self._open_question), methods=["POST"]),
                Route("/v1/questions/{id}/close", self._asked(self._close_question), methods=["POST"]),
                Route("/v1/unread", self._asked(self._unread), methods=["GET"]),
                Route("/healthz", self._health, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refused, SQLAlchemyError: _database_failed},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        writing = asyncio.create_task(self._writer.run())
        yield
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing

    async def _pushed(self, request: Request) -> Response:
        if not self._push.match(request.path_params["token"]):
            raise HTTPException(404, "not found")
        pushed = await _json(request, LARGEST_PUSH)
        try:
            await self._writer.keep(read_events(pushed, int(time.time())))
        except RecursionError:
            raise HTTPException(400, "body: nested too deep") from None
        except NotKeptError as error:
            raise HTTPException(503, f"not stored: {error}. Push it again", {"Retry-After": "10"}) from None
        return JSONResponse({"status": "0"})

    async def _message(self, request: Request) -> Response:
        ids = [_message_id(request.path_params["message_id"])]
        query = request.query_params
        [message] = await self._statuses(ids, _until(query.get("until", "sent")), _wait(query.get("wait")))
        return JSONResponse(message)

    async def _messages(self, request: Request) -> Response:
        asked = await _json(request, LARGEST_QUESTION)
        ids = asked.get("ids") if isinstance(asked, Mapping) else None
        if not isinstance(ids, list) or len(ids) > MOST_IDS:
            raise HTTPException(400, f"ids: must be a list of up to {MOST_IDS} message ids")
        until, wait = _until(asked.get("until", "sent")), _wait(asked.get("wait"))
        messages = await self._statuses(list(map(_message_id, ids)), until, wait)
        return JSONResponse({"messages": list(map(as_one_of_many, messages))})

    async def _statuses(self, ids: Sequence[str], until: str, wait: float) -> list[dict[str, Any]]:
        return await self._wait_for(
            lambda: self._mailbox.messages(ids),
            lambda messages: all(has_reached(message, until) for message in messages),
            set(ids),
            wait,
        )

    async def _incoming(self, request: Request) -> Response:
        query = request.query_params
        after, limit = query.get("after") or None, _whole("limit", query.get("limit"), MOST_INCOMING)
        try:
            found = await self._wait_for(
                lambda: self._mailbox.incoming(after, limit),
                # After a cursor of another database, answer at once: the client then reopens its questions.
                lambda found: bool(found["messages"]) or after not in (None, found["cursor"]),
                {INCOMING},
                _wait(query.get("wait")),
            )
        except CursorError as error:
            raise HTTPException(400, str(error)) from None
        return JSONResponse(found)

    async def _window(self, request: Request) -> Response:
        body: Any = request.path_params
        if "phone" not in body:
            body = await _json(request, LARGEST_QUESTION)
        body = body if isinstance(body, Mapping) else {}
        given, business_phone = body.get("phone"), body.get("business_phone") or ""
        phone = _phone(given.removeprefix("+") if isinstance(given, str) else given)
        if business_phone and not (business_phone := digits_of(business_phone)):
            raise HTTPException(400, "business_phone: must be digits")
        return JSONResponse(await asyncio.to_thread(self._mailbox.window, phone, business_phone))

    async def _open_question(self, request: Request) -> Response:
        asked = await _json(request, LARGEST_QUESTION)
        asked = asked if isinstance(asked, Mapping) else {}
        question_id, phones, until = (asked.get(name) for name in ("id", "phones", "open_until"))
        if not isinstance(phones, list) or not 0 < len(phones) <= MOST_PHONES:
            raise HTTPException(400, f"phones: must be a list of 1 to {MOST_PHONES} numbers")
        now = int(time.time())
        if type(until) is not int or not 0 <= until <= now + LONGEST_OPEN:
            raise HTTPException(400, f"open_until: must be Unix seconds, at most {LONGEST_OPEN} from now")
        unclear_for, task = asked.get("unclear_for", 0), asked.get("task", "")
        if type(unclear_for) is not int or not 0 <= unclear_for <= LONGEST_UNCLEAR:
            raise HTTPException(400, f"unclear_for: must be seconds, at most {LONGEST_UNCLEAR}")
        opened = await asyncio.to_thread(
            self._mailbox.open_question,
            _question_id(question_id),
            list(map(_phone, phones)),
            until,
            unclear_for,
            _task(task),
        )
        return JSONResponse(opened)

    async def _close_question(self, request: Request) -> Response:
        question_id = _question_id(request.path_params["id"])
        body = await _json(request, LARGEST_QUESTION) if await request.body() else {}
        phones = body.get("answered_by", []) if isinstance(body, Mapping) else None
        if not isinstance(phones, list) or len(phones) > MOST_PHONES:
            raise HTTPException(400, f"answered_by: must be a list of up to {MOST_PHONES} numbers")
        answered_by = list(map(_phone, phones))
        await asyncio.to_thread(self._mailbox.close_question, question_id, answered_by, int(time.time()))
        return JSONResponse({"id": question_id})

    async def _unread(self, request: Request) -> Response:
        limit = _whole("limit", request.query_params.get("limit"), 100)
        return JSONResponse({"events": await asyncio.to_thread(self._mailbox.unread, limit)})

    async def _health(self, _: Request) -> Response:
        await asyncio.to_thread(self._mailbox.ping)
        return JSONResponse({"status": "ok"})

    def _asked(self, answer: Handler) -> Handler:
        """Return the handler with a check of the read token."""

        async def checked(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not self._read.match(token.strip()):
                raise HTTPException(
                    401, "Authorization: must be Bearer and the read token", {"WWW-Authenticate": "Bearer"}
                )
            return await answer(request)

        return checked

    async def _wait_for(
        self, read: Callable[[], Answer], is_enough: Callable[[Answer], bool], keys: set[str], wait: float
    ) -> Answer:
        """Read repeatedly until the result is enough, or ``wait`` seconds have passed."""
        if self._readers >= MOST_READERS:
            wait = 0.0
        end = time.monotonic() + wait
        waker = asyncio.Event()
        self._writer.waiting.add(keys, waker)
        self._readers += 1
        try:
            while True:
                waker.clear()
                found = await asyncio.to_thread(read)
                left = end - time.monotonic()
                if left <= 0 or is_enough(found) or self.stopping:
                    return found
                with suppress(TimeoutError):
                    await asyncio.wait_for(waker.wait(), min(left, _ASK_AGAIN))
                if len(keys) > 1:
                    await asyncio.sleep(min(_GATHERING, max(0.0, end - time.monotonic())))
        finally:
            self._readers -= 1
            self._writer.waiting.remove(keys, waker)


async def _json(request: Request, largest: int) -> Any:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > largest:
                raise HTTPException(413, f"body: at most {largest} bytes", {"Connection": "close"})
        return json.loads(body.decode())
    except ClientDisconnect:
        raise HTTPException(400, "body: not complete") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "body: must be JSON") from None


def _message_id(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID:
        raise HTTPException(400, f"message id: must be text of 1 to {LONGEST_ID} characters")
    return given.replace("\0", "").encode("utf-8", "replace").decode()


def _question_id(given: object) -> str:
    if not isinstance(given, str) or not (0 < len(given) <= 64 and given.isascii() and given.isalnum()):
        raise HTTPException(400, "question id: must be 1 to 64 ASCII letters and digits")
    return given


def _task(given: object) -> str:
    if not isinstance(given, str) or not (
        not given or (len(given) <= 64 and given.isascii() and given.isalnum())
    ):
        raise HTTPException(400, "task: must be up to 64 ASCII letters and digits")
    return given


def _phone(given: object) -> str:
    if not (isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 64):
        raise HTTPException(400, "phone: must be digits")
    return given


def _until(given: object) -> str:
    if given not in ORDER[1:]:
        raise HTTPException(400, f"until: must be one of {', '.join(ORDER[1:])}")
    return str(given)


def _wait(given: object) -> float:
    try:
        seconds = float(given) if isinstance(given, str | int | float) else 0.0
    except (ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise HTTPException(400, f"wait: must be seconds from 0 to {LONGEST_WAIT:g}")
    return seconds


def _whole(name: str, given: str | None, highest: int) -> int:
    if given is None:
        return highest
    if not (given.isascii() and given.isdecimal() and len(given) < 9 and 1 <= int(given) <= highest):
        raise HTTPException(400, f"{name}: must be a whole number from 1 to {highest}")
    return int(given)


async def _refused(_: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    return JSONResponse({"error": refused.detail}, refused.status_code, refused.headers)


async def _database_failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the database has failed, try again"}, 503, {"Retry-After": "10"})
