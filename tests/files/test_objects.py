"""``object`` in place of ``link``: a file in object storage, checked, signed and sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    ObjectStoragePath,
    mask_secret,
    task,
)

from airflow_provider_itnio import object_files
from airflow_provider_itnio.api.errors import ConfigurationError, InvalidMessageError, NotSentError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.object_storage import JPEG, MP3, MP4, PDF, PNG, WEBP
from tests.tables import for_each
from tests.task_runs import TaskRun, TaskStateStore, broadcast_run, counts_of, fails_at_once

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection", "storage")


def sent_by(way, fields):
    """Send a message in one of the ways that the provider has."""
    if way == "operator":
        return TaskRun(lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields)).once()
    if way == "decorator":
        with DAG("report", schedule=None):
            decorate = task.whatsapp(task_id="tell", recipient=NUMBER)
            return TaskRun(lambda: decorate(lambda: fields)().operator).once()
    if way == "broadcast":
        return broadcast_run([NUMBER], text=None, **fields).once()
    if way == "notifier":
        return WhatsAppNotifier(recipients=NUMBER, **fields).notify({})
    if way == "hook":
        return ItnioHook().send(NUMBER, **fields)
    return asyncio.run(ItnioHook().asend(NUMBER, **fields))


def got(sandbox):
    """Fetch the file of the one message, as WhatsApp would."""
    (message,) = sandbox.messages
    source = message.body[message.type]
    if message.type == "template":
        source = next(iter(source["components"][0]["parameters"][0].values() - {"document"}), None)
    with urlopen(source["link"]) as answer:
        return source, answer.headers["Content-Type"], answer.read()


@for_each("way", ["operator", "decorator", "broadcast", "notifier", "hook", "hook in a loop"])
def test_each_way_to_send_replaces_the_object_with_a_link_to_its_content(way, storage, sandbox):
    address = storage.put("2026/Umsätze 1.pdf")
    sent_by(way, {"document": {"object": address, "caption": "July"}})
    source, media_type, content = got(sandbox)
    assert set(source) == {"link", "caption", "filename"}
    assert (source["filename"], source["caption"]) == ("Umsätze 1.pdf", "July")
    assert (media_type, content) == ("application/pdf", PDF)


@for_each(
    ("kind", "name", "content", "media_type"),
    [
        ("image", "a.png", PNG, "image/png"),
        ("image", "a.JPG", JPEG, "image/jpeg"),
        ("image", "no-ending", PNG, "image/png"),
        ("video", "a.mp4", MP4, "video/mp4"),
        ("audio", "a.mp3", MP3, "audio/mpeg"),
        ("audio", "a.mp3", MP4, "audio/mp4"),
        ("image", "a.jpg", PNG, "image/png"),
        ("sticker", "a.webp", WEBP, "image/webp"),
        ("document", "a.csv", b"a,b\n1,2\n", "text/csv"),
    ],
)
def test_each_media_type_can_be_sent_from_object_storage(kind, name, content, media_type, storage, sandbox):
    ItnioHook().send(NUMBER, **{kind: {"object": storage.put(name, content)}})
    assert got(sandbox)[1:] == (media_type, content)


def test_a_document_in_a_whatsapp_templates_header_can_be_in_object_storage(storage, sandbox):
    header = {"document": {"object": storage.put("report.pdf")}}
    ItnioHook().send(NUMBER, template=template_message("daily_report", "en", header=header))
    (message,) = sandbox.messages
    (component,) = message.body["template"]["components"]
    document = component["parameters"][0]["document"]
    assert (set(document), document["filename"]) == ({"link", "filename"}, "report.pdf")
    with urlopen(document["link"]) as answer:
        assert answer.read() == PDF


def test_an_upstream_task_may_return_an_object_storage_path(storage, sandbox):
    path = ObjectStoragePath(storage.put("report.pdf"))
    ItnioHook().send(NUMBER, document={"object": path})
    assert got(sandbox)[2] == PDF


def test_jinja_in_the_address_is_rendered(storage, sandbox):
    storage.put("report-7.pdf")
    make = lambda: WhatsAppSendOperator(  # noqa: E731
        task_id="tell",
        recipient=NUMBER,
        document={"object": "s3://storage@reports/report-{{ params.week }}.pdf", "filename": "Week.pdf"},
    )
    TaskRun(make, context={"params": {"week": 7}}).once()
    assert got(sandbox)[0]["filename"] == "Week.pdf"


def test_a_link_expires_after_link_expires_in(storage, sandbox):
    address = storage.put("report.pdf")
    for given in (timedelta(minutes=2), 120):
        make = lambda given=given: WhatsAppSendOperator(  # noqa: E731
            task_id="tell", recipient=NUMBER, document={"object": address}, link_expires_in=given
        )
        TaskRun(make).once()
    expiries = [
        parse_qs(urlsplit(message.body["document"]["link"]).query)["X-Amz-Expires"]
        for message in sandbox.messages
    ]
    assert expiries == [["120"], ["120"]]


@for_each("given", [59, 604_801, "an hour", None, float("nan")])
def test_an_invalid_link_expires_in_is_an_error_in_the_dag_file(given):
    with pytest.raises(ValueError, match="link_expires_in: must be a number from 60 to 604800"):
        WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="x", link_expires_in=given)


# --- nothing is sent --------------------------------------------------------------------------------------

REFUSED = [
    ("document", "absent.pdf", None, "does not exist"),
    ("document", "folder", None, "is a folder, not a file"),
    (
        "document",
        "a.pdf",
        b"<html>Log in</html>",
        "has the extension .pdf, but the type of its first bytes is unknown",
    ),
    ("document", "a.xlsx", PDF, "has the extension .xlsx, but its first bytes are those of application/pdf"),
    ("document", "a.csv", b"", "is empty"),
    ("sticker", "a.webp", WEBP + bytes(102_400), "bytes; WhatsApp accepts at most 102,400 for a sticker"),
    ("image", "a.png", PNG + bytes(5_242_880), "bytes; WhatsApp accepts at most 5,242,880 for an image"),
    (
        "image",
        "a.gif",
        b"GIF89a" + bytes(99),
        "must be a JPEG or PNG for an image; by its name it is image/gif",
    ),
    (
        "image",
        "a.png",
        PDF,
        "must be a JPEG or PNG for an image; its first bytes are those of application/pdf",
    ),
    ("video", "a.mp4", PNG, "must be an MP4 or 3GPP for a video; its first bytes are those of image/png"),
    ("audio", "a.mp3", b"no sound", "the type of its first bytes is unknown"),
]


@for_each(("kind", "name", "content", "words"), REFUSED)
def test_a_file_that_whatsapp_does_not_accept_is_refused(kind, name, content, words, storage, sandbox):
    storage.put("folder/a.pdf")
    storage.client.delete_object(Bucket="reports", Key=name)
    if content is not None:
        storage.put(name, content)
    fields = {kind: {"object": f"s3://storage@reports/{name}"}}
    run = TaskRun(lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields))
    refused = str(fails_at_once(run, InvalidMessageError))
    assert f"{kind}.object: 's3://storage@reports/{name}' " in refused
    assert words in refused
    with pytest.raises(AirflowFailException, match="InvalidMessageError"):
        broadcast_run([NUMBER], text=None, **fields).once()
    assert sandbox.requests == []


@for_each(
    ("address", "error", "words"),
    [
        ("file:///tmp/report.pdf", InvalidMessageError, "has no signed links. Write the file to S3"),
        ("gs://reports/report.pdf", ConfigurationError, "needs the Airflow provider of that storage"),
        ("nowhere://reports/report.pdf", ConfigurationError, "needs the Airflow provider of that storage"),
        ("s3://anonymous@reports/report.pdf", ConfigurationError, "has no credentials"),
        ("s3://away@reports/report.pdf", NotSentError, "could not be read, nothing was sent"),
    ],
)
def test_an_unusable_storage_is_an_error_and_nothing_is_sent(
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


@for_each("scheme", ["s3", "gs", "abfs"])
@for_each("way", ["operator", "broadcast", "hook", "hook in a loop"])
def test_a_missing_storage_connection_is_an_error(way, scheme, sandbox, monkeypatch):
    """Amazon's provider would continue with the worker's credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWORKER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the worker")
    address = f"{scheme}://nope@reports/report.pdf"
    with pytest.raises((NotSentError, AirflowException)) as caught:
        sent_by(way, {"document": {"object": address}})
    assert f"'{address}' can't be opened: there is no Airflow connection with the id before the @" in str(
        caught.value
    )
    assert sandbox.requests == []


