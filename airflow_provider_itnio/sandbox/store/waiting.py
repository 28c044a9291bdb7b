"""Waiting until a number of messages came."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_itnio.sandbox.api_models import WaitAsked
from airflow_provider_itnio.sandbox.phone_numbers import shortened
from airflow_provider_itnio.sandbox.store.entries import ReceivedMessage
from airflow_provider_itnio.sandbox.store.store import Store

SHOWN_OF_EACH = 10


def wait_for(store: Store, asked: WaitAsked) -> list[ReceivedMessage]:
    """
    Wait until at least that many messages are kept, and give all such messages.

    :raises TimeoutError: if fewer came; it says what came instead
    """
    with store.changed:
        if not have_come(store, asked, asked.timeout):
            raise not_come(store, asked)
        return _found(store, asked)


def have_come(store: Store, asked: WaitAsked, seconds: float) -> bool:
    """Wait until at least that many messages are kept, or some time has passed."""
    if asked.n > store.keep:
        raise ValueError(f"waiting for {asked.n} messages, but the sandbox keeps {store.keep}")
    with store.changed:
        return store.changed.wait_for(
            lambda: len(store.kinds["message"]) >= asked.n <= len(_found(store, asked)), seconds
        )


def _found(store: Store, asked: WaitAsked) -> list[ReceivedMessage]:
    recipient, status = asked.recipient, asked.status
    return [
        one
        for one in store.messages
        if recipient in (None, one.recipient)
        and (status is None or any(reached.status == status for reached in one.statuses))
    ]


def not_come(store: Store, asked: WaitAsked) -> TimeoutError:
    """Return the error that says what came instead."""
    recipient, status = asked.recipient, asked.status
    with store.changed:
        came = len(_found(store, asked))
        messages = [
            f"{one.type} to {shortened(one.recipient)}: {one.text[:40]!r}"
            + (f" ({' '.join(filter(None, (one.status, one.failure)))})" if status else "")
            for one in store.messages
        ]
        refused = [f"{one.status} ({one.meaning}): {one.why}" for one in store.all("refused")]
    wanted = [f"to {shortened(recipient)}"] if recipient else []
    wanted += [f"with status {status}"] if status else []
    return TimeoutError(
        " ".join([f"{asked.n} accepted messages", *wanted])
        + f" were expected within {asked.timeout:g} s, {came} came"
        + "".join(_lines("accepted", messages))
        + "".join(_lines("refused with", refused))
    )


def _lines(what: str, came: list[str]) -> Iterator[str]:
    if len(came) > SHOWN_OF_EACH:
        yield f"\n  ... and {len(came) - SHOWN_OF_EACH} more {what.split(maxsplit=1)[0]} before these"
    yield from (f"\n  {what} {one}" for one in came[-SHOWN_OF_EACH:])
