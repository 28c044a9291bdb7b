"""The connection form in a real browser, in the page of the Airflow that is installed."""

from __future__ import annotations

import json

import pytest

from airflow_provider_itnio.get_provider_info import get_provider_info
from tests.browsers import running_browser

from .conftest import AIRFLOW_2

pytestmark = pytest.mark.system

(DECLARED,) = get_provider_info()["connection-types"]
EXTRAS = DECLARED["conn-fields"]
BEHAVIOUR = DECLARED["ui-field-behaviour"]
PATIENCE = 60_000
"""Milliseconds."""


class FormOfAirflow2:
    """The form on pages of their own to add and to edit a connection."""

    prefix = "#extra__itnio__"

    def __init__(self, page, airflow):
        self.page, self.url = page, airflow.url

    def add(self, conn_id):
        self.page.goto(f"{self.url}/connection/add")
        self.page.select_option("#conn_type", "itnio")
        self.page.fill("#conn_id", conn_id)

    def edit(self, conn_id):
        self.page.goto(f"{self.url}/connection/list/?_flt_3_conn_id={conn_id}")
        link = self.page.locator("a[href*='/connection/edit/']").first
        self.page.goto(self.url + link.get_attribute("href"))

    def field(self, name):
        return self.page.locator(f"{self.prefix if name in EXTRAS else '#'}{name}")

    def label(self, name):
        return self.page.locator(f"label[for='{self.field(name).get_attribute('id')}']").inner_text()

    def text(self):
        return self.page.locator("form#model_form").inner_text()

    def save(self):
        self.page.click("form#model_form button[type=submit]")
        self.page.get_by_text("Row", exact=False).first.wait_for()

    def test(self):
        """Press Test and give what it says."""
        with self.page.expect_response("**/connections/test") as answer:
            self.page.click("#test-connection")
        assert answer.value.ok
        message = answer.value.json()["message"]
        self.page.locator(".alert", has_text=message).wait_for()
        return message


class FormOfAirflow3:
    """The form in a dialog, and a button to test a saved connection in each row."""

    def __init__(self, page, airflow):
        self.page, self.url = page, airflow.url
        self.dialog = page.get_by_role("dialog")

    def add(self, conn_id):
        self.conn_id = conn_id
        if self.dialog.is_visible():
            self.page.keyboard.press("Escape")
            self.dialog.wait_for(state="hidden")
        if not self.page.url.startswith(f"{self.url}/connections"):  # to load it takes seconds
            self.page.goto(f"{self.url}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        self.dialog.locator("input[name=connection_id]").fill(conn_id)
        self.dialog.get_by_role("combobox").first.click()
        self.page.keyboard.type("itnio")
        self.page.get_by_role("option", name=DECLARED["hook-name"]).click()
        self.field("host").wait_for()

    def edit(self, conn_id):
        self.conn_id = conn_id
        self.row.get_by_role("button", name="Edit Connection").click()
        self.field("host").wait_for()

    @property
    def row(self):
        return self.page.locator("tr", has=self.page.get_by_text(self.conn_id, exact=True))

    def field(self, name):
        part = "Extra Fields" if name in EXTRAS else "Standard Fields"
        located = self.dialog.locator(
            f"#element_{name}, [name=element_{name}]" if name in EXTRAS else f"[name={name}]"
        ).first
        if not located.is_visible() and name not in BEHAVIOUR["hidden-fields"]:
            self.dialog.get_by_text(part, exact=True).first.click()
            located.wait_for()
        return located

    def label(self, name):
        self.field(name)
        wanted = EXTRAS[name]["label"] if name in EXTRAS else BEHAVIOUR["relabeling"][name]
        # A space may follow, for a mark.
        return self.dialog.get_by_text(wanted, exact=True).first.inner_text().strip()

    def text(self):
        self.field("app_id")
        extras = self.dialog.inner_text()
        self.field("host")
        return extras + self.dialog.inner_text()

    def save(self):
        self.dialog.get_by_role("button", name="Save").click()
        self.dialog.wait_for(state="hidden")

    def test(self):
        with self.page.expect_response("**/connections/test") as answer:
            self.row.get_by_role("button", name="Test Connection").click()
        assert answer.value.ok, answer.value.text()
        return answer.value.json()["message"]


WITHOUT_ANIMATIONS = """addEventListener("DOMContentLoaded", () => {
  const style = document.head.appendChild(document.createElement("style"));
  style.textContent = "* { animation: none !important; transition: none !important; }";
});"""


@pytest.fixture(scope="module")
def page():
    """A page of a browser that resolves nothing but this machine."""
    with running_browser() as browser:
        page = browser.new_context(viewport={"width": 1300, "height": 900}, locale="en-GB").new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WITHOUT_ANIMATIONS)  # they take a third of its CPU
        yield page


