"""The cost of `airflow version` with and without the package: Airflow loads its policy at each start.

    python -m benchmarks.start_up

Each run is a new process, alternating between both. Without the package, Airflow can't discover any of it.
"""

from __future__ import annotations

import os
from typing import Final

from benchmarks.side_by_side import Figure, airflow_of_its_own, figure, in_new_process, main

ROUNDS = 12

_WITHOUT: Final = """
from importlib import metadata
import importlib_metadata
for module in (metadata, importlib_metadata):
    module.distributions = lambda found=module.distributions, **named: (
        one for one in found(**named) if one.metadata["Name"] != {!r}
    )
"""
"""Hides a distribution. Both ways run it, since it costs more than the difference to measure."""
_VERSION: Final = """
import json, sys, time
sys.argv = ["airflow", "version"]
from airflow.__main__ import main
main()
loaded = sorted(name for name in sys.modules if name.startswith("airflow_provider_itnio"))
print(json.dumps({"cpu": time.process_time() * 1000, "loaded": loaded}))
"""


def measure() -> list[Figure]:
    """Run both alternately."""
    airflow_of_its_own()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    in_new_process(_VERSION)  # compile everything before the measurement
    with_package, without_package = [], []
    for _ in range(ROUNDS):
        with_package.append(in_new_process(_WITHOUT.format("") + _VERSION))
        without_package.append(in_new_process(_WITHOUT.format("airflow-provider-itnio") + _VERSION))
    loaded, hidden = (", ".join(runs[0]["loaded"]) or "none" for runs in (with_package, without_package))
    return [
        figure(
            ("`airflow version` with the package", [run["cpu"] for run in with_package]),
            ("without it", [run["cpu"] for run in without_package]),
            unit="ms",
            at_most=1.02,
        ),
        Figure("modules of the package it loads", loaded, "without it", hidden),
    ]


if __name__ == "__main__":
    main(measure)
