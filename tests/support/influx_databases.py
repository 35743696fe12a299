"""InfluxDB as tests of its backend have it: a database of its own, which is gone afterwards."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreUnavailable
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influxd import Influxd
from tests.support.monitor import wait_for

PATIENT_S = 60.0
"""How long a statement may take on a busy machine."""


def address_of(server: Influxd, database: str) -> DatabaseAddress:
    return DatabaseAddress("influxdb", server.url(database), host=server.host, port=server.port, database=database)


def store_at(address: DatabaseAddress, location: str = "") -> InfluxStore:
    return InfluxStore(address, location, PATIENT_S)


def is_verified(store: InfluxStore) -> bool:
    """InfluxDB may not have a point yet that it has just acknowledged, in a database that it has just made."""
    with suppress(StoreUnavailable):
        store.verify("ours")
        return True
    return False


@contextmanager
def new_database(server: Influxd) -> Iterator[DatabaseAddress]:
    """The address of a new database with an odd name."""
    address = address_of(server, f"test {uuid.uuid4()}")
    store = store_at(address)
    wait_for(lambda: is_verified(store), "a new database that returns what is written to it")
    store.drop_record("ours")
    try:
        yield address
    finally:
        store.drop_database()
        store.close()
