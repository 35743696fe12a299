"""A file of ours that somebody has taken a table or a column from is damaged, whether a monitor starts or runs.

One that was given columns is as good as before.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import StoreDamaged
from monitoring.models import Window
from monitoring.storage.base import DeliveryRecord, Points
from monitoring.storage.sqlite.database import SharedFile
from monitoring.storage.sqlite.opening import Opening
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import maintenance
from tests.support.earlier_files import FIXTURES
from tests.support.forwarded import maintain
from tests.support.points import EVER, START_MS, alert, checks

NOW_MS = START_MS + 100_000

LOSSES = {
    "DROP TABLE checks": "table checks is gone",
    "DROP TABLE minutes": "table minutes is gone",
    "DROP TABLE sites": "table sites is gone",
    "DROP TABLE outbox": "table outbox is gone",
    "DROP TABLE meta": "table meta is gone",
    "ALTER TABLE checks DROP COLUMN lag": "table checks has lost its column lag",
    "ALTER TABLE checks DROP COLUMN status": "table checks has lost its column status",
    "ALTER TABLE outbox DROP COLUMN site": "table outbox has lost its column site",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.db"


@pytest.fixture
def store(path: Path) -> Iterator[LocalStore]:
    with closing(LocalStore(path)) as store:
        store.append(checks([1]), [alert(2)], NOW_MS)
        yield store


def carry_out(path: Path, statement: str) -> None:
    """By another program."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def only_aside(path: Path) -> str:
    (aside,) = path.parent.glob("config.db.damaged-*[0-9]")
    return aside.name


def assert_set_aside(path: Path, reason: str) -> None:
    """At a start, which goes on in another file."""
    said: list[str] = []
    with closing(Opening(path, said.append, NOW_MS).open()) as new:
        new.append(checks([5]), [], NOW_MS)
        assert (new.path, list(new.results(EVER))[-1:]) == (path, checks([5]))
    (line,) = said
    assert line.startswith(f"{path}: {reason}; it is now {only_aside(path)}, and a new file was begun")


@pytest.mark.parametrize(("statement", "reason"), LOSSES.items())
def test_a_start_sets_it_aside_and_begins_another_one(store: LocalStore, path: Path, statement: str, reason: str) -> None:
    store.close()
    carry_out(path, statement)
    assert_set_aside(path, reason)


def test_so_it_does_with_a_file_of_an_earlier_version(path: Path) -> None:
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    carry_out(path, "DROP TABLE dead_letters")
    assert_set_aside(path, "no such table: dead_letters")


@pytest.mark.parametrize("statement", ["DROP TABLE outbox", "ALTER TABLE checks DROP COLUMN lag"])
def test_a_running_monitor_sets_it_aside_and_knows_its_alerts(store: LocalStore, path: Path, statement: str) -> None:
    carry_out(path, statement)
    with pytest.raises(StoreDamaged, match=LOSSES[statement]):
        store.append(checks([5]), [], NOW_MS)
    assert_goes_on(store, path, statement)


def test_so_it_does_when_a_column_is_gone_that_is_only_read(store: LocalStore, path: Path) -> None:
    statement = "ALTER TABLE checks DROP COLUMN status"
    carry_out(path, statement)
    store.append(checks([4]), [], NOW_MS)
    with pytest.raises(StoreDamaged, match=LOSSES[statement]):
        store.stats(EVER, exact=True)
    assert_goes_on(store, path, statement)


def assert_goes_on(store: LocalStore, path: Path, statement: str) -> None:
    store.guard.look(NOW_MS, lambda: None)
    (line,) = store.guard.notices()
    assert line.startswith(f"{path}: {LOSSES[statement]}; it is now {only_aside(path)}, and a new file was begun")
    store.append(checks([5]), [], NOW_MS)
    assert store.last_alerts() == {"a": alert(2)}
    assert checks([5])[0] in list(store.results(EVER))


def test_what_no_database_has_is_in_the_other_file_however_old_it_is(store: LocalStore, path: Path) -> None:
    carry_out(path, "DROP TABLE minutes")
    with pytest.raises(StoreDamaged, match="table minutes is gone"):
        store.counts(EVER, "minutes")
    store.guard.look(START_MS + 10_800_000, lambda: None)
    (line,) = store.guard.notices()
    assert line.endswith("with the open alerts, the past hour and what was not delivered")
    assert list(store.results(EVER)) == checks([1])


def give_columns(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        ours = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (table,) in ours.fetchall():
            connection.execute(f"ALTER TABLE {table} ADD COLUMN note TEXT DEFAULT 'mine'")


def test_columns_that_somebody_adds_do_no_harm(store: LocalStore, path: Path) -> None:
    give_columns(path)
    store.append(checks(range(2, 200)), [alert(3)], NOW_MS)
    maintain(store, NOW_MS + 200_000)
    assert store.summarised_ms() > START_MS
    with store.writing() as connection:
        maintenance.begin(connection, ["a"], Window(START_MS, NOW_MS))
    assert store.maintenance_by_hand() == {"a": Window(START_MS, NOW_MS)}
    store.close()
    with closing(LocalStore(path)) as again:
        assert list(again.results(EVER)) == checks(range(1, 200))
        assert list(again.alerts(EVER)) == [alert(2), alert(3)]


def test_nor_do_they_in_the_file_of_a_gateway(tmp_path: Path) -> None:
    record = DeliveryRecord(1, START_MS, START_MS)
    with closing(SharedFile(tmp_path / "gateway.db")) as shared:
        give_columns(shared.path)
        database = shared.open()
        assert database.verify("ours") is None
        database.write(Points(checks([1]), [alert(2)]))
        database.record("ours", record)
        assert database.verify("ours") == record
