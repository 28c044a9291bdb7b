"""Checks of a notifier when the DAG file is parsed: a mistake is an import error of the DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_itnio.api.checks import check_flag, check_link_options, check_number
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.models import check_fields
from airflow_provider_itnio.broadcast.recipients import expand_recipient, read_recipient
from airflow_provider_itnio.hooks.hook_fields import check_alert_template, check_hook_fields
from airflow_provider_itnio.notifications.alert_options import check_holding_options
from airflow_provider_itnio.templating import (
    check_functions,
    is_rendered_later,
    leaves,
    recipient_entries,
    template_files,
)

if TYPE_CHECKING:
    from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier


def check_notifier(notifier: WhatsAppNotifier) -> None:
    """Check all values that are not rendered later, and convert the time limits to numbers.

    :raises InvalidMessageError: if a value in the DAG file breaks a rule of the message.
    :raises InvalidParameterError: if another parameter is out of its range.
    """
    for name in notifier.template_fields:
        # A subclass may set its own fields only after this.
        value = getattr(notifier, name, None)
        check_functions(value, name)
        for path, file in template_files(value, name):
            raise InvalidMessageError(
                f"{path}: a notifier can't read Jinja files, {describe_value(file)} given"
            )
    _check_recipients(notifier.recipients)
    for name in ("timeout", "connect_timeout"):
        setattr(notifier, name, check_number(name, getattr(notifier, name), 0.001, 3600, float))
    notifier.max_attempts = check_number("max_attempts", notifier.max_attempts, 1, 10, int)
    check_flag("only_after_failure", notifier.only_after_failure)
    check_link_options(notifier.link_expires_in, notifier.check_link)
    check_hook_fields(notifier)
    # if_too_long is no template field, so nothing in it is rendered later.
    check_fields({"text": "-"}, if_too_long=notifier.if_too_long, is_unrendered=lambda value: False)
    fields = notifier.own_message() or {"text": "-", "reply_to": notifier.reply_to}
    check_fields(fields, if_too_long=notifier.if_too_long, is_unrendered=is_rendered_later)
    check_alert_template(notifier.alert_template, notifier.alert_language)
    check_holding_options()


def _check_recipients(recipients: object) -> None:
    entries = recipient_entries(recipients)
    if not entries:
        raise InvalidMessageError("recipients: at least one phone number is required, none given")
    for index, entry in enumerate(entries):
        check_recipient(entry, f"recipients[{index}]")


def check_recipient(entry: Any, name: str) -> None:
    """Check one entry of ``recipients``, unless it is rendered later.

    :raises InvalidMessageError: if it is no phone number.
    """
    if not any(is_rendered_later(leaf) for _, leaf in leaves(entry)):
        for recipient in expand_recipient(entry, entry, name):
            read_recipient(recipient, name)
