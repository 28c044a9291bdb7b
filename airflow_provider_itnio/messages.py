"""Builders for messages that are long to write.

Each builder returns the plain dict of the parameter that its docstring names, so that Airflow can serialise
it and render its Jinja. The message's content is checked when the operator is made, and again when it runs.
Only the standard library is imported, so this module does not slow down DAG files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_provider_itnio.dag_file import ending_at_dag_file
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS

if TYPE_CHECKING:
    from airflow_provider_itnio.message_types import (
        BodyDict,
        ButtonDict,
        ContactDict,
        DocumentDict,
        EmailDict,
        FooterDict,
        HeaderDict,
        InteractiveDict,
        LanguageDict,
        LinkDict,
        LocationDict,
        MediaDict,
        MessageDict,
        MessageFields,
        NameDict,
        OrganisationDict,
        Parameter,
        PhoneDict,
        ReplyDict,
        Rows,
        SectionDict,
        TemplateDict,
        TextDict,
        TextLike,
        XComArgLike,
    )

__all__ = [
    "MESSAGE_FIELDS",
    "ContactDict",
    "DocumentDict",
    "InteractiveDict",
    "LinkDict",
    "LocationDict",
    "MediaDict",
    "MessageDict",
    "MessageFields",
    "TemplateDict",
    "TextDict",
    "contact_card",
    "list_menu",
    "location_request",
    "reply_buttons",
    "template_message",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load the types when one is used: most DAG files use none."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from airflow_provider_itnio import message_types

        return getattr(message_types, name)


def reply_buttons(
    body: TextLike | BodyDict,
    buttons: Mapping[str, TextLike] | Sequence[ButtonDict | ReplyDict | XComArgLike] | XComArgLike,
    *,
    header: TextLike | HeaderDict | None = None,
    footer: TextLike | FooterDict | None = None,
) -> InteractiveDict:
    """Build ``interactive``: a text with up to three reply buttons.

    :param body: the main text, at most 1,024 characters.
    :param buttons: titles by id, at most 3. A title has at most 20 characters and must be unique; an id has
        at most 256 and is returned when the button is tapped. Or the API's own button objects, in a list or
        as the output of an upstream task.
    :param header: the line above the body, at most 60 characters.
    :param footer: the small line below the body, at most 60 characters.
    :return: the dict for the ``interactive`` parameter.
    :raises TypeError: if a value has a wrong type. The texts themselves are checked with the message.
    """
    action = {"buttons": _buttons("reply_buttons: buttons", buttons)}
    return _interactive("reply_buttons", "button", body, action, header=header, footer=footer)


def list_menu(
    body: TextLike | BodyDict,
    button: TextLike,
    sections: Mapping[str, Rows] | Sequence[SectionDict | XComArgLike] | XComArgLike,
    *,
    header: TextLike | HeaderDict | None = None,
    footer: TextLike | FooterDict | None = None,
) -> InteractiveDict:
    """Build ``interactive``: a text with a button that opens a list to choose from.

    :param body: the main text, at most 1,024 characters.
    :param button: the label of the button that opens the list, at most 20 characters.
    :param sections: rows by section title, at most 10 sections with 10 rows in total; a title has at most
        24 characters. Rows are a dict of titles, or pairs of title and description, by id: title at most 24
        characters, description 72, id 200. Rows and sections may also be the API's own objects, in a list or
        as the output of an upstream task.
    :param header: the line above the body, at most 60 characters.
    :param footer: the small line below the body, at most 60 characters.
    :return: the dict for the ``interactive`` parameter.
    :raises TypeError: if a value has a wrong type. The texts themselves are checked with the message.
    """
    action = {
        "button": _text("list_menu: button", button),
        "sections": _sections("list_menu: sections", sections),
    }
    return _interactive("list_menu", "list", body, action, header=header, footer=footer)


def location_request(body: TextLike | BodyDict) -> InteractiveDict:
    """Build ``interactive``: a text with a button to send the recipient's location.

    :param body: the main text, at most 1,024 characters.
    :return: the dict for the ``interactive`` parameter.
    :raises TypeError: if ``body`` is no text.
    """
    action = {"name": "send_location"}
    return _interactive("location_request", "location_request_message", body, action)


def contact_card(
    name: TextLike | NameDict,
    *,
    phone: TextLike | int | PhoneDict | Sequence[TextLike | int | PhoneDict] | None = None,
    email: TextLike | EmailDict | Sequence[TextLike | EmailDict] | None = None,
    company: TextLike | OrganisationDict | None = None,
) -> ContactDict:
    """Build one entry of ``contacts``: a contact card.

    Each parameter takes a text or the API's own object; ``phone`` and ``email`` also a list.

    :param name: the full name. It is set as the first name, too: WhatsApp requires a second name field.
    :param phone: a phone number, in the spelling to show.
    :param email: an e-mail address.
    :param company: the person's company.
    :return: the dict for one entry of the ``contacts`` parameter.
    :raises TypeError: if a value has a wrong type. The texts themselves are checked with the message.
    """
    card: dict[str, Any] = {
        "name": _object("contact_card: name", name, lambda text: {"formatted_name": text, "first_name": text})
    }
    if phone is not None:
        card["phones"] = _objects("contact_card: phone", phone, lambda text: {"phone": text, "type": "CELL"})
    if email is not None:
        card["emails"] = _objects("contact_card: email", email, lambda text: {"email": text, "type": "WORK"})
    if company is not None:
        card["org"] = _object("contact_card: company", company, lambda text: {"company": text})
    return cast("ContactDict", card)


def template_message(
    name: TextLike,
    language: TextLike | LanguageDict,
    *,
    header: TextLike | Mapping[str, Any] | None = None,
    body: Sequence[Parameter] | Mapping[str, Any] | XComArgLike = (),
    buttons: Sequence[Mapping[str, Any] | XComArgLike | None] = (),
) -> TemplateDict:
    """Build ``template``: a WhatsApp template with the values of its variables.

    ``header``, each value of ``body`` and each of ``buttons`` also take the API's own object.

    :param name: the name of the approved WhatsApp template: lower-case letters, digits, underscores.
    :param language: its language code, such as ``en`` or ``zh_TW``.
    :param header: the header's variable: a text of at most 60 characters, or one of
        ``{"image": {"link": …}}``, ``{"video": {"link": …}}``, ``{"document": {"link": …, "filename": …}}``,
        ``{"location": {…}}``. For an image, video or document, a link may replace the inner object.
    :param body: the body's variables in order, at most 20: texts of one line, or ``{"currency": {…}}`` or
        ``{"date_time": {…}}``; or the output of an upstream task that returns such a list.
    :param buttons: the buttons' variables by position: ``{"url": "end of the address"}``,
        ``{"quick_reply": "what comes back"}``, or ``None`` for a button without a variable.
    :return: the dict for the ``template`` parameter.
    :raises TypeError: if a value has a wrong type. The texts themselves are checked with the message.
    """
    components: list[Any] = []
    if header is not None:
        components.append(_component("header", header))
    if not isinstance(body, (list, tuple)) or body:
        components.append(_component("body", body))
    if not isinstance(buttons, (list, tuple)):
        raise _refused("template_message: buttons", 'a list, as in [{"url": "reports/7"}, None]', buttons)
    components += [
        _template_button(index, button) for index, button in enumerate(buttons) if button is not None
    ]
    template = {
        "name": _text("template_message: name", name),
        "language": _object("template_message: language", language, lambda code: {"code": code}),
    }
    if components:
        template["components"] = components
    return cast("TemplateDict", template)


def _interactive(
    builder: str,
    kind: Literal["button", "list", "location_request_message"],
    body: object,
    action: dict[str, Any],
    *,
    header: object = None,
    footer: object = None,
) -> InteractiveDict:
    interactive = {
        "type": kind,
        "body": _object(f"{builder}: body", body, lambda text: {"text": text}),
        "action": action,
    }
    if header is not None:
        interactive["header"] = _object(f"{builder}: header", header, lambda it: {"type": "text", "text": it})
    if footer is not None:
        interactive["footer"] = _object(f"{builder}: footer", footer, lambda text: {"text": text})
    return cast("InteractiveDict", interactive)


def _buttons(path: str, buttons: object) -> Any:
    if isinstance(buttons, Mapping) and not _is_api_object(buttons):
        return [_button(id_, _text(_at(path, id_), title)) for id_, title in buttons.items()]
    shape = 'a dict of titles by id, as in {"yes": "Yes"}, or a list of button objects'
    return _list(path, buttons, shape, _button_object)


def _button_object(path: str, button: Mapping[str, Any]) -> dict[str, Any]:
    if "reply" in button:
        return dict(button)
    if set(button) == {"id", "title"}:
        return _button(button["id"], button["title"])
    raise _refused(path, 'a button, as in {"type": "reply", "reply": {"id": "yes", "title": "Yes"}}', button)


def _button(id_: object, title: object) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": id_, "title": title}}


def _sections(path: str, sections: object) -> Any:
    if isinstance(sections, Mapping) and not _is_api_object(sections):
        return [{"title": title, "rows": _rows(_at(path, title), rows)} for title, rows in sections.items()]
    shape = 'a dict of rows by title, each a dict of titles by id, as in {"Every day": {"sales": "Sales"}}'
    return _list(path, sections, shape, _section_object)


def _section_object(path: str, section: Mapping[str, Any]) -> dict[str, Any]:
    if "rows" not in section:
        raise _refused(path, 'a section, as in {"title": "Every day", "rows": […]}', section)
    return {**section, "rows": _rows(f"{path}['rows']", section["rows"])}


def _rows(path: str, rows: object) -> Any:
    if isinstance(rows, Mapping) and not _is_api_object(rows):
        return [_row(_at(path, id_), id_, row) for id_, row in rows.items()]
    shape = 'a dict of titles by id, as in {"sales": "Sales"}, or a list of row objects'
    return _list(path, rows, shape, lambda path, row: dict(row))


def _is_api_object(value: Mapping[Any, Any]) -> bool:
    """Return whether a dict is an object of the API, which belongs in a list, and not titles by id."""
    kinds: tuple[set[object], ...] = ({"id", "title"}, {"id", "title", "description"}, {"title", "rows"})
    return set(value) in kinds or isinstance(value.get("reply"), Mapping)


def _list(
    path: str, value: object, shape: str, read: Callable[[str, Mapping[str, Any]], dict[str, Any]]
) -> Any:
    """Read a list of the API's objects. The list or an entry may be the output of an upstream task."""
    if _is_later(value):
        return value
    if not isinstance(value, (list, tuple)):
        raise _refused(path, shape, value)
    entries: list[Any] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping) and not _is_later(entry):
            raise _refused(path, shape, value, f"a list with {_given(entry)} at [{index}]")
        entries.append(read(f"{path}[{index}]", entry) if isinstance(entry, Mapping) else entry)
    return entries


