"""A mistake in a DAG file as Airflow's import errors show it: with the task and the file's line."""

from __future__ import annotations

import gc
import logging
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tables import for_each

if TYPE_CHECKING or not version("apache-airflow").startswith("2."):
    from airflow.dag_processing.dagbag import DagBag
else:
    from airflow.models.dagbag import DagBag

HEAD = """\
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import contact_card, list_menu, reply_buttons, template_message
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier, send_whatsapp_notification
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

PHONE = "+86 147-1800-4557"

def report():
    return "x"

def tell(team, **fields):
    return WhatsAppSendOperator(task_id=f"tell_{team}", recipient=PHONE, **fields)

class TellStock(WhatsAppSendOperator):
    def __init__(self, *, stock, **kwargs):
        super().__init__(text=stock, **kwargs)

class Broken(WhatsAppSendOperator):
    def __init__(self, **kwargs):
        super().__init__(text="x" + 1, **kwargs)

with DAG("{name}", schedule=None):
    WhatsAppSendOperator(task_id="tell_sales", recipient=PHONE, text="fine")
"""
OF_A_SEND = (
    "; give recipient=…, one number; for several recipients use "
    "WhatsAppBroadcastOperator(recipients=…) or .partial(…).expand(recipient=…)"
)

# By name: the line with the mistake, and the last line of the error.
MISTAKES = {
    "message": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x" * 4097)',
        "InvalidMessageError: task 'tell_finance': text.body: at most 4096 characters, 4097 given",
    ),
    "parameter": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x", delivery="twice")',
        "InvalidParameterError: task 'tell_finance': delivery: must be one of at_least_once, at_most_once; "
        "'twice' given",
    ),
    "broadcast": (
        'WhatsAppBroadcastOperator(task_id="tell_all", recipients=[PHONE], text="x", max_in_flight=0)',
        "InvalidParameterError: task 'tell_all': max_in_flight: must be a whole number from 1 to 1000",
    ),
    "helper": (
        'tell("finance", image="a.png")',
        "InvalidMessageError: task 'tell_finance': image.link: must be an http:// or https:// link",
    ),
    "subclass": (
        'TellStock(task_id="tell_stock", recipient="12", stock="7 pieces")',
        "InvalidMessageError: task 'tell_stock': recipient: 7 to 14 digits, 2 given",
    ),
    "decorator": (
        'task.whatsapp(recipient="12")(report)()',
        "InvalidMessageError: task 'report': recipient: 7 to 14 digits, 2 given",
    ),
    "decorator_of_both": (
        "task.whatsapp(recipient=PHONE, recipients=[PHONE])(report)()",
        "InvalidMessageError: @task.whatsapp: give recipient, or recipients for several people; both given",
    ),
    "decorator_with_a_message": (
        'task.whatsapp(recipient=PHONE, text="x")(report)()',
        "InvalidMessageError: task 'report': text: @task.whatsapp sends what its function returns",
    ),
    "decorator_by_position": (
        "task.whatsapp(PHONE)(report)()",
        "TypeError: @task.whatsapp: give names, as in @task.whatsapp(recipient=…)",
    ),
    "group": (
        'with TaskGroup("a"), TaskGroup("b"): tell("ops", image="a.png")',
        "InvalidMessageError: task 'a.b.tell_ops': image.link: must be an http:// or https:// link",
    ),
    "group_without_a_prefix": (
        'with TaskGroup("a", prefix_group_id=False): tell("ops", image="a.png")',
        "InvalidMessageError: task 'tell_ops': image.link: must be an http:// or https:// link",
    ),
    "name_of_a_connection": (
        'tell("ops", text="x", itnio_conn_id=["itnio_default"])',
        "InvalidParameterError: task 'tell_ops': itnio_conn_id: must be text, a list of 1 given",
    ),
    "app_id": (
        'tell("ops", text="x", app_id={"id": "DGziZf5u"})',
        "InvalidParameterError: task 'tell_ops': app_id: must be text, an object given",
    ),
    "keep_receipts": (
        'WhatsAppBroadcastOperator(task_id="tell_all", recipients=PHONE, text="x", keep_receipts="no")',
        "InvalidParameterError: task 'tell_all': keep_receipts: must be True or False, 'no' given",
    ),
    "app_id_of_a_notifier": (
        "WhatsAppNotifier(recipients=PHONE, app_id=[1])",
        "InvalidParameterError: WhatsAppNotifier: app_id: must be text, a list of 1 given",
    ),
    "reply_of_a_notifier": (
        "WhatsAppNotifier(recipients=PHONE, reply_to=[1])",
        "InvalidMessageError: WhatsAppNotifier: reply_to: must be the id of an incoming message",
    ),
    "notifier": (
        'WhatsAppNotifier(recipients=[PHONE, "12"])',
        "InvalidMessageError: WhatsAppNotifier: recipients[1]: 7 to 14 digits, 2 given",
    ),
    "notifier_in_lower_case": (
        'send_whatsapp_notification(recipients=PHONE, timeout="3")',
        "InvalidParameterError: WhatsAppNotifier: timeout: must be a number from 0.001 to 3600",
    ),
    "notifier_of_a_task": (
        'tell("ops", text="x", on_failure_callback=WhatsAppNotifier(recipients=PHONE, image="a"))',
        "InvalidMessageError: WhatsAppNotifier: image.link: must be an http:// or https:// link",
    ),
    "buttons": (
        'reply_buttons("Go?", ["yes", "no"])',
        "TypeError: reply_buttons: buttons: must be a dict of titles by id",
    ),
    "rows": (
        'list_menu("Which?", "Open", {"S": {"sales": None}})',
        "TypeError: list_menu: sections['S']['sales']: must be a text; None given",
    ),
    "values": (
        'template_message("t", "en", body=[contact_card("Ana")["name"]])',
        "TypeError: template_message: body[0]: must be a text, or an object with one key",
    ),
    # --- names of arguments ---
    "typo": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, txt="x")',
        "task 'tell_finance': unknown argument 'txt'; did you mean text=…?",
    ),
    "typo_of_airflows": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x", retrys=3)',
        "task 'tell_finance': unknown argument 'retrys'; did you mean retries=…?",
    ),
    "two_typos": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, body="x", frobnicate=3)',
        "task 'tell_finance': unknown argument 'body'; give text=…; unknown argument 'frobnicate'",
    ),
    "conn_id": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x", conn_id="a")',
        "task 'tell_finance': unknown argument 'conn_id'; give itnio_conn_id=…",
    ),
    "conn_id_of_a_broadcast": (
        'WhatsAppBroadcastOperator(task_id="tell_all", recipients=PHONE, text="x", conn_id="a")',
        "task 'tell_all': unknown argument 'conn_id'; give itnio_conn_id=…",
    ),
    "recipients_of_one": (
        'WhatsAppSendOperator(task_id="tell_finance", recipients=PHONE, text="x")',
        f"task 'tell_finance': unknown argument 'recipients'{OF_A_SEND}",
    ),
    "recipient_of_many": (
        'WhatsAppBroadcastOperator(task_id="tell_all", recipient=PHONE, text="x")',
        "task 'tell_all': unknown argument 'recipient'; give recipients=…",
    ),
    "to": (
        'WhatsAppSendOperator(task_id="tell_finance", to=PHONE, text="x")',
        "task 'tell_finance': unknown argument 'to'; give recipient=…",
    ),
    "names_of_slack": (
        'WhatsAppSendOperator(task_id="tell_finance", channel=PHONE, text="x", slack_conn_id="a")',
        "task 'tell_finance': unknown argument 'channel'; give recipient=…; "
        "unknown argument 'slack_conn_id'; give itnio_conn_id=…",
    ),
    "names_of_twilio": (
        'WhatsAppSendOperator(task_id="tell_finance", to=PHONE, from_=PHONE, media_url="a")',
        "task 'tell_finance': unknown argument 'to'; give recipient=…; unknown argument 'from_'; "
        "give business_phone=…; unknown argument 'media_url'; "
        "give image=…, video=…, audio=… or document=…",
    ),
    "names_of_smtp": (
        'WhatsAppSendOperator(task_id="tell_finance", to=PHONE, subject="x", files=["a"])',
        "unknown argument 'subject'; unknown argument 'files'; give document=…",
    ),
    "conn_id_of_a_hook": (
        'ItnioHook(http_conn_id="a", token="x")',
        "TypeError: ItnioHook: unknown argument 'http_conn_id'; give itnio_conn_id=…; "
        "unknown argument 'token'; give it in the connection, and its id as itnio_conn_id=…",
    ),
    "expanded": (
        'WhatsAppSendOperator.partial(task_id="tell_each", text="x").expand(recipients=[PHONE])',
        f"TypeError: task 'tell_each': unknown argument 'recipients'{OF_A_SEND}",
    ),
    "expanded_in_a_group": (
        'with TaskGroup("a"): WhatsAppSendOperator.partial(task_id="t", text="x").expand(to=[PHONE])',
        "TypeError: task 'a.t': unknown argument 'to'; give recipient=…",
    ),
    "expanded_over_a_number": (
        'WhatsAppSendOperator.partial(task_id="tell_each").expand_kwargs(5)',
        "TypeError: task 'tell_each': expected XComArg or list[dict], not int",
    ),
    "recipient_of_a_notifier": (
        "WhatsAppNotifier(recipient=PHONE)",
        "TypeError: WhatsAppNotifier: unknown argument 'recipient'; give recipients=…",
    ),
    "conn_id_of_a_notifier": (
        'WhatsAppNotifier(recipients=PHONE, conn_id="a")',
        "TypeError: WhatsAppNotifier: unknown argument 'conn_id'; give itnio_conn_id=…",
    ),
    "conn_id_of_a_decorator": (
        'task.whatsapp(recipient=PHONE, conn_id="a")(report)()',
        "task 'report': unknown argument 'conn_id'; give itnio_conn_id=…",
    ),
    "mapped": (
        'WhatsAppSendOperator.partial(task_id="tell_each", recipients=PHONE).expand(text=["x"])',
        f"TypeError: task 'tell_each': unknown argument 'recipients'{OF_A_SEND}",
    ),
    "mapped_broadcast": (
        'WhatsAppBroadcastOperator.partial(task_id="tell_each", conn_id="a").expand(recipients=[PHONE])',
        "TypeError: task 'tell_each': unknown argument 'conn_id'; give itnio_conn_id=…",
    ),
    "missing": (
        'WhatsAppSendOperator(task_id="tell_nobody", text="x")',
        "task 'tell_nobody': missing keyword argument 'recipient'",
    ),
    "by_position": (
        'WhatsAppSendOperator("tell_finance", PHONE)',
        "WhatsAppSendOperator: Use keyword arguments when initializing operators",
    ),
    "the_same_twice": (
        'WhatsAppSendOperator(task_id="tell_sales", recipient=PHONE, text="x")',
        "task 'tell_sales': Task id 'tell_sales' has already been added",
    ),
    "seconds": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x", execution_timeout=30)',
        "ValueError: task 'tell_finance': execution_timeout must be timedelta",
    ),
    "trigger_rule": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x", trigger_rule="when")',
        "task 'tell_finance': The trigger_rule must be one of",
    ),
    "of_airflow": (
        'WhatsAppSendOperator(task_id="tell_finance", recipient=PHONE, text="x", retries="three")',
        "task 'tell_finance': 'retries'",
    ),
}
TEAM = """\
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

def tell(team):
    return made(task_id=f"tell_{team}")

def made(**fields):
    return WhatsAppSendOperator(recipient="+86 147-1800-4557", image="a.png", **fields)
"""
HELPERS = 'from teamlib import tell; tell("finance")'


