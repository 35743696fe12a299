"""Brings a local file from the version that wrote it to the newest one."""

import sqlite3
import uuid
from collections.abc import Callable, Mapping

from monitoring.storage.sqlite import from_1_1
from monitoring.storage.sqlite.connection import Format
from monitoring.storage.sqlite.schema import APPLICATION_ID, SCHEMA

NEWEST = 4
"""The `user_version` of files as they are now. 3 is that of 1.1.0."""


def migrate(connection: sqlite3.Connection) -> None:
    """Within one transaction: whatever happens, the file is of one version. Creates the tables of an empty file."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
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

FORMAT = Format(APPLICATION_ID, NEWEST, ";".join(SCHEMA), migrate, {3: from_1_1.TABLES})
