"""Which alerts are held back: those over the limit, and those in quiet hours.

In doubt, an alert is sent. It is held back only after its count was written to the Variable and read again.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from airflow_provider_itnio._compat import is_failed_write
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.phone_numbers import canonical_number
from airflow_provider_itnio.notifications.alert_facts import AlertFacts
from airflow_provider_itnio.notifications.alert_options import HoldingOptions, holding_options
from airflow_provider_itnio.notifications.alert_state import (
    AlertState,
    RecipientState,
    change_locked,
    change_state,
    digest,
    or_default,
    pause_variable_use,
    read_state,
    update_state,
)
from airflow_provider_itnio.notifications.batch_counting import answer_batched
from airflow_provider_itnio.notifications.formatting import describe_duration, utc_minute
from airflow_provider_itnio.notifications.recovery import Failure, failure_from, record_failure

_TIMEOUT: Final = 5.0
"""How long a decision may take: Airflow gives callbacks 20 or 50 seconds."""

_SENDING_MARGIN: Final = 0.1
"""Seconds of them after a count: the alert is sent at the deadline, counted or not."""
_MAX_DAGS: Final = 5
_HELD_LIMIT: Final = 150
"""Characters, so that some of the alert fits into the same value of the WhatsApp template."""

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")


class Admission(NamedTuple):
    """Whether an alert is sent to one recipient.

    :param is_held: whether it is held back.
    :param note: the note about held alerts that it has to contain.
    :param counted: the window it counts in, and the held alerts it reports; ``None`` if it was not counted.
    """

    is_held: bool = False
    note: str = ""
    counted: RecipientState | None = None


def admit(recipients: Sequence[str], facts: AlertFacts, context: Any) -> dict[str, Admission]:
    """Decide which recipients get an alert now, and count it. If that takes over 5 seconds, all get it.

    :param recipients: the phone numbers, digits only.
    :param facts: the alert's facts. A failure is recorded, for the alert of its recovery.
    :param context: the callback's context.
    :return: the decisions by number.
    """
    results: list[dict[str, Admission]] = []
    deadline = time.monotonic() + _TIMEOUT
    run = contextvars.copy_context().run
    thread = threading.Thread(
        target=lambda: results.append(run(_decide_or_admit, recipients, facts, context, deadline)),
        name="whatsapp-alert-guard",
        daemon=True,
    )
    thread.start()
    thread.join(deadline - time.monotonic())
    return results[0] if results else _admit_after_timeout(recipients)


async def aadmit(recipients: Sequence[str], facts: AlertFacts, context: Any) -> dict[str, Admission]:
    """Decide as :func:`admit` does, without blocking the event loop.

    :return: the decisions by number.
    """
    from asgiref.sync import sync_to_async  # in a triggerer, Airflow's calls work only in its threads

    deadline = time.monotonic() + _TIMEOUT
    task = asyncio.ensure_future(sync_to_async(_decide_or_admit)(recipients, facts, context, deadline))
    done, _ = await asyncio.wait({task}, timeout=_TIMEOUT)
    return task.result() if done else _admit_after_timeout(recipients)


def _admit_after_timeout(recipients: Sequence[str]) -> dict[str, Admission]:
    pause_variable_use()
    _LOG.warning("Airflow did not return the count of alerts within %.0f s; the alert is sent", _TIMEOUT)
    return {number: Admission() for number in recipients}


def _decide_or_admit(
    recipients: Sequence[str], facts: AlertFacts, context: Any, deadline: float
) -> dict[str, Admission]:
    """Decide. If that fails, all recipients get the alert."""
    all_admitted = {number: Admission() for number in recipients}
    try:
        return _count_alert(recipients, facts, context, deadline) or all_admitted
    except BaseException as error:
        if not is_failed_write(error):
            raise
        _LOG.warning("The alert could not be counted (%s); it is sent", type(error).__name__)
        return all_admitted


def _count_alert(
    recipients: Sequence[str], facts: AlertFacts, context: Any, deadline: float
) -> dict[str, Admission] | None:
    """Count the alert, and return the decisions; empty or ``None`` if all recipients get it.

    After the deadline the alert has been sent without a note about held alerts, so it is not counted.
    """
    options = holding_options()
    is_question = facts.kind == "approval_wanted"  # a task waits for the answer
    keys = {number: digest(canonical_number(number)) for number in recipients}
    failure = None
    with suppress(Exception):
        failure = failure_from(facts, context)
    request = _Request(
        recipients=[] if is_question else [*keys.values()],
        dag_id=facts.dag_id,
        quiet=not is_question and _is_quiet(options, context),
        failure=failure,
        deadline=deadline,
    ).model_dump_json()

    count = partial(_answer_requests, options=options)
    seconds = deadline - time.monotonic() - _SENDING_MARGIN
    answer = or_default(lambda: answer_batched(request, count, _undo_answers, seconds), None)
    decided = _ANSWER.validate_json(answer or "{}")
    admissions = {number: decided[key] for number, key in keys.items() if key in decided}
    if admissions and time.monotonic() > deadline:
        change_state(partial(_undo_count, admissions=_by_digest(admissions)))
        return None
    for number, admission in admissions.items():
        if admission.is_held:
            _LOG.warning(
                "WhatsApp alert to %s is held back; the next one that is sent reports how many were",
                mask_phone(number),
            )
    return admissions


class _Request(BaseModel):
    """An alert to count.

    :param recipients: their digests.
    :param deadline: until when the alert waits, by the machine's monotonic clock.
    """

    recipients: list[str]
    dag_id: str
    quiet: bool
    failure: Failure | None
    deadline: float


_ANSWER: Final = TypeAdapter(dict[str, Admission])
"""The decisions by the recipient's digest; empty if the alert has been sent."""


