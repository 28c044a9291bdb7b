"""One text sent through ``ItnioHook``, against ``requests.Session`` posting the same signed body.

python -m benchmarks.one_send
"""

from __future__ import annotations

import os

from benchmarks.by_hand import (
    API_KEY,
    APP_ID,
    BUSINESS_PHONE,
    RECIPIENT,
    SECRET,
    TEXT,
    body_by_hand,
    connection_to,
    headers_by_hand,
)
from benchmarks.local_server import LocalServer
from benchmarks.side_by_side import Figure, airflow_of_its_own, cpu_in_turns, figure, main

BLOCKS = 100
CALLS = 40


def measure() -> list[Figure]:
    """Send with one hook, with a new hook each time, and by hand."""
    airflow_of_its_own()
    with LocalServer() as server:
        os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = connection_to(server.url)
        return _measure(server.url)


def _measure(url: str) -> list[Figure]:
    import requests

    from airflow_provider_itnio.hooks.itnio import ItnioHook

    assert _body_of_package() == body_by_hand(), "both must post the same bytes"
    kept_hook = ItnioHook()
    kept_session = requests.Session()

    def through_kept_hook() -> None:
        kept_hook.send(RECIPIENT, text=TEXT)

    def through_new_hook() -> None:
        ItnioHook().send(RECIPIENT, text=TEXT)

    def by_hand() -> None:
        response = kept_session.post(
            f"{url}/wa/custom/sendMsg", data=body_by_hand(), headers=headers_by_hand(), timeout=30
        )
        response.raise_for_status()
        assert response.json()["status"] == "0"

    costs = cpu_in_turns(
        {"kept": through_kept_hook, "by hand": by_hand, "new": through_new_hook}, blocks=BLOCKS, calls=CALLS
    )
    against = ("requests.Session, kept, signed by hand", costs["by hand"])
    return [
        figure(("one text, hook kept", costs["kept"]), against, unit="µs", at_most=1.00),
        figure(("one text, a new hook each", costs["new"]), against, unit="µs"),
    ]


def _body_of_package() -> bytes | None:
    from airflow_provider_itnio.api.models import message_from
    from airflow_provider_itnio.api.protocol import Protocol
    from airflow_provider_itnio.api.signing import Credentials

    return (
        Protocol(Credentials(API_KEY, SECRET))
        .message_request(
            message_from({"text": TEXT}), recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE
        )
        .body
    )


if __name__ == "__main__":
    main(measure)
