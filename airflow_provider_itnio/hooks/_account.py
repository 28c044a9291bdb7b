"""Read and check the fields of an ``itnio`` connection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_itnio.api.checks import describe_number
from airflow_provider_itnio.api.describe import closest_key, describe_value
from airflow_provider_itnio.api.errors import ConfigurationError, ConnectionLookupError, InvalidMessageError
from airflow_provider_itnio.api.signing import Credentials, Secret, is_header_safe
from airflow_provider_itnio.api.values import is_unset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_itnio.api.settings import ClientSettings

_KNOWN_EXTRAS: Final = (
    "app_id",
    "business_phone",
    "timeout",
    "connect_timeout",
    "max_attempts",
    "allow_http",
    "alert_template",
    "alert_language",
)
_SECRET_EXTRAS: Final = ("proxy", "receiver_url", "receiver_token")


@dataclass(frozen=True, slots=True)
class Account:
    """The checked fields of a connection.

    :param credentials: the Api-Key and the secret.
    :param settings: where to send and how long to wait.
    :param app_id: the application that messages go through.
    :param business_phone: the number that messages come from, digits only.
    :param alert_template: the WhatsApp template for alerts.
    :param alert_language: the template's language.
    :param receiver_url: the address of ``itnio-receiver``, unchecked: see :func:`receiver_of`.
    :param receiver_token: its read token, unchecked.
    """

    credentials: Credentials
    settings: ClientSettings
    app_id: str | None
    business_phone: str | None = field(repr=False)
    alert_template: str | None
    alert_language: str | None
    receiver_url: Secret
    receiver_token: Secret


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """The unchecked fields of a connection, the secret ones as :class:`Secret`.

    They are copied from Airflow's connection before the checks, so that no traceback shows that object.
    """

    conn_type: str
    login: Secret
    password: Secret
    host: Secret
    port: int | None
    schema: Secret
    proxy: Secret
    receiver_url: Secret
    receiver_token: Secret
    extras: Mapping[str, Any] | None = field(repr=False)
    """The known extras; ``None`` if the extra is not a JSON object."""
    misspelt: Mapping[str, str]
    """Misspelt names of extras, such as ``appId``, and the correct names."""

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Copy the fields of Airflow's connection."""
        extra = connection.extra_dejson
        # Airflow returns an empty dict for a text that is not JSON.
        is_object = isinstance(extra, dict) and (bool(extra) or not (connection.extra or "").strip("{} \n"))
        return cls(
            conn_type=connection.conn_type or "",
            login=Secret((connection.login or "").strip()),
            password=Secret((connection.password or "").strip()),
            host=Secret((connection.host or "").strip()),
            port=connection.port,
            schema=Secret(connection.schema or ""),
            **{
                name: Secret(str(extra.get(name) or "").strip() if is_object else "")
                for name in _SECRET_EXTRAS
            },
            extras={name: extra.get(name) for name in _KNOWN_EXTRAS} if is_object else None,
            misspelt={key: name for key in (extra if is_object else ()) if (name := _misspelt(key, extra))},
        )


def _misspelt(key: str, extra: Mapping[str, Any]) -> str:
    """Return the known extra that a key misspells; empty if it is known, or an extra of the user."""
    known = (*_KNOWN_EXTRAS, *_SECRET_EXTRAS)
    name = "" if key in known else closest_key(key, known, 0.83)
    is_same = "".join(filter(str.isalnum, key)).lower() == name.replace("_", "")  # appId
    # receiver_token_old, or one that resembles an extra that is there, is the user's.
    return name if is_same or (name not in extra and name not in key) else ""


def no_connection(conn_id: str) -> ConfigurationError:
    """Return the error for a connection that Airflow did not find."""
    variable = f"AIRFLOW_CONN_{str(conn_id).upper()}"
    if variable in os.environ:
        return ConfigurationError(
            f"Connection {conn_id!r} can't be read: {variable} must hold a JSON object, as in "
            '{"conn_type": "itnio", "login": "…", "password": "…"}, or a URI, whose login and '
            "password are percent-encoded (/ as %2F) and whose port, if any, is a whole number"
        )
    return ConnectionLookupError(
        f"Connection {conn_id!r} is not defined. Add it in Airflow, under Admin, Connections, or set "
        f"{variable} in the environment. On Airflow 3, code outside of a task finds connections in the "
        "environment only"
    )


