"""A file that was written between two releases holds the same when it was brought up to date, whatever interrupts that."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import schema
from monitoring.storage.sqlite.tables.migrations import NEWEST
from tests.support.points import EVER, START_MS

OPENED = Alert(AlertType.ALERT, "a", START_MS, START_MS - 9_000, None, 60.0, Cause.DNS)
CHECKS = [
    CheckResult("a", START_MS, 2_000, 7, 200, 1_010, (10, None, None, 1_000, 0)),
    CheckResult(
        "a", START_MS + 2_000, 4_000, 0, 0, None, (10, None, None, None, None), Cause.TIMEOUT, "Connection timed out"
    ),
    CheckResult("a", START_MS + 6_000, 2_000, 9, 503, 1_011, (None, 1, None, 1_000, 10), Cause.STATUS),
    CheckResult("a", START_MS + 8_000, 2_000, 9, 201, 65_000, (None,) * 5),
]
IN_MAINTENANCE = CheckResult(
    *("a", START_MS + 10_000, 2_000, 0, 500, 1_000, (1_000, None, None, None, None), Cause.STATUS, "Server Error"),
    certificate_s=1_800_000_000,
    maintenance=1,
)
MAINTENANCE_SINCE = 8
WINDOW = Window(START_MS, START_MS + 60_000)


def nothing_computed(connection: sqlite3.Connection) -> None:
    maintained = connection.execute("SELECT id FROM checks WHERE maintenance").fetchall()
    for column in ("status", "covers", "maintenance"):
        connection.execute(f"ALTER TABLE checks DROP COLUMN {column}")
    connection.execute("ALTER TABLE checks RENAME COLUMN status_minus_200 TO status")
    connection.execute("ALTER TABLE checks RENAME COLUMN weight TO covers")
    connection.execute("ALTER TABLE checks ADD COLUMN maintenance INTEGER")
    connection.execute("UPDATE checks SET status = status + 200, covers = abs(covers)")
    connection.executemany("UPDATE checks SET maintenance = 1 WHERE id = ?", maintained)


def no_maintenance(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE maintenance")
    for table, column in (("checks", "maintenance"), ("sites", "last_maintenance")):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table, column in product(("minutes", "hours", "days"), ("maintenance", "maintenance_covers")):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def no_notifications(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE notifications")


def no_certificates(connection: sqlite3.Connection) -> None:
    for table in ("checks", "sites"):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN certificate")


def no_details(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE alerts DROP COLUMN detail")


STEPS_BACK: Mapping[int, Callable[[sqlite3.Connection], None]] = {
    9: nothing_computed,
    8: no_maintenance,
    7: no_notifications,
    6: no_certificates,
    5: no_details,
}
"""What takes away that which each version brought."""


def written(path: Path, version: int, checks: Sequence[CheckResult]) -> None:
    """A file of an earlier version, with these checks and an open alert."""
    with closing(LocalStore(path)) as store:
        store.append(checks, [OPENED], START_MS)
    with closing(sqlite3.connect(path)) as connection:
        for number in range(NEWEST, version, -1):
            STEPS_BACK[number](connection)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


def assert_holds(path: Path, checks: Sequence[CheckResult]) -> None:
    with closing(LocalStore(path)) as store:
        assert list(store.results(EVER)) == checks
        assert store.last_alerts() == {"a": OPENED}
        for exact in (True, False):
            assert store.stats(WINDOW, exact=exact) == reference.summarise(checks, WINDOW, exact=exact)


@pytest.mark.parametrize("version", range(4, NEWEST))
def test_it_holds_what_it_held_and_takes_what_is_new(tmp_path: Path, version: int) -> None:
    path = tmp_path / "monitor.db"
    old = CHECKS if version < MAINTENANCE_SINCE else [*CHECKS, IN_MAINTENANCE]
    written(path, version, old)
    assert_holds(path, old)
    second, new = replace(OPENED, host="b", detail="no such name"), replace(IN_MAINTENANCE, host="b")
    with closing(LocalStore(path)) as store:
        store.append([new], [second], START_MS)
        assert store.last_alerts() == {"a": OPENED, "b": second}
        assert list(store.results(EVER)) == [*old, new]


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from monitoring.storage.sqlite.store import LocalStore

connect = sqlite3.connect

def killing(*arguments, **named):
    connection = connect(*arguments, **named)
    connection.set_trace_callback(lambda text: text.startswith(sys.argv[2]) and os.kill(os.getpid(), signal.SIGKILL))
    return connection

sqlite3.connect = killing
LocalStore(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("at", ["UPDATE checks SET", "ALTER TABLE checks DROP", "PRAGMA user_version = ", "COMMIT"])
def test_nothing_is_lost_when_the_process_is_killed_at_it(tmp_path: Path, at: str) -> None:
    path = tmp_path / "monitor.db"
    old = [replace(check, host=str(site)) for check in (*CHECKS, IN_MAINTENANCE) for site in range(2_000)]
    written(path, 8, old)
    ran = subprocess.run([sys.executable, "-c", KILLED, str(path), at], check=False)
    assert ran.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (8,)
    assert_holds(path, sorted(old, key=lambda check: (check.time_ms, check.host)))


def columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """The names and kinds of the columns of `checks`."""
    return {(row[1], row[2]) for row in connection.execute("PRAGMA table_xinfo(checks)")}


def test_it_has_the_columns_of_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    written(path, 4, CHECKS)
    LocalStore(path).close()
    with closing(sqlite3.connect(path)) as brought, closing(sqlite3.connect(":memory:")) as new:
        new.execute(schema.CHECKS)
        assert columns(brought) == columns(new)


def test_what_is_computed_is_what_was_checked(tmp_path: Path) -> None:
    """Of each check: what people read in the file."""
    path = tmp_path / "monitor.db"
    with closing(LocalStore(path)) as store:
        store.append([*CHECKS, IN_MAINTENANCE], [], START_MS)
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT covers, maintenance, status, response FROM checks ORDER BY id").fetchall()
    assert found == [(it.covers_ms, it.maintenance, it.status, it.response_us) for it in [*CHECKS, IN_MAINTENANCE]]
