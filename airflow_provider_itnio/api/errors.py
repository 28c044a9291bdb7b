"""The errors of sending, waiting and asking.

``ItnioError`` is the base class. Some subclasses are raised before anything is sent: the message, a parameter
or the configuration is invalid. The others are outcomes of a message: not sent, refused, unknown, or accepted
but not delivered.
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


_MAX_PROBLEMS = 20
"""How many broken rules an error lists; it counts the rest."""


class ItnioError(Exception):
    """Base class of all errors of this package."""

    where: str = ""
    """The task or notifier of a DAG file that could not be created, as in ``task 'tell_finance'``."""

    others: str = ""
    """The outcome of a broadcast's other messages, if the error of one message stopped the broadcast."""

    def __str__(self) -> str:
        text = super().__str__()
        if self.others:
            text = f"{text}. {self.others}"
        return f"{self.where}: {text}" if self.where else text


class InvalidMessageError(ItnioError, ValueError):
    """The message breaks a rule of its type. Raised before anything is sent.

    :param problems: one sentence for each broken rule, with the field's path, the limit and the value that
        was given: ``interactive.action.buttons: at most 3 buttons, 4 given``.
    """

    def __init__(self, *problems: str) -> None:
        more = len(problems) - _MAX_PROBLEMS
        super().__init__("; ".join(problems[:_MAX_PROBLEMS]) + (f"; and {more:,} more" if more > 0 else ""))
        self.problems: tuple[str, ...] = problems


class InvalidParameterError(ItnioError, ValueError):
    """A parameter other than the message is invalid or out of range. Raised before anything is sent."""


class ConfigurationError(ItnioError):
    """A connection, or one of its settings, is missing or invalid. Raised before anything is sent."""


LOOKUP_HINT = "If it exists, Airflow or its secrets backend did not answer; see the log above"
"""Airflow raises the same error for a connection that does not exist and for one it could not look up."""


class ConnectionLookupError(ConfigurationError):
    """Airflow did not return the connection: it does not exist, or its secrets backend did not answer.

    The task's retries, or a wait, look it up again.

    :param message: the connection that is missing, and the next step.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}. {LOOKUP_HINT}")


class ReceiverAccessError(ConfigurationError):
    """The server at ``receiver_url`` rejects the token (HTTP 401), or is not a receiver (HTTP 404).

    Before a message is sent, this means that the connection is wrong. During a wait it may be temporary: a
    proxy can answer like this while the receiver restarts, and the receiver while its token is changed.
    """


class NotSentError(ItnioError):
    """The message did not reach Itniotech, or was rejected unread: it may be sent again.

    This is certain if there was no connection, and after HTTP 429. After HTTP 503 it is only probable: some
    gateways return 503 for a message that they have forwarded. With ``delivery="at_most_once"`` a 503 raises
    ``UnknownOutcomeError`` instead.

    :param message: what happened.
    :param try_again: whether another attempt may help within this try of the task. It is false for a
        certificate that does not verify.
    :param retry_after: seconds in the answer's ``Retry-After``, ``None`` if it had none.
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
    """The storage or server of a message's file is unreachable at the moment. Nothing was sent."""


class UnknownOutcomeError(ItnioError):
    """The request was sent, but no documented answer came: the message may have been accepted or not.

    The API has no request to find out, so sending again may message the recipient twice.

    :param message: what happened.
    :param http_status: the answer's HTTP code, ``None`` if there was no answer.
    """

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


class NotDeliveredError(ItnioError):
    """Itniotech accepted the message, but it did not reach the status that the task waits for.

    :param message: what happened.
    :param status: ``failed`` if WhatsApp reported a failure. Otherwise the wait timed out, and this is the
        last status that the receiver knows: ``none``, ``sent`` or ``delivered``.
    :param code: WhatsApp's code of the failure, ``None`` if the push has no known code.
    """

    def __init__(self, message: str, *, status: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ReceiverError(ItnioError):
    """``itnio-receiver`` is unreachable, or its answer is not one that it documents.

    :param message: what happened.
    :param http_status: the answer's HTTP code, ``None`` if there was no answer.
    """

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


TRANSIENT = (ReceiverError, ReceiverAccessError, ConnectionLookupError)
"""Errors that do not end a wait: the receiver or a secrets backend is unreachable, restarts or has a new
token."""


class RecordError(ItnioError):
    """The delivery record could not be read from or written to the task's state store."""


class RefusedError(ItnioError):
    """Itniotech refused the message. It was not sent.

    :param message: the code, its meaning, advice, and the reason in the answer.
    :param code: the vendor's status code, ``None`` if the answer had none.
    :param meaning: what the code means, in English.
    :param reason: the reason in the answer, shortened.
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
    """Itniotech rejected the Api-Key, the secret, the timestamp or the IP address of the request."""


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


def mark_as_not_sent(error: BaseException) -> None:
    """Mark an error as one that interrupted a message before any part of its request was sent.

    :param error: a timeout of the task, a cancellation or Ctrl-C.
    """
    error._itnio_not_sent = True  # type: ignore[attr-defined]


def is_marked_as_not_sent(error: BaseException) -> bool:
    """Return whether an error interrupted a message before any part of its request was sent.

    Between two attempts, and before there is a connection, it is certain that the message was not sent.

    :param error: the error that sending raised.
    """
    return getattr(error, "_itnio_not_sent", False)
