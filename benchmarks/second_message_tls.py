"""The second message of a process over TLS, from a new hook, against a new Slack hook.

python -m benchmarks.second_message_tls
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from benchmarks.by_hand import RECIPIENT, TEXT, body_by_hand, connection_to, headers_by_hand
from benchmarks.local_server import LocalServer, trusted_certificate
from benchmarks.side_by_side import Figure, airflow_of_its_own, cpu_in_turns, figure, main

BLOCKS = 40
CALLS = 5


def measure() -> list[Figure]:
    """Send each message from a new hook, as every operator and notifier does."""
    airflow_of_its_own()
    with (
        tempfile.TemporaryDirectory(prefix="itnio-benchmark-tls-") as folder,
        LocalServer(trusted_certificate(Path(folder))) as server,
    ):
        return _measure(server.url)


def _measure(url: str) -> list[Figure]:
    os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = connection_to(url)
    os.environ["AIRFLOW_CONN_SLACK_API_DEFAULT"] = json.dumps(
        {"conn_type": "slack", "password": "xoxb-benchmark", "extra": {"base_url": f"{url}/api/"}}
    )

    import requests
    from airflow.providers.slack.hooks.slack import SlackHook

    from airflow_provider_itnio.hooks.itnio import ItnioHook

    def new_hook() -> None:
        ItnioHook().send(RECIPIENT, text=TEXT)

    def new_hook_new_socket() -> None:
        hook = ItnioHook()
        hook.get_conn().close()
        hook.send(RECIPIENT, text=TEXT)

    def new_slack_hook() -> None:
        SlackHook().call("chat.postMessage", json={"channel": "#finance", "text": TEXT})

    def new_session() -> None:
        with requests.Session() as session:
            response = session.post(
                f"{url}/wa/custom/sendMsg", data=body_by_hand(), headers=headers_by_hand(), timeout=30
            )
            response.raise_for_status()
            assert response.json()["status"] == "0"

    costs = cpu_in_turns(
        {
            "hook": new_hook,
            "slack": new_slack_hook,
            "hook, new socket": new_hook_new_socket,
            "session": new_session,
        },
        blocks=BLOCKS,
        calls=CALLS,
    )
    in_ms = {name: [cost / 1000 for cost in turns] for name, turns in costs.items()}
    slack = ("SlackHook, new", in_ms["slack"])
    session = ("requests.Session, new, signed by hand", in_ms["session"])
    return [
        figure(("second message over TLS, new hook", in_ms["hook"]), slack, unit="ms", at_most=0.10),
        figure(("the same", in_ms["hook"]), session, unit="ms"),
        figure(("the same after its socket was closed", in_ms["hook, new socket"]), slack, unit="ms"),
    ]


if __name__ == "__main__":
    main(measure)
