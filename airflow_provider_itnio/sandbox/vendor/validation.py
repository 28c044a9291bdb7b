"""The vendor's checks of a message before it is accepted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_itnio.sandbox.addresses import private_host_of, well_formed
from airflow_provider_itnio.sandbox.api_models import is_within
from airflow_provider_itnio.sandbox.json_path import objects_at
from airflow_provider_itnio.sandbox.status_codes import TEMPLATE_PATH
from airflow_provider_itnio.sandbox.vendor.account import Account
from airflow_provider_itnio.sandbox.vendor.schema import (
    BY_WHATSAPP,
    COMPONENT,
    CONTEXT,
    CUSTOM,
    INTERACTIVE,
    PARAMETER_TYPES,
    PARAMETER_VALUES,
    TEMPLATE,
    Array,
    Object,
    Shape,
    Text,
)

WRONG_JSON = -7
NO_SUCH_APPLICATION = -10
NOTHING_LEFT = -68
WRONG_CHANNEL = -112
UNKNOWN_TYPE = -132
MALFORMED_LINK = -133
WRONG_PARAMETER = -134

NO_SUCH_BUSINESS_PHONE = -96


ENVELOPE = frozenset({"appId", "businessPhone", "recipient", "channelType", "type", "context"})


class Finding(NamedTuple):
    """A deviation from the documentation, and the vendor's code; without a code, the vendor accepts it."""

    code: int | None
    text: str


@dataclass(frozen=True)
class Verdict:
    """
    The vendor's decision on a message.

    :param status: the status code of the answer, 0 if it is accepted
    :param type: the vendor's name of the type, empty if it is unknown
    :param notes: deviations that the vendor accepts
    :param advice: what to change, if it is more specific than the code's advice
    """

    status: int
    why: str = ""
    type: str = ""
    notes: tuple[str, ...] = ()
    advice: str = ""


def judge(path: str, body: Mapping[str, Any], account: Account) -> Verdict:
    """Check a message as the vendor does, in the order of its pages."""
    kind = "template" if path == TEMPLATE_PATH else custom_type(body)
    notes: list[str] = []
    for finding in _findings(kind, path, body, account):
        if finding.code is not None:
            return Verdict(finding.code, finding.text, kind)
        notes.append(finding.text)
    return Verdict(0, "", kind, tuple(notes))


def custom_type(body: Mapping[str, Any]) -> str:
    """
    Return the type of a custom message, empty if it is unknown.

    The vendor's sample of a location has no ``type``, so only a location may omit it.
    """
    given = body.get("type")
    if given is not None:
        return given if isinstance(given, str) and given in CUSTOM else ""
    held = [name for name in CUSTOM if body.get(name) is not None]
    return "location" if held == ["location"] else ""


