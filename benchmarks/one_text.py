"""One text checked, built, signed and serialised, beside ``json.dumps`` and ``md5`` without any check.

    python -m benchmarks.one_text

Nothing is sent, and no Airflow takes part.
"""

from __future__ import annotations

import statistics
from dataclasses import replace

from benchmarks.by_hand import (
    API_KEY,
    APP_ID,
    BUSINESS_PHONE,
    RECIPIENT,
    SECRET,
    TEXT,
    body_by_hand,
    headers_by_hand,
)
from benchmarks.side_by_side import Figure, cpu_in_turns, figure, main

BLOCKS = 200
CALLS = 500
AT_MOST = 15.0


def measure() -> list[Figure]:
    """Make the whole request of one text again and again."""
    from airflow_provider_itnio.api.exchange import Exchange
    from airflow_provider_itnio.api.models import message_from
    from airflow_provider_itnio.api.signing import Credentials

    exchange = Exchange(Credentials(API_KEY, SECRET))

    def by_package() -> tuple[bytes | None, dict[str, str]]:
        request = exchange.message_request(
            message_from({"text": TEXT}), recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE
        )
        return request.body, exchange.signed_headers()

    def by_hand() -> tuple[bytes, dict[str, str]]:
        return body_by_hand(), headers_by_hand()

    assert by_package()[0] == by_hand()[0], "both must make the same bytes"
    costs = cpu_in_turns({"package": by_package, "by hand": by_hand}, blocks=BLOCKS, calls=CALLS)
    beside = figure(
        ("one text checked, built, signed, serialised", costs["package"]),
        ("json.dumps and md5, nothing checked", costs["by hand"]),
        unit="µs",
    )
    met = statistics.median(costs["package"]) <= AT_MOST
    return [replace(beside, target=f"at most {AT_MOST:.0f} µs", met=met)]


if __name__ == "__main__":
    main(measure)
