"""How checks and alerts lie in the local SQLite file.

A check's primary key is its time and its site in one integer, `time_ms << 20 | site`: the table is clustered by time,
a window is a range of keys, and the same check written twice is the same row. `batch` names the commit that brought
it: an outbox entry is one commit not yet delivered, a few bytes however many checks it holds.

Minutes that are over are moved out of `checks` (see `packer`). What they add up to is in `minutes`, one row a site and
minute; the checks themselves are in `blocks`, one row a minute and part (a hundred sites by number). `checks` keeps
what is newer and what came late. `minutes` and `checks` together count everything once; so do `blocks` and `checks`.

What minutes add up to, and late checks that retention took, is added to `hours` and `days` as well (see `rollups`).
Those stay when minutes and blocks go.

What a new file took over from a database (see `takeover`) stands apart: `earlier_checks` are in nothing of the above, and
the alerts have a batch that no outbox entry has. None of it is delivered.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from monitoring.models import PHASES, Alert, AlertType, Cause, CheckResult

SITE_BITS = 20
SITE_MASK = (1 << SITE_BITS) - 1

SCHEMA_VERSION = 3

# The columns of `minutes` that are plain sums: of checks, milliseconds, microseconds.
SUMS = (
    *("checks", "good", "covers", "good_covers", "failures_first_half"),
    *("responses_count", "responses_sum", "responses_count_first_half", "responses_sum_first_half"),
    *(f"{phase}_{what}" for phase in PHASES for what in ("count", "sum")),
)
INSERT_MINUTE = f"INSERT INTO minutes VALUES ({', '.join('?' * (len(SUMS) + 5))})"

# Those that hours and days have: their halves are in no mark of their own.
ROLLED_SUMS = tuple(column for column in SUMS if not column.endswith("_first_half"))


def _rolled(table: str) -> str:
    return f"""