def _findings(kind: str, path: str, body: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    # The caller stops at the first code, so each check can rely on those before it.
    yield from _about_application(body, account)
    yield from _about_number(body, "recipient", too_long=-70, too_short=-71, no_digits=-72)
    yield from _about_number(body, "businessPhone", too_long=-93, too_short=-94, no_digits=-95)
    if account.business_phones is not None and str(body["businessPhone"]) not in account.business_phones:
        yield Finding(NO_SUCH_BUSINESS_PHONE, "businessPhone is none of the account's numbers")
    yield from _about_channel(body)
    if not kind:
        yield Finding(UNKNOWN_TYPE, _unknown_type(body))
    yield from _unknown_keys("", body, ENVELOPE | {kind})
    yield from _look("context", body.get("context"), CONTEXT)
    if path == TEMPLATE_PATH:
        yield from _about_template(body)
    else:
        yield from _about_custom(kind, body)
    if not account.can_pay:
        yield Finding(NOTHING_LEFT, f"the balance of {account.shown_balance} does not pay one more message")


def _about_application(body: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    given = body.get("appId")
    if given is None or given == "":
        yield Finding(NO_SUCH_APPLICATION, "appId is missing")
    if isinstance(given, (dict, list)):
        yield Finding(WRONG_JSON, f"appId is {_kind(given)}, a text is needed")
    if account.app_ids is not None and str(given) not in account.app_ids:
        yield Finding(NO_SUCH_APPLICATION, "appId is none of the account's applications")


def _about_number(
    body: Mapping[str, Any], name: str, *, too_long: int, too_short: int, no_digits: int
) -> Iterator[Finding]:
    given = body.get(name)
    if isinstance(given, (dict, list)):
        yield Finding(WRONG_JSON, f"{name} is {_kind(given)}, a text is needed")
    number = "" if given is None else str(given)
    if not number:
        yield Finding(too_short, f"{name} is missing")
    if not re.fullmatch(r"[0-9]+", number):
        strange = ", ".join(sorted({repr(mark) for mark in number if mark not in "0123456789"})[:5])
        yield Finding(no_digits, f"{name} contains {strange}; only the digits 0 to 9 may be sent")
    if len(number) > 14:
        yield Finding(too_long, f"{name} has {len(number)} digits, at most 14")
    if len(number) < 7:
        yield Finding(too_short, f"{name} has {len(number)} digits, at least 7")
    if not isinstance(given, str) and name == "recipient":
        yield Finding(None, f"{name} is {_kind(given)}; the page says text")


def _about_channel(body: Mapping[str, Any]) -> Iterator[Finding]:
    given = body.get("channelType")
    if given == "0":
        yield Finding(None, "channelType is a text; the page says Integer")
    elif isinstance(given, bool) or given != 0:
        yield Finding(WRONG_CHANNEL, "channelType is missing" if given is None else "channelType is not 0")


def _unknown_type(body: Mapping[str, Any]) -> str:
    if "template" in body:
        return f"a WhatsApp template goes to {TEMPLATE_PATH}"
    if body.get("type") is None:
        return f"type is missing; it is one of {', '.join(CUSTOM)}"
    return f"type is none of {', '.join(CUSTOM)}"


def _about_custom(kind: str, body: Mapping[str, Any]) -> Iterator[Finding]:
    content = body.get(kind)
    if body.get("type") is None:
        yield Finding(None, f"type is missing, taken to be {kind}")
    yield from _look(kind, content, CUSTOM[kind])
    if kind == "interactive" and isinstance(content, dict):
        yield from _about_interactive(content)


def _about_interactive(content: Mapping[str, Any]) -> Iterator[Finding]:
    kind = content.get("type")
    if not isinstance(kind, str) or kind not in INTERACTIVE:
        yield _dropped(f"interactive.type is none of {', '.join(INTERACTIVE)}")
        return
    yield from _look("interactive", content, INTERACTIVE[kind])
    if kind == "list":
        rows = objects_at(content, "action", "sections", "rows")
        if len(rows) > 10:
            yield _dropped(f"interactive.action.sections have {len(rows)} rows in total, at most 10")
        yield from _repeated("row id", rows, "id")
    if kind == "button":
        replies = objects_at(content, "action", "buttons", "reply")
        yield from _repeated("button id", replies, "id")
        yield from _repeated("button title", replies, "title")


def _about_template(body: Mapping[str, Any]) -> Iterator[Finding]:
    template: Any = body.get("template")
    if template is None and custom_type(body):
        yield Finding(TEMPLATE.missing, "template is missing; a custom message goes to /wa/custom/sendMsg")
    yield from _look("template", template, TEMPLATE)
    for number, component in enumerate(_entries(template.get("components"))):
        where = f"template.components[{number}]"
        yield from _look(where, component, COMPONENT)
        if isinstance(component, dict):
            yield from _about_parameters(where, component)


def _about_parameters(where: str, component: Mapping[str, Any]) -> Iterator[Finding]:
    place = str(component.get("type"))
    if place == "button":
        place = f"button {component.get('sub_type')}"
        if component.get("index") is None:
            yield _dropped(f"{where}.index is missing")
    allowed = PARAMETER_TYPES.get(place, tuple(PARAMETER_VALUES))
    for number, parameter in enumerate(_entries(component.get("parameters"))):
        inside = f"{where}.parameters[{number}]"
        kind = parameter.get("type") if isinstance(parameter, dict) else None
        if not isinstance(kind, str) or kind not in allowed:
            yield Finding(WRONG_PARAMETER, f"{inside}.type is none of {', '.join(allowed)}")
        else:
            yield from _look(inside, parameter, Object({"type": Text(), kind: PARAMETER_VALUES[kind]}))


def _look(where: str, value: Any, shape: Shape) -> Iterator[Finding]:
    """Compare a value with its rules, the deciding one first."""
    if value is None or value == "" or (value == [] and isinstance(shape, Array)):
        if shape.missing is not None:
            yield Finding(shape.missing, f"{where} is missing or empty")
        elif shape.needed:
            yield Finding(None, f"{shape.needed}: {where} is missing or empty")
        return
    kinds, wanted, look = LOOKS[type(shape)]
    if not isinstance(value, kinds):
        text = f"{where} is {_kind(value)}, {wanted} is needed"
        yield _dropped(text) if shape.missing is None else Finding(WRONG_JSON, text)
        return
    yield from look(where, value, shape)


def _at_text(where: str, value: Any, shape: Any) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield Finding(None, f"{where} is {_kind(value)}; the page says text")
    text = str(value)
    if shape.link and not well_formed(text):
        yield Finding(MALFORMED_LINK, f"{where} is not an http or https address")
    if where.endswith(".link") and (host := private_host_of(text)):
        yield _dropped(f"{where} leads to {host}, which only your own network knows")
    if shape.longest is not None and len(text) > shape.longest:
        yield _dropped(f"{where} has {len(text)} characters, at most {shape.longest}")
    if shape.one_line and re.search(r"[\n\r\t]| {5}", text):
        yield _dropped(f"{where} contains a line break, a tab or more than four spaces in a row")
    if shape.one_of and text not in shape.one_of:
        yield _dropped(f"{where} is none of {', '.join(shape.one_of)}")
    if shape.degrees and not is_within(text, shape.degrees):
        yield _dropped(f"{where} is no number from -{shape.degrees} to {shape.degrees}")
    elif (shape.missing is not None or shape.needed) and not text.strip():
        yield _dropped(f"{where} contains only spaces")


def _at_object(where: str, value: Any, shape: Any) -> Iterator[Finding]:
    if shape.fields is None:
        return
    for name, inner in shape.fields.items():
        yield from _look(f"{where}.{name}", value.get(name), inner)
    yield from _unknown_keys(f"{where}.", value, shape.fields)


def _at_array(where: str, value: Any, shape: Any) -> Iterator[Finding]:
    if shape.most is not None and len(value) > shape.most:
        yield _dropped(f"{where} has {len(value)} entries, at most {shape.most}")
    for number, entry in enumerate(value):
        yield from _look(f"{where}[{number}]", entry, shape.of)


KINDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}

LOOKS: Mapping[type, tuple[tuple[type, ...], str, Callable[[str, Any, Any], Iterable[Finding]]]] = {
    Text: ((str, int, float), "a text", _at_text),
    Object: ((dict,), "an object", _at_object),
    Array: ((list,), "a list", _at_array),
}


def _dropped(text: str) -> Finding:
    return Finding(None, f"{BY_WHATSAPP}: {text}")


def _unknown_keys(where: str, value: Mapping[str, Any], known: Any) -> Iterator[Finding]:
    for name in value:
        if name not in known:
            yield Finding(None, f"unknown key {where}{name}")


def _repeated(what: str, entries: list[dict[str, Any]], key: str) -> Iterator[Finding]:
    counted = Counter(str(one[key]) for one in entries if key in one)
    for value, times in counted.items():
        if times > 1:
            yield _dropped(f"the {what} {value!r} is used {times} times")


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "a number")
