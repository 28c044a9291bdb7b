"""Reject requests from pages of other hosts, and set security headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_itnio.sandbox.addresses import AllowedHosts

CONTENT_SECURITY_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    # Linked images are shown, and the size of a linked document is requested from its server.
    "img-src": "'self' http: https:",
    "media-src": "http: https:",
    "connect-src": "'self' http: https:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    # No text can become markup or script, not even by a mistake in the page's own script.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
"""What the inbox page may load and do, by directive."""


def policy(directives: Mapping[str, str]) -> str:
    """Write a content security policy."""
    return "; ".join(f"{name} {allowed}" for name, allowed in directives.items())


SAFE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", policy(CONTENT_SECURITY_POLICY).encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    # This header tells the hook that it can log the URL of its message on the inbox page.
    (b"x-itnio-sandbox", b"1"),
)


@dataclass(frozen=True)
class Security:
    """
    Rejects requests with foreign Host and Origin headers, and passes all others to the application.

    Otherwise pages of other sites could reach the sandbox through the user's browser, by a name that resolves
    to 127.0.0.1 or by a form. ``clock`` returns the time for the Date header, in Unix seconds.
    """

    app: ASGIApp
    hosts: AllowedHosts
    clock: Callable[[], float]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one ASGI request."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                date = (b"date", formatdate(self.clock(), usegmt=True).encode())
                message["headers"] = [
                    *message["headers"],
                    *(header for header in (date, *SAFE_HEADERS) if header[0] not in given),
                ]
            await send(message)

        refusal = self.refusal(dict(scope["headers"]))
        if refusal:
            await JSONResponse({"error": refusal}, 403)(scope, receive, send_safely)
            return
        await self.app(scope, receive, send_safely)

    def refusal(self, headers: dict[bytes, bytes]) -> str:
        """Return what is wrong with the headers of a request; empty if nothing is."""
        host = headers.get(b"host", b"").decode("latin-1")
        if host not in self.hosts:
            return (
                f"Host: {host[:80]!r} is not a name of the sandbox; use the address that it printed, or "
                "start it with --allowed-host and this name"
            )
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        # A proxy in front of the sandbox may use https.
        if b"origin" in headers and origin not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return "Origin: pages of other sites may not use the sandbox"
        return ""
