"""The default alert: as a text, and as the values of a WhatsApp template."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.models import TEXT_LIMIT
from airflow_provider_itnio.messages import template_message

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_itnio.messages import TemplateDict
    from airflow_provider_itnio.notifications.alert_facts import AlertFacts

NOTE_LIMIT: Final = 500
"""Characters of the note about held alerts."""

_HEADLINES: Final = {
    "task_failed": ("❌", "Task failed"),
    "task_retry": ("🔁", "Task failed, will be tried again"),
    "task_succeeded": ("✅", "Task succeeded"),
    "task_skipped": ("⏭️", "Task skipped"),
    "task_running": ("▶️", "Task running"),
    "dag_failed": ("❌", "DAG failed"),
    "dag_succeeded": ("✅", "DAG succeeded"),
    "task_recovered": ("💚", "Task recovered"),
    "dag_recovered": ("💚", "DAG recovered"),
    "deadline_missed": ("⏰", "Deadline missed"),
    "approval_wanted": ("✋", "Your answer is wanted"),
    "alerts_held": ("📥", "Alerts held back"),
    "event": ("ℹ️", "Airflow"),
}

# WhatsApp has no escape character. Ids and errors may contain its markup, so they are put between back-ticks,
# where markup is not read. Back-ticks in data become apostrophes, so that they do not open or close code.
_TEXT: Final = """\
{{ sign }} *{{ headline }}*
{% if alert.subject | words %}{{ alert.subject | words }}
{% endif %}
{%- if alert.options | words %}Choices: {{ alert.options | words }}
{% endif %}
{%- if alert.dag_id %}DAG: {{ alert.dag_id | code }}
{% endif %}
{%- if alert.task_id %}Task: {{ alert.task_id | code }}
{%- if alert.map_index %}, map index {{ alert.map_index }}
{%- if alert.map_label %} ({{ alert.map_label | code }}){% endif %}{% endif %}
{% endif %}
{%- if alert.run_id %}Run: {{ alert.run_id | code }}
{% endif %}
{%- if alert.try_number and alert.kind in ("task_failed", "task_retry") %}Try: {{ alert.try_number }}
{%- if alert.max_attempts %} of {{ alert.max_attempts }}{% endif %}
{% endif %}
{%- if alert.deadline %}Due: {{ alert.deadline }}
{% endif %}
{%- if alert.duration and alert.kind != "approval_wanted" %}Ran for: {{ alert.duration }}
{% endif %}
{%- if recovered %}{{ recovered | words }}
{% endif %}
{%- if alert.failed_tasks %}Failed tasks: {{ alert.failed_tasks | code }}
{% endif %}
{%- if error %}```{{ error }}```
{% endif %}
{%- if link %}{{ link }}
{% endif %}
{%- if note %}_{{ note }}_
{% endif %}
{%- if reason %}_The text of this alert could not be used:_ {{ reason }}
{% endif %}"""


def default_text(alert: AlertFacts, reason: str = "", note: str = "") -> str:
    """Return an alert as a text of at most 4,096 characters.

    :param alert: the facts.
    :param reason: why the alert's own text could not be used, for the last line.
    :param note: a note about held alerts, for the line before.
    """
    sign, headline = _HEADLINES[alert.kind]
    variables = {
        "alert": alert,
        "sign": sign,
        "headline": headline,
        "link": _link(alert.log_url, 1000),
        "recovered": _describe_recovery(alert),
        "note": _words(note, NOTE_LIMIT),
        "reason": _words(reason, 400),
    }

    def rendered(error: str) -> str:
        return _text_template().render(variables, error=error).strip()

    space = TEXT_LIMIT - len(rendered("x"))
    error = truncate(_without_markup(alert.error).strip(), max(0, min(1500, space)))
    return truncate(rendered(error), TEXT_LIMIT)


def default_template(
    alert: AlertFacts, name: str, language: str, reason: str = "", note: str = ""
) -> TemplateDict:
    """Return an alert as a WhatsApp template with six values.

    The values are headline, where, run, try, why and link. Each is one line and never empty.

    :param alert: the facts.
    :param name: the WhatsApp template's name.
    :param language: the template's language code.
    :param reason: why the alert's own text could not be used. It comes before the error.
    :param note: a note about held alerts. It comes before the reason.
    """
    label = alert.map_label and f" ({truncate(_one_line(alert.map_label), 60)})"
    index = alert.map_index and f"map index {alert.map_index}{label}"
    where = " / ".join(filter(None, (alert.dag_id, alert.task_id, index)))
    tries = f"{alert.try_number} of {alert.max_attempts}" if alert.try_number and alert.max_attempts else ""
    timing = ", ".join(filter(None, (tries, alert.duration, alert.deadline and f"due {alert.deadline}")))
    reason_text = ": ".join(
        filter(
            None,
            (
                truncate(note.rstrip("."), 160),
                alert.subject,
                alert.options,
                truncate(reason, 80),
                _describe_recovery(alert),
                alert.failed_tasks,
                alert.error_line,
            ),
        )
    )
    values = (
        (_HEADLINES[alert.kind][1], 40),
        (where, 200),
        (alert.run_id, 120),
        (timing, 60),
        (reason_text, 200),
        (_link(alert.log_url, 350), 350),
    )
    body = [truncate(_one_line(value), limit) or "-" for value, limit in values]
    return template_message(name, language, body=body)


def _describe_recovery(alert: AlertFacts) -> str:
    """Return in how many runs and for how long it had failed, as far as known."""
    runs = f"in {alert.failed_runs} run{'' if alert.failed_runs == '1' else 's'}" if alert.failed_runs else ""
    details = " ".join(filter(None, (runs, alert.failed_for and f"for {alert.failed_for}")))
    return f"It had failed {details}" if details else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _without_markup(text: str) -> str:
    return text.replace("`", "'")


def _code(text: str) -> str:
    return f"`{_words(text, 250)}`"


def _words(text: str, limit: int = 500) -> str:
    return truncate(_one_line(_without_markup(text)), limit)


def _link(url: str, limit: int) -> str:
    """Return a link; if it is too long, the link to the DAG, because a truncated link does not work."""
    if len(url) > limit:
        url = url.partition("/runs/")[0].partition("/grid?")[0]
    return url if len(url) <= limit else ""


@cache
def _text_template() -> jinja2.Template:
    """Compile the text in a separate environment: in Airflow's, a missing name would lose the alert."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.ChainableUndefined)  # noqa: S701 - it makes no HTML
    filters: dict[str, Callable[..., Any]] = {"code": _code, "words": _words}
    environment.filters.update(filters)
    return environment.from_string(_TEXT)
