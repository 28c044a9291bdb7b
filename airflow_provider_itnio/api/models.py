"""One model per message type: what it may hold, the JSON it becomes, where it goes. Every limit stands here.

Limits are the vendor's (pages ``waCustomSendMsg`` and ``waSendMsg``); where those are silent they are
WhatsApp's own, since a message over them would be accepted and then never arrive. Where sources disagree
(body of a list, number of contacts) the limit is the lower one, which every source allows. Characters are
counted as Unicode code points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.problems import given, link_without_query, native_hint, problems_in, shown_key
from airflow_provider_itnio.messages import MESSAGE_FIELDS

__all__ = ["MODELS", "TEXT_LIMIT", "Content", "Message", "check_fields", "message_from"]

CUSTOM_MESSAGE: Final = "wa/custom/sendMsg"
TEMPLATE_MESSAGE: Final = "wa/template/sendMsg"

TEXT_LIMIT: Final = 4096
LARGEST_NUMBER: Final = 2**63 - 1

IsHole: TypeAlias = Callable[[object], bool]
"""Says of a value in a DAG file that only rendering will tell what it is."""


def broken(sentence: str) -> PydanticCustomError:
    """Make the error of a rule that pydantic has no word for.

    :param sentence: the limit and what was given.
    """
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


def _no_holes(value: object) -> bool:
    return False


def _is_hole(info: ValidationInfo) -> IsHole:
    return info.context["is_hole"] if info.context else _no_holes


# --- what a single value may be ---------------------------------------------------------------------------

# Native rendering makes these of a text that looks like one.
_SCALARS = (bool, int, float, Decimal, date, UUID)


def _text(value: object) -> str:
    if isinstance(value, _SCALARS):
        try:
            return str(value)
        except ValueError:  # more digits than Python writes
            raise broken("must be text, a number too large given") from None
    if isinstance(value, str):
        if not value or value.isspace():
            raise broken("must not be empty")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise broken("must be valid Unicode text, a lone surrogate given") from None
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        raise broken(f"must be text, {given(value)} given; join it, for example with | join(', ')")
    raise broken(f"must be text, {given(value)} given")


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _optional_text(value: object) -> str | None:
    return None if _is_blank(value) else _text(value)


def _optional_list(value: object) -> object:
    return None if isinstance(value, (list, tuple)) and not value else value


def _link(value: object) -> str:
    text = _text(value)
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", text):
        raise broken(f"must be an http:// or https:// link, {given(link_without_query(text))} given")
    return text


def _optional_link(value: object) -> str | None:
    return None if _optional_text(value) is None else _link(value)


def _last_part(link: str) -> str | None:
    """Give the name at the end of a link's path, percent-decoded."""
    try:
        name = unquote(urlsplit(link.strip()).path.rpartition("/")[2]).rpartition("/")[2]
        return "".join(character for character in name if character.isprintable()).strip() or None
    except ValueError:
        return None


def _no_outer_blanks(value: object) -> str:
    text = _text(value)
    if text != text.strip():
        raise broken("must not begin or end with a blank")
    return text


def _one_line(value: object) -> str:
    text = _text(value)
    if re.search(r"[\n\r\t\v\f\x85\u2028\u2029]", text) or "    " in text:
        raise broken("must hold no line break, no tab and no four blanks in a row, as WhatsApp demands")
    return text


def _degrees(limit: int) -> BeforeValidator:
    def check(value: object) -> str:
        if isinstance(value, float):
            value = format(Decimal(repr(value)), "f")
        text = _text(value)
        text = text.strip()
        written = re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII)
        if not written or not -limit <= Decimal(text) <= limit:
            raise broken(f"must be decimal degrees from -{limit} to {limit}, {given(text)} given")
        return text

    return BeforeValidator(check)


def _birthday(value: object) -> str | None:
    text = _optional_text(value)
    if text is not None:
        try:
            date.fromisoformat(text if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else "")
        except ValueError:
            raise broken(f"must be a date written YYYY-MM-DD, {given(text)} given") from None
    return text


