"""A message that is checked first and sent later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidParameterError,
    PlatformError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.hooks.conftest import NUMBER
from tests.tables import for_each


@pytest.mark.usefixtures("connection")
def test_preparing_checks_a_message_and_sends_nothing(sandbox):
    prepared = ItnioHook().prepare(NUMBER, text="42 rows", reply_to="wamid.1")
    assert sandbox.requests == []
    assert (prepared.recipient, prepared.message.type) == ("8614718004557", "text")
    assert (prepared.app_id, prepared.business_phone) == (sandbox.app_id, sandbox.business_phone)
    receipt = ItnioHook().send_prepared(prepared)
    (message,) = sandbox.messages
    assert receipt.message_id == message.id
    assert message.body["context"] == {"refMessageId": "wamid.1"}


@for_each(
    ("recipient", "fields", "sentence"),
    [
        ("12", {"text": "x"}, "recipient: 7 to 14 digits"),
        (NUMBER, {}, "exactly one of"),
        (NUMBER, {"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
        (NUMBER, {"text": "x", "if_too_long": "chop"}, "if_too_long: must be one of"),
    ],
)
@pytest.mark.usefixtures("connection")
def test_an_invalid_message_cannot_be_prepared(recipient, fields, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
        ItnioHook().prepare(recipient, **fields)


@for_each("missing", ["app_id", "business_phone"])
def test_preparing_a_message_requires_a_sender(missing, connect):
    connect(extra={missing: None})
    with pytest.raises(ConfigurationError, match=rf"extra\.{missing}: is missing"):
        ItnioHook().prepare(NUMBER, text="x")
    with pytest.raises(ConfigurationError, match=rf"extra\.{missing}: is missing"):
        ItnioHook().sender()


@pytest.mark.usefixtures("connection")
def test_the_sender_is_the_hooks_or_else_the_connections(sandbox):
    assert ItnioHook().sender() == (sandbox.app_id, sandbox.business_phone)
    hook = ItnioHook(app_id=" OtherApp ", business_phone="+91 856-321-322")
    assert hook.sender() == ("OtherApp", "91856321322")


@for_each("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.usefixtures("connection")
def test_a_prepared_message_is_sent_with_its_delivery(delivery, sandbox):
    sandbox.fail_next(status=-18)
    hook = ItnioHook()
    error = UnknownOutcomeError if delivery == "at_most_once" else PlatformError
    with pytest.raises(error):
        hook.send_prepared(hook.prepare(NUMBER, text="x"), delivery)
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("connection")
def test_send_prepared_does_not_log_and_log_accepted_does(logged):
    hook = ItnioHook()
    receipt = hook.send_prepared(hook.prepare(NUMBER, text="x"))
    assert "Itniotech accepted" not in logged()
    hook.log_accepted(receipt)
    assert f"Itniotech accepted the text message to 86…57 as {receipt.message_id}" in logged()
    assert "8614718004557" not in logged()


@pytest.mark.usefixtures("connection")
def test_the_log_links_to_the_message_on_the_sandboxs_page(logged, sandbox):
    receipt = ItnioHook().send(NUMBER, text="x")
    assert f"The sandbox shows it at {sandbox.url}/#/{receipt.message_id}" in logged()
    assert "8614718004557" not in logged()


@for_each("spoil", ["another host", "another server"])
@pytest.mark.usefixtures("connection")
def test_the_log_has_no_sandbox_link_for_another_server(logged, spoil):
    hook = ItnioHook()
    receipt = hook.send_prepared(hook.prepare(NUMBER, text="x"))
    if spoil == "another server":
        receipt = replace(receipt, in_sandbox=False)
    else:
        settings = replace(hook.account().settings, base_url="https://api.example.com")
        hook._account = replace(hook.account(), settings=settings)
    hook.log_accepted(receipt)
    assert "Itniotech accepted" in logged()
    assert "The sandbox shows it" not in logged()
