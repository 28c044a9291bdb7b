"""Several recipients: an error for one does not affect the others."""

from __future__ import annotations

import asyncio
import contextlib
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_itnio.api.errors import ConfigurationError, InvalidMessageError, ItnioError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

from .events import of_deadline, of_task

ONE, TWO, THREE = "861000000011", "861000000022", "861000000033"
pytestmark = pytest.mark.usefixtures("connection")


def reached(sandbox):
    return sorted(message.recipient for message in sandbox.messages)


@for_each(
    ("recipients", "numbers"),
    [
        ("+86 1000 0000 11", [ONE]),
        (861000000011, [ONE]),
        (f"{ONE}, +{TWO}", [ONE, TWO]),
        (f"{ONE}\n{TWO};\n\n{THREE}\n", [ONE, TWO, THREE]),
        ([ONE, 861000000022], [ONE, TWO]),
        ((ONE, TWO), [ONE, TWO]),
        ([ONE, "+86 1000 0000 11", 861000000011], [ONE]),
        ("{{ params.one }}", [ONE]),
        ("{{ params.both }}", [ONE, TWO]),
        (f"{THREE}, {{{{ params.both }}}}", [ONE, TWO, THREE]),
        ([THREE, "{{ params.both }}", "{{ params.one }}"], [ONE, TWO, THREE]),
        ("{{ params.get('none', '861000000011') }}", [ONE]),
        ("{{ params.list }}", [ONE, TWO]),
        ("{{ params.list | tojson }}", [ONE, TWO]),
        ([THREE, "{{ params.list }}"], [ONE, TWO, THREE]),
        ("{{ params.rota.values() }}", [ONE, TWO]),
        ("{{ params.people }}", [ONE, TWO]),
        (f"['{ONE}', '+{TWO}']", [ONE, TWO]),
        (f'["{ONE}", "{{{{ params.one }}}}", {TWO}]', [ONE, TWO]),
        ({"phone": "{{ params.one }}", "name": "Li"}, [ONE]),
        (pd.Series([ONE, TWO]), [ONE, TWO]),
        (np.array([int(ONE), int(TWO)]), [ONE, TWO]),
        ([Decimal(ONE), np.int64(TWO)], [ONE, TWO]),
        (f"{ONE}，{TWO}", [ONE, TWO]),
    ],
)
def test_recipients_in_every_accepted_form_get_the_alert_once(recipients, numbers, notify, sandbox):
    params = {
        "one": ONE,
        "both": f"{ONE}\n+86 1000 0000 22",
        "list": [ONE, "+86 1000 0000 22"],
        "rota": {"ann": ONE, "bo": TWO},
        "people": [{"phone": ONE, "name": None}, {"phone": int(TWO)}],
    }
    context = of_task() | {"params": params}
    notify(WhatsAppNotifier(recipients=recipients), context)
    assert reached(sandbox) == numbers


def no_whole_number(text):
    return not re.search(r"8610000000(11|22|33)|\+86 1000 0000", text)


@for_each(
    "entry",
    [
        *["{{ params.no_such }}", "{{ params.bad }}", "{{ params.bad_list }}", "{{ 1 / 0 }}", "{% if %}"],
        *["{{ '' }}", "{{ ' ' }}", "{{ params.none }}", "{{ params.empty }}", "{{ params.nan }}"],
        *["{{ params.joined }}", "{{ params.slash }}", "{{ params.plus }}", "{{ params.half }}"],
    ],
)
def test_an_invalid_recipient_does_not_affect_the_others(entry, notify, sandbox, logged):
    params = {
        **{"bad": "12", "bad_list": "12, 34", "none": None, "empty": [], "nan": float("nan")},
        **{
            "joined": "1234567 7654321",
            "slash": f"{THREE}/{TWO}",
            "plus": f"+{THREE} +{TWO}",
            "half": f"['{THREE}",
        },
    }
    context = of_task() | {"params": params}
    with pytest.raises(ItnioError, match=r"was not sent to [12] of [34] recipients: recipients\[1\]: "):
        notify(WhatsAppNotifier(recipients=[ONE, entry, TWO]), context)
    assert reached(sandbox) == [ONE, TWO]
    assert "WhatsApp alert: recipients[1]: " in logged()


