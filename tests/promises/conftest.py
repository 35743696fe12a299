"""What the promises are tested with: websites that keep a log, and an InfluxDB that may be treated badly."""

from collections.abc import Iterator

import pytest

from tests.support.influxd import Influxd
from tests.support.target import Target


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as sites:
        yield sites


@pytest.fixture
def own_influxd() -> Iterator[Influxd]:
    """An InfluxDB for one test, which may hang, kill and wipe it."""
    with Influxd() as server:
        yield server
