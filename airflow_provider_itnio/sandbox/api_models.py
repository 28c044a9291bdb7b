"""What the sandbox's own API takes, as pydantic models. The fixture's methods take the same."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_itnio.sandbox.phone_numbers import digits_of

PushedStatus: TypeAlias = Literal["sent", "delivered", "read", "failed", "deleted"]

LARGEST_PAGE = 10_000
"""Entries that one answer holds at most, and without ``?limit=``."""

SHOWN_AT_ONCE = 100
LONGEST_SEARCH = 200

UNDELIVERABLE = "131026: Message undeliverable"


def digits_needed(value: object) -> str:
    """
    Read a phone number.

    :param value: what was given
    :return: its digits
    :raises ValueError: if it has none
    """
    digits = digits_of(value) if isinstance(value, (str, int)) else ""
    if not digits:
        raise ValueError("a phone number")
    return digits


PhoneNumber: TypeAlias = Annotated[str, BeforeValidator(digits_needed)]


class Given(BaseModel):
    """What every model has in common: no further fields, and no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PushGiven(Given):
    """
    A status to push.

    :param message_id: the message
    :param status: the status that it reaches
    :param failure: why it failed; only with ``failed``, which has a reason of its own without it
    :param times: how often it is pushed
    """

    message_id: str = Field(description="the id of a message, a text")
    status: PushedStatus = Field(description=f"one of {', '.join(get_args(PushedStatus))}")
    failure: str = Field("", max_length=1000, description="a text of up to 1,000 characters")
    times: int = Field(1, ge=1, le=100, description="a whole number from 1 to 100")

    @model_validator(mode="after")
    def _failure_only_of_failed(self) -> Self:
        if self.failure and self.status != "failed":
            raise ValueError("failure: only with the status failed")
        return self

    @property
    def reason(self) -> str:
        """The reason that is pushed."""
        return self.failure or (UNDELIVERABLE if self.status == "failed" else "")


class WindowGiven(Given):
    """
    A 24-hour window to open or close.

    :param recipient: whose, as people write the number
    :param is_open: whether it is open from now on; in JSON ``open``
    """

    recipient: PhoneNumber
    is_open: bool = Field(True, alias="open", description="true or false")


class WebhookGiven(Given):
    """
    Where pushes go from now on.

    :param url: the address, http or https
    :param twice: whether each push comes twice
    :param disorder: whether the statuses of a message come in the reverse order
    """

    url: str = Field(description="a text")
    twice: bool = Field(False, description="true or false")
    disorder: bool = Field(False, description="true or false")


def _whole(text: str) -> int | str:
    """Read a number of a query; what is none is left for the model to name."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else text


QueryNumber: TypeAlias = Annotated[int, BeforeValidator(_whole)]


class PageAsked(Given):
    """
    Which part of a list is asked for.

    :param limit: how many entries at most
    :param after: the place after which the part begins, as a Link header names it
    """

    limit: QueryNumber = Field(
        LARGEST_PAGE, ge=1, le=LARGEST_PAGE, description=f"a whole number from 1 to {LARGEST_PAGE}"
    )
    after: QueryNumber = Field(0, description="a number that a Link header gave")

    @property
    def of(self) -> str | None:
        """Whose entries only; None for all."""
        return None


class PageOfOneAsked(PageAsked):
    """
    Which part of a list is asked for, or of what one recipient got or sent.

    :param recipient: the recipient, as people write the number; None for all
    """

    recipient: PhoneNumber | None = None

    @property
    def of(self) -> str | None:
        """Whose entries only; None for all."""
        return self.recipient


class ListAsked(Given):
    """
    Which part of a list of the inbox page is asked for.

    :param limit: how many entries at most
    :param before: the number before which the part ends, as the part after it names it; 0 for the newest
    :param q: words that each entry holds; empty for all
    """

    limit: QueryNumber = Field(
        SHOWN_AT_ONCE, ge=1, le=SHOWN_AT_ONCE, description=f"a whole number from 1 to {SHOWN_AT_ONCE}"
    )
    before: QueryNumber = Field(0, ge=0, description="a number that the sandbox gave")
    q: str = Field("", max_length=LONGEST_SEARCH, description=f"up to {LONGEST_SEARCH} characters")


class PartAsked(ListAsked):
    """
    Which part of a chat is asked for.

    :param after: the number after which the part begins; 0 for the newest
    """

    after: QueryNumber = Field(0, ge=0, description="a number that the sandbox gave")


Model = TypeVar("Model", bound=Given)


def read(model: type[Model], given: Any) -> Model:
    """
    Check what was given.

    :param model: what it has to be
    :param given: the JSON
    :raises ValueError: if it can't be; the text begins with the name of the field
    """
    try:
        return model.model_validate(given)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if first["type"] == "model_type":
        raise ValueError(f"give an object with {', '.join(fields)}")
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        raise ValueError(f"{where}: unknown field; there are {', '.join(fields)}")
    if first["type"] == "missing":
        raise ValueError(f"{where} is missing: {fields[where].description}")
    text = first["msg"].removeprefix("Value error, ")
    if not where:
        raise ValueError(text)
    if first["type"] != "value_error":
        text = fields[str(first["loc"][0])].description or text
    raise ValueError(f"{where}: {text}, {first['input']!r:.60} given")
