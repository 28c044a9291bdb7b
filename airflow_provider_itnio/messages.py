"""Messages for DAG authors: short builders for what is long to write, and types for editors.

Each builder returns the plain dict of the parameter its docstring names, so that Airflow can serialise it and
render the Jinja in it. What a message may hold is checked when the operator is made and again when it runs.
Only the standard library is imported: a DAG file pays nothing for this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

__all__ = [
    "MESSAGE_FIELDS",
    "ContactDict",
    "DocumentDict",
    "InteractiveDict",
    "LinkDict",
    "LocationDict",
    "MediaDict",
    "MessageDict",
    "MessageFields",
    "TemplateDict",
    "TextDict",
    "contact_card",
    "list_menu",
    "location_request",
    "reply_buttons",
    "template_message",
]

MESSAGE_FIELDS: Final = (
    "text",
    "image",
    "audio",
    "video",
    "document",
    "sticker",
    "location",
    "interactive",
    "contacts",
    "template",
)
"""The message types, named as the API names them: one parameter each, of which exactly one is given."""


# --- types ------------------------------------------------------------------------------------------------


class TextDict(TypedDict):
    """``text``: a body of at most 4,096 characters."""

    body: str


class LinkDict(TypedDict):
    """``audio``, ``sticker``: a link that WhatsApp can fetch without a login."""

    link: str


class _Caption(TypedDict, total=False):
    caption: str


class MediaDict(LinkDict, _Caption):
    """``image``, ``video``: a link, and a caption of at most 1,024 characters."""


class _Filename(TypedDict, total=False):
    filename: str


class DocumentDict(LinkDict, _Caption, _Filename):
    """``document``: a link, a caption and the name the recipient sees."""


class _LocationLink(TypedDict, total=False):
    link: str


class LocationDict(_LocationLink):
    """``location``: a place, its longitude and latitude in decimal degrees."""

    longitude: str | float
    latitude: str | float
    name: str
    address: str


class BodyDict(TypedDict):
    """The main words of an interactive message, at most 1,024 characters."""

    text: str


class HeaderDict(TypedDict):
    """The line above the body, at most 60 characters."""

    type: Literal["text"]
    text: str


class FooterDict(TypedDict):
    """The small line below the body, at most 60 characters."""

    text: str


class _InteractiveOptions(TypedDict, total=False):
    header: HeaderDict
    footer: FooterDict
    action: dict[str, Any]


class InteractiveDict(_InteractiveOptions):
    """``interactive``: what :func:`reply_buttons`, :func:`list_menu` and :func:`location_request` return."""

    type: Literal["button", "list", "location_request_message"]
    body: BodyDict


class NameDict(TypedDict, total=False):
    """The name on a contact card; ``formatted_name`` is required."""

    formatted_name: str
    first_name: str
    last_name: str
    middle_name: str
    suffix: str
    prefix: str


class AddressDict(TypedDict, total=False):
    """A postal address on a contact card."""

    street: str
    city: str
    state: str
    zip: str
    country: str
    country_code: str
    type: Literal["HOME", "WORK"]


class EmailDict(TypedDict, total=False):
    """An e-mail address on a contact card; ``email`` is required."""

    email: str
    type: Literal["HOME", "WORK"]


class OrganisationDict(TypedDict, total=False):
    """Where the person on a contact card works."""

    company: str
    department: str
    title: str


class PhoneDict(TypedDict, total=False):
    """A phone number on a contact card; ``phone`` is required, ``wa_id`` adds a button to write to it."""

    phone: str
    type: Literal["CELL", "MAIN", "IPHONE", "HOME", "WORK"]
    wa_id: str


class UrlDict(TypedDict, total=False):
    """A web address on a contact card; ``url`` is required."""

    url: str
    type: Literal["HOME", "WORK"]


class _ContactOptions(TypedDict, total=False):
    addresses: list[AddressDict]
    birthday: str
    emails: list[EmailDict]
    org: OrganisationDict
    phones: list[PhoneDict]
    urls: list[UrlDict]


class ContactDict(_ContactOptions):
    """One entry of ``contacts``: what :func:`contact_card` returns."""

    name: NameDict


class LanguageDict(TypedDict):
    """The language of a WhatsApp template, such as ``en`` or ``zh_TW``."""

    code: str


class _TemplateOptions(TypedDict, total=False):
    components: list[dict[str, Any]]


class TemplateDict(_TemplateOptions):
    """``template``: what :func:`template_message` returns."""

    name: str
    language: LanguageDict


class MessageDict(TypedDict, total=False):
    """``message``: exactly one message field, and ``type`` and ``reply_to`` if wanted."""

    type: str
    reply_to: str
    text: str | TextDict
    image: str | MediaDict
    audio: str | LinkDict
    video: str | MediaDict
    document: str | DocumentDict
    sticker: str | LinkDict
    location: LocationDict
    interactive: InteractiveDict
    contacts: list[ContactDict] | ContactDict
    template: TemplateDict


class MessageFields(MessageDict, total=False):
    """What the hook's ``send`` takes beside the recipient: a message, in any of its forms."""

    message: MessageDict


