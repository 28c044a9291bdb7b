"""The base of all operators that send WhatsApp messages: hook, checks, and errors for Airflow's retries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio._compat import is_from_mapped
from airflow_provider_itnio.api.checks import (
    Delivery,
    check_delivery,
    check_link_options,
    check_number,
)
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    ConnectionLookupError,
    InvalidMessageError,
    InvalidParameterError,
    ItnioError,
    NotDeliveredError,
    NotSentError,
    ReceiverError,
    RecordError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.values import is_unset, type_name
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.hooks.hook_fields import check_hook_fields
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.operators._templated import TemplatedOperator

if TYPE_CHECKING:
    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.message_types import XComArgLike

    _Operator = TemplatedOperator
else:
    _Operator = with_named_errors(TemplatedOperator)


class WhatsAppOperator(_Operator):
    """The base of the operators that send WhatsApp messages.

    :param settings: the subclass's parameters by name.
    :param kwargs: the arguments of ``BaseOperator``.
    """

    ui_color = "#d9fdd3"
    business_phone: str | int | XComArgLike | None
    app_id: str | XComArgLike | None
    itnio_conn_id: str
    delivery: Delivery
    timeout: float | None
    connect_timeout: float | None
    max_attempts: int | None
    proxy: str | None
    link_expires_in: timedelta | float = timedelta(hours=1)
    check_link: bool = False
    _record: DeliveryRecord | BroadcastRecord | None = None
    _finish_is_registered = False

    def __init__(self, *, settings: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in settings.items():
            setattr(self, name, value)

    @cached_property
    def hook(self) -> ItnioHook:
        """The hook, with the connection and the settings of this task."""
        return ItnioHook(
            self.itnio_conn_id,
            app_id=cast("str | None", self.app_id),  # rendered by now
            business_phone=cast("str | int | None", self.business_phone),
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            max_attempts=self.max_attempts,
            proxy=self.proxy,
            link_expires_in=self.link_expires_in,
            check_link=self.check_link,
        )

    def _finish_after_post_execute(self) -> None:
        """Mark the delivery record as finished after all of the task's user code."""
        from airflow_provider_itnio.operators._after_post_execute import run_after_post_execute

        def finish() -> None:
            if self._record is not None:
                self._record.finish()

        if not self._finish_is_registered:
            self._finish_is_registered = True
            run_after_post_execute(self, finish)

    def _is_created_in_dag_file(self) -> bool:
        # A mapped operator is made when its task runs. Its values are checked in execute().
        return not is_from_mapped(self)

    def _check_sending_options(self) -> None:
        """Check the parameters of the connection and of the requests."""
        check_hook_fields(self)
        check_delivery(self.delivery)
        for name in ("timeout", "connect_timeout"):
            if (seconds := getattr(self, name)) is not None:
                check_number(name, seconds, 0.001, 3600, float)
        if self.max_attempts is not None:
            check_number("max_attempts", self.max_attempts, 1, 10, int)
        if not is_unset(self.proxy):
            _check_proxy(self.proxy)
        check_link_options(self.link_expires_in, self.check_link)

    def _ignore_sensor_timeout(self) -> None:
        """Ignore a ``timeout`` in ``default_args`` that is out of range: it is meant for sensors."""
        if self._defaults.get("timeout") is self.timeout is not None:
            try:
                check_number("timeout", self.timeout, 0.001, 3600, float)
            except InvalidParameterError:
                self.timeout = None

    @contextmanager
    def _fail_on_permanent_errors(self) -> Iterator[None]:
        """Raise ``AirflowFailException`` for errors that a retry does not help."""
        try:
            yield
        except ItnioError as error:
            if retries_may_help(error, self.delivery):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def retries_may_help(error: ItnioError, delivery: Delivery) -> bool:
    """Return whether a retry of the task may succeed.

    :param error: the error that ended this try.
    :param delivery: the task's ``delivery``.
    """
    match error:
        case ConnectionLookupError() | NotSentError() | RecordError() | ReceiverError():
            return True
        case InvalidMessageError() | ConfigurationError():
            return False
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
