"""Sends a rendered alert to 16 recipients at a time. If a message can't be sent, the next one is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    ContentError,
    FileUnavailableError,
    InvalidMessageError,
    ItnioError,
)
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.notifications.rendering import describe_error
from airflow_provider_itnio.notifications.windows import aopen_windows, open_windows

if TYPE_CHECKING:
    from airflow_provider_itnio.hooks.itnio import ItnioHook
    from airflow_provider_itnio.notifications.rendering import RenderedAlert

_MAX_CONCURRENT: Final = 16
"""Recipients. Airflow ends a task's callbacks 20 seconds, a DAG's 50 seconds after they began."""
_MESSAGE_ERRORS: Final = (ContentError, InvalidMessageError, ConfigurationError, FileUnavailableError)
"""Errors of the message or its file, after which the next message is tried for the same recipient."""


def send_to_all(hook: ItnioHook, alert: RenderedAlert, notes: Mapping[str, str]) -> dict[str, str | None]:
    """Send an alert to each of its recipients.

    :param hook: the hook that sends; it logs each message that could not be sent.
    :param alert: the alert.
    :param notes: the note about held alerts for each recipient, by number. Other recipients get nothing.
    :return: by number, why the alert was not sent; ``None`` if it was.
    :raises ConfigurationError: if the connection can't be used.
    """
    from concurrent.futures import ThreadPoolExecutor

    account = hook.account()
    windows = open_windows(hook, alert, account, notes)

    def send(recipient: str) -> str | None:
        reason = alert.problem
        for message in alert.messages(account, is_window_open=windows.get(recipient)):
            try:
                if (fields := message(reason, notes[recipient])) is not None:
                    hook.send(recipient, **fields)
                    return None
            except Exception as error:
                reason = _log_error(hook, recipient, error)
                if not isinstance(error, _MESSAGE_ERRORS):
                    break
        return reason

    with ThreadPoolExecutor(_MAX_CONCURRENT, thread_name_prefix="whatsapp-alert") as pool:
        return dict(zip(notes, pool.map(send, notes), strict=True))


async def asend_to_all(
    hook: ItnioHook, alert: RenderedAlert, notes: Mapping[str, str]
) -> dict[str, str | None]:
    """Send an alert as :func:`send_to_all` does, without blocking the event loop."""
    account = await hook.aaccount()
    windows = await aopen_windows(hook, alert, account, notes)
    semaphore = asyncio.Semaphore(_MAX_CONCURRENT)

    async def send(recipient: str) -> str | None:
        reason = alert.problem
        async with semaphore:
            for message in alert.messages(account, is_window_open=windows.get(recipient)):
                try:
                    if (fields := message(reason, notes[recipient])) is not None:
                        await hook.asend(recipient, **fields)
                        return None
                except Exception as error:
                    reason = _log_error(hook, recipient, error)
                    if not isinstance(error, _MESSAGE_ERRORS):
                        break
        return reason

    async with hook:
        return dict(zip(notes, await asyncio.gather(*map(send, notes)), strict=True))


def raise_failures(alert: RenderedAlert, outcomes: Mapping[str, str | None]) -> None:
    """Raise if the alert was not sent to all recipients.

    :raises ItnioError: with the reason of each failure.
    """
    failures = [*alert.invalid_recipients, *(failure for failure in outcomes.values() if failure is not None)]
    reasons = f": {'; '.join(failures)}" if failures else ""
    if not alert.recipients:
        raise ItnioError(f"The WhatsApp alert was not sent: recipients has no valid phone number{reasons}")
    if failures:
        total = len(alert.recipients) + len(alert.invalid_recipients)
        raise ItnioError(f"The WhatsApp alert was not sent to {len(failures)} of {total} recipients{reasons}")


def _log_error(hook: ItnioHook, recipient: str, error: Exception) -> str:
    described = describe_error(error)
    with suppress(Exception):  # an error in logging must not stop the alert to other recipients
        hook.log.error("WhatsApp alert to %s: %s", mask_phone(recipient), described)
    return described
