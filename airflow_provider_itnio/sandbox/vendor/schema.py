"""The vendor's and WhatsApp's rules for messages, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BY_PAGE = "the page requires it"
BY_WHATSAPP = "WhatsApp would drop this message"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """
    The rules for a value.

    :param missing: the vendor's code if it is missing or empty; None if there is no such code
    :param needed: who requires it although there is no such code; empty if it is optional
    """

    missing: int | None = None
    needed: str = ""


@dataclass(frozen=True, kw_only=True)
class Text(Rule):
    """
    A text.

    :param longest: the most characters; None for no limit
    :param link: whether it is a link, whose form the vendor checks
    :param one_of: the valid values; empty for any
    :param one_line: whether WhatsApp forbids line breaks, tabs and more than four spaces in a row
    :param degrees: the largest absolute value of a coordinate in decimal degrees; 0 for other texts
    """

    longest: int | None = None
    link: bool = False
    one_of: tuple[str, ...] = ()
    one_line: bool = False
    degrees: int = 0


@dataclass(frozen=True)
class Object(Rule):
    """An object; without ``fields``, its content is not checked here."""

    fields: Mapping[str, Rule] | None = None


@dataclass(frozen=True)
class Array(Rule):
    """A list, with or without a limit of its length."""

    of: Rule
    most: int | None = field(default=None, kw_only=True)


def _link(missing: int | None) -> Text:
    return Text(missing=missing, link=True)


def _required(longest: int | None = None, one_of: tuple[str, ...] = ()) -> Text:
    return Text(needed=BY_WHATSAPP, longest=longest, one_of=one_of)


def _texts(*names: str) -> dict[str, Rule]:
    return {name: Text() for name in names}


def _body(longest: int) -> Object:
    return Object({"text": _required(longest)}, needed=BY_WHATSAPP)


CAPTION = Text(longest=1024)
CONTEXT = Object(_texts("refMessageId"))
FOOTER = Object({"text": _required(60)})

ROW = Object({"id": _required(200), "title": _required(24), "description": Text(longest=72)})
SECTION = Object({"title": Text(longest=24, needed=BY_PAGE), "rows": Array(ROW, needed=BY_WHATSAPP)})
LIST = Object(
    {
        "type": Text(),
        "header": Object({"type": _required(one_of=("text",)), "text": _required(60)}),
        "body": _body(4096),
        "footer": FOOTER,
        "action": Object(
            {"button": _required(20), "sections": Array(SECTION, most=10, needed=BY_WHATSAPP)},
            needed=BY_WHATSAPP,
        ),
    }
)

BUTTON = Object(
    {
        "type": _required(one_of=("reply",)),
        "reply": Object({"id": _required(256), "title": _required(20)}, needed=BY_WHATSAPP),
    }
)
BUTTONS = Object(
    {
        "type": Text(),
        "header": Object(
            {
                "type": _required(one_of=("text", "image", "video", "document")),
                "text": Text(longest=60),
                "image": Object({"link": _required()}),
                "video": Object({"link": _required()}),
                "document": Object({"link": _required(), "filename": Text()}),
            }
        ),
        "body": _body(1024),
        "footer": FOOTER,
        "action": Object({"buttons": Array(BUTTON, most=3, needed=BY_WHATSAPP)}, needed=BY_WHATSAPP),
    }
)

INTERACTIVE: Mapping[str, Object] = {
    "list": LIST,
    "button": BUTTONS,
    "location_request_message": Object(
        {
            "type": Text(),
            "body": _body(1024),
            "action": Object({"name": _required(one_of=("send_location",))}, needed=BY_WHATSAPP),
        }
    ),
}

HOME_OR_WORK = {"type": Text(one_of=("HOME", "WORK"))}
PHONE_TYPE = {"type": Text(one_of=("CELL", "MAIN", "IPHONE", "HOME", "WORK"))}
NAMES = _texts("first_name", "last_name", "middle_name", "suffix", "prefix")
ADDRESS = _texts("street", "city", "state", "zip", "country", "country_code")
CONTACT = Object(
    {
        "name": Object({"formatted_name": _required(), **NAMES}, needed=BY_WHATSAPP),
        "birthday": Text(),
        "addresses": Array(Object({**ADDRESS, **HOME_OR_WORK})),
        "emails": Array(Object({**_texts("email"), **HOME_OR_WORK})),
        "org": Object(_texts("company", "department", "title")),
        "phones": Array(Object({**_texts("phone", "wa_id"), **PHONE_TYPE})),
        "urls": Array(Object({**_texts("url"), **HOME_OR_WORK})),
    }
)

CUSTOM: Mapping[str, Rule] = {
    "text": Object({"body": Text(missing=-115, longest=4096)}, missing=-114),
    "image": Object({"link": _link(-117), "caption": CAPTION}, missing=-116),
    "audio": Object({"link": _link(-119)}, missing=-118),
    "video": Object({"link": _link(-121), "caption": CAPTION}, missing=-120),
    "sticker": Object({"link": _link(-123)}, missing=-122),
    "document": Object(
        {"link": _link(-125), "filename": Text(needed=BY_PAGE), "caption": CAPTION}, missing=-124
    ),
    "location": Object(
        {
            "longitude": Text(degrees=180, missing=-128),
            "latitude": Text(degrees=90, missing=-129),
            "name": Text(needed=BY_PAGE),
            "address": Text(needed=BY_PAGE),
        },
        missing=-127,
    ),
    "interactive": Object(needed=BY_WHATSAPP),
    "contacts": Array(CONTACT, most=257, needed=BY_WHATSAPP),
}
"""The types of the custom message; for ``interactive``, see ``INTERACTIVE``."""

TEMPLATE = Object(
    {
        "name": Text(missing=-8, longest=512),
        "language": Object({"code": Text(missing=-8)}, missing=-8),
        "components": Array(Object()),
    },
    missing=-8,
)

COMPONENT = Object(
    {
        "type": _required(one_of=("header", "body", "button")),
        "sub_type": Text(one_of=("url", "quick_reply")),
        "index": Text(one_of=tuple("0123456789")),
        "parameters": Array(Object()),
    }
)

PARAMETER_TYPES: Mapping[str, tuple[str, ...]] = {
    "header": ("text", "image", "video", "document", "location"),
    "body": ("text", "currency", "date_time"),
    "button url": ("text",),
    "button quick_reply": ("payload",),
}
"""The types of parameters that each component of a WhatsApp template accepts."""

PARAMETER_VALUES: Mapping[str, Rule] = {
    "text": Text(missing=-135, one_line=True),
    "payload": Text(missing=-135),
    "image": Object({"link": _link(-135)}, missing=-135),
    "video": Object({"link": _link(-135)}, missing=-135),
    "document": Object({"link": _link(-135), "filename": Text()}, missing=-135),
    "location": Object(
        {
            "latitude": Text(degrees=90, missing=-135),
            "longitude": Text(degrees=180, missing=-135),
            "name": Text(),
            "address": Text(),
        },
        missing=-135,
    ),
    "currency": Object(missing=-135),
    "date_time": Object(missing=-135),
}