def _written_as(pattern: str, sentence: str) -> BeforeValidator:
    """Take a text of one shape; the sentence says which, to whoever gave another."""
    shape = re.compile(pattern)

    def check(value: object) -> str:
        text = _text(value)
        if not shape.fullmatch(text):
            raise broken(f"{sentence}, {given(text)} given")
        return text

    return BeforeValidator(check)


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise broken("must be a whole number, a bool given")
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise broken("must be a whole number, a number too large given")
    return value.strip() if isinstance(value, str) else value


RequiredText = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str | None, BeforeValidator(_optional_text)]
OneLine = BeforeValidator(_one_line)
Link = Annotated[str, BeforeValidator(_link)]
OptionalLink = Annotated[str | None, BeforeValidator(_optional_link)]
Text20 = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=20)]
Text24 = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=24)]
Text60 = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=60)]
Text1024 = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=1024)]
Caption = Annotated[
    Annotated[str, StringConstraints(max_length=1024)] | None, BeforeValidator(_optional_text)
]
Longitude = Annotated[str, _degrees(180)]
Latitude = Annotated[str, _degrees(90)]
Part = TypeVar("Part")
OptionalList = Annotated[list[Part] | None, BeforeValidator(_optional_list)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)


def _refuse_repeated(values: list[str], path: str, info: ValidationInfo) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen and not _is_hole(info)(value):
            raise broken(f"each {path} only once in a message, {given(value)} given twice")
        seen.add(value)


# --- text, media, location --------------------------------------------------------------------------------


class _Content(_Part):
    """The object of one message type."""

    endpoint: ClassVar[str] = CUSTOM_MESSAGE


class Text(_Content):
    """A text of at most 4,096 characters."""

    body: Annotated[str, BeforeValidator(_text), StringConstraints(max_length=TEXT_LIMIT)]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"body": value}


class _Media(_Content):
    link: Link

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"link": value}


class Image(_Media):
    """A picture by link: JPEG or PNG, at most 5 MB. Caption: at most 1,024 characters."""

    caption: Caption = None


class Audio(_Media):
    """A sound by link: AAC, AMR, MP3, MP4 or OGG (Opus), at most 16 MB."""


class Video(_Media):
    """A film by link: MP4 or 3GPP, at most 16 MB. Caption: at most 1,024 characters."""

    caption: Caption = None


class Sticker(_Media):
    """A sticker by link: WebP of 512 by 512 pixels, at most 100 KB."""


class Document(_Media):
    """A file by link, at most 100 MB. Caption: at most 1,024 characters.

    ``filename`` is what the recipient sees; it defaults to the last part of the link's path.
    """

    filename: OptionalText = None
    caption: Caption = None

    @model_validator(mode="before")  # runs before the short form's, the last declared being the first
    @classmethod
    def _filename_of_link(cls, value: object) -> object:
        document = value if isinstance(value, Mapping) else {"link": value}
        link = document.get("link")
        if isinstance(link, str) and _is_blank(document.get("filename")):
            return {**document, "filename": _last_part(link)}
        return document

    @model_validator(mode="after")
    def _filename_known(self, info: ValidationInfo) -> Document:
        if self.filename is None and not _is_hole(info)(self.link):
            raise broken("filename is required where the link's path does not end in a name")
        return self


class Location(_Content):
    """A place on the map. Longitude and latitude in decimal degrees, as text or numbers."""

    address: RequiredText
    latitude: Latitude
    link: OptionalLink = None
    name: RequiredText
    longitude: Longitude


# --- interactive ------------------------------------------------------------------------------------------


class Header(_Part):
    """The line above the body, at most 60 characters."""

    type: Literal["text"] = "text"
    text: Text60


class Body(_Part):
    """The main words, at most 1,024 characters."""

    text: Text1024


class Footer(_Part):
    """The small line below, at most 60 characters."""

    text: Text60


class Row(_Part):
    """A line of a list: id at most 200 characters, title 24, description 72."""

    id: Annotated[str, BeforeValidator(_text), StringConstraints(max_length=200)]
    title: Text24
    description: Annotated[
        Annotated[str, StringConstraints(max_length=72)] | None, BeforeValidator(_optional_text)
    ] = None


