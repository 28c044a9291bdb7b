"""What to change when the vendor refuses a request: one line for each code, for people who use Airflow."""

from __future__ import annotations

from .vendor_codes import BALANCE_PATH

KEYS = "login (Api-Key) and password (secret) of the Airflow connection are to be those of the account"
"""What to change if key or secret is another one."""

CLOCK = "set the clock of the machine that sends; Timestamp holds Unix seconds, read once for each request"
"""What to change if the clock is wrong."""

_LATER = "nothing is wrong with the request; send it again later"
_ACCOUNT = "nothing in the request; the vendor's support has to change the account"
_ADDRESS = "have the address that your requests come from allowed for the account"
_RECIPIENT = "give the recipient with country code, 7 to 14 digits and nothing else"
_BUSINESS = "give business_phone of the connection, or of the task, with country code, 7 to 14 digits"

OF_HTTP: dict[int, str] = {
    404: "write the host of the connection up to where the vendor's path begins, which is /wa or /sms",
    405: "send by POST, and ask for the balance by GET",
    413: "send less: no message of WhatsApp is so large",
}
"""What to change if the sandbox, as a web server, takes no such request."""

OF_SEND: dict[int, str] = {
    -1: KEYS,
    -4: CLOCK,
    -5: _LATER,
    -6: _ADDRESS,
    -7: "send one JSON object in UTF-8, each field in the type that the vendor's page gives it",
    -8: "compare the named field with the vendor's page",
    -10: "set app_id of the connection, or of the task, to an application of the account",
    -12: _LATER,
    -14: _ACCOUNT,
    -44: "name a WhatsApp template that is approved in this language, with the code it was registered under",
    -68: "top up the account",
    -69: "have the vendor add a rate for the recipient's country",
    -70: _RECIPIENT,
    -71: _RECIPIENT,
    -72: _RECIPIENT,
    -93: _BUSINESS,
    -94: _BUSINESS,
    -95: _BUSINESS,
    -96: "set business_phone of the connection, or of the task, to a number of the account",
    -97: "connect the business number again in the vendor's console",
    -112: "send channelType as the number 0",
    -114: "give text, an object with a body",
    -115: "give text.body at least one character",
    -116: "give image, an object with a link",
    -117: "give image.link the address of a JPEG or PNG",
    -118: "give audio, an object with a link",
    -119: "give audio.link the address of a sound file",
    -120: "give video, an object with a link",
    -121: "give video.link the address of an MP4 or 3GPP file",
    -122: "give sticker, an object with a link",
    -123: "give sticker.link the address of a WebP file",
    -124: "give document, an object with link and filename",
    -125: "give document.link the address of the file",
    -127: "give location, an object with longitude, latitude, name and address",
    -128: "give location.longitude in decimal degrees",
    -129: "give location.latitude in decimal degrees",
    -132: "name in type the one object that the message holds; a WhatsApp template has its own endpoint",
    -133: "give a link that begins with http:// or https:// and holds no blanks",
    -134: "give each parameter a type that its place in the WhatsApp template takes",
    -135: "give each parameter of the WhatsApp template a value",
}

OF_BALANCE: dict[int, str] = {
    -1: KEYS,
    -2: _ADDRESS,
    -12: _LATER,
    -13: _ACCOUNT,
    -15: "ask less often",
    -16: CLOCK,
    -18: _LATER,
    -29: _ACCOUNT,
    -30: _ACCOUNT,
    -31: _ADDRESS,
    -32: _ACCOUNT,
}


def advice_on(path: str, status: int) -> str:
    """
    Say what to change after a refusal.

    :param path: the endpoint
    :param status: the code that was answered
    :return: the advice; empty for a code that the vendor's pages do not list
    """
    return (OF_BALANCE if path == BALANCE_PATH else OF_SEND).get(status, "")
