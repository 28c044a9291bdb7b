"""Models of the requests to the sandbox's API. The methods of the fixture use them too."""

from __future__ import annotations

from collections.abc import Callable
from threading import TIMEOUT_MAX
from typing import Annotated, Any, Literal, LiteralString, Self, TypeAlias, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from airflow_provider_itnio.sandbox.addresses import is_web_link
from airflow_provider_itnio.sandbox.phone_numbers import digits_of

PushedStatus: TypeAlias = Literal["sent", "delivered", "read", "failed", "deleted"]

LARGEST_PAGE = 10_000
"""Most entries in one answer, and the default of ``?limit=``."""

SHOWN_AT_ONCE = 100
LONGEST_SEARCH = 200

LONGEST_WAIT = 60
"""Most seconds that an answer is delayed."""

LONGEST_TEXT = 4096
LONGEST_NUMBER = 20
REPLIES = ("text", "button", "row", "quick_reply", "location")
"""The kinds of replies."""
CHOSEN = ("button", "row", "quick_reply")
"""The replies that choose an option of a message."""

UNDELIVERABLE = "131026: Message undeliverable"


def digits_needed(value: object) -> str:
    """Read the digits of a phone number, at least one."""
    digits = digits_of(value) if isinstance(value, (str, int)) else ""
    if not digits:
        raise ValueError("a phone number")
    return digits


def whole_number_needed(value: object) -> str:
    """Read the digits of a phone number that the vendor accepts."""
    digits = digits_needed(value)
    if not 7 <= len(digits) <= 14:
        raise ValueError(WHOLE_NUMBER)
    return digits


WHOLE_NUMBER = "a phone number of 7 to 14 digits"
NUMBER_SCHEMA = WithJsonSchema({"type": ["string", "integer"]})
PhoneNumber: TypeAlias = Annotated[str, BeforeValidator(digits_needed), NUMBER_SCHEMA]


class Given(BaseModel):
    """Base of all models: no unknown fields, and no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PushGiven(Given):
    """A status to push; ``failed`` has a default reason."""

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


class WaitAsked(Given):
    """The parameters of :meth:`Sandbox.wait_for`, which describes them."""

    n: int = Field(ge=1, description="a whole number from 1")
    timeout: float = Field(ge=0, le=TIMEOUT_MAX, description=f"seconds, from 0 to {TIMEOUT_MAX:g}")
    recipient: PhoneNumber | None = Field(description="a phone number")
    status: PushedStatus | None = Field(description=f"one of {', '.join(get_args(PushedStatus))}")


class WindowGiven(Given):
    """A 24-hour window to open or close."""

    recipient: Annotated[str, BeforeValidator(whole_number_needed), NUMBER_SCHEMA] = Field(
        description=WHOLE_NUMBER
    )
    is_open: bool = Field(True, alias="open", description="true or false")


def _push_address(value: object) -> str:
    """Check the URL for pushes. The error does not show it, since it may contain a token."""
    plain = value if isinstance(value, str) and value.isascii() and value.isprintable() else ""
    if not is_web_link(plain) or "@" in urlsplit(plain).netloc:
        raise PydanticCustomError("secret", PUSH_ADDRESS)
    return plain


PUSH_ADDRESS: LiteralString = "an http or https address in ASCII, without user and password"
PushAddress: TypeAlias = Annotated[str, BeforeValidator(_push_address)]


class WebhookGiven(Given):
    """The settings for pushes; the URL is only empty in ``NOWHERE``."""

    url: PushAddress = Field(description=PUSH_ADDRESS)
    twice: bool = Field(False, description="true or false")
    disorder: bool = Field(False, description="true or false")


NOWHERE = WebhookGiven.model_construct(url="", twice=False, disorder=False)


def is_within(text: str, degrees: int) -> bool:
    """Return whether a text is a number from ``-degrees`` to ``degrees``."""
    try:
        return abs(float(text)) <= degrees
    except ValueError:
        return False


def _degrees(largest: int) -> BeforeValidator:
    """Return a validator for a coordinate given as a number or text; the result is text."""

    def check(value: object) -> str:
        text = "" if isinstance(value, bool) else str(value)
        if len(text) > LONGEST_NUMBER or not is_within(text, largest):
            raise ValueError(f"degrees from -{largest} to {largest}")
        return text

    return BeforeValidator(check)


DEGREES = WithJsonSchema({"type": ["number", "string"]})


class Place(Given):
    """A location in decimal degrees."""

    longitude: Annotated[str, _degrees(180), DEGREES] = Field(description="degrees from -180 to 180")
    latitude: Annotated[str, _degrees(90), DEGREES] = Field(description="degrees from -90 to 90")


class ReplyGiven(Given):
    """A recipient's reply: exactly one of text, button, row, quick_reply and location."""

    message_id: str | None = Field(None, description="the id of a message, a text")
    recipient: PhoneNumber | None = Field(None, description="a phone number")
    text: str | None = Field(
        None, max_length=LONGEST_TEXT, pattern=r"\S", description="at least one character"
    )
    button: str | int | None = Field(None, description="the id of a reply button")
    row: str | int | None = Field(None, description="the id of a row")
    quick_reply: str | int | None = Field(None, description="the index of a button")
    location: Place | None = Field(None, description="an object with latitude and longitude")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = [name for name in REPLIES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"reply: give exactly one of {', '.join(REPLIES)}")
        if self.message_id is None and given[0] in CHOSEN:
            raise ValueError(f"message_id is missing: a {given[0]} belongs to a message, give its id")
        if self.message_id is None and self.recipient is None:
            raise ValueError(f"recipient: {WHOLE_NUMBER}, or give message_id")
        if self.message_id is None and not 7 <= len(self.recipient or "") <= 14:
            raise ValueError(f"recipient: {WHOLE_NUMBER}, {self.recipient!r:.60} given")
        return self


