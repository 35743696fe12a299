"""Windows of checks, answered from any SQLite connection that has the tables of `schema.SCHEMA`.

Minutes that lie whole in a window are answered from `minutes`; those that its ends cut through (all of them, where the
marks of the sparkline do) from the checks in their blocks; what is not packed from `checks`. Of windows longer than a day
whole hours are answered from `hours` and `days` (see `rollups`). SQLite adds up with the interpreter's lock released and
hands over a few rows a site; Python only merges those.
"""

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from monitoring.models import PHASES, CheckResult, Downtime, Failure, SiteStats, Window
from monitoring.stats import LONG_MARK_MS, bucket_range, bucket_width_ms, is_long
from monitoring.store import rollups
from monitoring.store.blocks import MINUTE_MS, PART_SITES, PackedChecks, Span
from monitoring.store.packing import MEASURED, Measured, add_up
from monitoring.store.schema import (
    CAUSES,
    RESULT_COLUMNS,
    SINGLE_CHECKS,
    SITE_BITS,
    SITE_MASK,
    SUMS,
    cause_from_number,
    first_key,
    result_from_row,
)
from monitoring.store.sums import Sums

SITE = f"id & {SITE_MASK}"
TIME = f"(id >> {SITE_BITS})"
MARK = f"{TIME} / :width - :start"
"""The place of a moment's mark in the sparkline."""
INSIDE = "id >= :first AND id < :last"

# Site by site and minute by minute: the rows come in the order of their groups, and nothing needs to be sorted.
MINUTE_SUMS = f"""
WITH RECURSIVE spans (first) AS MATERIALIZED (
    SELECT (SELECT MIN(id) FROM minutes WHERE {INSIDE}) >> {SITE_BITS} << {SITE_BITS}
    UNION ALL
    SELECT (SELECT MIN(id) FROM minutes WHERE id >= spans.first + {first_key(MINUTE_MS)} AND id < :last)
        >> {SITE_BITS} << {SITE_BITS} FROM spans WHERE spans.first IS NOT NULL
)
SELECT sites.id, {", ".join(f"SUM({column})" for column in SUMS)}, MAX(last_failure),
    GROUP_CONCAT(statuses), GROUP_CONCAT(causes), CAST(GROUP_CONCAT(responses, '') AS BLOB)
FROM sites CROSS JOIN spans CROSS JOIN minutes ON minutes.id = spans.first | sites.id GROUP BY sites.id
"""
# Where marks are whole minutes long.
MINUTE_MARKS = f"""
SELECT {SITE}, {MARK}, SUM(responses_count), SUM(responses_sum), SUM(checks - good)
FROM minutes WHERE {INSIDE} GROUP BY 1, 2
"""
# Elsewhere a minute's halves may lie in different marks.
HALF_MINUTE_MARKS = f"""
SELECT {SITE}, {MARK}, responses_count_first_half, responses_sum_first_half, failures_first_half
FROM minutes WHERE {INSIDE} UNION ALL
SELECT {SITE}, ({TIME} + {LONG_MARK_MS}) / :width - :start, responses_count - responses_count_first_half,
    responses_sum - responses_sum_first_half, checks - good - failures_first_half
FROM minutes WHERE {INSIDE}
"""

# One row for each site, mark and status; the first two in one number, which is quicker to sort by.
GOOD_CHECKS = f"""
SELECT (({SITE}) << 32) + {MARK}, status, GROUP_CONCAT(response), COUNT(*), SUM(covers),
    {", ".join(f"COUNT({times}), IFNULL(SUM({times}), 0)" for times in ("response", *PHASES))}
FROM checks NOT INDEXED WHERE {INSIDE} AND cause IS NULL GROUP BY 1, 2
"""
FAILED_SUMS = f"""
SELECT {SITE}, {MARK}, status, cause, MAX(id), COUNT(*), SUM(covers)
FROM checks WHERE {INSIDE} AND cause IS NOT NULL GROUP BY 1, 2, 3, 4
"""

