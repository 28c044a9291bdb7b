"""Image, audio, video, sticker and document, each by its link or from object storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationInfo, model_validator

from airflow_provider_itnio.api.models.base import (
    Caption,
    ContentModel,
    OptionalText,
    is_blank,
    rule_error,
    unrendered_rule,
)
from airflow_provider_itnio.api.models.media_source import MediaSource


def _last_part(link: str) -> str | None:
    """Return the name at the end of a link's path, percent-decoded."""
    try:
        name = unquote(urlsplit(link.strip()).path.rpartition("/")[2]).rpartition("/")[2]
        return "".join(character for character in name if character.isprintable()).strip() or None
    except ValueError:
        return None


class _Media(MediaSource, ContentModel):
    @model_validator(mode="before")  # runs before the validator of the base
    @classmethod
    def _short_form(cls, value: Any) -> Any:
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

    ``filename`` is what the recipient sees; it defaults to the last part of the link's path, or to the
    object's name.
    """

    filename: OptionalText = None
    caption: Caption = None

    @model_validator(mode="before")  # runs before _short_form: the last validator declared runs first
    @classmethod
    def _default_filename(cls, value: Any) -> Any:
        document = value if isinstance(value, Mapping) else {"link": value}
        link = document.get("link")
        if isinstance(link, str) and is_blank(document.get("filename")):
            return {**document, "filename": _last_part(link)}
        return document

    @model_validator(mode="after")
    def _require_filename(self, info: ValidationInfo) -> Document:
        if self.filename is None and self.object is None and not unrendered_rule(info)(self.link):
            raise rule_error("filename is required where the link's path does not end in a name")
        return self
