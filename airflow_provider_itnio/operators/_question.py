"""The messages that ask a question: reply buttons, a list, or a WhatsApp template."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.values import plain_scalar

if TYPE_CHECKING:
    from airflow_provider_itnio.message_types import InteractiveDict, TemplateDict

_MAX_BUTTONS: Final = 3
_MAX_RECIPIENTS: Final = 100
_LIST_BUTTON: Final = "Choose an answer"
_LIST_TITLE: Final = "Answers"
_POSITIONS: Final = range(10)
"""The positions of a WhatsApp template's buttons."""
_OPTION_PATH: Final = re.compile(
    r"interactive\.action\.(?:buttons\[(\d+)\]\.reply|sections\[0\]\.rows\[(\d+)\])\.title"
)

log = NeverRaisingLog(__name__)


def build_interactive(question: Any, titles: Mapping[str, Any]) -> InteractiveDict:
    """Return a question's ``interactive``: reply buttons for up to three options, a list for more.

    :param question: the question's text.
    :param titles: the options' titles by option id.
    """
    options = [{"id": option_id, "title": title} for option_id, title in titles.items()]
    if len(options) <= _MAX_BUTTONS:
        action: dict[str, Any] = {"buttons": [{"type": "reply", "reply": option} for option in options]}
        return _interactive("button", question, action)
    action = {"button": _LIST_BUTTON, "sections": [{"title": _LIST_TITLE, "rows": options}]}
    return _interactive("list", question, action)


def _interactive(kind: str, question: Any, action: dict[str, Any]) -> InteractiveDict:
    return cast("InteractiveDict", {"type": kind, "body": {"text": question}, "action": action})


def build_template(template: Mapping[str, Any], ids: Mapping[str, str]) -> TemplateDict:
    """Set the option ids in the quick-reply buttons of a question's WhatsApp template.

    :param template: the result of ``template_message``. The values of its quick replies are option keys. If
        it has no quick replies, they are added in the options' order, at positions without another button.
    :param ids: the option ids by option key.
    :raises InvalidMessageError: if the quick replies and the options do not match one to one.
    """
    raw_components = template.get("components") or []
    components = list(raw_components) if isinstance(raw_components, (list, tuple)) else [raw_components]
    buttons = [part for part in components if isinstance(part, Mapping) and part.get("type") == "button"]
    replies = {id(part): _payload(part) for part in buttons if part.get("sub_type") == "quick_reply"}
    if replies:
        if sorted(map(str, replies.values())) != sorted(ids):
            raise InvalidMessageError(
                "template: must have one quick reply for each option, whose value is the option's key: "
                f"{', '.join(ids)}; or no quick reply, and they are added"
            )
        new_components = [
            {**part, "parameters": [_parameter(ids[str(replies[id(part)])])]} if id(part) in replies else part
            for part in components
        ]
        return cast("TemplateDict", {**template, "components": new_components})
    used_positions = {str(part.get("index")) for part in buttons}
    free_positions = [str(position) for position in _POSITIONS if str(position) not in used_positions]
    if len(free_positions) < len(ids):
        raise InvalidMessageError(
            f"template: at most {len(_POSITIONS)} buttons, {len(used_positions)} and {len(ids)} options given"
        )
    new_buttons = [
        {"type": "button", "sub_type": "quick_reply", "index": index, "parameters": [_parameter(option_id)]}
        for index, option_id in zip(free_positions, ids.values(), strict=False)
    ]
    return cast("TemplateDict", {**template, "components": [*components, *new_buttons]})