class Section(_Part):
    """A part of a list, under a title of at most 24 characters."""

    title: Text24
    rows: Annotated[list[Row], Field(min_length=1, max_length=10)]


class ListAction(_Part):
    """What a list opens: at most 10 sections with 10 rows in all. Button: at most 20 characters."""

    button: Text20
    sections: Annotated[list[Section], Field(min_length=1, max_length=10)]

    @field_validator("sections", mode="before")
    @classmethod
    def _rows_in_all(cls, sections: object) -> object:
        if isinstance(sections, (list, tuple)) and len(sections) > 1:
            rows = [
                len(section["rows"])
                for section in sections
                if isinstance(section, Mapping) and isinstance(section.get("rows"), (list, tuple))
            ]
            if sum(rows) > 10 and max(rows) <= 10:
                raise broken(f"at most 10 rows over all sections, {sum(rows)} given")
        return sections

    @field_validator("sections", mode="after")
    @classmethod
    def _each_row_once(cls, sections: list[Section], info: ValidationInfo) -> list[Section]:
        _refuse_repeated([row.id for section in sections for row in section.rows], "row id", info)
        return sections


class ListInteractive(_Part):
    """A button that opens a list to choose from."""

    type: Literal["list"]
    header: Header | None = None
    body: Body
    footer: Footer | None = None
    action: ListAction


class Reply(_Part):
    """A button's id, at most 256 characters, and the title on it, at most 20."""

    id: Annotated[str, BeforeValidator(_no_outer_blanks), StringConstraints(max_length=256)]
    title: Text20


class Button(_Part):
    """A reply button."""

    type: Literal["reply"] = "reply"
    reply: Reply


class ButtonAction(_Part):
    """At most 3 reply buttons."""

    buttons: Annotated[list[Button], Field(min_length=1, max_length=3)]

    @field_validator("buttons", mode="after")
    @classmethod
    def _each_once(cls, buttons: list[Button], info: ValidationInfo) -> list[Button]:
        _refuse_repeated([button.reply.id for button in buttons], "reply.id", info)
        _refuse_repeated([button.reply.title for button in buttons], "reply.title", info)
        return buttons


class ButtonInteractive(_Part):
    """A text with up to three buttons to answer by."""

    type: Literal["button"]
    header: Header | None = None
    body: Body
    footer: Footer | None = None
    action: ButtonAction


class LocationRequestAction(_Part):
    """The fixed action of a location request."""

    name: Literal["send_location"] = "send_location"


class LocationRequest(_Part):
    """A text with a button by which the recipient sends where they are."""

    type: Literal["location_request_message"]
    body: Body
    action: LocationRequestAction = LocationRequestAction()


class Interactive(
    RootModel[Annotated[ListInteractive | ButtonInteractive | LocationRequest, Field(discriminator="type")]]
):
    """A message with something to tap: ``list``, ``button`` or ``location_request_message``."""

    model_config = ConfigDict(frozen=True, defer_build=True, hide_input_in_errors=True)
    endpoint: ClassVar[str] = CUSTOM_MESSAGE


# --- contacts ---------------------------------------------------------------------------------------------

HomeOrWork = Literal["HOME", "WORK"]


class Address(_Part):
    """A postal address."""

    street: OptionalText = None
    city: OptionalText = None
    state: OptionalText = None
    zip: OptionalText = None
    country: OptionalText = None
    country_code: OptionalText = None
    type: HomeOrWork | None = None


class Email(_Part):
    """An e-mail address."""

    email: RequiredText
    type: HomeOrWork | None = None


class Name(_Part):
    """A person's name."""

    formatted_name: RequiredText
    first_name: OptionalText = None
    last_name: OptionalText = None
    middle_name: OptionalText = None
    suffix: OptionalText = None
    prefix: OptionalText = None


class Organisation(_Part):
    """Where a person works."""

    company: OptionalText = None
    department: OptionalText = None
    title: OptionalText = None


