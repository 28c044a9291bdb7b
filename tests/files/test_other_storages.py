"""Google's and Azure's own ``sign``, what in their links is secret, and errors by scheme. Their servers can't be had here."""

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
from airflow_provider_itnio.object_files import _signed, storage_errors


@pytest.fixture
def google():
    """Google's filesystem, with the key of a service account that nobody has."""
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
    """Azure's filesystem, with an account key that nobody has."""
    import adlfs

    return adlfs.AzureBlobFileSystem(account_name="tests", account_key=base64.b64encode(b"key" * 20).decode())


@pytest.mark.parametrize(
    ("name", "host", "secret", "told"),
    [
        ("google", "storage.googleapis.com", "Signature", "response-content-type"),
        ("azure", "tests.blob.core.windows.net", "sig", "rsct"),
    ],
)
def test_its_links_are_signed_and_say_what_the_file_is(name, host, secret, told, request):
    filesystem = request.getfixturevalue(name)
    media = media_in(message_from({"document": {"object": "x://reports/a.pdf"}}))
    link = _signed(media, filesystem, "reports/a.pdf", 600, "application/pdf")
    parts = urlsplit(link)
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.hostname) == ("https", host)
    assert parts.path.endswith("/reports/a.pdf")
    assert query[told] == ["application/pdf"]
    assert is_signed(link)
    assert query[secret][0] in {unquote(one) for one in signatures_in(link)}
    message_from({"document": link})


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("file:///tmp/report.pdf", InvalidMessageError, "gives no links that expire. Write the file to S3"),
        ("gs://reports/report.pdf", ConfigurationError, "needs the Airflow provider of that storage"),
        ("nowhere://reports/report.pdf", ConfigurationError, "needs the Airflow provider of that storage"),
        ("s3://anonymous@reports/report.pdf", ConfigurationError, "has no credentials"),
        ("s3://away@reports/report.pdf", NotSentError, "could not be read, nothing was sent"),
    ],
)
def test_a_storage_that_cannot_be_used(
    address, error, words, storage, sandbox, monkeypatch, closed_port, tmp_path
):
    storage.put("report.pdf", ACL="public-read")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AIRFLOW_CONN_ANONYMOUS", storage.connection(login=None, password=None))
    away = {"endpoint_url": f"http://127.0.0.1:{closed_port}", "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", storage.connection(extra=away))
    with pytest.raises(error, match=words):
        ItnioHook().send(NUMBER, document={"object": address, "filename": "report.pdf"})
    assert sandbox.requests == []


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
@pytest.mark.parametrize("way", ["operator", "broadcast", "hook", "hook in a loop"])
def test_a_connection_that_there_is_not_is_an_error(way, scheme, sandbox, monkeypatch):
    """Amazon's provider would go on with the credentials of the worker."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWORKER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the worker")
    address = f"{scheme}://nope@reports/report.pdf"
    with pytest.raises((ConfigurationError, AirflowFailException)) as caught:
        sent_by(way, {"document": {"object": address}})
    assert f"'{address}' can't be opened: there is no Airflow connection of the name before the @" in str(
        caught.value
    )
    assert sandbox.requests == []


def test_an_error_shows_the_connection_and_no_password():
    with pytest.raises(ConfigurationError, match=r"'s3://…@reports/a\.pdf' can't be opened") as caught:
        ItnioHook().send(NUMBER, document={"object": "s3://AKIA:hunter2@reports/a.pdf?sig=5ecret"})
    assert "hunter2" not in str(caught.value)
    assert "5ecret" not in str(caught.value)


def test_an_error_of_storage_shows_nothing_that_airflow_masks():
    mask_secret("c2VjcmV0a2V5")
    with (
        pytest.raises(NotSentError, match="AccountName=a;AccountKey=") as caught,
        storage_errors("x"),
    ):
        raise RuntimeError("AccountName=a;AccountKey=c2VjcmV0a2V5")
    assert "c2VjcmV0a2V5" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"object": "report.pdf"}, "document.object: must be the address of a file in object storage"),
        ({"object": "https://a.example/a.pdf"}, "give a web address as link"),
        (
            {"object": "s3://bucket/folder/"},
            "document.object: must be the address of a file, not of a folder",
        ),
        ({"object": "s3://bucket/a.pdf", "link": "https://a.example/a.pdf"}, "link or object, not both"),
        ({"object": 5}, "document.object: must be the address of a file in object storage"),
        *(
            ({"object": blank}, "document: must have a link or an object; the object given is blank")
            for blank in (None, "", " ")
        ),
    ],
)
def test_mistakes_in_a_dag_file_are_import_errors(fields, words):
    with pytest.raises(InvalidMessageError, match=words):
        WhatsAppSendOperator(task_id="tell", recipient=NUMBER, document=fields)


@pytest.mark.parametrize(
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
def test_an_error_of_storage_says_what_to_do_for_that_storage(address, error, words):
    where = f"document.object: {describe_address(address)}"
    with pytest.raises(ConfigurationError, match=words), storage_errors(where):
        raise error
