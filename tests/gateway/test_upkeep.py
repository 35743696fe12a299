"""What a gateway's database holds is purged and kept as long as the configuration says, as it is now."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from monitoring.config import ConfigWatcher, load_config
from monitoring.errors import StoreUnavailable
from monitoring.gateway.databases import Databases
from monitoring.gateway.upkeep import UpkeepThread, database_upkeep
from monitoring.models import CheckResult, Window
from monitoring.statistics.summary import Span
from monitoring.storage.backends import open_backend
from monitoring.storage.base import Deletion, Points
from monitoring.storage.delivery.upkeep import PATIENCE, RETRY_MS, Upkeep
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from monitoring.storage.sqlite.tables import purge
from tests.support.clock import FakeClock
from tests.support.influx_databases import new_database
from tests.support.influxd import Influxd
from tests.support.monitor import write_config
from tests.support.points import EVER, START_MS, check, checks
from tests.support.summaries import summaries_of

HOUR_MS = 3_600_000
NOW_MS = START_MS // HOUR_MS * HOUR_MS + 48 * HOUR_MS


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    file = SharedFile(tmp_path / "gateway.db")
    with closing(Databases(file.open, 100, file)) as databases:
        yield databases


def old_and_young(databases: Databases, location: str = "") -> list[CheckResult]:
    """Two days of checks, stored with their summaries; those of the second day."""
    found = checks(range(0, 47 * 3_600, 600))
    databases.at(location).write(Points(found, summaries=summaries_of(found)))
    return [one for one in found if one.time_ms >= NOW_MS - 24 * HOUR_MS]


def kept(databases: Databases, location: str = "") -> list[CheckResult]:
    return list(databases.at(location).results(EVER))


def work(upkeep: Upkeep, now_ms: int = NOW_MS) -> None:
    while upkeep.step(now_ms):
        pass


def test_what_is_too_old_goes_at_every_location(databases: Databases) -> None:
    young = old_and_young(databases)
    assert old_and_young(databases, "paris") == young
    upkeep = database_upkeep(databases)
    work(upkeep)
    assert len(kept(databases)) > len(young), "nobody has said yet how long they are kept"
    upkeep.set_retention(24 * HOUR_MS, 365 * 24 * HOUR_MS)
    work(upkeep)
    assert kept(databases) == kept(databases, "paris") == young
    window = Window(young[0].time_ms // HOUR_MS * HOUR_MS - 10 * HOUR_MS, young[0].time_ms // HOUR_MS * HOUR_MS)
    assert not databases.at("").counts(window, "minutes")


def test_hours_and_days_stay_as_long_as_alerts(databases: Databases) -> None:
    old_and_young(databases)
    upkeep = database_upkeep(databases)
    upkeep.set_retention(HOUR_MS, 365 * 24 * HOUR_MS)
    work(upkeep, NOW_MS + 10 * 24 * HOUR_MS)
    assert not kept(databases)
    before = databases.at("").counts(EVER, "hours")
    upkeep.set_retention(HOUR_MS, HOUR_MS)
    work(upkeep, NOW_MS + 10 * 24 * HOUR_MS)
    assert before
    assert not databases.at("").counts(EVER, "hours")


def test_days_go_at_a_location_of_which_nothing_else_is_left(influxd: Influxd) -> None:
    """Nobody has checked from there for a year: its checks went long ago."""
    found = checks(range(0, 47 * 3_600, 600))
    with new_database(influxd) as address, closing(Databases(partial(open_backend, address, 60), 9)) as databases:
        databases.at("paris").write(Points(summaries=summaries_of(found)))
        upkeep = database_upkeep(databases)
        upkeep.set_retention(HOUR_MS, HOUR_MS)
        work(upkeep, NOW_MS + 10 * 24 * HOUR_MS)
        assert not any(databases.at("paris").counts(EVER, span.kind) for span in Span)
        assert databases.at("").locations() == []


def test_no_location_keeps_what_is_too_old_however_many_there_are(influxd: Influxd) -> None:
    with new_database(influxd) as address, closing(Databases(partial(open_backend, address, 60), 9)) as databases:
        series = (f"website_availability,host=a,location=place\\ {number:03}" for number in range(101))
        influxd.write(address.database, "\n".join(f"{one} available=1i {START_MS}000000" for one in series))
        upkeep = database_upkeep(databases)
        upkeep.set_retention(HOUR_MS, HOUR_MS)
        work(upkeep)
        assert databases.at("").locations() == []


def test_a_purge_that_was_asked_for_is_done(databases: Databases, tmp_path: Path) -> None:
    databases.at("").write(Points([check(1), check(1, "stays")]))
    file = databases.file
    assert file is not None
    with file.writing() as connection:
        purge.ask(connection, purge.Request("a", START_MS + HOUR_MS, forget=True))
    work(database_upkeep(databases))
    assert kept(databases) == [check(1, "stays")]
    assert file.next_purge() is None


def test_another_retention_takes_effect_while_it_runs(
    tmp_path: Path, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    young = old_and_young(databases)
    path = write_config(tmp_path, ["http://a"], retention={"checks": "30d", "alerts": "30d"})
    config = load_config(path, {})
    watcher = ConfigWatcher(path, lambda: load_config(path, {}), config)
    clock = FakeClock(NOW_MS)
    thread = UpkeepThread(databases, config, watcher, clock)
    assert thread.step() is None
    assert len(kept(databases)) > len(young)
    write_config(tmp_path, ["http://a"], retention={"checks": "1d", "alerts": "1d"}, database="influxdb://localhost/other")
    watcher.ask()
    assert thread.step() is None
    assert kept(databases) == young
    assert capsys.readouterr().err == "another database takes effect at the next start\n"


class Failing(FileDatabase):
    def delete(self, deletion: Deletion) -> Iterator[None]:
        raise StoreUnavailable("gateway.db: disk full")


def test_trouble_that_lasts_is_known(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "gateway.db")
    with closing(Databases(lambda place: Failing(file, place), 100, file)) as databases:
        file.open().write(Points([check(1)]))
        upkeep = database_upkeep(databases)
        upkeep.set_retention(HOUR_MS, HOUR_MS)
        for turn in range(PATIENCE):
            assert upkeep.trouble is None
            work(upkeep, NOW_MS + turn * RETRY_MS)
        assert upkeep.trouble == "gateway.db: disk full"
