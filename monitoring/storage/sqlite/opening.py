"""Opens the local file for its one writer: creates it, or brings one of an older version up to date."""

import sqlite3
from pathlib import Path

from monitoring.errors import MonitoringError
from monitoring.storage.sqlite import migrations
from monitoring.storage.sqlite.connection import BUSY_TIMEOUT_S, transaction, translated

JOURNAL_LIMIT_BYTES = 16 << 20


def open_file(path: Path, patience_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """The one connection that writes. `patience_s` is how long to wait for a lock that somebody else holds.

    `synchronous=FULL` keeps each commit through a power cut, for a flush of the disk each. Raises `MonitoringError` when
    the file is not one of this program's, or a newer version's: then it is as it was.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)
        try:
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}")
            with transaction(connection):
                migrations.migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        migrations.version_of(connection)
    except migrations.Foreign as error:
        raise MonitoringError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise MonitoringError(f"{path}: not a file of this program") from error
        raise
