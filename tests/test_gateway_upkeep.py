"""What a gateway's file holds is packed, purged and kept as long as the configuration says, as it is now."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.config import ConfigWatcher, DatabaseAddress, load_config
from monitoring.errors import StoreUnavailable
from monitoring.gateway.database import FileDatabase
from monitoring.gateway.upkeep import FileRetention, Upkeep, open_retention
from monitoring.models import CheckResult
from monitoring.store import purge
from monitoring.store.purge import Request
from tests.support.clock import FakeClock
from tests.support.monitor import write_config
from tests.support.points import EVER, START_MS, check, checks

HOUR_MS = 3_600_000
NOW_MS = START_MS + 48 * HOUR_MS


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FileDatabase]:
    with closing(FileDatabase(tmp_path / "gateway.db")) as database:
        yield database


def old_and_young(database: FileDatabase) -> list[CheckResult]:
    """Two days of checks, stored; those of the second day."""
    found = checks(range(0, 48 * 3_600, 600))
    database.write(found, [])
    return [one for one in found if one.time_ms >= START_MS + 24 * HOUR_MS]


def test_a_file_is_packed_and_keeps_what_is_young(database: FileDatabase) -> None:
    young = old_and_young(database)
    retention = FileRetention(database)
    while retention.step(NOW_MS):
        pass
    assert len(database.results(EVER)) == 2 * len(young), "nobody has said yet how long they are kept"
    assert database.packed_until_ms() >= young[-1].time_ms
    retention.keep(24 * HOUR_MS, 24 * HOUR_MS)
    while retention.step(NOW_MS):
        pass
    assert database.results(EVER) == young


def test_a_purge_that_was_asked_for_is_done(database: FileDatabase) -> None:
    database.write([check(1), check(1, "stays")], [])
    with database._writing() as connection:
        purge.ask(connection, Request("a", START_MS + HOUR_MS, forget=True))
    retention = FileRetention(database)
    while retention.step(NOW_MS):
        pass
    assert database.results(EVER) == [check(1, "stays")]
    with database._writing() as connection:
        assert purge.find(connection) is None


def test_another_retention_takes_effect_while_it_runs(
    tmp_path: Path, database: FileDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    young = old_and_young(database)
    path = write_config(tmp_path, ["http://a"], retention={"checks": "30d", "alerts": "30d"})
    config = load_config(path, {})
    watcher = ConfigWatcher(path, lambda: load_config(path, {}), config)
    clock = FakeClock(NOW_MS)
    upkeep = Upkeep(open_retention(database, DatabaseAddress("sqlite", "sqlite:")), config, watcher, clock)
    upkeep._keep()
    assert upkeep.step() is None
    assert len(database.results(EVER)) > len(young)
    write_config(tmp_path, ["http://a"], retention={"checks": "1d", "alerts": "1d"}, database="influxdb://localhost/other")
    watcher.ask()
    assert upkeep.step() is None
    assert database.results(EVER) == young
    assert capsys.readouterr().err == "another database takes effect at the next start\n"


class Failing(FileDatabase):
    def pack(self, now_ms: int) -> bool:
        raise StoreUnavailable("gateway.db: disk full")


def test_trouble_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(tmp_path, ["http://a"])
    config = load_config(path, {})
    with closing(Failing(tmp_path / "gateway.db")) as database:
        watcher = ConfigWatcher(path, lambda: load_config(path, {}), config)
        upkeep = Upkeep(FileRetention(database), config, watcher, FakeClock())
        for _ in range(3):
            upkeep._tell(upkeep.step())
    assert capsys.readouterr().err == "what is older than retention stays: gateway.db: disk full\n"
