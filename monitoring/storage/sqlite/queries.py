"""Statistics by SQL: summaries where they lie whole in the window, checks for the rest."""

import json
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping

from monitoring.fields import CAUSES
from monitoring.models import Bucket, CheckResult, Downtime, Failure, SiteStats, Window
from monitoring.statistics import windows
from monitoring.statistics.spans import Plan, plan
from monitoring.statistics.summary import TIMES, Span, Summary, merge, site_stats
from monitoring.storage.sqlite import rows, summaries
from monitoring.storage.sqlite.schema import (
    CHECK_COLUMNS,
    SITE_BITS,
    SITE_MASK,
    SUMS,
    TABLES,
    check_from_row,
    first_key,
)
from monitoring.storage.sqlite.summaries import REST_OF_CHECKS, SITE, SUMS_OF_CHECKS

INSIDE = "id >= :first AND id < :last"
MARK = f"(id >> {SITE_BITS}) / :width"

SUMS_OF_SUMMARIES = ", ".join(f"SUM({column})" for column in SUMS)
SUMMED_UP = "MAX(last_failure), GROUP_CONCAT(statuses), GROUP_CONCAT(causes)"

DOWNTIME = "COUNT(*), COUNT(cause), SUM(covers), IFNULL(SUM(covers) FILTER (WHERE cause IS NOT NULL), 0)"
DOWNTIME_OF_MINUTES = "SUM(checks), SUM(checks - good), SUM(covers), SUM(covers - good_covers)"


class SiteParts:
    """What of one site a window was found to hold."""

    def __init__(self) -> None:
        self.summaries: list[Summary] = []
        self.times = bytearray()
        self.sketch = 0
        self.marks: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])

    def add_mark(self, mark: int, responses: int, responses_us: int, failures: int) -> None:
        found = self.marks[mark]
        found[0] += responses
        found[1] += responses_us
        found[2] += failures

    def summary(self, *, exact: bool) -> Summary:
        times = array(TIMES, sorted(summaries.times_of(self.times)))
        measured = Summary(times=times)
        if times:
            measured.shortest_us, measured.longest_us = times[0], times[-1]
        return merge([*self.summaries, measured, Summary(sketch=self.sketch)], exact=exact)

    def stats(self, host: str, window: Window, *, exact: bool) -> SiteStats:
        trend = [self._bucket(mark) for mark in windows.bucket_range(window, exact=exact)]
        return site_stats(host, self.summary(exact=exact), trend)

    def _bucket(self, mark: int) -> Bucket:
        if mark not in self.marks:
            return Bucket()
        responses, responses_us, failures = self.marks[mark]
        return Bucket(responses_us / responses if responses else None, failures)


def keys(part: Window) -> dict[str, int]:
    return {"first": first_key(part.from_ms), "last": first_key(part.until_ms)}


def hosts(connection: sqlite3.Connection, chosen: Collection[str] | None = None) -> dict[int, str]:
    known = dict(connection.execute("SELECT id, host FROM sites"))
    return known if chosen is None else {site: host for site, host in known.items() if host in chosen}


def stats(connection: sqlite3.Connection, window: Window, summarised_ms: int, *, exact: bool) -> Iterator[SiteStats]:
    """The statistics of each site that has a check in the window."""
    names = hosts(connection)
    for site, parts in _parts(connection, window, summarised_ms, exact=exact):
        yield parts.stats(names[site], window, exact=exact)


def _parts(
    connection: sqlite3.Connection, window: Window, summarised_ms: int, *, exact: bool
) -> Iterator[tuple[int, SiteParts]]:
    """What each site is found to have in the window; what has been taken is not kept."""
    if window.length_ms <= 0:
        return
    planned = plan(window, summarised_ms, exact=exact)
    width_ms = windows.bucket_width_ms(window, exact=exact)
    found: defaultdict[int, SiteParts] = defaultdict(SiteParts)
    for span, part in planned.summaries():
        _add_summaries(connection, found, span, part, width_ms)
    table = rows.source(connection, planned.checks)
    for part in planned.checks:
        _add_checks(connection, found, table, part, width_ms)
    for site in sorted(found):
        yield site, found.pop(site)


