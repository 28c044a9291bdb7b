"""Contact cards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, model_validator

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.models.base import (
    CUSTOM_MESSAGE,
    OptionalList,
    OptionalText,
    Part,
    RequiredText,
    optional_phone_text,
    optional_text,
    phone_text,
    rule_error,
)


def _birthday(value: object) -> str | None:
    text = optional_text(value)
    if text is not None:
        try:
            date.fromisoformat(text if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else "")
        except ValueError:
            raise rule_error(f"must be a date written YYYY-MM-DD, {describe_value(text)} given") from None
    return text


HomeOrWork = Literal["HOME", "WORK"]


class Address(Part):
    """A postal address."""

    street: OptionalText = None
    city: OptionalText = None
    state: OptionalText = None
    zip: OptionalText = None
    country: OptionalText = None
    country_code: OptionalText = None
    type: HomeOrWork | None = None


class Email(Part):
    """An e-mail address."""

    email: RequiredText
    type: HomeOrWork | None = None


class Name(Part):
    """A person's name: ``formatted_name`` and at least one other part, or WhatsApp does not deliver it."""

    formatted_name: RequiredText
    first_name: OptionalText = None
    last_name: OptionalText = None
    middle_name: OptionalText = None
    suffix: OptionalText = None
    prefix: OptionalText = None

    @model_validator(mode="after")
    def _require_second_part(self) -> Name:
        parts = [name for name in Name.model_fields if name != "formatted_name"]
        if not any(getattr(self, name) for name in parts):
            first, *others = parts
            raise rule_error(
                f"{first} or another part ({', '.join(others)}) is required beside formatted_name, "
                f"or WhatsApp does not deliver the card; the whole name can go into {first} too"
            )
        return self


class Organisation(Part):
    """The organisation a person works for."""

    company: OptionalText = None
    department: OptionalText = None
    title: OptionalText = None


class ContactPhone(Part):
    """A phone number on a contact card. With ``wa_id``, the card has a button to message this number."""

    phone: Annotated[str, BeforeValidator(phone_text)]
    type: Literal["CELL", "MAIN", "IPHONE", "HOME", "WORK"] | None = None
    wa_id: Annotated[str | None, BeforeValidator(optional_phone_text)] = None


class Url(Part):
    """A web address on a contact card."""

    url: RequiredText
    type: HomeOrWork | None = None


class Contact(Part):
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
