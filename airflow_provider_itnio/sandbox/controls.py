"""The methods with which tests read and control a sandbox."""

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
    """The methods of :class:`Sandbox` to read and control it."""

    _vendor: Vendor

    @property
    def balance(self) -> Decimal | None:
        """The remaining balance; None if it never runs out."""
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
        """The replies of recipients, made on the inbox page or by the JSON API, oldest first."""
        return self._vendor.store.all("reply")

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that are not used up, as JSON."""
        return self._vendor.faults.waiting

    def clear(self) -> None:
        """Delete messages, refusals, requests, replies and open windows; faults stay, a seed restarts."""
        self._vendor.clear()

    def reset(self) -> None:
        """Restore the initial state: :meth:`clear`, no faults, initial failures, pushes and balance."""
        self._vendor.reset()

    def clear_faults(self) -> None:
        """Delete the faults that are not used up."""
        self._vendor.faults.clear()

    def sent_to(self, number: str | int) -> list[ReceivedMessage]:
        """
        Return the messages accepted for one recipient, oldest first.

        :param number: the recipient's number as people write it
        :raises ValueError: if it is not a phone number
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
        Wait until at least ``n`` messages were accepted.

        :param n: the number of messages, from 1 to ``keep``
        :param timeout: how long to wait, in seconds
        :param recipient: count only messages to this number, as people write it
        :param status: count only messages that have reached this status
        :return: all such messages
        :raises TimeoutError: if there are fewer; the error lists what was received instead
        :raises ValueError: if ``n`` is above ``keep``, or an argument is invalid
        """
        given = {"n": n, "timeout": timeout, "recipient": recipient, "status": status}
        return self._vendor.store.wait_for(read(WaitAsked, given))

    def window_open(self, number: str | int, *, is_open: bool = True) -> None:
        """
        Open the 24-hour window of a recipient, as if the recipient had just written, or close it.

        While it is closed, only WhatsApp templates arrive. It is closed until the recipient replies.

        :param number: the recipient's number as people write it
        :param is_open: whether it is open from now on
        :raises ValueError: if the number does not have 7 to 14 digits
        """
        recipient = read_value("number", whole_number_needed, number)
        self._vendor.delivery.set_window(recipient, is_open=is_open)

    def push(
        self, message: ReceivedMessage | str, status: PushedStatus, *, failure: str = "", times: int = 1
    ) -> None:
        """
        Set the status of a message, and push it to the webhook if there is one.

        :param message: an accepted message, or its id
        :param status: the status
        :param failure: why it failed, up to 1,000 characters; only with ``failed``; the default is
            ``131026: Message undeliverable``
        :param times: how many times to push it, 1 to 100
        :raises ValueError: if an argument is invalid, or there is no such message
        """
        message_id = getattr(message, "id", message)
        given = read(
            PushGiven, {"message_id": message_id, "status": status, "failure": failure, "times": times}
        )
        self._vendor.delivery.push(given)

    def reply(self, **given: Any) -> Reply:
        """
        Reply as a recipient. This opens the 24-hour window, and is pushed to the webhook if there is one.

        :param given: the fields of ``POST /sandbox/replies``: one of ``text``, ``button``, ``row``,
            ``quick_reply`` and ``location``, with ``message_id`` or ``recipient``
        :return: the stored reply
        :raises ValueError: if such a reply is impossible; the text names the field
        """
        return self._vendor.receive(read(ReplyGiven, given))

    def push_to(self, url: str | None, *, twice: bool = False, disorder: bool = False) -> None:
        """
        Push statuses and replies to another URL from now on. Waiting pushes to the previous URL are dropped.

        :param url: the http or https URL; None pushes nothing
        :param twice: whether to push each event twice
        :param disorder: whether to push the statuses of a message in reverse order
        :raises ValueError: if ``url`` is invalid
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
        Let the next requests fail. Faults are used up in the order in which they were set.

        :param count: how many requests fail
        :param status: the answer's negative status code
        :param reason: the reason in the answer, by default the code's meaning
        :param http_status: the answer's HTTP code, 200 to 599
        :param headers: additional headers of the answer
        :param body: the body of the answer, JSON or not
        :param delay: delay of the answer in seconds, up to 600; without other arguments, of the usual answer
        :param drop: ``before_accepting`` or ``after_accepting``: close the connection without an answer
        :param answer: any JSON as the answer
        :param accept: whether a valid message is accepted despite such an answer; by default only with
            ``drop="after_accepting"``
        :param path: only requests to this endpoint
        :param recipient: only messages to this number, as people write it
        :raises ValueError: if such a fault is impossible; the text names the parameter
        """
        parameters = locals()
        given = {name: value for name, value in parameters.items() if name != "self" and value is not None}
        fault = read(Fault, given)
        self._vendor.faults.add(fault)
