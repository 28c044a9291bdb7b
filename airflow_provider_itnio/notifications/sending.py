"""Sends a rendered alert, to sixteen recipients at a time; each gets the best message that can be sent."""

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

_AT_A_TIME: Final = 16
"""Recipients. Airflow ends a task's callbacks 20 seconds, a DAG's 50 seconds after they began."""
_OF_ITS_MESSAGE: Final = (ContentError, InvalidMessageError, ConfigurationError, FileUnavailableError)
"""Errors, of the message or its file, after which another message to the same recipient may be sent."""


def send_to_all(hook: ItnioHook, alert: RenderedAlert, notes: Mapping[str, str]) -> dict[str, str | None]:
    """Send an alert to each of its recipients.

    :param hook: through which it is sent; its log takes a line for each message that could not be sent.
    :param alert: the alert.
    :param notes: whom it goes to now, and what it says to each of alerts that are held back.
    :return: for each of these why they got nothing, ``None`` if they got it.
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
                reason = _logged(hook, recipient, error)
                if not isinstance(error, _OF_ITS_MESSAGE):
                    break
        return reason

    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="whatsapp-alert") as pool:
        return dict(zip(notes, pool.map(send, notes), strict=True))


async def asend_to_all(
    hook: ItnioHook, alert: RenderedAlert, notes: Mapping[str, str]
) -> dict[str, str | None]:
    """Send an alert as :func:`send_to_all` does, without blocking the event loop."""
    account = await hook.aaccount()
    windows = await aopen_windows(hook, alert, account, notes)
    at_a_time = asyncio.Semaphore(_AT_A_TIME)

    async def send(recipient: str) -> str | None:
        reason = alert.problem
        async with at_a_time:
            for message in alert.messages(account, is_window_open=windows.get(recipient)):
                try:
                    if (fields := message(reason, notes[recipient])) is not None:
                        await hook.asend(recipient, **fields)
                        return None
                except Exception as error:
                    reason = _logged(hook, recipient, error)
                    if not isinstance(error, _OF_ITS_MESSAGE):
                        break
        return reason

    async with hook:
        return dict(zip(notes, await asyncio.gather(*map(send, notes)), strict=True))


def raise_failures(alert: RenderedAlert, outcomes: Mapping[str, str | None]) -> None:
    """Raise if somebody did not get the alert.

    :raises ItnioError: with the reason of each failure.
    """
    failures = [*alert.unusable, *(failure for failure in outcomes.values() if failure is not None)]
    why = f": {'; '.join(failures)}" if failures else ""
    if not alert.recipients:
        raise ItnioError(f"The WhatsApp alert was sent to nobody: recipients gave no phone number{why}")
    if failures:
        everyone = len(alert.recipients) + len(alert.unusable)
        raise ItnioError(f"The WhatsApp alert was not sent to {len(failures)} of {everyone} recipients{why}")


def _logged(hook: ItnioHook, recipient: str, error: Exception) -> str:
    described = describe_error(error)
    with suppress(Exception):  # a line that can't be written must keep nobody from getting the alert
        hook.log.error("WhatsApp alert to %s: %s", mask_phone(recipient), described)
    return described
