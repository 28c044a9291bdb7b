"""Every status code the vendor documents, one table per endpoint: its meaning, its family, whether it passes.

The same number means different things on ``wa/*`` and on ``sms/*``, so a code is always looked up in the
table of the endpoint that answered. A code that is not listed is refused and not tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ContentError,
    PlatformError,
    RecipientError,
    RefusedError,
    SenderError,
)

__all__ = ["BALANCE_CODES", "MESSAGE_CODES", "StatusCode", "status_code"]


_OF_ALL_MESSAGES = (AuthenticationError, AccountError, SenderError)


class StatusCode(NamedTuple):
    """What one status code says."""

    code: int
    meaning: str
    error_class: type[RefusedError]
    advice: str = ""
    """What a person can do about it; empty where the meaning says it already."""
    transient: bool = False
    """Whether the same request may be accepted later although nobody changes anything."""
    clock: bool = False
    """Whether the time in the request was too far from the server's."""
    recipient_specific: bool = False
    """Whether the account can't send this to the one recipient, but may to others."""

    @property
    def affects_all(self) -> bool:
        """Whether any other message would be refused with the same code."""
        return issubclass(self.error_class, _OF_ALL_MESSAGES) and not self.recipient_specific


_KEYS = "check the connection's Api-Key (login) and secret (password)"
_CLOCK = "set this machine's clock, for example with NTP"
_ADDRESS = "ask Itniotech to allow the address this machine sends from"
_APPLICATION = "check app_id"
_BUSINESS_PHONE = "check business_phone"
_ITNIOTECH = "ask Itniotech"
_LATER = "nothing to change: try again later"


def _table(*codes: StatusCode) -> Mapping[int, StatusCode]:
    return {status.code: status for status in codes}


MESSAGE_CODES = _table(
    # Shared by the WhatsApp pages.
    StatusCode(-1, "authentication failed", AuthenticationError, _KEYS),
    StatusCode(-4, "timestamp expired", AuthenticationError, _CLOCK, clock=True),
    StatusCode(-5, "system exception", PlatformError, _LATER, transient=True),
    StatusCode(-6, "IP address not allowed", AuthenticationError, _ADDRESS),
    StatusCode(-7, "request could not be parsed", ContentError),
    StatusCode(-8, "a parameter is not valid", ContentError),
    StatusCode(-10, "application does not exist", AccountError, _APPLICATION),
    StatusCode(-12, "network exception on the platform", PlatformError, _LATER, transient=True),
    StatusCode(-13, "account locked", AccountError, _ITNIOTECH),
    StatusCode(-14, "account not verified", AccountError, "finish the account's verification"),
    StatusCode(-16, "timestamp expired", AuthenticationError, _CLOCK, clock=True),
    StatusCode(-18, "system exception", PlatformError, _LATER, transient=True),
    StatusCode(-30, "Api-Key disabled", AuthenticationError, _KEYS),
    StatusCode(-31, "IP address not in the allow list", AuthenticationError, _ADDRESS),
    StatusCode(-32, "Api-Key has no permission for this application", AuthenticationError, _APPLICATION),
    # WhatsApp templates.
    StatusCode(-2, "WhatsApp template is in a state that does not allow this", ContentError),
    StatusCode(-38, "WhatsApp template not found", ContentError),
    StatusCode(-44, "WhatsApp template has no such language", ContentError),
    StatusCode(-74, "language code is malformed", ContentError),
    StatusCode(-76, "type is not valid", ContentError),
    StatusCode(-83, "parameter is malformed", ContentError),
    # The send page.
    StatusCode(-68, "balance too low", AccountError, "top up the account"),
    StatusCode(
        -69, "no price exists for this destination", AccountError, _ITNIOTECH, recipient_specific=True
    ),
    StatusCode(-70, "recipient number is longer than 14 digits", RecipientError),
    StatusCode(-71, "recipient number is shorter than 7 digits", RecipientError),
    StatusCode(-72, "recipient number must be digits only", RecipientError),
    StatusCode(-93, "business phone is longer than 14 digits", SenderError, _BUSINESS_PHONE),
    StatusCode(-94, "business phone is shorter than 7 digits", SenderError, _BUSINESS_PHONE),
    StatusCode(-95, "business phone must be digits only", SenderError, _BUSINESS_PHONE),
    StatusCode(-96, "business phone does not exist", SenderError, _BUSINESS_PHONE),
    StatusCode(-97, "business phone is in a wrong state", SenderError, "connect the business phone again"),
    StatusCode(-112, "channelType may only be 0", ContentError),
    StatusCode(-114, "text is empty", ContentError),
    StatusCode(-115, "text.body is empty", ContentError),
    StatusCode(-116, "image is empty", ContentError),
    StatusCode(-117, "image.link is empty", ContentError),
    StatusCode(-118, "audio is empty", ContentError),
    StatusCode(-119, "audio.link is empty", ContentError),
    StatusCode(-120, "video is empty", ContentError),
    StatusCode(-121, "video.link is empty", ContentError),
    StatusCode(-122, "sticker is empty", ContentError),
    StatusCode(-123, "sticker.link is empty", ContentError),
    StatusCode(-124, "document is empty", ContentError),
    StatusCode(-125, "document.link is empty", ContentError),
    StatusCode(-127, "location is empty", ContentError),
    StatusCode(-128, "location.longitude is empty", ContentError),
    StatusCode(-129, "location.latitude is empty", ContentError),
    StatusCode(-132, "unknown message type", ContentError),
    StatusCode(-133, "link is not a well-formed address", ContentError),
    StatusCode(-134, "a parameter has a wrong type", ContentError),
    StatusCode(-135, "a parameter's value is empty", ContentError),
)
"""Codes of ``wa/custom/sendMsg`` and ``wa/template/sendMsg``.

-1 to -14 are documented for other WhatsApp pages, -16 and -30 to -32 for account pages; that they mean the
same here is assumed.
"""

BALANCE_CODES = _table(
    StatusCode(-1, "authentication failed", AuthenticationError, _KEYS),
    StatusCode(-2, "IP address not allowed", AuthenticationError, _ADDRESS),
    StatusCode(-12, "could not be done for a reason of the platform", PlatformError, _LATER, transient=True),
    StatusCode(-13, "account locked", AccountError, _ITNIOTECH),
    StatusCode(-15, "asked too often", PlatformError, "wait a minute", transient=True),
    StatusCode(-16, "timestamp expired", AuthenticationError, _CLOCK, clock=True),
    StatusCode(-18, "system exception", PlatformError, _LATER, transient=True),
    StatusCode(-29, "workspace disabled", AccountError, _ITNIOTECH),
    StatusCode(-30, "Api-Key disabled", AuthenticationError, _KEYS),
    StatusCode(-31, "IP address not in the allow list", AuthenticationError, _ADDRESS),
    StatusCode(-32, "Api-Key has no permission for this application", AuthenticationError, _APPLICATION),
)
"""Codes of ``sms/getBalance``. -12, -15 and -29 to -32 come from other account pages."""


def status_code(table: Mapping[int, StatusCode], code: int) -> StatusCode:
    """Look a code up.

    :param table: the table of the endpoint that answered.
    :param code: the ``status`` of the answer.
    :return: what the code says; for an unlisted one, that it is not documented.
    """
    return table.get(code) or StatusCode(code, "not a documented code", RefusedError, _ITNIOTECH)
