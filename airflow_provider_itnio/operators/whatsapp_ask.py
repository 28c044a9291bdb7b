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
from airflow_provider_itnio.operators._asking import AskingOperator, no_push_error, with_unasked
from airflow_provider_itnio.operators._question import (
    check_question,
    check_recipients,
    deduplicate_numbers,
    valid_numbers,
)
from airflow_provider_itnio.operators._sending import retries_may_help
from airflow_provider_itnio.operators._waiting import (
    TRIGGERER_MARGIN,
    is_deferrable,
    is_trigger_timeout,
    prevent_resend,
    wait_seconds,
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
    """Sends a question by WhatsApp, and waits for the first answer.

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

    Each option is a reply button; with four or more options, a row of a list. A recipient taps one, or types
    its key, its title or its number. The connection's receiver (``itnio-receiver``) reports the answers. The
    first one counts; the other recipients are not notified.

    The id of each button is signed with the connection's secret, for this task instance, question and
    recipient. A button of another question or another recipient does not count, unless Itniotech pushes a tap
    as a text without a context. Typed answers are not signed: they count from a number that was asked, if
    that number has no other open question and had none in the last 15 minutes, or if they quote the question.

    On Airflow 3.3 and later a retry asks only recipients that no previous try has asked, and waits for the
    same question until the same time. A task that is cleared after its answer, or after its time is over,
    asks again. Before 3.3, an error during the wait fails the task without retries.

    :param recipients: up to 100 phone numbers in a list, or in a text separated by commas or lines. Each of
        them gets the question. (templated)
    :param question: the question's text, at most 1,024 characters. (templated)
    :param options: the 1 to 10 possible answers: a dict of titles by key, or a list of pairs. Keys have at
        most 100 characters, titles at most 20; 24 with four or more options. (templated, except the keys)
    :param answer_within: how long to wait for an answer after the first message is accepted, 1 s to 7 days, a
        timedelta or seconds.
    :param if_no_answer: what to do without an answer: ``fail``, ``skip``, or the key of the option to return.
        The task fails in any case if the question reached no recipient, if an answer can't be read, or if a
        typed answer may belong to another question.
    :param typed_answers: whether typed answers count. They are not signed: anyone who knows the receiver's
        push address and a number that was asked could send them. With ``False``, only a tap with its signed
        id counts.
    :param template: the WhatsApp template for recipients who have not written in the last 24 hours: what
        ``template_message`` returns. It has a quick-reply button for each option, in their order. Without
        it, those recipients do not get the question. A ``template`` in ``default_args`` is ignored, because
        it is a message for other operators. (templated)
    :param business_phone: the sender's number, 7 to 14 digits; the connection's by default. (templated)
    :param app_id: the sender's application; the connection's by default. (templated)
    :param itnio_conn_id: the connection, which names a receiver. (templated)
    :param delivery: what to do if it is unknown whether any recipient got the question: with
        ``at_least_once`` the task's retries ask again, with ``at_most_once`` the task fails at once.
    :param deferrable: wait in the triggerer, without a worker slot. ``None`` takes Airflow's
        ``[operators] default_deferrable``.
    :param timeout: seconds to wait for Itniotech's response to a request; by default the connection's (30).
    :param connect_timeout: seconds to connect, including DNS, proxy and TLS; by default the connection's (5).
    :param max_attempts: attempts for a message that was not sent, within one try of the task, 1 to 10;
        by default the connection's (4).
    :param proxy: URL of an HTTP proxy; by default the connection's.
    :return: ``{"answer", "answered_by", "answered_at"}``: the option's key, the number that answered, digits
        only, and the time in ISO 8601 and UTC. Without an answer, the last two are ``None``.
    :raises InvalidMessageError: if a value in the DAG file breaks a rule of a message.
    :raises InvalidParameterError: if another parameter in the DAG file is out of its range.
    :raises AirflowFailException: at once and without retries, if there is no answer and ``if_no_answer`` is
        ``fail``; if no answer is clear; if the question reached no recipient; if a value is invalid, the
        connection names no receiver, or Itniotech refused.
    :raises AirflowSkipException: if there is no answer and ``if_no_answer`` is ``skip``.
    :raises NotSentError: if no message was sent; the task's retries try again.
    :raises UnknownOutcomeError: with ``at_least_once``, if it is unknown whether a message was accepted, and
        no other was; the task's retries ask again.
    :raises ReceiverError: if the receiver is unreachable at the end, or got no push, so that there may be an
        answer; the task's retries look again.
    :raises RecordError: if the record of the question could not be written; nothing was sent.
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
        arguments = locals()
        super().__init__(settings={name: arguments[name] for name in _SETTINGS}, **kwargs)
        self._ignore_sensor_timeout()
        if self._defaults.get("template") is template:  # another operator's message
            self.template = template = None
        self._record_jinja()
        self._record_option_order()
        if self._is_created_in_dag_file():
            check_recipients(recipients)
            check_question(question, options, template, if_no_answer, is_rendered_later)
            wait_seconds(answer_within, "answer_within")
            self._check_flags()
            self._check_sending_options()

    def execute(self, context: Context) -> AnswerDict:
        """Ask the recipients that no previous try has asked, and wait for the answer.

        :param context: the task's context.
        """
        from airflow_provider_itnio.api.question import Question
        from airflow_provider_itnio.delivery.question_record import previous_question, write_question

        with self._fail_on_permanent_errors(), self._close_on_failure():
            check_delivery(self.delivery)
            self._check_flags()
            seconds = wait_seconds(self.answer_within, "answer_within")
            self._check_rendered(context)
            numbers = to_ask = all_numbers = valid_numbers(self.recipients)
            record = self._delivery_record(context)
            previous, question_id = previous_question(record.store), Question.new_id()
            now, possibly_asked = time.time(), frozenset[str]()
            begun_at = now
            if previous is not None:
                question = self._new_question(context, previous.id, previous.begun_at, previous.ends_at)
                all_numbers = deduplicate_numbers([*previous.numbers, *numbers])
                question, unasked, unrecorded = self._apply_previous_outcomes(
                    replace(question, **previous.shown), all_numbers, record
                )
                has_changed = self._shows_other_options(question)
                to_ask = [number for number in unasked if number in numbers]
                if previous.answer is not None:
                    log.info("A previous try of this task has received the answer")
                    return cast("AnswerDict", previous.answer)
                if question.asked and previous.cursor:  # an answered question must not be opened again
                    question = replace(question, cursor=previous.cursor)
                    if answer := self._read_missed_answer(question):
                        return self._handle_wait_result(question, {"answer": answer}, record)
                if question.asked and time.time() < previous.ends_at:
                    log.info("A previous try of this task has sent the question. Waiting for its answer")
                    if has_changed:
                        log.warning(
                            "The options have changed since the question was sent: the old ones are used"
                        )
                    question = self._register(question, all_numbers)
                    write_question(record.store, question, all_numbers)
                    return self._ask(question, to_ask, record)
                if question.was_accepted:
                    question = self._register(question, all_numbers)
                    result = self._wait_in_worker(question)  # an answer that came in time and was not read
                    if result["answer"] or result["problem"] or previous.cleared == "no":
                        return self._handle_wait_result(question, result, record)
                if question.asked:
                    to_ask = numbers
                elif not has_changed:  # a worker may have died after it sent the question
                    question_id, begun_at = previous.id, previous.begun_at
                    possibly_asked = frozenset(unrecorded) & frozenset(previous.numbers)
            question = self._register(
                self._new_question(context, question_id, begun_at, now + seconds), numbers
            )
            write_question(record.store, question, numbers)
            record.subject_id = question.id
            return self._ask(question, to_ask, record, possibly_asked)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> AnswerDict:
        """Resume after the wait in the triggerer.

        :param context: the task's context.
        :param event: the result of the wait, with the question: ``dag.test()`` passes nothing else.
        """
        from airflow_provider_itnio.api.question import Question

        record, question = self._delivery_record(context), Question.from_dict(event["question"])
        self._open_question = question
        numbers = list(dict.fromkeys(sent.recipient for sent in question.asked))
        known, to_ask, _ = self._apply_previous_outcomes(replace(question, asked=()), numbers, record)
        if {sent.message_id for sent in known.asked} - {sent.message_id for sent in question.asked}:
            # This method has run before, in a worker that died after it sent a WhatsApp template.
            unclear = event.get("unclear", "")
            return self._ask(replace(known, cursor=event["cursor"], unclear=unclear), to_ask, record)
        return self._handle_wait_result(question, event, record)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral. No error, not even one of Airflow's, lets a retry send the question again.

        :param next_method: as Airflow passes it.
        :param next_kwargs: as Airflow passes it.
        :param context: the task's context.
        """
        record = self._delivery_record(context)
        with self._fail_on_permanent_errors(), self._close_on_failure(), prevent_resend(self, record, ""):
            if is_trigger_timeout(next_kwargs) and record.store:
                return self.execute(context)  # no triggerer has read the answers
            if next_method == _FAIL_METHOD:
                self._close_task_questions(context)
            return super().resume_execution(next_method, next_kwargs, context)

    def _ask(
        self,
        question: Question,
        numbers: Sequence[str],
        record: DeliveryRecord,
        possibly_asked: Collection[str] = (),
    ) -> AnswerDict:
        """Send the question to each number, and wait for the answer if a message was accepted.

        From the numbers in ``possibly_asked``, answers from before this message count, too.
        """
        from airflow_provider_itnio.delivery.question_record import write_question

        errors: list[ItnioError] = []
        unasked: dict[str, str] = {}
        with ExitStack() as stack:
            if question.was_accepted:
                stack.enter_context(prevent_resend(self, record, ""))
            no_window = self._numbers_for_template(numbers, record)
            for index, number in enumerate(numbers):
                if question.was_accepted and time.time() >= question.ends_at:
                    unasked[number] = "the time for an answer is over"
                    continue
                try:
                    prepared = self._prepare(question, number, record, use_template=number in no_window)
                    receipt = self._send(prepared, record)
                except ItnioError as error:
                    log.error("The question to %s: %s: %s", mask_phone(number), type(error).__name__, error)
                    errors.append(error)
                    self._raise_if_stopped()
                    if isinstance(error, UnknownOutcomeError):
                        question = question.with_unknown(number)
                    if getattr(error, "affects_all", False):
                        unasked |= dict.fromkeys(numbers[index:], f"{type(error).__name__}: {error}")
                        break
                    if isinstance(error, NotSentError):
                        unasked[number] = f"{type(error).__name__}: {error}"
                    continue
                if not question.was_accepted:
                    stack.enter_context(prevent_resend(self, record, ""))
                    question = self._reset_end(question, numbers, record)
                question = question.with_receipt(receipt.as_dict(), is_first=number not in possibly_asked)
            self._raise_if_stopped()
            if question.was_accepted:
                return self._wait_for_answer(with_unasked(question, unasked), record)
            self._close_question(question)
        if errors:
            with suppress(RecordError):  # so that a retry knows that the other numbers were not asked
                write_question(record.store, question, [sent.recipient for sent in question.asked])
            raise max(errors, key=lambda error: retries_may_help(error, self.delivery))
        raise AirflowFailException(
            "Nothing sent: in a previous try of this task the question was refused, or may have been sent "
            "(see that try's log). Fix the cause, then clear the task to ask again"
        )

    def _wait_for_answer(self, question: Question, record: DeliveryRecord) -> AnswerDict:
        remaining_seconds = question.ends_at - time.time()
        log.info("Waiting for an answer, %s at most", timedelta(seconds=max(0, math.ceil(remaining_seconds))))
        if remaining_seconds > 0 and is_deferrable(self.deferrable):
            from airflow_provider_itnio.triggers.whatsapp import WhatsAppAnswerTrigger

            self._open_question = None  # for the trigger to close
            self.defer(
                trigger=WhatsAppAnswerTrigger(
                    question.as_dict(), self.template is not None, self.itnio_conn_id
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=remaining_seconds) + TRIGGERER_MARGIN if record.store else None,
            )
        return self._handle_wait_result(question, self._wait_in_worker(question), record)

    def _handle_wait_result(
        self, question: Question, result: Mapping[str, Any], record: DeliveryRecord
    ) -> AnswerDict:
        """Return the answer, send the WhatsApp template where the question failed, or end without answer."""
        from airflow_provider_itnio.delivery.question_record import write_question

        if answer := result["answer"]:
            write_question(record.store, question, [sent.recipient for sent in question.asked], answer)
            self._close_question(question, answer["answered_by"])
            log.info("%s has answered %r", mask_phone(answer["answered_by"]), answer["answer"])
            return cast("AnswerDict", answer)
        if result["problem"]:
            raise ReceiverError(f"It is unknown whether anyone has answered. {result['problem']}")
        failed = question.errors_of(result["failed"])
        for number, error in failed.items():
            log.warning("The question to %s was accepted and then failed: %s", mask_phone(number), error)
        remaining = replace(
            question,
            asked=tuple(sent for sent in question.asked if sent.message_id not in result["failed"]),
            cursor=result["cursor"],
            unclear=result.get("unclear", ""),
        )
        if self.template is not None and time.time() < question.ends_at:
            if answer := self._read_missed_answer(remaining):
                return self._handle_wait_result(question, {**result, "answer": answer}, record)
            closed = [number for number, error in failed.items() if question.is_for_template(number, error)]
            for number in closed:
                record.record_fallback(number, failed[number])
            if closed:
                return self._ask(remaining, closed, record)
        self._close_question(question)
        if not remaining.asked:
            for number, error in failed.items():
                record.record_failure(number, error)
            reasons = "; ".join(dict.fromkeys(map(str, failed.values())))
            advice = "" if self.template is not None else _TEMPLATE_HINT
            raise AirflowFailException(
                f"NotDeliveredError: The question was not delivered: {reasons}{advice}"
            )
        if not result["is_pushed_to"]:
            raise no_push_error(question)
        if remaining.unclear:
            raise AirflowFailException(f"There is no clear answer. {remaining.unclear}. {_CLEAR_HINT}")
        return self._result_without_answer()


_FAIL_METHOD: Final = "__fail__"
"""Airflow's ``next_method`` after a deferral that it ended."""

_CLEAR_HINT: Final = (
    "Clear the task to ask again. A tap on a button, or a reply that quotes the question, is always clear"
)

_TEMPLATE_HINT: Final = ". Outside the 24-hour window, only a WhatsApp template is delivered: give template=…"
