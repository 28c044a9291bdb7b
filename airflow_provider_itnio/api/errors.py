"""The errors of sending, waiting and asking.

``ItnioError`` is the root. Below it are what is found before anything is sent (the message, a
parameter or the configuration is invalid), and the outcomes of a message: it was not sent, it was refused,
its outcome is unknown, or it was accepted and not delivered.
"""

from __future__ import annotations

__all__ = [
    "AccountError",
    "AuthenticationError",
    "ConfigurationError",
    "ContentError",
    "FileUnavailableError",
    "InvalidMessageError",
    "InvalidParameterError",
    "ItnioError",
    "NotDeliveredError",
    "NotSentError",
    "PlatformError",
    "ReceiverAccessError",
    "ReceiverError",
    "RecipientError",
    "RecordError",
    "RefusedError",
    "SenderError",
    "UnknownOutcomeError",
    "is_marked_as_not_sent",
    "mark_as_not_sent",
]


_NAMED = 20
"""Broken rules that an error names."""


class ItnioError(Exception):
    """Anything that kept a message from being accepted by Itniotech."""

    where: str = ""
    """Which task or notifier of a DAG file could not be made, as in ``task 'tell_finance'``."""

    others: str = ""
    """What became of a broadcast's other messages, where the error of one has ended it."""

    def __str__(self) -> str:
        words = super().__str__()
        if self.others:
            words = f"{words}. {self.others}"
        return f"{self.where}: {words}" if self.where else words


class InvalidMessageError(ItnioError, ValueError):
    """The message breaks a rule of its type. Raised before anything is sent.

    :param problems: one sentence for each broken rule, each with the field's path, the limit and what was
        given: ``interactive.action.buttons: at most 3 buttons, 4 given``.
    """

    def __init__(self, *problems: str) -> None:
        more = len(problems) - _NAMED
        super().__init__("; ".join(problems[:_NAMED]) + (f"; and {more:,} more" if more > 0 else ""))
        self.problems: tuple[str, ...] = problems


class InvalidParameterError(ItnioError, ValueError):
    """A parameter beside the message is out of its range. Raised before anything is sent."""


class ConfigurationError(ItnioError):
    """A connection, or a setting of one, is missing or unusable. Raised before anything is sent."""


IF_IT_IS_THERE = "If it is there, Airflow or its secrets backend did not answer; see the log above"
"""Of a connection. Airflow says the same of one that there is not, and of one that it could not look up."""


class ConnectionLookupError(ConfigurationError):
    """Airflow gave no such connection: there is none, or what keeps it did not answer just now.

    The task's retries, or a wait, look it up again.

    :param message: which connection there is not, and the next step.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}. {IF_IT_IS_THERE}")


class ReceiverAccessError(ConfigurationError):
    """What answers at the receiver's address does not know the token, or is no receiver.

    Before a message that is the connection's fault. During a wait it may pass: a proxy answers so while the
    receiver restarts, and the receiver itself while its token is changed.
    """


class NotSentError(ItnioError):
    """The message did not reach Itniotech, or was turned away unread: it may be sent again.

    That is certain where there was no connection, and after HTTP 429. After HTTP 503 it is only probable: a
    gateway may answer so to a message that it has passed on. With ``delivery="at_most_once"`` a 503 is an
    ``UnknownOutcomeError`` instead.

    :param message: what happened, in words.
    :param try_again: whether waiting may help within this try of the task. It is false for a certificate
        that does not verify.
    :param retry_after: seconds that the answer asked to wait, ``None`` if it asked for nothing.
    :param http_status: the answer's HTTP code, ``None`` if there was no answer.
    """

    def __init__(
        self,
        message: str,
        *,
        try_again: bool = True,
        retry_after: float | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.try_again = try_again
        self.retry_after = retry_after
        self.http_status = http_status


class FileUnavailableError(NotSentError):
    """The storage or the server of a message's file can't be reached just now. Nothing was sent."""


class UnknownOutcomeError(ItnioError):
    """The request left and no documented answer came: the message may have been accepted or not.

    The API has no request for this, so sending again may message a person twice.

    :param message: what happened, in words.
    :param http_status: the answer's HTTP code, ``None`` if there was no answer.
    """

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


class NotDeliveredError(ItnioError):
    """Itniotech accepted the message, and it did not reach the status that was waited for.

    :param message: what happened, in words.
    :param status: ``failed`` if WhatsApp has given it up. Else the time was over, and the last status that
        the receiver knew: ``none``, ``sent`` or ``delivered``.
    :param code: WhatsApp's code of the failure, ``None`` if it named none that is known.
    """

    def __init__(self, message: str, *, status: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ReceiverError(ItnioError):
    """``itnio-receiver`` could not be asked, or gave no answer of its own.

    :param message: what happened, in words.
    :param http_status: the answer's HTTP code, ``None`` if there was no answer.
    """

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


MAY_PASS = (ReceiverError, ReceiverAccessError, ConnectionLookupError)
"""What a wait goes on over: the receiver or a secrets backend is away, restarts, or gets another token."""


class RecordError(ItnioError):
    """Airflow's task state store did not take or give what the record needs."""


class RefusedError(ItnioError):
    """Itniotech refused the message. It was not sent.

    :param message: code, meaning, advice and the answer's own reason, in words.
    :param code: the vendor's status code, ``None`` if the answer had none.
    :param meaning: what the code means, in English.
    :param reason: the answer's own words, shortened.
    :param http_status: the answer's HTTP code.
    :param transient: whether the same request may be accepted later without a change.
    :param affects_all: whether any other message would be refused as this one was.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        meaning: str = "",
        reason: str = "",
        http_status: int | None = None,
        transient: bool = False,
        affects_all: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.meaning = meaning
        self.reason = reason
        self.http_status = http_status
        self.transient = transient
        self.affects_all = affects_all


class AuthenticationError(RefusedError):
    """The Api-Key, the secret, the clock or the address the request came from was not accepted."""


class AccountError(RefusedError):
    """The account can't send this: balance, price, verification, application or a lock."""


class SenderError(RefusedError):
    """The business phone can't send."""


class RecipientError(RefusedError):
    """The recipient's number is not acceptable."""


class ContentError(RefusedError):
    """The message itself is not acceptable."""


class PlatformError(RefusedError):
    """The fault is on the vendor's side."""


def mark_as_not_sent(ended: BaseException) -> None:
    """Note on an error from outside that it ended a message while nothing of it was on its way.

    :param ended: a timeout of the task, a cancellation, Ctrl-C.
    """
    ended._itnio_not_sent = True  # type: ignore[attr-defined]


def is_marked_as_not_sent(ended: BaseException) -> bool:
    """Return whether an error that ended a message came while nothing of it was on its way.

    Between two tries, and as long as there is no connection, it is certain that the message was not sent.

    :param ended: what the sending raised.
    """
    return getattr(ended, "_itnio_not_sent", False)