def with_mistake(name: str, mistake: str) -> str:
    return HEAD.replace("{name}", name) + f"    {mistake}\n"


@pytest.fixture(scope="module")
def import_errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Airflow's import errors by the name of the mistake; each file has one."""
    folder = tmp_path_factory.mktemp("dags")
    for name, (mistake, _) in MISTAKES.items():
        (folder / f"{name}.py").write_text(with_mistake(name, mistake))
    (folder / "teamlib.py").write_text(TEAM)
    (folder / "helpers.py").write_text(with_mistake("helpers", HELPERS))
    (folder / "own_code.py").write_text(with_mistake("own_code", 'Broken(task_id="broken", recipient=PHONE)'))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(action="ignore"):
        patch.syspath_prepend(folder)
        patch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # log records keep objects alive
        errors = DagBag(str(folder)).import_errors
        gc.collect()  # tasks that were never mapped, which warn of it
    return {Path(name).stem: words for name, words in errors.items()}


@for_each("name", MISTAKES)
def test_an_import_error_names_the_task_and_shows_the_dag_files_line(
    name: str, import_errors: dict[str, str]
) -> None:
    mistake, sentence = MISTAKES[name]
    shown = import_errors[name]
    line = len(with_mistake(name, mistake).splitlines())
    assert shown.count('  File "') == 2
    assert f'{name}.py", line {line}, in <module>' in shown
    assert mistake in shown
    assert sentence in shown.strip().splitlines()[-1]
    assert "During handling" not in shown


def test_an_error_in_a_subclasss_own_code_is_unchanged(import_errors: dict[str, str]) -> None:
    assert 'super().__init__(text="x" + 1, **kwargs)' in import_errors["own_code"]
    assert "TypeError: can only concatenate str" in import_errors["own_code"]


def test_an_error_in_a_helper_module_shows_the_dag_files_line_too(import_errors: dict[str, str]) -> None:
    shown = import_errors["helpers"]
    assert shown.count('  File "') == 2
    assert HELPERS in shown
    assert 'return WhatsAppSendOperator(recipient="+86 147-1800-4557"' in shown
    assert "InvalidMessageError: task 'tell_finance': image.link" in shown.strip().splitlines()[-1]