def _answer_requests(requests: Sequence[str], options: HoldingOptions) -> list[str]:
    """Count alerts with one change of the Variable, and return the answers to their requests."""
    now = int(time.time())
    answers = change_locked(
        lambda state: [_decide_each(state, request, now, options) for request in requests]
    )
    held = {key for answer in answers for key, admission in answer.items() if admission.is_held}
    missing = held and _missing_in_state(held)
    for answer in answers:
        answer.update({key: Admission() for key in missing if key in answer and answer[key].is_held})
    return [_ANSWER.dump_json(answer).decode() for answer in answers]


def _undo_answers(answers: Sequence[str]) -> None:
    """Undo the counts of alerts that were sent before their answer came."""
    for answer in map(_ANSWER.validate_json, answers):
        or_default(partial(change_locked, partial(_undo_count, admissions=answer)), False)


def _decide_each(state: AlertState, text: str, now: int, options: HoldingOptions) -> dict[str, Admission]:
    try:
        request = _Request.model_validate_json(text)
    except ValidationError:  # of another version of this package
        return {}
    if time.monotonic() > request.deadline:
        return {}
    if request.failure is not None:
        record_failure(state, request.failure)
    return {
        key: _decide(state.recipient_of(key), request.dag_id, now, request.quiet, options)
        for key in request.recipients
    }


def give_back(admissions: Mapping[str, Admission]) -> None:
    """Undo the count of alerts that were not sent, so that they do not count for the limit."""
    if not update_state(partial(_undo_count, admissions=_by_digest(admissions)), False):
        for number, admission in admissions.items():
            if admission.counted and admission.counted.held:
                log_unreported(number, admission.counted)


def _by_digest(admissions: Mapping[str, Admission]) -> dict[str, Admission]:
    return {digest(canonical_number(number)): admission for number, admission in admissions.items()}


def _undo_count(state: AlertState, admissions: Mapping[str, Admission]) -> bool:
    for key, admission in admissions.items():
        recipient, counted = state.recipient_of(key), admission.counted
        if counted is not None:
            recipient.give_back(counted)
            if recipient.start == counted.start and recipient.sent:
                recipient.sent -= 1
    return True


def log_unreported(number: str, held: RecipientState) -> None:
    """Log held alerts that no message will report.

    :param number: the recipient's number.
    :param held: a state with held alerts.
    """
    _LOG.error("No WhatsApp message will report to %s: %s", mask_phone(number), describe_held(held))


def describe_held(held: RecipientState) -> str:
    """Return how many alerts were held back, since when and for which DAGs, in about 150 characters."""
    alerts = f"{held.held} alerts were" if held.held > 1 else "1 alert was"
    since = utc_minute(datetime.fromtimestamp(held.since, UTC))
    beginning = f"{alerts} held back since {since}"
    most_first = sorted(held.dags.items(), key=lambda item: (-item[1], item[0]))
    for shown in range(min(_MAX_DAGS, len(most_first)), 0, -1):
        names = [f"{dag_id} ({count})" for dag_id, count in most_first[:shown]]
        others = held.held - sum(count for _, count in most_first[:shown])
        text = f"{beginning}: {', '.join(names)}{f', {others} others' if others > 0 else ''}"
        if len(text) <= _HELD_LIMIT or shown == 1:
            return text
    return beginning


def _decide(
    recipient: RecipientState, dag_id: str, now: int, quiet: bool, options: HoldingOptions
) -> Admission:
    if not (options.limit or quiet or recipient.held):
        return Admission()
    if not 0 <= now - recipient.start < options.window:  # also if a clock was set back
        recipient.start, recipient.sent = now, 0
    if quiet or (options.limit and recipient.sent >= options.limit):
        recipient.hold(dag_id, now)
        return Admission(is_held=True)
    recipient.sent += 1
    taken = recipient.take_held()
    notes = [f"{describe_held(taken)}."] if taken.held else []
    if recipient.sent == options.limit:
        # Rounded up to the next minute.
        end = datetime.fromtimestamp(recipient.start + options.window + 59, UTC)
        until = utc_minute(options.quiet_hours.end_of(end) if options.quiet_hours else end)
        window = describe_duration(options.window).removesuffix(" 0 s").removesuffix(" 0 min")
        notes.append(f"Further alerts are held back until {until}: {options.limit} went out within {window}.")
    return Admission(note=" ".join(notes), counted=taken)


def is_quiet_now(options: HoldingOptions) -> bool:
    """Return whether it is quiet hours now."""
    now = datetime.fromtimestamp(time.time(), UTC)
    return options.quiet_hours is not None and options.quiet_hours.contain(now)


def _is_quiet(options: HoldingOptions, context: Any) -> bool:
    if not is_quiet_now(options):
        return False
    tags = getattr(context.get("dag"), "tags", None) if isinstance(context, Mapping) else None
    if tags is None:  # the tags are unknown, so the alert may be urgent
        return not options.urgent_tags
    return not options.urgent_tags.intersection(map(str, tags))


def _missing_in_state(held: Set[str]) -> Set[str]:
    """Return the recipients without a held alert in the Variable."""
    try:
        state = read_state()
    except BaseException as error:
        if not is_failed_write(error):
            raise
        return held
    return {key for key in held if key not in state.recipients or not state.recipients[key].held}
