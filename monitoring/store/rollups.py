"""What the minutes of an hour and of a day add up to: for windows longer than a day, and longer than checks are kept.

A row of `hours` is the sum of the site's rows of `minutes` that are or were in the file, and of late checks that
retention took; a row of `days` the sum of its rows of `hours`. They grow in the transaction that packs a minute, so
no hour waits to be added up. Checks that came late are in neither while they are in table `checks`.
"""

import sqlite3
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from monitoring.models import Window
from monitoring.stats import DAY_MS, HOUR_MS, is_long
from monitoring.store import packing, position
from monitoring.store.blocks import MINUTE_MS, SiteColumns, block_key
from monitoring.store.schema import RESULT_COLUMNS, ROLLED_SUMS, SITE_BITS, SITE_MASK, SUMS, Row, first_key
from monitoring.store.sums import Sums

LENGTHS_MS: Mapping[str, int] = {"hours": HOUR_MS, "days": DAY_MS}
"""How long a row of each table is."""

COLUMNS = (*ROLLED_SUMS, "last_failure", "statuses", "causes", "shortest", "longest", "sketch")

MINUTES_AT_ONCE = 10_000
ROWS_AT_ONCE = 300
"""How many rows go in one step: some milliseconds of work."""

_rolled_sums = itemgetter(*map(SUMS.index, ROLLED_SUMS))


def _extreme(pick: str, column: str) -> str:
    """MIN or MAX of a column's old and new values, where one of them may be NULL."""
    return f"{pick}(IFNULL({column}, excluded.{column}), IFNULL(excluded.{column}, {column}))"


_GROWN = {
    **{column: f"{column} + excluded.{column}" for column in ROLLED_SUMS},
    "last_failure": _extreme("MAX", "last_failure"),
    "statuses": "add_counts(statuses, excluded.statuses)",
    "causes": "add_counts(causes, excluded.causes)",
    "shortest": _extreme("MIN", "shortest"),
    "longest": _extreme("MAX", "longest"),
    "sketch": "add_sketches(sketch, excluded.sketch)",
}
_GROW = f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{column} = {value}' for column, value in _GROWN.items())}"

_ADD = {table: f"INSERT INTO {table} VALUES ({', '.join('?' * (len(COLUMNS) + 1))}) {_GROW}" for table in LENGTHS_MS}

_SITE = f"(id & {SITE_MASK})"
_OF_SITES = f"id >= :first AND id < :last AND {_SITE} BETWEEN :first_site AND :last_site"
_ADD_HOURS_TO_DAY = f"INSERT INTO days SELECT :first | {_SITE}, {', '.join(COLUMNS)} FROM hours WHERE {_OF_SITES} {_GROW}"


def prepare(connection: sqlite3.Connection) -> None:
    """Make a connection fit to write hours and days."""
    connection.create_function("add_counts", 2, _add_counts, deterministic=True)
    connection.create_function("add_sketches", 2, _add_sketches, deterministic=True)


def _add_counts(one: str | None, other: str | None) -> str | None:
    return packing.counted(packing.counts([text for text in (one, other) if text]))


def _add_sketches(one: bytes, other: bytes) -> bytes:
    from monitoring import sketch

    return sketch.pack(sketch.unpack(one) + sketch.unpack(other))


# Growing


def of_minutes(minutes: Iterable[Row]) -> list[Row]:
    """What rows of `minutes` add to hours and days: key and `COLUMNS`."""
    return [(key, *_rolled((*values, array("I", times)))) for key, *values, times in minutes]


def _rolled(summed: Sequence[Any]) -> Row:
    """The values of `COLUMNS`, from those of `packing.sum_up`."""
    from monitoring import sketch

    *_, last_failure, statuses, causes, times = summed
    shortest, longest = (times[0], times[-1]) if times else (None, None)
    return (*_rolled_sums(summed), last_failure, statuses, causes, shortest, longest, sketch.pack(sketch.of(times)))


