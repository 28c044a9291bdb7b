"""What the sandbox's own API takes, as pydantic models. The fixture's methods take the same."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_itnio.sandbox.phone_numbers import digits_of

PushedStatus: TypeAlias = Literal["sent", "delivered", "read", "failed", "deleted"]

UNDELIVERABLE = "131026: Message undeliverable"


def _digits(value: object) -> str:
    digits = digits_of(value) if isinstance(value, (str, int)) else ""
    if not digits:
        raise ValueError("a phone number")
    return digits


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

    message_id: str
    status: PushedStatus
    failure: str = Field("", max_length=1000)
    times: int = Field(1, ge=1, le=100)

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

    recipient: Annotated[str, BeforeValidator(_digits)]
    is_open: bool = Field(True, alias="open")


class WebhookGiven(Given):
    """
    Where pushes go from now on.

    :param url: the address, http or https
    :param twice: whether each push comes twice
    :param disorder: whether the statuses of a message come in the reverse order
    """

    url: str
    twice: bool = False
    disorder: bool = False


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
    text = first["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, first["loc"]))
    names = ", ".join(field.alias or name for name, field in model.model_fields.items())
    if first["type"] == "model_type":
        raise ValueError(f"give an object with {names}")
    if first["type"] == "extra_forbidden":
        raise ValueError(f"{where}: unknown field; there are {names}")
    if not where:
        raise ValueError(text)
    if first["type"] == "missing":
        raise ValueError(f"{where} is missing")
    raise ValueError(f"{where}: {text}, {first['input']!r:.60} given")
