"""Adding the connection as in the guide leaves no secret in Airflow's audit log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

GUIDE = Path(__file__).parents[2] / "docs" / "connection.md"
LOOK = """
from airflow.models import Connection, Log
from airflow.utils.session import create_session

with create_session() as session:
    found = session.query(Connection).filter(Connection.conn_id == "itnio_default").one()
    assert (found.login, found.password) == ("YOUR-API-KEY", "YOUR-SECRET")
    for kept in session.query(Log):
        print("AUDIT", kept.event, kept.extra)
    session.delete(found)
"""


def test_adding_the_guides_connection_leaves_no_key_in_the_audit_log(airflow, tmp_path):
    guide = GUIDE.read_text()
    (typed,) = re.findall(r"```bash\n([^`]*airflow connections import.*?)```", guide, re.DOTALL)
    assert "YOUR-" not in typed  # a shell keeps a history
    (written,) = re.findall(r"```json\n(.*?)\n```\n", guide, re.DOTALL)
    file = tmp_path / "itnio.json"
    file.write_text(written)
    imported = airflow("connections", "import", str(file))
    assert imported.returncode == 0, imported.stderr
    looked = airflow(program=LOOK)
    assert looked.returncode == 0, looked.stderr
    audit = [line for line in looked.stdout.splitlines() if line.startswith("AUDIT ")]
    assert any("cli_connections_import" in line for line in audit)
    assert not any("YOUR-" in line for line in audit)