CHOSEN = f"AND ({SITE}) IN (SELECT value FROM json_each(:sites))"
CHECK_DOWNTIME = f"""
SELECT {SITE}, COUNT(*), COUNT(cause), SUM(covers), SUM(covers * (cause IS NOT NULL))
FROM {{table}} WHERE {INSIDE} {{chosen}} GROUP BY 1
"""
MINUTE_DOWNTIME = f"""
SELECT {SITE}, SUM(checks), SUM(checks - good), SUM(covers), SUM(covers - good_covers)
FROM minutes WHERE {INSIDE} {{chosen}} GROUP BY 1
"""

FAILING_MINUTES = f"SELECT id, last_failure FROM minutes WHERE {INSIDE} AND good < checks"
FAILED_CHECKS = f"SELECT id, covers, cause FROM {{table}} WHERE {INSIDE} AND cause IS NOT NULL {CHOSEN}"
EARLIER_CHECKS = f"SELECT id, covers, cause FROM earlier_checks WHERE {INSIDE}"


def stats(connection: sqlite3.Connection, window: Window, told: Iterable[Window] = ()) -> dict[str, SiteStats]:
    """Statistics by host: equals `stats.summarise`. `told` are the spans of which hours and days tell all."""
    hosts = _hosts(connection)
    marks = bucket_range(window)
    sums = {site: Sums(len(marks), in_sketch=is_long(window)) for site in hosts}
    grid = {"width": bucket_width_ms(window), "start": marks.start}
    spans = rollups.Spans.of(window, told)
    rollups.add_up(connection, sums, spans, grid)
    for span in spans.rest:
        _add_packed(connection, sums, span, grid)
    _add_checks(connection, sums, _keys(window) | grid)
    return {hosts[site]: total.stats(hosts[site]) for site, total in sums.items() if total.checks}