def test_an_error_shows_the_connections_id_and_no_password():
    with pytest.raises(NotSentError, match=r"'s3://…@reports/a\.pdf' can't be opened") as caught:
        ItnioHook().send(NUMBER, document={"object": "s3://AKIA:hunter2@reports/a.pdf?sig=5ecret"})
    assert "hunter2" not in str(caught.value)
    assert "5ecret" not in str(caught.value)


def test_a_storage_error_shows_no_value_that_airflow_masks():
    mask_secret("c2VjcmV0a2V5")
    with (
        pytest.raises(NotSentError, match="AccountName=a;AccountKey=") as caught,
        object_files.storage_errors("x"),
    ):
        raise RuntimeError("AccountName=a;AccountKey=c2VjcmV0a2V5")
    assert "c2VjcmV0a2V5" not in str(caught.value)


@for_each(
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


# --- signatures -------------------------------------------------------------------------------------------


def test_a_retry_recognises_the_message_despite_a_new_signature(storage, sandbox):
    fields = {"document": {"object": storage.put("report.pdf")}}
    for make in (
        lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields),
        broadcast_run([NUMBER], text=None, **fields).make,
    ):
        sandbox.clear()
        run = TaskRun(make, store=TaskStateStore())
        run.once(ends="failing")
        storage.client.delete_object(Bucket="reports", Key="report.pdf")  # a retry does not need the file
        run.once()
        assert len(sandbox.messages) == 1
        storage.put("report.pdf")


