"""An alert rendered for one event: its recipients, and the messages to try in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow.providers.common.compat.sdk import redact

from airflow_provider_itnio.api.describe import truncate, truncate_body
from airflow_provider_itnio.api.errors import InvalidMessageError, ItnioError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.models import TEXT_LIMIT
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.phone_numbers import canonical_number, normalize_phone
from airflow_provider_itnio.broadcast.recipients import expand_recipient, read_recipient
from airflow_provider_itnio.notifications.alert_facts import AlertFacts, alert_facts
from airflow_provider_itnio.notifications.default_text import default_template, default_text
from airflow_provider_itnio.notifications.formatting import sendable
from airflow_provider_itnio.templating import recipient_entries

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier

    from airflow_provider_itnio.hooks._account import Account
    from airflow_provider_itnio.rendering.fields import FieldRenderer

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")
_ERROR_LIMIT: Final = 300

Messages: TypeAlias = Sequence[Callable[[str, str], dict[str, Any] | None]]
"""Messages to try, in order. Each is called with the reason why the previous one could not be used, and a
note about held alerts. It returns the message's fields, or ``None`` if it can't contain the note."""


@dataclass(frozen=True)
class RenderedAlert:
    """A rendered alert.

    :param facts: what happened.
    :param recipients: the phone numbers, digits only, each once.
    :param template: the name of the WhatsApp template for the default alert.
    :param language: the template's language.
    :param invalid_recipients: an error for each recipient that is no phone number.
    :param own_message: fields for the hook's ``send``, instead of the default message; empty for none.
    :param problem: why ``own_message`` could not be rendered.
    :param reply_to: the incoming message that a text answers.
    """

    facts: AlertFacts
    recipients: Sequence[str]
    template: str | None
    language: str | None
    invalid_recipients: Sequence[str] = ()
    own_message: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    reply_to: str | None = None

    def chooses_by_window(self, account: Account) -> bool:
        """Return whether there is a WhatsApp template for recipients whose 24-hour window is closed.

        :param account: the account; its connection may name a WhatsApp template for alerts.
        """
        message = self.own_message.get("message")
        own_messages = {**self.own_message, **(message if isinstance(message, dict) else {})}
        is_template = own_messages.get("template") is not None and not self.problem
        return bool(self.template or account.alert_template) and not is_template

    def messages(self, account: Account, *, is_window_open: bool | None = None) -> Messages:
        """Return the messages to try: the notifier's own, and the default alert as a template and as a text.

        :param account: the account; its connection may name a WhatsApp template for alerts.
        :param is_window_open: whether the recipient's 24-hour window is open; ``None`` if unknown. The
            template comes last if it is open, and first if it is closed.
        """
        own_messages: list[Callable[[str, str], dict[str, Any] | None]] = []
        template = own_messages.copy()
        if self.own_message and not self.problem:
            own_messages.append(lambda reason, note: _with_note(self.own_message, note))
        if name := self.template or account.alert_template:
            language = self.language or account.alert_language or "en"
            template.append(
                lambda reason, note: {"template": default_template(self.facts, name, language, reason, note)}
            )

        def text(reason: str, note: str) -> dict[str, Any]:
            return {"text": default_text(self.facts, reason, note), "reply_to": self.reply_to}

        if is_window_open is None:
            return [*own_messages, *template, text]
        return [*own_messages, text, *template] if is_window_open else [*template, *own_messages, text]


def _with_note(own_message: Mapping[str, Any], note: str) -> dict[str, Any] | None:
    """Return the notifier's own message with a note in its last line, ``None`` if it is no text."""
    message = own_message.get("message")
    fields = message if isinstance(message, dict) else own_message
    text = fields.get("text")
    body = text.get("body") if isinstance(text, dict) else text
    if not note:
        return dict(own_message)
    if not isinstance(body, str):
        return None
    body = f"{truncate_body(body, TEXT_LIMIT - len(note) - 4)}\n\n_{note}_"
    result = {**fields, "text": {**text, "body": body} if isinstance(text, dict) else body}
    return result if fields is own_message else {**own_message, "message": result}


