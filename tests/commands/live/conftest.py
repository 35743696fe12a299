"""What the readers of live displays are tested with: a clock, and the local file of the `config` of each module."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from monitoring.config import Config
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.points import START_MS


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START_MS + 60_000)


@pytest.fixture
def store(config: Config) -> Iterator[LocalStore]:
    with closing(LocalStore(config.local_database)) as store:
        yield store
