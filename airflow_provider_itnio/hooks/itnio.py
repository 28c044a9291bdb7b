"""The hook for an Itniotech connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_itnio.api.checks import Delivery, check_delivery, check_name
from airflow_provider_itnio.api.errors import ConfigurationError, ItnioError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.values import is_unset, type_name
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.hooks._files import Files
from airflow_provider_itnio.hooks._receiver import ReceiverMethods

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_itnio.api.async_client import ItnioAsyncClient
    from airflow_provider_itnio.api.balance import Balance
    from airflow_provider_itnio.api.client import ItnioClient
    from airflow_provider_itnio.api.receipt import Receipt
    from airflow_provider_itnio.hooks._account import Account, ConnectionFields
    from airflow_provider_itnio.hooks.prepared_message import PreparedMessage
    from airflow_provider_itnio.messages import MessageFields

__all__ = ["ACCEPTED_IS_NOT_DELIVERED", "ItnioHook"]

if TYPE_CHECKING:
    _Hook = BaseHook
else:
    _Hook = with_named_errors(BaseHook)

ACCEPTED_IS_NOT_DELIVERED: Final = (
    "Accepted is not delivered: no WhatsApp template was sent, so the message only arrives if the recipient "
    "has written to the business phone in the last 24 hours"
)


class ItnioHook(Files, ReceiverMethods, _Hook):
    """Sends WhatsApp messages through the account of an ``itnio`` connection.

    The hooks of a connection share the process's client, so a hook is cheap to create. To send many messages
    from one event loop, use one client for all of them::

        async with ItnioHook() as hook:
            await asyncio.gather(*(hook.asend(number, text="…") for number in numbers))

    :param itnio_conn_id: the connection: ``login`` is the Api-Key, ``password`` the secret, ``host`` the base
        URL (``https://api.itniotech.com`` if empty); extras ``app_id``, ``business_phone``, ``timeout``,
        ``connect_timeout`` (seconds), ``max_attempts``, ``proxy``, ``allow_http``, ``receiver_url``,
        ``receiver_token``.
    :param app_id: the application that messages go through; overrides the connection's.
    :param business_phone: the number that messages come from; overrides the connection's.
    :param timeout: seconds for the request and its whole answer; overrides the connection's (default 30).
    :param connect_timeout: seconds to connect; overrides the connection's (default 5).
    :param max_attempts: how many times to try to send a message, including the first, 1 to 10; overrides the
        connection's (default 4). Only a message that was not sent is tried again.
    :param proxy: the URL of an HTTP proxy; overrides the connection's and the environment's.
    :param max_retry_after: the longest ``Retry-After`` to wait for, in seconds.
    :param link_expires_in: how long WhatsApp can fetch a file that is given as ``object``: a timedelta or
        seconds, from a minute to 7 days.
    :param check_link: fetch the first bytes of each plain ``link`` before a message is sent, and refuse one
        that WhatsApp could not fetch or does not accept.
    """

    conn_name_attr = "itnio_conn_id"
    default_conn_name = "itnio_default"
    conn_type = "itnio"
    hook_name = "Itniotech WhatsApp"

    retry_refused = False
    """Whether to retry a message that was refused for a transient reason."""
    lookup_delays: Iterator[float] = iter(())
    """Seconds to wait before each further lookup of a connection that Airflow did not find."""

    def __init__(
        self,
        itnio_conn_id: str = default_conn_name,
        *,
        app_id: str | None = None,
        business_phone: str | int | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        max_attempts: int | None = None,
        proxy: str | None = None,
        max_retry_after: float = 60.0,
        link_expires_in: timedelta | float = timedelta(hours=1),
        check_link: bool = False,
    ) -> None:
        super().__init__()
        self.itnio_conn_id = check_name("itnio_conn_id", itnio_conn_id)
        self.app_id = app_id
        self.business_phone = business_phone
        self._limits = {"timeout": timeout, "connect_timeout": connect_timeout, "max_attempts": max_attempts}
        # A value that is not text becomes the name of its type, which is refused as an address.
        self._proxy = Secret((proxy or "").strip() if isinstance(proxy, str | None) else type_name(proxy))
        self._max_retry_after = max_retry_after
        self._account: Account | None = None
        self.known_open = set()
        self._pending_warnings = [ACCEPTED_IS_NOT_DELIVERED]
        self._async_client: ItnioAsyncClient | None = None
        self._file_options = (link_expires_in, check_link)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's fields for Airflow 2; Airflow 3 reads them from the provider info."""
        from airflow_provider_itnio.hooks._form import form_widgets

        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the connection form's labels for Airflow 2; Airflow 3 reads them from the provider info."""
        from airflow_provider_itnio.hooks._form import ui_field_behaviour

        return ui_field_behaviour()

    def get_conn(self) -> ItnioClient:
        """Return the process's client for the connection.

        :raises ConfigurationError: if the connection does not exist, or a field is missing or invalid.
        """
        return self._client(self.account())

    def account(self) -> Account:
        """Return the connection's fields. A hook reads the connection only once.

        :raises ConfigurationError: if the connection does not exist, or a field is missing or invalid.
        """
        from airflow_provider_itnio.hooks._account import ConnectionFields

        while self._account is None:
            try:
                self._account = self._account_of(ConnectionFields.of(self.get_connection(self.itnio_conn_id)))
            except AirflowNotFoundException:
                time.sleep(self._lookup_delay())
        return self._account

    async def aaccount(self) -> Account:
        """Return the connection's fields like :meth:`account`, without blocking the event loop."""
        from airflow.providers.common.compat.connection import get_async_connection

        from airflow_provider_itnio.hooks._account import ConnectionFields

        while self._account is None:
            try:
                fields = ConnectionFields.of(await get_async_connection(self.itnio_conn_id))
                self._account = self._account_of(fields)
            except AirflowNotFoundException:
                await asyncio.sleep(self._lookup_delay())
        return self._account

    def _lookup_delay(self) -> float:
        from airflow_provider_itnio.hooks._account import no_connection

        for delay in self.lookup_delays:
            return delay
        raise no_connection(self.itnio_conn_id) from None

    async def __aenter__(self) -> Self:
        """Open one client for all messages that :meth:`asend` sends in the block.

        :raises ConfigurationError: if the connection does not exist, or a field is missing or invalid.
        """
        self._async_client = await self._new_async_client()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        client, self._async_client = self._async_client, None
        if client is not None:
            await client.close()

    def send(
        self,
        recipient: str | int,
        *,
        delivery: Delivery = "at_least_once",
        if_too_long: Literal["fail", "truncate"] = "fail",
        **fields: Unpack[MessageFields],
    ) -> Receipt:
        """Send one message.

        :param recipient: a phone number with country code, as people write it: 7 to 14 digits.
        :param delivery: ``at_least_once``; or ``at_most_once``: unless the answer proves that nothing was
            sent, the outcome is unknown.
        :param if_too_long: ``fail``, or ``truncate`` to cut a text of over 4,096 characters and end it with
            ``…``.
        :param fields: exactly one of ``MESSAGE_FIELDS``, or ``message`` with the same fields as a dict; and
            ``reply_to``, the id of the incoming message that it answers.
        :return: the receipt: Itniotech has accepted the message. Whether it will be delivered is not known.
        :raises InvalidMessageError: if the message, its file or a number breaks a rule; nothing was sent.
        :raises ConfigurationError: if the connection is missing, incomplete or invalid; nothing was sent.
        :raises NotSentError: if the message was not sent, or was rejected unread (after HTTP 503, probably).
        :raises RefusedError: if Itniotech refused it; its subclasses name the reason.
        :raises UnknownOutcomeError: if it is unknown whether it was accepted.
        """
        check_delivery(delivery)
        receipt = self.send_prepared(self.prepare(recipient, if_too_long=if_too_long, **fields), delivery)
        self.log_accepted(receipt)
        return receipt

    def prepare(
        self,
        recipient: str | int,
        *,
        if_too_long: Literal["fail", "truncate"] = "fail",
        **fields: Unpack[MessageFields],
    ) -> PreparedMessage:
        """Check a message, sign or check its file, and create the client, without sending anything.

        After that, :meth:`send_prepared` raises only errors of the request itself.

        :param recipient: as for :meth:`send`.
        :param if_too_long: as for :meth:`send`.
        :param fields: as for :meth:`send`.
        :raises InvalidMessageError: if the message, its file or a number breaks a rule.
        :raises ConfigurationError: if the connection is missing, incomplete or invalid.
        :raises FileUnavailableError: if the storage or server of its file is unreachable at the moment.
        """
        account = self.account()
        prepared = self._prepare(account, recipient, if_too_long, fields)
        self._client(account)
        return self._with_file(prepared)

    def send_prepared(self, prepared: PreparedMessage, delivery: Delivery = "at_least_once") -> Receipt:
        """Send a prepared message.

        :param prepared: the result of :meth:`prepare`.
        :param delivery: as for :meth:`send`.
        :return: the receipt: Itniotech has accepted the message. Whether it will be delivered is not known.
        :raises NotSentError: as for :meth:`send`.
        :raises RefusedError: as for :meth:`send`.
        :raises UnknownOutcomeError: as for :meth:`send`.
        """
        return self._client(self.account()).send(
            prepared.message,
            recipient=prepared.recipient,
            app_id=prepared.app_id,
            business_phone=prepared.business_phone,
            delivery=delivery,
        )

    def log_accepted(self, receipt: Receipt) -> None:
        """Log that a message was accepted. It never raises, since an accepted message can't be taken back.

        :param receipt: the receipt. Write it to the delivery record first.
        """
        with suppress(Exception):
            from airflow_provider_itnio.api.phone_numbers import canonical_number

            number = mask_phone(receipt.recipient)
            message_id = receipt.message_id.replace(receipt.recipient, number)
            self.log.info("Itniotech accepted the %s message to %s as %s", receipt.type, number, message_id)
            if receipt.in_sandbox:
                self.log_sandbox_page(message_id)
            is_known = canonical_number(receipt.recipient) in self.known_open
            if receipt.type != "template" and not is_known and self._pending_warnings:
                self.log.warning(self._pending_warnings.pop())  # once per hook, also if threads share it

    def log_sandbox_page(self, message_id: str = "") -> None:
        """Log the URL of the inbox, if the connection is an ``itnio-sandbox`` on this machine. Never raises.

        :param message_id: the message to show; empty for all.
        """
        from urllib.parse import urlsplit

        from airflow_provider_itnio.api.settings import is_loopback

        with suppress(Exception):
            page = self.account().settings.base_url.rstrip("/")
            if is_loopback(urlsplit(page).hostname or ""):
                subject, fragment = ("it", f"#/{message_id}") if message_id else ("the messages", "")
                self.log.info("The sandbox shows %s at %s/%s", subject, page, fragment)

    def sender(self) -> tuple[str, str]:
        """Return the sender of messages: the ``app_id`` and the ``business_phone``, digits only.

        :raises ConfigurationError: if one of them is neither in the connection nor a parameter of the hook.
        :raises InvalidMessageError: if the hook's ``business_phone`` is not a phone number.
        """
        return self._sender(self.account())

    async def asend(
        self,
        recipient: str | int,
        *,
        delivery: Delivery = "at_least_once",
        if_too_long: Literal["fail", "truncate"] = "fail",
        **fields: Unpack[MessageFields],
    ) -> Receipt:
        """Send one message like :meth:`send`, without blocking the event loop."""
        check_delivery(delivery)
        prepared = self._prepare(await self.aaccount(), recipient, if_too_long, fields)
        prepared = await self._awith_file(prepared)
        client = self._async_client or await self._new_async_client()
        try:
            receipt = await client.send(
                prepared.message,
                recipient=prepared.recipient,
                app_id=prepared.app_id,
                business_phone=prepared.business_phone,
                delivery=delivery,
            )
        finally:
            if client is not self._async_client:
                await client.close()
        self.log_accepted(receipt)
        return receipt

    def get_balance(self) -> Balance:
        """Return the account's balance. The request is free and sends no message.

        :raises ItnioError: as for :meth:`send`.
        """
        return self.get_conn().get_balance()

    def test_connection(self) -> tuple[bool, str]:
        """Check the fields, and Api-Key, secret and clock by a request for the balance. It sends no message.

        :return: whether it succeeded, and a text with the balance or what to fix.
        """
        from airflow_provider_itnio.hooks._account import check_other_extras

        try:
            account = self.account()
            check_other_extras(account, self.itnio_conn_id)
            balance = self._client(account).get_balance()
        except ItnioError as error:
            hint = _RETYPE_HINT if "password (the secret): is missing" in str(error) else ""
            return False, f"{error}{hint}"
        unset = [name for name in ("app_id", "business_phone") if getattr(account, name) is None]
        advice = f" The connection has no {' and no '.join(unset)}: tasks must set it." if unset else ""
        return (
            True,
            f"Itniotech accepted the Api-Key, secret and time; the balance is {balance.balance}.{advice}",
        )

    def _client(self, account: Account) -> ItnioClient:
        from airflow_provider_itnio.api.client import shared_client

        return shared_client(account.credentials, account.settings)

    async def _new_async_client(self) -> ItnioAsyncClient:
        from airflow_provider_itnio.api.async_client import ItnioAsyncClient

        account = await self.aaccount()
        return ItnioAsyncClient(account.credentials, account.settings)

    def _prepare(
        self, account: Account, recipient: object, if_too_long: str, fields: MessageFields
    ) -> PreparedMessage:
        from airflow_provider_itnio.api.models import message_from
        from airflow_provider_itnio.api.phone_numbers import normalize_phone
        from airflow_provider_itnio.hooks.prepared_message import PreparedMessage

        message = message_from(fields, if_too_long=if_too_long)
        return PreparedMessage(message, normalize_phone(recipient), *self._sender(account))

    def _sender(self, account: Account) -> tuple[str, str]:
        from airflow_provider_itnio.hooks._account import business_phone_of, no_sender

        app_id = account.app_id if is_unset(self.app_id) else check_name("app_id", self.app_id)
        if not app_id:
            raise self._field_error("extra.app_id", no_sender("app_id", "App id"))
        business_phone = business_phone_of(account, self.business_phone)
        if not business_phone:
            raise self._field_error("extra.business_phone", no_sender("business_phone", "Business phone"))
        return app_id, business_phone

    def _account_of(self, fields: ConnectionFields) -> Account:
        from airflow_provider_itnio.hooks._account import account_of

        return account_of(
            fields,
            self.itnio_conn_id,
            proxy=self._proxy,
            max_retry_after=self._max_retry_after,
            retry_refused=self.retry_refused,
            **self._limits,
        )

    def _field_error(self, field: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"Connection {self.itnio_conn_id!r}, {field}: {problem}")


_RETYPE_HINT: Final = ". On an Edit page, type the secret again: Airflow 2 tests without the saved one"
