"""The message fields that the sending operators share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS
from airflow_provider_itnio.operators._sending import WhatsAppOperator
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_MESSAGE_PARAMETERS: Final = (*MESSAGE_FIELDS, "message")
SETTINGS: Final = (
    *_MESSAGE_PARAMETERS,
    *("reply_to", "business_phone", "app_id", "itnio_conn_id", "delivery", "if_too_long"),
    *("timeout", "connect_timeout", "max_attempts", "proxy"),
    *("link_expires_in", "check_link"),
)
"""The parameters that the operators share. Each operator's signature has them with their types."""


class WhatsAppMessageOperator(WhatsAppOperator):
    """The base of the operators that send a WhatsApp message. They take exactly one message field.

    Plain values are checked when the DAG is parsed, templated values after rendering and before anything is
    sent.
    """

    template_fields: Sequence[str] = (
        *_MESSAGE_PARAMETERS,
        "reply_to",
        "business_phone",
        "app_id",
        "itnio_conn_id",
    )
    _own_fields = frozenset({"recipient", "recipients", "exclude", "shared", "fallback", *template_fields})
    template_fields_renderers: ClassVar[dict[str, str]] = {
        name: "json" for name in _MESSAGE_PARAMETERS if name != "text"
    }
    reply_to: Any
    if_too_long: Literal["fail", "truncate"]

    def __init__(self, *, settings: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(settings=settings, **kwargs)
        self._prefer_own_message()
        self._record_jinja()
        if self._is_created_in_dag_file():
            self._check_dag_file_values()

    def build_message(self, context: Context) -> Mapping[str, Any]:
        """Return the message to send. Override it to compute the message when the task runs.

        The returned message is not rendered as Jinja, except for ``{{ recipient.… }}`` in a broadcast. A
        retry that sends nothing, because a previous try's message was accepted, does not call this method.

        :param context: the task's context.
        :return: message fields, as the operator takes them: ``{"text": "…"}``. By default, the task's own.
        """
        return self._message_fields()

    def _built_message(self, context: Context) -> Mapping[str, Any]:
        """Return what :meth:`build_message` returns.

        :raises AirflowFailException: if it is no dict of message fields.
        """
        fields = self.build_message(context)
        if isinstance(fields, Mapping):
            return fields
        why = "is a return missing? " if fields is None else ""
        raise AirflowFailException(
            f'InvalidMessageError: build_message: must return message fields, as in {{"text": "…"}}, '
            f"{describe_value(fields)} returned; {why}To send nothing, raise AirflowSkipException"
        )

    def _prefer_own_message(self) -> None:
        """Ignore message fields in ``default_args`` if the task has its own: they are for other operators."""
        inherited = {name for name, value in self._defaults.items() if getattr(self, name, None) is value}
        self._reply_to_is_default = "reply_to" in inherited
        self._ignore_sensor_timeout()
        set_fields = {name for name in _MESSAGE_PARAMETERS if getattr(self, name) is not None}
        default_fields = set_fields & inherited
        if set_fields - default_fields:
            for name in default_fields:
                setattr(self, name, None)
        elif len(default_fields) > 1:
            raise InvalidMessageError(
                f"{', '.join(sorted(default_fields))}: more than one message field in default_args; "
                "give the task its own message field"
            )

    def _check_dag_file_values(self) -> None:
        self._check_message()
        self._check_sending_options()

    def _check_message(self) -> None:
        from airflow_provider_itnio.api.models import check_fields

        if self._computes_message() and all(value is None for value in self._message_fields().values()):
            return
        check_fields(self._message_fields(), if_too_long=self.if_too_long, is_unrendered=is_rendered_later)

    def _computes_message(self) -> bool:
        """Return whether a subclass overrides a method that may compute the message when the task runs."""
        subclasses = takewhile(
            lambda cls: not cls.__module__.startswith("airflow_provider_itnio."), type(self).__mro__
        )
        return any(
            name in vars(cls) for cls in subclasses for name in ("build_message", "execute", "pre_execute")
        )

    def _message_fields(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in _MESSAGE_PARAMETERS}
        return {**fields, "reply_to": self._effective_reply_to(fields)}

    def _effective_reply_to(self, fields: Mapping[str, Any]) -> Any:
        """Return ``reply_to``, or ``None`` if it comes from ``default_args`` and the message overrules it."""
        all_fields = fields.get("message")
        all_fields = {**fields, **(all_fields if isinstance(all_fields, dict) else {})}
        is_overruled = all_fields.get("template") is not None or all_fields.get("reply_to") is not None
        return None if is_overruled and self._reply_to_is_default else self.reply_to
