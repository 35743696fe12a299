"""A file of 1.1.0 becomes one of the newest version whole or not at all, and what is computed there is what was checked."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.models import Cause, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import schema
from tests.fixtures.files_1_1_0 import FILES
from tests.support.earlier_files import FIXTURES, assert_holds
from tests.support.points import START_MS

CHECKS = [
    CheckResult("a", START_MS, 2_000, 7, 200, 1_010, (10, None, None, 1_000, 0)),
    CheckResult(
        "a", START_MS + 2_000, 4_000, 0, 0, None, (10, None, None, None, None), Cause.TIMEOUT, "Connection timed out"
    ),
    CheckResult("a", START_MS + 6_000, 2_000, 9, 503, 1_011, (None, 1, None, 1_000, 10), Cause.STATUS),
    CheckResult("a", START_MS + 8_000, 2_000, 9, 201, 65_000, (None,) * 5),
    CheckResult(
        *("a", START_MS + 10_000, 2_000, 0, 500, 1_000, (1_000, None, None, None, None), Cause.STATUS, "Server Error"),
        certificate_s=1_800_000_000,
        maintenance=1,
    ),
]

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


@pytest.mark.parametrize(
    "at",
    [
        *("ALTER TABLE outbox RENAME", "UPDATE sqlite_schema", "INSERT INTO alerts", "DROP TABLE old_checks"),
        *("PRAGMA user_version = ", "COMMIT"),
    ],
)
def test_nothing_is_lost_when_the_process_is_killed_at_it(tmp_path: Path, at: str) -> None:
    path = tmp_path / "monitor.db"
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    ran = subprocess.run([sys.executable, "-c", KILLED, str(path), at], check=False)
    assert ran.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    with closing(LocalStore(path)) as store:
        assert_holds(store, FILES["some_hours"], FILES["some_hours"].checks)


def columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """The names and kinds of the columns of `checks`."""
    return {(row[1], row[2]) for row in connection.execute("PRAGMA table_xinfo(checks)")}


def test_it_has_the_columns_of_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    LocalStore(path).close()
    with closing(sqlite3.connect(path)) as brought, closing(sqlite3.connect(":memory:")) as new:
        new.execute(schema.CHECKS)
        assert columns(brought) == columns(new)


def test_what_is_computed_is_what_was_checked(tmp_path: Path) -> None:
    """Of each check: what people read in the file."""
    path = tmp_path / "monitor.db"
    with closing(LocalStore(path)) as store:
        store.append(CHECKS, [], START_MS)
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT covers, maintenance, status, response FROM checks ORDER BY id").fetchall()
    assert found == [(it.covers_ms, it.maintenance, it.status, it.response_us) for it in CHECKS]
