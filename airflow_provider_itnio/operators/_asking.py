"""The base of the operator that asks a question: recipients, messages, and the question in the receiver."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_itnio.api.checks import check_flag
from airflow_provider_itnio.api.errors import (
    TRANSIENT,
    ConfigurationError,
    ItnioError,
    NotSentError,
    ReceiverAccessError,
    ReceiverError,
    RecordError,
)
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.values import plain_scalar
from airflow_provider_itnio.operators._fallback import closed_windows
from airflow_provider_itnio.operators._question import (
    build_interactive,
    build_template,
    check_order,
    check_question,
    deduplicate_numbers,
    shows_options_in_order,
)
from airflow_provider_itnio.operators._recorded import RecordedSending
from airflow_provider_itnio.operators._waiting import check_deferrable, wait_for_answer, wait_seconds
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.question import AnswerDict, Question
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.hooks.prepared_message import PreparedMessage

log = NeverRaisingLog(__name__)


class AskingOperator(RecordedSending):
    """An operator that asks people a question."""

    question: Any
    options: Any
    template: Any
    if_no_answer: str
    typed_answers: bool
    answer_within: timedelta | float
    deferrable: bool | None
    _open_question: Question | None = None
    """The question that this process must close when its task ends."""

    def on_kill(self) -> None:
        """End a pause between two attempts to send, and close the open question."""
        try:
            super().on_kill()
        finally:
            self._close_open_question()

    @contextmanager
    def _close_on_failure(self) -> Iterator[None]:
        """Close the question if the task fails. A retry opens it again, but there may be no retry."""
        try:
            yield
        except Exception:
            self._close_open_question()
            raise

    def _close_open_question(self) -> None:
        if self._open_question is not None:
            self._close_question(self._open_question)

    def _check_flags(self) -> None:
        check_flag("typed_answers", self.typed_answers)
        check_deferrable(self.deferrable)

    def _record_option_order(self) -> None:
        """Remember whether the order of the options is known from the DAG file."""
        self._option_order_known = not is_rendered_later(self.options)

    def _check_rendered(self, context: Context) -> None:
        """Check the rendered question."""
        self._refuse_unrendered(*self.template_fields)
        check_question(self.question, self.options, self.template, self.if_no_answer)
        order_known = self._option_order_known and "options" not in self._data_field_names(context)
        if isinstance(self.options, Mapping) and not order_known:
            check_order(self.template)

    def _new_question(self, context: Context, question_id: str, begun_at: float, ends_at: float) -> Question:
        from airflow_provider_itnio.api.question import Question

        options = _titles(self.options)
        _, business_phone = self.hook.sender()
        return Question(
            question_id,
            _task_instance_id(context),
            options,
            business_phone,
            ends_at,
            begun_at=begun_at,
            has_places=shows_options_in_order(self.template, options),
            takes_typed=self.typed_answers,
        )

    def _shows_other_options(self, question: Question) -> bool:
        """Return whether the options in the messages sent differ from the task's current ones."""
        return [*question.options.items()] != [*_titles(self.options).items()]

    def _register(self, question: Question, numbers: Sequence[str]) -> Question:
        """Open a question in the receiver before it is sent, and return it with the cursor of its answers."""
        try:
            cursor = self.hook.open_question(question.id, numbers, question.ends_at, question.task)
        except TRANSIENT as error:
            if isinstance(error, ReceiverError):
                self._open_question = question  # it may be open: only the receiver's response may be lost
            if question.asked:
                raise ReceiverError(f"It is unknown whether anyone has answered. {error}") from error
            if isinstance(error, ConfigurationError):
                raise
            raise NotSentError(
                f"The question was not sent, because the receiver could not open it. {error}"
            ) from error
        self._open_question = question
        has_moved = question.cursor and question.cursor.partition("-")[0] != cursor.partition("-")[0]
        return replace(question, cursor=question.cursor if has_moved else cursor)

    def _reset_end(self, question: Question, numbers: Sequence[str], record: DeliveryRecord) -> Question:
        """Restart the time of a question whose first message was just accepted, if sending took over 1 s."""
        from airflow_provider_itnio.delivery.question_record import write_question

        ends_at = time.time() + wait_seconds(self.answer_within, "answer_within")
        if ends_at < question.ends_at + 1:
            return question
        question = replace(question, ends_at=ends_at)
        all_numbers = deduplicate_numbers([*(sent.recipient for sent in question.asked), *numbers])
        # The new end matters for other questions only, so an error does not fail this one.
        with suppress(*TRANSIENT, RecordError):
            self.hook.open_question(question.id, all_numbers, ends_at, question.task)
            write_question(record.store, question, all_numbers)
        return question

    def _apply_previous_outcomes(
        self, question: Question, numbers: Sequence[str], record: DeliveryRecord
    ) -> tuple[Question, list[str], list[str]]:
        """Return the question with the messages of previous tries, the numbers to ask now, and the numbers
        without an entry in the delivery record."""
        from airflow_provider_itnio.delivery.policy import FALLBACK_REMOVED, should_resend

        record.subject_id = question.id
        to_ask: list[str] = []
        unrecorded: list[str] = []
        for number in numbers:
            previous = record.previous_outcome(number)
            if previous is None or should_resend(previous.outcome, previous.cleared, self.delivery):
                to_ask.append(number)
            if previous is not None and self.template is None and record.uses_fallback(number):
                if number in to_ask and previous.cleared == "no":
                    log.error("%s was not asked: %s", mask_phone(number), FALLBACK_REMOVED)
                    to_ask.remove(number)
                record.use_message(number)
            if previous is None:
                unrecorded.append(number)
            elif previous.receipt is not None:
                question = question.with_receipt(previous.receipt)
            elif previous.outcome == "unknown":
                question = question.with_unknown(number)
        return question, to_ask, unrecorded

    def _numbers_for_template(self, numbers: Sequence[str], record: DeliveryRecord) -> set[str]:
        """Return the numbers that only a WhatsApp template reaches; none if the task has no template."""
        if self.template is None:
            return set()
        known = {number for number in numbers if record.uses_fallback(number)}
        try:
            return known | closed_windows(self.hook, [number for number in numbers if number not in known])
        except ReceiverAccessError as error:  # temporary: the receiver has just accepted the question
            log.warning("%s. The question is sent with buttons, as if the receiver were unreachable", error)
            return known

    def _prepare(
        self, question: Question, number: str, record: DeliveryRecord, *, use_template: bool
    ) -> PreparedMessage:
        """Return the message that asks one recipient."""
        hook, secret = self.hook, self.hook.account().credentials.secret
        ids = {key: question.option_id(secret, number, key) for key in question.options}
        if use_template:
            record.use_fallback(number)
            return hook.prepare(number, template=build_template(self.template, ids))
        titles = {ids[key]: title for key, title in question.options.items()}
        return hook.prepare(number, interactive=build_interactive(self.question, titles))

    def _wait_in_worker(self, question: Question) -> dict[str, Any]:
        from airflow_provider_itnio.api.answer_wait import AnswerWait

        secret = self.hook.account().credentials.secret
        return wait_for_answer(
            self.hook, AnswerWait(question, secret, has_template=self.template is not None)
        )

    def _read_missed_answer(self, question: Question) -> dict[str, Any] | None:
        """Return an answer that arrived while no task was waiting, if there is one."""
        from airflow_provider_itnio.api.answer_wait import AnswerWait

        wait = AnswerWait(question, self.hook.account().credentials.secret)
        with suppress(*TRANSIENT):
            wait.take(self.hook.incoming(**wait.incoming_query() | {"wait": 0.0}), {})
        return cast("dict[str, Any] | None", wait.result()["answer"])

    def _result_without_answer(self) -> AnswerDict:
        within = timedelta(seconds=wait_seconds(self.answer_within, "answer_within"))
        message = f"No answer within {within}"
        answer = plain_scalar(self.if_no_answer)
        if answer == "fail":
            raise AirflowFailException(message)
        if answer == "skip":
            raise AirflowSkipException(message)
        log.warning("%s: the task returns if_no_answer, %r", message, answer)
        return {"answer": answer, "answered_by": None, "answered_at": None}

    def _close_task_questions(self, context: Context) -> None:
        """Close the question of a deferral that Airflow ended. Airflow does not pass the question's id."""
        try:
            self.hook.close_question(task=_task_instance_id(context))
        except ItnioError as error:
            log.warning("%s. Typed answers to other questions may not count until this one ends", error)

    def _close_question(self, question: Question, answered_by: str = "") -> None:
        """Close the question in the receiver, so that typed answers count for other questions."""
        self._open_question = None
        try:
            self.hook.close_question(question.id, answered_by)
        except ItnioError as error:  # the task must still return its answer
            log.warning("%s. Until %s typed answers to other questions may not count", error, question.ends)