def _add_packed(connection: sqlite3.Connection, sums: Mapping[int, Sums], span: Window, grid: dict[str, int]) -> None:
    """What minutes, and blocks of those that are cut, tell of a span."""
    width = grid["width"]
    whole, cut = whole_and_cut(span, divisible=width % LONG_MARK_MS == 0)
    _add_minutes(connection, sums, _keys(whole) | grid)
    pieces = (piece for part in cut for piece in _pieces(part, width, grid["start"]))
    for minute_ms, group in groupby(pieces, lambda piece: piece.minute_ms):
        _add_pieces(connection, sums, minute_ms, list(group))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part `[from_ms, until_ms)` of the minute that begins at `minute_ms`; its halves lie in the marks at these places."""

    minute_ms: int
    from_ms: int
    until_ms: int
    marks: tuple[int, int]

    def bounds(self, offsets: Sequence[int], span: Span) -> tuple[int, int]:
        """Where its checks stand among those of one site."""
        first = bisect_left(offsets, self.from_ms - self.minute_ms, span.first, span.last)
        return first, bisect_left(offsets, self.until_ms - self.minute_ms, first, span.last)


def whole_and_cut(window: Window, *, divisible: bool = True) -> tuple[Window, Sequence[Window]]:
    """The minutes that lie whole in the window, and what is left of it; nothing is whole if not `divisible`."""
    first = -(-window.from_ms // MINUTE_MS) * MINUTE_MS
    last = window.until_ms // MINUTE_MS * MINUTE_MS
    if not divisible or first >= last:
        return Window(first, first), (window,)
    return Window(first, last), (Window(window.from_ms, first), Window(last, window.until_ms))


def _pieces(span: Window, width: int, start: int) -> Iterator[Piece]:
    """A span of time in pieces that no end of a minute cuts through, and no end of a mark but at half a minute."""
    step = MINUTE_MS if width % LONG_MARK_MS == 0 else width
    begin = span.from_ms
    while begin < span.until_ms:
        minute_ms = begin // MINUTE_MS * MINUTE_MS
        end = min(minute_ms + MINUTE_MS, begin // step * step + step, span.until_ms)
        halves = (minute_ms, minute_ms + LONG_MARK_MS) if step == MINUTE_MS else (begin, begin)
        yield Piece(minute_ms, begin, end, (halves[0] // width - start, halves[1] // width - start))
        begin = end


def _add_minutes(connection: sqlite3.Connection, sums: Mapping[int, Sums], asked: Mapping[str, int]) -> None:
    for site, *values in connection.execute(MINUTE_SUMS, asked):
        sums[site].add(values)
    query = HALF_MINUTE_MARKS if asked["width"] % MINUTE_MS else MINUTE_MARKS
    for site, place, times, sum_us, failures in connection.execute(query, asked):
        sums[site].add_mark(place, times, sum_us, failures)


def _add_checks(connection: sqlite3.Connection, sums: Mapping[int, Sums], asked: Mapping[str, int]) -> None:
    for site_and_mark, *values in connection.execute(GOOD_CHECKS, asked):
        sums[site_and_mark >> 32].add_good(site_and_mark & 0xFFFFFFFF, *values)
    for site, *values in connection.execute(FAILED_SUMS, asked):
        sums[site].add_failed(*values)


def _add_pieces(connection: sqlite3.Connection, sums: Mapping[int, Sums], minute_ms: int, pieces: Sequence[Piece]) -> None:
    for _, first_site, checks in _blocks(connection, Window(minute_ms, minute_ms + MINUTE_MS)):
        offsets = checks.offsets()
        measured = Measured(offsets, *map(checks.column, MEASURED))
        for span in checks.spans:
            for piece in pieces:
                first, last = piece.bounds(offsets, span)
                if first < last:
                    sums[first_site + span.site].add_piece(piece.marks, add_up(minute_ms, measured.part(first, last)))


def _blocks(
    connection: sqlite3.Connection, window: Window, parts: Collection[int] | None = None
) -> Iterator[tuple[int, int, PackedChecks]]:
    """The blocks of the minutes in the window (of these parts only): minute, number of the first site, checks."""
    for key, data in connection.execute(f"SELECT id, data FROM blocks WHERE {INSIDE}", _keys(window)):
        site = key & SITE_MASK
        if parts is None or site // PART_SITES in parts:
            yield key >> SITE_BITS, site, PackedChecks(data)


def downtime(connection: sqlite3.Connection, window: Window, hosts: Collection[str] | None = None) -> dict[str, Downtime]:
    """What the alert rule needs, of these hosts only (None: of all): equals `stats.downtime`."""
    names = _hosts(connection, hosts)
    whole, cut = whole_and_cut(window)
    chosen = "" if hosts is None else CHOSEN
    sites = {"sites": json.dumps(list(names))}
    loose = [CHECK_DOWNTIME.format(table=table, chosen=chosen) for table in SINGLE_CHECKS]
    found = {site: [0, 0, 0, 0] for site in names}
    rows = [
        *chain.from_iterable(connection.execute(query, _keys(window) | sites) for query in loose),
        *connection.execute(MINUTE_DOWNTIME.format(chosen=chosen), _keys(whole) | sites),
        *(row for span in cut for piece in _pieces(span, MINUTE_MS, 0) for row in _downtime_rows(connection, piece, names)),
    ]
    for site, *numbers in rows:
        found[site] = [total + number for total, number in zip(found[site], numbers, strict=True)]
    return {names[site]: Downtime(*numbers) for site, numbers in found.items() if numbers[0]}


def _downtime_rows(
    connection: sqlite3.Connection, piece: Piece, sites: Collection[int]
) -> Iterator[tuple[int, int, int, int, int]]:
    """Rows as `CHECK_DOWNTIME` gives them, of the packed checks of a piece of a minute."""
    minute = Window(piece.minute_ms, piece.minute_ms + MINUTE_MS)
    for _, first_site, checks in _blocks(connection, minute, {site // PART_SITES for site in sites}):
        offsets, covers, causes = checks.offsets(), checks.column("covers"), checks.column("cause")
        for span in checks.spans:
            first, last = piece.bounds(offsets, span)
            if first < last and first_site + span.site in sites:
                down = [
                    cover for cover, cause in zip(covers[first:last], causes[first:last], strict=True) if cause is not None
                ]
                yield first_site + span.site, last - first, len(down), sum(covers[first:last]), sum(down)


def failures(connection: sqlite3.Connection, window: Window, hosts: Collection[str]) -> dict[str, list[Failure]]:
    """The failed checks of these hosts in order of time: equals `stats.failures`."""
    names = _hosts(connection, hosts)
    asked = _keys(window) | {"sites": json.dumps(list(names))}
    loose = chain.from_iterable(connection.execute(FAILED_CHECKS.format(table=table), asked) for table in SINGLE_CHECKS)
    found: dict[str, list[Failure]] = {}
    for key, covers, cause in chain(loose, _packed_failures(connection, window, names)):
        found.setdefault(names[key & SITE_MASK], []).append(Failure(key >> SITE_BITS, covers, CAUSES[cause]))
    return {host: sorted(failed, key=lambda failure: failure.time_ms) for host, failed in found.items()}


def _packed_failures(
    connection: sqlite3.Connection, window: Window, sites: Collection[int]
) -> Iterator[tuple[int, int, int]]:
    """Key, `covers` and number of the cause of each packed check of these sites that failed."""
    keys = _keys(_touched(window))
    failed = {key for key, _ in connection.execute(FAILING_MINUTES, keys) if key & SITE_MASK in sites}
    parts = {(key >> SITE_BITS, (key & SITE_MASK) // PART_SITES) for key in failed}
    for minute_ms in sorted({minute_ms for minute_ms, _ in parts}):
        wanted = {part for at_ms, part in parts if at_ms == minute_ms}
        for _, first_site, checks in _blocks(connection, Window(minute_ms, minute_ms + MINUTE_MS), wanted):
            columns = (checks.keys(first_key(minute_ms) | first_site), checks.column("covers"), checks.column("cause"))
            for key, covers, cause in zip(*columns, strict=True):
                if cause is not None and key & SITE_MASK in sites and window.from_ms <= key >> SITE_BITS < window.until_ms:
                    yield key, covers, cause


def results(connection: sqlite3.Connection, window: Window) -> list[CheckResult]:
    """The checks of the window, in order of (time, host)."""
    hosts = _hosts(connection)
    rows = connection.execute(f"SELECT {RESULT_COLUMNS} FROM checks WHERE {INSIDE}", _keys(window)).fetchall()
    for minute_ms, first_site, checks in _blocks(connection, _touched(window)):
        packed = checks.rows(minute_ms, first_site)
        rows += (row for row in packed if window.from_ms <= row[0] >> SITE_BITS < window.until_ms)
    return sorted((result_from_row(row, hosts) for row in rows), key=lambda check: (check.time_ms, check.host))


def earlier_checks(connection: sqlite3.Connection, window: Window) -> list[CheckResult]:
    """What was taken over of the window: when each check was, how long it covers, why it failed."""
    hosts = _hosts(connection)
    return [
        CheckResult(hosts[key & SITE_MASK], key >> SITE_BITS, covers, lag_us=0, cause=cause_from_number(cause))
        for key, covers, cause in connection.execute(EARLIER_CHECKS, _keys(window))
    ]


def _touched(window: Window) -> Window:
    """The minutes, from the first one's start to the last one's end, that have a moment in the window."""
    if window.length_ms <= 0:
        return Window(window.from_ms, window.from_ms)
    return Window(window.from_ms // MINUTE_MS * MINUTE_MS, -(-window.until_ms // MINUTE_MS) * MINUTE_MS)


def _keys(window: Window) -> dict[str, int]:
    return {"first": first_key(window.from_ms), "last": first_key(window.until_ms)}


def _hosts(connection: sqlite3.Connection, chosen: Collection[str] | None = None) -> dict[int, str]:
    hosts = dict(connection.execute("SELECT id, host FROM sites"))
    return hosts if chosen is None else {site: host for site, host in hosts.items() if host in chosen}
