"""The operator that asks people a question and waits for the answer."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.checks import check_delivery
from airflow_provider_itnio.api.errors import (
    ItnioError,
    NotSentError,
    ReceiverError,
    RecordError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.operators._asking import AskingOperator, nothing_was_pushed, with_unasked
from airflow_provider_itnio.operators._question import (
    check_question,
    check_recipients,
    each_once,
    numbers_of,
)
from airflow_provider_itnio.operators._sending import retries_may_help
from airflow_provider_itnio.operators._waiting import (
    OF_TRIGGERER,
    is_deferrable,
    never_sending_again,
    seconds_of,
)
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.question import AnswerDict, Question
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.message_types import RecipientsGiven, TemplateDict, XComArgLike
    from airflow_provider_itnio.operators._task_arguments import TaskArguments

__all__ = ["WhatsAppAskOperator"]

_SETTINGS: Final = (
    *("recipients", "question", "options", "template", "answer_within", "if_no_answer", "deferrable"),
    "typed_answers",
    *("business_phone", "app_id", "itnio_conn_id", "delivery"),
    *("timeout", "connect_timeout", "max_attempts", "proxy"),
)

log = NeverRaisingLog(__name__)


class WhatsAppAskOperator(AskingOperator):
    """Asks people a question by WhatsApp, and waits for the first answer.

    .. code-block:: python

        ask = WhatsAppAskOperator(
            task_id="ask",
            recipients=["+86 147-1800-4557"],
            question="The load of {{ ds }} has failed. What now?",
            options={"again": "Load again", "leave": "Leave it"},
            answer_within=timedelta(hours=2),
            if_no_answer="leave",
            deferrable=True,
        )

    Each option is a button, from four options on a row of a list. A person taps one, or types its key, its
    title or its number. The connection's receiver (``itnio-receiver``) knows the answers. The first one
    counts; whoever else was asked is not told.

    The id of each button is signed with the connection's secret, for this task instance, question and person:
    a button of an earlier question, or of somebody else, does not count, unless Itniotech pushes a tap as a
    text without a context. Typed words have no such code: they count from a number that was asked, while no
    other question is open to it or was in the last 15 minutes, or if they quote the question.

    On Airflow 3.3 and later a retry asks nobody again, and waits for the same question until the same time. A
    task that is cleared after its answer, or after its time was over, asks anew. Before 3.3 a wait that fails
    is a failure without retries.

    :param recipients: who is asked: phone numbers in a list, or in a text separated by commas or lines; up to
        100. The question goes to each of them. (templated)
    :param question: what is asked, at most 1,024 characters. (templated)
    :param options: the answers, 1 to 10: title by key, or a list of pairs. Keys have at most 100
        characters, titles at most 20, and 24 from four options on. (templated, but for the keys)
    :param answer_within: how long an answer is waited for, from when the first message is accepted: 1 s to
        7 days, a timedelta or seconds.
    :param if_no_answer: what to do then: ``fail``, ``skip``, or the key of the option that is taken for the
        answer. A question that reached nobody, an answer that can't be read, and a typed option of which it
        is not clear to which question fail the task in any case.
    :param typed_answers: whether typed words count. They carry no signature: whoever knows the receiver's
        push address and a number that was asked could send them. With ``False`` only a tap with its
        signed id counts.
    :param template: the WhatsApp template that asks whoever has not written in the last 24 hours: what
        ``template_message`` returns. It has a quick-reply button for each option, in their order.
        Without it, such people do not get the question. Not taken from ``default_args``, where it is a
        message of other operators. (templated)
    :param business_phone: the number that asks, 7 to 14 digits, in place of the connection's. (templated)
    :param app_id: the application it goes through, in place of the connection's. (templated)
    :param itnio_conn_id: the connection, which names a receiver. (templated)
    :param delivery: what happens if it is unknown whether anybody got the question: with ``at_least_once``
        the task's retries ask again, with ``at_most_once`` the task fails at once.
    :param deferrable: wait in the triggerer, without a worker slot. ``None`` takes Airflow's
        ``[operators] default_deferrable``.
    :param timeout: seconds to wait for Itniotech's answer to a request, in place of the connection's (30).
    :param connect_timeout: seconds to wait for a connection, in place of the connection's (5).
    :param max_attempts: attempts for a message that was not sent, within one try of the task, 1 to 10,
        in place of the connection's (4).
    :param proxy: URL of an HTTP proxy, in place of the connection's.
    :return: ``{"answer", "answered_by", "answered_at"}``: the option's key, the number that answered, digits
        only, and when, in ISO 8601 and UTC. The last two are ``None`` if nobody has answered.
    :raises InvalidMessageError: if what is written in the DAG file breaks a rule of a message.
    :raises InvalidParameterError: if another parameter in the DAG file is out of its range.
    :raises AirflowFailException: at once and without retries, if nobody has answered and ``if_no_answer`` is
        ``fail``; if it is not clear whether somebody has; if the question reached nobody; if something in it
        is invalid, the connection names no receiver, or Itniotech refused.
    :raises AirflowSkipException: if nobody has answered and ``if_no_answer`` is ``skip``.
    :raises NotSentError: if nobody was asked; the task's retries try again.
    :raises UnknownOutcomeError: with ``at_least_once``, if it is unknown whether anybody was asked.
    :raises ReceiverError: if the receiver can't be asked at the end, or nothing was pushed to it, so that
        there may be an answer; the task's retries look again.
    :raises RecordError: if Airflow did not take the record of the question; nobody was asked.
    """

    template_fields: Sequence[str] = (
        *("recipients", "question", "options", "template"),
        *("business_phone", "app_id", "itnio_conn_id"),
    )
    _own_fields = frozenset(template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("recipients", "options", "template"), "json"
    )
    recipients: Any

    def __init__(
        self,
        *,
        recipients: RecipientsGiven,
        question: str | XComArgLike,
        options: Mapping[str, str] | Sequence[tuple[str, str]] | XComArgLike,
        answer_within: timedelta | float = timedelta(hours=2),
        if_no_answer: Literal["fail", "skip"] | str = "fail",
        typed_answers: bool = True,
        template: TemplateDict | XComArgLike | None = None,
        business_phone: str | int | XComArgLike | None = None,
        app_id: str | XComArgLike | None = None,
        itnio_conn_id: str = ItnioHook.default_conn_name,
        delivery: Delivery = "at_least_once",
        deferrable: bool | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        max_attempts: int | None = None,
        proxy: str | None = None,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        own = locals()
        super().__init__(settings={name: own[name] for name in _SETTINGS}, **kwargs)
        self._forget_timeout_of_sensors()
        if self._defaults.get("template") is template:  # another operator's message
            self.template = template = None
        self._note_jinja()
        self._note_order()
        if self._is_written_in_dag_file():
            check_recipients(recipients)
            check_question(question, options, template, if_no_answer, is_rendered_later)
            seconds_of(answer_within, "answer_within")
            self._check_flags()
            self._check_how_it_sends()

    def execute(self, context: Context) -> AnswerDict:
        """Ask whom no earlier try has asked, and wait for the answer.

        :param context: the task's context.
        """
        from airflow_provider_itnio.api.question import Question
        from airflow_provider_itnio.delivery.question_record import question_of_earlier_try, write_question

        with self._failing_as_documented(), self._closing_on_failure():
            check_delivery(self.delivery)
            self._check_flags()
            seconds = seconds_of(self.answer_within, "answer_within")
            self._check_rendered(context)
            numbers = rest = everyone = numbers_of(self.recipients)
            record = self._record_of(context)
            earlier, question_id = question_of_earlier_try(record.store), Question.new_id()
            now, perhaps_asked = time.time(), frozenset[str]()
            begun_at = now
            if earlier is not None:
                question = self._question(context, earlier.id, earlier.begun_at, earlier.ends_at)
                everyone = each_once([*earlier.numbers, *numbers])
                question, unasked, unrecorded = self._asked_earlier(
                    replace(question, **earlier.shown), everyone, record
                )
                has_changed = self._shows_other_options(question)
                rest = [number for number in unasked if number in numbers]
                if earlier.answer is not None:
                    log.info("An earlier try of this task has found the answer")
                    return cast("AnswerDict", earlier.answer)
                if question.asked and earlier.cursor:  # a question that has its answer is not opened again
                    question = replace(question, cursor=earlier.cursor)
                    if answer := self._answer_meanwhile(question):
                        return self._ended(question, {"answer": answer}, record)
                if question.asked and time.time() < earlier.ends_at:
                    log.info("An earlier try of this task has asked. The wait for the answer goes on")
                    if has_changed:
                        log.warning("The options have changed since the question was asked. The earlier hold")
                    question = self._opened(question, everyone)
                    write_question(record.store, question, everyone)
                    return self._ask(question, rest, record)
                if question.was_accepted:
                    question = self._opened(question, everyone)
                    found = self._wait_in_worker(question)  # what came in time, and no try has read
                    if found["answer"] or found["problem"] or earlier.cleared == "no":
                        return self._ended(question, found, record)
                if question.asked:
                    rest = numbers
                elif not has_changed:  # a worker may have been lost after it had asked
                    question_id, begun_at = earlier.id, earlier.begun_at
                    perhaps_asked = frozenset(unrecorded) & frozenset(earlier.numbers)
            question = self._opened(self._question(context, question_id, begun_at, now + seconds), numbers)
            write_question(record.store, question, numbers)
            record.about = question.id
            return self._ask(question, rest, record, perhaps_asked)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> AnswerDict:
        """Go on when the triggerer has waited.

        :param context: the task's context.
        :param event: how the wait ended, and the question: ``dag.test()`` hands on nothing else.
        """
        from airflow_provider_itnio.api.question import Question

        record, question = self._record_of(context), Question.from_dict(event["question"])
        self._is_open = question
        numbers = list(dict.fromkeys(one.recipient for one in question.asked))
        known, rest, _ = self._asked_earlier(replace(question, asked=()), numbers, record)
        if {one.message_id for one in known.asked} - {one.message_id for one in question.asked}:
            # This has run before, in a worker that was lost after it had sent a WhatsApp template.
            unclear = event.get("unclear", "")
            return self._ask(replace(known, cursor=event["cursor"], unclear=unclear), rest, record)
        return self._ended(question, event, record)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; one that Airflow ended, too, must not let anybody be asked again.

        :param next_method: as Airflow gives it.
        :param next_kwargs: as Airflow gives it.
        :param context: the task's context.
        """
        record = self._record_of(context)
        with self._failing_as_documented(), self._closing_on_failure(), never_sending_again(record, ""):
            if record.store and (next_kwargs or {}).get("error") == _TRIGGER_TIMEOUT:
                return self.execute(context)  # no triggerer has read what came
            if next_method == _FAILED:
                self._close_of_task(context)
            return super().resume_execution(next_method, next_kwargs, context)

    def _ask(
        self,
        question: Question,
        numbers: Sequence[str],
        record: DeliveryRecord,
        perhaps_asked: Collection[str] = (),
    ) -> AnswerDict:
        """Ask people one after the other, and wait for the answer if anybody was asked.

        What those say who were perhaps asked before counts since then.
        """
        from airflow_provider_itnio.delivery.question_record import write_question

        errors: list[ItnioError] = []
        unasked: dict[str, str] = {}
        with ExitStack() as stack:
            if question.was_accepted:
                stack.enter_context(never_sending_again(record, ""))
            by_template = self._by_template(numbers, record)
            for place, number in enumerate(numbers):
                if question.was_accepted and time.time() >= question.ends_at:
                    unasked[number] = "the time for an answer is over"
                    continue
                try:
                    prepared = self._prepared(question, number, record, by_template=number in by_template)
                    receipt = self._send(prepared, record)
                except ItnioError as error:
                    log.error("The question to %s: %s: %s", mask_phone(number), type(error).__name__, error)
                    errors.append(error)
                    self._stop_if_ended()
                    if isinstance(error, UnknownOutcomeError):
                        question = question.with_unknown(number)
                    if getattr(error, "affects_all", False):
                        unasked |= dict.fromkeys(numbers[place:], f"{type(error).__name__}: {error}")
                        break
                    if isinstance(error, NotSentError):
                        unasked[number] = f"{type(error).__name__}: {error}"
                    continue
                if not question.was_accepted:
                    stack.enter_context(never_sending_again(record, ""))
                    question = self._begun_now(question, numbers, record)
                question = question.with_receipt(receipt.as_dict(), is_first=number not in perhaps_asked)
            self._stop_if_ended()
            if question.was_accepted:
                return self._wait(with_unasked(question, unasked), record)
            self._close(question)
        if errors:
            with suppress(RecordError):  # a retry need not take anybody else to have been asked
                write_question(record.store, question, [one.recipient for one in question.asked])
            raise max(errors, key=lambda error: retries_may_help(error, self.delivery))
        raise AirflowFailException(
            "Nobody was asked: an earlier try of this task could not ask anybody, and its log says why. "
            "Fix the cause, then clear the task to ask again"
        )

    def _wait(self, question: Question, record: DeliveryRecord) -> AnswerDict:
        left = question.ends_at - time.time()
        log.info("Waiting for an answer, %s at most", timedelta(seconds=max(0, math.ceil(left))))
        if left > 0 and is_deferrable(self.deferrable):
            from airflow_provider_itnio.triggers.whatsapp import WhatsAppAnswerTrigger

            self._is_open = None  # for the trigger to close
            self.defer(
                trigger=WhatsAppAnswerTrigger(
                    question.as_dict(), self.template is not None, self.itnio_conn_id
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=left) + OF_TRIGGERER if record.store else None,
            )
        return self._ended(question, self._wait_in_worker(question), record)

    def _ended(self, question: Question, found: Mapping[str, Any], record: DeliveryRecord) -> AnswerDict:
        """Return the answer, send a WhatsApp template to whom the question did not reach, or end without."""
        from airflow_provider_itnio.delivery.question_record import write_question

        if answer := found["answer"]:
            write_question(record.store, question, [one.recipient for one in question.asked], answer)
            self._close(question, answer["answered_by"])
            log.info("%s has answered %r", mask_phone(answer["answered_by"]), answer["answer"])
            return cast("AnswerDict", answer)
        if found["problem"]:
            raise ReceiverError(f"It is not known whether anybody has answered. {found['problem']}")
        failed = question.errors_of(found["failed"])
        for number, error in failed.items():
            log.warning("The question to %s was accepted and then failed: %s", mask_phone(number), error)
        reached = replace(
            question,
            asked=tuple(one for one in question.asked if one.message_id not in found["failed"]),
            cursor=found["cursor"],
            unclear=found.get("unclear", ""),
        )
        if self.template is not None and time.time() < question.ends_at:
            if answer := self._answer_meanwhile(reached):
                return self._ended(question, {**found, "answer": answer}, record)
            again = [number for number, error in failed.items() if question.is_for_template(number, error)]
            for number in again:
                record.fall_back(number, failed[number])
            if again:
                return self._ask(reached, again, record)
        self._close(question)
        if not reached.asked:
            for number, error in failed.items():
                record.failed(number, error)
            reasons = "; ".join(dict.fromkeys(map(str, failed.values())))
            advice = "" if self.template is not None else _GIVE_TEMPLATE
            raise AirflowFailException(f"NotDeliveredError: The question reached nobody: {reasons}{advice}")
        if not found["is_pushed_to"]:
            raise nothing_was_pushed(question)
        if reached.unclear:
            raise AirflowFailException(f"Nobody has given a clear answer. {reached.unclear}. {_CLEAR}")
        return self._without_answer()


_TRIGGER_TIMEOUT: Final = "Trigger timeout"
"""Airflow's word for a deferral that took longer than its ``timeout``."""

_FAILED: Final = "__fail__"
"""Airflow's name for what follows a deferral that it ended."""

_CLEAR: Final = (
    "Clear the task to ask again. A tap on a button, or a reply that quotes the question, is always clear"
)

_GIVE_TEMPLATE: Final = ". Only a WhatsApp template reaches people who have not written: give template=…"
