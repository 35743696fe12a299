"""A gateway between monitors in several places and one database."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.config import parse_database
from monitoring.errors import StoreRefused
from monitoring.gateway.application import make_application
from monitoring.gateway.database import Databases, FileDatabase, alone
from monitoring.gateway.limits import Limits
from monitoring.store.influx import InfluxStore
from monitoring.store.influxblocks import Told
from monitoring.store.influxpurge import InfluxPurge
from tests.support.gateway import NO_TOKENS, through_gateway
from tests.support.influxd import Influxd
from tests.support.memory_store import MemoryStore
from tests.support.points import EVER, START_MS, alert, check, checks


class Shared:
    """One InfluxDB database, as each location sees it."""

    def __init__(self, server: Influxd, stack: ExitStack) -> None:
        self.server = server
        self.name = f"locations-{uuid.uuid4()}"
        self.url = server.url(self.name)
        self.stack = stack

    def at(self, location: str) -> InfluxStore:
        store = InfluxStore(
            host=self.server.host, port=self.server.port, database=self.name, location=location, read_timeout=60
        )
        return self.stack.enter_context(closing(store))

    def purge(self, location: str | None = None) -> InfluxPurge:
        return self.stack.enter_context(closing(InfluxPurge.at(parse_database(self.url, {}), 2, 60, location)))


@pytest.fixture
def shared(influxd: Influxd) -> Iterator[Shared]:
    with ExitStack() as stack:
        database = Shared(influxd, stack)
        database.at("").prove("test")
        yield database
        database.at("").drop_database()


def test_a_gateway_keeps_locations_apart_and_tells_which_there_are(shared: Shared) -> None:
    databases = Databases(shared.at, 9)
    with through_gateway(databases, "paris") as paris, through_gateway(databases) as nameless:
        assert paris.locations() == []
        paris.prove("file")
        paris.write(checks([2]), [alert(3)])
        paris.announce("file", {START_MS: Told.POINTS}, ())
        nameless.write(checks([4]), [])
        assert (paris.results(EVER), nameless.results(EVER)) == (checks([2]), checks([4]))
        assert (paris.last_alerts(), nameless.last_alerts()) == ({"a": alert(3)}, {})
        assert (paris.open_minutes("file"), nameless.open_minutes("file")) == ({START_MS: Told.POINTS}, {})
        assert (paris.last_time(), nameless.last_time()) == (START_MS + 3_000, START_MS + 4_000)
        assert nameless.locations() == ["", "paris"]


def test_metrics_bear_the_location_where_there_is_one(shared: Shared) -> None:
    clock = SystemClock()
    recent = check((clock.now_ms() - START_MS) / 1_000 - 10)
    shared.at("").write([recent], [])
    shared.at("paris").write([recent], [alert()])
    client = make_application(Databases(shared.at, 9), NO_TOKENS, Limits(), clock).test_client()
    lines = client.get("/metrics").text.splitlines()
    assert {'monitoring_site_up{site="a"} 1.0', 'monitoring_site_up{location="paris",site="a"} 0.0'} <= set(lines)


@pytest.mark.parametrize(
    "question", ["stats?window=60", "alerts/latest?", "last-time?", "minutes?file=f", "results?window=9"]
)
def test_a_wrong_location_is_refused(tmp_path: Path, question: str) -> None:
    with closing(FileDatabase(tmp_path / "gateway.db")) as file:
        client = make_application(Databases(alone(file), 9), NO_TOKENS, Limits(), SystemClock()).test_client()
        for wrong in ("", "x" * 65, "a%0Ab", "a%5Cb"):
            assert client.get(f"/api/v1/{question}&location={wrong}").status_code == 422
            assert client.post("/api/v1/results", json={"location": wrong}).status_code == 422 or "%" in wrong
        assert client.get(f"/api/v1/{question}&location=a&location=b").status_code == 400
        assert client.get("/api/v1/locations?location=a").status_code == 400


def test_a_gateway_with_a_file_refuses_locations_before_anything_is_sent_to_it(tmp_path: Path) -> None:
    """A monitor proves its database first: so nothing is thrown away, and it says why it does not deliver."""
    with closing(FileDatabase(tmp_path / "gateway.db")) as file:
        with through_gateway(Databases(alone(file), 9), "paris") as store:
            for refused in (lambda: store.prove("file"), lambda: store.knows("file"), lambda: store.write([check()], [])):
                with pytest.raises(StoreRefused, match="a file, which has no locations"):
                    refused()
        assert file.last_time() is None


class Kept(MemoryStore):
    """Is in `open_ones` until it is closed."""

    def __init__(self, open_ones: list[MemoryStore]) -> None:
        super().__init__()
        self._open_ones = open_ones
        open_ones.append(self)

    def close(self) -> None:
        self._open_ones.remove(self)


def test_a_gateway_keeps_only_so_many_locations_at_a_time() -> None:
    open_ones: list[MemoryStore] = []
    databases = Databases(lambda _: Kept(open_ones), 2)  # type: ignore[arg-type, return-value]  # as far as is asked of it
    nameless, _ = databases.at(""), databases.at("paris")
    assert databases.at("") is nameless
    tokyo = databases.at("tokyo")
    assert open_ones == [nameless, tokyo]
    databases.close()
    assert open_ones == []
