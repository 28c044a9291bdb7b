"""A separate PostgreSQL for the tests, on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


def _binary(name):
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    return found or pytest.skip(f"{name} of PostgreSQL is not installed")


def _as_other_user():
    """PostgreSQL does not run as root."""
    if os.getuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def running_postgres():
    """Start PostgreSQL and return the URL of an empty database; it stops after the block."""
    user = _as_other_user()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if user:
            os.chown(folder, user["user"], user["group"])
        data = Path(folder, "data")
        options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
        subprocess.check_call([_binary("initdb"), "-A", "trust", "-U", "tests", "-N", "-D", data], **options)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        pg_ctl = [_binary("pg_ctl"), "-D", data, "-w", "-l", data / "log"]
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        subprocess.check_call([*pg_ctl, "-o", settings, "start"], **options)
        try:
            yield f"postgresql+psycopg2://tests@127.0.0.1:{port}/postgres"
        finally:
            subprocess.check_call([*pg_ctl, "-m", "immediate", "stop"], **options)
