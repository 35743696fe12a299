"""Statistics of a window from InfluxDB: from summaries where these are complete, else from points.

Nothing keeps account of completeness: the reader counts. A summary is complete unless finer points have more checks (a late
check, two monitors at one location, a new file, a lost summary). Where the summary has more, the database lacks points.
One difference is not found, because many millions of points would have to be counted: old points that neither minutes nor
hours contain.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, groupby

from monitoring.errors import StoreUnavailable
from monitoring.models import SiteStats, Window
from monitoring.statistics.spans import in_marks, plan
from monitoring.statistics.summary import FINER, Span, Summary
from monitoring.statistics.totals import SiteTotals
from monitoring.statistics.windows import bucket_range, bucket_width_ms, joined
from monitoring.storage.base import Ends, IsWanted, always
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import CHECKS, COUNTED_CHECK, SUMMARIES, Row, summary_from, unpack
from monitoring.storage.influxdb.questions import HOSTS_AT_ONCE, by_host, groups, named, selected, within

Parts = Collection[tuple[int, Summary]]
"""Summaries of one site, each with the beginning of its span."""

SOON_COUNTED = 2_000_000
"""So many points are counted in a quarter of a second. Hours and days with more are compared with summaries only."""

SPANS_AT_ONCE = 6_000
"""About so many hours or days are compared with finer points at once."""


class WindowReader:
    """Answers one question about one location.

    Afterwards `missing` is how many checks only minutes know. Where hours and days answer, nothing is counted.
    """

    def __init__(self, client: InfluxClient, here: str, is_wanted: IsWanted = always) -> None:
        """`here`: the condition that a point is of the location. `is_wanted` is called at every host."""
        self._client = client
        self._here = here
        self._is_wanted = is_wanted
        self._unfinished: set[str] = set()  # hosts of which finer parts are still to come
        self.missing = 0

    def stats(self, window: Window, *, exact: bool, ends: Ends | None) -> dict[str, SiteStats]:
        """The statistics by host. `ends` answers where summaries do not reach; None: the points here do."""
        planned = plan(window, self._summarised_until(window), exact=exact)
        width_ms = bucket_width_ms(window, exact=exact)
        hosts = self.hosts() if planned.hours or planned.days else None
        summed = [self._summed(span, part, hosts) for span, part in planned.summaries()]  # InfluxDB begins to work
        marks = bucket_range(window, exact=exact)
        sites: defaultdict[str, SiteTotals] = defaultdict(partial(SiteTotals, exact=exact))
        points = (self._points(gap, width_ms) if ends is None else _from(ends, gap, width_ms) for gap in planned.checks)
        for host, parts in chain.from_iterable(points):
            sites[host].add((start_ms // width_ms, part) for start_ms, part in parts)
        found: dict[str, SiteStats | None] = {}
        for host, parts in chain.from_iterable(summed):
            sites[host].add((start_ms // width_ms, part) for start_ms, part in parts)
            if exact and host not in self._unfinished:  # response times of all sites at once would need much memory
                found[host] = sites.pop(host).stats(host, marks)
        found |= {host: sites.pop(host).stats(host, marks) for host in list(sites)}
        return {host: site for host, site in found.items() if site}

    # Whole spans

    def _summed(self, span: Span, window: Window, hosts: Collection[str] | None) -> Iterator[tuple[str, Parts]]:
        """What whole spans have of these hosts (None: of all): their summaries, or finer points where these have more."""
        if span is Span.MINUTE:
            counts = self._ask("count(available)", CHECKS, window, hosts, span)
            return self._compared(span, counts, self._summaries(span, window, hosts))
        size = min(HOSTS_AT_ONCE, max(1, SPANS_AT_ONCE * span.length_ms // window.length_ms))
        return chain.from_iterable(self._summed_of(span, window, some) for some in groups(hosts or (), size))

    def _summed_of(self, span: Span, window: Window, hosts: Collection[str]) -> Iterator[tuple[str, Parts]]:
        """The same for hours or days of some hosts."""
        counts = ((host, own.items()) for host, own in self._finer_counts(span, window, hosts).items())
        return self._compared(span, counts, self._summaries(span, window, hosts))

    def _compared(
        self, span: Span, counts: Iterator[tuple[str, Iterable[Row]]], summaries: Iterator[tuple[str, Mapping[int, Summary]]]
    ) -> Iterator[tuple[str, Parts]]:
        """Summaries that have at least as many checks as finer points (`counts`), else those points.

        Both come host by host and mostly in the same order, so that little has to be kept in memory.
        """
        finer: dict[str, dict[int, int]] = {}
        for host, known in summaries:
            while host not in finer and (counted := next(counts, None)):
                finer[counted[0]] = {row[0]: row[1] for row in counted[1]}
            own = finer.pop(host, {})
            right = [(start, summary) for start, summary in known.items() if own.get(start, 0) <= summary.checks]
            more = sum(summary.checks - own.pop(start, 0) for start, summary in right)
            self.missing += more if span is Span.MINUTE else 0
            if own:
                finer[host] = own
                self._unfinished.add(host)
            yield host, right
        finer.update((host, {row[0]: row[1] for row in rows}) for host, rows in counts)
        self._unfinished |= finer.keys()
        for run in joined(Window(start, start + span.length_ms) for own in finer.values() for start in own):
            concerned = [host for host, own in finer.items() if any(run.from_ms <= start < run.until_ms for start in own)]
            for host, parts in self._finer(span, run, concerned):
                yield host, [part for part in parts if span.start_of(part[0]) in finer[host]]

    def _finer(self, span: Span, window: Window, hosts: Collection[str]) -> Iterator[tuple[str, Parts]]:
        if span is Span.MINUTE:
            return self._points(window, span.length_ms, hosts)
        return self._summed(FINER[span], window, hosts)

    def _finer_counts(self, span: Span, window: Window, hosts: Collection[str]) -> dict[str, dict[int, int]]:
        """How many checks the next finer summaries have in each span; if not too many, also how many points there are."""
        starts = range(window.from_ms, window.until_ms, span.length_ms)
        found = {host: dict.fromkeys(starts, 0) for host in hosts}
        asked = [("sum(checks::integer)", SUMMARIES[FINER[span]])]
        in_all = self._ask("sum(checks::integer)", SUMMARIES[span], window, hosts)
        if sum(row[1] for _, rows in in_all for row in rows) <= SOON_COUNTED:
            asked.append(("count(available)", CHECKS))
        for number, source in asked:
            for host, counts in self._ask(number, source, window, hosts, span):
                own = found[host]
                own.update({start: max(count, own[start]) for start, count in counts})
        return found

    # What is asked

    def _summarised_until(self, window: Window) -> int:
        """The end of the newest span in the window of which any site has a summary."""
        lengths_ms = {source: span.length_ms for span, source in SUMMARIES.items()}
        statement = f"SELECT last(checks) FROM {', '.join(lengths_ms)} WHERE {self._here} AND {within(window)}"
        newest = {one.name: one.values[0][0] for one in self._client.query(statement)}
        ends = (newest[source] + length_ms for source, length_ms in lengths_ms.items() if source in newest)
        return max(ends, default=window.from_ms)

    def hosts(self) -> Collection[str]:
        """Every host with a check or a summary here."""
        sources = ", ".join((CHECKS, *SUMMARIES.values()))
        found = self._client.stream(f"SHOW TAG VALUES FROM {sources} WITH KEY = host WHERE {self._here}")
        return {host for series in found for _, host in series.values}

    def _points(self, window: Window, width_ms: int, hosts: Collection[str] | None = None) -> Iterator[tuple[str, Parts]]:
        """The sums of the points of these hosts (None: of all), for each mark of this width."""
        for host, rows in self._ask(COUNTED_CHECK, CHECKS, window, hosts):
            by_mark = groupby(rows, lambda row: int(row[0]) // width_ms)
            try:
                yield host, [(max(mark * width_ms, window.from_ms), summary_from(list(own))) for mark, own in by_mark]
            except TypeError:
                raise StoreUnavailable(f"{self._client.name} has fields of other types in {CHECKS}") from None

    def _summaries(
        self, span: Span, window: Window, hosts: Collection[str] | None
    ) -> Iterator[tuple[str, Mapping[int, Summary]]]:
        """The summaries of these hosts (None: of all) by the beginning of their span."""
        for host, rows in self._ask("packed", SUMMARIES[span], window, hosts):
            yield host, {start: summary for start, packed in rows if (summary := unpack(packed))}

    def _ask(
        self, fields: str, source: str, window: Window, hosts: Collection[str] | None, by: Span | None = None
    ) -> Iterator[tuple[str, Iterator[Row]]]:
        """The rows of these hosts (None: of all), one for each span if `by` is given. InfluxDB begins to work at once."""
        conditions = (self._here, within(window), *named(hosts))
        found = self._client.stream(selected(fields, source, conditions, by))
        return ((host, rows) for host, rows in self._while_wanted(by_host(found)) if hosts is None or host in hosts)

    def _while_wanted(self, found: Iterator[tuple[str, Iterator[Row]]]) -> Iterator[tuple[str, Iterator[Row]]]:
        for one in found:
            if not self._is_wanted():
                raise StoreUnavailable(f"{self._client.name} is not waited for any more")
            yield one


def _from(ends: Ends, gap: Window, width_ms: int) -> Iterator[tuple[str, Parts]]:
    """What the local file has of a gap, for each mark of this width."""
    for piece in in_marks(gap, width_ms):
        yield from ((host, [(piece.from_ms, summary)]) for host, summary in ends(piece).items())
