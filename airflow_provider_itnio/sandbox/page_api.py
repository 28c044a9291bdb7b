"""What the inbox page asks besides what came: how to connect Airflow, and a message to begin with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio.sandbox.responses import json_answer
from airflow_provider_itnio.sandbox.status_codes import TEMPLATE_PATH
from airflow_provider_itnio.sandbox.vendor.endpoints import CONTENT_TYPE, Vendor
from airflow_provider_itnio.sandbox.vendor.signature import sign_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

TEST_RECIPIENT = "8614718004557"


@dataclass(frozen=True)
class PageApi:
    """
    The endpoints under ``/sandbox/`` that the page alone needs.

    :param vendor: what the endpoints of the vendor share
    :param connection: gives an Airflow connection to this sandbox as JSON
    """

    vendor: Vendor
    connection: Callable[[], str]

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/sandbox/connection", self.read_connection, methods=["GET"]),
            Route("/sandbox/test-message", self.read_test_message, methods=["GET"]),
        ]

    async def read_connection(self, request: Request) -> Response:
        """Return the line for a shell that connects Airflow, with the sandbox's secret in it."""
        line = f"export AIRFLOW_CONN_ITNIO_DEFAULT={shlex.quote(self.connection())}"
        return json_answer({"line": line}).as_response()

    async def read_test_message(self, request: Request) -> Response:
        """Return a signed request to the vendor's endpoint. It is a template, which reaches everyone."""
        account = self.vendor.account
        timestamp = str(int(self.vendor.clock()))
        text = {"type": "text", "text": "Hello from itnio-sandbox"}
        asked = {
            "path": TEMPLATE_PATH,
            "headers": {
                "Content-Type": CONTENT_TYPE,
                "Api-Key": account.api_key,
                "Timestamp": timestamp,
                "Sign": sign_of(account.api_key, account.secret, timestamp),
            },
            "body": {
                "appId": account.app_id,
                "businessPhone": account.business_phone,
                "recipient": TEST_RECIPIENT,
                "channelType": 0,
                "template": {
                    "name": "test_message",
                    "language": {"code": "en"},
                    "components": [{"type": "body", "parameters": [text]}],
                },
            },
        }
        return json_answer(asked).as_response()