CREATE TABLE IF NOT EXISTS {table} (
    id INTEGER PRIMARY KEY,    -- the start of the hour or day (UTC) and the site, as in checks
    {", ".join(f"{column} INTEGER NOT NULL" for column in ROLLED_SUMS)},
    last_failure INTEGER, statuses TEXT, causes TEXT,  -- as in minutes
    shortest INTEGER, longest INTEGER,  -- response times of available checks; NULL: there was none
    sketch BLOB NOT NULL       -- the same response times, see sketch.pack
);
"""


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sites (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a number that was a site's is never another one's
    host TEXT NOT NULL UNIQUE,
    history TEXT               -- where it stood at the end of what is packed: the values of a models.History, JSON
);
CREATE TABLE IF NOT EXISTS checks (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    covers INTEGER NOT NULL,   -- milliseconds
    lag INTEGER NOT NULL,      -- microseconds, like all times below
    status INTEGER NOT NULL,
    response INTEGER, resolve INTEGER, connect INTEGER, tls INTEGER, processing INTEGER, transfer INTEGER,
    cause INTEGER,             -- NULL: available; else its place in CAUSES
    detail TEXT
);
CREATE INDEX IF NOT EXISTS failed_checks ON checks (id, covers, status, cause) WHERE cause IS NOT NULL;
CREATE TABLE IF NOT EXISTS minutes (
    id INTEGER PRIMARY KEY,    -- the minute's start and the site, as in checks
    {", ".join(f"{column} INTEGER NOT NULL" for column in SUMS)},
    last_failure INTEGER,      -- milliseconds
    statuses TEXT, causes TEXT,  -- how often each occurred, "200:29,503:1"; NULL: none did
    responses BLOB NOT NULL    -- response times of available checks in order, four bytes each (array "I")
);
{_rolled("hours")}
{_rolled("days")}
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY,    -- the minute's start and the part's first site, as in checks
    checks INTEGER NOT NULL,   -- how many
    data BLOB NOT NULL         -- see module blocks
);
CREATE INDEX IF NOT EXISTS block_sizes ON blocks (id, checks);  -- to count without reading what lies in between
CREATE TABLE IF NOT EXISTS blocks_due (
    id INTEGER PRIMARY KEY,    -- of a block that is to be sent (again); those after `due.Mark` are to be sent anyway
    version INTEGER NOT NULL,  -- another number each time that its contents change
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS blocks_due_since ON blocks_due (created_ms);
CREATE TABLE IF NOT EXISTS rollups_due (
    length_ms INTEGER NOT NULL,
    id INTEGER NOT NULL,       -- the start of an hour or day that is to be sent when it is over, and a part's first site
    version INTEGER NOT NULL, created_ms INTEGER NOT NULL,  -- as in blocks_due
    PRIMARY KEY (length_ms, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    type TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER, availability REAL NOT NULL, cause INTEGER
);
CREATE TABLE IF NOT EXISTS earlier_checks (
    id INTEGER PRIMARY KEY,    -- as in checks, of which no check is here: they lie in a database, and count for alerts only
    covers INTEGER NOT NULL, cause INTEGER
);
CREATE TABLE IF NOT EXISTS outbox (
    batch INTEGER PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    whole INTEGER NOT NULL,    -- 1: stands for all that lies in its range of keys; 0: for the commit of its number
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    points INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS purges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT,                 -- NULL: all sites
    before_ms INTEGER NOT NULL,
    forget INTEGER NOT NULL,   -- 1: all that is known of the site goes, an open alert too
    reached INTEGER,           -- blocks with smaller keys are done; NULL: nothing is done yet
    state INTEGER NOT NULL     -- see purge.State
);
CREATE TABLE IF NOT EXISTS dead_letters (
    at_ms INTEGER NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL, time_ms INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

CAUSES = tuple(Cause)
CAUSE_NUMBERS: Mapping[Cause, int] = {cause: number for number, cause in enumerate(CAUSES)}

Row = tuple[Any, ...]


class Columns(NamedTuple):
    """The columns of table `checks` that make a check, in their order."""

    id: Sequence[int]
    covers: Sequence[int]
    lag: Sequence[int]
    status: Sequence[int]
    response: Sequence[int | None]
    resolve: Sequence[int | None]
    connect: Sequence[int | None]
    tls: Sequence[int | None]
    processing: Sequence[int | None]
    transfer: Sequence[int | None]
    cause: Sequence[int | None]
    detail: Sequence[str | None]


RESULT_COLUMNS = ", ".join(Columns._fields)
COVERS, STATUS, RESPONSE, CAUSE = map(Columns._fields.index, ("covers", "status", "response", "cause"))
"""Where these stand in a row."""
INSERT_RESULT = f"INSERT OR REPLACE INTO checks ({RESULT_COLUMNS}, batch) VALUES ({', '.join('?' * 13)})"

ALERT_COLUMNS = "id, type, start_ms, end_ms, availability, cause"
INSERT_ALERT = f"INSERT OR REPLACE INTO alerts ({ALERT_COLUMNS}, batch) VALUES ({', '.join('?' * 7)})"

SINGLE_CHECKS = ("checks", "earlier_checks")
"""The tables whose rows are checks, as alerts see them."""

TAKEN_OVER = 0
"""The batch of alerts that came from a database: there is no outbox entry of this number."""
INSERT_EARLIER = "INSERT OR REPLACE INTO earlier_checks (id, covers, cause) VALUES (?, ?, ?)"


def first_key(time_ms: int) -> int:
    """The smallest key of a moment: `first_key(from) <= id < first_key(until)` is a half-open window."""
    return time_ms << SITE_BITS


def result_row(result: CheckResult, site: int, batch: int) -> Row:
    return (
        first_key(result.time_ms) | site,
        result.covers_ms,
        result.lag_us,
        result.status,
        result.response_us,
        *result.phases_us,
        None if result.cause is None else CAUSE_NUMBERS[result.cause],
        result.detail or None,
        batch,
    )


def result_from_row(row: Row, hosts: Mapping[int, str]) -> CheckResult:
    """Without names of arguments and loops: it runs for every check that is read, and takes a third less so."""
    key, covers, lag, status, response, resolve, connect, tls, processing, transfer, cause, detail = row
    phases = resolve, connect, tls, processing, transfer
    host, time_ms, why = hosts[key & SITE_MASK], key >> SITE_BITS, cause_from_number(cause)
    return CheckResult(host, time_ms, covers, lag, status, response, phases, why, detail or "")


def alert_row(alert: Alert, site: int, batch: int) -> Row:
    cause = None if alert.cause is None else CAUSE_NUMBERS[alert.cause]
    key = first_key(alert.time_ms) | site
    return (key, str(alert.type), alert.start_ms, alert.end_ms, alert.availability, cause, batch)


def alert_from_row(row: Row, hosts: Mapping[int, str]) -> Alert:
    key, kind, start_ms, end_ms, availability, cause = row
    return Alert(
        type=AlertType(kind),
        host=hosts[key & SITE_MASK],
        time_ms=key >> SITE_BITS,
        start_ms=start_ms,
        end_ms=end_ms,
        availability=availability,
        cause=cause_from_number(cause),
    )


def earlier_row(check: CheckResult, site: int) -> Row:
    """The row of `earlier_checks`."""
    return first_key(check.time_ms) | site, check.covers_ms, None if check.cause is None else CAUSE_NUMBERS[check.cause]


def cause_from_number(number: int | None) -> Cause | None:
    return None if number is None else CAUSES[number]