def account_of(
    fields: ConnectionFields,
    conn_id: str,
    *,
    proxy: Secret,
    max_retry_after: float,
    retry_refused: bool = False,
    **limits: object,
) -> Account:
    """Check a connection's fields.

    :param fields: the fields.
    :param conn_id: the connection's name, for errors.
    :param proxy: overrides the connection's, if it is not empty.
    :param max_retry_after: the longest ``Retry-After`` to wait for, in seconds.
    :param retry_refused: whether to retry a message that was refused for a transient reason.
    :param limits: ``timeout``, ``connect_timeout`` and ``max_attempts``; each overrides the connection's
        unless it is ``None``.
    :raises ConfigurationError: if a field is missing or invalid.
    """
    from airflow_provider_itnio.api.phone_numbers import normalize_phone
    from airflow_provider_itnio.api.settings import ClientSettings

    at = f"Connection {conn_id!r}, "
    if fields.conn_type not in ("itnio", ""):
        raise ConfigurationError(
            f"{at}conn_type: must be itnio, {describe_value(fields.conn_type)} given; "
            "choose Itniotech WhatsApp as the connection's type"
        )
    if "://" in fields.schema.reveal():  # Airflow's Test makes a URI of the form, and reads it
        raise ConfigurationError(
            f"{at}host: must begin with https://, without a quotation mark before it; leave schema empty"
        )
    for secret in filter(None, (fields.login, fields.password, fields.receiver_token)):
        mask_secret(secret.reveal())  # Airflow masks passwords, but not the others
    for secret, name in ((fields.login, "login (the Api-Key)"), (fields.password, "password (the secret)")):
        _check_secret(secret, f"{at}{name}")
    if fields.extras is None:
        raise ConfigurationError(
            f'{at}extra: must be a JSON object, as in {{"app_id": "…", "business_phone": "…"}}'
        )
    extras = fields.extras
    for misspelt_name, name in fields.misspelt.items():
        raise ConfigurationError(f"{at}extra.{misspelt_name}: is not known; write {name}")

    def number(name: str, default: float, lowest: float, highest: float) -> float:
        if limits[name] is not None:
            return _number(name, limits[name], default, lowest, highest)
        return _number(f"{at}extra.{name}", extras[name], default, lowest, highest)

    business_phone: str | None = None
    if extras["business_phone"]:
        try:
            business_phone = normalize_phone(extras["business_phone"], "extra.business_phone")
        except InvalidMessageError as error:
            raise ConfigurationError(f"{at}{error}") from None
    _check_proxy(fields.proxy, f"{at}extra.proxy")
    _check_proxy(proxy, "proxy")
    settings = ClientSettings(
        base_url=_base_url(fields, at),
        timeout=number("timeout", 30.0, 0.001, 3600),
        connect_timeout=number("connect_timeout", 5.0, 0.001, 3600),
        max_attempts=int(number("max_attempts", 4, 1, 10)),
        max_retry_after=max_retry_after,
        retry_refused=retry_refused,
        proxy=proxy or fields.proxy,
    )
    texts = {
        name: str(extras[name] or "").strip() or None
        for name in ("app_id", "alert_template", "alert_language")
    }
    return Account(
        Credentials(fields.login, fields.password),
        settings,
        business_phone=business_phone,
        receiver_url=fields.receiver_url,
        receiver_token=fields.receiver_token,
        **texts,
    )


def receiver_of(account: Account, conn_id: str) -> tuple[str, Secret]:
    """Check the receiver's fields of a connection. Only features that use the receiver need them.

    :param account: the connection's fields.
    :param conn_id: the connection's name, for errors.
    :return: the receiver's address and its read token.
    :raises ConfigurationError: if one of them is missing or invalid.
    """
    from airflow_provider_itnio.api.settings import check_base_url

    at = f"Connection {conn_id!r}, extra."
    if not account.receiver_url:
        raise ConfigurationError(
            f"{at}receiver_url: is missing. Only Itniotech's pushes report whether a message arrives: start "
            "itnio-receiver, which stores them, and fill in its address and read token (see docs/receiver.md)"
        )
    _check_secret(account.receiver_token, f"{at}receiver_token (a read token of the receiver)")
    try:
        # http is allowed: the receiver may be in a private network, and its token opens nothing else.
        url = check_base_url(account.receiver_url, allow_http=True, example="http://itnio-receiver:8026")
    except ConfigurationError as error:
        raise ConfigurationError(f"{at}receiver_url: {error}") from None
    return url, account.receiver_token


