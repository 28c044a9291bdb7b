"""The three endpoints of the vendor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from airflow_provider_itnio.sandbox.api_models import ReplyGiven
from airflow_provider_itnio.sandbox.faults.fault import NO_FAULT, Fault, FaultQueue
from airflow_provider_itnio.sandbox.faults.random_failures import RandomFailures
from airflow_provider_itnio.sandbox.faults.test_numbers import fault_of_number, meaning_of_number
from airflow_provider_itnio.sandbox.http_server import MAX_BODY_SIZE, cut, read_body
from airflow_provider_itnio.sandbox.phone_numbers import shortened
from airflow_provider_itnio.sandbox.responses import Answer, json_answer, refusal
from airflow_provider_itnio.sandbox.status_codes import (
    BALANCE_PATH,
    CUSTOM_PATH,
    EXPIRED,
    TEMPLATE_PATH,
    text_of,
)
from airflow_provider_itnio.sandbox.store.data_file import DataFile
from airflow_provider_itnio.sandbox.store.entries import (
    Entry,
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
)
from airflow_provider_itnio.sandbox.store.exchange import recipient_in
from airflow_provider_itnio.sandbox.store.store import Store
from airflow_provider_itnio.sandbox.summary import summary_of
from airflow_provider_itnio.sandbox.vendor.account import Account
from airflow_provider_itnio.sandbox.vendor.fetching import FileFetcher
from airflow_provider_itnio.sandbox.vendor.message_status import Delivery
from airflow_provider_itnio.sandbox.vendor.replies import reply_from
from airflow_provider_itnio.sandbox.vendor.request_reading import mask_headers, read_json
from airflow_provider_itnio.sandbox.vendor.signature import (
    NOT_AUTHENTIC,
    SignProblem,
    fingerprint,
    problem_of_clock,
    problem_of_sign,
    sign_of,
)
from airflow_provider_itnio.sandbox.vendor.validation import WRONG_JSON, Verdict, check_message

logger = logging.getLogger("airflow_provider_itnio.sandbox")

CONTENT_TYPE = "application/json;charset=UTF-8"
METHODS = {CUSTOM_PATH: "POST", TEMPLATE_PATH: "POST", BALANCE_PATH: "GET"}
"""The HTTP method of each endpoint, by path."""

DUPLICATE_WITHIN = timedelta(minutes=10)
"""Longer than the five minutes after which Airflow tries a task again."""

LOOKS_LIKE_A_DUPLICATE = "looks like a duplicate"

BY_FAULT = "a fault was asked for, by fail_next or POST /sandbox/faults"
BY_SHARE = "it is one of the share that is to fail, by --fail or Sandbox(fail=…)"


@dataclass
class Vendor:
    """
    The state that the endpoints share.

    :param clock: returns the time in Unix seconds
    :param clock_tolerance: the accepted difference of a timestamp, in seconds
    :param latency: the delay of each answer, in seconds
    :param fetcher: fetches the files of messages; None if they are not fetched
    :param stopping: set when the server stops, so that no delayed answer delays that
    """

    account: Account
    store: Store
    faults: FaultQueue
    failing: RandomFailures
    clock: Callable[[], float]
    clock_tolerance: float
    delivery: Delivery
    latency: float = 0.0
    fetcher: FileFetcher | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.initial_settings = self.failing.shares, self.delivery.webhook.settings, self.account.balance

    def open(self, file: DataFile) -> None:
        """Load a file, and store everything in it from now on."""
        self.store.open(file)
        self.delivery.webhook.file = file

    def close(self) -> None:
        """Stop pushing and fetching, and close the file if there is one."""
        if self.fetcher:
            self.fetcher.close()
        self.delivery.webhook.stop()
        self.delivery.webhook.file = None
        self.store.close()

    def receive(self, given: ReplyGiven) -> Reply:
        """Store and push a recipient's reply, which opens the 24-hour window."""
        reply = reply_from(given, self.store, self.clock(), self.account)
        self.delivery.receive(reply)
        return reply

    def clear(self) -> None:
        """Delete entries and waiting pushes, close the windows and restart a seed; faults stay."""
        self.delivery.webhook.stop()
        self.store.clear()
        self.failing.restart_seed()

    def reset(self) -> None:
        """Restore the initial state: clear, delete the faults, and undo all changes of settings."""
        shares, webhook, balance = self.initial_settings
        self.faults.clear()
        self.failing.shares = shares
        self.delivery.webhook.configure(webhook)
        self.clear()
        self.account.balance = balance


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the vendor as an ASGI application; without a method, an unknown path."""

    vendor: Vendor
    path: str
    method: str | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one ASGI request."""
        request = Request(scope, receive)
        try:
            raw_body = await read_body(request)
        except ClientDisconnect:
            return
        fault: Fault | None = None
        reason = ""
        answer: Answer | None
        entries: list[Entry] = []
        seen, sign_problem, json_problem = self._read_request(request, raw_body or b"")
        if self.method is None:
            answer = json_answer({"error": f"there is nothing at {self.path}"}, 404)
        elif request.method != self.method:
            answer = json_answer({"error": f"{self.path} takes {self.method}"}, 405)
            answer = replace(answer, headers={"Allow": self.method})
        elif raw_body is None:
            answer = json_answer({"error": f"a request may have at most {MAX_BODY_SIZE} bytes"}, 413)
        else:
            verdict = self._check(seen, sign_problem, json_problem)
            fault, reason = self._find_fault(seen, verdict)
            answer, entries = self._build_response(seen, verdict, fault, reason)
        entries.append(
            replace(
                seen,
                answer=answer.shown if answer else None,
                http_status=answer.http_status if answer else None,
                cause=reason if fault and fault.replaces else "",
            )
        )
        with self.vendor.store.transaction():
            exchange = self.vendor.store.add(*entries)
            if exchange.message:
                self.vendor.delivery.follow(exchange.message)
        if exchange.message and self.vendor.fetcher:
            self.vendor.fetcher.fetch(exchange.message)
        wait = self.vendor.latency + ((fault and fault.delay) or 0)
        if wait and await self._stops_within(wait):
            answer = None
        if answer is None:
            await cut(scope, receive)
        else:
            await answer.as_response()(scope, receive, send)

    def _read_request(self, request: Request, raw_body: bytes) -> tuple[SeenRequest, SignProblem | None, str]:
        """Return a request, the error of its signature, and why its body is not a JSON object."""
        account = self.vendor.account
        sign_problem = problem_of_sign(request.headers, account.api_key, account.secret)
        body, json_problem = read_json(raw_body) if raw_body else (None, "the body is empty")
        seen = SeenRequest(
            method=request.method,
            path=self.path,
            headers=mask_headers(request.headers, self._secrets(request.headers)),
            raw_body=raw_body,
            body=body,
            answer=None,
            http_status=None,
            at=datetime.fromtimestamp(self.vendor.clock(), UTC),
            sign_is_valid=not sign_problem,
            timestamp=request.headers.get("timestamp", ""),
            sign_fingerprint=fingerprint(request.headers.get("sign", "")),
            cause="",
        )
        return seen, sign_problem, json_problem

    def _secrets(self, headers: Headers) -> list[str]:
        """Return the secrets that headers may contain: the key, the secret, and the request's Sign."""
        account = self.vendor.account
        sign = sign_of(account.api_key, account.secret, headers.get("timestamp", ""))
        return [one for one in (account.api_key, account.secret, sign, sign.upper()) if one]

    def _check(self, seen: SeenRequest, sign_problem: SignProblem | None, json_problem: str) -> Verdict:
        vendor = self.vendor
        if sign_problem:
            return Verdict(NOT_AUTHENTIC, sign_problem.why, advice=sign_problem.advice)
        clock_problem = problem_of_clock(seen.timestamp, vendor.clock(), vendor.clock_tolerance)
        if clock_problem:
            return Verdict(EXPIRED[self.path], clock_problem.why, advice=clock_problem.advice)
        if self.path == BALANCE_PATH:
            return Verdict(0)
        if json_problem:
            return Verdict(WRONG_JSON, json_problem)
        verdict = check_message(self.path, seen.body, vendor.account)
        media_type = seen.headers.get("content-type", "")
        if media_type.replace(" ", "").lower() == CONTENT_TYPE.lower():
            return verdict
        note = f"Content-Type is {media_type or 'missing'}; the page says {CONTENT_TYPE}"
        return replace(verdict, notes=(*verdict.notes, note))

    def _find_fault(self, seen: SeenRequest, verdict: Verdict) -> tuple[Fault | None, str]:
        """Return the fault of a request, and its cause."""
        recipient = recipient_in(seen.body)
        requested = self.vendor.faults.take(self.path, recipient)
        if requested and requested.replaces:
            return requested, BY_FAULT
        # Errors of the request come first: a test number must not hide a wrong Sign.
        if verdict.status or self.path == BALANCE_PATH:
            return requested, ""
        if other := fault_of_number(recipient):
            reason = meaning_of_number(recipient)
        else:
            other, reason = self.vendor.failing.draw(recipient), BY_SHARE
        if requested and other:
            # A fault that only delays, or adds headers, can be combined with another one.
            headers = requested.headers | other.headers
            delay = (requested.delay or 0) + (other.delay or 0)
            return other.model_copy(update={"delay": delay, "headers": headers}), reason
        return requested or other, reason

    def _build_response(
        self, seen: SeenRequest, verdict: Verdict, fault: Fault | None, reason: str
    ) -> tuple[Answer | None, list[Entry]]:
        """Return the answer to a request, None for a cut connection, and the entries to store."""
        fault = fault or NO_FAULT
        entries: list[Entry] = []
        if verdict.status:
            answer, reason = refusal(self.path, verdict.status), reason if fault.replaces else verdict.why
        elif self.path == BALANCE_PATH:
            amounts = {"balance": self.vendor.account.shown_balance, "gift": "0", "credit": "0"}
            answer = json_answer({"status": "0", "reason": "success"} | amounts)
        else:
            message_id = uuid4().hex
            data = {"channelType": 0, "messageId": message_id, "timestamp": int(seen.at.timestamp())}
            answer = json_answer({"status": "0", "reason": "success", "data": data})
            if fault.accepts_message:
                entries.append(self._accept(seen, verdict, message_id))
        if fault.drop is not None:
            return None, entries
        answer = fault.answer_at(self.path) if fault.replaces else replace(answer, headers=fault.headers)
        refused_with = answer.negative_status if fault.replaces else verdict.status
        if refused_with:
            advice = "" if fault.replaces else verdict.advice
            entries.append(self._refuse(seen, refused_with, reason, advice))
        return answer, entries

    def _accept(self, seen: SeenRequest, verdict: Verdict, message_id: str) -> ReceivedMessage:
        message = ReceivedMessage(
            id=message_id,
            type=verdict.type,
            recipient=str(seen.body["recipient"]),
            text=summary_of(verdict.type, seen.body),
            body=seen.body,
            at=seen.at,
            path=self.path,
            notes=[*verdict.notes, *self._duplicate_note(seen)],
        )
        self.vendor.account.pay()
        logger.info("accepted %s to %s as %s", message.type, shortened(message.recipient), message.id)
        self.vendor.delivery.begin(message)
        return message

    def _duplicate_note(self, seen: SeenRequest) -> Iterator[str]:
        previous = self.vendor.store.last_equal(seen.raw_body)
        if previous and timedelta(0) <= (age := seen.at - previous.at) < DUPLICATE_WITHIN:
            minutes = round(age.total_seconds() / 60)
            count, unit = (minutes, "minute") if minutes else (max(1, round(age.total_seconds())), "second")
            yield f"{LOOKS_LIKE_A_DUPLICATE}: the same message came {count} {unit}{'s' * (count > 1)} earlier"

    def _refuse(self, seen: SeenRequest, status: int, reason: str, advice: str) -> RefusedRequest:
        meaning, what_to_do = text_of(self.path, status)
        logger.info("refused with %s (%s): %s", status, meaning, reason)
        return RefusedRequest(
            status=status,
            meaning=meaning,
            why=reason,
            advice=advice or what_to_do,
            path=self.path,
            headers=seen.headers,
            body=seen.body,
            at=seen.at,
        )

    async def _stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.vendor.stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
