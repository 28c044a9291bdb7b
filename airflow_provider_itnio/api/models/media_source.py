"""The source of a file: a link, or an object in storage, which gets a signed link before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, model_validator

from airflow_provider_itnio.api.describe import describe_address, describe_value, link_without_query
from airflow_provider_itnio.api.models.base import Part, is_blank, link_value, rule_error, text_value

_UNSIGNED: Final = type("_OfObject", (), {})()
"""Placeholder for the link that an object gets when it is signed."""


def _link(value: Any) -> str | None:
    if value is _UNSIGNED:
        return None
    link = link_value(value)
    if "@" in urlsplit(link).netloc:
        raise rule_error(
            "must be a link without a user name and a password, since WhatsApp can't log in; "
            f"{describe_value(link_without_query(link))} with a user name given"
        )
    return link


def _is_storage_path(value: Any) -> bool:
    """Return whether a value is Airflow's ``ObjectStoragePath``, as an upstream task may return it."""
    return type(value).__name__ == "ObjectStoragePath" and hasattr(type(value), "fs")


def object_address(value: Any) -> str:
    """Read the address of an object, in the form of ``ObjectStoragePath``."""
    text = text_value(_path_text(value) if _is_storage_path(value) else value).strip()
    given = f"{describe_address(text)} given"
    if re.match(r"https?://", text, re.IGNORECASE):
        raise rule_error(f"must be an address in object storage, {given}; give a web address as link")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s]*/\S(.*\S)?", text):
        raise rule_error(
            f"must be the address of a file in object storage, such as s3://conn@bucket/report.pdf, {given}"
        )
    if text.endswith("/"):
        raise rule_error(f"must be the address of a file, not of a folder, {given}")
    return text


def _path_text(path: Any) -> str:
    text, conn_id = str(path), getattr(path, "conn_id", None)
    scheme, separator, rest = text.partition("://")
    return f"{scheme}{separator}{conn_id}@{rest}" if conn_id and "@" not in rest.partition("/")[0] else text


class MediaSource(Part):
    """A file: a link that WhatsApp can fetch without a login, or an object that is signed before it is sent.

    Exactly one of both must be given. ``object`` is an address as for Airflow's ``ObjectStoragePath``.
    """

    link: Annotated[str | None, BeforeValidator(_link)]
    object: Annotated[str | None, BeforeValidator(object_address)] = None

    @model_validator(mode="before")
    @classmethod
    def _link_or_object(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or "object" not in value:
            return value
        if is_blank(value["object"]):
            if is_blank(value.get("link")):
                raise rule_error("must have a link or an object; the object given is blank")
            return {key: inner for key, inner in value.items() if key != "object"}
        if not is_blank(value.get("link")):
            raise rule_error("link or object, not both; both given")
        return {**value, "link": _UNSIGNED}