def _row(path: str, id_: object, row: object) -> dict[str, Any]:
    if isinstance(row, Mapping):
        if row.get("id", id_) != id_:
            raise _refused(f"{path}['id']", f"{_shown(id_)}, as the row's key, or left out", row["id"])
        return {"id": id_, **row}
    if not isinstance(row, (list, tuple)):
        return {"id": id_, "title": _text(path, row)}
    if len(row) != 2:
        raise _refused(path, "a title, or a title and a description", row)
    return {"id": id_, "title": _text(f"{path}[0]", row[0]), "description": _text(f"{path}[1]", row[1])}


def _component(kind: Literal["header", "body"], value: object) -> dict[str, Any]:
    path = f"template_message: {kind}"
    if isinstance(value, Mapping) and "parameters" in value:
        return {"type": kind, **value}
    if kind == "header":
        return {"type": kind, "parameters": [_parameter(path, value)]}
    if isinstance(value, (list, tuple)):
        values = [_parameter(f"{path}[{index}]", entry) for index, entry in enumerate(value)]
        return {"type": kind, "parameters": values}
    if not _is_later(value):
        raise _refused(path, 'a list of values, as in ["Monday", "1,204 rows"]', value)
    return {"type": kind, "parameters": value}


def _parameter(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"type": "text", "text": _text(path, value)}
    if "type" in value:
        return dict(value)
    if len(value) != 1:
        raise _refused(path, 'a text, or an object with one key, as in {"currency": {…}}', value)
    ((kind, content),) = value.items()
    if kind in ("image", "video", "document"):
        content = _object(f"{path}.{kind}", content, lambda link: {"link": link})
    return {"type": kind, kind: content}


