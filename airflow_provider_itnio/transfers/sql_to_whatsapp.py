"""The operator that sends the rows of a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_itnio.api.checks import check_choice
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.operators._broadcast_messages import resolved
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.templating import is_rendered_later, is_template_file, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment

    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.broadcast.recipients import Recipient
    from airflow_provider_itnio.broadcast.rendering import PersonalMessage
    from airflow_provider_itnio.message_types import (
        ContactDict,
        DocumentDict,
        InteractiveDict,
        LinkDict,
        LocationDict,
        MediaDict,
        MessageDict,
        RecipientsGiven,
        RenderFunction,
        TemplateDict,
        TextDict,
        XComArgLike,
    )
    from airflow_provider_itnio.transfers._rows import Rows

__all__ = ["SqlToWhatsAppOperator"]

log = NeverRaisingLog(__name__)

_PERSONAL: Final = re.compile(r"recipient|include|import|extends")
"""What Jinja has in it that may be about one recipient, there or in another file."""
_TO: Final = ("recipient", "recipients", "recipient_column")


class SqlToWhatsAppOperator(WhatsAppBroadcastOperator):
    """Sends the rows of a query: as a text or a file to a few people, or to each row's own person.

    .. code-block:: python

        SqlToWhatsAppOperator(
            task_id="report",
            sql="SELECT region, revenue FROM revenue WHERE day = '{{ ds }}' ORDER BY revenue DESC",
            sql_conn_id="warehouse",
            recipients=["+86 147-1800-4557", "+44 20 7946 0018"],
            text="*Revenue of {{ ds }}*\\n{{ rows | table(max_rows=5) }}",
        )

    With ``recipient`` or ``recipients`` the message fields see ``rows``, ``columns`` (their names) and
    ``row_count``, and the filter ``table``. With ``recipient_column`` each row is a message to the number in
    that column, whose fields see the row's columns as ``{{ row.name }}``, or ``{{ recipient.name }}``. Rows
    are data: Jinja in them is never run, and a missing value (NULL) is an error where it would become text.

    The query runs before the first message is sent. Its rows are fetched in batches and kept in a temporary
    file, so that memory does not grow with them. If nobody is left to send to, as in a retry that only has
    to end well, ``recipient`` and ``recipients`` run no query.

    It is a :class:`~airflow_provider_itnio.operators.whatsapp_broadcast.WhatsAppBroadcastOperator`, whose
    parameters it takes and whose summary it returns. On Airflow 3.3 and later, a retry messages nobody who
    has a message already, whatever rows the query gives then.

    :param sql: one query that gives rows, or the name of a ``.sql`` file that the DAG's loader finds.
        (templated)
    :param sql_conn_id: the connection to the database, of any type that Airflow's ``common.sql`` knows.
        (templated)
    :param parameters: the query's parameters, a list or a dict, as the database's driver takes them.
        (templated)
    :param recipient: the phone number of the one who gets a message. (templated)
    :param recipients: those who get the same message, in any form that a broadcast takes. (templated)
    :param recipient_column: the column with the number that a row's message goes to. A row without a number,
        and two rows with the same, are errors before anything is sent; a number that can't be is one failure.
    :param text: a text; with ``as_file`` the file's caption, at most 1,024 characters.
    :param image: as for a broadcast, like the others up to ``reply_to``.
    :param audio: a link or an object.
    :param video: a link or an object, and a caption.
    :param document: a link or an object, a filename and a caption.
    :param sticker: a link or an object.
    :param location: a place.
    :param interactive: buttons, a list, or a request for a location.
    :param contacts: one to five contact cards.
    :param template: a WhatsApp template; it alone reaches people who have not written in the last 24 hours.
    :param message: the same as one dict.
    :param reply_to: the id of the incoming message that each answers.
    :param as_file: where in object storage the rows are written, such as ``s3://conn@bucket/report.csv``: CSV
        or, where ``openpyxl`` is installed, ``.xlsx``. Without another message, or with ``text`` as its
        caption, the file is sent as a document. Not with ``recipient_column``. (templated)
    :param if_empty: what to do if there is no row: ``send`` the message all the same, ``skip`` the task, or
        ``fail`` it without retries.
    :param kwargs: what else ``WhatsAppBroadcastOperator`` takes, such as ``exclude``, ``shared``,
        ``delivery`` and ``link_expires_in``, and what every task takes.
    :return: the summary of a broadcast.
    :raises InvalidMessageError: if what is written in the DAG file breaks a rule of the message.
    :raises InvalidParameterError: if another parameter in the DAG file can't be.
    :raises AirflowFailException: without retries, if the message or the rows can't be sent as they are.
    :raises AirflowSkipException: if there is no row, with ``if_empty="skip"``.
    :raises ItnioError: as a broadcast does.
    """

    template_fields: Sequence[str] = (
        *("sql", "sql_conn_id", "parameters", "as_file", "recipient"),
        *WhatsAppBroadcastOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **WhatsAppBroadcastOperator.template_fields_renderers,
        "sql": "sql",
        "parameters": "json",
    }
    _rows: Rows | None = None

    def __init__(
        self,
        *,
        sql: str | XComArgLike,
        sql_conn_id: str,
        parameters: Sequence[Any] | Mapping[str, Any] | XComArgLike | None = None,
        recipient: str | int | XComArgLike | None = None,
        recipients: RecipientsGiven | None = None,
        recipient_column: str | None = None,
        text: str | TextDict | RenderFunction | None = None,
        image: str | MediaDict | RenderFunction | None = None,
        audio: str | LinkDict | RenderFunction | None = None,
        video: str | MediaDict | RenderFunction | None = None,
        document: str | DocumentDict | RenderFunction | None = None,
        sticker: str | LinkDict | RenderFunction | None = None,
        location: LocationDict | RenderFunction | None = None,
        interactive: InteractiveDict | RenderFunction | None = None,
        contacts: Sequence[ContactDict] | ContactDict | RenderFunction | None = None,
        template: TemplateDict | RenderFunction | None = None,
        message: MessageDict | RenderFunction | None = None,
        reply_to: str | RenderFunction | None = None,
        as_file: str | XComArgLike | None = None,
        if_empty: Literal["send", "skip", "fail"] = "send",
        **kwargs: Any,
    ) -> None:
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.recipient = recipient
        self.recipient_column = recipient_column
        self.as_file = as_file
        self.if_empty = if_empty
        super().__init__(
            recipients=recipients,  # type: ignore[arg-type]  # there are none with recipient_column
            text=text,
            image=image,
            audio=audio,
            video=video,
            document=document,
            sticker=sticker,
            location=location,
            interactive=interactive,
            contacts=contacts,
            template=template,
            message=message,
            reply_to=reply_to,
            **kwargs,
        )

    def _check_how_it_is_sent(self) -> None:
        super()._check_how_it_is_sent()
        check_choice("if_empty", self.if_empty, ("send", "skip", "fail"))
        given = [name for name in _TO if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidParameterError(
                f"exactly one of {', '.join(_TO)} must be given, {' and '.join(given) or 'none'} given"
            )
        for name in ("sql", "sql_conn_id", "recipient_column", "as_file"):
            self._check_text(name, getattr(self, name))
        if self.as_file is not None and self.recipient_column is not None:
            raise InvalidParameterError("as_file: is one file of all rows; not with recipient_column")

    def _check_text(self, name: str, value: Any) -> None:
        if is_rendered_later(value) or (value is None and name in ("recipient_column", "as_file")):
            return
        if not isinstance(value, str) or not value.strip():
            raise InvalidParameterError(f"{name}: must be a text, {describe_value(value)} given")
        if name == "as_file":
            from airflow_provider_itnio.transfers._report_file import ENDINGS

            if not value.lower().endswith(ENDINGS):
                raise InvalidParameterError(
                    f"as_file: must end in {' or '.join(ENDINGS)}, {describe_value(value)} given"
                )

    def _message_fields(self) -> dict[str, Any]:
        """Return the fields, with the file as the document that is sent if nothing else is."""
        fields = super()._message_fields()
        given = {name for name, value in fields.items() if value is not None} - {"reply_to"}
        if self.as_file is None or given - {"text"}:
            return fields
        text = fields["text"]
        caption = text.get("body") if isinstance(text, Mapping) else text
        address = self.as_file if isinstance(self.as_file, str) else "{{ known when the task runs }}"
        return {**fields, "text": None, "document": {"object": address, "caption": caption}}

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields; ``sql`` alone may also be the name of a ``.sql`` file."""
        names = list(template_fields)
        sql = self.sql
        is_file = parent is self and isinstance(sql, str) and is_template_file(sql, (".sql",))
        if is_file and "sql" in names and "sql" not in self._fields_of_data(context):
            names.remove("sql")
            self.sql = self._text_environment().get_template(str(sql)).render(context)
        super()._do_render_template_fields(parent, names, context, jinja_env, seen_oids)

    def build_message(self, context: Context) -> Mapping[str, Any]:
        """Return the message to send, having fetched the rows if each is a recipient.

        :param context: the task's context.
        """
        if self.recipient_column is not None:
            self._rows = self._fetched()
        return super().build_message(context)

    def _fetched(self) -> Rows:
        from airflow_provider_itnio.transfers._rows import fetched, sql_hook

        with self._failing_as_documented():
            rows = fetched(sql_hook(self.sql_conn_id), str(self.sql), self.parameters)
        log.info("The query gave %s rows of %s columns", f"{len(rows):,}", len(rows.columns))
        if not len(rows):
            if self.if_empty == "skip":
                raise AirflowSkipException("The query gave no row")
            if self.if_empty == "fail":
                raise AirflowFailException("The query gave no row, and if_empty is 'fail': nothing was sent")
        return rows

    def _recipient_entries(self, context: Context) -> Sequence[Any]:
        if self._rows is not None and self.recipient_column is not None:
            from airflow_provider_itnio.transfers._rows import RowRecipients

            return RowRecipients(self._rows, self.recipient_column)
        if self.recipient is None:
            return super()._recipient_entries(context)
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        return [normalize_phone(self.recipient)]

    def _personal(self, fields: Mapping[str, Any], context: Context) -> PersonalMessage:
        from airflow_provider_itnio.broadcast.rendering import PersonalMessage
        from airflow_provider_itnio.transfers._table import table

        environment = self._text_environment()
        environment.filters.setdefault("table", table)
        shared, data = resolved(self.shared, context) or {}, self._fields_of_data(context)
        return PersonalMessage(fields, environment, context, shared, data=data)

    def _message_maker(
        self, fields: Mapping[str, Any], context: Context
    ) -> tuple[str, Callable[[Recipient], Message]]:
        from airflow_provider_itnio.api.models import message_from
        from airflow_provider_itnio.broadcast.recipients import Recipient
        from airflow_provider_itnio.rendering.gaps import RecipientData
        from airflow_provider_itnio.transfers._rows import TemplateRows

        personal = self._personal(fields, context)

        def made(recipient: Recipient) -> Message:
            return message_from(personal.fields_for(recipient), if_too_long=self.if_too_long)

        def of_row(rows: Rows, recipient: Recipient) -> Message:
            personal.add({"row": RecipientData(rows.dict_of(recipient.position), name="row")})
            return made(recipient)

        if self._rows is not None:
            return personal.kind, partial(of_row, self._rows)
        if not self._is_anyone_left(context):
            return personal.kind, made
        rows = self._fetched()
        if self.as_file is not None:
            self._write_file(rows)
        personal.add({"rows": TemplateRows(rows), "columns": list(rows.columns), "row_count": len(rows)})

        if _may_be_personal(fields):
            return personal.kind, made
        message = made(Recipient(0, "", 0, {}))
        return message.type, self._same_for_all(message)

    def _is_anyone_left(self, context: Context) -> bool:
        """Return whether there is anyone to whom this try sends."""
        from airflow_provider_itnio.broadcast.recipients import Recipient, Recipients, excluded_numbers
        from airflow_provider_itnio.delivery.policy import is_sent_again

        excluded = excluded_numbers(resolved(self.exclude, context)) if self._excludes else frozenset()
        for recipient in Recipients(self._recipient_entries(context), excluded):
            if isinstance(recipient, Recipient):
                known = self._record.earlier(recipient.key) if self._record else None
                if known is None or is_sent_again(known[0].outcome, known[1], self.delivery):
                    return True
        return False

    def _write_file(self, rows: Rows) -> None:
        from airflow_provider_itnio.object_files import storage_errors
        from airflow_provider_itnio.transfers._report_file import write_report

        address = str(self.as_file)
        with storage_errors(f"as_file: {describe_value(address)}"):
            write_report(rows, address)
        log.info("The rows are written to %s", describe_value(address))


def _may_be_personal(fields: Mapping[str, Any]) -> bool:
    """Return whether a message may say something else to each recipient."""
    return any(
        not isinstance(leaf, str) or is_template_file(leaf) or _PERSONAL.search(leaf)
        for _, leaf in leaves(fields)
        if is_rendered_later(leaf)
    )