def _quick_replies(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a WhatsApp template's quick replies in the order in which recipients see them."""
    raw_components = template.get("components") or []
    components = raw_components if isinstance(raw_components, (list, tuple)) else [raw_components]
    replies = (
        part for part in components if isinstance(part, Mapping) and part.get("sub_type") == "quick_reply"
    )
    return sorted(replies, key=lambda part: (len(str(part.get("index"))), str(part.get("index"))))


def shows_options_in_order(template: Any, options: Mapping[str, Any]) -> bool:
    """Return whether a question's WhatsApp template shows the options in their order.

    :param template: the WhatsApp template, ``None`` for none.
    :param options: the titles by option key.
    """
    replies = _quick_replies(template) if isinstance(template, Mapping) else []
    return not replies or [str(_payload(part)) for part in replies] == list(options)


def check_order(template: Any) -> None:
    """Check a WhatsApp template for options whose order is unknown: its quick replies must name them.

    :param template: the WhatsApp template, ``None`` for none.
    :raises InvalidMessageError: if it has no quick replies.
    """
    if isinstance(template, Mapping) and not _quick_replies(template):
        raise InvalidMessageError(
            "template: must name the options in its quick replies, as in "
            'buttons=[{"quick_reply": "<key>"}, …], if options come from an upstream task or from Jinja: '
            "Airflow's database does not keep the order of a dict. Or give options as a list of pairs"
        )


def _payload(button: Mapping[str, Any]) -> Any:
    match button.get("parameters"):
        case [{"payload": payload}]:
            return payload
    return None


def _parameter(option_id: str) -> dict[str, str]:
    return {"type": "payload", "payload": option_id}


def check_question(
    question: Any,
    options: Any,
    template: Any,
    if_no_answer: Any,
    is_unrendered: Callable[[Any], bool] = lambda value: False,
) -> None:
    """Check the parameters of a question.

    :param question: the question's text.
    :param options: the titles by option key, or a list of pairs.
    :param template: the WhatsApp template, ``None`` for none.
    :param if_no_answer: ``fail``, ``skip``, or an option's key.
    :param is_unrendered: returns whether a value is known only after rendering.
    :raises InvalidMessageError: if the question, a title or the WhatsApp template breaks a rule.
    :raises InvalidParameterError: if the options or ``if_no_answer`` are invalid.
    """
    from airflow_provider_itnio.api.models import check_fields
    from airflow_provider_itnio.api.question import check_options, options_by_key

    parsed = None
    if not is_unrendered(options):
        parsed = options_by_key(options)
        check_options(parsed, is_unrendered)
    _check_if_no_answer(if_no_answer, parsed)
    keys = ["any"] if parsed is None else list(parsed)
    titles = {"any": "-"} if parsed is None else {str(key): title for key, title in parsed.items()}
    try:
        check_fields({"interactive": build_interactive(question, titles)}, is_unrendered=is_unrendered)
    except InvalidMessageError as error:
        raise InvalidMessageError(*(_rename_path(problem, keys) for problem in error.problems)) from None
    if template is None or is_unrendered(template):
        return
    if not isinstance(template, Mapping):
        raise InvalidMessageError(
            f"template: must be what template_message(…) returns, {describe_value(template)} given"
        )
    is_complete = parsed is not None and not is_unrendered(template.get("components"))
    with_ids = build_template(template, {key: key for key in keys}) if is_complete else template
    check_fields({"template": with_ids}, is_unrendered=is_unrendered)


def _check_if_no_answer(if_no_answer: Any, options: Mapping[str, Any] | None) -> None:
    actions, if_no_answer = ("fail", "skip"), plain_scalar(if_no_answer)
    if not isinstance(if_no_answer, str) or (
        options is not None and if_no_answer not in actions and if_no_answer not in options
    ):
        raise InvalidParameterError(
            f"if_no_answer: must be fail, skip or the key of an option; {describe_value(if_no_answer)} given"
        )
    if options is not None and if_no_answer in actions and if_no_answer in options:
        raise InvalidParameterError(
            f"if_no_answer: {if_no_answer} is also the key of an option; give the option another key"
        )


def _rename_path(problem: str, keys: Sequence[str]) -> str:
    """Replace the path in an error by the operator's parameter."""
    path, separator, text = problem.partition(":")
    if path == "interactive.body.text":
        return f"question{separator}{text}"
    if option := _OPTION_PATH.fullmatch(path):
        return f"options.{keys[int(option[1] or option[2])]}{separator}{text}"
    return problem


def check_recipients(recipients: Any) -> None:
    """Check the recipients in a DAG file, except those that are rendered later.

    :param recipients: the operator's ``recipients``.
    :raises InvalidMessageError: if one of them is no phone number, or there are none or over 100.
    """
    from airflow_provider_itnio.broadcast.recipients import read_recipient
    from airflow_provider_itnio.templating import is_rendered_later, leaves, recipient_entries

    if is_rendered_later(recipients):
        return
    entries = recipient_entries(recipients)
    _check_count(entries)
    for index, entry in enumerate(entries):
        if not any(is_rendered_later(leaf) for _, leaf in leaves(entry)):
            read_recipient(entry, f"recipients[{index}]")


def valid_numbers(recipients: Any) -> list[str]:
    """Return the numbers to ask, each once. An invalid one is logged and left out.

    :param recipients: the operator's ``recipients``, rendered.
    :return: the numbers, digits only.
    :raises InvalidMessageError: if no number is valid, or there are over 100.
    """
    from airflow_provider_itnio.broadcast.recipients import read_recipient, recipient_list

    entries = recipient_list(recipients)
    _check_count(entries)
    numbers: list[str] = []
    problems: list[str] = []
    for index, entry in enumerate(entries):
        try:
            number, _ = read_recipient(entry, f"recipients[{index}]")
            numbers.append(number)
        except InvalidMessageError as error:
            problems += error.problems
    if not numbers:
        raise InvalidMessageError(*problems)
    for problem in problems:
        log.error("Not asked: %s", problem)
    return deduplicate_numbers(numbers)


def deduplicate_numbers(numbers: Sequence[str]) -> list[str]:
    """Return each number once. Of several spellings of one number, the last is kept.

    :param numbers: phone numbers, digits only.
    """
    from airflow_provider_itnio.api.phone_numbers import canonical_number

    return list({canonical_number(number): number for number in numbers}.values())


def _check_count(entries: Sequence[Any]) -> None:
    if not 1 <= len(entries) <= _MAX_RECIPIENTS:
        raise InvalidMessageError(
            f"recipients: must be 1 to {_MAX_RECIPIENTS} phone numbers, {len(entries)} given"
        )
