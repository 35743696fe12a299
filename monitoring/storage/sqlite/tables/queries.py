"""Reads a window by SQL: summaries of the spans that lie whole in it, checks for the rest.

In a monitor's own file all minutes before `summarised_ms` have right summaries. In a gateway's file, where monitors write
them (`summarised_ms` is None), the reader counts: a summary is right unless finer rows have more checks. Where the summary
has more, checks are missing.
"""

import json
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from monitoring.models import Cause, Window
from monitoring.statistics import windows
from monitoring.statistics.spans import Plan, plan
from monitoring.statistics.summary import FINER, TIMES, Span, pack_times
from monitoring.statistics.totals import SiteTotals
from monitoring.storage.sqlite.tables import meta, rows, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import SITE, SITE_BITS, SUMS, inside, site_of, time_of
from monitoring.storage.sqlite.tables.summaries import MARK

SUMS_OF_SUMMARIES = ", ".join(f"SUM({column})" for column in SUMS)
SUMMED_UP = "MAX(last_failure), GROUP_CONCAT(statuses), GROUP_CONCAT(causes)"

SOON_COUNTED = 2_000_000
"""So many checks are counted in some tenths of a second. Hours and days with more are compared with finer summaries only."""

Names = Mapping[int, str]
"""Hosts by the numbers of their sites."""


