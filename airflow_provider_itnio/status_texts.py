"""What each status code of Itniotech means, and what a person can do about it.

The same number means different things on ``wa/*`` and on ``sms/*``. -1 to -14 of the send endpoints are
documented for other WhatsApp pages, -16 to -18 and -30 to -32 for account pages; that they mean the same here
is assumed. So are -12, -15 and -29 to -32 of ``sms/getBalance``. Standard library only: the sandbox reads it
too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class StatusText(NamedTuple):
    """A status code for people: what it means, and what to do if the meaning does not say it already."""

    meaning: str
    advice: str = ""


_KEYS: Final = "check the connection's Api-Key (login) and secret (password)"
_CLOCK: Final = "set the clock of the machine that sends; Timestamp holds Unix seconds"
_ADDRESS: Final = "ask Itniotech to allow the IP address that your requests come from"
_ITNIOTECH: Final = "ask Itniotech: the account has to be changed"
_LATER: Final = "nothing is wrong with the request; send it again later"
_APP_ID: Final = "set app_id of the connection, or of the task, to an application of the account"
_RECIPIENT: Final = "give the recipient with country code, 7 to 14 digits"
_BUSINESS_PHONE: Final = "set business_phone of the connection, or of the task, to a number of the account"
_EMPTY_OBJECT: Final = "give {}, an object with a link"

_EXPIRED = StatusText("timestamp expired", _CLOCK)
_KEY_DISABLED = StatusText("Api-Key disabled", _ITNIOTECH)
_NOT_IN_LIST = StatusText("IP address not in the allow list", _ADDRESS)
_NO_PERMISSION = StatusText("Api-Key has no permission for this application", _APP_ID)

OF_MESSAGES: Final[Mapping[int, StatusText]] = {
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
    -44: StatusText("WhatsApp template has no such language", "name a language that it is approved in"),
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
    -132: StatusText("unknown message type", "name in type the one object that the message holds"),
    -133: StatusText("link is not a well-formed address", "begin it with https:// and leave no blanks in it"),
    -134: StatusText("a parameter has a wrong type", "give it a type that its place in the template takes"),
    -135: StatusText("a parameter's value is empty", "give each parameter of the WhatsApp template a value"),
}
"""Codes of ``wa/custom/sendMsg`` and ``wa/template/sendMsg``."""

OF_BALANCE: Final[Mapping[int, StatusText]] = {
    -1: StatusText("authentication failed", _KEYS),
    -2: StatusText("IP address not allowed", _ADDRESS),
    -12: StatusText("could not be done for a reason of the platform", _LATER),
    -13: StatusText("account locked", _ITNIOTECH),
    -15: StatusText("asked too often", "wait a minute"),
    -16: _EXPIRED,
    -18: StatusText("system exception", _LATER),
    -29: StatusText("workspace disabled", _ITNIOTECH),
    -30: _KEY_DISABLED,
    -31: _NOT_IN_LIST,
    -32: _NO_PERMISSION,
}
"""Codes of ``sms/getBalance``."""
