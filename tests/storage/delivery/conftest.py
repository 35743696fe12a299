"""A local file, in memory and a real one, a database in memory, and the forwarder between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.storage.base import LocalFile
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.fragile import FragileBackend
from tests.support.memory_file import MemoryFile


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalFile]:
    if request.param == "memory":
        yield MemoryFile()
        return
    store = LocalStore(tmp_path / "config.db")
    yield store
    store.close()


@pytest.fixture
def database() -> FragileBackend:
    return FragileBackend()


@pytest.fixture
def forwarder(file: LocalFile, database: FragileBackend, clock: FakeClock) -> Forwarder:
    return Forwarder(file, database, clock)
