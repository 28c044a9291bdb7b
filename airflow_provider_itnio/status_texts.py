"""The meaning of each status code of Itniotech and of WhatsApp, and what to do about it.

The same number means different things on ``wa/*`` and on ``sms/*``. Assumed, not documented: -1 to -14 of the
send endpoints mean the same as on other WhatsApp pages; -16 to -18 and -30 to -32 of them, and -12, -15 and
-29 to -32 of ``sms/getBalance``, the same as on account pages. Standard library only: the sandbox imports it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple


class StatusText(NamedTuple):
    """A status code's meaning, and what to do if the meaning does not already say it."""

    meaning: str
    advice: str = ""


_KEYS: Final = "check the connection's Api-Key (login) and secret (password)"
_CLOCK: Final = "set the clock of the machine that sends; Timestamp is in Unix seconds"
_ADDRESS: Final = "ask Itniotech to allow the IP address that your requests come from"
_ITNIOTECH: Final = "ask Itniotech to change the account"
_LATER: Final = "nothing is wrong with the request; send it again later"
_APP_ID: Final = "set app_id of the connection, or of the task, to an application of the account"
_RECIPIENT: Final = "give the recipient with country code, 7 to 14 digits"
_BUSINESS_PHONE: Final = "set business_phone of the connection, or of the task, to a number of the account"
_EMPTY_OBJECT: Final = "give {}, an object with a link"

_EXPIRED = StatusText("timestamp expired", _CLOCK)
_KEY_DISABLED = StatusText("Api-Key disabled", _ITNIOTECH)
_NOT_IN_LIST = StatusText("IP address not in the allow list", _ADDRESS)
_NO_PERMISSION = StatusText("Api-Key has no permission for this application", _APP_ID)

MESSAGE_TEXTS: Final[Mapping[int, StatusText]] = {
    -1: StatusText("authentication failed", _KEYS),
    -2: StatusText("WhatsApp template is in a state that does not allow this", "see its state at Itniotech"),
    -4: _EXPIRED,
    -5: StatusText("system exception", _LATER),
    -6: StatusText("IP address not allowed", _ADDRESS),
    -7: StatusText("request could not be parsed", "send one JSON object in UTF-8, each field in its type"),
    -8: StatusText("a parameter is not valid", "compare the named field with Itniotech's page"),
    -10: StatusText("application does not exist", _APP_ID),
    -12: StatusText("network exception on the platform", _LATER),
    -13: StatusText("account locked", _ITNIOTECH),
    -14: StatusText("account not verified", "finish the account's verification"),
    -16: _EXPIRED,
    -18: StatusText("system exception", _LATER),
    -30: _KEY_DISABLED,
    -31: _NOT_IN_LIST,
    -32: _NO_PERMISSION,
    -38: StatusText("WhatsApp template not found", "check the template's name"),
    -44: StatusText("WhatsApp template has no such language", "use a language in which it is approved"),
    -68: StatusText("balance too low", "top up the account"),
    -69: StatusText("no price exists for this destination", "ask Itniotech for a rate to this country"),
    -70: StatusText("recipient number is longer than 14 digits", _RECIPIENT),
    -71: StatusText("recipient number is shorter than 7 digits", _RECIPIENT),
    -72: StatusText("recipient number must be digits only", _RECIPIENT),
    -74: StatusText("language code is malformed", "give a code such as en or zh_TW"),
    -76: StatusText("type is not valid"),
    -83: StatusText("parameter is malformed"),
    -93: StatusText("business phone is longer than 14 digits", _BUSINESS_PHONE),
    -94: StatusText("business phone is shorter than 7 digits", _BUSINESS_PHONE),
    -95: StatusText("business phone must be digits only", _BUSINESS_PHONE),
    -96: StatusText("business phone does not exist", _BUSINESS_PHONE),
    -97: StatusText("business phone is in a wrong state", "ask Itniotech to connect it again"),
    -112: StatusText("channelType may only be 0", "send channelType as the number 0"),
    -114: StatusText("text is empty", "give text, an object with a body"),
    -115: StatusText("text.body is empty", "give text.body at least one character"),
    -116: StatusText("image is empty", _EMPTY_OBJECT.format("image")),
    -117: StatusText("image.link is empty", "give image.link the address of a JPEG or PNG"),
    -118: StatusText("audio is empty", _EMPTY_OBJECT.format("audio")),
    -119: StatusText("audio.link is empty", "give audio.link the address of a sound file"),
    -120: StatusText("video is empty", _EMPTY_OBJECT.format("video")),
    -121: StatusText("video.link is empty", "give video.link the address of an MP4 or 3GPP file"),
    -122: StatusText("sticker is empty", _EMPTY_OBJECT.format("sticker")),
    -123: StatusText("sticker.link is empty", "give sticker.link the address of a WebP file"),
    -124: StatusText("document is empty", "give document, an object with link and filename"),
    -125: StatusText("document.link is empty", "give document.link the address of the file"),
    -127: StatusText(
        "location is empty", "give location, an object with longitude, latitude, name and address"
    ),
    -128: StatusText("location.longitude is empty", "give location.longitude in decimal degrees"),
    -129: StatusText("location.latitude is empty", "give location.latitude in decimal degrees"),
    -132: StatusText("unknown message type", "set type to the name of the message's only object"),
    -133: StatusText("link is not a well-formed address", "start it with https://, without blanks"),
    -134: StatusText("a parameter has a wrong type", "give it the type of its place in the template"),
    -135: StatusText("a parameter's value is empty", "give each parameter of the WhatsApp template a value"),
}
"""Codes of ``wa/custom/sendMsg`` and ``wa/template/sendMsg``."""

