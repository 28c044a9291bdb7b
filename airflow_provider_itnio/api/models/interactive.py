"""Messages with something to tap: reply buttons, a list, a location request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from airflow_provider_itnio.api.models.base import (
    CUSTOM_MESSAGE,
    Part,
    Text20,
    Text24,
    Text60,
    Text1024,
    optional_text,
    refuse_duplicates,
    rule_error,
    text_value,
)


def _strict_text(value: object) -> str:
    text = text_value(value)
    if text != text.strip():
        raise rule_error("must not begin or end with a space")
    return text


class Header(Part):
    """The line above the body, at most 60 characters."""

    type: Literal["text"] = "text"
    text: Text60


class Body(Part):
    """The main text, at most 1,024 characters."""

    text: Text1024


class Footer(Part):
    """The small line below the body, at most 60 characters."""

    text: Text60


class Row(Part):
    """A row of a list: id at most 200 characters, title 24, description 72."""

    id: Annotated[str, BeforeValidator(text_value), StringConstraints(max_length=200)]
    title: Text24
    description: Annotated[
        Annotated[str, StringConstraints(max_length=72)] | None, BeforeValidator(optional_text)
    ] = None


class Section(Part):
    """A section of a list, with a title of at most 24 characters."""

    title: Text24
    rows: Annotated[list[Row], Field(min_length=1, max_length=10)]


class ListAction(Part):
    """The button that opens a list, at most 20 characters; at most 10 sections with 10 rows in all."""

    button: Text20
    sections: Annotated[list[Section], Field(min_length=1, max_length=10)]

    @field_validator("sections", mode="before")
    @classmethod
    def _limit_rows(cls, sections: object) -> object:
        if isinstance(sections, (list, tuple)) and len(sections) > 1:
            rows = [
                len(section["rows"])
                for section in sections
                if isinstance(section, Mapping) and isinstance(section.get("rows"), (list, tuple))
            ]
            if sum(rows) > 10 and max(rows) <= 10:
                raise rule_error(f"at most 10 rows over all sections, {sum(rows)} given")
        return sections

    @field_validator("sections", mode="after")
    @classmethod
    def _unique_row_ids(cls, sections: list[Section], info: ValidationInfo) -> list[Section]:
        refuse_duplicates([row.id for section in sections for row in section.rows], "row id", info)
        return sections


class ListInteractive(Part):
    """A button that opens a list to choose from."""

    type: Literal["list"]
    header: Header | None = None
    body: Body
    footer: Footer | None = None
    action: ListAction


class Reply(Part):
    """A button's id, at most 256 characters, and its title, at most 20."""

    id: Annotated[str, BeforeValidator(_strict_text), StringConstraints(max_length=256)]
    title: Text20


class Button(Part):
    """A reply button."""

    type: Literal["reply"] = "reply"
    reply: Reply


class ButtonAction(Part):
    """At most 3 reply buttons."""

    buttons: Annotated[list[Button], Field(min_length=1, max_length=3)]

    @field_validator("buttons", mode="after")
    @classmethod
    def _unique_buttons(cls, buttons: list[Button], info: ValidationInfo) -> list[Button]:
        refuse_duplicates([button.reply.id for button in buttons], "reply.id", info)
        refuse_duplicates([button.reply.title for button in buttons], "reply.title", info)
        return buttons


class ButtonInteractive(Part):
    """A text with up to three reply buttons."""

    type: Literal["button"]
    header: Header | None = None
    body: Body
    footer: Footer | None = None
    action: ButtonAction


class LocationRequestAction(Part):
    """The fixed action of a location request."""

    name: Literal["send_location"] = "send_location"


class LocationRequest(Part):
    """A text with a button for the recipient to send their location."""

    type: Literal["location_request_message"]
    body: Body
    action: LocationRequestAction = LocationRequestAction()


class Interactive(
    RootModel[Annotated[ListInteractive | ButtonInteractive | LocationRequest, Field(discriminator="type")]]
):
    """A message with something to tap: ``list``, ``button`` or ``location_request_message``."""

    model_config = ConfigDict(frozen=True, defer_build=True, hide_input_in_errors=True)
    endpoint: ClassVar[str] = CUSTOM_MESSAGE
