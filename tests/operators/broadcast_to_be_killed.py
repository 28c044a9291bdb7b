"""A broadcast in a process of its own, which a test kills in the middle of its work."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.task_runs import TaskStateStore, broadcast_run, numbers


class StoreInFile(TaskStateStore):
    """A task state store that outlives its process; a write takes as long as Airflow's own.

    :param path: the file; a write is whole or not there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(json.loads(path.read_text()) if path.exists() else None)
        self.path = path

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        time.sleep(0.014)
        super().set(key, value, retention=retention)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.kept))
        os.replace(new, self.path)


def main(path: str, options: str) -> None:
    given = json.loads(options)
    broadcast_run(numbers(given.pop("people")), store=StoreInFile(Path(path)), **given).once()


if __name__ == "__main__":
    main(*sys.argv[1:])
