"""A local file, a database in memory, and the forwarder between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.failing_file import FailingFile
from tests.support.fragile import FragileBackend


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[FailingFile]:
    store = FailingFile(tmp_path / "config.db")
    yield store
    store.close()


@pytest.fixture
def database() -> FragileBackend:
    return FragileBackend()


@pytest.fixture
def forwarder(file: LocalStore, database: FragileBackend, clock: FakeClock) -> Forwarder:
    return Forwarder(file, database, clock)