class WindowReader:
    """Adds up one window, in one snapshot."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        window: Window,
        summarised_ms: int | None,
        *,
        exact: bool,
        sites: range | None = None,
    ) -> None:
        """`summarised_ms`: see the top of this module. `sites`: the numbers of the sites to read; None: of all."""
        self._connection = connection
        self._sites = sites
        self._counts = summarised_ms is None
        self._plan = plan(window, window.until_ms if summarised_ms is None else summarised_ms, exact=exact)
        self._width_ms = windows.bucket_width_ms(window, exact=exact)
        self._found: defaultdict[int, SiteTotals] = defaultdict(partial(SiteTotals, exact=exact))

    def totals(self) -> Iterator[tuple[int, SiteTotals]]:
        """What each site has in the window."""
        for span, part in self._plan.summaries():
            self._add_spans(span, part, self._sites)
        table = rows.source(self._connection, self._plan.checks)
        for part in self._plan.checks:
            self._add_checks(table, part, self._sites)
        for site in sorted(self._found):
            yield site, self._found.pop(site)

    def missing(self, sites: Collection[int]) -> int:
        """How many more checks the summaries of whole minutes have than there are."""
        found = 0
        for part in self._plan.minutes:
            where, values = inside(part, sites)
            counts = _by_span("COUNT(*)", rows.source(self._connection, [part]), Span.MINUTE, where)
            lack = "MAX(0, checks - IFNULL((SELECT count FROM counts WHERE place = minutes.id), 0))"
            query = f"WITH counts AS MATERIALIZED ({counts}) SELECT IFNULL(SUM({lack}), 0) FROM minutes WHERE {where}"
            found += self._connection.execute(query, values).fetchone()[0]
        return found

    def _add_spans(self, span: Span, part: Window, sites: Collection[int] | None) -> None:
        """Add whole spans by their summaries, or by finer rows where these have more checks."""
        wrong = self._incomplete(span, part, sites) if self._counts else []
        self._add_summaries(span, part, sites, wrong)
        by_start: dict[int, list[int]] = {}
        for key in wrong:
            by_start.setdefault(time_of(key), []).append(site_of(key))
        for start_ms, concerned in by_start.items():
            one = Window(start_ms, start_ms + span.length_ms)
            if span is Span.MINUTE:
                self._add_checks(rows.source(self._connection, [one]), one, concerned)
            else:
                self._add_spans(FINER[span], one, concerned)

    def _incomplete(self, span: Span, part: Window, sites: Collection[int] | None) -> list[int]:
        """The keys of summaries, there or not, that have fewer checks than finer rows, unless counting those takes long."""
        where, values = inside(part, sites)
        sources = [("SUM(checks)", finer.kind) for finer in Span if finer.length_ms < span.length_ms]
        known = self._connection.execute(f"SELECT SUM(checks) FROM {span.kind} WHERE {where}", values).fetchone()[0]
        if span is Span.MINUTE or (known or 0) <= SOON_COUNTED:
            sources.append(("COUNT(*)", rows.source(self._connection, [part])))
        found: set[int] = set()
        for number, table in sources:
            known = f"SELECT checks FROM {span.kind} WHERE id = place"
            query = f"SELECT place FROM ({_by_span(number, table, span, where)}) WHERE count > IFNULL(({known}), 0)"
            found.update(key for (key,) in self._connection.execute(query, values))
        return sorted(found)

    def _add_summaries(self, span: Span, part: Window, sites: Collection[int] | None, without: Collection[int]) -> None:
        """Add the sums by SQL, response times and sketches in Python."""
        where, values = inside(part, sites)
        if without:
            where += " AND id NOT IN (SELECT value FROM json_each(:without))"
            values["without"] = json.dumps(list(without))
        table, is_minute = span.kind, span is Span.MINUTE
        ends = "NULL, NULL" if is_minute else "MIN(shortest), MAX(longest)"
        query = f"SELECT {SITE}, {SUMS_OF_SUMMARIES}, {SUMMED_UP}, {ends} FROM {table} WHERE {where} GROUP BY 1"
        for site, *sums, shortest, longest in self._connection.execute(query, values):
            summary = summaries.summary_of((*sums, b""), Span.MINUTE)
            summary.shortest_us, summary.longest_us = shortest, longest
            self._found[site].add_sum(summary)
        values["width"] = self._width_ms
        sums = ("checks - maintenance", "checks - good - maintenance", "responses_count", "responses_sum")
        if is_minute:  # a row a minute and site: to sum it up takes no shorter than to read it
            query = f"SELECT {SITE}, {MARK}, {', '.join(sums)}, causes, times FROM minutes WHERE {where}"
        else:
            summed = ", ".join(f"SUM({number})" for number in sums)
            query = f"SELECT {SITE}, {MARK}, {summed}, GROUP_CONCAT(causes), NULL FROM {table} WHERE {where} GROUP BY 1, 2"
        known: dict[str | None, dict[Cause, int]] = {None: {}}  # few texts, of many rows
        for site, mark, checks, failures, responses, responses_us, causes, times in self._connection.execute(query, values):
            own = self._found[site]
            if causes not in known:
                known[causes] = summaries.causes_of([causes])
            own.add_mark(mark, checks, failures, responses, responses_us, known[causes])
            if times:
                own.add_times(mark, times)
        if not is_minute:
            self._add_sketches(table, where, values)

    def _add_sketches(self, table: str, where: str, values: Mapping[str, Any]) -> None:
        from monitoring.statistics import sketch

        for site, packed in self._connection.execute(f"SELECT {SITE}, sketch FROM {table} WHERE {where}", values):
            self._found[site].add_sketch(sketch.unpack(packed))

    def _add_checks(self, table: str, part: Window, sites: Collection[int] | None) -> None:
        where, values = inside(part, sites)
        for site, mark, sums in summaries.of_checks(self._connection, table, where, values, self._width_ms):
            own = self._found[site]
            own.add_mark(mark, sums.judged, sums.failures, sums.responses, sums.responses_us, sums.causes)
            own.add_times(mark, pack_times(sums.times))
            sums.times = array(TIMES)
            own.add_sum(sums)


def _by_span(number: str, table: str, span: Span, where: str) -> str:
    """A query that groups this number (`count`) by the key of the summary that it belongs to (`place`)."""
    start = f"(id >> {SITE_BITS}) / {span.length_ms} * {span.length_ms}"
    return f"SELECT {start} << {SITE_BITS} | ({SITE}) AS place, {number} AS count FROM {table} WHERE {where} GROUP BY 1"


def check_counts(connection: sqlite3.Connection, window: Window, names: Names, summarised_ms: int | None) -> dict[str, int]:
    """The numbers of checks by host, fast: summaries count those of whole spans."""
    oldest_ms, newest_ms = rows.ends(connection)
    held = Window(max(window.from_ms, oldest_ms), min(window.until_ms, newest_ms + 1))
    by_site = sums_by_site(connection, plan(held, summarised_ms or 0, exact=False), "COUNT(*)", "SUM(checks)")
    found: Counter[str] = Counter()  # a host may have a site at each location
    for site, (checks,) in by_site.items():
        if site in names:
            found[names[site]] += checks
    return found


def sums_by_site(
    connection: sqlite3.Connection, planned: Plan, of_checks: str, of_summaries: str, sites: Collection[int] | None = None
) -> dict[int, list[int]]:
    """The values of some columns, given for checks and for summaries, summed over a plan; of these sites (None: of all)."""
    table = rows.source(connection, planned.checks)
    sources = [(of_checks, table, part) for part in planned.checks]
    sources += [(of_summaries, span.kind, part) for span, part in planned.summaries()]
    found: dict[int, list[int]] = {}
    for columns, source, part in sources:
        where, values = inside(part, sites)
        query = f"SELECT {SITE}, {columns} FROM {source} WHERE {where} GROUP BY 1"
        for site, *numbers in connection.execute(query, values):
            found[site] = [sum(pair) for pair in zip(found.get(site, [0] * len(numbers)), numbers, strict=True)]
    return found


def counts(
    connection: sqlite3.Connection, window: Window, names: Names, kind: str, each: Span | None
) -> dict[tuple[int, str], int]:
    """Keeps `Backend.counts`."""
    where, values = inside(window)
    number = "SUM(checks)" if kind not in ("checks", "alerts") else "COUNT(*)"
    table = rows.source(connection, [window]) if kind == "checks" else kind
    if each:
        query = _by_span(number, table, each, where)
    else:
        query = f"SELECT :first | ({SITE}), {number} FROM {table} WHERE {where} GROUP BY 1"
    found = connection.execute(query, values)
    return {(time_of(key), names[site_of(key)]): count for key, count in found if site_of(key) in names}


def hosts(connection: sqlite3.Connection, chosen: Collection[str] | None = None) -> dict[int, str]:
    known = dict(connection.execute("SELECT id, host FROM sites"))
    return known if chosen is None else {site: host for site, host in known.items() if host in chosen}


def number_of_checks(connection: sqlite3.Connection, window: Window) -> int:
    """The number of checks in a monitor's own file, fast."""
    return sum(check_counts(connection, window, hosts(connection), meta.number(connection, Value.SUMMARISED_MS)).values())
