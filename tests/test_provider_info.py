from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema

from airflow_provider_itnio.get_provider_info import get_provider_info
from tests.tables import for_each

INFO = get_provider_info()


def dotted_paths(value):
    if isinstance(value, str):
        if value.startswith("airflow_provider_itnio."):
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from dotted_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from dotted_paths(inner)


def test_get_provider_info_imports_no_other_module():
    program = """
import sys
before = set(sys.modules)
from airflow_provider_itnio.get_provider_info import get_provider_info
get_provider_info()
print(*(name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {"airflow_provider_itnio", "airflow_provider_itnio.get_provider_info"}
    assert run.stderr == ""


def test_provider_info_is_valid_by_airflows_schema():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_each_call_returns_a_new_object():
    get_provider_info()["name"] = "changed"
    assert get_provider_info() == INFO


@for_each("path", sorted(set(dotted_paths(INFO))))
def test_every_path_in_it_exists(path):
    try:
        import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        assert hasattr(import_module(module), name)


def is_one(name):
    return name.endswith(("Operator", "Hook"))


def test_every_module_of_operators_and_hooks_is_listed():
    package = Path(import_module("airflow_provider_itnio").__file__).parent
    for kind in ("operators", "hooks"):
        listed = {path for entry in INFO[kind] for path in entry["python-modules"]}
        modules = [
            import_module(f"airflow_provider_itnio.{kind}.{file.stem}")
            for file in (package / kind).glob("[a-z]*.py")
        ]
        with_one = {one.__name__ for one in modules if any(map(is_one, one.__all__))}
        assert listed == with_one


def test_airflow_finds_it_by_its_entry_point():
    (found,) = [
        entry
        for entry in entry_points(group="apache_airflow_provider")
        if entry.value.startswith("airflow_provider_itnio")
    ]
    assert found.load() is get_provider_info
    assert found.dist.name == INFO["package-name"]
