"""The sandbox, running in a thread of this process."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

import uvicorn

from airflow_provider_itnio.sandbox.addresses import OwnHosts, base_url, listen_on, read_allowed_host
from airflow_provider_itnio.sandbox.app import sandbox_app
from airflow_provider_itnio.sandbox.checks import amount, seconds, whole
from airflow_provider_itnio.sandbox.faults.fault import LONGEST_DELAY, FaultQueue, as_json, fault_from
from airflow_provider_itnio.sandbox.faults.random_failures import RandomFailures, shares_from
from airflow_provider_itnio.sandbox.http_protocol import CuttableProtocol
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.store.store import (
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
    Store,
)
from airflow_provider_itnio.sandbox.uvicorn_thread import UvicornThread
from airflow_provider_itnio.sandbox.vendor.account import (
    SAMPLE_API_KEY,
    SAMPLE_APP_ID,
    SAMPLE_BUSINESS_PHONE,
    SAMPLE_SECRET,
    Account,
    phones,
    several,
)
from airflow_provider_itnio.sandbox.vendor.endpoints import Vendor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType


class Sandbox:
    """
    A local server that answers as Itniotech does, to be used as a context manager.

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
    ) -> None:
        """
        Describe the account and the server; nothing is started yet.

        The credentials default to the sample values of the vendor's documentation.

        :param api_key: the Api-Key that requests must carry
        :param secret: the secret that requests must be signed with
        :param app_id: the application, or several; None accepts any
        :param business_phone: the business's WhatsApp number in digits, or several; None accepts any
        :param host: the address to bind
        :param port: the port to bind, 0 for any free one
        :param allowed_hosts: a name that others reach it by, ``sandbox`` or ``sandbox:8025``, or several;
            with host ``0.0.0.0`` the addresses of the machine are known without
        :param clock_tolerance: how far a timestamp may be off, in seconds (the vendor does not say)
        :param certfile: a certificate in PEM; with it the sandbox speaks https
        :param keyfile: the key of the certificate in PEM, if it is not in the same file
        :param clock: gives the sandbox's time, also that of its ``Date`` header, in Unix seconds
        :param balance: what messages are paid from; None never runs out
        :param price: what one message costs
        :param keep: how many messages, refusals, requests and replies are kept, at least 1; fewer where their
            bodies are far larger than a message, since about 64 KiB are kept for each, at least 64 MiB
        :param keep_alive: how long an idle connection stays open, in whole seconds
        :param fail: the share of good messages that fail, from 0 to 1, with the code -12; or a text that
            also says how, ``"5%:-5"``, ``"5%:503"`` or ``"5%:drop"``, or several of them
        :param latency: how late each answer comes, in seconds up to 600
        :param seed: makes the same messages fail each time; None draws them anew
        :raises ValueError: if one of them can't be; the text names it
        """
        self.api_key = api_key
        self.secret = secret
        self.host = host
        self._vendor = Vendor(
            account=Account(
                api_key,
                secret,
                several(app_id),
                phones(business_phone),
                None if balance is None else amount("balance", balance),
                amount("price", price),
            ),
            store=Store(whole("keep", keep, 1)),
            faults=FaultQueue(),
            failing=RandomFailures(shares_from(fail), seed),
            clock=clock,
            clock_tolerance=seconds("clock_tolerance", clock_tolerance),
            latency=seconds("latency", latency, LONGEST_DELAY),
        )
        allowed = [allowed_hosts] if isinstance(allowed_hosts, str) else allowed_hosts
        self._allowed_hosts = [read_allowed_host(one) for one in allowed]
        self._certfile = certfile
        self._keyfile = keyfile
        self._keep_alive = keep_alive
        self._wanted_port = whole("port", port, 0, 65535)
        self._port: int | None = None
        self._server: UvicornThread | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    def start(self) -> None:
        """
        Start the server; when this returns it answers.

        :raises OSError: if the port is taken, or a certificate cannot be read
        :raises RuntimeError: if it runs already
        """
        if self._server is not None:
            raise RuntimeError("this sandbox runs already")
        listening = listen_on(self.host, self._wanted_port)
        try:
            self._port = listening.getsockname()[1]
            # An event belongs to the loop of one start.
            vendor = replace(self._vendor, stopping=asyncio.Event())
            server = UvicornThread(self._config(vendor, self._port), listening, vendor.stopping)
        except BaseException:
            listening.close()
            raise
        self._server = server
        self._thread = threading.Thread(target=server.run_until_stopped, name="itnio-sandbox", daemon=True)
        self._thread.start()
        server.ready.wait()
        if not server.started:
            self.stop()
            raise RuntimeError("the sandbox did not start") from server.failure

    def stop(self) -> None:
        """Stop the server; when this returns its port is free. What it got stays readable."""
        if self._server is None or self._thread is None:
            return
        self._server.stop()
        self._thread.join()
        self._server = self._thread = None

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
        """The base address, without a slash at the end."""
        return base_url(self._scheme, self.host, self.port)

    @property
    def app_id(self) -> str:
        """The application to send from, the first if there are several."""
        return (self._vendor.account.app_ids or (SAMPLE_APP_ID,))[0]

    @property
    def business_phone(self) -> str:
        """The business's number to send from, the first if there are several."""
        return (self._vendor.account.business_phones or (SAMPLE_BUSINESS_PHONE,))[0]

    @property
    def balance(self) -> Decimal | None:
        """What is left to pay messages from; None if it never runs out."""
        return self._vendor.account.balance

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The accepted messages, oldest first."""
        return self._vendor.store.messages

    @property
    def refused(self) -> list[RefusedRequest]:
        """The requests answered with a negative status, oldest first."""
        return self._vendor.store.refused

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests to the vendor's paths, oldest first."""
        return self._vendor.store.requests

    @property
    def replies(self) -> list[Reply]:
        """What recipients have answered on the page or by the JSON API, oldest first."""
        return self._vendor.store.replies

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that still wait, as JSON."""
        return [as_json(one) for one in self._vendor.faults.waiting]

    def clear(self) -> None:
        """Forget messages, refusals, requests and replies; faults stay, and a seed begins again."""
        self._vendor.clear()

    def clear_faults(self) -> None:
        """Forget the faults that still wait."""
        self._vendor.faults.clear()

    def sent_to(self, number: str | int) -> list[ReceivedMessage]:
        """
        Give the messages accepted for one recipient, oldest first.

        :param number: the recipient's number as people write it
        :raises ValueError: if it is none
        """
        wanted = digits_of(number) if isinstance(number, (str, int)) else ""
        if not wanted:
            raise ValueError(f"number: a phone number, {number!r:.60} given")
        return [one for one in self.messages if one.recipient == wanted]

    def wait_for(self, n: int, timeout: float = 10) -> list[ReceivedMessage]:
        """
        Wait until at least so many messages were accepted.

        :param n: how many, from 1 to what is kept
        :param timeout: how long to wait, in seconds
        :return: all messages accepted by then
        :raises TimeoutError: if fewer came; it says what came instead
        :raises ValueError: if so many are never kept, or one of both can't be
        """
        longest = threading.TIMEOUT_MAX
        return self._vendor.store.wait_for(whole("n", n, 1), seconds("timeout", timeout, longest))

    def fail_next(
        self,
        count: int = 1,
        *,
        status: int | str | None = None,
        reason: str | None = None,
        http_status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        delay: float | None = None,
        drop: str | None = None,
        answer: Any = None,
        accept: bool | None = None,
        path: str | None = None,
        recipient: str | int | None = None,
    ) -> None:
        """
        Let the next requests fail. Faults are used up in the order they were asked for.

        :param count: how many requests it happens to
        :param status: a negative code of the vendor to answer
        :param reason: the reason beside it, by default the code's meaning
        :param http_status: the HTTP code to answer, 200 to 599
        :param headers: further headers of the answer
        :param body: the body to answer, JSON or not
        :param delay: how long to hold the answer back, in seconds up to 600; alone, the usual answer
        :param drop: ``before_accepting`` or ``after_accepting``: close the connection without an answer
        :param answer: any JSON to answer
        :param accept: whether a good message is kept though it gets such an answer; by default only
            with ``drop="after_accepting"``
        :param path: only requests to this endpoint
        :param recipient: only messages to this number, as people write it
        :raises ValueError: if there can be no such fault; the text names the parameter
        """
        given = {
            "count": count,
            "status": status,
            "reason": reason,
            "http_status": http_status,
            "headers": headers,
            "body": body,
            "delay": delay,
            "drop": drop,
            "answer": answer,
            "accept": accept,
            "path": path,
            "recipient": recipient,
        }
        fault = fault_from({name: value for name, value in given.items() if value is not None})
        self._vendor.faults.add(fault)

    def connection_json(self) -> str:
        """Give an Airflow connection to this sandbox as JSON, with the secret in it."""
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
        """Give an Airflow connection to this sandbox as URI, with the secret in it."""
        login, password, host = (quote(part, safe="") for part in (self.api_key, self.secret, self.url))
        # Plain query parameters would turn the phone number into an int.
        return f"itnio://{login}:{password}@{host}/?{urlencode({'__extra__': json.dumps(self._extra)})}"

    @property
    def _extra(self) -> dict[str, str]:
        return {"app_id": self.app_id, "business_phone": self.business_phone}

    @property
    def _scheme(self) -> str:
        return "https" if self._certfile else "http"

    def _config(self, vendor: Vendor, port: int) -> uvicorn.Config:
        config = uvicorn.Config(
            sandbox_app(vendor, OwnHosts(self._scheme, self.host, port, self._allowed_hosts)),
            http=CuttableProtocol,
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
