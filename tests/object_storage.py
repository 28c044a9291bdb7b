"""A separate S3 for the tests on a free port of this machine, with an Airflow connection."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager

BUCKET = "reports"
PDF = b"%PDF-1.7\n" + b"report " * 20
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(100)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(100)
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42" + bytes(100)
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(100)
MP3 = b"ID3\x03\x00" + bytes(100)
CREDENTIALS = {"aws_access_key_id": "AKIATESTS", "aws_secret_access_key": "tests-secret-key"}


class Storage:
    """A bucket for a test's objects."""

    def __init__(self, endpoint_url):
        import boto3  # not imported at the top: other tests don't need it

        self.endpoint_url = endpoint_url
        self.client = boto3.client("s3", endpoint_url=endpoint_url, region_name="us-east-1", **CREDENTIALS)
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, name, content=PDF, **options):
        """Write an object, and return its address."""
        self.client.put_object(Bucket=BUCKET, Key=name, Body=content, **options)
        return f"s3://storage@{BUCKET}/{name}"

    def connection(self, **changes):
        """Return the connection to it as a value for the environment."""
        return json.dumps(
            {
                "conn_type": "aws",
                "login": CREDENTIALS["aws_access_key_id"],
                "password": CREDENTIALS["aws_secret_access_key"],
                "extra": {
                    "endpoint_url": self.endpoint_url,
                    "region_name": "us-east-1",
                    # No timeout that a busy machine could exceed.
                    "config_kwargs": {
                        "signature_version": "s3v4",
                        "connect_timeout": 60,
                        "read_timeout": 60,
                    },
                },
                **changes,
            }
        )


@contextmanager
def running_storage():
    """Run it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # its log lines would contain whole links
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Storage(f"http://{host}:{port}")
    finally:
        server.stop()