# --- builders ---------------------------------------------------------------------------------------------


def reply_buttons(
    body: str, buttons: Mapping[str, str], *, header: str | None = None, footer: str | None = None
) -> InteractiveDict:
    """Build ``interactive``: a text with up to three buttons to answer by.

    :param body: the main words, at most 1,024 characters.
    :param buttons: title by id, at most 3. A title has at most 20 characters and stands only once; an id has
        at most 256 and comes back when the button is tapped.
    :param header: the line above, at most 60 characters.
    :param footer: the small line below, at most 60 characters.
    :return: the dict of the ``interactive`` parameter.
    :raises TypeError: if what is to be a dict is none.
    """
    _demand(buttons, Mapping, "reply_buttons: buttons", 'a dict of titles by id, as in {"yes": "Yes"}')
    action = {
        "buttons": [{"type": "reply", "reply": {"id": id_, "title": title}} for id_, title in buttons.items()]
    }
    return _interactive("button", body, action, header, footer)


def list_menu(
    body: str,
    button: str,
    sections: Mapping[str, Mapping[str, str | tuple[str, str]]],
    *,
    header: str | None = None,
    footer: str | None = None,
) -> InteractiveDict:
    """Build ``interactive``: a text with a button that opens a list to choose from.

    :param body: the main words, at most 1,024 characters.
    :param button: the label that opens the list, at most 20 characters.
    :param sections: rows by the section's title, at most 10 sections with 10 rows in all; a title has at most
        24 characters. Rows are title, or title and description, by id: title at most 24 characters,
        description 72, id 200.
    :param header: the line above, at most 60 characters.
    :param footer: the small line below, at most 60 characters.
    :return: the dict of the ``interactive`` parameter.
    :raises TypeError: if what is to be a dict is none.
    """
    shape = 'a dict of rows by title, each a dict of titles by id, as in {"Every day": {"sales": "Sales"}}'
    _demand(sections, Mapping, "list_menu: sections", shape)
    for rows in sections.values():
        _demand(rows, Mapping, "list_menu: sections", shape)
    action = {
        "button": button,
        "sections": [
            {"title": title, "rows": [_row(id_, row) for id_, row in rows.items()]}
            for title, rows in sections.items()
        ],
    }
    return _interactive("list", body, action, header, footer)


def location_request(body: str) -> InteractiveDict:
    """Build ``interactive``: a text with a button by which the recipient sends where they are.

    :param body: the main words, at most 1,024 characters.
    :return: the dict of the ``interactive`` parameter.
    """
    return _interactive("location_request_message", body, {"name": "send_location"})


