"""A place on the map."""

from __future__ import annotations

from airflow_provider_itnio.api.models.base import (
    ContentModel,
    Latitude,
    Longitude,
    OptionalLink,
    RequiredText,
)


class Location(ContentModel):
    """A place on the map. Longitude and latitude in decimal degrees, as text or numbers."""

    address: RequiredText
    latitude: Latitude
    link: OptionalLink = None
    name: RequiredText
    longitude: Longitude
