"""What the operators that send a WhatsApp message share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio._compat import is_from_mapped
from airflow_provider_itnio.api.checks import Delivery, check_delivery, check_number
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidParameterError,
    ItnioError,
    NotDeliveredError,
    NotSentError,
    RecordError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.values import type_name
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.hooks.itnio import ItnioHook, check_hook_fields
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from airflow_provider_itnio.operators._after_post_execute import run_after_post_execute
from airflow_provider_itnio.operators._templated import TemplatedOperator
from airflow_provider_itnio.templating import is_rendered_later

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.message_types import XComArgLike

    _Operator = TemplatedOperator
else:
    _Operator = with_named_errors(TemplatedOperator)

_WHOLE_MESSAGE: Final = (*MESSAGE_FIELDS, "message")
SETTINGS: Final = (
    *_WHOLE_MESSAGE,
    *("reply_to", "business_phone", "app_id", "itnio_conn_id", "delivery", "if_too_long"),
    *("timeout", "connect_timeout", "max_attempts", "proxy"),
)
"""The parameters that the operators share. Each operator's signature shows them with their types."""

log = NeverRaisingLog(__name__)


class WhatsAppMessageOperator(_Operator):
    """What the operators that send a WhatsApp message share. Exactly one message field is given.

    What is written in the DAG file is checked when the DAG is parsed, the rest once it is rendered and before
    anything is sent.
    """

    template_fields: Sequence[str] = (
        *_WHOLE_MESSAGE,
        "reply_to",
        "business_phone",
        "app_id",
        "itnio_conn_id",
    )
    _own_fields = frozenset({"recipient", "recipients", "exclude", "shared", "fallback", *template_fields})
    template_fields_renderers: ClassVar[dict[str, str]] = {
        name: "json" for name in _WHOLE_MESSAGE if name != "text"
    }
    ui_color = "#d9fdd3"
    reply_to: Any
    business_phone: str | int | XComArgLike | None
    app_id: str | XComArgLike | None
    itnio_conn_id: str
    delivery: Delivery
    if_too_long: Literal["fail", "truncate"]
    timeout: float | None
    connect_timeout: float | None
    max_attempts: int | None
    proxy: str | None
    _record: DeliveryRecord | BroadcastRecord | None = None
    _finishes = False

    def __init__(self, *, settings: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in settings.items():
            setattr(self, name, value)
        self._prefer_own_message()
        self._note_jinja()
        if self._is_written_in_dag_file():
            self._check_what_is_written()

    @cached_property
    def hook(self) -> ItnioHook:
        """The hook that sends, with the connection and the settings of this task."""
        return ItnioHook(
            self.itnio_conn_id,
            app_id=cast("str | None", self.app_id),  # rendered by now
            business_phone=cast("str | int | None", self.business_phone),
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            max_attempts=self.max_attempts,
            proxy=self.proxy,
        )

    def build_message(self, context: Context) -> Mapping[str, Any]:
        """Return the message to send. Override it to compute the message when the task runs.

        What it gives is sent as it is: Jinja in it is not rendered, except for the ``{{ recipient.… }}`` of a
        broadcast. An attempt that sends nothing, since an earlier one has, does not call it.

        :param context: the task's context.
        :return: message fields, as the operator takes them: ``{"text": "…"}``. Those that the task was given,
            unless overridden.
        """
        return self._message_fields()

    def _finish_after_post_execute(self) -> None:
        """Let the record's last entry, that the task has done its work, follow all of the task's own code."""

        def finish() -> None:
            if self._record is not None:
                self._record.finish()

        if not self._finishes:
            self._finishes = True
            run_after_post_execute(self, finish)

    def _is_written_in_dag_file(self) -> bool:
        # A mapped task is made when it runs: there a fault must fail the task, so it waits for execute().
        return not is_from_mapped(self)

    def _prefer_own_message(self) -> None:
        """Let what the task is given itself win: ``location`` in ``default_args`` is another operator's."""
        defaulted = {name for name, value in self._defaults.items() if getattr(self, name, None) is value}
        self._reply_is_default = "reply_to" in defaulted
        if "timeout" in defaulted:  # a sensor's may be of days, or a timedelta
            try:
                check_number("timeout", self.timeout, 0.001, 3600, float)
            except InvalidParameterError:
                self.timeout = None
        given = {name for name in _WHOLE_MESSAGE if getattr(self, name) is not None}
        defaults = given & defaulted
        if given - defaults:
            for name in defaults:
                setattr(self, name, None)
        elif len(defaults) > 1:
            raise InvalidMessageError(
                f"{', '.join(sorted(defaults))}: more than one message field in default_args; "
                "give the task its message itself"
            )

    def _check_what_is_written(self) -> None:
        self._check_message()
        check_hook_fields(self)
        check_delivery(self.delivery)
        for name in ("timeout", "connect_timeout"):
            if (seconds := getattr(self, name)) is not None:
                check_number(name, seconds, 0.001, 3600, float)
        if self.max_attempts is not None:
            check_number("max_attempts", self.max_attempts, 1, 10, int)
        if self.proxy:
            _check_proxy(self.proxy)

    def _check_message(self) -> None:
        from airflow_provider_itnio.api.models import check_fields

        if self._computes_message() and all(value is None for value in self._message_fields().values()):
            return
        check_fields(self._message_fields(), if_too_long=self.if_too_long, is_unrendered=is_rendered_later)

    def _computes_message(self) -> bool:
        """Return whether a subclass has code of its own that may give the message when the task runs."""
        subclasses = takewhile(
            lambda one: not one.__module__.startswith("airflow_provider_itnio."), type(self).__mro__
        )
        return any(
            name in vars(one) for one in subclasses for name in ("build_message", "execute", "pre_execute")
        )

    def _message_fields(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in _WHOLE_MESSAGE}
        return {**fields, "reply_to": self._reply_of(fields)}

    def _reply_of(self, fields: Mapping[str, Any]) -> Any:
        """Return what the message answers; what ``default_args`` say of that yields to the message itself."""
        whole = fields.get("message")
        whole = {**fields, **(whole if isinstance(whole, dict) else {})}
        is_overruled = whole.get("template") is not None or whole.get("reply_to") is not None
        return None if is_overruled and self._reply_is_default else self.reply_to

    @contextmanager
    def _failing_as_documented(self) -> Iterator[None]:
        """Tell Airflow which errors its retries may help with."""
        try:
            yield
        except ItnioError as error:
            if _retries_may_help(error, self.delivery):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def _retries_may_help(error: ItnioError, delivery: Delivery) -> bool:
    match error:
        case InvalidMessageError() | ConfigurationError():
            return False
        case NotSentError() | RecordError():
            return True
        case UnknownOutcomeError():
            return delivery == "at_least_once"
        case RefusedError():
            return error.transient
        case NotDeliveredError():
            return error.status != "failed"
        case _:
            return False


def _check_proxy(proxy: object) -> None:
    from airflow_provider_itnio.api.settings import check_proxy

    try:
        check_proxy(Secret(proxy.strip() if isinstance(proxy, str) else type_name(proxy)), "proxy:")
    except ConfigurationError as error:
        raise InvalidParameterError(str(error)) from None
