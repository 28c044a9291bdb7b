from __future__ import annotations

import asyncio

import pytest


@pytest.fixture(params=["notify", "async_notify"])
def tell(request):
    """Let a notifier tell of an event, where Airflow calls it and where it awaits it."""

    def call(notifier, context):
        if request.param == "notify":
            return notifier.notify(context)
        return asyncio.run(notifier.async_notify(context))

    return call
