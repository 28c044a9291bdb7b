"""Messages and files that are built from the rows of a query."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_itnio._compat import without_guard
from airflow_provider_itnio.api.describe import describe_address, describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError, NotSentError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.operators._broadcast_messages import resolve_literal
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.templating import is_template_file

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.broadcast.recipients import Recipient
    from airflow_provider_itnio.broadcast.rendering import PersonalMessage
    from airflow_provider_itnio.broadcast.summary import SummaryDict
    from airflow_provider_itnio.delivery.broadcast_record import RecordedOutcome
    from airflow_provider_itnio.delivery.policy import Cleared
    from airflow_provider_itnio.transfers._rows import Rows

    Previous: TypeAlias = Collection[tuple[RecordedOutcome, Cleared]]

log = NeverRaisingLog(__name__)

SEVERAL_HINT: Final = "for several numbers use recipients"
"""The advice in the error for more than one number in ``recipient``."""

_UNDEFINED_NAME_HINTS: Final[Mapping[bool, Mapping[str, str]]] = {
    True: {"row": "row needs recipient_column; without it, loop, as in {% for row in rows %}"},
    False: {
        name: f"{name} needs recipient or recipients; with recipient_column, use row"
        for name in ("rows", "columns", "row_count")
    },
}
"""The errors for names that a message can't use: without and with ``recipient_column``."""


