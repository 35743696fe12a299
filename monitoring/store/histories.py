"""Where each site stands, kept in the file: so that a monitor that starts need not read its checks back."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from operator import attrgetter

from monitoring.models import CheckResult, History
from monitoring.states import advance
from monitoring.store import position, schema
from monitoring.store.schema import CAUSE, SITE_MASK, Row, first_key

VALUES = attrgetter(*(field.name for field in fields(History)))


def load(connection: sqlite3.Connection, first: int = 0, last: int = SITE_MASK) -> dict[int, History]:
    """Where each of the sites `first` to `last` stood at the end of what is packed."""
    query = "SELECT id, history FROM sites WHERE id BETWEEN ? AND ? AND history IS NOT NULL"
    rows = connection.execute(query, (first, last))
    return {site: History(*json.loads(history)) for site, history in rows}


def save(connection: sqlite3.Connection, histories: Mapping[int, History]) -> None:
    rows = [(json.dumps(VALUES(history)), site) for site, history in histories.items()]
    connection.executemany("UPDATE sites SET history = ? WHERE id = ?", rows)


def fold(history: History | None, rows: Sequence[Row]) -> History:
    """The history after these checks of one site as well, in order of time; what is in it already changes nothing."""
    if history is not None and rows[0][0] < first_key(history.last_ms + 1):
        rows = [row for row in rows if row[0] >= first_key(history.last_ms + 1)]
    for _, run in groupby(rows, lambda row: row[CAUSE] is None):
        first, *others = run
        for row in (first, *others[-1:]):  # of checks that are alike the first and the last say it all
            history = advance(history, _check(row))
    if history is None:
        raise ValueError("no checks to fold")
    return history


def _check(row: Row) -> CheckResult:
    """Of a site whose name does not matter."""
    return schema.result_from_row(row, {row[0] & SITE_MASK: ""})


def follow(histories: dict[int, History], rows: Iterable[Row]) -> None:
    """Fold in these checks of any sites."""
    by_site: dict[int, list[Row]] = {}
    for row in sorted(rows):
        by_site.setdefault(row[0] & SITE_MASK, []).append(row)
    histories.update({site: fold(histories.get(site), own) for site, own in by_site.items()})


def add_late(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """These checks came when their minutes were packed."""
    for row in sorted(rows):
        site = row[0] & SITE_MASK
        save(connection, {site: fold(load(connection, site, site).get(site), [row])})


def current(connection: sqlite3.Connection) -> dict[int, History]:
    """Where each site stands: at the end of what is packed, and then by what is not."""
    found = load(connection)
    query = f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE id >= ?"
    follow(found, connection.execute(query, (first_key(position.load(connection).minute_ms),)))
    return found