def test_a_refused_recipient_does_not_affect_the_others(tell, sandbox, logged):
    sandbox.fail_next(status=-70, recipient=TWO)
    with pytest.raises(ItnioError) as caught:
        tell(WhatsAppNotifier(recipients=[ONE, TWO, THREE]), of_task())
    assert "was not sent to 1 of 3 recipients: " in str(caught.value)
    assert "86…22" in str(caught.value)
    assert reached(sandbox) == [ONE, THREE]
    assert no_whole_number(str(caught.value))
    assert no_whole_number(logged())


def test_one_error_about_all_failures_is_raised_after_all_recipients_were_tried(tell, sandbox, logged):
    sandbox.fail_next(9, status=-70, recipient=ONE)
    sandbox.fail_next(9, drop="before_accepting", recipient=TWO)
    context = of_task() | {"params": {"bad": f"+{ONE}000"}}
    with pytest.raises(ItnioError) as caught:
        tell(WhatsAppNotifier(recipients=[ONE, TWO, "{{ params.bad }}", THREE]), context)
    assert "was not sent to 3 of 4 recipients: " in str(caught.value)
    assert reached(sandbox) == [THREE]
    text = logged()
    assert len({line for line in text.splitlines() if "WhatsApp alert" in line and "caplog" not in line}) >= 3
    assert no_whole_number(str(caught.value) + text)


@pytest.mark.parametrize(("one", "other"), [("+52 55 1234 5678", "5215512345678")])
def test_two_spellings_of_a_number_get_one_alert(one, other, tell, sandbox):
    tell(WhatsAppNotifier(recipients=[one, other]), of_task())
    assert reached(sandbox) == ["525512345678"]


def test_a_row_of_several_values_is_refused_as_a_recipient():
    with pytest.raises(InvalidMessageError, match="a row of 2 values given"):
        WhatsAppNotifier(recipients=[[ONE, "20260117001"]])


def test_no_valid_recipient_is_an_error(tell, sandbox):
    with pytest.raises(ItnioError, match="was not sent: recipients has no valid phone number"):
        tell(WhatsAppNotifier(recipients="{{ '' }}"), of_task())
    assert sandbox.requests == []


@for_each(
    ("recipients", "numbers"),
    [
        (f"{ONE}, {{{{ no_such_name }}}}, {TWO}", [ONE, TWO]),
        (f"{{{{ '{ONE}, {TWO}' }}}}, {THREE}", [ONE, TWO, THREE]),
        (f"{{{{ ['{ONE}', 'abc', '{TWO}'] | join(', ') }}}}", [ONE, TWO]),
        (f"{{{{ no_such_name | default('{ONE}', true) }}}}", [ONE]),
        (f"{{% if true %}}{ONE}, {TWO}{{% endif %}}", [ONE, TWO]),
        ({ONE}, [ONE]),
    ],
)
def test_a_string_of_recipients_is_not_split_inside_jinja(recipients, numbers, notify, sandbox):
    with contextlib.suppress(ItnioError):
        notify(WhatsAppNotifier(recipients=recipients), of_task())
    assert reached(sandbox) == numbers


def test_a_called_notifier_sends_to_several_recipients_at_a_time(sandbox):
    """Airflow ends a task's callbacks after 20 seconds, so slow answers must not add up."""
    everyone = [f"8610000000{n}" for n in range(10, 18)]
    sandbox.fail_next(len(everyone), delay=0.8)
    WhatsAppNotifier(recipients=everyone)(of_task())
    assert reached(sandbox) == everyone
    first, *_, last = [request.at for request in sandbox.requests]
    # One after the other they would be at least 5.6 s apart.
    assert (last - first).total_seconds() < 2


@pytest.mark.parametrize("send", ["send", "asend"])
def test_an_unexpected_error_for_one_recipient_does_not_affect_the_others(send, tell, sandbox, monkeypatch):
    whole = getattr(ItnioHook, send)

    def broken(hook, recipient, **fields):
        if recipient == ONE:
            raise OSError("out of sockets")
        return whole(hook, recipient, **fields)

    monkeypatch.setattr(ItnioHook, send, broken)
    with contextlib.suppress(ItnioError):
        tell(WhatsAppNotifier(recipients=[ONE, TWO]), of_task())
    assert TWO in reached(sandbox)


def test_a_rendering_error_shows_no_secret_and_no_whole_number(tell, sandbox, logged):
    mask_secret("pass-word-of-a-connection")
    context = of_task() | {"params": {"password": "pass-word-of-a-connection", "phone": "+86 147-1800-4557"}}
    notifier = WhatsAppNotifier(recipients=[ONE, "{{ {}[params.phone] }}"], text="{{ {}[params.password] }}")
    with pytest.raises(ItnioError) as caught:
        tell(notifier, context)
    assert "pass-word" not in sandbox.messages[0].text
    assert "pass-word" not in str(caught.value) + logged()
    assert "1800" not in str(caught.value) + logged()


