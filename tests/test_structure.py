from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

from tests.tables import for_each

PACKAGE = Path(__file__).parent.parent / "airflow_provider_itnio"
FILES = sorted(PACKAGE.rglob("*.py"))
OWN = "airflow_provider_itnio"

AIRFLOW = "airflow.providers.common.compat"
ANY_AIRFLOW = {
    "_compat.py",
    "policies.py",
    *(f"sandbox/testing/{name}.py" for name in ("airflow_2", "alerts", "supervisor", "task_run", "run_spec")),
}
# Imported when a callback runs, not by a DAG file (see tests/notifications/test_imports.py).
CALLBACKS = {f"notifications/{name}.py" for name in ("alert_state", "batch_counting", "guard", "recovery")}
HEAVY = {
    "requests",
    "urllib3",
    "aiohttp",
    "pydantic",
    "pydantic_core",
    "flask",
    "flask_appbuilder",
    "wtforms",
    "httpx",
}


def part_of(file):
    """Return the part of the package that a file belongs to: its folder, or the file itself."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(file):
    return file.relative_to(PACKAGE).as_posix()


@functools.cache
def nodes_of(file):
    return [*ast.walk(ast.parse(file.read_text()))]


@functools.cache
def imports_of(file, *, lazy=True):
    """Return the full names of the modules that a file imports at run time."""
    return set(_imports_of(file, lazy))


def _imports_of(file, lazy):
    for_types = {
        id(inner)
        for node in nodes_of(file)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in nodes_of(file)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in nodes_of(file):
        if id(node) in for_types or (id(node) in inside and not lazy):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = full_name(file, node)
            yield from (f"{OWN}.{alias.name}" for alias in node.names) if module == OWN else (module,)


def full_name(file, node):
    if not node.level:
        return node.module
    folder = (OWN, *file.relative_to(PACKAGE).parts[:-1])
    return ".".join([*folder[: len(folder) - node.level + 1], *([node.module] if node.module else [])])


def files_of(*parts):
    found = [file for file in FILES if part_of(file) in parts]
    assert found
    return found


def each(files):
    return for_each("file", files)


def test_the_imports_of_a_file_are_found(tmp_path):
    file = PACKAGE / "sandbox" / "server.py"
    found = imports_of(file)
    assert {"asyncio", "uvicorn", f"{OWN}.sandbox.vendor.account"} <= found
    hook = PACKAGE / "hooks" / "itnio.py"
    lazy = imports_of(hook) - imports_of(hook, lazy=False)
    assert f"{OWN}.api.client" in lazy


@each(files_of("messages", "message_fields", "message_types", "dag_file", "get_provider_info", "__init__"))
def test_modules_for_dag_files_and_discovery_import_only_the_standard_library(file):
    allowed = sys.stdlib_module_names | {
        f"{OWN}.{own}" for own in ("__version__", "dag_file", "message_fields", "message_types")
    }
    assert {name if name.startswith(OWN) else name.split(".")[0] for name in imports_of(file)} <= allowed


# Imported only by a broadcast that waits (see tests/operators/test_broadcast_waiting.py).
WAITING = {f"broadcast/{name}.py" for name in ("fallbacks", "status_watch")}
NEVER_LOADED = ("api", "sandbox", "triggers")  # imports of DAG files


@each(
    [file for file in FILES if part_of(file) not in NEVER_LOADED and name_of(file) not in CALLBACKS | WAITING]
)
def test_a_dag_file_imports_no_heavy_library(file):
    loaded, waiting = set(), [file]
    while waiting:
        names = imports_of(waiting.pop(), lazy=False)
        assert not HEAVY & {name.split(".")[0] for name in names}
        own = {
            PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
            for name in names
            if name.startswith(OWN)
        }
        waiting += [inner for inner in own - loaded if inner.exists()]
        loaded |= own


@each(FILES)
def test_airflow_is_imported_only_through_its_compatibility_layer(file):
    names = {
        name
        for node in nodes_of(file)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [full_name(file, node)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.split(".")[0] == "airflow"
    }
    if part_of(file) == "transfers":  # of the extra sql
        names -= {"airflow.providers.common.sql.hooks.sql", "airflow.providers.common.sql.operators.sql"}
    if part_of(file) == "triggers":  # the same module on 2.11 and 3.3
        names.discard("airflow.triggers.base")
    # A task runner needs names that are in no public module; one file imports those.
    assert name_of(file) in ANY_AIRFLOW or all(f"{name}.".startswith(f"{AIRFLOW}.") for name in names), names


@each(FILES)
def test_no_file_contains_a_todo(file):
    text = file.read_text()
    assert not [mark for mark in ("TODO", "FIXME", "XXX") if mark in text]


def test_no_file_has_more_than_400_lines():
    top = PACKAGE.parent
    folders = ("airflow_provider_itnio", "benchmarks", "example_dags", "scripts", "tests")
    files = [
        file
        for folder in folders
        for file in (top / folder).rglob("*.*")
        if file.suffix in (".py", ".js", ".css")
    ]
    assert len(files) > 300
    assert [file for file in files if file.read_bytes().count(b"\n") > 400] == []
