"""Migrates a local file from an earlier version to the newest one."""

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from monitoring.fields import CHECK_FIELDS
from monitoring.storage.sqlite.tables import from_1_1, meta, schema
from monitoring.storage.sqlite.tables.schema import APPLICATION_ID, SCHEMA

LARGEST_COPY = 1 << 30
SPARE = 64 << 20
"""Bytes. A copy is made only if so much room is left beside it."""

EVERY_COLUMN = """
SELECT known.name, part.name FROM sqlite_schema AS known, pragma_table_xinfo(known.name) AS part WHERE known.type = 'table'
"""


def version(connection: sqlite3.Connection) -> int:
    """The version of the file's format; 0: it has no tables yet, or is another program's."""
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
        _bring_up_to_date(connection, found)
        connection.execute(f"PRAGMA user_version = {NEWEST}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    if notice:
        meta.put(connection, meta.Value.NOTICE, notice)


def _copy(connection: sqlite3.Connection) -> str:
    """Copy the file if it is not too large; return what to say about that."""
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
    connection.execute("INSERT INTO meta (key, value) VALUES ('marker', ?)", (uuid.uuid4().hex,))


FIRST = 9
"""The `user_version` of the first release after 1.1.0, which wrote 3. Between these two only development wrote files."""

STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {}
"""What each version since then changes. `fields.CHECK_FIELDS` says itself since when a column of `checks` exists."""

NEWEST = max(FIRST, *STEPS, *(field.since for field in CHECK_FIELDS))
"""The `user_version` of new files."""

VERSIONS: Mapping[int, frozenset[str]] = {
    3: from_1_1.TABLES,
    **dict.fromkeys(range(FIRST, NEWEST + 1), frozenset({"checks", "meta"})),
}
"""The versions that can be opened, and tables by which their files are recognised."""


def _bring_up_to_date(connection: sqlite3.Connection, found: int) -> None:
    """Empty files and those of 1.1.0 get the newest tables at once, others version by version."""
    if found in (0, 3):
        (from_1_1.migrate if found else _create)(connection)
        return
    for number in range(found + 1, NEWEST + 1):
        for column in filter(None, (schema.column(field) for field in CHECK_FIELDS if field.since == number)):
            connection.execute(f"ALTER TABLE checks ADD COLUMN {column}")
        if step := STEPS.get(number):
            step(connection)