def describe_error(error: BaseException) -> str:
    """Return an error's text, masked and truncated, for the log and for the alert."""
    try:
        text = str(error)
    except Exception:  # a user's exception class may raise here
        text = ""
    if not isinstance(error, ItnioError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    shown = mask_phone_numbers(sendable(str(redact(text))))
    return truncate(shown, _ERROR_LIMIT)


def _problem_text(error: Exception, name: str) -> str:
    cause = error.__cause__ if isinstance(error, ItnioError) else error
    return describe_error(error) if cause is None else f"{name}: {describe_error(cause)}"


def masked(value: Any) -> Any:
    """Mask the secrets that Airflow masks in its logs, except in links."""
    if isinstance(value, str):
        return value if value.startswith(("http://", "https://")) else redact(value)
    if isinstance(value, dict):
        return {key: masked(inner) for key, inner in value.items()}
    return [*map(masked, value)] if isinstance(value, (list, tuple)) else value


def gather_facts(context: Any) -> AlertFacts:
    """Gather the facts of an event. If that fails, the alert is sent without them."""
    try:
        return alert_facts(context)
    except Exception as error:
        _LOG.warning("The facts of this alert could not be gathered: %s", describe_error(error))
        return AlertFacts()


@dataclass
class AlertRenderer:
    """Renders a notifier's fields for one event, without changing the notifier.

    Airflow's base class stores the rendered fields in the notifier: the second event would repeat the first
    event's text, and render Jinja that the first event's data contained.

    :param notifier: the notifier; it is not changed.
    :param context: the callback's context.
    :param facts: the result of :func:`gather_facts`.
    """

    notifier: BaseNotifier
    context: Any
    facts: AlertFacts
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if isinstance(self.context, dict):  # Airflow 3 shares it with other callbacks
            self.context = dict(self.context)
        self.context["alert"] = self.facts
        dag = self.context.setdefault("dag", None)  # Airflow 2 renders nothing without one
        try:
            self._fields = self._field_renderer(dag)
        except Exception as error:
            # An error in the DAG's Jinja settings must not lose the alert.
            _LOG.warning("The DAG's Jinja environment could not be created: %s", describe_error(error))
            self._fields = self._field_renderer(None)

    def _field_renderer(self, dag: Any) -> FieldRenderer:
        import jinja2
        from jinja2.nativetypes import NativeEnvironment

        from airflow_provider_itnio.rendering.fields import FieldRenderer

        environment = jinja_env = self.notifier.get_template_env(dag=dag)
        if isinstance(jinja_env, NativeEnvironment):  # a text of digits must stay a text
            environment = dag.get_template_env(force_sandboxed=True)
        if dag is None:
            # As in a DAG's environment: a missing name must be an error.
            environment.undefined = jinja2.StrictUndefined
        return FieldRenderer(
            environment,
            self.context,
            jinja_env=jinja_env,
            render=lambda value: self.notifier.render_template(value, self.context, jinja_env),
        )

    def render(self, name: str, value: Any, convert: Callable[[Any], Any] = lambda value: value) -> Any:
        """Render one value and apply ``convert``. On an error, add it to ``problems`` and return ``None``."""
        if value is None:
            return None
        try:
            return convert(self._render(value, name))
        except Exception as error:
            self.problems.append(_problem_text(error, name))
            return None

    def number(self, name: str, value: Any) -> str | None:
        """Render a phone number. If it is invalid, add an error to ``problems`` and return ``None``."""
        rendered = self.render(name, value)
        try:
            return normalize_phone(rendered, name) if rendered else None
        except InvalidMessageError as error:
            self.problems.append(str(error))
            return None

    def recipients(self, recipients: Any) -> tuple[list[str], list[str]]:
        """Render recipients one by one, so that an invalid one does not affect the others.

        :param recipients: as for :func:`~airflow_provider_itnio.broadcast.recipients.recipient_list`.
        :return: the valid numbers, each once, and an error for each invalid recipient.
        """
        numbers: dict[str, str] = {}
        invalid_recipients: list[str] = []
        for index, raw_entry in enumerate(recipient_entries(recipients)):
            name = f"recipients[{index}]"
            try:
                entries = expand_recipient(raw_entry, self._render(raw_entry, name), name)
            except InvalidMessageError as error:
                invalid_recipients.append(str(error))
                continue
            except Exception as error:
                invalid_recipients.append(f"{name}: {describe_error(error)}")
                continue
            for entry in entries:
                try:
                    number, _ = read_recipient(entry, name)
                    numbers.setdefault(canonical_number(number), number)
                except InvalidMessageError as error:
                    invalid_recipients.append(str(error))
        return list(numbers.values()), invalid_recipients

    def _render(self, value: Any, name: str) -> Any:
        return self._fields.field(name, value)