def contact_card(
    name: str, *, phone: str | None = None, email: str | None = None, company: str | None = None
) -> ContactDict:
    """Build one entry of ``contacts``: a contact card.

    :param name: the whole name; it is given as first name too, since WhatsApp wants one more part of it.
    :param phone: a phone number, as it is to be shown.
    :param email: an e-mail address.
    :param company: where the person works.
    :return: the dict of one entry in the list of the ``contacts`` parameter.
    """
    card: ContactDict = {"name": {"formatted_name": name, "first_name": name}}
    if phone is not None:
        card["phones"] = [{"phone": phone, "type": "CELL"}]
    if email is not None:
        card["emails"] = [{"email": email, "type": "WORK"}]
    if company is not None:
        card["org"] = {"company": company}
    return card


def template_message(
    name: str,
    language: str,
    *,
    header: str | Mapping[str, Any] | None = None,
    body: Sequence[str | Mapping[str, Any]] = (),
    buttons: Sequence[Mapping[str, str] | None] = (),
) -> TemplateDict:
    """Build ``template``: a WhatsApp template with the values of its variables.

    :param name: the approved WhatsApp template's name: lower-case letters, digits, underscores.
    :param language: its language's code, such as ``en`` or ``zh_TW``.
    :param header: the header's variable: a text of at most 60 characters, or one of
        ``{"image": {"link": …}}``, ``{"video": {"link": …}}``, ``{"document": {"link": …, "filename": …}}``,
        ``{"location": {…}}``. A link alone may stand for the object of an image, video or document.
    :param body: the body's variables in their order, at most 20: texts in one line, or
        ``{"currency": {…}}`` or ``{"date_time": {…}}``.
    :param buttons: by position, what the button takes: ``{"url": "end of the address"}``,
        ``{"quick_reply": "what comes back"}``, or ``None`` for one that takes nothing.
    :return: the dict of the ``template`` parameter.
    :raises TypeError: if what is to be a list is none; a text for ``body`` would be a value for each letter.
    """
    _demand(body, (list, tuple), "template_message: body", 'a list of values, as in ["Monday", "1,204 rows"]')
    _demand(buttons, (list, tuple), "template_message: buttons", 'a list, as in [{"url": "reports/7"}, None]')
    components: list[dict[str, Any]] = []
    if header is not None:
        components.append({"type": "header", "parameters": [_parameter(header)]})
    if body:
        components.append({"type": "body", "parameters": [_parameter(value) for value in body]})
    for index, button in enumerate(buttons):
        for sub_type, value in (button or {}).items():
            kind = "payload" if sub_type == "quick_reply" else "text"
            components.append(
                {
                    "type": "button",
                    "sub_type": sub_type,
                    "index": str(index),
                    "parameters": [{"type": kind, kind: value}],
                }
            )
    template: TemplateDict = {"name": name, "language": {"code": language}}
    if components:
        template["components"] = components
    return template


def _demand(value: object, kind: type | tuple[type, ...], name: str, shape: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name}: must be {shape}; a value of type {type(value).__name__} given")


def _interactive(
    kind: Literal["button", "list", "location_request_message"],
    body: str,
    action: dict[str, Any],
    header: str | None = None,
    footer: str | None = None,
) -> InteractiveDict:
    interactive: InteractiveDict = {"type": kind, "body": {"text": body}, "action": action}
    if header is not None:
        interactive["header"] = {"type": "text", "text": header}
    if footer is not None:
        interactive["footer"] = {"text": footer}
    return interactive


def _row(id_: str, row: str | tuple[str, str]) -> dict[str, str]:
    if not isinstance(row, str):
        title, description = row
        return {"id": id_, "title": title, "description": description}
    return {"id": id_, "title": row}


def _parameter(value: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"type": "text", "text": value}
    ((kind, content),) = value.items()
    if kind in ("image", "video", "document") and not isinstance(content, Mapping):
        content = {"link": content}
    return {"type": kind, kind: content}