class ContactPhone(_Part):
    """A phone number on a contact card. With ``wa_id`` the card gets a button to write to it."""

    phone: RequiredText
    type: Literal["CELL", "MAIN", "IPHONE", "HOME", "WORK"] | None = None
    wa_id: OptionalText = None


class Url(_Part):
    """A web address on a contact card."""

    url: RequiredText
    type: HomeOrWork | None = None


class Contact(_Part):
    """One contact card."""

    addresses: OptionalList[Address] = None
    birthday: Annotated[str | None, BeforeValidator(_birthday)] = None
    emails: OptionalList[Email] = None
    name: Name
    org: Organisation | None = None
    phones: OptionalList[ContactPhone] = None
    urls: OptionalList[Url] = None


class Contacts(RootModel[Annotated[list[Contact], Field(min_length=1, max_length=5)]]):
    """One to five contact cards."""

    model_config = ConfigDict(frozen=True, defer_build=True, hide_input_in_errors=True)
    endpoint: ClassVar[str] = CUSTOM_MESSAGE

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return [value] if isinstance(value, Mapping) else value


# --- WhatsApp templates -----------------------------------------------------------------------------------


class TextParameter(_Part):
    """A text in a WhatsApp template's body, at most 1,024 characters in one line."""

    type: Literal["text"]
    text: Annotated[str, OneLine, StringConstraints(max_length=1024)]


class HeaderTextParameter(_Part):
    """A text in a WhatsApp template's header, at most 60 characters in one line."""

    type: Literal["text"]
    text: Annotated[str, OneLine, StringConstraints(max_length=60)]


class MediaLink(_Part):
    """A picture or film by link."""

    link: Link


class DocumentLink(_Part):
    """A file by link."""

    link: Link
    filename: OptionalText = None


class TemplatePlace(_Part):
    """A place on the map, in a WhatsApp template's header."""

    latitude: Latitude
    longitude: Longitude
    name: RequiredText
    address: RequiredText


class ImageParameter(_Part):
    """A picture in a WhatsApp template's header."""

    type: Literal["image"]
    image: MediaLink


class VideoParameter(_Part):
    """A film in a WhatsApp template's header."""

    type: Literal["video"]
    video: MediaLink


class DocumentParameter(_Part):
    """A file in a WhatsApp template's header."""

    type: Literal["document"]
    document: DocumentLink


class LocationParameter(_Part):
    """A place in a WhatsApp template's header."""

    type: Literal["location"]
    location: TemplatePlace


ButtonIndex = Annotated[str, _written_as(r"[0-9]", "must be a button's position from 0 to 9")]
WholeNumber = Annotated[int, BeforeValidator(_number), Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]


class Currency(_Part):
    """An amount of money; ``amount_1000`` is the amount times 1,000."""

    fallback_value: Annotated[str, OneLine]
    code: Annotated[str, _written_as(r"[A-Z]{3}", "must be a currency's three letters as in USD")]
    amount_1000: WholeNumber


class CurrencyParameter(_Part):
    """An amount of money in a WhatsApp template's body."""

    type: Literal["currency"]
    currency: Currency


class DateTime(_Part):
    """A moment; ``day_of_week`` counts from Monday as 1."""

    fallback_value: Annotated[str, OneLine]
    day_of_week: Annotated[WholeNumber, Field(ge=1, le=7)] | None = None
    year: WholeNumber | None = None
    month: Annotated[WholeNumber, Field(ge=1, le=12)] | None = None
    day_of_month: Annotated[WholeNumber, Field(ge=1, le=31)] | None = None
    hour: Annotated[WholeNumber, Field(ge=0, le=23)] | None = None
    minute: Annotated[WholeNumber, Field(ge=0, le=59)] | None = None
    calendar: OptionalText = None


class DateTimeParameter(_Part):
    """A moment in a WhatsApp template's body."""

    type: Literal["date_time"]
    date_time: DateTime


class PayloadParameter(_Part):
    """What comes back when a quick-reply button is tapped."""

    type: Literal["payload"]
    payload: RequiredText


