"""Recipients for the tests of a broadcast's messages."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

AIRFLOW_2 = version("apache-airflow").startswith("2.")
LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
SAMPLES = Path(__file__).parent.parent / "samples"
BOTH = [
    {"phone": LI, "name": "Li", "items": ["tea", "rice"], "address": {"city": "Wuhan", "items": 7}},
    {"phone": ANA, "name": "Ana", "items": [], "address": {"city": "Recife", "items": 8}},
]


def texts(sandbox):
    return [sandbox.sent_to(number)[0].text for number in (LI, ANA)]
