"""The operator that sends the rows of a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from airflow_provider_itnio.api.checks import check_choice
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.templating import is_rendered_later, is_template_file
from airflow_provider_itnio.transfers._row_messages import SEVERAL_HINT, RowMessages, file_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment

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

__all__ = ["SqlToWhatsAppOperator"]

_TO: Final = ("recipient", "recipients", "recipient_column")


class SqlToWhatsAppOperator(RowMessages):
    """Sends the rows of a query: as a text or a file to some recipients, or one message for each row.

    .. code-block:: python

        SqlToWhatsAppOperator(
            task_id="report",
            sql="SELECT region, revenue FROM revenue WHERE day = %(day)s ORDER BY revenue DESC",
            parameters={"day": "{{ ds }}"},
            sql_conn_id="warehouse",
            recipients=["+86 147-1800-4557", "+44 20 7946 0018"],
            text="*Revenue of {{ ds }}*\\n{{ rows | table(max_rows=5) }}",
        )

    With ``recipient`` or ``recipients`` the message fields may use ``rows``, ``columns`` (their names) and
    ``row_count``, and the filter ``table``. With ``recipient_column`` each row is a message to the number in
    that column, and the fields may use the row's columns as ``{{ row.name }}`` or ``{{ recipient.name }}``.
    Rows are data: Jinja in them is never rendered. A missing value (NULL) that would become text is an error.

    The query runs before the first message is sent. Its rows are fetched in batches and stored in a temporary
    file, so that memory does not grow with them. With ``recipient`` or ``recipients``, a retry that has
    nothing to send does not run the query.

    It is a :class:`~airflow_provider_itnio.operators.whatsapp_broadcast.WhatsAppBroadcastOperator`, whose
    parameters it takes and whose summary it returns. On Airflow 3.3 and later, a retry sends nothing to
    recipients whose message was accepted, even if the query returns other rows.

    :param sql: one query that returns rows, or the name of a ``.sql`` file that the DAG's loader finds.
        (templated)
    :param sql_conn_id: the connection to the database, of any type that Airflow's ``common.sql`` supports.
        (templated)
    :param parameters: the query's parameters, a list or a dict, as the database's driver takes them.
        (templated)
    :param recipient: the phone number of a single recipient. (templated)
    :param recipients: the recipients of the same message, in any form that a broadcast takes. (templated)
    :param recipient_column: the column with the phone numbers, for one message per row. A row without a
        number, and two rows with the same number, are errors before anything is sent. An invalid number is
        one failure.
    :param text: a text; with ``as_file`` the file's caption, at most 1,024 characters.
    :param image: as for a broadcast, like the others up to ``reply_to``.
    :param audio: a link or an object.
    :param video: a link or an object, and a caption.
    :param document: a link or an object, a filename and a caption.
    :param sticker: a link or an object.
    :param location: a place.
    :param interactive: buttons, a list, or a request for a location.
    :param contacts: one to five contact cards.
    :param template: a WhatsApp template, which also reaches recipients who have not written in the last 24
        hours.
    :param message: the message as one dict.
    :param reply_to: the id of the incoming message that each message answers.
    :param as_file: the address in object storage of a file for the rows, such as
        ``s3://conn@bucket/report.csv``: CSV or, if ``openpyxl`` is installed, ``.xlsx``. Each try writes to a
        new folder with a random name, here ``s3://conn@bucket/kxqdwvmzfhtbncjr/report.csv``. The file is sent
        as a document, with ``text`` as its caption, unless there is another message. Not with
        ``recipient_column``. (templated)
    :param if_empty: what to do without rows: ``send`` the message anyway, ``skip`` the task, or ``fail`` it
        without retries.
    :param kwargs: other parameters of ``WhatsAppBroadcastOperator``, such as ``exclude``, ``shared``,
        ``delivery`` and ``link_expires_in``, and of ``BaseOperator``.
    :return: the summary of a broadcast.
    :raises InvalidMessageError: if a value in the DAG file breaks a rule of the message.
    :raises InvalidParameterError: if another parameter in the DAG file is invalid.
    :raises AirflowFailException: without retries, if the message or the rows are invalid.
    :raises AirflowSkipException: without rows, with ``if_empty="skip"``; not if a previous try has failed to
        reach a recipient.
    :raises ItnioError: as a broadcast does.
    """

    template_fields: Sequence[str] = (
        *("sql", "sql_conn_id", "parameters", "as_file", "recipient"),
        *WhatsAppBroadcastOperator.template_fields,
    )
    _own_fields = WhatsAppBroadcastOperator._own_fields | {"sql_conn_id", "as_file"}
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **WhatsAppBroadcastOperator.template_fields_renderers,
        "sql": "sql",
        "parameters": "json",
    }

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
        values = (recipient, recipients, recipient_column)
        self._given = [name for name, value in zip(_TO, values, strict=True) if value is not None]
        super().__init__(
            recipients=() if recipients is None else recipients,
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

    def _check_broadcast_options(self) -> None:
        super()._check_broadcast_options()
        check_choice("if_empty", self.if_empty, ("send", "skip", "fail"))
        explicit = [name for name in self._given if name not in self._defaults]
        if explicit and explicit != self._given:  # the task's own parameter wins over default_args
            for name in {*self._given} - {*explicit}:
                setattr(self, name, () if name == "recipients" else None)
            self._given = explicit
        if len(self._given) != 1:
            raise InvalidParameterError(
                f"exactly one of {', '.join(_TO)} must be given, {' and '.join(self._given) or 'none'} given"
            )
        for name in ("sql", "sql_conn_id"):
            _check_text(name, getattr(self, name))
        if isinstance(self.parameters, str | int | float) and not is_rendered_later(self.parameters):
            raise InvalidParameterError(
                f"parameters: must be a list or a dict, {describe_value(self.parameters)} given"
            )
        if self.recipient is not None and not is_rendered_later(self.recipient):
            from airflow_provider_itnio.api.phone_numbers import normalize_phone

            normalize_phone(self.recipient, if_several=SEVERAL_HINT)
        if self.recipient_column is not None:
            if is_rendered_later(self.recipient_column):
                raise InvalidParameterError(
                    "recipient_column: must be the plain name of a column; it is not templated"
                )
            _check_text("recipient_column", self.recipient_column)

    def _check_as_file(self) -> None:
        if self.recipient_column is not None:
            raise InvalidParameterError(
                "as_file: is one file of all rows; it can't be combined with recipient_column"
            )
        if not is_rendered_later(self.as_file):
            self.as_file = file_address(self.as_file)

    def _check_message(self) -> None:
        if self.as_file is not None:
            self._check_as_file()
        with self._rename_caption_errors():
            super()._check_message()
        if self.as_file is not None and isinstance(self.text, Mapping):  # only its body becomes the caption
            from airflow_provider_itnio.api.models import check_fields

            check_fields({"text": self.text}, if_too_long="truncate", is_unrendered=is_rendered_later)

    def _message_fields(self) -> dict[str, Any]:
        """Return the message fields: the file's document if there is no other message."""
        return self._with_file_fields(super()._message_fields())

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields. Only ``sql`` may be the name of a ``.sql`` file."""
        names = list(template_fields)
        sql = self.sql
        is_file = parent is self and isinstance(sql, str) and is_template_file(sql, (".sql",))
        if is_file and "sql" in names and "sql" not in self._data_field_names(context):
            names.remove("sql")
            self.sql = self._text_environment().get_template(str(sql)).render(context)
        super()._do_render_template_fields(parent, names, context, jinja_env, seen_oids)

    def build_message(self, context: Context) -> Mapping[str, Any]:
        """Return the message to send. With ``as_file``, a text is the file's caption.

        :param context: the task's context.
        """
        return super()._message_fields()


def _check_text(name: str, value: Any) -> None:
    if not is_rendered_later(value) and (not isinstance(value, str) or not value.strip()):
        raise InvalidParameterError(f"{name}: must be a text, {describe_value(value)} given")
