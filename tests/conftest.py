"""What many tests share: a local file, a store to deliver to, and one real InfluxDB for each process of the run.

Tests that treat InfluxDB badly start their own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.store.local import LocalStore
from tests.support.influxd import Influxd
from tests.support.remote import Remote


@pytest.fixture(scope="session")
def influxd() -> Iterator[Influxd]:
    with Influxd() as server:
        yield server


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "monitor.db")
    yield store
    store.close()


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    store = Remote(tmp_path / "database.db")
    yield store
    store.close()