def _template_button(index: int, button: object) -> Any:
    path = f"template_message: buttons[{index}]"
    if _is_later(button):
        return button
    if isinstance(button, Mapping) and "sub_type" in button:
        return {"type": "button", "index": str(index), **button}
    if not isinstance(button, Mapping) or len(button) != 1:
        shape = 'None, {"url": "end of the address"} or {"quick_reply": "what comes back"}'
        raise _refused(path, shape, button)
    ((sub_type, value),) = button.items()
    kind = "payload" if sub_type == "quick_reply" else "text"
    parameters = [{"type": kind, kind: _text(_at(path, sub_type), value)}]
    return {"type": "button", "sub_type": sub_type, "index": str(index), "parameters": parameters}


def _objects(path: str, value: object, of_text: Callable[[Any], dict[str, Any]]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_object(f"{path}[{index}]", entry, of_text) for index, entry in enumerate(value)]
    return [_object(path, value, of_text)]


def _object(path: str, value: object, of_text: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return an object of the API unchanged, or build it from a text."""
    return dict(value) if isinstance(value, Mapping) else of_text(_text(path, value))


def _text(path: str, value: object) -> Any:
    """Return a value that may become a text. Its content is checked with the message."""
    if value is None or isinstance(value, (Mapping, list, tuple, set, frozenset, bytes)):
        raise _refused(path, "a text", value)
    return value


def _is_later(value: object) -> bool:
    """Return whether a value is the output of an upstream task, or a ``literal(…)``."""
    return getattr(type(value), "iter_references", None) is not None


def _at(path: str, key: object) -> str:
    return f"{path}[{_shown(key)}]"


def _shown(key: object) -> str:
    """Return a key for an error, shortened and without a phone number."""
    if not isinstance(key, str):
        return f"<{type(key).__name__}>"
    return repr(key[:30]) if sum(map(str.isdigit, key)) < 5 else "…"


def _refused(path: str, shape: str, value: object, given: str = "") -> TypeError:
    return ending_at_dag_file(TypeError(f"{path}: must be {shape}; {given or _given(value)} given"))


def _given(value: object) -> str:
    if _is_later(value):
        return "the output of an upstream task"
    if isinstance(value, Mapping):
        return f"a dict with {', '.join(map(_shown, list(value)[:5])) or 'nothing'}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return "a text"
    return "None" if value is None else f"a value of type {type(value).__name__}"
