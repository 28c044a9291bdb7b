"""Whether and when a message that was not sent is attempted again within one try of the task.

``http_errors.py`` decides which answers mean that it was not sent.
"""

from __future__ import annotations

from typing import Any

from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential, wait_random
from tenacity.wait import wait_base

from airflow_provider_itnio.api.errors import NotSentError, RefusedError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.settings import ClientSettings

log = NeverRaisingLog(__name__)


class RetryAfterOrBackoff(wait_base):
    """Wait longer after each attempt, and at least the answer's ``Retry-After``."""

    def __init__(self, settings: ClientSettings) -> None:
        self._max_wait = settings.longest_wait
        # Not wait_exponential_jitter: its parameters are renamed between versions of tenacity.
        exponential = wait_exponential(multiplier=settings.first_wait, max=settings.longest_wait)
        self._backoff = exponential + wait_random(0, settings.jitter)

    def __call__(self, retry_state: RetryCallState) -> float:
        """Return the seconds to wait."""
        error = retry_state.outcome and retry_state.outcome.exception()
        retry_after = (isinstance(error, NotSentError) and error.retry_after) or 0.0
        return max(retry_after, min(self._max_wait, self._backoff(retry_state)))


def retry_options(settings: ClientSettings) -> dict[str, Any]:
    """Return the options of tenacity's ``Retrying`` and ``AsyncRetrying``, the same for both clients.

    :param settings: the limits for attempts and waits.
    """

    def should_retry(error: BaseException) -> bool:
        if isinstance(error, RefusedError):
            return settings.retry_refused and error.transient
        if not isinstance(error, NotSentError) or not error.try_again:
            return False
        return error.retry_after is None or error.retry_after <= settings.max_retry_after

    def log_retry(state: RetryCallState) -> None:
        log.warning(
            "Attempt %s of %s failed: %s; trying again in %.1f s",
            state.attempt_number,
            settings.max_attempts,
            state.outcome and state.outcome.exception(),
            state.next_action.sleep if state.next_action else 0.0,
        )

    return {
        "retry": retry_if_exception(should_retry),
        "wait": RetryAfterOrBackoff(settings),
        "stop": stop_after_attempt(settings.max_attempts),
        "before_sleep": log_retry,
        "reraise": True,
    }
