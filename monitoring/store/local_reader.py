"""Questions to the local file. SQLite does the work with the interpreter's lock released; Python only merges.

A window is answered from two tables: whole minutes from the sums in `minutes`, what it cuts through from the checks
packed there, and everything that is not packed from `checks`.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from monitoring.models import Alert, CheckResult, Downtime, Failure, History, SiteStats, Window
from monitoring.stats import LONG_MARK_MS, bucket_width_ms
from monitoring.store import packer, schema
from monitoring.store.packing import MINUTE_MS, unpacked_rows
from monitoring.store.schema import CAUSE, COVERS, SITE_BITS, SITE_MASK, Row, first_key
from monitoring.store.sqlite import ReaderPool
from monitoring.store.sums import Sums, merge

SITE = f"id & {SITE_MASK}"
TIME = f"(id >> {SITE_BITS})"

# One row for each site, mark of the sparkline, status and cause: all counts and sums of a window in one scan.
CHECK_CELLS = f"""
SELECT {SITE}, {TIME} / :width, status, cause, COUNT(*), SUM(covers), MAX(id),
    COUNT(response), SUM(response),
    COUNT(resolve), SUM(resolve), COUNT(connect), SUM(connect), COUNT(tls), SUM(tls),
    COUNT(processing), SUM(processing), COUNT(transfer), SUM(transfer)
FROM checks WHERE id >= :first AND id < :last GROUP BY 1, 2, 3, 4
"""
CHECK_RESPONSES = f"""
SELECT {SITE}, response FROM checks WHERE id >= :first AND id < :last AND cause IS NULL AND response IS NOT NULL
"""

# The same of whole minutes. A minute's halves may lie in different marks.
MINUTE_SUMS = f"SELECT {SITE}, MAX(last_failure), {schema.SUMMED} FROM minutes WHERE id >= :first AND id < :last GROUP BY 1"
MINUTE_MARKS = f"""
SELECT {SITE}, {TIME} / :width, ({TIME} + {LONG_MARK_MS}) / :width, SUM(responses_count), SUM(responses_sum),
    SUM(checks - good), SUM(responses_count_first_half), SUM(responses_sum_first_half), SUM(failures_first_half)
