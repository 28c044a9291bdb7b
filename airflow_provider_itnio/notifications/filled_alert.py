"""An alert filled in for one event: what is sent to whom, and what if it can't be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.phone_numbers import number_entries, phone_digits
from airflow_provider_itnio.notifications.alert_facts import AlertFacts, alert_facts
from airflow_provider_itnio.notifications.default_text import default_template, default_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier

    from airflow_provider_itnio.hooks.itnio import Account

__all__ = ["FilledAlert", "Filler", "Messages"]

Messages: TypeAlias = Sequence[Callable[[str], dict[str, Any]]]
"""What can be sent, the best first. Each makes a message's fields when it is told why the one before it could
not be used."""


@dataclass(frozen=True)
class FilledAlert:
    """An alert with everything filled in.

    :param facts: what happened.
    :param recipients: whom it goes to, digits only, each once.
    :param unusable: what is wrong with those of the recipients that are no number.
    :param own_message: the message in place of the default one, empty if there is none.
    :param problem: why the own message could not be filled in.
    :param template: the WhatsApp template that carries the default alert.
    :param language: its language.
    """

    facts: AlertFacts
    recipients: Sequence[str]
    unusable: Sequence[str]
    own_message: Mapping[str, Any]
    problem: str
    template: str | None
    language: str | None

    def messages(self, account: Account) -> Messages:
        """Give what can be sent: the alert's own message, the default one as a template, and as a text.

        :param account: whose connection may name a WhatsApp template for alerts.
        """
        messages: list[Callable[[str], dict[str, Any]]] = []
        if self.own_message and not self.problem:
            messages.append(lambda reason: dict(self.own_message))
        if name := self.template or account.alert_template:
            language = self.language or account.alert_language or "en"
            messages.append(lambda reason: {"template": default_template(self.facts, name, language, reason)})
        messages.append(lambda reason: {"text": default_text(self.facts, reason)})
        return messages


@dataclass
class Filler:
    """Fills in a notifier's fields for one event, on values of its own.

    Airflow's base class fills in the notifier itself: its second event would repeat the first one's words,
    and run Jinja that came with them.

    :param notifier: the notifier, which stays as it is.
    :param context: what Airflow tells of the event; ``alert`` is added to it.
    """

    notifier: BaseNotifier
    context: Any
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.facts = self._gathered_facts()
        self.context["alert"] = self.facts
        dag = self.context.setdefault("dag", None)  # Airflow 2 renders nothing without one
        self._environment = self.notifier.get_template_env(dag=dag)
        if dag is None:
            import jinja2

            # As a DAG's does: a name that is missing must not leave a hole in an alert.
            self._environment.undefined = jinja2.StrictUndefined

    def _gathered_facts(self) -> AlertFacts:
        try:
            return alert_facts(self.context)
        except Exception as error:
            self.notifier.log.warning("The facts of this alert could not be gathered: %r", error)
            return AlertFacts()

    def filled(self, name: str, value: Any) -> Any:
        """Fill in one value; where that fails, note the problem and give nothing.

        :param name: the name a problem gives it.
        :param value: what the DAG file says.
        """
        if value is None:
            return None
        try:
            return self.notifier.render_template(value, self.context, self._environment)
        except Exception as error:
            self.problems.append(f"{name}: {type(error).__name__}: {error}")
            return None

    def numbers(self, recipients: Any) -> tuple[list[str], list[str]]:
        """Fill in recipients one by one, so that one that fails does not keep the others from theirs.

        :param recipients: one number, several in a text, or a list.
        :return: the numbers, each once, and what is wrong with the rest.
        """
        numbers: dict[str, None] = {}
        unusable: list[str] = []
        entries = recipients if isinstance(recipients, (list, tuple)) else [recipients]
        for index, entry in enumerate(entries):
            name = f"recipients[{index}]"
            try:
                rendered = self.notifier.render_template(entry, self.context, self._environment)
                for number in number_entries(rendered):
                    numbers[phone_digits(number, name)] = None
            except InvalidMessageError as error:
                unusable.append(str(error))
            except Exception as error:
                unusable.append(f"{name}: {type(error).__name__}: {error}")
        return list(numbers), unusable