def _add_summaries(
    connection: sqlite3.Connection, found: defaultdict[int, SiteParts], span: Span, part: Window, width_ms: int
) -> None:
    """Add the sums of a part; the response times or sketches are joined site by site."""
    table, inside = TABLES[span], keys(part)
    is_minute = span is Span.MINUTE
    ends = "NULL, NULL" if is_minute else "MIN(shortest), MAX(longest)"
    query = f"SELECT {SITE}, {SUMS_OF_SUMMARIES}, {SUMMED_UP}, {ends} FROM {table} WHERE {INSIDE} GROUP BY 1"
    for site, *values, shortest, longest in connection.execute(query, inside):
        summary = summaries.summary_of((*values, b""), Span.MINUTE)
        summary.shortest_us, summary.longest_us = shortest, longest
        found[site].summaries.append(summary)
    marks = "SUM(responses_count), SUM(responses_sum), SUM(checks - good)"
    query = f"SELECT {SITE}, {MARK}, {marks} FROM {table} WHERE {INSIDE} GROUP BY 1, 2"
    for site, *mark in connection.execute(query, inside | {"width": width_ms}):
        found[site].add_mark(*mark)
    if is_minute:
        for site, times in connection.execute(f"SELECT {SITE}, times FROM minutes WHERE {INSIDE}", inside):
            found[site].times += times
    else:
        from monitoring.statistics import sketch

        for site, packed in connection.execute(f"SELECT {SITE}, sketch FROM {table} WHERE {INSIDE}", inside):
            found[site].sketch += sketch.unpack(packed)


def _add_checks(
    connection: sqlite3.Connection, found: defaultdict[int, SiteParts], table: str, part: Window, width_ms: int
) -> None:
    inside = keys(part)
    statuses, causes = (
        summaries.counts_by_site(
            connection.execute(f"SELECT {SITE}, {column}, COUNT(*) FROM {table} WHERE {INSIDE} {more} GROUP BY 1, 2", inside)
        )
        for column, more in (("status", "AND status > 0"), ("cause", "AND cause IS NOT NULL"))
    )
    query = f"SELECT {SITE}, {MARK}, {SUMS_OF_CHECKS}, {REST_OF_CHECKS} FROM {table} WHERE {INSIDE} GROUP BY 1, 2"
    for site, mark, *numbers in connection.execute(query, inside | {"width": width_ms}):
        summary = summaries.summary_of_sums(numbers, statuses.pop(site, {}), causes.pop(site, {}))
        found[site].add_mark(mark, summary.responses, summary.responses_us, summary.failures)
        found[site].times += summaries.packed_times(summary.times)
        summary.times = array(TIMES)
        found[site].summaries.append(summary)


def summaries_by_host(connection: sqlite3.Connection, window: Window, summarised_ms: int) -> dict[str, Summary]:
    """What the checks of each host in the window add up to, with all their response times."""
    names = hosts(connection)
    return {names[site]: parts.summary(exact=True) for site, parts in _parts(connection, window, summarised_ms, exact=True)}


def check_counts(connection: sqlite3.Connection, window: Window, summarised_ms: int, span: Span | None) -> dict[str, int]:
    """By host: checks that are in the file one by one, or those that summaries of this span tell of."""
    names = hosts(connection)
    found: Counter[str] = Counter()
    if span is None:
        oldest_ms, newest_ms = rows.ends(connection)
        held = Window(max(window.from_ms, oldest_ms), min(window.until_ms, newest_ms + 1))
        planned = plan(held, summarised_ms, exact=False) if held.length_ms > 0 else Plan((), (), (), ())
    else:
        planned = Plan((), (), (), ())
    sources = [("SUM(checks)", TABLES[of_span], part) for of_span, part in planned.summaries()]
    sources += [("COUNT(*)", rows.source(connection, [part]), part) for part in planned.checks]
    if span is not None:
        sources.append(("SUM(checks)", TABLES[span], window))
    for count, table, part in sources:
        for site, checks in connection.execute(f"SELECT {SITE}, {count} FROM {table} WHERE {INSIDE} GROUP BY 1", keys(part)):
            found[names[site]] += checks
    return dict(found)


