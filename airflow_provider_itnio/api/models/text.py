"""A text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import (
    BeforeValidator,
    StringConstraints,
    model_validator,
)

from airflow_provider_itnio.api.models.base import ContentModel, text_value

TEXT_LIMIT: Final = 4096


class Text(ContentModel):
    """A text of at most 4,096 characters."""

    body: Annotated[str, BeforeValidator(text_value), StringConstraints(max_length=TEXT_LIMIT)]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"body": value}
