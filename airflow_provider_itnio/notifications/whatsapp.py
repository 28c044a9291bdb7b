"""A notifier that alerts people on WhatsApp."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.message_types import (
        ContactDict,
        DocumentDict,
        InteractiveDict,
        LinkDict,
        LocationDict,
        MediaDict,
        MessageDict,
        RenderFunction,
        TemplateDict,
        TextDict,
    )
    from airflow_provider_itnio.notifications.alert_facts import AlertFacts
    from airflow_provider_itnio.notifications.guard import Admission
    from airflow_provider_itnio.notifications.rendering import RenderedAlert

    _Notifier = BaseNotifier
else:
    _Notifier = with_named_errors(BaseNotifier)

__all__ = ["WhatsAppNotifier", "send_whatsapp_notification"]

log = NeverRaisingLog(f"airflow.task.{__name__}")

_MAX_RETRY_AFTER: Final = 5.0
"""Seconds. A longer ``Retry-After`` ends the attempts: a notifier may run in the DAG processor."""

_FILE_TIMEOUT: Final = 8.0
"""Seconds. Airflow ends a task's callbacks after 20 seconds, and the default alert must still be sent."""

_LOOKUP_DELAYS: Final = (1.0, 2.0)
"""Seconds to wait before the connection is looked up again after an error."""

_SLA_ARGUMENTS: Final = ("dag", "task_list", "blocking_task_list", "slas", "blocking_tis")


