"""``@task.whatsapp``: what a function returns is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_itnio.api.receipt import ReceiptDict

__all__ = ["whatsapp_task"]

_RETURNED = (*MESSAGE_FIELDS, "message")


class _WhatsAppDecoratedOperator(DecoratedOperator, WhatsAppSendOperator):
    """Calls a function and sends what it returns.

    :param python_callable: returns a text, or a message as a dict of the operator's ``message`` parameter.
    :param op_args: what the function is called with.
    :param op_kwargs: what the function is called with by name.
    """

    custom_operator_name = "@task.whatsapp"
    template_fields: Sequence[str] = (
        "op_args",
        "op_kwargs",
        # What the function returns is data: it is set after rendering, and never rendered.
        *(name for name in WhatsAppSendOperator.template_fields if name not in _RETURNED),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "py", "op_kwargs": "py"}

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Sequence[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("multiple_outputs", None)
        if given := [name for name in _RETURNED if kwargs.get(name) is not None]:
            raise InvalidMessageError(
                f"{given[0]}: @task.whatsapp sends what its function returns, so it takes no message field"
            )
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)

    def _check_message(self) -> None:
        """Leave the message unchecked: there is none before the function has returned."""

    def execute(self, context: Context) -> ReceiptDict:
        """Call the function and send what it returns.

        :param context: the task's context.
        """
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        returned = self.python_callable(*self.op_args, **arguments)
        for name in _RETURNED:  # default_args may have filled them
            setattr(self, name, None)
        if isinstance(returned, Mapping):
            self.message = dict(returned)  # type: ignore[assignment]
        elif isinstance(returned, str):
            self.text = returned
        else:
            raise AirflowFailException(self._unsendable(returned))
        receipt: ReceiptDict = super().execute(context)
        return receipt

    def _unsendable(self, returned: object) -> str:
        name = getattr(self.python_callable, "__name__", "the function")
        if returned is None:
            return (
                f"InvalidMessageError: {name} returned None: is its return forgotten? "
                "To send nothing, raise AirflowSkipException"
            )
        return (
            f"InvalidMessageError: {name} must return a text, or a message as a dict; "
            f"a value of type {type(returned).__name__} returned"
        )


def whatsapp_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a function a task that sends the WhatsApp message it returns: ``@task.whatsapp(recipient=…)``.

    :param python_callable: returns a text, or a message as a dict, as the operator's ``message`` takes it. It
        is sent as it is: Jinja in it is not rendered. ``None`` is an error; to send nothing, raise
        ``AirflowSkipException``.
    :param kwargs: ``recipient``, ``reply_to``, ``business_phone``, ``app_id``, ``itnio_conn_id``,
        ``delivery``, ``if_too_long``, all templated, and what every task takes. A message field is refused.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=_WhatsAppDecoratedOperator,
        **kwargs,
    )
