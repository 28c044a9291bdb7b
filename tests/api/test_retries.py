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
    """What comes of tries that fail so, one after the other, and how long is waited between them."""
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


def test_waits_double_up_to_the_longest() -> None:
    settings = ClientSettings(max_attempts=8, first_wait=0.5, longest_wait=8, jitter=0)
    assert tried(settings, *(NotSentError("no connection") for _ in range(7))) == (
        "sent",
        [0.5, 1, 2, 4, 8, 8, 8],
    )


def test_jitter_is_added_within_the_longest_wait() -> None:
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


def test_one_try_waits_never() -> None:
    outcome, waits = tried(ClientSettings(max_attempts=1), NotSentError("no connection"))
    assert isinstance(outcome, NotSentError)
    assert waits == []


def test_what_the_answer_asked_for_is_waited_at_least() -> None:
    settings = ClientSettings(max_retry_after=60, first_wait=0.5, jitter=0)
    asked = [NotSentError("429", retry_after=seconds) for seconds in (60.0, 1.5, 0.0)]
    assert tried(settings, *asked) == ("sent", [60.0, 1.5, 2.0])


@for_each("asked", [0.0, 0.001, -1.0])
def test_an_answer_that_asks_for_no_wait_gets_one_all_the_same(asked: float) -> None:
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
def test_nothing_else_is_tried_again(error: ItnioError) -> None:
    assert tried(ClientSettings(), error) == (error, [])


def test_each_further_try_is_said(caplog: pytest.LogCaptureFixture) -> None:
    tried(
        ClientSettings(first_wait=0.5, jitter=0),
        NotSentError("no connection"),
        NotSentError("429", retry_after=7),
    )
    assert [record.getMessage() for record in caplog.records] == [
        "Attempt 1 of 4 failed: no connection; trying again in 0.5 s",
        "Attempt 2 of 4 failed: 429; trying again in 7.0 s",
    ]


def test_no_deprecated_word_of_tenacity_is_used() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        retry_options(ClientSettings())
