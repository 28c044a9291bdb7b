"""A user's subclass of the notifier, with its own template fields."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

NUMBER = "+8614718004557"

pytestmark = pytest.mark.usefixtures("connection")


class TeamNotifier(WhatsAppNotifier):
    """Sets its field after the base class's constructor, as a subclass usually does."""

    template_fields = (*WhatsAppNotifier.template_fields, "team")

    def __init__(self, team, **options):
        super().__init__(recipients=NUMBER, **options)
        self.team = team
        self.seen = []

    def notify(self, context):
        self.seen.append(self.team)
        super().notify(context)

    async def async_notify(self, context):
        self.seen.append(self.team)
        await super().async_notify(context)


def tell(notifier, context, awaited):
    """Send an alert as Airflow does: it calls the notifier, or awaits it in the triggerer."""
    if not awaited:
        return notifier(context)
    notifier.context = context

    async def awaiting():
        await notifier

    return asyncio.run(awaiting())


@pytest.mark.parametrize("awaited", [False, True])
def test_a_subclasss_field_is_rendered_and_available_to_the_text(sandbox, awaited):
    notifier = TeamNotifier("{{ region }} on call", text="For {{ team }}")
    tell(notifier, {"region": "EU", "dag": None}, awaited)
    assert notifier.seen == ["EU on call"]
    assert sandbox.messages[0].text == "For EU on call"


@pytest.mark.parametrize("awaited", [False, True])
def test_a_subclasss_field_that_cannot_be_rendered_does_not_prevent_the_alert(sandbox, logged, awaited):
    tell(TeamNotifier("{{ region.", text="It failed"), {}, awaited)
    assert sandbox.messages[0].text == "It failed"
    assert "the field team could not be rendered: TemplateSyntaxError" in logged()