def begin(connection: sqlite3.Connection) -> None:
    """Those of a file that was written before there were any are added up from its minutes."""
    if connection.execute("SELECT EXISTS (SELECT 1 FROM hours)").fetchone()[0]:
        return
    minutes = connection.execute("SELECT * FROM minutes ORDER BY id")
    while some := minutes.fetchmany(MINUTES_AT_ONCE):
        add(connection, of_minutes(some))


def add(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add these to the hours and days that they lie in."""
    for table in LENGTHS_MS:
        _add(connection, table, rows)


def _add(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    length_ms = LENGTHS_MS[table]
    connection.executemany(_ADD[table], [(_start(key, length_ms), *values) for key, *values in rows])


def _start(key: int, length_ms: int) -> int:
    """The key of the hour or day that this one lies in."""
    return key - first_key((key >> SITE_BITS) % length_ms)


def add_checks(connection: sqlite3.Connection, last: int) -> None:
    """Add the checks of table `checks` up to the key `last`, which are about to be deleted."""
    rows = connection.execute(f"SELECT {RESULT_COLUMNS} FROM checks WHERE id <= ? ORDER BY id", (last,)).fetchall()
    for minute_ms, group in groupby(rows, lambda row: block_key(row[0]) >> SITE_BITS):
        by_site = packing.measured_by_site(SiteColumns.of(group))
        sums = [(first_key(minute_ms) | site, *_rolled(packing.sum_up(minute_ms, measured))) for site, measured in by_site]
        add(connection, sums)


# Shrinking


def delete_some(connection: sqlite3.Connection, before_ms: int) -> bool:
    """Delete the oldest hours, or days, that were over at this moment; were there any?"""
    for table, length_ms in LENGTHS_MS.items():
        oldest = f"SELECT id FROM {table} WHERE id < ? ORDER BY id LIMIT {ROWS_AT_ONCE}"
        end = first_key(before_ms // length_ms * length_ms)
        if connection.execute(f"DELETE FROM {table} WHERE id IN ({oldest})", (end,)).rowcount:
            return True
    return False


def delete_of(connection: sqlite3.Connection, site: int, after_ms: int, until_ms: int) -> None:
    """Delete the hours and days of a site that ended after the first and at the second moment at the latest."""
    for table, length_ms in LENGTHS_MS.items():
        ends = range(_ceil(after_ms + 1, length_ms), until_ms + 1, length_ms)
        keys = [(first_key(end_ms - length_ms) | site,) for end_ms in ends]
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", keys)


def add_up_anew(connection: sqlite3.Connection, sites: range, cut_ms: int) -> None:
    """The hour and the day that this moment lies in, of these sites: what was before it is gone."""
    for table, length_ms in LENGTHS_MS.items():
        start_ms = cut_ms // length_ms * length_ms
        if start_ms == cut_ms:
            continue
        span = _keys(Window(start_ms, start_ms + length_ms)) | {"first_site": sites.start, "last_site": sites.stop - 1}
        connection.execute(f"DELETE FROM {table} WHERE {_OF_SITES}", span)
        if table == "hours":
            _add(connection, table, of_minutes(connection.execute(f"SELECT * FROM minutes WHERE {_OF_SITES}", span)))
        else:
            connection.execute(_ADD_HOURS_TO_DAY, span)


def oldest_ms(connection: sqlite3.Connection, site: int | None, before_ms: int) -> int | None:
    """The start of the first hour of a site (None: of any) that began before this moment; None when there is none."""
    begin, chosen = 0, ""
    if site is not None:
        chosen = f"AND {_SITE} = {site}"
        day = f"SELECT id FROM days WHERE id < ? {chosen} ORDER BY id LIMIT 1"
        begin = next(connection.execute(day, (first_key(before_ms),)), (first_key(before_ms),))[0]
    hour = f"SELECT id FROM hours WHERE id >= ? AND id < ? {chosen} ORDER BY id LIMIT 1"
    found = connection.execute(hour, (begin, first_key(before_ms))).fetchone()
    return int(found[0]) >> SITE_BITS if found else None


def has_some(connection: sqlite3.Connection, site: int, from_ms: int) -> bool:
    """Has this site a day that was not over at this moment?"""
    newest = connection.execute("SELECT MAX(id) FROM days").fetchone()[0] or 0
    keys = range(first_key(from_ms // DAY_MS * DAY_MS) | site, newest + 1, first_key(DAY_MS))
    return any(connection.execute("SELECT 1 FROM days WHERE id = ?", (key,)).fetchone() for key in keys)


# Asking

INSIDE = "id >= :first AND id < :last"

_SUMS = ", ".join(f"SUM({column})" if column in ROLLED_SUMS else "0" for column in SUMS)
_QUERY_SUMS = f"""
SELECT {_SITE}, {_SUMS}, MAX(last_failure), GROUP_CONCAT(statuses), GROUP_CONCAT(causes), MIN(shortest), MAX(longest)
FROM {{table}} WHERE {INSIDE} GROUP BY 1
"""
_QUERY_SKETCHES = f"SELECT {_SITE}, sketch FROM {{table}} WHERE {INSIDE}"
_QUERY_MARKS = f"""
SELECT {_SITE}, (id >> {SITE_BITS}) / :width - :start, SUM(responses_count), SUM(responses_sum), SUM(checks - good)
FROM {{table}} WHERE {INSIDE} GROUP BY 1, 2
"""

Part = tuple[str, Window]
"""A table, and a span of time that is to be read in it."""


@dataclass(frozen=True, slots=True)
class Spans:
    """What of a window is read where: whole hours from `hours`, those of the whole days in them also from `days`."""

    hours: Window
    days: Window
    rest: tuple[Window, ...]

    @classmethod
    def of(cls, window: Window, reach_ms: int) -> "Spans":
        """`reach_ms`: until when hours and days tell all of it, a whole hour; one after the window: all that was packed."""
        first = _ceil(window.from_ms, HOUR_MS)
        if not is_long(window) or first >= reach_ms:
            return cls(Window(first, first), Window(first, first), (window,))
        rest = (Window(window.from_ms, first), Window(min(reach_ms, window.until_ms), window.until_ms))
        midnight = min(_ceil(first, DAY_MS), reach_ms)
        return cls(Window(first, reach_ms), Window(midnight, max(midnight, reach_ms // DAY_MS * DAY_MS)), rest)

    def parts(self) -> tuple[Part, ...]:
        """Together all of the hours."""
        before, after = Window(self.hours.from_ms, self.days.from_ms), Window(self.days.until_ms, self.hours.until_ms)
        return ("hours", before), ("days", self.days), ("hours", after)


def reach_ms(connection: sqlite3.Connection, window: Window) -> int:
    """For `Spans.of`. The hour and the day that a window ends in count whole when nothing after it was packed yet."""
    reached = position.load(connection)
    packed_until_ms = reached.minute_ms + (MINUTE_MS if reached.site else 0)
    if packed_until_ms <= window.until_ms:
        return _ceil(window.until_ms, DAY_MS)
    return window.until_ms // HOUR_MS * HOUR_MS


def add_up(connection: sqlite3.Connection, sums: Mapping[int, Sums], spans: Spans, grid: dict[str, int]) -> None:
    """Add what hours and days tell to the sums of each site; `grid` says where its marks are."""
    for table, span in spans.parts():
        for site, *values in connection.execute(_QUERY_SUMS.format(table=table), _keys(span)):
            sums[site].add_rolled(values)
        for site, packed in connection.execute(_QUERY_SKETCHES.format(table=table), _keys(span)):
            sums[site].add_sketch(packed)
    for table, span in spans.parts() if grid["width"] % DAY_MS == 0 else (("hours", spans.hours),):
        for site, *mark in connection.execute(_QUERY_MARKS.format(table=table), _keys(span) | grid):
            sums[site].add_mark(*mark)


def _ceil(time_ms: int, length_ms: int) -> int:
    return -(-time_ms // length_ms) * length_ms


def _keys(span: Window) -> dict[str, int]:
    return {"first": first_key(span.from_ms), "last": first_key(span.until_ms)}
