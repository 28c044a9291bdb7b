"""A text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BeforeValidator, model_validator

from airflow_provider_itnio.api.models.base import ContentModel, rule_error, text_value

TEXT_LIMIT: Final = 4096


def _body(value: object) -> str:
    text = text_value(value)
    if len(text) > TEXT_LIMIT:
        raise rule_error(
            f"at most {TEXT_LIMIT} characters, {len(text)} given; if_too_long='truncate' shortens it"
        )
    return text


class Text(ContentModel):
    """A text of at most 4,096 characters."""

    body: Annotated[str, BeforeValidator(_body)]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"body": value}
