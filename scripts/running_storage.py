"""Run a local S3 and provide a SQLite database for the report example."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import boto3
from moto.server import ThreadedMotoServer

_BUCKET: Final = "reports"
_KEYS: Final = ("demo-access-key", "demo-secret-key")


class RunningStorage:
    """Runs a local S3 until the end of the block, with an empty bucket ``reports``.

    :param home: the folder of the database.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs whole links
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> Self:
        """Start it, and return when it answers."""
        self._server.start()
        host, port = self._server.get_host_and_port()
        self._url = f"http://{host}:{port}"
        key, secret = _KEYS
        boto3.client(
            "s3",
            endpoint_url=self._url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        ).create_bucket(Bucket=_BUCKET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._server.stop()

    @property
    def connections(self) -> dict[str, str]:
        """The connections ``storage`` and ``warehouse`` as environment variables."""
        extra = {
            "endpoint_url": self._url,
            "region_name": "us-east-1",
            "config_kwargs": {"signature_version": "s3v4"},
        }
        key, secret = _KEYS
        storage = {"conn_type": "aws", "login": key, "password": secret, "extra": extra}
        warehouse = {"conn_type": "sqlite", "host": str(self._home / "warehouse.db")}
        return {
            "AIRFLOW_CONN_STORAGE": json.dumps(storage),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse),
        }
