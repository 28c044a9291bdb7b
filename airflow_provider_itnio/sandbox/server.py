"""The sandbox, running in a thread of this process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Self, TypeAlias
from urllib.parse import quote, urlencode

import uvicorn
from pydantic import BeforeValidator, Field

from airflow_provider_itnio.sandbox.addresses import HOST_HEADER, AllowedHosts, base_url, listen_on
from airflow_provider_itnio.sandbox.api_models import (
    PUSH_ADDRESS,
    Given,
    PhoneNumber,
    PushAddress,
    WebhookGiven,
    read,
)
from airflow_provider_itnio.sandbox.app import sandbox_app
from airflow_provider_itnio.sandbox.controls import SandboxControls
from airflow_provider_itnio.sandbox.faults.fault import LONGEST_DELAY, FaultQueue
from airflow_provider_itnio.sandbox.faults.random_failures import RandomFailures, Shares
from airflow_provider_itnio.sandbox.http_server import SandboxProtocol, UvicornThread
from airflow_provider_itnio.sandbox.store.data_file import DataFile
from airflow_provider_itnio.sandbox.store.store import Store
from airflow_provider_itnio.sandbox.vendor.account import (
    SAMPLE_API_KEY,
    SAMPLE_APP_ID,
    SAMPLE_BUSINESS_PHONE,
    SAMPLE_SECRET,
    Account,
)
from airflow_provider_itnio.sandbox.vendor.endpoints import Vendor
from airflow_provider_itnio.sandbox.vendor.fetching import FileFetcher
from airflow_provider_itnio.sandbox.vendor.message_status import Delivery
from airflow_provider_itnio.sandbox.vendor.webhook import Webhook


def _several(given: Any) -> tuple[Any, ...] | None:
    """Read one or several values; None accepts any."""
    return None if given is None else (given,) if isinstance(given, (str, int)) else tuple(given)


Text: TypeAlias = Annotated[str, BeforeValidator(str)]
Host: TypeAlias = Annotated[str, Field(pattern=f"^{HOST_HEADER}$")]
Amount: TypeAlias = Annotated[Decimal, Field(strict=False, ge=0)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SandboxOptions(Given):
    """The checked parameters of :class:`Sandbox`, which describes them."""

    app_id: Annotated[Annotated[tuple[Text, ...], Field(min_length=1)] | None, BeforeValidator(_several)] = (
        Field(description="at least one value, or None to accept any")
    )
    business_phone: Annotated[
        Annotated[tuple[PhoneNumber, ...], Field(min_length=1)] | None, BeforeValidator(_several)
    ] = Field(description="at least one value, or None to accept any")
    port: int = Field(ge=0, le=65535, description="a whole number from 0 to 65535")
    allowed_hosts: Annotated[tuple[Host, ...], BeforeValidator(_several)] = Field(
        description="a host such as sandbox, 10.0.0.5 or sandbox:8025"
    )
    clock_tolerance: Seconds = Field(description="seconds, from 0")
    balance: Amount | None = Field(description="an amount from 0")
    price: Amount = Field(description="an amount from 0")
    keep: int = Field(ge=1, description="a whole number from 1")
    fail: Shares = Field(description="a number from 0 to 1, or texts such as 5% or 2.5%:503")
    latency: Seconds = Field(le=LONGEST_DELAY, description=f"seconds, from 0 to {LONGEST_DELAY:g}")
    webhook: PushAddress | None = Field(description=PUSH_ADDRESS)
    push_twice: bool = Field(description="True or False")
    push_disorder: bool = Field(description="True or False")
    push_scale: Seconds = Field(description="a factor from 0")


class Sandbox(SandboxControls):
    """
    A local server that answers like Itniotech. Use it as a context manager.

    .. code-block:: python

        with Sandbox() as sandbox:
            os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = sandbox.connection_json()
            ...
            assert sandbox.sent_to("+86 147-1800-4557")[0].text == "42 rows loaded"
    """

    def __init__(
        self,
        *,
        api_key: str = SAMPLE_API_KEY,
        secret: str = SAMPLE_SECRET,
        app_id: str | Iterable[str] | None = SAMPLE_APP_ID,
        business_phone: str | int | Iterable[str | int] | None = SAMPLE_BUSINESS_PHONE,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_hosts: str | Iterable[str] = (),
        clock_tolerance: float = 300,
        certfile: str | os.PathLike[str] | None = None,
        keyfile: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = time.time,
        balance: Decimal | int | str | None = None,
        price: Decimal | int | str = "0.05",
        keep: int = 1000,
        keep_alive: int = 5,
        fail: float | str | Iterable[str] | None = None,
        latency: float = 0.0,
        seed: int | None = None,
        webhook: str | None = None,
        push_twice: bool = False,
        push_disorder: bool = False,
        push_scale: float = 1.0,
        open_windows: bool = False,
        fetch_files: bool = False,
        data: str | os.PathLike[str] | None = None,
    ) -> None:
        """
        Configure the account and the server without starting it.

        The credentials default to the sample values of the vendor's documentation.

        :param api_key: the Api-Key that requests must carry
        :param secret: the secret that requests must be signed with
        :param app_id: the application, or several; None accepts any
        :param business_phone: the business's WhatsApp number in digits, or several; None accepts any
        :param host: the address to bind
        :param port: the port to bind, 0 for any free one
        :param allowed_hosts: a host name that others use for it, ``sandbox`` or ``sandbox:8025``, or several;
            with host ``0.0.0.0`` the addresses of the machine are allowed anyway
        :param clock_tolerance: the largest accepted difference of a timestamp, in seconds (the vendor does
            not document it)
        :param certfile: a certificate in PEM; with it the sandbox uses https
        :param keyfile: the key of the certificate in PEM, if it is not in the same file
        :param clock: returns the sandbox's time in Unix seconds, also for its ``Date`` header
        :param balance: the balance of the account; None never runs out
        :param price: the price of one message
        :param keep: how many messages, failed requests, replies and other requests to store, at least 1 of
            each; fewer if their bodies are much larger than a message: the limit is about 64 KiB for each,
            at least 64 MiB in total
        :param keep_alive: how long an idle connection stays open, in whole seconds
        :param fail: the share of valid messages that fail with the code -12, from 0 to 1; or a text with
            another failure, ``"5%:-5"``, ``"5%:503"`` or ``"5%:drop"``, or several of them
        :param latency: the delay of each answer, in seconds up to 600
        :param seed: lets the same messages fail in each run; None draws them at random
        :param webhook: the http or https URL to push statuses and replies to; None pushes nothing
        :param push_twice: whether to push each event twice
        :param push_disorder: whether to push the statuses of a message in reverse order
        :param push_scale: factor for the pauses between pushes: at 1 a message is delivered after 1 s and
            read after 2 s, and a failed push is repeated after 60, 180 and 300 s; at 0 there are no pauses,
            and an accepted message has all its statuses at once
        :param open_windows: whether the 24-hour windows of all recipients are open; otherwise only those of
            recipients who have replied are, and other recipients get WhatsApp templates only
        :param fetch_files: whether to fetch the file that a message links to, as WhatsApp would: by GET, and
            following redirects on the same server only; a note on the message has the result
        :param data: a file that stores messages, requests, replies, statuses, windows and waiting pushes, to
            resume at the next start. It is created if it is missing, and opened by :meth:`start`
        :raises ValueError: if a parameter is invalid; the text names it
        """
        given = locals()
        self.api_key = api_key
        self.secret = secret
        self.host = host
        options = read(
            SandboxOptions, {name: one for name, one in given.items() if name in SandboxOptions.model_fields}
        )
        pushes = WebhookGiven.model_construct(url=webhook or "", twice=push_twice, disorder=push_disorder)
        store = Store(keep, open_windows)
        self._vendor = Vendor(
            account=Account(
                api_key, secret, options.app_id, options.business_phone, options.balance, options.price
            ),
            store=store,
            faults=FaultQueue(),
            failing=RandomFailures(options.fail, seed),
            clock=clock,
            clock_tolerance=clock_tolerance,
            delivery=Delivery(store, Webhook(push_scale, pushes), clock, push_scale),
            latency=latency,
        )
        self._allowed_hosts = options.allowed_hosts
        self._certfile = certfile
        self._keyfile = keyfile
        self._keep_alive = keep_alive
        self._data = data
        self._fetch_files = fetch_files
        self._requested_port = port
        self._port: int | None = None
        self._server: UvicornThread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """
        Start the server, and return when it answers requests.

        :raises OSError: if the port is in use, or a certificate cannot be read
        :raises RuntimeError: if it is already running, or the file of ``data`` cannot be used
        """
        if self._server is not None:
            raise RuntimeError("this sandbox is already running")
        server_socket = listen_on(self.host, self._requested_port)
        vendor = self._vendor
        try:
            self._port = server_socket.getsockname()[1]
            if self._data is not None:
                vendor.open(DataFile(self._data))
            vendor.stopping = asyncio.Event()  # it belongs to the event loop of this start
            vendor.fetcher = FileFetcher(vendor.store.note) if self._fetch_files else None
            server = UvicornThread(self._config(), server_socket, vendor.delivery.resume, vendor.stopping)
            server.start()
        except BaseException:
            server_socket.close()
            vendor.close()
            raise
        self._server = server

    def stop(self) -> None:
        """Stop the server, and return when its port is free. Its messages can still be read."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            self._vendor.close()

    @property
    def port(self) -> int:
        """
        The port it listens on.

        :raises RuntimeError: before its first start
        """
        if self._port is None:
            raise RuntimeError("the sandbox has no port before it is started")
        return self._port

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return base_url(self._scheme, self.host, self.port)

    @property
    def app_id(self) -> str:
        """The application to send from, the first if there are several."""
        return self._vendor.account.app_id

    @property
    def business_phone(self) -> str:
        """The business's number to send from, the first if there are several."""
        return self._vendor.account.business_phone

    def connection_json(self) -> str:
        """Return an Airflow connection to this sandbox as JSON, including the secret."""
        return json.dumps(
            {
                "conn_type": "itnio",
                "login": self.api_key,
                "password": self.secret,
                "host": self.url,
                "extra": self._extra,
            }
        )

    def connection_uri(self) -> str:
        """Return an Airflow connection to this sandbox as a URI, including the secret."""
        login, password, host = (quote(part, safe="") for part in (self.api_key, self.secret, self.url))
        # Plain query parameters would turn the phone number into an int.
        return f"itnio://{login}:{password}@{host}/?{urlencode({'__extra__': json.dumps(self._extra)})}"

    @property
    def _extra(self) -> dict[str, str]:
        return {"app_id": self.app_id, "business_phone": self.business_phone}

    @property
    def _scheme(self) -> str:
        return "https" if self._certfile else "http"

    def _config(self) -> uvicorn.Config:
        hosts = AllowedHosts(self._scheme, self.host, self.port, self._allowed_hosts)
        config = uvicorn.Config(
            sandbox_app(self._vendor, hosts, self.connection_json),
            http=SandboxProtocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=self._keep_alive,
            timeout_graceful_shutdown=1,
            ssl_certfile=self._certfile,
            ssl_keyfile=self._keyfile,
        )
        config.load()
        uvicorn_logger = logging.getLogger("uvicorn.error")
        if uvicorn_logger.level == logging.NOTSET:
            uvicorn_logger.setLevel(logging.WARNING)
        return config
