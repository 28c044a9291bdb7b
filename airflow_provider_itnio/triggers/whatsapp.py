"""Waiting for what became of messages, in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_itnio.api.errors import ItnioError, ReceiverError
from airflow_provider_itnio.api.status_wait import StatusWait
from airflow_provider_itnio.hooks.itnio import ItnioHook

__all__ = ["WhatsAppStatusTrigger"]


class WhatsAppStatusTrigger(BaseTrigger):
    """Waits until messages have a status or have failed. It only asks the receiver, and never sends.

    It asks once in 25 seconds at most, for all of its messages together.

    :param message_ids: ids of messages, as receipts have them.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param ends_at: Unix time in seconds at which it ends in any case.
    :param itnio_conn_id: the connection that names the receiver.
    :param receipt: a receipt that the event gives back, if the task needs one to go on.
    """

    def __init__(
        self,
        message_ids: Sequence[str],
        until: str,
        ends_at: float,
        itnio_conn_id: str = "itnio_default",
        receipt: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.message_ids = list(message_ids)
        self.until = until
        self.ends_at = ends_at
        self.itnio_conn_id = itnio_conn_id
        self.receipt = receipt

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes it from."""
        names = ("message_ids", "until", "ends_at", "itnio_conn_id", "receipt")
        return f"{type(self).__module__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Give one event: ``receipt``, and ``statuses`` and ``problem`` as in :meth:`StatusWait.result`."""
        receipt = {"receipt": self.receipt}
        wait = StatusWait(self.message_ids, self.until, self.ends_at)
        hook = ItnioHook(self.itnio_conn_id)
        try:
            while True:
                try:
                    pause = wait.take(await hook.amessage_status(**wait.question()))
                except ReceiverError as error:
                    pause = wait.take(error)
                if pause is None:
                    break
                await asyncio.sleep(pause)
        except ItnioError as error:  # such as a connection that is gone
            yield TriggerEvent(wait.result() | receipt | {"problem": f"{type(error).__name__}: {error}"})
            return
        yield TriggerEvent(wait.result() | receipt)
