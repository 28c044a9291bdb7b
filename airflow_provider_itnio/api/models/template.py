"""WhatsApp templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator

from airflow_provider_itnio.api.models.base import (
    MAX_INTEGER,
    TEMPLATE_MESSAGE,
    ContentModel,
    Latitude,
    Longitude,
    OneLine,
    OptionalList,
    OptionalText,
    Part,
    RequiredText,
    matching,
    parse_integer,
    refuse_duplicates,
)
from airflow_provider_itnio.api.models.media_source import MediaSource


class TextParameter(Part):
    """A text parameter of a WhatsApp template's body: one line of at most 1,024 characters."""

    type: Literal["text"]
    text: Annotated[str, OneLine, StringConstraints(max_length=1024)]


class HeaderTextParameter(Part):
    """A text parameter of a WhatsApp template's header: one line of at most 60 characters."""

    type: Literal["text"]
    text: Annotated[str, OneLine, StringConstraints(max_length=60)]


class MediaLink(MediaSource):
    """An image or video, by link or from object storage."""


class DocumentLink(MediaSource):
    """A document, by link or from object storage."""

    filename: OptionalText = None


class TemplatePlace(Part):
    """A place on the map, in a WhatsApp template's header."""

    latitude: Latitude
    longitude: Longitude
    name: RequiredText
    address: RequiredText


class ImageParameter(Part):
    """An image in a WhatsApp template's header."""

    type: Literal["image"]
    image: MediaLink


class VideoParameter(Part):
    """A video in a WhatsApp template's header."""

    type: Literal["video"]
    video: MediaLink


class DocumentParameter(Part):
    """A document in a WhatsApp template's header."""

    type: Literal["document"]
    document: DocumentLink


class LocationParameter(Part):
    """A place in a WhatsApp template's header."""

    type: Literal["location"]
    location: TemplatePlace


ButtonIndex = Annotated[str, matching(r"[0-9]", "must be a button's position from 0 to 9")]
WholeNumber = Annotated[int, BeforeValidator(parse_integer), Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]


class Currency(Part):
    """An amount of money; ``amount_1000`` is the amount times 1,000."""

    fallback_value: Annotated[str, OneLine]
    code: Annotated[str, matching(r"[A-Z]{3}", "must be a currency's three letters as in USD")]
    amount_1000: WholeNumber


class CurrencyParameter(Part):
    """An amount of money in a WhatsApp template's body."""

    type: Literal["currency"]
    currency: Currency


class DateTime(Part):
    """A date and time; in ``day_of_week``, Monday is 1."""

    fallback_value: Annotated[str, OneLine]
    day_of_week: Annotated[WholeNumber, Field(ge=1, le=7)] | None = None
    year: WholeNumber | None = None
    month: Annotated[WholeNumber, Field(ge=1, le=12)] | None = None
    day_of_month: Annotated[WholeNumber, Field(ge=1, le=31)] | None = None
    hour: Annotated[WholeNumber, Field(ge=0, le=23)] | None = None
    minute: Annotated[WholeNumber, Field(ge=0, le=59)] | None = None
    calendar: OptionalText = None


class DateTimeParameter(Part):
    """A date and time in a WhatsApp template's body."""

    type: Literal["date_time"]
    date_time: DateTime


class PayloadParameter(Part):
    """The payload that is returned when a quick-reply button is tapped."""

    type: Literal["payload"]
    payload: RequiredText


class HeaderComponent(Part):
    """The single parameter of a WhatsApp template's header."""

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


class BodyComponent(Part):
    """The parameters of a WhatsApp template's body in order, at most 20."""

    type: Literal["body"]
    parameters: Annotated[
        list[Annotated[TextParameter | CurrencyParameter | DateTimeParameter, Field(discriminator="type")]],
        Field(min_length=1, max_length=20),
    ]

    @field_validator("parameters", mode="before")
    @classmethod
    def _short_form(cls, values: object) -> object:
        """Accept the short forms of ``template_message``, which upstream tasks may return."""
        if not isinstance(values, (list, tuple)):
            return values
        return [*map(_parameter, values)]


def _parameter(value: object) -> object:
    if not isinstance(value, Mapping):
        return {"type": "text", "text": value}
    kind = next(iter(value)) if len(value) == 1 else None
    return {"type": kind, **value} if kind in ("currency", "date_time") else value


class UrlButtonComponent(Part):
    """The last part of the URL that a WhatsApp template's url button opens."""

    type: Literal["button"]
    sub_type: Literal["url"]
    index: ButtonIndex
    parameters: Annotated[list[TextParameter], Field(min_length=1, max_length=1)]


class QuickReplyButtonComponent(Part):
    """The payload of a WhatsApp template's quick-reply button."""

    type: Literal["button"]
    sub_type: Literal["quick_reply"]
    index: ButtonIndex
    parameters: Annotated[list[PayloadParameter], Field(min_length=1, max_length=1)]


ButtonComponent = Annotated[UrlButtonComponent | QuickReplyButtonComponent, Field(discriminator="sub_type")]
Component = Annotated[HeaderComponent | BodyComponent | ButtonComponent, Field(discriminator="type")]


class Language(Part):
    """The language of a WhatsApp template, such as ``en`` or ``zh_TW``."""

    code: Annotated[str, matching(r"[a-z]{2,3}(_[A-Z]{2})?", "must be a code such as en or zh_TW")]


class Template(ContentModel):
    """An approved WhatsApp template with its parameters. Name: at most 512 characters.

    Only a template reaches people who have not written in the last 24 hours.
    """

    endpoint: ClassVar[str] = TEMPLATE_MESSAGE

    components: OptionalList[Component] = None
    language: Language
    name: Annotated[
        str,
        matching(r"[a-z0-9_]+", "lower-case letters, digits and underscores only"),
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
        refuse_duplicates(places, "component", info)
        return components
