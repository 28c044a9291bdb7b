"""``@task.whatsapp``: a task that sends what its function returns."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_itnio._compat import XComPushOfAirflow2
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.dag_file import ending_at_dag_file
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.templating import jinja_texts

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.broadcast.recipients import Recipient

__all__ = ["whatsapp_task"]

log = NeverRaisingLog(__name__)

_MESSAGE_FIELDS = (*MESSAGE_FIELDS, "message")
_RENDERERS = {"op_args": "py", "op_kwargs": "py"}


class _ReturnedMessageOperator(DecoratedOperator, XComPushOfAirflow2):
    """Calls a function, and sends what it returns."""

    returned_fields: ClassVar[tuple[str, ...]] = _MESSAGE_FIELDS
    """Message fields of the operator that the decorator refuses."""

    custom_operator_name = "@task.whatsapp"
    _effective_reply_to: Callable[[Mapping[str, Any]], Any]

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Sequence[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("multiple_outputs", None)  # a parameter of decorators only
        # Airflow 2 passes default_args as arguments of a mapped function, so they are no mistake.
        defaults = dict.fromkeys(_MESSAGE_FIELDS) | (kwargs.get("default_args") or {})
        if named := [name for name in _MESSAGE_FIELDS if kwargs.get(name) not in (None, defaults[name])]:
            raise InvalidMessageError(
                f"{named[0]}: @task.whatsapp sends what its function returns, so it takes no message field"
            )
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)

    def _prefer_own_message(self) -> None:
        """Ignore message fields in ``default_args``: the function returns the message."""
        for name in _MESSAGE_FIELDS:
            setattr(self, name, None)
        super()._prefer_own_message()  # type: ignore[misc]

    def _check_message(self) -> None:
        """Check nothing: there is no message before the function has returned."""

    def build_message(self, context: Context) -> Mapping[str, Any]:
        """Call the function, and return its result as message fields."""
        returned = self._call_function(context)
        if any("{{" in text for text in jinja_texts(returned)):
            log.warning("The function returned Jinja, which is sent without being rendered")
        return {**returned, "reply_to": self._effective_reply_to(returned)}

    def _call_function(self, context: Context) -> dict[str, Any]:
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        returned = self.python_callable(*self.op_args, **arguments)
        if inspect.isawaitable(returned):
            returned = asyncio.run(_await(returned))
        if isinstance(returned, Mapping):
            return {"message": dict(returned)}
        if isinstance(returned, str):
            return {"text": returned}
        raise AirflowFailException(f"InvalidMessageError: {self._describe_invalid_result(returned)}")

    def _describe_invalid_result(self, returned: object) -> str:
        name = getattr(self.python_callable, "__name__", "the function")
        if returned is None:
            return f"{name} returned None: is a return missing? To send nothing, raise AirflowSkipException"
        return (
            f"{name} must return a text, or a message as a dict; "
            f"a value of type {type(returned).__name__} returned"
        )


async def _await(returned: Awaitable[Any]) -> Any:
    return await returned


class _WhatsAppDecoratedOperator(_ReturnedMessageOperator, WhatsAppSendOperator):
    """Sends what a function returns to one recipient."""

    template_fields: Sequence[str] = (
        "op_args",
        "op_kwargs",
        # The returned message is data, and never rendered.
        *(name for name in WhatsAppSendOperator.template_fields if name not in _MESSAGE_FIELDS),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {**_RENDERERS, "fallback": "json"}


class _WhatsAppDecoratedBroadcastOperator(_ReturnedMessageOperator, WhatsAppBroadcastOperator):
    """Sends what a function returns to many recipients."""

    template_fields: Sequence[str] = (
        "op_args",
        "op_kwargs",
        "reply_to",  # the same for all recipients
        *WhatsAppBroadcastOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **_RENDERERS,
        **WhatsAppBroadcastOperator.template_fields_renderers,
    }

    def _message_factory(
        self, fields: Mapping[str, Any], context: Context
    ) -> tuple[str, Callable[[Recipient], Message]]:
        from airflow_provider_itnio.api.models import message_from

        message = message_from(fields, if_too_long=self.if_too_long)
        return message.type, self._shared_message_factory(message)


def whatsapp_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a function a task that sends the WhatsApp message it returns: ``@task.whatsapp(recipient=…)``.

    :param python_callable: returns a text, or a message as a dict, as for the operator's ``message``. It may
        be an ``async def``. Jinja in the returned message is not rendered. ``None`` is an error; to send
        nothing, raise ``AirflowSkipException``.
    :param kwargs: ``recipient`` and the other parameters of
        :class:`~airflow_provider_itnio.operators.whatsapp.WhatsAppSendOperator`; or ``recipients`` and the
        other parameters of
        :class:`~airflow_provider_itnio.operators.whatsapp_broadcast.WhatsAppBroadcastOperator`, to send the
        same message to many recipients; and the arguments of ``BaseOperator``. Message fields are refused.
    :raises InvalidMessageError: if both ``recipient`` and ``recipients`` are given.
    """
    if python_callable is not None and not callable(python_callable):
        raise ending_at_dag_file(TypeError("@task.whatsapp: give names, as in @task.whatsapp(recipient=…)"))
    for name in ("recipient", "recipients"):
        if kwargs.get(name) is None:
            kwargs.pop(name, None)
    if "recipient" in kwargs and "recipients" in kwargs:
        message = "@task.whatsapp: give recipient, or recipients for several people; both given"
        raise ending_at_dag_file(InvalidMessageError(message))
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=(
            _WhatsAppDecoratedBroadcastOperator if "recipients" in kwargs else _WhatsAppDecoratedOperator
        ),
        **kwargs,
    )
