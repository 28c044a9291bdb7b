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

from airflow_provider_itnio.receiver.events import MAX_ID_LENGTH, digits_of, read_events
from airflow_provider_itnio.receiver.mailbox import ORDER, CursorError, Mailbox, has_reached, shorten_failure
from airflow_provider_itnio.receiver.tokens import Tokens
from airflow_provider_itnio.receiver.writer import INCOMING, NotStoredError, Writer

MAX_PUSH_SIZE: Final = 256 * 1024
MAX_REQUEST_SIZE: Final = 512 * 1024
MAX_IDS: Final = 1000
MAX_INCOMING: Final = 1000
MAX_WAIT: Final = 25.0
MAX_PHONES: Final = 3000
MAX_UNCLEAR: Final = 24 * 3600
"""Most seconds after a question closes in which typed words may still be meant for it."""
MAX_OPEN: Final = 31 * 24 * 3600
"""Most seconds that a question may be open."""
MAX_WAITING_REQUESTS: Final = 500
"""Most requests that wait at a time. Further ones are answered at once."""

_POLL_INTERVAL: Final = 2.0
"""Seconds between two reads of a waiting request, for events stored by another receiver."""

_BATCH_DELAY: Final = 0.5
"""Seconds that a request about several messages waits for more events before it reads again."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Result = TypeVar("Result")


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
        self._push_tokens = push
        self._read_tokens = read
        self._waiting_requests = 0
        self.stopping = False

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/push/{token}", self._handle_push, methods=["POST"]),
                Route("/v1/messages/{message_id:path}", self._checked(self._message), methods=["GET"]),
                Route("/v1/messages", self._checked(self._messages), methods=["POST"]),
                Route("/v1/incoming", self._checked(self._incoming), methods=["GET"]),
                Route("/v1/window/{phone}", self._checked(self._window), methods=["GET"]),
                Route("/v1/window", self._checked(self._window), methods=["POST"]),
                Route("/v1/questions", self._checked(self._open_question), methods=["POST"]),
                Route("/v1/questions/{id}/close", self._checked(self._close_question), methods=["POST"]),
                Route("/v1/unread", self._checked(self._unread), methods=["GET"]),
                Route("/healthz", self._health, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _http_error, SQLAlchemyError: _database_error},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._writer.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _handle_push(self, request: Request) -> Response:
        if not self._push_tokens.match(request.path_params["token"]):
            raise HTTPException(404, "not found")
        body = await _json(request, MAX_PUSH_SIZE)
        try:
            await self._writer.store(read_events(body, int(time.time())))
        except RecursionError:
            raise HTTPException(400, "body: nested too deep") from None
        except NotStoredError as error:
            raise HTTPException(503, f"not stored: {error}. Push it again", {"Retry-After": "10"}) from None
        return JSONResponse({"status": "0"})

    async def _message(self, request: Request) -> Response:
        ids = [_message_id(request.path_params["message_id"])]
        query = request.query_params
        [message] = await self._statuses(ids, _until(query.get("until", "sent")), _wait(query.get("wait")))
        return JSONResponse(message)

    async def _messages(self, request: Request) -> Response:
        body = await _json(request, MAX_REQUEST_SIZE)
        ids = body.get("ids") if isinstance(body, Mapping) else None
        if not isinstance(ids, list) or len(ids) > MAX_IDS:
            raise HTTPException(400, f"ids: must be a list of up to {MAX_IDS} message ids")
        until, wait = _until(body.get("until", "sent")), _wait(body.get("wait"))
        messages = await self._statuses(list(map(_message_id, ids)), until, wait)
        return JSONResponse({"messages": list(map(shorten_failure, messages))})

    async def _statuses(self, ids: Sequence[str], until: str, wait: float) -> list[dict[str, Any]]:
        return await self._wait_for(
            lambda: self._mailbox.messages(ids),
            lambda messages: all(has_reached(message, until) for message in messages),
            set(ids),
            wait,
        )

    async def _incoming(self, request: Request) -> Response:
        query = request.query_params
        after, limit = query.get("after") or None, _parse_integer("limit", query.get("limit"), MAX_INCOMING)
        try:
            result = await self._wait_for(
                lambda: self._mailbox.incoming(after, limit),
                # After a cursor of another database, answer at once: the client then reopens its questions.
                lambda result: bool(result["messages"]) or after not in (None, result["cursor"]),
                {INCOMING},
                _wait(query.get("wait")),
            )
        except CursorError as error:
            raise HTTPException(400, str(error)) from None
        return JSONResponse(result)

    async def _window(self, request: Request) -> Response:
        body: Any = request.path_params
        if "phone" not in body:
            body = await _json(request, MAX_REQUEST_SIZE)
        body = body if isinstance(body, Mapping) else {}
        value, business_phone = body.get("phone"), body.get("business_phone") or ""
        phone = _phone(value.removeprefix("+") if isinstance(value, str) else value)
        if business_phone and not (business_phone := digits_of(business_phone)):
            raise HTTPException(400, "business_phone: must be digits")
        return JSONResponse(await asyncio.to_thread(self._mailbox.window, phone, business_phone))

    async def _open_question(self, request: Request) -> Response:
        body = await _json(request, MAX_REQUEST_SIZE)
        body = body if isinstance(body, Mapping) else {}
        question_id, phones, until = (body.get(name) for name in ("id", "phones", "open_until"))
        if not isinstance(phones, list) or not 0 < len(phones) <= MAX_PHONES:
            raise HTTPException(400, f"phones: must be a list of 1 to {MAX_PHONES} numbers")
        now = int(time.time())
        if type(until) is not int or not 0 <= until <= now + MAX_OPEN:
            raise HTTPException(400, f"open_until: must be Unix seconds, at most {MAX_OPEN} from now")
        unclear_for, task = body.get("unclear_for", 0), body.get("task", "")
        if type(unclear_for) is not int or not 0 <= unclear_for <= MAX_UNCLEAR:
            raise HTTPException(400, f"unclear_for: must be seconds, at most {MAX_UNCLEAR}")
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
        body = await _json(request, MAX_REQUEST_SIZE) if await request.body() else {}
        phones = body.get("answered_by", []) if isinstance(body, Mapping) else None
        if not isinstance(phones, list) or len(phones) > MAX_PHONES:
            raise HTTPException(400, f"answered_by: must be a list of up to {MAX_PHONES} numbers")
        answered_by = list(map(_phone, phones))
        await asyncio.to_thread(self._mailbox.close_question, question_id, answered_by, int(time.time()))
        return JSONResponse({"id": question_id})

    async def _unread(self, request: Request) -> Response:
        limit = _parse_integer("limit", request.query_params.get("limit"), 100)
        return JSONResponse({"events": await asyncio.to_thread(self._mailbox.unread, limit)})

    async def _health(self, _: Request) -> Response:
        await asyncio.to_thread(self._mailbox.ping)
        return JSONResponse({"status": "ok"})

    def _checked(self, handler: Handler) -> Handler:
        """Return the handler with a check of the read token."""

        async def handle(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not self._read_tokens.match(token.strip()):
                raise HTTPException(
                    401, "Authorization: must be Bearer and the read token", {"WWW-Authenticate": "Bearer"}
                )
            return await handler(request)

        return handle

    async def _wait_for(
        self, read: Callable[[], Result], is_enough: Callable[[Result], bool], keys: set[str], wait: float
    ) -> Result:
        """Read repeatedly until the result is enough, or ``wait`` seconds have passed."""
        if self._waiting_requests >= MAX_WAITING_REQUESTS:
            wait = 0.0
        deadline = time.monotonic() + wait
        event = asyncio.Event()
        self._writer.waiting.add(keys, event)
        self._waiting_requests += 1
        try:
            while True:
                event.clear()
                result = await asyncio.to_thread(read)
                remaining = deadline - time.monotonic()
                if remaining <= 0 or is_enough(result) or self.stopping:
                    return result
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(remaining, _POLL_INTERVAL))
                if len(keys) > 1:
                    await asyncio.sleep(min(_BATCH_DELAY, max(0.0, deadline - time.monotonic())))
        finally:
            self._waiting_requests -= 1
            self._writer.waiting.remove(keys, event)


async def _json(request: Request, max_size: int) -> Any:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_size:
                raise HTTPException(413, f"body: at most {max_size} bytes", {"Connection": "close"})
        return json.loads(body.decode())
    except ClientDisconnect:
        raise HTTPException(400, "body: not complete") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "body: must be JSON") from None


def _message_id(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        raise HTTPException(400, f"message id: must be text of 1 to {MAX_ID_LENGTH} characters")
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def _question_id(value: object) -> str:
    if not isinstance(value, str) or not (0 < len(value) <= 64 and value.isascii() and value.isalnum()):
        raise HTTPException(400, "question id: must be 1 to 64 ASCII letters and digits")
    return value


def _task(value: object) -> str:
    if not isinstance(value, str) or not (
        not value or (len(value) <= 64 and value.isascii() and value.isalnum())
    ):
        raise HTTPException(400, "task: must be up to 64 ASCII letters and digits")
    return value


def _phone(value: object) -> str:
    if not (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 64):
        raise HTTPException(400, "phone: must be digits")
    return value


def _until(value: object) -> str:
    if value not in ORDER[1:]:
        raise HTTPException(400, f"until: must be one of {', '.join(ORDER[1:])}")
    return str(value)


def _wait(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT:
        raise HTTPException(400, f"wait: must be seconds from 0 to {MAX_WAIT:g}")
    return seconds


def _parse_integer(name: str, value: str | None, highest: int) -> int:
    if value is None:
        return highest
    if not (value.isascii() and value.isdecimal() and len(value) < 9 and 1 <= int(value) <= highest):
        raise HTTPException(400, f"{name}: must be a whole number from 1 to {highest}")
    return int(value)


async def _http_error(_: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    return JSONResponse({"error": refused.detail}, refused.status_code, refused.headers)


async def _database_error(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the database has failed, try again"}, 503, {"Retry-After": "10"})
