"""Questions to the local file. SQLite does the work with the interpreter's lock released; Python only merges."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.models import (
    PHASES,
    Alert,
    Bucket,
    Cause,
    CheckResult,
    Downtime,
    Failure,
    History,
    ResponseTimes,
    SiteStats,
    Window,
)
from monitoring.stats import TREND_BUCKETS, bucket_width_ms
from monitoring.store import schema
from monitoring.store.schema import SITE_BITS, SITE_MASK, first_key
from monitoring.store.sqlite import ReaderPool

RECENT_MS = 3_600_000
"""How far before the newest check `histories` looks for the runs of a site."""

# One row for each site, mark of the sparkline, status and cause: all counts and sums of a window in one scan.
CELLS = f"""
SELECT id & {SITE_MASK}, ((id >> {SITE_BITS}) - :from) / :width, status, cause, COUNT(*), SUM(covers), MAX(id),
    COUNT(response), SUM(response),
    COUNT(resolve), SUM(resolve), COUNT(connect), SUM(connect), COUNT(tls), SUM(tls),
    COUNT(processing), SUM(processing), COUNT(transfer), SUM(transfer)
FROM checks WHERE id >= :first AND id < :last GROUP BY 1, 2, 3, 4
"""

# The picked ranks of each site: `stats.percentile` in SQL (integer division, clamped), with minimum and maximum.
RANKS = f"""
WITH ranked AS (
    SELECT id & {SITE_MASK} AS site, response,
        ROW_NUMBER() OVER (PARTITION BY id & {SITE_MASK} ORDER BY response) - 1 AS place,
        COUNT(*) OVER (PARTITION BY id & {SITE_MASK}) AS n
    FROM checks WHERE id >= :first AND id < :last AND cause IS NULL AND response IS NOT NULL)
SELECT site, place, response FROM ranked WHERE place IN (
    0, n - 1, MAX((100 * n + 100) / 200 - 1, 0), MAX((190 * n + 100) / 200 - 1, 0), MAX((198 * n + 100) / 200 - 1, 0))
