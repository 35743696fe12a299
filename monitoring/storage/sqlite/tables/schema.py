"""The tables of the local file, and the rows of checks and alerts.

The primary key of a check is its time and its site in one integer, `time_ms << 20 | site`. So the table is clustered by
time, a window is a range of keys, and a check written twice is one row. Summaries and alerts have keys of the same kind,
with the start of their span or the time of the decision.

Each column takes a byte of each row, and its number takes more unless it is 0. So four columns of checks are computed from
shorter ones (`STORED_IN`): the status from its difference to 200, the response time from its difference to the sum of the
phases, both nearly always 0; `covers` and `maintenance` from one number, `weight`, which is below 0 during maintenance.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from monitoring import fields
from monitoring.fields import CAUSE_NUMBERS, CAUSES, CHECK_FIELDS, Field, Kind
from monitoring.models import PHASES, Alert, AlertType, CheckResult, Window
from monitoring.statistics.summary import Span

APPLICATION_ID = int.from_bytes(b"WMon")
"""Marks a file as one of this program."""

SITE_BITS = 20
SITE_MASK = (1 << SITE_BITS) - 1
SITE = f"id & {SITE_MASK}"
"""The number of the site, in SQL."""

Row = tuple[Any, ...]

SUMS_OF_MAINTENANCE = ("maintenance", "maintenance_covers")

SUMS = (
    *("checks", "good", "covers", "good_covers", "responses_count", "responses_sum"),
    *(f"{phase}_{what}" for phase in PHASES for what in ("count", "sum")),
    *SUMS_OF_MAINTENANCE,
)
"""The columns of summaries that are sums: of checks, milliseconds or microseconds."""

SUMMED = (*SUMS, "last_failure", "statuses", "causes")
"""The columns of all summaries. `statuses` and `causes` are counts as text, "200:29,503:1"; NULL when there are none."""

SUMMARY_COLUMNS: Mapping[Span, tuple[str, ...]] = {
    Span.MINUTE: (*SUMMED, "times"),
    Span.HOUR: (*SUMMED, "shortest", "longest", "sketch"),
    Span.DAY: (*SUMMED, "shortest", "longest", "sketch"),
}
"""`times`: response times of available checks in ascending order, four bytes each.
`sketch`: see `monitoring.statistics.sketch`."""


STORED_IN: Mapping[str, str | None] = {
    "covers": "weight",
    "maintenance": None,  # in `weight`, too
    "status": "status_minus_200",
    "response": "rest",  # NULL: no whole response
}
"""The columns from which others are computed."""

COMPUTED = {
    "covers": "ABS(weight)",
    "maintenance": "CASE WHEN weight < 0 THEN 1 END",
    "status": "status_minus_200 + 200",
    "response": f"rest + {' + '.join(f'IFNULL({phase}, 0)' for phase in PHASES)}",
}


def column(field: Field) -> str | None:
    """The definition of the column of `checks` in which a field is stored; None: it is in another field's column."""
    name = STORED_IN.get(field.column, field.column)
    kind = "TEXT" if field.kind is Kind.TEXT else "INTEGER"
    return name and f"{name} {kind}{'' if field.optional or field.kind is Kind.TEXT else ' NOT NULL'}"


def computed_column(name: str) -> str:
    return f"{name} INTEGER GENERATED ALWAYS AS ({COMPUTED[name]}) VIRTUAL"


CHECKS = f"""
CREATE TABLE checks (
    id INTEGER PRIMARY KEY,
    {", ".join(filter(None, map(column, CHECK_FIELDS)))},
    {", ".join(map(computed_column, COMPUTED))}
)"""

_SUMS_SQL = ", ".join(f"{column} INTEGER NOT NULL" for column in SUMS)
_SUMMED_SQL = f"id INTEGER PRIMARY KEY, {_SUMS_SQL}, last_failure INTEGER, statuses TEXT, causes TEXT"

SCHEMA = (
    CHECKS,
    f"CREATE TABLE minutes ({_SUMMED_SQL}, times BLOB NOT NULL)",
    *(
        f"CREATE TABLE {table} ({_SUMMED_SQL}, shortest INTEGER, longest INTEGER, sketch BLOB NOT NULL)"
        for table in ("hours", "days")
    ),
    """
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER, availability REAL NOT NULL, cause INTEGER,
    detail TEXT
)""",
    """
CREATE TABLE sites (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a number that was a site's is never another one's
    host TEXT NOT NULL UNIQUE,
    -- its LastState at the end of the newest summarised minute; NULL: it has no check
    last INTEGER, last_covers INTEGER, last_available INTEGER,
    last_failure INTEGER, good_since INTEGER, failing_since INTEGER, detail TEXT,
    certificate INTEGER, last_maintenance INTEGER
)""",
    """
CREATE TABLE outbox (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,        -- checks, alerts, minutes, hours, days
    first INTEGER NOT NULL,    -- the keys of that table, from the first to the last one
    last INTEGER NOT NULL,
    site INTEGER,              -- of this site only; NULL: of all
    points INTEGER NOT NULL,   -- about how many
    created_ms INTEGER NOT NULL
)""",
    "CREATE INDEX outbox_keys ON outbox (kind, first)",
    """
CREATE TABLE refused (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, host TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL,
    field TEXT NOT NULL, reason TEXT NOT NULL, by_age INTEGER NOT NULL
)""",
    """
CREATE TABLE purges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT,                 -- NULL: all sites
    hosts TEXT,                -- of which hosts the database is to delete as well (JSON); NULL: of that one, or of all
    before_ms INTEGER NOT NULL,
    forget INTEGER NOT NULL,   -- 1: an open alert goes, too
    stage INTEGER NOT NULL DEFAULT 0, reached INTEGER NOT NULL DEFAULT 0  -- is it done, and how many rows went so far
)""",
    """
CREATE TABLE maintenance (  -- begun by hand: the newest one of each site; any process may write here
    host TEXT PRIMARY KEY, from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL
) WITHOUT ROWID""",
    """
CREATE TABLE notifications (
    channel TEXT NOT NULL, host TEXT NOT NULL, time_ms INTEGER NOT NULL, event TEXT NOT NULL,
    start_ms INTEGER NOT NULL,  -- when the outage began, the certificate expires
    record TEXT NOT NULL,      -- the alert record (JSON)
    state TEXT NOT NULL, done_ms INTEGER, reason TEXT,
    PRIMARY KEY (channel, host, time_ms, event)
) WITHOUT ROWID""",
    "CREATE INDEX notifications_pending ON notifications (channel) WHERE state = 'pending'",
    "CREATE INDEX notifications_time ON notifications (time_ms)",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
)
"""A new file."""