class RowMessages(WhatsAppBroadcastOperator):
    """Runs the query once per try, and builds messages and a file from its rows."""

    sql: Any
    sql_conn_id: str
    parameters: Any
    text: Any
    recipient: Any
    recipient_column: str | None
    as_file: Any
    if_empty: Literal["send", "skip", "fail"]
    _rows: Rows | None = None
    _file_address: str | None = None

    def execute(self, context: Context) -> SummaryDict:
        """Run the query, and send its rows.

        :param context: the task's context.
        """
        self._rows = self._file_address = None
        summary: SummaryDict = without_guard(super().execute)(self, context)
        return summary

    def _with_file_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        set_fields = {name for name, value in fields.items() if value is not None} - {"reply_to"}
        if self.as_file is None or set_fields - {"text"}:
            return fields
        text = fields.get("text")
        caption = text.get("body") if isinstance(text, Mapping) else text
        address = self.as_file if isinstance(self.as_file, str) else "{{ known when the task runs }}"
        return {**fields, "text": None, "document": {"object": address, "caption": caption}}

    @contextmanager
    def _rename_caption_errors(self) -> Iterator[None]:
        """Name the parameter ``text`` in errors of a caption, which ``as_file`` makes of it."""
        try:
            yield
        except InvalidMessageError as error:
            if self.as_file is None or self.text is None:
                raise
            problems = [
                each.replace("document.caption:", "text (as_file's caption):") for each in error.problems
            ]
            raise InvalidMessageError(*problems) from None

    def _fetch_rows(self) -> Rows:
        """Return the rows, fetched once per try."""
        from airflow_provider_itnio.transfers._rows import fetch_rows, sql_hook

        if self._rows is not None:
            return self._rows
        if is_template_file(sql := str(self.sql), (".sql",)):
            raise InvalidMessageError(
                f"sql: {describe_value(sql)} is the name of a file. A file is read only if the DAG file has "
                "its name as a plain text, not if the name comes from Jinja or an upstream task"
            )
        rows = self._rows = fetch_rows(sql_hook(self.sql_conn_id), sql, self.parameters)
        log.info("The query returned %s rows of %s columns", f"{len(rows):,}", len(rows.columns))
        return rows

    def _rows_to_send(self) -> Rows:
        """Return the rows. Without rows, apply ``if_empty``."""
        if not len(rows := self._fetch_rows()):
            previous = self._record.previous_outcomes if self._record else ()
            if self.if_empty == "fail":
                before = f"previous tries: {_counts(previous)}" if previous else "nothing was sent"
                raise AirflowFailException(f"The query returned no rows, and if_empty is 'fail': {before}")
            if self.if_empty == "skip" or self.recipient_column is not None:
                self._fail_for_previous(previous)
            if self.if_empty == "skip":
                raise AirflowSkipException("The query returned no rows")
        return rows

    def _fail_for_previous(self, previous: Previous) -> None:
        """Fail if a message of a previous try was not accepted, or has not reached ``wait_for``."""
        from airflow_provider_itnio.delivery.policy import should_resend

        waits = self.wait_for != "accepted"
        if all(recorded.outcome == "accepted" and not waits for recorded, _ in previous):
            return
        reason = (
            f"The query now returns no rows, and previous tries did not reach all recipients: "
            f"{_counts(previous)}. This try sends nothing{' and does not wait' if waits else ''}"
        )
        if any(
            recorded.outcome == "accepted" or should_resend(recorded.outcome, cleared, self.delivery)
            for recorded, cleared in previous
        ):
            raise NotSentError(reason)
        raise AirflowFailException(reason)

    def _recipient_entries(self, context: Context) -> Sequence[Any]:
        if self.recipient_column is not None:
            from airflow_provider_itnio.transfers._rows import RowRecipients

            return RowRecipients(self._rows_to_send(), self.recipient_column)
        if self.recipient is None:
            return super()._recipient_entries(context)
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        return [normalize_phone(self.recipient, if_several=SEVERAL_HINT)]

    def _personal_message(self, fields: Mapping[str, Any], context: Context) -> PersonalMessage:
        from airflow_provider_itnio.broadcast.rendering import PersonalMessage
        from airflow_provider_itnio.rendering.missing_values import UndefinedName
        from airflow_provider_itnio.transfers._table import table

        environment = self._text_environment()
        environment.filters.setdefault("table", table)
        for name, hint in _UNDEFINED_NAME_HINTS[self.recipient_column is None].items():
            environment.globals.setdefault(name, UndefinedName(hint, name=name))
        shared, data = resolve_literal(self.shared, context) or {}, self._check_data_fields(fields, context)
        return PersonalMessage(fields, environment, self._context_for(fields, context), shared, data=data)

    def _add_rows(self, personal: PersonalMessage) -> None:
        from airflow_provider_itnio.transfers._rows import TemplateRows

        rows = self._fetch_rows()
        personal.add({"rows": TemplateRows(rows), "columns": list(rows.columns), "row_count": len(rows)})

    def _render_for(self, personal: PersonalMessage, recipient: Recipient) -> dict[str, Any]:
        """Render a message or a fallback for one recipient. In a retry, this may be what fetches the rows."""
        from airflow_provider_itnio.rendering.missing_values import RecipientData

        if self.recipient_column is None:
            self._add_rows(personal)
        else:
            row = self._fetch_rows().dict_of(recipient.position)
            personal.add({"row": RecipientData(row, name="row")})
        return super()._render_for(personal, recipient)

    def _message_factory(
        self, fields: Mapping[str, Any], context: Context
    ) -> tuple[str, Callable[[Recipient], Message]]:
        personal = self._personal_message(fields, context)
        kind = "document" if self.as_file is not None and personal.kind in ("", "text") else personal.kind

        def build(recipient: Recipient) -> Message:
            return self._build_message(self._render_for(personal, recipient))

        if self.recipient_column is not None or not self._has_recipient_left(context):
            return kind, build
        self._rows_to_send()
        self._add_rows(personal)
        if self.as_file is not None:
            self._write_file()
        if (shared_fields := personal.fields_for_all()) is None:
            return kind, build
        message = self._build_message(shared_fields)
        return message.type, self._shared_message_factory(message)

    def _build_message(self, fields: dict[str, Any]) -> Message:
        from airflow_provider_itnio.api.models import message_from

        if self.as_file is not None and isinstance(fields.get("text"), Mapping):
            message_from({"text": fields["text"]}, if_too_long="truncate")
        with self._rename_caption_errors():
            message = message_from(self._with_file_fields(fields), if_too_long=self.if_too_long)
        with_file = self._with_file_address(message)
        if self.as_file is not None and with_file is message:
            raise InvalidMessageError(
                f"as_file: the {message.type} message does not send the file. Use its address, "
                f"{describe_address(file_address(self.as_file))}, as the object of a document, or give only "
                "text"
            )
        return with_file

    def _fallback_factory(self, context: Context) -> Callable[[Recipient], Message]:
        fallback_for = super()._fallback_factory(context)
        return lambda recipient: self._with_file_address(fallback_for(recipient))

    def _has_recipient_left(self, context: Context) -> bool:
        """Return whether this try sends to at least one recipient."""
        from airflow_provider_itnio.broadcast.recipients import Recipient
        from airflow_provider_itnio.delivery.policy import should_resend

        for recipient in self._read_recipients(context):
            if isinstance(recipient, Recipient):
                previous = self._record.previous_outcome(recipient.key) if self._record else None
                if previous is None or should_resend(previous[0].outcome, previous[1], self.delivery):
                    return True
        return False

    def _with_file_address(self, message: Message) -> Message:
        """Replace the address ``as_file`` in a message by that of the file that this try wrote."""
        from airflow_provider_itnio.api.models.media_in_message import media_in, with_object

        media = media_in(message) if self.as_file is not None else None
        if media is None or media.source.object != file_address(self.as_file):
            return message
        return with_object(message, self._write_file())

    def _write_file(self) -> str:
        """Write the rows once per try, and return the file's address.

        Each file is written to a new folder, so that a link never leads to the rows of another try or mapped
        task.
        """
        from airflow_provider_itnio.object_files import open_storage, storage_errors
        from airflow_provider_itnio.transfers._report_file import write_report

        if self._file_address is None:
            base_address = file_address(self.as_file)
            folder, _, name = base_address.rpartition("/")
            # Only letters: a log would mask digits as a phone number.
            address = f"{folder}/{''.join(secrets.choice(ascii_lowercase) for _ in range(16))}/{name}"
            where, rows = f"as_file: {describe_address(base_address)}", self._fetch_rows()
            open_storage(address, where)
            with storage_errors(where, writes=True):
                write_report(rows, address)
            log.info("The rows were written to %s", describe_address(address, 500))
            self._file_address = address
        return self._file_address


def _counts(previous: Previous) -> str:
    counts = Counter(recorded.outcome for recorded, _ in previous)
    return ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in sorted(counts.items()))


def file_address(value: Any) -> str:
    """Check the address of a file to write, and return it as a text.

    :param value: the address, or an ``ObjectStoragePath``.
    :raises InvalidParameterError: if it is no address of a ``.csv`` or ``.xlsx`` file in object storage.
    """
    from airflow_provider_itnio.api.models.media_source import object_address
    from airflow_provider_itnio.transfers._report_file import FILE_EXTENSIONS

    try:
        address = object_address(value)
    except ValueError as error:
        raise InvalidParameterError(f"as_file: {error}") from None
    if not address.lower().endswith(FILE_EXTENSIONS):
        raise InvalidParameterError(
            f"as_file: must end in {' or '.join(FILE_EXTENSIONS)}, {describe_address(address)} given"
        )
    return address
