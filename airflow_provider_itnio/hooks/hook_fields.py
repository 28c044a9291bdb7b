"""Check the hook parameters of operators and notifiers, and the WhatsApp template of alerts."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.api.checks import check_name
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.values import is_unset
from airflow_provider_itnio.templating import is_rendered_later

__all__ = ["check_alert_template", "check_hook_fields"]


def check_hook_fields(owner: Any) -> None:
    """Check the hook parameters of an operator or a notifier, except those that are rendered later.

    :param owner: the operator or notifier.
    :raises InvalidParameterError: if ``itnio_conn_id`` or ``app_id`` is not text.
    :raises InvalidMessageError: if ``business_phone`` is not a phone number.
    """
    from airflow_provider_itnio.api.phone_numbers import normalize_phone

    if not is_rendered_later(owner.itnio_conn_id):
        check_name("itnio_conn_id", owner.itnio_conn_id)
    for name, check in (
        ("app_id", check_name),
        ("business_phone", lambda name, phone: normalize_phone(phone, name)),
    ):
        value = getattr(owner, name)
        if not is_unset(value) and not is_rendered_later(value):
            check(name, value)


def check_alert_template(name: str | None, language: str | None) -> None:
    """Check the name and the language of the WhatsApp template for alerts, unless they are rendered later.

    :raises InvalidMessageError: if one of them is invalid.
    """
    from airflow_provider_itnio.api.models import check_fields

    for parameter, value in (("alert_template", name), ("alert_language", language)):
        if value is not None and not isinstance(value, str) and not is_rendered_later(value):
            raise InvalidMessageError(f"{parameter}: must be text, {describe_value(value)} given")
    template = {"name": "any" if name is None else name, "language": {"code": language or "en"}}
    try:
        check_fields({"template": template}, is_unrendered=is_rendered_later)
    except InvalidMessageError as error:
        names = {"template.name": "alert_template", "template.language.code": "alert_language"}
        parts = (problem.partition(":") for problem in error.problems)
        raise InvalidMessageError(*(f"{names.get(path, path)}:{rest}" for path, _, rest in parts)) from None
