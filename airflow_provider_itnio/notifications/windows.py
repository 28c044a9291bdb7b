"""Asks the receiver whose 24-hour windows are open, for all recipients of an alert at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.time_limit import run_with_timeout
from airflow_provider_itnio.notifications.rendering import describe_error

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receiver import ReceiverProtocol
    from airflow_provider_itnio.api.settings import ClientSettings
    from airflow_provider_itnio.hooks._account import Account
    from airflow_provider_itnio.hooks.itnio import ItnioHook
    from airflow_provider_itnio.notifications.rendering import RenderedAlert

_WindowRequest: TypeAlias = Coroutine[Any, Any, Mapping[str, bool]]
_TIMEOUT: Final = 3.0
"""How long an alert waits for the receiver."""

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")


def open_windows(
    hook: ItnioHook, alert: RenderedAlert, account: Account, recipients: Iterable[str]
) -> Mapping[str, bool]:
    """Ask the receiver whose 24-hour windows are open, for three seconds at most. This never raises.

    :param hook: the hook that asks the receiver.
    :param alert: the alert.
    :param account: the connection's account.
    :param recipients: the phone numbers, digits only.
    :return: by number. ``False`` for all if the receiver does not answer; empty if it is not asked, because
        none is configured or the alert has no WhatsApp template besides another message.
    """
    numbers = list(recipients)
    try:
        if (request := _window_request(hook, alert, account, numbers)) is None:
            return {}
        # In a thread: an event loop may run here already, and a DNS lookup can't be cancelled.
        return _use_answer(hook, numbers, run_with_timeout(_TIMEOUT, lambda: asyncio.run(request)))
    except Exception as error:
        return _use_answer(hook, numbers, error)


async def aopen_windows(
    hook: ItnioHook, alert: RenderedAlert, account: Account, recipients: Iterable[str]
) -> Mapping[str, bool]:
    """Ask the receiver as :func:`open_windows` does, without blocking the event loop."""
    numbers = list(recipients)
    try:
        if (request := _window_request(hook, alert, account, numbers)) is None:
            return {}
        task = asyncio.ensure_future(request)
        done, _ = await asyncio.wait({task}, timeout=_TIMEOUT)
        if done:
            return _use_answer(hook, numbers, task.result())
        task.cancel()
        return _use_answer(hook, numbers, TimeoutError(_TIMEOUT_TEXT))
    except Exception as error:
        return _use_answer(hook, numbers, error)


_TIMEOUT_TEXT: Final = f"no answer within {_TIMEOUT:.0f} s"


def _window_request(
    hook: ItnioHook, alert: RenderedAlert, account: Account, numbers: list[str]
) -> _WindowRequest | None:
    if not (numbers and account.receiver_url and alert.chooses_by_window(account)):
        return None
    from airflow_provider_itnio.hooks._account import business_phone_of

    protocol, settings = hook.receiver_client_args(account)  # may call Airflow, so it must run in this thread
    return _request_windows(
        protocol,
        replace(settings, timeout=_TIMEOUT, connect_timeout=_TIMEOUT, max_attempts=1),
        numbers,
        business_phone_of(account, hook.business_phone),
    )


async def _request_windows(
    protocol: ReceiverProtocol, settings: ClientSettings, numbers: list[str], business_phone: str | None
) -> Mapping[str, bool]:
    from airflow_provider_itnio.api.async_client import AsyncClient
    from airflow_provider_itnio.api.receiver import request_windows

    async with AsyncClient(protocol, settings) as client:
        windows = await request_windows(client.perform, numbers, business_phone)
        return {number: window.is_open for number, window in windows.items()}


def _use_answer(
    hook: ItnioHook, numbers: list[str], answer: Mapping[str, bool] | Exception
) -> Mapping[str, bool]:
    if isinstance(answer, Exception):
        _LOG.warning(
            "The receiver did not report the 24-hour windows, so the WhatsApp template is sent: %s",
            describe_error(answer),
        )
        return dict.fromkeys(numbers, False)
    _LOG.info(
        "The 24-hour window of %d of %d recipients is open; the others get the WhatsApp template",
        sum(answer.values()),
        len(answer),
    )
    hook.store_windows(answer)
    return answer
