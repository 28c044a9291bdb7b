"""The memory of a message for each row of a query, for 1,000 and for 100,000 rows.

python -m benchmarks.sql_memory
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks.broadcasting import numbers
from benchmarks.local_server import LocalServer
from benchmarks.side_by_side import Figure, airflow_of_its_own, in_new_process, main

FEW, MANY = 1_000, 100_000
MOST = 20.0
"""MiB for ``MANY`` rows, in addition to Airflow and the code."""

# The first measurement is after a small run has loaded all code; then the kernel's peak is reset.
_PROGRAM = """
import gc, json, logging, os, sys
from pathlib import Path
from benchmarks.by_hand import API_KEY, APP_ID, BUSINESS_PHONE, SECRET
logging.disable(logging.WARNING)
url, database, count = sys.argv[1:4]
extra = {"app_id": APP_ID, "business_phone": BUSINESS_PHONE}
account = {"conn_type": "itnio", "login": API_KEY, "password": SECRET, "host": url, "extra": extra}
os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = json.dumps(account)
os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": database})
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
def kib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
def send(count):
    operator = SqlToWhatsAppOperator(
        task_id="report",
        sql=f"SELECT * FROM customers LIMIT {count}",
        sql_conn_id="warehouse",
        recipient_column="phone",
        text="Dear {{ row.name }}, your balance is {{ row.balance }}.",
        messages_per_second=None,
        max_in_flight=128,
    )
    return operator.execute({})
send(500)
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = kib("VmRSS")
assert send(int(count))["accepted"] == int(count)
print(json.dumps([(kib("VmHWM") - before) / 1024]))
"""


def measure() -> list[Figure]:
    """Send in separate processes."""
    airflow_of_its_own()
    with LocalServer() as server, tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "warehouse.db")
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TABLE customers (phone, name, balance, address)")
            rows = ((number, f"Customer {n}", n / 4, "x" * 80) for n, number in enumerate(numbers(MANY)))
            connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows)
        few, many = (
            in_new_process(_PROGRAM, server.url, str(database), str(count))[0] for count in (FEW, MANY)
        )
    figure = Figure(
        "memory, a message for each of 100,000 rows, peak",
        f"+{many:.1f} MiB",
        "1,000 rows",
        f"+{few:.1f} MiB",
        target=f"at most +{MOST:.0f} MiB",
        met=many <= MOST,
    )
    return [figure]


if __name__ == "__main__":
    main(measure)
