"""What the minutes of an hour and of a day add up to: for windows longer than a day, and longer than checks are kept.

A row of `hours` is the sum of the site's rows of `minutes` that are or were in the file, and of late checks that
retention took; a row of `days` the sum of its rows of `hours`. They grow in the transaction that packs a minute, so
no hour waits to be added up. Checks that came late are in neither while they are in table `checks`.
"""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
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

_ROW = f"({', '.join('?' * (len(COLUMNS) + 1))})"

Place = tuple[str, int]
"""A table, and the key of a row in it: of the start of its hour or day."""

_SITE = f"(id & {SITE_MASK})"
_OF_SITES = f"id >= :first AND id < :last AND {_SITE} BETWEEN :first_site AND :last_site"


# Growing


def merge(parts: Sequence[Row]) -> Row:
    """What rows of `COLUMNS`, one at least, add up to."""
    if len(parts) == 1:
        return parts[0]
    from monitoring import sketch

    *sums, last_failures, statuses, causes, shortest, longest, sketches = zip(*parts, strict=True)
    return (
        *map(sum, sums),
        max(_known(last_failures), default=None),
        packing.counted(packing.counts(_known(statuses))),
        packing.counted(packing.counts(_known(causes))),
        min(_known(shortest), default=None),
        max(_known(longest), default=None),
        sketch.pack(sum(map(sketch.unpack, sketches))),
    )


def _known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


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


def add(connection: sqlite3.Connection, rows: Sequence[Row]) -> list[Place]:
    """Add these to the hours and days that they lie in; returns which those are."""
    return [place for table in LENGTHS_MS for place in put(connection, table, rows)]


