"""What tests read of a sandbox and ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_itnio.sandbox.api_models import (
    NOWHERE,
    PushedStatus,
    PushGiven,
    ReplyGiven,
    WaitAsked,
    WebhookGiven,
    digits_needed,
    read,
    read_value,
    whole_number_needed,
)
from airflow_provider_itnio.sandbox.faults.fault import Fault
from airflow_provider_itnio.sandbox.store.entries import ReceivedMessage, RefusedRequest, Reply, SeenRequest
from airflow_provider_itnio.sandbox.vendor.endpoints import Vendor


class SandboxControls:
    """The part of :class:`Sandbox` that its server does not need."""

    _vendor: Vendor

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
        return self._vendor.store.all("refused")

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests to the vendor's paths, oldest first."""
        return self._vendor.store.all("request")

    @property
    def replies(self) -> list[Reply]:
        """What recipients have answered on the page or by the JSON API, oldest first."""
        return self._vendor.store.all("reply")

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that still wait, as JSON."""
        return self._vendor.faults.waiting

    def clear(self) -> None:
        """Forget messages, refusals, requests, replies and open windows; faults stay, a seed begins again."""
        self._vendor.clear()

    def reset(self) -> None:
        """Be as at the start: :meth:`clear`, no faults; random failures, pushes and balance as given then."""
        self._vendor.reset()

    def clear_faults(self) -> None:
        """Forget the faults that still wait."""
        self._vendor.faults.clear()

    def sent_to(self, number: str | int) -> list[ReceivedMessage]:
        """
        Give the messages accepted for one recipient, oldest first.

        :param number: the recipient's number as people write it
        :raises ValueError: if it is none
        """
        wanted = read_value("number", digits_needed, number)
        return [one for one in self.messages if one.recipient == wanted]

    def wait_for(
        self,
        n: int = 1,
        timeout: float = 10,
        *,
        recipient: str | int | None = None,
        status: PushedStatus | None = None,
    ) -> list[ReceivedMessage]:
        """
        Wait until at least so many messages were accepted.

        :param n: how many, from 1 to what is kept
        :param timeout: how long to wait, in seconds
        :param recipient: count only messages to this number, as people write it
        :param status: count only messages that have reached this status
        :return: all such messages by then
        :raises TimeoutError: if fewer came; it says what came instead
        :raises ValueError: if so many are never kept, or one of the arguments can't be
        """
        given = {"n": n, "timeout": timeout, "recipient": recipient, "status": status}
        return self._vendor.store.wait_for(read(WaitAsked, given))

    def window_open(self, number: str | int, *, is_open: bool = True) -> None:
        """
        Open the 24-hour window of a recipient, as if the recipient had just written, or close it.

        Outside of it only WhatsApp templates arrive. It is closed until the recipient replies.

        :param number: the recipient's number as people write it
        :param is_open: whether it is open from now on
        :raises ValueError: if the number has not 7 to 14 digits
        """
        recipient = read_value("number", whole_number_needed, number)
        self._vendor.delivery.set_window(recipient, is_open=is_open)

    def push(
        self, message: ReceivedMessage | str, status: PushedStatus, *, failure: str = "", times: int = 1
    ) -> None:
        """
        Let a message reach a status now, and push that to the webhook if there is one.

        :param message: an accepted message, or its id
        :param status: the status
        :param failure: why it failed, up to 1,000 characters; only with ``failed``, by default
            ``131026: Message undeliverable``
        :param times: how often it is pushed, 1 to 100
        :raises ValueError: if one of them can't be, or no such message is kept
        """
        message_id = getattr(message, "id", message)
        given = read(
            PushGiven, {"message_id": message_id, "status": status, "failure": failure, "times": times}
        )
        self._vendor.delivery.push(given)

    def reply(self, **given: Any) -> Reply:
        """
        Let a recipient answer: this opens the 24-hour window, and is pushed to the webhook if there is one.

        :param given: the fields of ``POST /sandbox/replies``: one of ``text``, ``button``, ``row``,
            ``quick_reply`` and ``location``, with ``message_id`` or ``recipient``
        :return: the reply as it is kept
        :raises ValueError: if there can be no such reply; the text names the field
        """
        return self._vendor.receive(read(ReplyGiven, given))

    def push_to(self, url: str | None, *, twice: bool = False, disorder: bool = False) -> None:
        """
        Push statuses and replies to another address from now on; what waits for the one before is dropped.

        :param url: the address, http or https; None pushes nothing
        :param twice: whether each push comes twice
        :param disorder: whether the statuses of a message come in the reverse order
        :raises ValueError: if it is no such address
        """
        given = {"url": url, "twice": twice, "disorder": disorder}
        self._vendor.delivery.webhook.configure(NOWHERE if url is None else read(WebhookGiven, given))

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
        parameters = locals()
        given = {name: value for name, value in parameters.items() if name != "self" and value is not None}
        fault = read(Fault, given)
        self._vendor.faults.add(fault)
