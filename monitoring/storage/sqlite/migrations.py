"""Brings a local file from the version that wrote it to the newest one."""

import sqlite3
import uuid
from collections.abc import Callable, Mapping

from monitoring.storage.sqlite import from_1_1
from monitoring.storage.sqlite.schema import APPLICATION_ID, SCHEMA

NEWEST = 4
"""The `user_version` of files as they are now. 3 is that of 1.1.0."""


class Foreign(Exception):
    """Another program's file, or a newer version's; the text says so."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the file; 0 when it is empty. Raises `Foreign`."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables and version == owner == 0:
        return 0
    if owner == APPLICATION_ID and version > NEWEST:
        raise Foreign(f"a newer version of this program wrote it (file format {version})")
    if owner == APPLICATION_ID and version == NEWEST:
        return version
    if owner in (0, APPLICATION_ID) and version in MIGRATIONS and {"sites", "checks", "outbox", "meta"} <= tables:
        return version
    raise Foreign("not a file of this program")


def migrate(connection: sqlite3.Connection) -> None:
    """Within one transaction: whatever happens, the file is of one version."""
    version = version_of(connection)
    while version != NEWEST:
        version = MIGRATIONS[version](connection)
        connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _create(connection: sqlite3.Connection) -> int:
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('marker', ?)", (uuid.uuid4().hex,))
    return NEWEST


MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], int]] = {0: _create, 3: from_1_1.migrate}
"""From each version, the step that leads on, and which version that is."""
