from __future__ import annotations

import hashlib
import json
import time
from contextlib import ExitStack

import pytest
import requests

from airflow_provider_itnio.sandbox import Sandbox

CUSTOM = "/wa/custom/sendMsg"
TEMPLATE = "/wa/template/sendMsg"
BALANCE = "/sms/getBalance"
REFUSED = "refused with -71 (recipient number is shorter than 7 digits): recipient has 3 digits, at least 7"


class Wire:
    """A client of the vendor's API for one sandbox; tests may make any part of a request wrong."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False

    def begin_again(self):
        self.sandbox.clear()
        self.sandbox.clear_faults()

    def headers(self, timestamp=None, *, api_key=None, secret=None, **changed):
        """Return signed headers; ``None`` means the sandbox's value, a header changed to None is left out."""
        timestamp = str(int(time.time())) if timestamp is None else timestamp
        api_key = api_key or self.sandbox.api_key
        signed = f"{api_key}{secret or self.sandbox.secret}{timestamp}"
        headers = {
            "Content-Type": "application/json;charset=UTF-8",
            "Api-Key": api_key,
            "Timestamp": timestamp,
            "Sign": hashlib.md5(signed.encode()).hexdigest(),
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        return {name: value for name, value in headers.items() if value is not None}

    def post(self, path, body, headers=None, **options):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.headers() if headers is None else headers
        return self.session.post(self.sandbox.url + path, data=raw, headers=headers, timeout=10, **options)

    def custom(self, body, headers=None, **options):
        return self.post(CUSTOM, body, headers, **options)

    def template(self, body, headers=None, **options):
        return self.post(TEMPLATE, body, headers, **options)

    def balance(self, headers=None):
        headers = self.headers() if headers is None else headers
        return self.session.get(self.sandbox.url + BALANCE, headers=headers, timeout=10)

    def control(self, method, path, **options):
        return self.session.request(method, f"{self.sandbox.url}/sandbox/{path}", timeout=10, **options)

    def fault(self, **fault):
        answer = self.control("POST", "faults", json=fault)
        assert answer.status_code == 201, answer.text


@pytest.fixture(scope="session")
def running_sandbox():
    with Sandbox(push_scale=0, open_windows=True) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox):
    """An empty sandbox with the credentials of the vendor's documentation."""
    running_sandbox.clear()
    running_sandbox.clear_faults()
    running_sandbox.push_to(None)
    return running_sandbox


@pytest.fixture
def wire(sandbox):
    return Wire(sandbox)


@pytest.fixture
def wire_to():
    return Wire


@pytest.fixture
def start_sandbox():
    """Start another sandbox; it stops with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Sandbox(**options))


@pytest.fixture
def message():
    """A valid text message with changes; None leaves a key out."""

    def make(**changes):
        body = {
            "appId": "DGziZf5u",
            "businessPhone": "91856321321",
            "recipient": "91856321322",
            "channelType": 0,
            "type": "text",
            "text": {"body": "42 rows loaded"},
        }
        if changes.get("type") not in ("text", None):
            del body["text"]
        body |= changes
        return {name: value for name, value in body.items() if value is not None}

    return make


@pytest.fixture
def template_message(message):
    """A valid message with a WhatsApp template, with changes in the template."""

    def make(**changes):
        template = {
            "name": "new_shop",
            "language": {"code": "zh_TW"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "9.1日开业大吉"}]}],
        } | changes
        template = {name: value for name, value in template.items() if value is not None}
        return message(type=None, text=None, template=template)

    return make
