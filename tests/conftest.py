"""What many tests share: one real InfluxDB for each process of the run. Tests that treat InfluxDB badly start their own."""

from collections.abc import Iterator

import pytest

from tests.support.influxd import Influxd


@pytest.fixture(scope="session")
def influxd() -> Iterator[Influxd]:
    with Influxd() as server:
        yield server
