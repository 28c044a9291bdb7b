"""Links signed by Google's and Azure's filesystems, without their servers."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from airflow_provider_itnio.api.describe import describe_address
from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.links import is_signed, signatures_in
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.models.media_in_message import media_in
from airflow_provider_itnio.object_files import _sign, storage_errors
from tests.tables import for_each


@pytest.fixture
def google():
    """Google's filesystem, with a made-up key of a service account."""
    import gcsfs
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "tests@tests.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": key.decode(),
        "project_id": "tests",
    }
    return gcsfs.GCSFileSystem(project="tests", token=json.loads(json.dumps(account)))


@pytest.fixture
def azure():
    """Azure's filesystem, with a made-up account key."""
    import adlfs

    return adlfs.AzureBlobFileSystem(account_name="tests", account_key=base64.b64encode(b"key" * 20).decode())


@for_each(
    ("name", "host", "secret", "told"),
    [
        ("google", "storage.googleapis.com", "Signature", "response-content-type"),
        ("azure", "tests.blob.core.windows.net", "sig", "rsct"),
    ],
)
def test_signed_links_name_the_media_type_and_their_signature_is_recognised(
    name, host, secret, told, request
):
    filesystem = request.getfixturevalue(name)
    media = media_in(message_from({"document": {"object": "x://reports/a.pdf"}}))
    link = _sign(media, filesystem, "reports/a.pdf", 600, "application/pdf")
    parts = urlsplit(link)
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.hostname) == ("https", host)
    assert parts.path.endswith("/reports/a.pdf")
    assert query[told] == ["application/pdf"]
    assert is_signed(link)
    assert query[secret][0] in {unquote(one) for one in signatures_in(link)}
    message_from({"document": link})


@for_each(
    ("address", "error", "words"),
    [
        ("s3://b/a.pdf", ValueError("x"), "pip install 'apache-airflow-providers-amazon.s3fs.'"),
        ("gs://c@b/a.pdf", ImportError("x"), "pip install 'apache-airflow-providers-google'"),
        ("wasb://b/a.pdf", ValueError("x"), "pip install 'apache-airflow-providers-microsoft-azure'"),
        ("abfss://b/a.pdf", ValueError("x"), "pip install 'apache-airflow-providers-microsoft-azure'"),
        ("odd://b/a.pdf", ValueError("x"), "Its scheme needs the Airflow provider of that storage$"),
        ("s3://c@b/a.pdf", PermissionError("x"), "or the connection in its address may not read it"),
        ("s3://b/a@b.pdf", PermissionError("x"), r"or the worker itself \(no connection is named before"),
    ],
)
def test_a_storage_error_says_what_to_do_for_this_storage(address, error, words):
    where = f"document.object: {describe_address(address)}"
    with pytest.raises(ConfigurationError, match=words), storage_errors(where):
        raise error
