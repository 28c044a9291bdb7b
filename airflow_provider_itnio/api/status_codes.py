"""The error class of each status code of the vendor, and whether it is transient.

``status_texts`` has the meanings. The same number has different meanings on ``wa/*`` and ``sms/*``, so a code
is always looked up in the table of the endpoint that answered. A code that is not listed is a refusal that is
not retried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from airflow_provider_itnio import status_texts
from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ContentError,
    PlatformError,
    RecipientError,
    RefusedError,
    SenderError,
)

_AFFECTING_ALL = (AuthenticationError, AccountError, SenderError)


class StatusCode(NamedTuple):
    """One status code.

    :param code: the number.
    :param meaning: what it means.
    :param advice: what to do about it; empty if the meaning makes that clear.
    :param error_class: the error to raise.
    :param transient: whether the same request may be accepted later without a change.
    :param clock: whether the request's timestamp was too far from the server's time.
    :param recipient_specific: whether the code is about this recipient only.
    """

    code: int
    meaning: str
    advice: str
    error_class: type[RefusedError]
    transient: bool = False
    clock: bool = False
    recipient_specific: bool = False

    @property
    def affects_all(self) -> bool:
        """Whether any other message would be refused with the same code."""
        return issubclass(self.error_class, _AFFECTING_ALL) and not self.recipient_specific


def _table(
    texts: Mapping[int, status_texts.StatusText],
    codes: Mapping[type[RefusedError], Collection[int]],
    *,
    transient: Collection[int],
    clock: Collection[int],
    recipient_specific: Collection[int] = (),
) -> Mapping[int, StatusCode]:
    return {
        code: StatusCode(
            code, *texts[code], error_class, code in transient, code in clock, code in recipient_specific
        )
        for error_class, numbers in codes.items()
        for code in numbers
    }


MESSAGE_CODES: Final = _table(
    status_texts.MESSAGE_TEXTS,
    {
        AuthenticationError: (-1, -4, -6, -16, -30, -31, -32),
        AccountError: (-10, -13, -14, -68, -69),
        SenderError: range(-97, -92),
        RecipientError: (-70, -71, -72),
        ContentError: (
            *(-2, -7, -8, -38, -44, -74, -76, -83, -112, *range(-125, -113), *range(-129, -126)),
            *range(-135, -131),
        ),
        PlatformError: (-5, -12, -18),
    },
    transient=(-5, -12, -18),
    clock=(-4, -16),
    recipient_specific=(-69,),
)
"""Codes of ``wa/custom/sendMsg`` and ``wa/template/sendMsg``."""

BALANCE_CODES: Final = _table(
    status_texts.BALANCE_TEXTS,
    {
        AuthenticationError: (-1, -2, -16, -30, -31, -32),
        AccountError: (-13, -29),
        PlatformError: (-12, -15, -18),
    },
    transient=(-12, -15, -18),
    clock=(-16,),
)
"""Codes of ``sms/getBalance``."""


def status_code(table: Mapping[int, StatusCode], code: int) -> StatusCode:
    """Look a code up.

    :param table: the table of the endpoint that answered.
    :param code: the ``status`` of the answer.
    :return: its entry; for an unlisted code, an entry that says that it is not documented.
    """
    return table.get(code) or StatusCode(code, "not a documented code", "ask Itniotech", RefusedError)
