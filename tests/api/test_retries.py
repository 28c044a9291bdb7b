from __future__ import annotations

import warnings
from typing import Any

import pytest
from tenacity import Retrying

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    ItnioError,
    NotSentError,
    PlatformError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.retries import retry_options
from airflow_provider_itnio.api.settings import ClientSettings
from tests.tables import for_each


def tried(settings: ClientSettings, *errors: Exception) -> tuple[object, list[float]]:
    """The result of a call that fails with these errors first, and the waits between its tries."""
    waits: list[float] = []
    left = list(errors)

    def once() -> str:
        if left:
            raise left.pop(0)
        return "sent"

    options: dict[str, Any] = retry_options(settings) | {"sleep": waits.append}
    try:
        return Retrying(**options)(once), waits
    except ItnioError as error:
        return error, waits


def test_waits_double_up_to_longest_wait() -> None:
    settings = ClientSettings(max_attempts=8, first_wait=0.5, longest_wait=8, jitter=0)
    assert tried(settings, *(NotSentError("no connection") for _ in range(7))) == (
        "sent",
        [0.5, 1, 2, 4, 8, 8, 8],
    )


def test_jitter_is_added_up_to_longest_wait() -> None:
    settings = ClientSettings(max_attempts=4, first_wait=1, longest_wait=2.25, jitter=0.5)
    errors = [NotSentError("no connection") for _ in range(3)]
    seen = [tried(settings, *errors)[1] for _ in range(50)]
    assert all(1 <= first <= 1.5 and 2 <= second <= 2.25 and third == 2.25 for first, second, third in seen)
    assert len({first for first, _, _ in seen}) > 10


def test_the_last_error_is_raised_when_the_tries_are_used_up() -> None:
    errors = [NotSentError(f"{number}") for number in range(4)]
    outcome, waits = tried(ClientSettings(max_attempts=4), *errors)
    assert outcome is errors[3]
    assert len(waits) == 3


def test_a_single_try_never_waits() -> None:
    outcome, waits = tried(ClientSettings(max_attempts=1), NotSentError("no connection"))
    assert isinstance(outcome, NotSentError)
    assert waits == []


def test_the_wait_is_at_least_the_answers_retry_after() -> None:
    settings = ClientSettings(max_retry_after=60, first_wait=0.5, jitter=0)
    asked = [NotSentError("429", retry_after=seconds) for seconds in (60.0, 1.5, 0.0)]
    assert tried(settings, *asked) == ("sent", [60.0, 1.5, 2.0])


@for_each("asked", [0.0, 0.001, -1.0])
def test_a_retry_after_of_zero_or_less_does_not_remove_the_wait(asked: float) -> None:
    settings = ClientSettings(max_attempts=10, first_wait=0.5, longest_wait=8, jitter=0.5)
    seen = [tried(settings, *(NotSentError("429", retry_after=asked) for _ in range(9)))[1] for _ in range(9)]
    assert all(0.5 <= waits[0] <= 1 and min(waits) >= 0.5 and max(waits) <= 8 for waits in seen)
    assert len({waits[0] for waits in seen}) > 1


@for_each(
    "error",
    [
        NotSentError("429", retry_after=60.5),
        NotSentError("the certificate does not verify", try_again=False),
        UnknownOutcomeError("lost"),
        PlatformError("-5", transient=True),
        InvalidMessageError("text.body: must not be empty"),
    ],
)
def test_other_errors_and_a_retry_after_over_the_limit_are_not_retried(error: ItnioError) -> None:
    assert tried(ClientSettings(), error) == (error, [])


def test_each_retry_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tried(
        ClientSettings(first_wait=0.5, jitter=0),
        NotSentError("no connection"),
        NotSentError("429", retry_after=7),
    )
    assert [record.getMessage() for record in caplog.records] == [
        "Attempt 1 of 4 failed: no connection; trying again in 0.5 s",
        "Attempt 2 of 4 failed: 429; trying again in 7.0 s",
    ]


def test_no_deprecated_api_of_tenacity_is_used() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        retry_options(ClientSettings())