def test_no_log_field_or_record_shows_a_signature(storage, sandbox, logged, caplog):
    caplog.set_level("INFO", "botocore")  # at DEBUG it logs its own signatures
    store = TaskStateStore()
    fields = {"document": {"object": storage.put("report.pdf")}}
    run = TaskRun(lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields), store=store)
    receipt = run.once()
    broadcast = broadcast_run([NUMBER], text=None, store=TaskStateStore(), **fields)
    broadcast.once()
    for message in sandbox.messages:
        (signature,) = parse_qs(urlsplit(message.body["document"]["link"]).query)["X-Amz-Signature"]
        for shown in (run.operator.document, broadcast.operator.document, receipt, store.text):
            assert signature not in str(shown)
        assert signature not in logged()
    assert "'127.0.0.1' is a private address" in logged()


def test_a_refusal_shows_no_signature(storage, sandbox):
    sandbox.fail_next(status=-125)
    with pytest.raises(Exception, match="-125") as caught:
        ItnioHook().send(NUMBER, document={"object": storage.put("report.pdf")})
    assert "Signature" not in str(caught.value)


def test_the_link_of_a_deleted_object_cannot_be_fetched(storage, sandbox):
    ItnioHook().send(NUMBER, document={"object": storage.put("report.pdf")})
    link = sandbox.messages[0].body["document"]["link"]
    storage.client.delete_object(Bucket="reports", Key="report.pdf")
    with pytest.raises(HTTPError):
        urlopen(link)


# --- broadcasts -------------------------------------------------------------------------------------------


def test_a_broadcast_can_send_each_recipient_a_different_file(storage, sandbox, monkeypatch):
    # An unused connection, so its storage is opened during the broadcast.
    monkeypatch.setenv("AIRFLOW_CONN_FRESH", storage.connection())
    people = [{"phone": f"8613900000{n:03d}", "n": n} for n in range(20)]
    for person in people:
        storage.put(f"personal/{person['n']}.pdf", PDF + str(person["n"]).encode())
    people.append({"phone": "8613900000999", "n": "absent"})
    run = broadcast_run(
        people,
        text=None,
        store=TaskStateStore(),
        delivery="at_most_once",
        document={"object": "s3://fresh@reports/personal/{{ recipient.n }}.pdf", "filename": "Yours.pdf"},
    )
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 20, "invalid": 1}
    (failure,) = run.summary["failures"]
    assert failure["reason"].startswith(
        "document.object: 's3://fresh@reports/personal/absent.pdf' does not exist"
    )
    for message in sandbox.messages:
        with urlopen(message.body["document"]["link"]) as answer:
            assert answer.read() == PDF + str(int(message.recipient[-3:])).encode()
    storage.put("personal/absent.pdf")
    run.clear()
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 20}


def test_a_file_for_all_recipients_is_signed_once(storage, sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_NEW", storage.connection())
    address = storage.put("report.pdf").replace("storage@", "new@")
    run = broadcast_run([f"8613900000{n:03d}" for n in range(30)], text=None, document={"object": address})
    run.once()
    assert len({message.body["document"]["link"] for message in sandbox.messages}) == 1
    assert len(sandbox.messages) == 30


def test_a_file_is_checked_again_after_a_minute(storage, sandbox, monkeypatch):
    address, hook, moment = storage.put("report.pdf"), ItnioHook(), 0.0
    monkeypatch.setattr(object_files.time, "monotonic", lambda: moment)
    hook.send(NUMBER, document={"object": address})
    storage.put("report.pdf", b"no PDF any more")
    moment = 59.0
    hook.send(NUMBER, document={"object": address})
    moment = 61.0
    with pytest.raises(InvalidMessageError, match=r"has the extension \.pdf"):
        hook.send(NUMBER, document={"object": address})
    assert len(sandbox.messages) == 2


# --- costs ------------------------------------------------------------------------------------------------
