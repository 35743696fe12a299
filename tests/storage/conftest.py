"""A database of a real InfluxDB, for a test of its own."""

from collections.abc import Iterator

import pytest

from monitoring.config.keys.databases import DatabaseAddress
from tests.support.influx_databases import new_database
from tests.support.influxd import Influxd


@pytest.fixture
def address(influxd: Influxd) -> Iterator[DatabaseAddress]:
    with new_database(influxd) as found:
        yield found
