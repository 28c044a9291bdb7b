"""The body of a request, up to a length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_BODY = 1024 * 1024


async def read_body(request: Request) -> bytes | None:
    """
    Read the body of a request.

    :return: the body, None if it is over ``LARGEST_BODY`` bytes
    """
    if int(request.headers.get("content-length", 0)) > LARGEST_BODY:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)
