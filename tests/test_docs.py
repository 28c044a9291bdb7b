"""Every Python block of the README and the guides runs; every link between them has a target."""

from __future__ import annotations

import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2 and 3.0
    from airflow.models.dagbag import DagBag

from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.sandbox import Sandbox
from tests.tables import for_each

pytestmark = pytest.mark.xdist_group("guides")  # its fixture is made once

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"])
SINCE_3_1 = "# Airflow 3.1 and later\n"
A_PROJECTS_FILE = re.compile(r"# \S+\.py\n")  # test_docs_testing runs these


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def lines_outside_code(page: Path) -> list[tuple[int, str]]:
    """Return the lines outside code blocks with their numbers."""
    lines = re.sub(r"```.*?```", lambda code: "\n" * code[0].count("\n"), page.read_text(), flags=re.S)
    return list(enumerate(lines.split("\n"), 1))


def blocks_of(page: Path) -> dict[str, str]:
    """Return each Python block by page and line, after empty lines that keep its line numbers."""
    text = page.read_text()
    found = re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M)
    lines_before = {block: text.count("\n", 0, block.start(1)) for block in found}
    return {f"{name_of(page)}:{lines + 1}": "\n" * lines + block[1] for block, lines in lines_before.items()}


ALL_BLOCKS = {name: block for page in PAGES for name, block in blocks_of(page).items()}
BLOCKS = {name: block for name, block in ALL_BLOCKS.items() if not A_PROJECTS_FILE.match(block.lstrip())}
LINKS = [
    (f"{name_of(page)}:{number}", link)
    for page in PAGES
    for number, line in lines_outside_code(page)
    for link in re.findall(r"\]\(([^)\s]+)\)", line)
    if "://" not in link
]


def write(folder: Path, blocks: dict[str, str]) -> dict[str, Path]:
    files = {name: folder / f"{re.sub(r'[^a-z0-9]', '_', name.lower())}.py" for name in blocks}
    for name, file in files.items():
        file.write_text(blocks[name])
    return files


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """All blocks, each in a separate DAG file, parsed as Airflow parses a folder of DAGs."""
    folder = tmp_path_factory.mktemp("dags")
    shown = {
        name: block
        for name, block in BLOCKS.items()
        if AIRFLOW_V_3_1_PLUS or not block.lstrip().startswith(SINCE_3_1)
    }
    files = write(folder, shown)
    bag = DagBag(str(folder), safe_mode=False)
    return SimpleNamespace(files=files, dags=bag.dags, errors=bag.import_errors)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_runs_as_a_dag_file(name, bag):
    file = bag.files.get(name)
    if file is None:
        pytest.skip("needs Airflow 3.1")
    page, _, _ = name.partition(":")
    # The block has the same line numbers in the file as in the page.
    assert str(file) not in bag.errors, bag.errors[str(file)].replace(str(file), page)
    made = [dag for dag in bag.dags.values() if dag.fileloc == str(file)]
    assert bool(made) == ("with DAG(" in BLOCKS[name])
    assert all(dag.tasks for dag in made)


def test_each_guide_has_python_blocks():
    shown = {name.partition(":")[0] for name in BLOCKS}
    guides = {"docs/alerts.md", "docs/messages.md", "docs/reports.md"}
    assert {"README.md", "README.zh-CN.md"} | guides <= shown


@for_each("place", LINKS)
def test_a_link_has_a_target(place):
    page, link = place
    path, _, anchor = link.partition("#")
    here = ROOT / page.partition(":")[0]
    target = here.parent / path if path else here
    assert target.exists(), f"{page}: {link} leads to no file"
    if anchor:
        titles = [line.lstrip("#").strip() for _, line in lines_outside_code(target) if line.startswith("#")]
        anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
        assert anchor in anchors, f"{page}: {link} leads to no title of {name_of(target.resolve())}"


def test_the_connection_by_hand_is_the_sandboxs_with_a_receiver():
    page = (ROOT / "docs" / "receipts.md").read_text()
    (line,) = re.findall(r"^export (AIRFLOW_CONN_ITNIO_DEFAULT=.*?}}')$", page, re.MULTILINE | re.DOTALL)
    shown = json.loads("".join(shlex.split(line)).partition("=")[2])
    receiver = [shown["extra"].pop(name) for name in ("receiver_url", "receiver_token")]
    with Sandbox(port=0) as sandbox:
        assert shown == {**json.loads(sandbox.connection_json()), "host": "http://127.0.0.1:8025"}
    assert receiver == ["http://127.0.0.1:8026", "$ITNIO_RECEIVER_READ_TOKEN"]


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_first_dag_sends_its_message_and_its_alert(page, bag, itnio_sandbox):
    first = next(file for name, file in bag.files.items() if name.startswith(f"{page}:"))
    (dag,) = [dag for dag in bag.dags.values() if dag.fileloc == str(first)]
    itnio_sandbox.execute(dag.get_task("tell_finance"), xcoms={"load": 1204})
    (message,) = itnio_sandbox.messages
    assert "1204" in message.text
    itnio_sandbox.alert(dag.on_failure_callback, dag=dag)
    assert itnio_sandbox.messages[-1].type == "template"


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow 2 has another link to the log")
def test_the_alert_of_the_guide_is_the_default_text(itnio_sandbox):
    with DAG("sales", schedule="@daily", start_date=datetime(2026, 1, 1)) as dag:
        failed = EmptyOperator(task_id="load_orders", retries=1)
    itnio_sandbox.alert(
        WhatsAppNotifier(recipients="+86 147-1800-4557"),
        exception=ValueError("3 rows have no customer_id"),
        task=dag.get_task(failed.task_id),
        try_number=2,
        run_id="scheduled__2026-11-24T00:00:00+00:00",
    )
    (alert,) = itnio_sandbox.messages
    assert indent(alert.text, "    ") in (ROOT / "docs" / "alerts.md").read_text()
