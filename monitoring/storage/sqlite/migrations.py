"""Brings a local file from the version that wrote it to the newest one."""

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from monitoring.statistics.summary import Span
from monitoring.storage.sqlite import from_1_1, meta
from monitoring.storage.sqlite.schema import (
    APPLICATION_ID,
    MAINTENANCE_BY_HAND,
    NOTIFICATIONS,
    SCHEMA,
    SUMS_OF_MAINTENANCE,
)

NEWEST = 8
"""The `user_version` of files as they are now. 3 is that of 1.1.0."""

LARGEST_COPY = 1 << 30
SPARE = 64 << 20
"""Bytes. So much room is left beside a copy."""

EVERY_COLUMN = """
SELECT known.name, part.name FROM sqlite_schema AS known, pragma_table_xinfo(known.name) AS part WHERE known.type = 'table'
"""


def version(connection: sqlite3.Connection) -> int:
    """Of the file's format; 0: it has no tables yet, or is another program's."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def lost_part(connection: sqlite3.Connection) -> str:
    """A table or column that a file of the newest version should have and has not, in words; "": it has them all."""
    with closing(sqlite3.connect(":memory:")) as whole:
        for statement in SCHEMA:
            whole.execute(statement)
        wanted, found = (set(one.execute(EVERY_COLUMN)) for one in (whole, connection))
    for table, column in sorted(wanted - found):
        is_there = table in {name for name, _ in found}
        return f"table {table} has lost its column {column}" if is_there else f"table {table} is gone"
    return ""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file up to date, within one transaction. Create the tables of an empty file.

    A file of an earlier version is copied first if it is not too large.
    """
    found = version(connection)
    notice = None if found in (0, NEWEST) else _copy(connection)
    if found != NEWEST:
        for step in _steps_from(found):
            step(connection)
        connection.execute(f"PRAGMA user_version = {NEWEST}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    if notice:
        meta.put(connection, meta.Value.NOTICE, notice)


def _copy(connection: sqlite3.Connection) -> str:
    """Returns what is to be said of it."""
    path = Path(connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0])
    size = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    begun = f"{path} is being brought up to date while the monitor runs"
    if size > LARGEST_COPY:
        return f"{begun}; it is too large for a copy of it to be made"
    name = path.with_name(f"{path.name}.before-{NEWEST}")
    if shutil.disk_usage(path.parent).free < size + SPARE:
        return f"{begun}; there is no room for a copy of it"
    draft = name.with_name(name.name + ".saving")
    draft.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(draft)) as copy,
    ):
        source.backup(copy)
    draft.replace(name)
    return f"{begun}; as it was it is kept in {name.name}, which may be deleted when all is well"


def _create(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('marker', ?)", (uuid.uuid4().hex,))


def _add_details(connection: sqlite3.Connection) -> None:
    """Files between two releases had no reasons beside the causes of alerts."""
    connection.execute("ALTER TABLE alerts ADD COLUMN detail TEXT")


def _add_certificates(connection: sqlite3.Connection) -> None:
    """Files between two releases did not know when certificates expire."""
    for table in ("checks", "sites"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN certificate INTEGER")


def _add_notifications(connection: sqlite3.Connection) -> None:
    """Files between two releases knew of no notifications."""
    for statement in NOTIFICATIONS:
        connection.execute(statement)


def _add_maintenance(connection: sqlite3.Connection) -> None:
    """Files between two releases knew of no maintenance."""
    connection.execute("ALTER TABLE checks ADD COLUMN maintenance INTEGER")
    connection.execute("ALTER TABLE sites ADD COLUMN last_maintenance INTEGER")
    for span in Span:
        for column in SUMS_OF_MAINTENANCE:
            connection.execute(f"ALTER TABLE {span.kind} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    connection.execute(MAINTENANCE_BY_HAND)


STEPS: Sequence[Callable[[sqlite3.Connection], None]] = (
    *(_add_details, _add_certificates, _add_notifications, _add_maintenance),
)
"""What changed since version 4, one step a version: a new one is added at the end, and `NEWEST` is one more."""

VERSIONS: Mapping[int, frozenset[str]] = {
    3: from_1_1.TABLES,
    **dict.fromkeys(range(NEWEST - len(STEPS), NEWEST + 1), frozenset({"checks", "meta"})),
}
"""The versions that can be opened, each with some tables that its files have."""


def _steps_from(version: int) -> Sequence[Callable[[sqlite3.Connection], None]]:
    """The steps that lead to the newest version. Empty files and those of 1.1.0 get its tables at once."""
    at_once = {0: _create, 3: from_1_1.migrate}
    return [at_once[version]] if version in at_once else STEPS[version - NEWEST :]