"""

DOWNTIME = f"""
SELECT id & {SITE_MASK}, COUNT(*), SUM(cause IS NOT NULL), SUM(covers), SUM(covers * (cause IS NOT NULL))
FROM checks WHERE id >= :first AND id < :last GROUP BY 1
"""

FAILURES = f"""
SELECT id, covers, cause FROM checks
WHERE (id & {SITE_MASK}) = ? AND id >= ? AND id < ? AND cause IS NOT NULL ORDER BY id
"""

NEWEST_ALERTS = f"SELECT {schema.ALERT_COLUMNS}, MAX(id) FROM alerts GROUP BY id & {SITE_MASK}"

# The newest check of each site among the recent ones; bare columns come from the row that holds the maximum.
LAST_CHECKS = f"""
SELECT id & {SITE_MASK}, MAX(id), covers, cause FROM checks WHERE id >= :first GROUP BY 1
"""
LAST_OF_KIND = f"""
SELECT id & {SITE_MASK}, MAX(id), covers, detail FROM checks WHERE cause IS {{kind}} AND id >= :first GROUP BY 1
"""
FIRST_AFTER = f"""
SELECT MIN(id) FROM checks WHERE id > ? AND (id & {SITE_MASK}) = ? AND cause IS {{kind}}
"""


class LocalReader:
    """Reads a local file that a monitor writes, or wrote. Keeps `HistoryReader`."""

    kind = "local"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pool = ReaderPool(path)

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        span = {**_span(window), "from": window.from_ms, "width": bucket_width_ms(window)}
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            cells = connection.execute(CELLS, span).fetchall()
            ranks = connection.execute(RANKS, span).fetchall()
        return _merge(cells, ranks, hosts)

    def downtime(self, window: Window) -> Mapping[str, Downtime]:
        with self._pool.snapshot() as connection:
            rows = connection.execute(DOWNTIME, _span(window)).fetchall()
            hosts = _hosts(connection)
        return {hosts[site]: Downtime(*numbers) for site, *numbers in rows}

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        span = tuple(_span(window).values())
        with self._pool.snapshot() as connection:
            found = {
                host: [_failure(*row) for row in connection.execute(FAILURES, (site, *span))]
                for site, host in _hosts(connection).items()
                if host in hosts
            }
        return {host: failures for host, failures in found.items() if failures}

    def results(self, window: Window) -> Sequence[CheckResult]:
        query = f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE id >= :first AND id < :last"
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            rows = connection.execute(query, _span(window)).fetchall()
        results = [schema.result_from_row(row, hosts) for row in rows]
        return sorted(results, key=lambda result: (result.time_ms, result.host))

    def alerts(self, window: Window) -> Sequence[Alert]:
        query = f"SELECT {schema.ALERT_COLUMNS} FROM alerts WHERE id >= :first AND id < :last"
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            rows = connection.execute(query, _span(window)).fetchall()
        return sorted((schema.alert_from_row(row, hosts) for row in rows), key=lambda alert: (alert.time_ms, alert.host))

    def last_alerts(self) -> Mapping[str, Alert]:
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            rows = connection.execute(NEWEST_ALERTS).fetchall()
        newest = [schema.alert_from_row(row[:-1], hosts) for row in rows]
        return {alert.host: alert for alert in newest}

    def last_time(self) -> int | None:
        query = "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM checks UNION ALL SELECT MAX(id) FROM alerts)"
        with self._pool.snapshot() as connection:
            key = connection.execute(query).fetchone()[0]
        return None if key is None else int(key) >> SITE_BITS

    def histories(self) -> Mapping[str, History]:
        newest = self.last_time()
        if newest is None:
            return {}
        with self._pool.snapshot() as connection:
            return _histories(connection, first_key(newest - RECENT_MS))

    def pending(self) -> tuple[int, int | None]:
        """How many points wait for delivery, and since when the oldest does (milliseconds)."""
        with self._pool.snapshot() as connection:
            points, oldest = connection.execute("SELECT SUM(points), MIN(created_ms) FROM outbox").fetchone()
        return points or 0, oldest

    def close(self) -> None:
        self._pool.close()


def _span(window: Window) -> dict[str, int]:
    return {"first": first_key(window.from_ms), "last": first_key(window.until_ms)}


def _hosts(connection: sqlite3.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT id, host FROM sites"))


def _failure(key: int, covers: int, cause: int) -> Failure:
    return Failure(key >> SITE_BITS, covers, schema.CAUSES[cause])


@dataclass(slots=True)
class _Sums:
    """What the cells of one site add up to."""

    good: list[int] = field(default_factory=lambda: [0, 0])  # checks, covered milliseconds
    failed: list[int] = field(default_factory=lambda: [0, 0])
    last_failure: int | None = None
    times: list[int] = field(default_factory=lambda: [0] * (2 + 2 * len(PHASES)))  # pairs of count and sum
    statuses: Counter[int] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)
    marks: dict[int, list[int]] = field(default_factory=dict)  # bucket -> response count, sum, failures

    def add(self, bucket: int, status: int, cause: int | None, numbers: Sequence[int | None]) -> None:
        count, covers, key, *times = (number or 0 for number in numbers)
        mark = self.marks.setdefault(bucket, [0, 0, 0])
        if status:
            self.statuses[status] += count
        if cause is None:
            self.good = [self.good[0] + count, self.good[1] + covers]
            self.times = [total + time for total, time in zip(self.times, times, strict=True)]
            mark[0] += times[0]
            mark[1] += times[1]
        else:
            self.failed = [self.failed[0] + count, self.failed[1] + covers]
            self.causes[schema.CAUSES[cause]] += count
            self.last_failure = max(self.last_failure or 0, key >> SITE_BITS)
            mark[2] += count

    def stats(self, host: str, ranks: Mapping[int, int]) -> SiteStats:
        (responses, total), *phases = zip(self.times[::2], self.times[1::2], strict=True)
        return SiteStats(
            host=host,
            checks=self.good[0] + self.failed[0],
            available=self.good[0],
            covered_ms=self.good[1] + self.failed[1],
            available_ms=self.good[1],
            response=_response_times(responses, total, ranks) if responses else None,
            phases_us={name: us / n for name, (n, us) in zip(PHASES, phases, strict=True) if n},
            statuses=self.statuses,
            causes=self.causes,
            last_failure_ms=self.last_failure,
            trend=tuple(_bucket(self.marks.get(bucket)) for bucket in range(TREND_BUCKETS)),
        )


def _merge(cells: Iterable[Sequence[Any]], ranks: Iterable[Sequence[int]], hosts: Mapping[int, str]) -> dict[str, SiteStats]:
    sums: defaultdict[int, _Sums] = defaultdict(_Sums)
    for site, bucket, status, cause, *numbers in cells:
        sums[site].add(bucket, status, cause, numbers)
    picked: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for site, place, response in ranks:
        picked[site][place] = response
    return {hosts[site]: total.stats(hosts[site], picked[site]) for site, total in sums.items()}


def _response_times(count: int, total_us: int, ranks: Mapping[int, int]) -> ResponseTimes:
    p50, p95, p99 = (ranks[max((2 * count * percent + 100) // 200 - 1, 0)] for percent in (50, 95, 99))
    return ResponseTimes(total_us / count, ranks[0], ranks[count - 1], p50, p95, p99)


def _bucket(mark: Sequence[int] | None) -> Bucket:
    if mark is None:
        return Bucket()
    count, total_us, failures = mark
    return Bucket(total_us / count if count else None, failures)


def _histories(connection: sqlite3.Connection, first: int) -> dict[str, History]:
    hosts = _hosts(connection)
    born = dict(connection.execute("SELECT id, first_ms FROM sites"))
    failed = {row[0]: row[1:] for row in connection.execute(LAST_OF_KIND.format(kind="NOT NULL"), {"first": 0})}
    good = {row[0]: row[1:] for row in connection.execute(LAST_OF_KIND.format(kind="NULL"), {"first": first})}
    histories = {}
    for site, last, covers, cause in connection.execute(LAST_CHECKS, {"first": first}).fetchall():
        last_failure, _, detail = failed.get(site, (None, None, None))
        last_good = good[site][0] if site in good else None
        never_good = born[site] if first_key(born[site]) >= first else None  # of an older site nobody looks that far back
        histories[hosts[site]] = History(
            last_ms=last >> SITE_BITS,
            last_covers_ms=covers,
            last_available=cause is None,
            last_failure_ms=None if last_failure is None else last_failure >> SITE_BITS,
            good_since_ms=_run_start(connection, site, last_failure, "NULL") or born[site] if cause is None else None,
            failing_since_ms=None if cause is None else _run_start(connection, site, last_good, "NOT NULL") or never_good,
            detail=detail or "",
        )
    return histories


def _run_start(connection: sqlite3.Connection, site: int, after: int | None, kind: str) -> int | None:
    """The first check of this kind after key `after`; None when no `after` is known."""
    if after is None:
        return None
    key = connection.execute(FIRST_AFTER.format(kind=kind), (after, site)).fetchone()[0]
    return None if key is None else int(key) >> SITE_BITS
