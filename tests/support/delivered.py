"""A monitor beside a database in trouble: what is announced, and what both stores hold in the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from monitoring.models import Window
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import (
    FOREVER,
    Monitor,
    local_file,
    reading,
)
from tests.support.stored import assert_same_stats
from tests.support.target import Target

DATABASE = "monitoring"


DELIVERED_S = 90.0
"""How long delivery may take after the trouble: the pauses between two attempts grow up to 30 s."""


@contextmanager
def remote_store(server: Influxd, database: str = DATABASE) -> Iterator[InfluxStore]:
    store = store_at(address_of(server, database))
    try:
        yield store
    finally:
        store.close()


def assert_same_contents(config: Path, server: Influxd) -> None:
    """Both stores hold the same checks and alerts, once each, and make the same numbers of them."""
    with reading(local_file(config)) as local, remote_store(server) as remote:
        checks = list(local.results(FOREVER))
        assert list(remote.results(FOREVER)) == checks
        assert list(remote.alerts(FOREVER)) == list(local.alerts(FOREVER))
        window = Window(checks[0].time_ms, checks[-1].time_ms + 1)
        for store in (local, remote):
            assert_same_stats(store, checks, window)


def assert_outage_is_announced_in_time(monitor: Monitor, target: Target) -> None:
    target.go_down("/one")
    monitor.wait_for_announcement("alert")
    target.come_back("/one")
    monitor.wait_for_announcement("recovery")
    assert [(line["type"], urlsplit(line["URL"]).path) for line in monitor.objects("alert")] == [
        ("alert", "/one"),
        ("recovery", "/one"),
    ]
