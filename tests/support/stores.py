"""InfluxDB as a test has it: a database of its own, which is gone afterwards."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from monitoring.store.influx import InfluxStore
from tests.support.influxd import Influxd


@contextmanager
def new_database(server: Influxd) -> Iterator[InfluxStore]:
    """A store in a new database, which has proved itself."""
    name = f"test{uuid.uuid4().hex}"
    store = InfluxStore(host=server.host, port=server.port, database=name, read_timeout=60)
    store.prove("ours")
    yield store
    store.drop_database()
    store.close()
