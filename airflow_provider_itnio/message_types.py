"""The types of messages, for editors and type checkers: the dicts that the API takes.

A text may always be the output of an upstream task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, Required, TypeAlias, TypedDict

__all__ = [
    "AddressDict",
    "BodyDict",
    "ButtonDict",
    "ContactDict",
    "DocumentDict",
    "EmailDict",
    "FooterDict",
    "HeaderDict",
    "InteractiveDict",
    "LanguageDict",
    "LinkDict",
    "LocationDict",
    "MediaDict",
    "MessageDict",
    "MessageFields",
    "NameDict",
    "OrganisationDict",
    "Parameter",
    "PhoneDict",
    "RecipientsGiven",
    "RenderFunction",
    "ReplyDict",
    "RowDict",
    "Rows",
    "SectionDict",
    "TemplateDict",
    "TextDict",
    "TextLike",
    "UrlDict",
    "XComArgLike",
]

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

    class Literally(Protocol):
        """The result of ``literal(…)``."""

        def iter_references(self) -> Iterable[tuple[Any, str]]:
            """Return no upstream tasks."""

        def resolve(self, context: Any) -> Any:
            """Return the value itself."""

    class RenderFunction(Protocol):
        """A function that Airflow 3 calls instead of rendering a template."""

        def __call__(self, *, context: Any, jinja_env: Any) -> Any:
            """Return the field's value."""

    XComArgLike: TypeAlias = XComArg | Literally | RenderFunction
    """What Airflow resolves when the task runs: an upstream task's output, ``literal(…)``, or a function."""
else:
    XComArgLike = RenderFunction = Any  # so that type hints can be read at run time without Airflow

TextLike: TypeAlias = str | XComArgLike
"""A text, which may contain Jinja, or a value that becomes a text when the task runs."""

Recipient: TypeAlias = str | int | Mapping[str, Any] | XComArgLike
RecipientsGiven: TypeAlias = Recipient | Sequence[Recipient]
"""``recipients``: phone numbers, or dicts with ``phone``."""


class TextDict(TypedDict):
    """``text``: a body of at most 4,096 characters."""

    body: TextLike


class LinkDict(TypedDict):
    """``audio``, ``sticker``: either a link that WhatsApp can fetch without a login, or an object.

    An object is the address of a file for Airflow's ``ObjectStoragePath``: ``s3://conn@bucket/name``.
    """

    link: NotRequired[TextLike]
    object: NotRequired[TextLike]


class MediaDict(LinkDict):
    """``image``, ``video``: a link or an object, and a caption of at most 1,024 characters."""

    caption: NotRequired[TextLike]


class DocumentDict(MediaDict):
    """``document``: a link or an object, a caption, and the file name that the recipient sees."""

    filename: NotRequired[TextLike]


class LocationDict(TypedDict):
    """``location``: a place, its longitude and latitude in decimal degrees."""

    longitude: float | TextLike
    latitude: float | TextLike
    name: TextLike
    address: TextLike
    link: NotRequired[TextLike]


class BodyDict(TypedDict):
    """The main text of an interactive message, at most 1,024 characters."""

    text: TextLike


class HeaderDict(TypedDict):
    """The line above the body, at most 60 characters."""

    type: Literal["text"]
    text: TextLike


class FooterDict(TypedDict):
    """The small line below the body, at most 60 characters."""

    text: TextLike


class ReplyDict(TypedDict):
    """A reply button's id, at most 256 characters, and the title on it, at most 20."""

    id: TextLike
    title: TextLike


class ButtonDict(TypedDict):
    """A reply button."""

    type: Literal["reply"]
    reply: ReplyDict


class RowDict(TypedDict):
    """A row of a list: id at most 200 characters, title 24, description 72."""

    id: TextLike
    title: TextLike
    description: NotRequired[TextLike]


class SectionDict(TypedDict):
    """A section of a list, with a title of at most 24 characters."""

    title: TextLike
    rows: list[RowDict] | XComArgLike


class InteractiveDict(TypedDict):
    """``interactive``: what ``reply_buttons``, ``list_menu`` and ``location_request`` return."""

    type: Literal["button", "list", "location_request_message"]
    header: NotRequired[HeaderDict]
    body: BodyDict
    footer: NotRequired[FooterDict]
    action: NotRequired[dict[str, Any]]


class NameDict(TypedDict, total=False):
    """The name on a contact card; ``formatted_name`` is required."""

    formatted_name: TextLike
    first_name: TextLike
    last_name: TextLike
    middle_name: TextLike
    suffix: TextLike
    prefix: TextLike


class AddressDict(TypedDict, total=False):
    """A postal address on a contact card."""

    street: TextLike
    city: TextLike
    state: TextLike
    zip: TextLike
    country: TextLike
    country_code: TextLike
    type: Literal["HOME", "WORK"]


class EmailDict(TypedDict, total=False):
    """An e-mail address on a contact card; ``email`` is required."""

    email: TextLike
    type: Literal["HOME", "WORK"]


class OrganisationDict(TypedDict, total=False):
    """Where the person on a contact card works."""

    company: TextLike
    department: TextLike
    title: TextLike


class PhoneDict(TypedDict, total=False):
    """A phone number on a contact card; ``phone`` is required, ``wa_id`` adds a button to write to it."""

    phone: TextLike
    type: Literal["CELL", "MAIN", "IPHONE", "HOME", "WORK"]
    wa_id: TextLike


class UrlDict(TypedDict, total=False):
    """A web address on a contact card; ``url`` is required."""

    url: TextLike
    type: Literal["HOME", "WORK"]


class ContactDict(TypedDict, total=False):
    """One entry of ``contacts``: what ``contact_card`` returns."""

    name: Required[NameDict]
    addresses: list[AddressDict]
    birthday: TextLike
    emails: list[EmailDict]
    org: OrganisationDict
    phones: list[PhoneDict]
    urls: list[UrlDict]


class LanguageDict(TypedDict):
    """The language of a WhatsApp template, such as ``en`` or ``zh_TW``."""

    code: TextLike


class TemplateDict(TypedDict):
    """``template``: what ``template_message`` returns."""

    name: TextLike
    language: LanguageDict
    components: NotRequired[list[dict[str, Any]] | XComArgLike]


class MessageDict(TypedDict, total=False):
    """``message``: exactly one message field, and ``type`` and ``reply_to`` if wanted."""

    type: str
    reply_to: TextLike
    text: TextLike | TextDict
    image: TextLike | MediaDict
    audio: TextLike | LinkDict
    video: TextLike | MediaDict
    document: TextLike | DocumentDict
    sticker: TextLike | LinkDict
    location: LocationDict | XComArgLike
    interactive: InteractiveDict | XComArgLike
    contacts: list[ContactDict] | ContactDict | XComArgLike
    template: TemplateDict | XComArgLike


class MessageFields(MessageDict, total=False):
    """The message parameters of the hook's ``send``."""

    message: MessageDict


Row: TypeAlias = TextLike | tuple[TextLike, TextLike] | RowDict
Rows: TypeAlias = Mapping[str, Row] | Sequence[RowDict] | XComArgLike
"""Rows of a list menu."""

Parameter: TypeAlias = TextLike | float | Decimal | date | Mapping[str, Any]
"""A value of a WhatsApp template."""