BALANCE_TEXTS: Final[Mapping[int, StatusText]] = {
    -1: StatusText("authentication failed", _KEYS),
    -2: StatusText("IP address not allowed", _ADDRESS),
    -12: StatusText("an error on the platform's side", _LATER),
    -13: StatusText("account locked", _ITNIOTECH),
    -15: StatusText("too many requests", "wait a minute"),
    -16: _EXPIRED,
    -18: StatusText("system exception", _LATER),
    -29: StatusText("workspace disabled", _ITNIOTECH),
    -30: _KEY_DISABLED,
    -31: _NOT_IN_LIST,
    -32: _NO_PERMISSION,
}
"""Codes of ``sms/getBalance``."""

_RECIPIENT_LIMIT: Final = (
    "wait a few minutes between messages to one recipient; WhatsApp takes about one in six seconds"
)
_TEMPLATE_VALUES: Final = "compare the values with the template at Itniotech"
_MEDIA: Final = "check that the link can be opened from the internet, and the file's type and size"
_RATE: Final = "send fewer messages a second (messages_per_second of a broadcast)"

WHATSAPP_TEXTS: Final[Mapping[int, StatusText]] = {
    4: StatusText("too many requests from the application", _RATE),
    368: StatusText("account blocked for a violation of WhatsApp's policy", _ITNIOTECH),
    470: StatusText("the recipient has not written in the last 24 hours", "send a WhatsApp template"),
    80007: StatusText("too many requests from the WhatsApp account", _RATE),
    130429: StatusText("too many messages a second", _RATE),
    130472: StatusText(
        "the recipient is part of a WhatsApp experiment", "use another channel for this recipient"
    ),
    131000: StatusText("an error on WhatsApp's side", _LATER),
    131005: StatusText("the business phone has no permission", _ITNIOTECH),
    131008: StatusText("a parameter is missing", "compare the message with Itniotech's page"),
    131009: StatusText("a parameter's value is not valid", "compare the message with Itniotech's page"),
    131016: StatusText("WhatsApp's service is not available", _LATER),
    131021: StatusText("recipient and business phone are the same number", "send to another number"),
    131026: StatusText(
        "the message can't be delivered",
        "check that the number has WhatsApp, a recent version, and has accepted WhatsApp's terms",
    ),
    131031: StatusText("account locked", _ITNIOTECH),
    131037: StatusText("the display name of the business phone is not approved", _ITNIOTECH),
    131042: StatusText("the account has a problem with its payment", _ITNIOTECH),
    131045: StatusText("the business phone is not registered", _ITNIOTECH),
    131047: StatusText("the recipient has not written in the last 24 hours", "send a WhatsApp template"),
    131048: StatusText("too many recipients have blocked or reported the business phone", _ITNIOTECH),
    131049: StatusText(
        "WhatsApp limits the marketing messages to this recipient", "do not send it again within a day"
    ),
    131050: StatusText("the recipient has stopped marketing messages", "use another channel for them"),
    131051: StatusText("WhatsApp does not support this type of message", "send another type"),
    131052: StatusText("WhatsApp could not download the file", _MEDIA),
    131053: StatusText("WhatsApp could not process the file", _MEDIA),
    131056: StatusText("too many messages to this recipient", _RECIPIENT_LIMIT),
    131057: StatusText("the WhatsApp account is under maintenance", _LATER),
    132000: StatusText("the number of values differs from the WhatsApp template's", _TEMPLATE_VALUES),
    132001: StatusText(
        "no such WhatsApp template in this language", "check name, language and state of the template"
    ),
    132005: StatusText("the WhatsApp template with its values is too long", "shorten the values"),
    132007: StatusText("the WhatsApp template violates WhatsApp's policy", "change it at Itniotech"),
    132012: StatusText("a value does not match the WhatsApp template's format", _TEMPLATE_VALUES),
    132015: StatusText("the WhatsApp template is paused for low quality", "change it at Itniotech"),
    132016: StatusText("the WhatsApp template is disabled for low quality", "make a new one at Itniotech"),
}
"""WhatsApp's codes for messages that failed after Itniotech accepted them, from Meta's documentation. It is
assumed that ``failure`` of a status push contains them."""

WINDOW_CODES: Final = (470, 131047)
"""The codes of a message outside the 24-hour window."""

_CODE: Final = re.compile(r"(?<![\d.])(\d{1,6})(?!\.?\d)")
_NAMED_CODE: Final = re.compile(r"code\W{0,4}(\d{1,6})(?!\.?\d)", re.IGNORECASE)
_OUTSIDE_WINDOW: Final = re.compile(
    r"\bre\W?engagement message\b|more than 24 hours have passed since the (customer|recipient) last replied",
    re.IGNORECASE,
)
"""Meta's title and text of 131047, for a ``failure`` without the number."""


def whatsapp_code(failure: str) -> int | None:
    """Return the WhatsApp code in a reason, ``None`` if it contains no known code.

    :param failure: ``failure`` of a status push, as a text or JSON.
    """
    for number in (*_NAMED_CODE.findall(failure), *_CODE.findall(failure)):
        if (code := int(number)) in WHATSAPP_TEXTS:
            return code
    return 131047 if _OUTSIDE_WINDOW.search(failure) else None


def describe_failure(failure: str) -> str:
    """Return a reason with its meaning and what to do about it.

    :param failure: ``failure`` of a status push; empty if it has none.
    """
    code = whatsapp_code(failure)
    if code is None:
        return failure or "no reason given"
    meaning, advice = WHATSAPP_TEXTS[code]
    original = "" if failure.strip() == str(code) else f" ({failure})"
    return f"{code}, {meaning}: {advice}{original}"