def put(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> list[Place]:
    """The same of one table."""
    parts: dict[int, list[Row]] = {}
    for key, *values in rows:
        parts.setdefault(start(key, LENGTHS_MS[table]), []).append(tuple(values))
    for _, group in groupby(sorted(parts), lambda key: key >> SITE_BITS):
        keys = list(group)
        stored = connection.execute(f"SELECT * FROM {table} WHERE id BETWEEN ? AND ?", (keys[0], keys[-1]))
        for key, *values in stored:
            if key in parts:
                parts[key].append(tuple(values))
    merged = [(key, *merge(together)) for key, together in parts.items()]
    connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES {_ROW}", merged)
    return [(table, key) for key in parts]


def start(key: int, length_ms: int) -> int:
    """The key of the hour or day that this one lies in."""
    return key - first_key((key >> SITE_BITS) % length_ms)


def of_checks(rows: Iterable[Row]) -> Iterator[Row]:
    """What rows of table `checks` (`schema.RESULT_COLUMNS`) in order of time add to hours and days: key and `COLUMNS`."""
    for minute_ms, group in groupby(rows, lambda row: block_key(row[0]) >> SITE_BITS):
        for site, measured in packing.measured_by_site(SiteColumns.of(group)):
            yield first_key(minute_ms) | site, *_rolled(packing.sum_up(minute_ms, measured))


def add_checks(connection: sqlite3.Connection, last: int) -> None:
    """Add the checks of table `checks` up to the key `last`, which are about to be deleted."""
    rows = connection.execute(f"SELECT {RESULT_COLUMNS} FROM checks WHERE id <= ? ORDER BY id", (last,))
    add(connection, list(of_checks(rows)))


# Shrinking


def delete_some(connection: sqlite3.Connection, before_ms: int) -> bool:
    """Delete the oldest hours, or days, that were over at this moment; were there any?"""
    for table, length_ms in LENGTHS_MS.items():
        oldest = f"SELECT id FROM {table} WHERE id < ? ORDER BY id LIMIT {ROWS_AT_ONCE}"
        end = first_key(before_ms // length_ms * length_ms)
        if connection.execute(f"DELETE FROM {table} WHERE id IN ({oldest})", (end,)).rowcount:
            return True
    return False


def delete_of(connection: sqlite3.Connection, site: int, after_ms: int, until_ms: int) -> list[Place]:
    """Delete the hours and days of a site that ended after the first and at the second moment at the latest: these."""
    places = [
        (table, first_key(end_ms - length_ms) | site)
        for table, length_ms in LENGTHS_MS.items()
        for end_ms in range(_ceil(after_ms + 1, length_ms), until_ms + 1, length_ms)
    ]
    return [(table, key) for table, key in places if _delete(connection, table, key)]


def _delete(connection: sqlite3.Connection, table: str, key: int) -> bool:
    return bool(connection.execute(f"DELETE FROM {table} WHERE id = ?", (key,)).rowcount)


def add_up_anew(connection: sqlite3.Connection, sites: range, cut_ms: int) -> list[Place]:
    """What lay before this moment is gone: add up the hour and the day that it cuts, of these sites; returns which."""
    changed: list[Place] = []
    for source, (table, length_ms) in zip(("minutes", "hours"), LENGTHS_MS.items(), strict=True):
        start_ms = cut_ms // length_ms * length_ms
        if start_ms < cut_ms:
            span = _keys(Window(start_ms, start_ms + length_ms)) | {"first_site": sites.start, "last_site": sites.stop - 1}
            changed += [(table, key) for (key,) in connection.execute(f"SELECT id FROM {table} WHERE {_OF_SITES}", span)]
            connection.execute(f"DELETE FROM {table} WHERE {_OF_SITES}", span)
            rows = connection.execute(f"SELECT * FROM {source} WHERE {_OF_SITES}", span).fetchall()
            put(connection, table, rows if source == "hours" else of_minutes(rows))
    return changed


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
    """What of a window is read where: whole hours from `hours` and `days`, the rest from minutes."""

    rolled: tuple[Window, ...]
    rest: tuple[Window, ...]

    @classmethod
    def of(cls, window: Window, told: Iterable[Window]) -> "Spans":
        """`told` are, in order of time, the spans of which hours and days tell all. Of a long window only."""
        rolled, rest, begin_ms = [], [], window.from_ms
        for span in told if is_long(window) else ():
            whole = Window(_ceil(max(span.from_ms, window.from_ms), HOUR_MS), span.until_ms // HOUR_MS * HOUR_MS)
            if whole.length_ms > 0:
                rest.append(Window(begin_ms, whole.from_ms))
                rolled.append(whole)
                begin_ms = whole.until_ms
        rest.append(Window(begin_ms, window.until_ms))
        return cls(tuple(rolled), tuple(span for span in rest if span.length_ms > 0))

    def parts(self) -> tuple[Part, ...]:
        """Where all of `rolled` is read, days where they are whole."""
        return tuple(chain.from_iterable(map(_parts, self.rolled)))

    def mark_parts(self, width_ms: int) -> tuple[Part, ...]:
        """The same for marks of this length, which may be shorter than days."""
        return self.parts() if width_ms % DAY_MS == 0 else tuple(("hours", span) for span in self.rolled)


def _parts(span: Window) -> tuple[Part, ...]:
    midnight = min(_ceil(span.from_ms, DAY_MS), span.until_ms)
    last = max(midnight, span.until_ms // DAY_MS * DAY_MS)
    return (
        ("hours", Window(span.from_ms, midnight)),
        ("days", Window(midnight, last)),
        ("hours", Window(last, span.until_ms)),
    )


def told(connection: sqlite3.Connection, window: Window) -> tuple[Window, ...]:
    """For `Spans.of`: of a file that packs its minutes, what was packed.

    The hour and the day that the window ends in count whole when nothing after it is packed yet.
    """
    reached = position.load(connection)
    packed_until_ms = reached.minute_ms + (MINUTE_MS if reached.site else 0)
    whole_ms = DAY_MS if packed_until_ms <= window.until_ms else 1
    return (Window(0, _ceil(window.until_ms, whole_ms)),)


def add_up(connection: sqlite3.Connection, sums: Mapping[int, Sums], spans: Spans, grid: dict[str, int]) -> None:
    """Add what hours and days tell to the sums of each site; `grid` says where its marks are."""
    for table, span in spans.parts():
        for site, *values in connection.execute(_QUERY_SUMS.format(table=table), _keys(span)):
            sums[site].add_rolled(values)
        for site, packed in connection.execute(_QUERY_SKETCHES.format(table=table), _keys(span)):
            sums[site].add_sketch(packed)
    for table, span in spans.mark_parts(grid["width"]):
        for site, *mark in connection.execute(_QUERY_MARKS.format(table=table), _keys(span) | grid):
            sums[site].add_mark(*mark)


def _ceil(time_ms: int, length_ms: int) -> int:
    return -(-time_ms // length_ms) * length_ms


def _keys(span: Window) -> dict[str, int]:
    return {"first": first_key(span.from_ms), "last": first_key(span.until_ms)}