@pytest.fixture(scope="module")
def form(page, running):
    return (FormOfAirflow2 if AIRFLOW_2 else FormOfAirflow3)(page, running.airflow)


@pytest.fixture
def filled(form, sandbox, request):
    """Add a connection to the sandbox, of which the form is filled in and not yet saved."""
    conn_id = f"itnio_{request.node.name}"
    fields = json.loads(sandbox.connection_json())
    form.add(conn_id)
    for name, value in {
        "host": sandbox.url,
        "login": fields["login"],
        "password": fields["password"],
    }.items():
        form.field(name).fill(value)
    form.field("port").fill("443")  # what Airflow 3.3's Test wants; the sandbox's own stands in the host
    return conn_id


def test_it_has_a_label_and_help_for_each_field_and_says_what_is_needed(form):
    form.add("itnio_empty")
    for name, label in BEHAVIOUR["relabeling"].items():
        assert form.label(name) == label
        assert form.field(name).get_attribute("placeholder") == BEHAVIOUR["placeholders"][name]
    assert "443" in form.label("port")
    placeholder = form.field("port").get_attribute("placeholder")
    assert "without a port, Test on Airflow 3.3 fails with Bad Request" in placeholder
    shown = form.text()
    for name, field in EXTRAS.items():
        assert form.label(name) == field["label"]
        assert field["description"] in shown
    assert not form.field("schema").is_visible()
    assert "The application that sends messages, 8 characters. Required unless each task sets it" in shown
    assert "digits with country code. Required unless each task sets it" in shown


def test_what_is_typed_is_saved_and_test_asks_itniotech(form, filled, sandbox):
    typed = {
        "app_id": sandbox.app_id,
        "alert_template": "pipeline_alert",
        "alert_language": "en",
        "timeout": "7",
    }
    for name, value in typed.items():
        form.field(name).fill(value)
    if not AIRFLOW_2:  # whose button stands in the row of a saved connection
        form.save()
    said = form.test()
    assert "Itniotech accepted the Api-Key, secret and time; the balance is" in said
    assert "The connection has no business_phone: tasks must set it." in said
    assert [request.path for request in sandbox.requests] == ["/sms/getBalance"]
    if AIRFLOW_2:
        form.save()
    form.edit(filled)
    for name, value in typed.items():
        assert form.field(name).input_value() == value


@pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3 has no Test on its form")
def test_test_works_on_the_page_that_edits_once_the_secret_is_typed_again(form, filled, sandbox):
    form.field("app_id").fill(sandbox.app_id)
    form.save()
    form.edit(filled)
    said = form.test()
    assert "password (the secret): is missing; fill it in. On an Edit page, type the secret again" in said
    assert sandbox.requests == []
    form.field("password").fill(sandbox.secret)
    assert "Itniotech accepted the Api-Key, secret and time" in form.test()


@pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3 always has a field for other extras")
def test_there_is_room_for_other_extras(form, filled):
    form.page.locator(".CodeMirror").click()
    form.page.keyboard.type(json.dumps({"allow_http": True}))
    form.field("app_id").fill("DGziZf5u")
    form.save()
    form.edit(filled)
    saved = json.loads(form.field("extra").input_value())
    assert (saved["allow_http"], saved["app_id"]) == (True, "DGziZf5u")
