"""Faults set by a test, which replace the vendor's next answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from airflow_provider_itnio.sandbox.api_models import Given, digits_needed
from airflow_provider_itnio.sandbox.responses import Answer, json_answer, refusal
from airflow_provider_itnio.sandbox.status_codes import CODES

BEFORE_ACCEPTING: Literal["before_accepting"] = "before_accepting"
AFTER_ACCEPTING: Literal["after_accepting"] = "after_accepting"
LONGEST_DELAY = 600.0
HTTP_WITHOUT_BODY = (204, 304)
FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})


def _status(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-[1-9][0-9]{0,5}", str(value)):
        raise ValueError("a negative code such as -68; for anything else use answer")
    return int(str(value))


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("an object of header names with their values")
    for header, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", str(header)):
            raise ValueError(f"{str(header)[:40]!r} is not a header name")
        if str(header).lower() in FRAMING_HEADERS:
            raise ValueError(f"the sandbox sets {header} itself")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", str(text)) or str(text) != str(text).strip():
            raise ValueError(f"{header} needs a value of one line in Latin-1, without spaces around it")
    return {str(header): str(text) for header, text in value.items()}


def _body(value: object) -> bytes:
    if not isinstance(value, (bytes, str)):
        raise ValueError("a text")
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _answer(value: object) -> object:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as wrong:
        raise ValueError(f"must be valid as JSON ({wrong})") from None
    return value


TEXT = WithJsonSchema({"type": "string"})


class Fault(Given):
    """A fault for the next requests that match; ``fail_next`` describes its fields."""

    count: int = Field(1, ge=1, le=1_000_000, description="a whole number from 1 to 1,000,000")
    status: Annotated[int | None, BeforeValidator(_status)] = Field(None, description="a negative code")
    reason: str | None = Field(None, description="a text")
    http_status: int | None = Field(None, ge=200, le=599, description="a whole number from 200 to 599")
    headers: Annotated[dict[str, str], BeforeValidator(_headers)] = Field(
        {}, description="an object of header names with their values"
    )
    body: Annotated[bytes | None, BeforeValidator(_body), TEXT] = Field(None, description="a text")
    answer: Annotated[Any, BeforeValidator(_answer)] = Field(None, description="any JSON")
    delay: float | None = Field(
        None, gt=0, le=LONGEST_DELAY, description=f"seconds, over 0 and at most {LONGEST_DELAY:g}"
    )
    drop: Literal["before_accepting", "after_accepting"] | None = Field(
        None, description=f"one of {BEFORE_ACCEPTING}, {AFTER_ACCEPTING}"
    )
    accept: bool | None = Field(None, description="true or false")
    path: Literal["/wa/custom/sendMsg", "/wa/template/sendMsg", "/sms/getBalance"] | None = Field(
        None, description=f"one of {', '.join(CODES)}"
    )
    recipient: Annotated[str | None, BeforeValidator(digits_needed)] = Field(
        None, description="a phone number"
    )

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        texts = [name for name in ("status", "body", "answer") if self.gives(name)]
        others = [*texts, *(name for name in ("http_status", "headers") if getattr(self, name))]
        if not (self.replaces or self.delay or self.headers):
            raise ValueError(
                "fault: give at least one of status, http_status, body, answer, delay, drop, headers"
            )
        if len(texts) > 1:
            raise ValueError(f"{texts[-1]}: not together with {texts[0]}")
        if self.reason is not None and self.status is None:
            raise ValueError("reason: only together with status")
        if self.drop is not None and others:
            raise ValueError(f"drop: not together with {others[0]}")
        if self.accept is not None and not self.replaces:
            raise ValueError("accept: only together with status, http_status, body, answer or drop")
        if (self.drop, self.accept) in ((BEFORE_ACCEPTING, True), (AFTER_ACCEPTING, False)):
            raise ValueError(f"accept: contradicts drop {self.drop}")
        return self

    def gives(self, name: str) -> bool:
        """Return whether a field was given; only ``answer`` may be None then."""
        return name in self.model_fields_set and (name == "answer" or getattr(self, name) is not None)

    @property
    def replaces(self) -> bool:
        """Whether the vendor's answer is replaced, or the connection dropped."""
        return any(map(self.gives, ("status", "http_status", "body", "answer", "drop")))

    @property
    def accepts_message(self) -> bool:
        """Whether a valid message is still accepted."""
        if self.accept is not None:
            return self.accept
        return not self.replaces or self.drop == AFTER_ACCEPTING

    def matches(self, path: str, recipient: str) -> bool:
        """Return whether it matches a request; ``recipient`` is empty if the request has none."""
        return self.path in (None, path) and self.recipient in (None, recipient)

    def answer_at(self, path: str) -> Answer:
        """Return the answer of an endpoint; only for a fault that replaces the answer."""
        if self.status is not None:
            answer = refusal(path, self.status, self.reason)
        elif self.gives("answer"):
            answer = json_answer(self.answer)
        else:
            body = self.body or b""
            answer = Answer(body.decode("utf-8", "replace"), body, media_type="text/html; charset=utf-8")
        if self.http_status in HTTP_WITHOUT_BODY:
            answer = Answer("", b"")
        return replace(answer, http_status=self.http_status or 200, headers=self.headers)

    def as_json(self) -> dict[str, Any]:
        """Return it as the JSON from which it can be read again."""
        plain = {"count": self.count} | {name: getattr(self, name) for name in FIELDS if self.gives(name)}
        if self.body is not None:
            plain["body"] = self.body.decode("utf-8", "replace")
        return plain


FIELDS = tuple(Fault.model_fields)
NO_FAULT = Fault.model_construct()


@dataclass
class FaultQueue:
    """The faults that are not used up, in the order in which they were set. Thread-safe."""

    _waiting: list[Fault] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def add(self, *faults: Fault) -> None:
        """Append faults."""
        with self._lock:
            self._waiting.extend(faults)

    def take(self, path: str, recipient: str) -> Fault | None:
        """Return the first fault that matches a request, and use it up once."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.matches(path, recipient):
                    remaining = fault.model_copy(update={"count": fault.count - 1})
                    self._waiting[index : index + 1] = [remaining] if remaining.count else []
                    return fault
        return None

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The faults as JSON, ``count`` being how often each is left."""
        with self._lock:
            return [one.as_json() for one in self._waiting]

    def clear(self) -> None:
        """Delete all faults."""
        with self._lock:
            self._waiting.clear()
