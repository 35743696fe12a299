"""A local file and a database in memory, and the forwarder between them."""

import pytest

from monitoring.storage.delivery.forwarder import Forwarder
from tests.support.clock import FakeClock
from tests.support.fragile import FragileBackend
from tests.support.memory_file import MemoryFile


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file() -> MemoryFile:
    return MemoryFile()


@pytest.fixture
def database() -> FragileBackend:
    return FragileBackend()


@pytest.fixture
def forwarder(file: MemoryFile, database: FragileBackend, clock: FakeClock) -> Forwarder:
    return Forwarder(file, database, clock)
