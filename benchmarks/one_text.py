"""One text checked, built, signed and serialised, against ``json.dumps`` and ``md5`` without any check.

    python -m benchmarks.one_text

Nothing is sent, and Airflow is not used.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
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
IN_A_BROADCAST = 5.0


def measure() -> list[Figure]:
    """Build the whole request of one text repeatedly."""
    from airflow_provider_itnio.api.models import message_from
    from airflow_provider_itnio.api.protocol import Protocol
    from airflow_provider_itnio.api.signing import Credentials

    exchange = Protocol(Credentials(API_KEY, SECRET))

    def by_package() -> tuple[bytes | None, dict[str, str]]:
        request = exchange.message_request(
            message_from({"text": TEXT}), recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE
        )
        return request.body, exchange.signed_headers()

    def by_hand() -> tuple[bytes, dict[str, str]]:
        return body_by_hand(), headers_by_hand()

    fixed_fields = message_from({"text": TEXT})

    def in_a_broadcast() -> tuple[bytes | None, dict[str, str]]:
        request = exchange.message_request(
            fixed_fields, recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE
        )
        return request.body, exchange.signed_headers()

    assert by_package()[0] == in_a_broadcast()[0] == by_hand()[0], "all must make the same bytes"
    ways = {"package": by_package, "broadcast": in_a_broadcast, "by hand": by_hand}
    costs = cpu_in_turns(ways, blocks=BLOCKS, calls=CALLS)
    against = ("json.dumps and md5, nothing checked", costs["by hand"])
    return [
        _within(("one text checked, built, signed, serialised", costs["package"]), against, AT_MOST),
        _within(("the same in a broadcast, checked once", costs["broadcast"]), against, IN_A_BROADCAST),
    ]


def _within(
    what: tuple[str, Sequence[float]], against: tuple[str, Sequence[float]], at_most: float
) -> Figure:
    result = figure(what, against, unit="µs")
    return replace(result, target=f"at most {at_most:.0f} µs", met=statistics.median(what[1]) <= at_most)


if __name__ == "__main__":
    main(measure)