def check_other_extras(account: Account, conn_id: str) -> None:
    """Check the extras that only alerts and features with a receiver use.

    :param account: the connection's fields.
    :param conn_id: the connection's name, for errors.
    :raises ConfigurationError: if one of them is invalid, or the receiver's are incomplete.
    """
    from airflow_provider_itnio.hooks.hook_fields import check_alert_template

    if account.receiver_url or account.receiver_token:
        receiver_of(account, conn_id)
    try:
        check_alert_template(account.alert_template, account.alert_language)
    except InvalidMessageError as error:
        raise ConfigurationError(f"Connection {conn_id!r}, extra.{error}") from None


def business_phone_of(account: Account, override: object) -> str | None:
    """Return the number that messages come from, digits only; ``None`` if there is none.

    :param account: the connection's fields.
    :param override: the task's ``business_phone``; it overrides the connection's unless it is empty.
    :raises InvalidMessageError: if the task's is not a phone number.
    """
    from airflow_provider_itnio.api.phone_numbers import normalize_phone

    return account.business_phone if is_unset(override) else normalize_phone(override, "business_phone")


def _check_secret(secret: Secret, name: str) -> None:
    if not secret:
        raise ConfigurationError(f"{name}: is missing; fill it in")
    if not is_header_safe(secret):
        raise ConfigurationError(f"{name}: must be printable ASCII characters without spaces")


def _check_proxy(proxy: Secret, name: str) -> None:
    from urllib.parse import unquote, urlsplit

    from airflow_provider_itnio.api.settings import check_proxy

    if not proxy:
        return
    check_proxy(proxy, f"{name}:")
    if urlsplit(proxy.reveal()).password:
        mask_secret(urlsplit(proxy.reveal()).password)
        mask_secret(unquote(urlsplit(proxy.reveal()).password or ""))


def _base_url(fields: ConnectionFields, at: str) -> str:
    from airflow_provider_itnio.api.settings import DEFAULT_BASE_URL, check_base_url

    if not fields.host:
        return DEFAULT_BASE_URL
    allow_http = fields.extras is not None and str(fields.extras["allow_http"]).lower() == "true"
    try:
        return check_base_url(_address(fields), allow_http=allow_http)
    except ConfigurationError as error:
        raise ConfigurationError(f"{at}host: {error}") from None


def _address(fields: ConnectionFields) -> Secret:
    """Combine schema, host and port. The result is a secret, since it may contain a password."""
    from airflow_provider_itnio.api.settings import is_loopback

    host = fields.host.reveal()
    if "://" not in host:
        local = is_loopback(host.partition("/")[0].partition(":")[0])
        host = f"{fields.schema.reveal() or ('http' if local else 'https')}://{host}"
    scheme, separator, rest = host.partition("://")
    authority, slash, path = rest.partition("/")
    if fields.port and not authority.rpartition(":")[2].isdigit():
        host = f"{scheme}{separator}{authority}:{fields.port}{slash}{path}"
    return Secret(host)


def _number(name: str, value: object, default: float, lowest: float, highest: float) -> float:
    if is_unset(value):
        return default
    try:
        number = float("nan") if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    must_be_integer = isinstance(default, int)
    if not lowest <= number <= highest or (must_be_integer and not number.is_integer()):
        kind = "whole number" if must_be_integer else "number"
        raise ConfigurationError(
            f"{name}: must be a {kind} from {lowest:g} to {highest:g}, {describe_number(value)} given"
        )
    return number


def no_sender(name: str, label: str) -> str:
    """Return the end of the error for a sender that is neither in the connection nor in the task.

    :param name: the parameter, which is also the connection's extra.
    :param label: its label on the connection form.
    """
    return (
        f"is missing, and the task has no {name}. Fill in {label} in the connection ({name} in its extra), "
        f"or set {name}=… in the task or notifier"
    )