def _titles(options: Any) -> dict[str, str]:
    """Return the options as a dict of titles by key."""
    from airflow_provider_itnio.api.models.base import text_value
    from airflow_provider_itnio.api.question import options_by_key

    return {key: text_value(title) for key, title in options_by_key(options).items()}


def _task_instance_id(context: Context) -> str:
    """Return the id of the running task instance; empty outside of a task."""
    instance = context.get("ti")
    task = [getattr(instance, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")]
    return "/".join(map(str, task)) if instance is not None else ""


def with_unasked(question: Question, unasked: Mapping[str, str]) -> Question:
    """Record recipients who could not be asked, but not for their number: then ``if_no_answer`` is not used.

    :param question: the question that was sent to the other recipients.
    :param unasked: the reason for each recipient, by number.
    """
    for number, reason in unasked.items():
        log.error("%s was not asked: %s", mask_phone(number), reason)
    if question.unclear or not unasked:
        return question
    number, reason = next(iter(unasked.items()))
    more = f" and {len(unasked) - 1} more" if len(unasked) > 1 else ""
    return replace(question, unclear=f"{mask_phone(number)}{more} could not be asked: {reason}")


def no_push_error(question: Question) -> ReceiverError:
    """Return the error of a question about which the receiver got no push by its end.

    :param question: the question that was sent.
    """
    why = "The receiver got no push about the question's messages: Itniotech does not push to it"
    if not any(sent.has_usable_id for sent in question.asked):
        why = "Itniotech returned no usable ids for the question's messages, and the receiver got no answer"
    return ReceiverError(f"It is unknown whether anyone has answered. {why} (see docs/receiver.md)")
