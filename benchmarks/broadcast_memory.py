"""Memory of a broadcast in addition to its list of recipients, for 1,000 and for 100,000 recipients.

python -m benchmarks.broadcast_memory
"""

from __future__ import annotations

from benchmarks.local_server import LocalServer
from benchmarks.side_by_side import Figure, airflow_of_its_own, in_new_process, main

FEW, MANY = 1_000, 100_000

# The first measurement is after the list is created and a small broadcast has loaded all code; then the
# kernel's peak is reset.
_PROGRAM = """
import asyncio, gc, json, logging, sys
from pathlib import Path
from benchmarks.broadcasting import broadcast, numbers
logging.disable(logging.WARNING)
url, count, keep = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "keep"
def kib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
recipients = numbers(count)
asyncio.run(broadcast(url, numbers(500), 128))
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = kib("VmRSS")
sent = asyncio.run(broadcast(url, recipients, 128, keep_receipts=keep))
sending = kib("VmHWM") - before
sent.summary()
print(json.dumps([sending / 1024, (kib("VmHWM") - before) / 1024]))
"""


def measure() -> list[Figure]:
    """Broadcast in separate processes, with and without keeping the receipts."""
    airflow_of_its_own()
    with LocalServer() as server:
        streaming = [_memory_growth(server.url, count, "stream")[0] for count in (FEW, MANY)]
        keeping = [_memory_growth(server.url, count, "keep") for count in (FEW, MANY)]
    return [
        _figure("memory, 100,000 recipients, peak", streaming[0], streaming[1], at_most=5.0),
        _figure("the same, every receipt kept", keeping[0][0], keeping[1][0], at_most=30.0),
        _figure("the same, with the summary that holds them", keeping[0][1], keeping[1][1]),
    ]


def _memory_growth(url: str, count: int, mode: str) -> tuple[float, float]:
    """Return how much the peak grew while sending, and with the summary, in MiB."""
    sending, with_summary = in_new_process(_PROGRAM, url, str(count), mode)
    return sending, with_summary


def _figure(what: str, few: float, many: float, at_most: float | None = None) -> Figure:
    more = many - few
    return Figure(
        what,
        f"+{many:.1f} MiB",
        "1,000 recipients",
        f"+{few:.1f} MiB",
        target="" if at_most is None else f"at most +{at_most:.0f} MiB more",
        met=None if at_most is None else more <= at_most,
    )


if __name__ == "__main__":
    main(measure)