# What alerts are decided from


def downtime(
    connection: sqlite3.Connection, window: Window, summarised_ms: int, chosen: Collection[str] | None
) -> dict[str, Downtime]:
    """Equals `stats.downtime`."""
    names = hosts(connection, chosen)
    planned = Plan((), (), (), (window,)) if window.length_ms <= 0 else plan(window, summarised_ms, exact=True)
    of_sites = "" if chosen is None else f"AND {SITE} IN (SELECT value FROM json_each(:sites))"
    sites = {"sites": json.dumps(list(names))}
    table = rows.source(connection, planned.checks)
    sources = [
        *((DOWNTIME, table, part) for part in planned.checks),
        (DOWNTIME, "earlier_checks", window),
        *((DOWNTIME_OF_MINUTES, "minutes", part) for part in planned.minutes),
    ]
    found = {site: [0, 0, 0, 0] for site in names}
    for columns, source, part in sources:
        query = f"SELECT {SITE}, {columns} FROM {source} WHERE {INSIDE} {of_sites} GROUP BY 1"
        for site, *numbers in connection.execute(query, keys(part) | sites):
            found[site] = [total + number for total, number in zip(found[site], numbers, strict=True)]
    return {names[site]: Downtime(*sums) for site, sums in found.items() if sums[0]}


def failures(connection: sqlite3.Connection, window: Window, chosen: Collection[str]) -> dict[str, list[Failure]]:
    """Equals `stats.failures`."""
    names = hosts(connection, chosen)
    tables = (rows.source(connection, [window]), "earlier_checks")
    failed = (f"SELECT id, covers, cause, detail FROM {table} WHERE {INSIDE} AND cause IS NOT NULL" for table in tables)
    found: defaultdict[str, list[Failure]] = defaultdict(list)
    for key, covers, cause, detail in connection.execute(f"{' UNION ALL '.join(failed)} ORDER BY id", keys(window)):
        if key & SITE_MASK in names:
            found[names[key & SITE_MASK]].append(Failure(key >> SITE_BITS, covers, CAUSES[cause], detail or ""))
    return dict(found)


def earlier_checks(connection: sqlite3.Connection, window: Window) -> list[CheckResult]:
    """What a new file took over, as far as alerts need it, in order of (time, host)."""
    names = hosts(connection)
    query = f"SELECT id, covers, cause, detail FROM earlier_checks WHERE {INSIDE}"
    found = [
        CheckResult(
            *(names[key & SITE_MASK], key >> SITE_BITS, covers, 0),
            cause=None if cause is None else CAUSES[cause],
            detail=detail or "",
        )
        for key, covers, cause, detail in connection.execute(query, keys(window))
    ]
    return sorted(found, key=lambda check: (check.time_ms, check.host))


def results(connection: sqlite3.Connection, window: Window, names: Mapping[int, str]) -> Iterator[CheckResult]:
    """The checks of the window in order of (time, host); `names` are the hosts by number."""
    table = rows.source(connection, [window])
    found = connection.execute(f"SELECT {CHECK_COLUMNS} FROM {table} WHERE {INSIDE} ORDER BY id", keys(window))
    moment: list[CheckResult] = []
    for row in found:
        check = check_from_row(row, names)
        if moment and check.time_ms != moment[0].time_ms:
            yield from sorted(moment, key=lambda one: one.host)
            moment = []
        moment.append(check)
    yield from sorted(moment, key=lambda one: one.host)
