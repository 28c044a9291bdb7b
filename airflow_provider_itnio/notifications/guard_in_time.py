"""The guard's decision, or none if it takes too long: Airflow gives callbacks 20 or 50 seconds."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from airflow_provider_itnio.notifications.alert_state import give_up
from airflow_provider_itnio.notifications.guard import Admission

__all__ = ["aadmit_in_time", "admit_in_time"]

_LOG = logging.getLogger(f"airflow.task.{__name__}")
_SECONDS: Final = 5.0


def admit_in_time(
    admit: Callable[[], dict[str, Admission]], recipients: Sequence[str]
) -> dict[str, Admission]:
    """Decide to whom an alert goes out now; to everyone if Airflow has not answered in five seconds.

    :param admit: decides.
    :param recipients: to whom it goes out otherwise.
    """
    decided: list[dict[str, Admission]] = []
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: decided.append(context.run(admit)), name="whatsapp-alert-guard", daemon=True
    )
    thread.start()
    thread.join(_SECONDS)
    return decided[0] if decided else _everyone(recipients)


async def aadmit_in_time(
    admit: Callable[[], dict[str, Admission]], recipients: Sequence[str]
) -> dict[str, Admission]:
    """Decide as :func:`admit_in_time` does, without blocking the event loop.

    :param admit: decides.
    :param recipients: to whom it goes out otherwise.
    """
    from asgiref.sync import sync_to_async  # Airflow's calls of a triggerer work in its threads alone

    task = asyncio.ensure_future(sync_to_async(admit)())
    done, _ = await asyncio.wait({task}, timeout=_SECONDS)
    return task.result() if done else _everyone(recipients)


def _everyone(recipients: Sequence[str]) -> dict[str, Admission]:
    give_up()
    _LOG.warning("Airflow takes over %.0f s to say what is held back, so the alert goes out", _SECONDS)
    return {number: Admission() for number in recipients}