_COLUMNS = ("id", *(field.column for field in CHECK_FIELDS))
CHECK_COLUMNS = ", ".join(_COLUMNS)
_STORED = ["id", *filter(None, (STORED_IN.get(field.column, field.column) for field in CHECK_FIELDS))]
INSERT_CHECK = f"INSERT OR REPLACE INTO checks ({', '.join(_STORED)}) VALUES ({', '.join('?' * len(_STORED))})"

ALERT_COLUMNS = "id, type, start_ms, end_ms, availability, cause, detail"
INSERT_ALERT = f"INSERT OR REPLACE INTO alerts ({ALERT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"

COVERS, STATUS, RESPONSE, CAUSE, DETAIL = map(_COLUMNS.index, ("covers", "status", "response", "cause", "detail"))
CERTIFICATE, MAINTENANCE = map(_COLUMNS.index, ("certificate", "maintenance"))
PHASES_FROM = len(CHECK_FIELDS) + 1 - len(PHASES)
"""Their places in a row of `CHECK_COLUMNS`."""


def first_key(time_ms: int) -> int:
    """The smallest key of a moment. A half-open window is `first_key(from) <= id < first_key(until)`."""
    return time_ms << SITE_BITS


def time_of(key: int) -> int:
    return key >> SITE_BITS


def site_of(key: int) -> int:
    return key & SITE_MASK


def inside(window: Window, sites: Collection[int] | None = None) -> tuple[str, dict[str, Any]]:
    """A condition on keys, with its parameters: in this window, of these sites (None: of all)."""
    return between(first_key(window.from_ms), first_key(window.until_ms) - 1, sites)


def between(first: int, last: int, sites: Collection[int] | None = None) -> tuple[str, dict[str, Any]]:
    """A condition on keys, with its parameters: from the first to the last one, of these sites (None: of all).

    SQLite keeps each text of a statement that was prepared, so the text names no values.
    """
    where = "id BETWEEN :first AND :last"
    values: dict[str, Any] = {"first": first, "last": last}
    if sites is None:
        return where, values
    if isinstance(sites, range):
        ends = {"first_site": sites.start, "last_site": sites.stop - 1}
        return f"{where} AND {SITE} BETWEEN :first_site AND :last_site", values | ends
    return f"{where} AND {SITE} IN (SELECT value FROM json_each(:sites))", values | {"sites": json.dumps(list(sites))}


def check_row(check: CheckResult, site: int) -> Row:
    """For `INSERT_CHECK`."""
    return stored_row((first_key(check.time_ms) | site, *fields.values(check)))


def stored_row(row: Iterable[Any]) -> Row:
    """A row for `INSERT_CHECK` from one of `CHECK_COLUMNS`, whose cause may be a `Cause` or its number."""
    values = list(row)
    response, cause = values[RESPONSE], values[CAUSE]
    if response is not None:
        values[RESPONSE] = response - sum(filter(None, values[PHASES_FROM:]))
    if isinstance(cause, str):
        values[CAUSE] = CAUSE_NUMBERS[cause]  # type: ignore[index]
    values[DETAIL] = values[DETAIL] or None
    values[STATUS] -= 200
    if values.pop(MAINTENANCE):
        values[COVERS] *= -1
    return tuple(values)


def check_from_row(row: Row, hosts: Mapping[int, str]) -> CheckResult:
    """From a row of `CHECK_COLUMNS`."""
    key, *found = row
    cause = row[CAUSE]
    if cause is not None:
        found[CAUSE - 1] = CAUSES[cause]
    found[DETAIL - 1] = row[DETAIL] or ""
    return fields.check_of(hosts[key & SITE_MASK], key >> SITE_BITS, found)


def alert_row(alert: Alert, site: int) -> Row:
    """For `INSERT_ALERT`."""
    cause = None if alert.cause is None else CAUSE_NUMBERS[alert.cause]
    values = (str(alert.type), alert.start_ms, alert.end_ms, alert.availability, cause, alert.detail or None)
    return (first_key(alert.time_ms) | site, *values)


def alert_from_row(row: Row, hosts: Mapping[int, str]) -> Alert:
    """From a row of `ALERT_COLUMNS`."""
    key, kind, start_ms, end_ms, availability, cause, detail = row
    return Alert(
        type=AlertType(kind),
        host=hosts[key & SITE_MASK],
        time_ms=key >> SITE_BITS,
        start_ms=start_ms,
        end_ms=end_ms,
        availability=availability,
        cause=None if cause is None else CAUSES[cause],
        detail=detail or "",
    )
