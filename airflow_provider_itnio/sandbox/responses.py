"""The sandbox's answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response, StreamingResponse

from airflow_provider_itnio.sandbox.status_codes import text_of

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True)
class Answer:
    """The answer to one request; ``shown`` is its JSON or text for the log of requests."""

    shown: Any
    body: bytes
    http_status: int = 200
    media_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def negative_status(self) -> int:
        """Its negative status code, 0 if it has none."""
        try:
            payload = json.loads(self.body)
        except (ValueError, RecursionError):
            return 0
        status = str(payload.get("status")) if isinstance(payload, dict) else ""
        return int(status) if re.fullmatch(r"-[1-9][0-9]{0,5}", status) else 0

    def as_response(self) -> Response:
        """Convert it to a Starlette response."""
        response = Response(self.body, self.http_status, media_type=None)
        if self.body:
            response.headers["content-type"] = self.media_type
        response.headers.update(self.headers)
        return response


def json_bytes(value: Any) -> bytes:
    """Write JSON that shows any script as itself, unless UTF-8 has no form for it."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def streamed(
    parts: Iterable[bytes], media_type: str, headers: Mapping[str, str] | None = None
) -> StreamingResponse:
    """Return a streamed answer whose parts are created one by one, with other requests in between."""

    async def chunks() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
            await asyncio.sleep(0)

    return StreamingResponse(chunks(), headers={"content-type": media_type, **(headers or {})})


def json_answer(value: Any, http_status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(value, json_bytes(value), http_status)


def refusal(path: str, status: int, reason: str | None = None) -> Answer:
    """Answer as the vendor does when it refuses; without a reason it is the meaning of the code."""
    return json_answer(
        {"status": str(status), "reason": text_of(path, status).meaning if reason is None else reason}
    )