class HeaderComponent(_Part):
    """The one variable of a WhatsApp template's header."""

    type: Literal["header"]
    parameters: Annotated[
        list[
            Annotated[
                HeaderTextParameter | ImageParameter | VideoParameter | DocumentParameter | LocationParameter,
                Field(discriminator="type"),
            ]
        ],
        Field(min_length=1, max_length=1),
    ]


class BodyComponent(_Part):
    """The variables of a WhatsApp template's body in their order, at most 20."""

    type: Literal["body"]
    parameters: Annotated[
        list[Annotated[TextParameter | CurrencyParameter | DateTimeParameter, Field(discriminator="type")]],
        Field(min_length=1, max_length=20),
    ]


class UrlButtonComponent(_Part):
    """The end of the address that a WhatsApp template's url button opens."""

    type: Literal["button"]
    sub_type: Literal["url"]
    index: ButtonIndex
    parameters: Annotated[list[TextParameter], Field(min_length=1, max_length=1)]


class QuickReplyButtonComponent(_Part):
    """What a WhatsApp template's quick-reply button gives back."""

    type: Literal["button"]
    sub_type: Literal["quick_reply"]
    index: ButtonIndex
    parameters: Annotated[list[PayloadParameter], Field(min_length=1, max_length=1)]


ButtonComponent = Annotated[UrlButtonComponent | QuickReplyButtonComponent, Field(discriminator="sub_type")]
Component = Annotated[HeaderComponent | BodyComponent | ButtonComponent, Field(discriminator="type")]


class Language(_Part):
    """The language of a WhatsApp template, such as ``en`` or ``zh_TW``."""

    code: Annotated[str, _written_as(r"[a-z]{2,3}(_[A-Z]{2})?", "must be a code such as en or zh_TW")]


class Template(_Content):
    """A WhatsApp template that WhatsApp has approved, with the values of its variables.

    It alone reaches people who have not written in the last 24 hours. Name: at most 512 characters.
    """

    endpoint: ClassVar[str] = TEMPLATE_MESSAGE

    components: OptionalList[Component] = None
    language: Language
    name: Annotated[
        str,
        _written_as(r"[a-z0-9_]+", "lower-case letters, digits and underscores only"),
        StringConstraints(max_length=512),
    ]

    @field_validator("components", mode="after")
    @classmethod
    def _each_component_once(
        cls, components: list[Component] | None, info: ValidationInfo
    ) -> list[Component] | None:
        places = [
            f"button {component.index}" if component.type == "button" else component.type
            for component in components or ()
        ]
        _refuse_repeated(places, "component", info)
        return components


# --- a whole message --------------------------------------------------------------------------------------

Content: TypeAlias = (
    Text | Image | Audio | Video | Document | Sticker | Location | Interactive | Contacts | Template
)

MODELS: Final[Mapping[str, type[Content]]] = {
    "text": Text,
    "image": Image,
    "audio": Audio,
    "video": Video,
    "document": Document,
    "sticker": Sticker,
    "location": Location,
    "interactive": Interactive,
    "contacts": Contacts,
    "template": Template,
}


@dataclass(frozen=True, slots=True)
class Message:
    """A message that keeps every rule, without the people it goes between.

    :param type: its type as the API names it.
    :param content: its content.
    :param reply_to: the id of the incoming message that it answers.
    """

    type: str
    content: Content
    reply_to: str | None = None

    def as_fields(self) -> dict[str, Any]:
        """Write the message as the fields it can be made of again."""
        fields: dict[str, Any] = {self.type: self.content.model_dump(exclude_none=True)}
        if self.reply_to is not None:
            fields["reply_to"] = self.reply_to
        return fields


def message_from(fields: Mapping[str, Any], *, if_too_long: str = "fail") -> Message:
    """Make a message of the fields an operator, a notifier or a task was given.

    :param fields: one of ``MESSAGE_FIELDS``, or ``message`` with the same as one dict; and ``reply_to``.
        A field that is ``None`` counts as not given.
    :param if_too_long: ``fail``, or ``cut`` to end a text of over 4,096 characters with ``…``.
    :return: the message.
    :raises InvalidMessageError: if it breaks a rule, naming all that it breaks.
    """
    message, problems = _read(fields, if_too_long, _no_holes)
    if message is None:
        raise InvalidMessageError(*problems)
    return message


