"""Statistics of a window from summaries that others wrote, held against what is finer: whatever is missing or late.

A summary is believed unless what is finer tells of more checks. Where it tells of more, checks are missing.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping

from monitoring.models import SiteStats, Window
from monitoring.statistics.spans import in_marks, plan
from monitoring.statistics.summary import SiteTotals, Span, Summary
from monitoring.statistics.windows import bucket_width_ms
from monitoring.storage.sqlite import rows, summaries
from monitoring.storage.sqlite.queries import INSIDE, keys
from monitoring.storage.sqlite.schema import SITE_BITS, SITE_MASK, TABLES
from monitoring.storage.sqlite.summaries import FINER, SITE
from monitoring.units import DAY_MS

SUMMARIES_AT_ONCE = 2_000
"""About so many are in memory at once."""

SOON_COUNTED = 2_000_000
"""So many checks are counted in some tenths of a second; where hours tell of more, minutes are counted alone."""

Key = tuple[int, int]
"""A site, and the start of a span."""

Part = tuple[int, int, Summary]
"""A site, the start of a span, and what its checks in it add up to."""


class CountingReader:
    """Answers one question about some sites, in one snapshot."""

    def __init__(self, connection: sqlite3.Connection, names: Mapping[int, str]) -> None:
        """`names`: the hosts of the sites that are asked about, by number."""
        self._connection = connection
        self._names = names

    def stats(self, window: Window, *, exact: bool) -> dict[str, SiteStats]:
        if window.length_ms <= 0:
            return {}
        totals: dict[int, SiteTotals] = {}
        planned = plan(window, window.until_ms, exact=exact)
        width_ms = bucket_width_ms(window, exact=exact)
        for part in (piece for gap in planned.checks for piece in in_marks(gap, width_ms)):
            found = self._of_checks(part, self._names)
            _add(totals, [(site, part.from_ms, it) for site, it in found.items()], window, exact=exact)
        for span, part in planned.summaries():
            for some in self._portions(span, part):
                _add(totals, self._believed(span, some), window, exact=exact)
        every = (own.stats(self._names[site]) for site, own in totals.items())
        return {site.host: site for site in every if site is not None}

    def missing(self, window: Window) -> int:
        """Of whole minutes; of a window that hours and days answer, of its ends."""
        if window.length_ms <= 0:
            return 0
        found = 0
        for part in plan(window, window.until_ms, exact=window.length_ms <= DAY_MS).minutes:
            for some in self._portions(Span.MINUTE, part):
                counts = self._counts("COUNT(*)", rows.source(self._connection, [some]), Span.MINUTE, some)
                known = self._counts("SUM(checks)", "minutes", Span.MINUTE, some)
                found += sum(max(0, checks - counts.get(key, 0)) for key, checks in known.items())
        return found

    def _portions(self, span: Span, part: Window) -> Iterator[Window]:
        """A part in pieces of whole spans."""
        length_ms = span.length_ms * max(1, SUMMARIES_AT_ONCE // max(1, len(self._names)))
        for start_ms in range(part.from_ms, part.until_ms, length_ms):
            yield Window(start_ms, min(start_ms + length_ms, part.until_ms))

    def _believed(self, span: Span, part: Window) -> Iterator[Part]:
        """Whole spans by their summaries, or by what is finer where that tells of more."""
        told = self._finer_counts(span, part)
        for key, *row in self._connection.execute(summaries.select(span, f"{INSIDE} ORDER BY id"), keys(part)):
            place = key & SITE_MASK, key >> SITE_BITS
            if place[0] not in self._names:
                continue
            summary = summaries.summary_of(row, span)
            if told.get(place, 0) <= summary.checks:
                told.pop(place, None)
                yield *place, summary
        by_start: dict[int, set[int]] = {}
        for site, start_ms in sorted(told):
            by_start.setdefault(start_ms, set()).add(site)
        for start_ms, sites in by_start.items():
            yield from self._finer(span, Window(start_ms, start_ms + span.length_ms), sites)

    def _finer(self, span: Span, inside: Window, sites: Collection[int]) -> Iterator[Part]:
        """One span of these sites by what is finer."""
        if span is Span.MINUTE:
            yield from ((site, inside.from_ms, it) for site, it in self._of_checks(inside, sites).items())
        else:
            finer = CountingReader(self._connection, {site: self._names[site] for site in sites})
            yield from finer._believed(FINER[span], inside)

    def _finer_counts(self, span: Span, part: Window) -> dict[Key, int]:
        """How many checks what is finer tells of, by site and span; what cannot be counted soon is left out."""
        points = rows.source(self._connection, [part])
        if span is Span.MINUTE:
            return self._counts("COUNT(*)", points, span, part)
        known = self._connection.execute(f"SELECT SUM(checks) FROM {TABLES[span]} WHERE {INSIDE}", keys(part)).fetchone()[0]
        sources = [("SUM(checks)", TABLES[finer]) for finer in _finer_than(span)]
        if (known or 0) <= SOON_COUNTED:
            sources.append(("COUNT(*)", points))
        found: dict[Key, int] = {}
        for number, table in sources:
            for key, checks in self._counts(number, table, span, part).items():
                found[key] = max(checks, found.get(key, 0))
        return found

    def _counts(self, number: str, table: str, span: Span, part: Window) -> dict[Key, int]:
        start = f"(id >> {SITE_BITS}) / {span.length_ms}"
        query = f"SELECT {SITE}, {start}, {number} FROM {table} WHERE {INSIDE} GROUP BY 1, 2"
        found = self._connection.execute(query, keys(part))
        return {(site, place * span.length_ms): count for site, place, count in found if site in self._names}

    def _of_checks(self, part: Window, sites: Collection[int]) -> dict[int, Summary]:
        table = rows.source(self._connection, [part])
        return summaries.of_checks(self._connection, part.from_ms, sites, part.length_ms, table)


def _finer_than(span: Span) -> list[Span]:
    return [other for other in Span if other.length_ms < span.length_ms]


def _add(totals: dict[int, SiteTotals], parts: Iterable[Part], window: Window, *, exact: bool) -> None:
    by_site: dict[int, list[tuple[int, Summary]]] = {}
    for site, start_ms, summary in parts:
        by_site.setdefault(site, []).append((start_ms, summary))
    for site, own in by_site.items():
        known = totals.get(site) or totals.setdefault(site, SiteTotals(window, exact=exact))
        known.add(own)
