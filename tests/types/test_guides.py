"""The Python blocks of the guides pass mypy."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from tests.test_docs import ALL_BLOCKS, ROOT, write

AS_IN_A_GUIDE = (
    "# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators, "
    "allow-any-generics"
)


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="types are checked against Airflow 3")
def test_every_block_passes_mypy(tmp_path: Path) -> None:
    """Checks what importing a block does not run: names and arguments inside functions."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    # Options are in the file, so that mypy can reuse its cache of Airflow.
    files = write(tmp_path, {name: AS_IN_A_GUIDE + block for name, block in ALL_BLOCKS.items()})
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", *files.values()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = checked.stdout + checked.stderr
    for name, file in files.items():
        said = re.sub(rf"^\S*{re.escape(file.name)}", name.partition(":")[0], said, flags=re.M)
    assert not said.strip(), said
