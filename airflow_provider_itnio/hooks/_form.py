"""The connection form for Airflow 2, built from the provider info, which Airflow 3 reads itself."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.get_provider_info import get_provider_info


def form_widgets() -> dict[str, Any]:
    """Return the form's own fields."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import IntegerField, StringField
    from wtforms.validators import Optional

    fields = {"string": StringField, "integer": IntegerField}
    return {
        name: fields[declared["schema"]["type"][0]](
            declared["label"],
            description=declared["description"],
            validators=[Optional()],
            widget=BS3TextFieldWidget(),
        )
        for name, declared in _connection_type()["conn-fields"].items()
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Return the form's labels and placeholders, and the fields it hides."""
    return {name.replace("-", "_"): value for name, value in _connection_type()["ui-field-behaviour"].items()}


def _connection_type() -> dict[str, Any]:
    (connection_type,) = get_provider_info()["connection-types"]
    return dict(connection_type)
