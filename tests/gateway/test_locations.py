"""A gateway between monitors in several places and one database."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from monitoring.clock import SystemClock
from monitoring.gateway.application import make_application
from monitoring.gateway.databases import Databases
from monitoring.gateway.limits import Limits
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import SharedFile
from tests.support.gateway import NO_TOKENS, through_gateway
from tests.support.influx_databases import new_database, store_at
from tests.support.influxd import Influxd
from tests.support.memory_backend import MemoryBackend, MemoryDatabase
from tests.support.points import EVER, START_MS, alert, check, checks


@pytest.fixture
def on_influxdb(influxd: Influxd) -> Iterator[Databases]:
    with new_database(influxd) as address, closing(Databases(partial(store_at, address), 9)) as databases:
        databases.at("").verify("test")
        yield databases


@pytest.fixture
def on_file(tmp_path: Path) -> Iterator[Databases]:
    file = SharedFile(tmp_path / "gateway.db")
    with closing(Databases(file.open, 9, file)) as databases:
        yield databases


@pytest.fixture(params=["influxdb", "file"])
def databases(request: pytest.FixtureRequest) -> Databases:
    return cast(Databases, request.getfixturevalue(f"on_{request.param}"))


def test_a_gateway_keeps_locations_apart_and_tells_which_there_are(databases: Databases) -> None:
    with through_gateway(databases, "paris") as paris, through_gateway(databases) as nameless:
        assert paris.locations() == []
        paris.verify("file")
        paris.write(Points(checks([2]), [alert(3)]))
        nameless.write(Points(checks([4])))
        assert (list(paris.results(EVER)), list(nameless.results(EVER))) == (checks([2]), checks([4]))
        assert (paris.last_alerts(), nameless.last_alerts()) == ({"a": alert(3)}, {})
        assert (paris.last_time(), nameless.last_time()) == (START_MS + 3_000, START_MS + 4_000)
        assert nameless.locations() == ["", "paris"]


def test_metrics_bear_the_location_where_there_is_one(databases: Databases) -> None:
    clock = SystemClock()
    recent = check((clock.now_ms() - START_MS) / 1_000 - 10)
    databases.at("").write(Points([recent]))
    databases.at("paris").write(Points([recent], [alert()]))
    client = make_application(databases, NO_TOKENS, Limits(), clock).test_client()
    lines = client.get("/metrics").text.splitlines()
    assert {'monitoring_site_up{site="a"} 1.0', 'monitoring_site_up{location="paris",site="a"} 0.0'} <= set(lines)


@pytest.mark.parametrize(
    "question",
    ["stats?window=60", "alerts/latest?", "last-time?", "states?before=1", "results?window=9", "counts?window=9"],
)
def test_a_wrong_location_is_refused(on_file: Databases, question: str) -> None:
    client = make_application(on_file, NO_TOKENS, Limits(), SystemClock()).test_client()
    for wrong in ("", "x" * 65, "a%0Ab", "a%5Cb", "a%1Fb"):
        assert client.get(f"/api/v2/store/{question}&location={wrong}").status_code == 422
        assert client.post("/api/v2/store/points", json={"location": wrong}).status_code == 422 or "%" in wrong
    assert client.get(f"/api/v2/store/{question}&location=a&location=b").status_code == 422
    assert client.get("/api/v2/store/locations?location=a").status_code == 422


class Kept(MemoryBackend):
    """Is in `open_ones` until it is closed."""

    def __init__(self, open_ones: list[MemoryBackend]) -> None:
        super().__init__(MemoryDatabase())
        self._open_ones = open_ones
        open_ones.append(self)

    def close(self) -> None:
        self._open_ones.remove(self)


def test_a_gateway_keeps_only_so_many_locations_at_a_time() -> None:
    open_ones: list[MemoryBackend] = []
    databases = Databases(lambda _: Kept(open_ones), 2)
    nameless, _ = databases.at(""), databases.at("paris")
    assert databases.at("") is nameless
    tokyo = databases.at("tokyo")
    assert open_ones == [nameless, tokyo]
    databases.close()
    assert open_ones == []
