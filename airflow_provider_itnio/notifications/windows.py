"""Whom a text reaches now: asked for all recipients of an alert at once, and for three seconds at most."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.time_limit import within
from airflow_provider_itnio.notifications.rendering import describe_error

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receiver import ReceiverProtocol
    from airflow_provider_itnio.api.settings import ClientSettings
    from airflow_provider_itnio.hooks._account import Account
    from airflow_provider_itnio.hooks.itnio import ItnioHook
    from airflow_provider_itnio.notifications.rendering import RenderedAlert

_Question: TypeAlias = Coroutine[Any, Any, Mapping[str, bool]]
_SECONDS: Final = 3.0
"""How long an alert is held up at most."""

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")


def open_windows(
    hook: ItnioHook, alert: RenderedAlert, account: Account, recipients: Iterable[str]
) -> Mapping[str, bool]:
    """Ask the receiver whose 24-hour windows are open. This never raises.

    :param hook: whose connection names the receiver.
    :param alert: the alert.
    :param account: what the connection says.
    :param recipients: their numbers, as digits.
    :return: by number. ``False`` for all if the receiver does not say; empty if it is not asked, since none
        is configured or the alert has no WhatsApp template beside another message.
    """
    numbers = list(recipients)
    try:
        if (question := _question(hook, alert, account, numbers)) is None:
            return {}
        # An event loop may run here already, and the look-up of a name can't be ended.
        return _told(hook, numbers, within(_SECONDS, lambda: asyncio.run(question)))
    except Exception as error:
        return _told(hook, numbers, error)


async def aopen_windows(
    hook: ItnioHook, alert: RenderedAlert, account: Account, recipients: Iterable[str]
) -> Mapping[str, bool]:
    """Ask the receiver as :func:`open_windows` does, without blocking the event loop."""
    numbers = list(recipients)
    try:
        if (question := _question(hook, alert, account, numbers)) is None:
            return {}
        task = asyncio.ensure_future(question)
        done, _ = await asyncio.wait({task}, timeout=_SECONDS)
        if done:
            return _told(hook, numbers, task.result())
        task.cancel()
        return _told(hook, numbers, TimeoutError(_TOO_LATE))
    except Exception as error:
        return _told(hook, numbers, error)


_TOO_LATE: Final = f"no answer within {_SECONDS:.0f} s"


def _question(
    hook: ItnioHook, alert: RenderedAlert, account: Account, numbers: list[str]
) -> _Question | None:
    if not (numbers and account.receiver_url and alert.chooses_by_window(account)):
        return None
    from airflow_provider_itnio.hooks._account import business_phone_of

    protocol, settings = hook.way_to_receiver(account)  # it may call Airflow, which only this thread may do
    return _open_by_number(
        protocol,
        replace(settings, timeout=_SECONDS, connect_timeout=_SECONDS, max_attempts=1),
        numbers,
        business_phone_of(account, hook.business_phone),
    )


async def _open_by_number(
    protocol: ReceiverProtocol, settings: ClientSettings, numbers: list[str], business_phone: str | None
) -> Mapping[str, bool]:
    from airflow_provider_itnio.api.async_client import AsyncClient
    from airflow_provider_itnio.api.receiver import windows_of

    async with AsyncClient(protocol, settings) as client:
        windows = await windows_of(client.perform, numbers, business_phone)
        return {number: one.is_open for number, one in windows.items()}


def _told(hook: ItnioHook, numbers: list[str], answer: Mapping[str, bool] | Exception) -> Mapping[str, bool]:
    if isinstance(answer, Exception):
        _LOG.warning(
            "The receiver did not say whose 24-hour window is open, so the alert goes out as a "
            "WhatsApp template: %s",
            describe_error(answer),
        )
        return dict.fromkeys(numbers, False)
    _LOG.info(
        "The receiver says that a text reaches %d of %d recipients now; the others get the WhatsApp template",
        sum(answer.values()),
        len(answer),
    )
    hook.note_windows(answer)
    return answer
