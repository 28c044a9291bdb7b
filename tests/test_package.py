from __future__ import annotations

import subprocess
import sys
import tarfile
from email import message_from_string
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from airflow_provider_itnio import __version__

ROOT = Path(__file__).parent.parent
DIST_INFO = f"airflow_provider_itnio-{__version__}.dist-info"

pytestmark = pytest.mark.skipif(not find_spec("hatchling"), reason="hatchling is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with a wheel and an sdist, both built from the project."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--sdist", "--no-isolation", "--outdir", out, ROOT]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len([*out.iterdir()]) == 2
    return out


@pytest.fixture(scope="module")
def wheel(built):
    (file,) = built.glob("*.whl")
    with ZipFile(file) as opened:
        yield opened


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    """The folder of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="module")
def metadata(wheel):
    return message_from_string(wheel.read(f"{DIST_INFO}/METADATA").decode())


def test_the_wheel_contains_only_the_package(wheel):
    package = ROOT / "airflow_provider_itnio"
    files = {
        str(file.relative_to(ROOT))
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    about = {f"{DIST_INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    assert set(wheel.namelist()) == files | about | {f"{DIST_INFO}/licenses/LICENSE"}


@pytest.mark.parametrize(
    "file", ["py.typed", "sandbox/inbox/templates/", "sandbox/inbox/static/", "operators/whatsapp.py"]
)
def test_the_wheel_contains_data_files(file, wheel):
    assert [name for name in wheel.namelist() if name.startswith(f"airflow_provider_itnio/{file}")]


def test_the_wheel_is_pure_python(wheel):
    assert wheel.filename.endswith(f"airflow_provider_itnio-{__version__}-py3-none-any.whl")


def test_the_licence_is_apache(wheel, metadata):
    assert metadata["License-Expression"] == "Apache-2.0"
    assert wheel.read(f"{DIST_INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_name_version_and_python_versions_of_the_metadata(metadata):
    assert metadata["Name"] == "airflow-provider-itnio"
    assert metadata["Version"] == __version__
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.15"}


def test_the_dependencies_of_the_package_and_of_its_extras(metadata):
    needed = [line.partition(";") for line in metadata.get_all("Requires-Dist")]
    plain = {name.split(">")[0] for name, _, condition in needed if "extra" not in condition}
    sandbox, receiver, files, sql = (
        {name.split(">")[0] for name, _, condition in needed if extra in condition}
        for extra in ("sandbox", "receiver", "files", "sql")
    )
    assert set(metadata.get_all("Provides-Extra")) == {"sandbox", "receiver", "files", "sql"}
    assert {"apache-airflow", "apache-airflow-providers-common-compat", "aiohttp", "urllib3"} <= plain
    assert sandbox == {"starlette", "uvicorn", "jinja2"}
    assert receiver == {"starlette", "uvicorn", "sqlalchemy"}
    assert files == {"filetype"}
    assert sql == {"apache-airflow-providers-common-sql", "tabulate", "wcwidth"}
    assert not (sandbox | receiver | files | sql) & plain


def test_the_entry_points_of_the_provider_and_the_commands(wheel):
    entries = wheel.read(f"{DIST_INFO}/entry_points.txt").decode().split("\n")
    assert "provider_info = airflow_provider_itnio.get_provider_info:get_provider_info" in entries
    assert entries[entries.index("[apache_airflow_provider]") + 1].startswith("provider_info = ")
    for server in ("sandbox", "receiver"):
        assert f"itnio-{server} = airflow_provider_itnio.{server}.cli:main" in entries


def files_in(folder):
    return {
        file.relative_to(folder)
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.mark.parametrize("folder", ["airflow_provider_itnio", "tests", "docs", "example_dags", "constraints"])
def test_the_sdist_contains_the_package_and_the_files_of_its_tests(unpacked, folder):
    assert files_in(unpacked / folder) == files_in(ROOT / folder)


def test_the_sdist_contains_the_top_level_files(unpacked):
    expected = {file.name for file in ROOT.iterdir() if file.is_file() and not file.name.startswith(".")}
    assert expected <= {file.name for file in unpacked.iterdir()}
