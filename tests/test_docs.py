"""Every Python block of the README and the guides runs; every link between them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2 and 3.0
    from airflow.models.dagbag import DagBag

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"])
SINCE_3_1 = "# Airflow 3.1 and later\n"
A_PROJECTS_FILE = re.compile(r"# \S+\.py\n")  # test_docs_testing runs these together


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[str]:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)
    return [block for block in blocks if not A_PROJECTS_FILE.match(block)]


def without_code(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.S)


BLOCKS = {f"{name_of(page)}-{n}": block for page in PAGES for n, block in enumerate(blocks_of(page))}
LINKS = [
    (name_of(page), link)
    for page in PAGES
    for link in sorted(set(re.findall(r"\]\(([^)\s]+)\)", without_code(page))))
    if "://" not in link
]


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """All blocks, each a DAG file of its own, read as Airflow reads a folder of DAGs."""
    folder = tmp_path_factory.mktemp("dags")
    files = {name: folder / f"{re.sub(r'[^a-z0-9]', '_', name.lower())}.py" for name in BLOCKS}
    for name, file in files.items():
        if AIRFLOW_V_3_1_PLUS or not BLOCKS[name].startswith(SINCE_3_1):
            file.write_text(BLOCKS[name])
    bag = DagBag(str(folder), safe_mode=False)
    return SimpleNamespace(files=files, dags=bag.dags, errors=bag.import_errors)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_a_file_that_runs(name, bag):
    file = bag.files[name]
    if not file.exists():
        pytest.skip("needs Airflow 3.1")
    assert str(file) not in bag.errors, bag.errors[str(file)]
    made = [dag for dag in bag.dags.values() if dag.fileloc == str(file)]
    assert bool(made) == ("with DAG(" in BLOCKS[name])
    assert all(dag.tasks for dag in made)


def test_each_guide_shows_code():
    shown = {name.rpartition("-")[0] for name in BLOCKS}
    guides = {"docs/alerts.md", "docs/messages.md", "docs/reports.md"}
    assert {"README.md", "README.zh-CN.md"} | guides <= shown


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    if anchor:
        titles = re.findall(r"^#+ (.*)$", without_code(target), re.M)
        assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="the fixture runs tasks by themselves")
@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_first_dag_sends_its_message_and_its_alert(page, bag, itnio_sandbox):
    (dag,) = [dag for dag in bag.dags.values() if dag.fileloc == str(bag.files[f"{page}-0"])]
    itnio_sandbox.execute(dag.get_task("tell_finance"), xcoms={"load": 1204})
    (message,) = itnio_sandbox.messages
    assert message.text.endswith("1204 rows")
    itnio_sandbox.alert(dag.on_failure_callback, dag=dag)
    assert itnio_sandbox.messages[-1].type == "template"
