"""The vendor's checks of a message before it is accepted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_itnio.sandbox.addresses import is_web_link, private_host_of
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
    Rule,
    Text,
)

WRONG_JSON = -7
NO_SUCH_APPLICATION = -10
LOW_BALANCE = -68
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


def check_message(path: str, body: Mapping[str, Any], account: Account) -> Verdict:
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
    present = [name for name in CUSTOM if body.get(name) is not None]
    return "location" if present == ["location"] else ""


def _findings(kind: str, path: str, body: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    # The caller stops at the first code, so each check can rely on those before it.
    yield from _check_application(body, account)
    yield from _check_number(body, "recipient", too_long=-70, too_short=-71, no_digits=-72)
    yield from _check_number(body, "businessPhone", too_long=-93, too_short=-94, no_digits=-95)
    if account.business_phones is not None and str(body["businessPhone"]) not in account.business_phones:
        yield Finding(NO_SUCH_BUSINESS_PHONE, "businessPhone is none of the account's numbers")
    yield from _check_channel(body)
    if not kind:
        yield Finding(UNKNOWN_TYPE, _unknown_type(body))
    yield from _unknown_keys("", body, ENVELOPE | {kind})
    yield from _check_value("context", body.get("context"), CONTEXT)
    if path == TEMPLATE_PATH:
        yield from _check_template(body)
    else:
        yield from _check_custom(kind, body)
    if not account.can_pay:
        yield Finding(LOW_BALANCE, f"the balance of {account.shown_balance} does not pay one more message")


def _check_application(body: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    given = body.get("appId")
    if given is None or given == "":
        yield Finding(NO_SUCH_APPLICATION, "appId is missing")
    if isinstance(given, (dict, list)):
        yield Finding(WRONG_JSON, f"appId is {_kind(given)}, a text is needed")
    if account.app_ids is not None and str(given) not in account.app_ids:
        yield Finding(NO_SUCH_APPLICATION, "appId is none of the account's applications")


def _check_number(
    body: Mapping[str, Any], name: str, *, too_long: int, too_short: int, no_digits: int
) -> Iterator[Finding]:
    given = body.get(name)
    if isinstance(given, (dict, list)):
        yield Finding(WRONG_JSON, f"{name} is {_kind(given)}, a text is needed")
    number = "" if given is None else str(given)
    if not number:
        yield Finding(too_short, f"{name} is missing")
    if not re.fullmatch(r"[0-9]+", number):
        invalid = ", ".join(sorted({repr(mark) for mark in number if mark not in "0123456789"})[:5])
        yield Finding(no_digits, f"{name} contains {invalid}; only the digits 0 to 9 may be sent")
    if len(number) > 14:
        yield Finding(too_long, f"{name} has {len(number)} digits, at most 14")
    if len(number) < 7:
        yield Finding(too_short, f"{name} has {len(number)} digits, at least 7")
    if not isinstance(given, str) and name == "recipient":
        yield Finding(None, f"{name} is {_kind(given)}; the page says text")


def _check_channel(body: Mapping[str, Any]) -> Iterator[Finding]:
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


def _check_custom(kind: str, body: Mapping[str, Any]) -> Iterator[Finding]:
    content = body.get(kind)
    if body.get("type") is None:
        yield Finding(None, f"type is missing, taken to be {kind}")
    yield from _check_value(kind, content, CUSTOM[kind])
    if kind == "interactive" and isinstance(content, dict):
        yield from _check_interactive(content)


def _check_interactive(content: Mapping[str, Any]) -> Iterator[Finding]:
    kind = content.get("type")
    if not isinstance(kind, str) or kind not in INTERACTIVE:
        yield _whatsapp_drops(f"interactive.type is none of {', '.join(INTERACTIVE)}")
        return
    yield from _check_value("interactive", content, INTERACTIVE[kind])
    if kind == "list":
        rows = objects_at(content, "action", "sections", "rows")
        if len(rows) > 10:
            yield _whatsapp_drops(f"interactive.action.sections have {len(rows)} rows in total, at most 10")
        yield from _check_unique("row id", rows, "id")
    if kind == "button":
        replies = objects_at(content, "action", "buttons", "reply")
        yield from _check_unique("button id", replies, "id")
        yield from _check_unique("button title", replies, "title")


def _check_template(body: Mapping[str, Any]) -> Iterator[Finding]:
    template: Any = body.get("template")
    if template is None and custom_type(body):
        yield Finding(TEMPLATE.missing, "template is missing; a custom message goes to /wa/custom/sendMsg")
    yield from _check_value("template", template, TEMPLATE)
    for number, component in enumerate(_entries(template.get("components"))):
        where = f"template.components[{number}]"
        yield from _check_value(where, component, COMPONENT)
        if isinstance(component, dict):
            yield from _check_parameters(where, component)


def _check_parameters(where: str, component: Mapping[str, Any]) -> Iterator[Finding]:
    component_type = str(component.get("type"))
    if component_type == "button":
        component_type = f"button {component.get('sub_type')}"
        if component.get("index") is None:
            yield _whatsapp_drops(f"{where}.index is missing")
    allowed = PARAMETER_TYPES.get(component_type, tuple(PARAMETER_VALUES))
    for number, parameter in enumerate(_entries(component.get("parameters"))):
        inside = f"{where}.parameters[{number}]"
        kind = parameter.get("type") if isinstance(parameter, dict) else None
        if not isinstance(kind, str) or kind not in allowed:
            yield Finding(WRONG_PARAMETER, f"{inside}.type is none of {', '.join(allowed)}")
        else:
            yield from _check_value(inside, parameter, Object({"type": Text(), kind: PARAMETER_VALUES[kind]}))


def _check_value(where: str, value: Any, rule: Rule) -> Iterator[Finding]:
    """Compare a value with its rules, the deciding one first."""
    if value is None or value == "" or (value == [] and isinstance(rule, Array)):
        if rule.missing is not None:
            yield Finding(rule.missing, f"{where} is missing or empty")
        elif rule.needed:
            yield Finding(None, f"{rule.needed}: {where} is missing or empty")
        return
    kinds, wanted, check = CHECKERS[type(rule)]
    if not isinstance(value, kinds):
        text = f"{where} is {_kind(value)}, {wanted} is needed"
        yield _whatsapp_drops(text) if rule.missing is None else Finding(WRONG_JSON, text)
        return
    yield from check(where, value, rule)


def _check_text(where: str, value: Any, rule: Any) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield Finding(None, f"{where} is {_kind(value)}; the page says text")
    text = str(value)
    if rule.link and not is_web_link(text):
        yield Finding(MALFORMED_LINK, f"{where} is not an http or https address")
    if where.endswith(".link") and (host := private_host_of(text)):
        yield _whatsapp_drops(f"{where} leads to {host}, which only your own network knows")
    if rule.longest is not None and len(text) > rule.longest:
        yield _whatsapp_drops(f"{where} has {len(text)} characters, at most {rule.longest}")
    if rule.one_line and re.search(r"[\n\r\t]| {5}", text):
        yield _whatsapp_drops(f"{where} contains a line break, a tab or more than four spaces in a row")
    if rule.one_of and text not in rule.one_of:
        yield _whatsapp_drops(f"{where} is none of {', '.join(rule.one_of)}")
    if rule.degrees and not is_within(text, rule.degrees):
        yield _whatsapp_drops(f"{where} is no number from -{rule.degrees} to {rule.degrees}")
    elif (rule.missing is not None or rule.needed) and not text.strip():
        yield _whatsapp_drops(f"{where} contains only spaces")


def _check_object(where: str, value: Any, rule: Any) -> Iterator[Finding]:
    if rule.fields is None:
        return
    for name, inner in rule.fields.items():
        yield from _check_value(f"{where}.{name}", value.get(name), inner)
    yield from _unknown_keys(f"{where}.", value, rule.fields)


def _check_array(where: str, value: Any, rule: Any) -> Iterator[Finding]:
    if rule.most is not None and len(value) > rule.most:
        yield _whatsapp_drops(f"{where} has {len(value)} entries, at most {rule.most}")
    for number, entry in enumerate(value):
        yield from _check_value(f"{where}[{number}]", entry, rule.of)


KINDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}

CHECKERS: Mapping[type, tuple[tuple[type, ...], str, Callable[[str, Any, Any], Iterable[Finding]]]] = {
    Text: ((str, int, float), "a text", _check_text),
    Object: ((dict,), "an object", _check_object),
    Array: ((list,), "a list", _check_array),
}


def _whatsapp_drops(text: str) -> Finding:
    return Finding(None, f"{BY_WHATSAPP}: {text}")


def _unknown_keys(where: str, value: Mapping[str, Any], known: Any) -> Iterator[Finding]:
    for name in value:
        if name not in known:
            yield Finding(None, f"unknown key {where}{name}")


def _check_unique(what: str, entries: list[dict[str, Any]], key: str) -> Iterator[Finding]:
    counts = Counter(str(one[key]) for one in entries if key in one)
    for value, times in counts.items():
        if times > 1:
            yield _whatsapp_drops(f"the {what} {value!r} is used {times} times")


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "a number")