def check_fields(fields: Mapping[str, Any], *, if_too_long: object = "fail", is_hole: IsHole) -> None:
    """Check what is written in a DAG file before anything in it is rendered.

    Faults of a value that only rendering will tell are left out; a missing key, an unknown key or too many
    entries stand, since keys are never rendered.

    :param fields: as for :func:`message_from`.
    :param if_too_long: as for :func:`message_from`.
    :param is_hole: says of a value that only rendering will tell what it is.
    :raises InvalidMessageError: if it breaks a rule that rendering can't mend.
    """
    _, problems = _read(fields, if_too_long, is_hole)
    if problems:
        raise InvalidMessageError(*problems)


def _read(
    fields: Mapping[str, Any], if_too_long: object, is_hole: IsHole
) -> tuple[Message | None, list[str]]:
    present = {name: value for name, value in fields.items() if value is not None}
    if if_too_long not in ("fail", "cut") and not is_hole(if_too_long):
        return None, [f"if_too_long: must be one of fail, cut; {given(if_too_long)} given"]
    if "message" in present:
        whole = present.pop("message")
        if also := [name for name in present if name != "reply_to"]:
            return None, [f"message: only where no other message field is given, {_listed(also)} given too"]
        if is_hole(whole):
            return None, []
        if not isinstance(whole, Mapping):
            return None, [f"message: must be an object (dict), {given(whole)} given{native_hint(whole)}"]
        if problem := _beside_message(present, whole):
            return None, [problem]
        present |= {name: value for name, value in whole.items() if value is not None}
    declared = present.pop("type", None)
    reply_to = present.pop("reply_to", None)
    unknown = [name for name in present if name not in MODELS]
    if unknown:
        known = ", ".join(MESSAGE_FIELDS)
        return None, [f"{shown_key(name)}: unknown field; known are {known}" for name in unknown]
    if len(present) != 1:
        names = ", ".join(MESSAGE_FIELDS)
        return None, [f"exactly one of {names} or message must be given, {_listed(list(present))} given"]
    ((kind, value),) = present.items()
    problems = []
    if declared not in (None, kind) and not is_hole(declared):
        problems.append(f"type: must agree with the message, which is {kind}; {given(declared)} given")
    reply_to, problem = _reply_to(reply_to, kind, is_hole)
    problems += [problem] if problem else []
    if kind == "text" and if_too_long == "cut":
        value = _cut(value)
    try:
        content = MODELS[kind].model_validate(value, context={"is_hole": is_hole})
    except ValidationError as error:
        problems += problems_in(error, MODELS[kind], kind, is_hole)
        return None, problems
    return (None, problems) if problems else (Message(kind, content, reply_to), [])


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(shown_key, names[:3])) or "none"
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _beside_message(present: Mapping[str, Any], whole: Mapping[str, Any]) -> str | None:
    if "reply_to" in present and whole.get("reply_to") is not None:
        return "reply_to: given twice, beside message and in it"
    known = (*MESSAGE_FIELDS, "type", "reply_to")
    if unknown := [name for name in whole if name not in known]:
        return f"message.{shown_key(unknown[0])}: unknown key; known are {', '.join(known)}"
    return None


def _reply_to(value: object, kind: str, is_hole: IsHole) -> tuple[str | None, str | None]:
    if _is_blank(value):
        return None, None
    if kind == "template":
        return None, "reply_to: a WhatsApp template can't be a reply"
    if is_hole(value):
        return None, None
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return None, f"reply_to: must be the id of an incoming message, {given(value)} given"
    try:
        return _text(value).strip(), None
    except PydanticCustomError as error:
        return None, f"reply_to: {error.message()}"


def _cut(value: object) -> object:
    body = value.get("body") if isinstance(value, Mapping) else value
    if not isinstance(body, str) or len(body) <= TEXT_LIMIT:
        return value
    shortened = f"{body[: TEXT_LIMIT - 1]}…"
    return {**value, "body": shortened} if isinstance(value, Mapping) else shortened
