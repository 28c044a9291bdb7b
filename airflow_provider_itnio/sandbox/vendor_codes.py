"""The vendor's status codes in English, per endpoint, as the sandbox reads the vendor's pages."""

from __future__ import annotations

CUSTOM_PATH = "/wa/custom/sendMsg"
TEMPLATE_PATH = "/wa/template/sendMsg"
BALANCE_PATH = "/sms/getBalance"

SEND_CODES: dict[int, str] = {
    0: "success",
    # Not on the page of the send call: the numbering of the neighbouring pages under wa/.
    -1: "authentication failed",
    -4: "timestamp expired",
    -5: "system error",
    -6: "this IP address is not allowed",
    -7: "the JSON could not be read",
    -8: "a parameter is not valid",
    -10: "the application does not exist",
    -12: "network error, try again later",
    -14: "the account is not verified",
    -44: "the template does not exist in this language",
    # From here on the page of the send call itself.
    -68: "insufficient balance",
    -69: "there is no rate for this destination",
    -70: "the recipient's number is longer than 14 digits",
    -71: "the recipient's number is shorter than 7 digits",
    -72: "the recipient's number may hold digits only",
    -93: "the business number is longer than 14 digits",
    -94: "the business number is shorter than 7 digits",
    -95: "the business number may hold digits only",
    -96: "the business number does not exist",
    -97: "the business number is in a wrong state",
    -112: "channelType can only be 0",
    -114: "text is empty",
    -115: "the body of the text is empty",
    -116: "image is empty",
    -117: "the link of the image is empty",
    -118: "audio is empty",
    -119: "the link of the audio is empty",
    -120: "video is empty",
    -121: "the link of the video is empty",
    -122: "sticker is empty",
    -123: "the link of the sticker is empty",
    -124: "document is empty",
    -125: "the link of the document is empty",
    -127: "location is empty",
    -128: "the longitude of the location is empty",
    -129: "the latitude of the location is empty",
    -132: "unknown message type",
    -133: "the link is not a well-formed address",
    -134: "the type of a parameter is wrong",
    -135: "the value of a parameter is empty",
}

BALANCE_CODES: dict[int, str] = {
    0: "success",
    -1: "authentication failed",
    -2: "this IP address is not allowed",
    -12: "the platform could not take the request",
    -13: "the account is locked",
    -15: "asked too often",
    -16: "timestamp expired",
    -18: "system error",
    -29: "the workspace is disabled",
    -30: "the API key is disabled",
    -31: "this IP address is not on the list of allowed ones",
    -32: "the API key may not use this application",
}

CODES: dict[str, dict[int, str]] = {
    CUSTOM_PATH: SEND_CODES,
    TEMPLATE_PATH: SEND_CODES,
    BALANCE_PATH: BALANCE_CODES,
}

EXPIRED: dict[str, int] = {CUSTOM_PATH: -4, TEMPLATE_PATH: -4, BALANCE_PATH: -16}
"""What each endpoint answers to a timestamp outside the tolerance."""


def meaning_of(path: str, status: int) -> str:
    """
    Say in English what a status means at an endpoint.

    :param path: the endpoint, such as ``/wa/custom/sendMsg``
    :param status: the code, 0 or negative
    :return: the meaning, or that the vendor's pages do not list the code
    """
    return CODES[path].get(status, "a code that the vendor's page does not list")
