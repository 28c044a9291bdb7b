"""Check the hook parameters of operators and notifiers when the DAG file is parsed."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.api.checks import check_name
from airflow_provider_itnio.api.values import is_unset
from airflow_provider_itnio.templating import is_rendered_later

__all__ = ["check_hook_fields"]


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