def test_a_called_notifier_logs_each_failure(sandbox, logged):
    sandbox.fail_next(status=-1)
    with pytest.raises(ItnioError):
        WhatsAppNotifier(recipients=ONE)(of_task())
    assert "WhatsApp alert to 86…11: " in logged()


def test_an_awaited_notifier_logs_each_failure(sandbox, logged):
    sandbox.fail_next(status=-1)
    with pytest.raises(ItnioError):
        asyncio.run(awaited(WhatsAppNotifier(recipients=ONE, context=of_task())))
    assert "WhatsApp alert to 86…11: " in logged()


def test_the_error_of_a_missing_connection_names_it(quick_look_ups, tell, sandbox):
    with pytest.raises(ConfigurationError, match="itnio_none"):
        tell(WhatsAppNotifier(recipients=ONE, itnio_conn_id="itnio_none"), of_task())
    assert sandbox.requests == []


async def awaited(notifier):
    return await notifier


def test_an_awaited_notifier_sends_to_all_recipients_concurrently(sandbox):
    everyone = [f"8610000000{n}" for n in range(10, 18)]
    sandbox.fail_next(len(everyone), delay=0.8)
    asyncio.run(awaited(WhatsAppNotifier(recipients=everyone, text="{{ run_id }}", context=of_task())))
    assert reached(sandbox) == everyone
    first, *_, last = [request.at for request in sandbox.requests]
    # One after the other they would be at least 5.6 s apart.
    assert (last - first).total_seconds() < 2


def test_a_refused_recipient_of_an_awaited_notifier_does_not_affect_the_others(sandbox):
    sandbox.fail_next(status=-70, recipient=ONE)
    with pytest.raises(ItnioError, match="was not sent to 1 of 3"):
        asyncio.run(awaited(WhatsAppNotifier(recipients=[ONE, TWO, THREE], context=of_task())))
    assert reached(sandbox) == [TWO, THREE]


def test_an_awaited_notifier_uses_the_context_it_was_created_with(sandbox):
    notifier = WhatsAppNotifier(recipients=ONE, context=of_task(run_id="late_run"))
    asyncio.run(awaited(notifier))
    assert "Run: `late_run`" in sandbox.messages[0].text


@for_each(
    ("given", "text"),
    [
        ({"recipients": [ONE, "on call", TWO]}, "⏰ *Deadline missed*"),
        ({"recipients": [ONE, "12", TWO], "text": "late"}, "late"),
        ({"recipients": [ONE, None, TWO], "text": "x" * 5000}, "⏰ *Deadline missed*"),
        ({"recipients": [ONE, "", TWO], "alert_template": "x" * 600}, "⏰ *Deadline missed*"),
    ],
)
def test_an_invalid_argument_of_a_deadlines_notifier_does_not_prevent_its_alert(given, text, sandbox):
    context = of_deadline()
    with pytest.raises(ItnioError, match=r"not sent to 1 of 3 recipients: recipients\[1\]"):
        asyncio.run(awaited(WhatsAppNotifier(**given, context=context)))
    assert reached(sandbox) == [ONE, TWO]
    assert all(message.text.startswith(text) for message in sandbox.messages)


def test_a_called_notifier_looks_its_connection_up_once_for_all_recipients(monkeypatch, sandbox):
    looked_up = []
    look_up = ItnioHook.get_connection

    def counted(conn_id):
        looked_up.append(conn_id)
        return look_up(conn_id)

    monkeypatch.setattr(ItnioHook, "get_connection", staticmethod(counted))
    WhatsAppNotifier(recipients=[ONE, TWO, THREE])(of_task())
    assert looked_up == ["itnio_default"]
    assert reached(sandbox) == [ONE, TWO, THREE]


def test_an_awaited_notifier_looks_its_connection_up_once_for_all_recipients(monkeypatch, sandbox):
    from airflow.providers.common.compat import connection

    looked_up = []
    look_up = connection.get_async_connection

    async def counted(conn_id):
        looked_up.append(conn_id)
        return await look_up(conn_id)

    monkeypatch.setattr(connection, "get_async_connection", counted)
    asyncio.run(awaited(WhatsAppNotifier(recipients=[ONE, TWO, THREE], context=of_task())))
    assert looked_up == ["itnio_default"]
    assert reached(sandbox) == [ONE, TWO, THREE]