def _whole(text: str) -> int | str:
    """Read a whole number of a query; other values are returned for the model to reject."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else text


QueryNumber: TypeAlias = Annotated[int, BeforeValidator(_whole)]


class PageAsked(Given):
    """The part of a list to return."""

    limit: QueryNumber = Field(
        LARGEST_PAGE, ge=1, le=LARGEST_PAGE, description=f"a whole number from 1 to {LARGEST_PAGE}"
    )
    after: QueryNumber = Field(0, description="a number that a Link header gave")


class PageOfOneAsked(PageAsked):
    """The part of a list to return, or of the entries of one recipient."""

    recipient: PhoneNumber | None = None


class MessagesAsked(PageOfOneAsked):
    """The messages to return, and how many to wait for before the answer; 0 does not wait."""

    wait: QueryNumber = Field(0, ge=0, description="a whole number from 0")
    timeout: QueryNumber = Field(
        10, ge=0, le=LONGEST_WAIT, description=f"seconds, a whole number from 0 to {LONGEST_WAIT}"
    )


class ListAsked(Given):
    """The part of a list of the inbox page to return; without ``before`` the newest."""

    limit: QueryNumber = Field(
        SHOWN_AT_ONCE, ge=1, le=SHOWN_AT_ONCE, description=f"a whole number from 1 to {SHOWN_AT_ONCE}"
    )
    before: QueryNumber = Field(0, ge=0, description="a number that the sandbox gave")
    q: str = Field("", max_length=LONGEST_SEARCH, description=f"up to {LONGEST_SEARCH} characters")


class ChatsAsked(ListAsked):
    """The part of the list of conversations to return; it includes ``chat``, whatever ``q`` is."""

    chat: str = Field("", max_length=LONGEST_SEARCH, description="digits of a recipient")


class PartAsked(ListAsked):
    """The part of a chat to return; without ``after`` the newest."""

    after: QueryNumber = Field(0, ge=0, description="a number that the sandbox gave")


Model = TypeVar("Model", bound=Given)


def read_value(name: str, reader: Callable[[object], str], given: object) -> str:
    """Check a single value, with errors like those of :func:`read`."""
    try:
        return reader(given)
    except ValueError as unfit:
        raise ValueError(f"{name}: {unfit}, {given!r:.60} given") from None


def read(model: type[Model], given: Any) -> Model:
    """
    Check a value with a model.

    :param model: the model
    :raises ValueError: if it is invalid; the text begins with the name of the field
    """
    try:
        return model.model_validate(given)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False)[0]
    path, fields = _fields_at(model, error["loc"])
    where, kind = ".".join(path), error["type"]
    field = fields.get(path[-1]) if path else None
    if kind == "extra_forbidden":
        raise ValueError(f"{where}: unknown field; there are {', '.join(fields)}")
    text = error["msg"].removeprefix("Value error, ")
    if field is None:
        raise ValueError(text if kind == "value_error" else f"give an object with {', '.join(fields)}")
    described = field.description or text
    if kind == "missing":
        raise ValueError(f"{where} is missing: {described}")
    if kind == "secret":
        raise ValueError(f"{where}: {text}")
    value, given_text = error["input"], f"{error['input']!r:.60} given"
    if kind == "string_too_long":
        described, given_text = f"at most {error['ctx']['max_length']} characters", f"{len(value)} given"
    elif kind == "string_unicode":
        described = "a text that UTF-8 can hold"
    elif kind == "value_error":
        described = text
    raise ValueError(f"{where}: {described}, {given_text}")


def _fields_at(model: type[Given], loc: tuple[int | str, ...]) -> tuple[list[str], dict[str, FieldInfo]]:
    """Return the names of the fields that lead to an error, and the fields beside the last one."""
    path: list[str] = []
    fields = _fields_of(model)
    for part in map(str, loc):
        if path and path[-1] in fields:
            inner = [
                one
                for one in get_args(fields[path[-1]].annotation)
                if isinstance(one, type) and issubclass(one, BaseModel)
            ]
            if not inner:
                break
            fields = _fields_of(inner[0])
        path.append(part)
    return path, fields


def _fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}
