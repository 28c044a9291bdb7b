from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.postgres import running_postgres
from tests.receiver.running import running_receiver


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """The URL of a database without tables."""
    return _empty_database(request, tmp_path)


@pytest.fixture
def postgres_database(request):
    """The URL of a PostgreSQL database without tables."""
    return _new_postgres_database(request)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def any_receiver(request, tmp_path_factory):
    """A receiver on SQLite and one on PostgreSQL."""
    folder = tmp_path_factory.mktemp("receiver")
    with running_receiver(_empty_database(request, folder), folder) as running:
        yield running


def _empty_database(request, folder):
    if request.param == "sqlite":
        return f"sqlite:///{folder}/receipts.db"
    return _new_postgres_database(request)


def _new_postgres_database(request):
    url = make_url(request.getfixturevalue("postgres"))
    name = f"tests_{time.monotonic_ns()}"
    engine = sa.create_engine(url, future=True, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)
