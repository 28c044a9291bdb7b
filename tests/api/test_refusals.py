"""A refusal is not retried and raises the error class of its code."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ContentError,
    PlatformError,
    RefusedError,
)
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    API_KEY,
    Make,
    failure,
)
from tests.tables import for_each

REFUSALS = [
    ({"status": -1}, AuthenticationError, -1),
    ({"status": -68}, AccountError, -68),
    ({"status": -133, "http_status": 400}, ContentError, -133),
    ({"answer": {"status": -112, "reason": "x"}}, ContentError, -112),
    ({"status": -5}, PlatformError, -5),
    ({"status": -999}, RefusedError, -999),
    ({"http_status": 400}, RefusedError, None),
    ({"http_status": 401}, AuthenticationError, None),
    ({"http_status": 403}, AuthenticationError, None),
    ({"http_status": 404, "body": "<html>"}, RefusedError, None),
    ({"http_status": 404, "answer": {"status": 404}}, RefusedError, None),
]


@for_each(("fault", "family", "code"), REFUSALS)
def test_a_refusal_is_not_retried_and_raises_the_error_of_its_code(
    sender: Make, sandbox: Sandbox, fault: dict[str, Any], family: type[RefusedError], code: int | None
) -> None:
    sandbox.fail_next(9, **fault)
    error = failure(sender(sandbox.url).send)
    assert type(error) is family
    assert error.code == code
    assert len(sandbox.requests) == 1


def test_a_wrong_app_id_or_secret_is_not_retried(sender: Make, sandbox: Sandbox) -> None:
    error = failure(lambda: sender(sandbox.url).send(app_id="nosuchid"))
    assert isinstance(error, AccountError)
    assert error.code == -10
    error = failure(sender(sandbox.url, credentials=Credentials(API_KEY, "wrong")).send)
    assert isinstance(error, AuthenticationError)
    assert error.code == -1
    assert len(sandbox.requests) == 2