FROM minutes WHERE id >= :first AND id < :last GROUP BY 1, 2, 3
"""
MINUTE_COUNTS = f"""
SELECT {SITE}, statuses, causes, COUNT(*) FROM minutes WHERE id >= :first AND id < :last GROUP BY 1, 2, 3
"""
MINUTE_RESPONSES = f"SELECT {SITE}, responses FROM minutes WHERE id >= :first AND id < :last"

CHECK_DOWNTIME = f"""
SELECT {SITE}, COUNT(*), SUM(cause IS NOT NULL), SUM(covers), SUM(covers * (cause IS NOT NULL))
FROM checks WHERE id >= :first AND id < :last GROUP BY 1
"""
MINUTE_DOWNTIME = f"""
SELECT {SITE}, SUM(checks), SUM(checks - good), SUM(covers), SUM(covers - good_covers)
FROM minutes WHERE id >= :first AND id < :last GROUP BY 1
"""

NEWEST_ALERTS = f"SELECT {schema.ALERT_COLUMNS}, MAX(id) FROM alerts GROUP BY {SITE}"


class LocalReader:
    """Reads a local file that a monitor writes, or wrote. Keeps `HistoryReader`."""

    kind = "local"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pool = ReaderPool(path)

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        width = bucket_width_ms(window)
        whole, cut = _whole_and_cut(window, divisible=width % LONG_MARK_MS == 0)
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            sums = {site: Sums() for site in hosts}
            _add_minutes(connection, sums, {**_span(whole), "width": width})
            _add_checks(connection, sums, {**_span(window), "width": width})
            for rows in _packed(connection, cut, window):
                sums[rows[0][0] & SITE_MASK].add_rows(rows, width)
        return merge({hosts[site]: total for site, total in sums.items()}, window)

    def downtime(self, window: Window) -> Mapping[str, Downtime]:
        whole, cut = _whole_and_cut(window)
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            found = {site: [0, 0, 0, 0] for site in hosts}
            rows = [
                *connection.execute(CHECK_DOWNTIME, _span(window)),
                *connection.execute(MINUTE_DOWNTIME, _span(whole)),
                *map(_downtime_row, _packed(connection, cut, window)),
            ]
        for site, *numbers in rows:
            found[site] = [total + number for total, number in zip(found[site], numbers, strict=True)]
        return {hosts[site]: Downtime(*numbers) for site, numbers in found.items() if numbers[0]}

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        found: dict[str, list[Failure]] = {}
        for check in self._results(window, "AND good < checks", "AND cause IS NOT NULL"):
            if check.cause and check.host in hosts:
                found.setdefault(check.host, []).append(Failure(check.time_ms, check.covers_ms, check.cause))
        return {host: sorted(failures, key=lambda failure: failure.time_ms) for host, failures in found.items()}

    def results(self, window: Window) -> Sequence[CheckResult]:
        return sorted(self._results(window), key=lambda check: (check.time_ms, check.host))

    def _results(self, window: Window, which_minutes: str = "", which_checks: str = "") -> list[CheckResult]:
        query = f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE id >= :first AND id < :last {which_checks}"
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            packed = chain.from_iterable(_packed(connection, (_touched(window),), window, which_minutes))
            rows = chain(connection.execute(query, _span(window)), packed)
            return [schema.result_from_row(row, hosts) for row in rows]

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
            packed = [history.last_ms for history in packer.load_histories(connection).values()]
        return max([*packed, *([] if key is None else [int(key) >> SITE_BITS])], default=None)

    def histories(self) -> Mapping[str, History]:
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            return {hosts[site]: history for site, history in packer.histories(connection, hosts).items()}

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


def _touched(window: Window) -> Window:
    """The minutes, from the first one's start to the last one's end, that have a moment in the window."""
    if window.length_ms <= 0:
        return Window(window.from_ms, window.from_ms)
    return Window(window.from_ms // MINUTE_MS * MINUTE_MS, -(-window.until_ms // MINUTE_MS) * MINUTE_MS)


def _whole_and_cut(window: Window, divisible: bool = True) -> tuple[Window, Sequence[Window]]:
    """The minutes that lie whole in the window, and those that it cuts through; all are cut if not `divisible`."""
    touched = _touched(window)
    first = -(-window.from_ms // MINUTE_MS) * MINUTE_MS
    last = window.until_ms // MINUTE_MS * MINUTE_MS
    if not divisible or first >= last:
        return Window(touched.from_ms, touched.from_ms), (touched,)
    return Window(first, last), (Window(touched.from_ms, first), Window(last, touched.until_ms))


def _packed(
    connection: sqlite3.Connection, minutes: Sequence[Window], window: Window, which: str = ""
) -> Iterator[list[Row]]:
    """The rows of checks in the window that are packed in these minutes, those of a site and minute together."""
    query = f"SELECT id, packed FROM minutes WHERE id >= :first AND id < :last {which}"
    for span in minutes:
        for key, data in connection.execute(query, _span(span)):
            if rows := unpacked_rows(key, data, window):
                yield rows


def _add_minutes(connection: sqlite3.Connection, sums: Mapping[int, Sums], span: Mapping[str, int]) -> None:
    for site, last_failure, *numbers in connection.execute(MINUTE_SUMS, span):
        sums[site].add_minutes(last_failure, numbers)
    for site, first_mark, second_mark, *numbers in connection.execute(MINUTE_MARKS, span):
        sums[site].add_marks(first_mark, second_mark, *numbers)
    for site, statuses, causes, times in connection.execute(MINUTE_COUNTS, span):
        sums[site].add_counts(statuses, causes, times)
    for site, responses in connection.execute(MINUTE_RESPONSES, span):
        sums[site].responses.append(responses)


def _add_checks(connection: sqlite3.Connection, sums: Mapping[int, Sums], span: Mapping[str, int]) -> None:
    for site, mark, status, cause, *numbers in connection.execute(CHECK_CELLS, span):
        sums[site].add_cell(mark, status, cause, numbers)
    for site, response in connection.execute(CHECK_RESPONSES, span):
        sums[site].loose_responses.append(response)


def _downtime_row(rows: Sequence[Row]) -> tuple[int, int, int, int, int]:
    """A row as `CHECK_DOWNTIME` gives it, of checks of one site."""
    covers = [row[COVERS] for row in rows]
    failed = [row[COVERS] for row in rows if row[CAUSE] is not None]
    return rows[0][0] & SITE_MASK, len(rows), len(failed), sum(covers), sum(failed)