class WhatsAppNotifier(_Notifier):
    """Alerts people on WhatsApp when a task or DAG fails, succeeds or is late.

    .. code-block:: python

        with DAG(
            "sales",
            on_failure_callback=WhatsAppNotifier(
                recipients=["+86 147-1800-4557", "{{ var.value.oncall_phone }}"],
                alert_template="pipeline_alert",
            ),
        ):
            ...

    Only ``recipients`` is required: the default text says what happened, where and why, and links to the log.
    Instead, any message that the operator takes can be given. All fields may use ``{{ alert.… }}``: ``kind``,
    ``dag_id``, ``task_id``, ``map_index``, ``map_label``, ``run_id``, ``try_number``, ``max_attempts``,
    ``error``, ``error_line``, ``failed_tasks``, ``duration``, ``log_url``, which are always defined. They may
    also use the rest of the callback's context.

    If a recipient gets many alerts within a short time, further ones are held back and reported together; see
    ``[itnio] alert_limit``, ``alert_window`` and ``quiet_hours`` in Airflow's configuration.

    If your message can't be rendered, breaks a rule, is refused for its content, or its file can't be sent,
    the default alert is sent with the reason.

    :param recipients: one phone number, several in a text separated by commas or lines, or a list; also a
        list in a variable, ``"{{ var.json.oncall }}"``. (templated)
    :param text: a text instead of the default one. It and the other message fields are those of
        :class:`~airflow_provider_itnio.operators.whatsapp.WhatsAppSendOperator`; give at most one of them.
        (templated)
    :param image: a link, or a link and a caption. (templated)
    :param audio: a link. (templated)
    :param video: a link, or a link and a caption. (templated)
    :param document: a link, or a link, a filename and a caption. (templated)
    :param sticker: a link. (templated)
    :param location: a place. (templated)
    :param interactive: buttons, a list, or a request for a location. (templated)
    :param contacts: one to five contact cards. (templated)
    :param template: a WhatsApp template with your own values; the default alert's is ``alert_template``.
        (templated)
    :param message: the message as one dict. (templated)
    :param reply_to: the id of the incoming message that the alert answers. (templated)
    :param alert_template: the name of a WhatsApp template with six values, for the default alert to
        recipients who have not written in the last 24 hours; by default the connection's extra of this name.
        If the connection names a receiver, recipients who have written in that time get the message itself,
        and all others this WhatsApp template. (templated)
    :param alert_language: the template's language; by default the connection's extra of this name, or ``en``.
        (templated)
    :param business_phone: the sender's number; the connection's by default. (templated)
    :param app_id: the sender's application; the connection's by default. (templated)
    :param itnio_conn_id: the connection. (templated)
    :param if_too_long: ``fail`` to send the default text instead of a text of over 4,096 characters, or
        ``truncate`` to cut it and end it with ``…``.
    :param only_after_failure: for an ``on_success_callback``: send an alert only if the DAG, or the task, had
        failed before. The alert says in how many runs and for how long.
    :param timeout: seconds to wait for the whole response.
    :param connect_timeout: seconds to connect, including DNS, proxy and TLS.
    :param max_attempts: attempts for an alert that was not sent, 1 to 10.
    :param link_expires_in: how long WhatsApp can fetch a file that is given as ``{"object": "s3://…"}``, a
        minute to 7 days, a timedelta or seconds.
    :param check_link: fetch the first bytes of a plain link, and send the default alert if WhatsApp could not
        fetch it or would not take it.
    :param context: passed by Airflow when it awaits the notifier.
    :raises InvalidMessageError: if a value in the DAG file breaks a rule of the message.
    :raises InvalidParameterError: if another parameter is out of its range.
    """

    template_fields: Sequence[str] = (
        "recipients",
        *MESSAGE_FIELDS,
        "message",
        "reply_to",
        "alert_template",
        "alert_language",
        "business_phone",
        "app_id",
        "itnio_conn_id",
    )

    def __init__(
        self,
        *,
        recipients: str | int | Sequence[str | int],
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
        reply_to: str | None = None,
        alert_template: str | None = None,
        alert_language: str | None = None,
        business_phone: str | int | None = None,
        app_id: str | None = None,
        itnio_conn_id: str = ItnioHook.default_conn_name,
        if_too_long: Literal["fail", "truncate"] = "fail",
        only_after_failure: bool = False,
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        max_attempts: int = 2,
        link_expires_in: timedelta | float = timedelta(hours=1),
        check_link: bool = False,
        context: Context | None = None,
    ) -> None:
        super().__init__()
        self.context = context or {}  # set here, because Airflow 2's base class does not take it
        self.recipients = recipients
        self.text = text
        self.image = image
        self.audio = audio
        self.video = video
        self.document = document
        self.sticker = sticker
        self.location = location
        self.interactive = interactive
        self.contacts = contacts
        self.template = template
        self.message = message
        self.reply_to = reply_to
        self.alert_template = alert_template
        self.alert_language = alert_language
        self.business_phone = business_phone
        self.app_id = app_id
        self.itnio_conn_id = itnio_conn_id
        self.if_too_long = if_too_long
        self.only_after_failure = only_after_failure
        self.timeout = timeout
        self.connect_timeout = connect_timeout
        self.max_attempts = max_attempts
        self.link_expires_in = link_expires_in
        self.check_link = check_link
        # Imported here, because this import would slow down the import of the module.
        from airflow_provider_itnio.notifications.notifier_checks import check_notifier

        try:
            check_notifier(self)
        except InvalidMessageError:
            if context is None:
                raise
            # A deadline was missed: the others get their alert, and the log has the error.

    def __call__(self, *args: Any) -> None:
        """Send the alert. Airflow calls the notifier as a callback.

        :param args: the context, or the arguments of Airflow 2's callback for a missed SLA.
        :raises ItnioError: after all recipients, if the alert was not sent to one of them.
        """
        context = args[0] if len(args) == 1 else dict(zip(_SLA_ARGUMENTS, args, strict=False))
        self._render_fields_of_subclass(context)
        self.notify(context)

    def __await__(self) -> Generator[Any, None, None]:
        """Send the alert asynchronously; Airflow awaits the notifier in its triggerer."""
        self._render_fields_of_subclass(self.context)
        return self.async_notify(self.context).__await__()

    def _render_fields_of_subclass(self, context: Any) -> None:
        """Render a subclass's own fields and add them to the context, as Airflow does with all fields."""
        from airflow.providers.common.compat.sdk import context_merge

        for name in (each for each in self.template_fields if each not in WhatsAppNotifier.template_fields):
            try:
                environment = self.get_template_env(dag=context.get("dag"))
                self._do_render_template_fields(self, [name], context, environment, set())
            except Exception as error:  # the alert is sent without the field
                log.error(
                    "WhatsApp alert: the field %s could not be rendered: %s", name, type(error).__name__
                )
            context_merge(context, {name: getattr(self, name, None)})

    def notify(self, context: Any) -> None:
        """Send the alert to all recipients, 16 at a time.

        :param context: the context of a task's or DAG's callback, a deadline, or a task that needs an answer.
        :raises ItnioError: after all recipients, if the alert was not sent to one of them.
        """
        from airflow_provider_itnio.notifications.guard import admit, give_back
        from airflow_provider_itnio.notifications.sending import raise_failures, send_to_all

        if (facts := self._get_facts(context)) is None:
            return
        alert, hook = self._render_alert(context, facts)
        hook.account()  # before the guard, which may leave a call to Airflow unfinished
        admissions = admit(alert.recipients, facts, context)
        outcomes: dict[str, str | None] = {}
        try:
            outcomes = send_to_all(hook, alert, _notes(admissions))
        finally:
            if failed := _unsent(admissions, outcomes):
                give_back(failed)
        raise_failures(alert, outcomes)

    async def async_notify(self, context: Any) -> None:
        """Send the alert to all recipients, as :meth:`notify` does, without blocking the event loop.

        :param context: as for :meth:`notify`.
        :raises ItnioError: after all recipients, if the alert was not sent to one of them.
        """
        from asgiref.sync import sync_to_async

        from airflow_provider_itnio.notifications.guard import aadmit, give_back
        from airflow_provider_itnio.notifications.sending import asend_to_all, raise_failures

        if (facts := await sync_to_async(self._get_facts)(context)) is None:
            return
        alert, hook = self._render_alert(context, facts)
        await hook.aaccount()
        admissions = await aadmit(alert.recipients, facts, context)
        outcomes: dict[str, str | None] = {}
        try:
            outcomes = await asend_to_all(hook, alert, _notes(admissions))
        finally:
            if failed := _unsent(admissions, outcomes):
                await sync_to_async(give_back)(failed)
        raise_failures(alert, outcomes)

    def _get_facts(self, context: Any) -> AlertFacts | None:
        """Return the facts, ``None`` if no alert is due."""
        from airflow_provider_itnio.notifications.recovery import RECOVERIES, recovered
        from airflow_provider_itnio.notifications.rendering import gather_facts

        facts = gather_facts(context)
        if self.only_after_failure and facts.kind in RECOVERIES:
            return recovered(facts, context)
        return facts

    def own_message(self) -> dict[str, Any]:
        """Return the fields of the notifier's own message; empty for the default alert."""
        fields = {name: getattr(self, name) for name in (*MESSAGE_FIELDS, "message")}
        own_fields = {name: value for name, value in fields.items() if value is not None}
        return {**own_fields, "reply_to": self.reply_to} if own_fields else {}

    def _render_alert(self, context: Any, facts: AlertFacts) -> tuple[RenderedAlert, ItnioHook]:
        from airflow_provider_itnio.notifications.rendering import AlertRenderer, RenderedAlert, masked

        renderer = AlertRenderer(self, context, facts)
        own_message = {
            name: renderer.render(name, value, masked) for name, value in self.own_message().items()
        }
        if own_message:
            own_message["if_too_long"] = self.if_too_long
        problem = "; ".join(renderer.problems)
        recipients, invalid_recipients = renderer.recipients(self.recipients)
        alert = RenderedAlert(
            facts=facts,
            recipients=recipients,
            invalid_recipients=invalid_recipients,
            own_message=own_message,
            problem=problem,
            reply_to=renderer.render("reply_to", self.reply_to),
            template=renderer.render("alert_template", self.alert_template),
            language=renderer.render("alert_language", self.alert_language),
        )
        hook = ItnioHook(
            renderer.render("itnio_conn_id", self.itnio_conn_id) or ItnioHook.default_conn_name,
            app_id=renderer.render("app_id", self.app_id),
            business_phone=renderer.number("business_phone", self.business_phone),
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            max_attempts=self.max_attempts,
            max_retry_after=_MAX_RETRY_AFTER,
            link_expires_in=self.link_expires_in,
            check_link=self.check_link,
        )
        # An alert is not retried by a task.
        hook.file_timeout, hook.retry_refused, hook.lookup_delays = (
            _FILE_TIMEOUT,
            True,
            iter(_LOOKUP_DELAYS),
        )
        for problem in (*renderer.problems, *invalid_recipients):
            log.error("WhatsApp alert: %s", problem)
        return alert, hook


send_whatsapp_notification = WhatsAppNotifier
"""The notifier under the naming scheme of Airflow's other providers."""


def _notes(admissions: Mapping[str, Admission]) -> dict[str, str]:
    return {number: admission.note for number, admission in admissions.items() if not admission.is_held}


def _unsent(admissions: Mapping[str, Admission], outcomes: Mapping[str, str | None]) -> dict[str, Admission]:
    """Return the alerts that were counted and not sent."""
    return {
        number: admission
        for number, admission in admissions.items()
        if admission.counted and outcomes.get(number, "not sent") is not None
    }
