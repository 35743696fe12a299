"""Summarises past minutes, and the hours and days that end with them, in short steps.

Each step adds up some sites on a read connection and keeps the result in memory. Hours and days are stored some sites at
a time, because nobody reads them before their end. The last step stores the minute in one short transaction. It also adds
up again the sites whose checks came meanwhile, and moves `summarised_ms` on. After an end in between, the minute is begun
again.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from monitoring.models import LastState
from monitoring.statistics.summary import FINER, Span, Summary
from monitoring.storage.sqlite.tables import meta, outbox, states, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import SITE, SITE_MASK, first_key, site_of, time_of
from monitoring.units import MINUTE_MS

SETTLED_MS = 15_000
"""A minute is summarised so long after its end. Checks that come later are added to its summaries."""

CHECKS_AT_ONCE = 2_500
"""A step adds up about so many checks, in some 10 ms."""

SITES_AT_ONCE = {Span.HOUR: 15, Span.DAY: 50}
"""A step adds up the hour or the day of so many sites."""

ROWS_AT_ONCE = 400
"""A step stores so many hours or days."""

Connected = Callable[[], AbstractContextManager[sqlite3.Connection]]


@dataclass
class Work:
    """A minute to summarise, and the hour and day that end with it (`ending`).

    The minute begins at `start_ms`; None: only an hour or day ends, without a check in its last minute. `until_ms` is the
    new `summarised_ms`. `changed` are the sites whose checks came after the work was begun.
    """

    start_ms: int | None
    until_ms: int
    sites: Sequence[Collection[int]] = ()
    ending: Sequence[Span] = ()
    found: dict[Span, dict[int, Summary]] = field(default_factory=lambda: {span: {} for span in Span})
    last_states: dict[int, LastState] = field(default_factory=dict)
    checks: int = 0
    changed: set[int] = field(default_factory=set)

    def begin_of(self, span: Span) -> int:
        return self.until_ms - span.length_ms


class Summariser:
    """Used by the thread that writes."""

    def __init__(self, snapshot: Connected, writing: Connected, summarised_ms: int) -> None:
        """`snapshot` gives a connection for reading, `writing` a transaction."""
        self._snapshot = snapshot
        self._writing = writing
        self._work: Work | None = None
        self._steps: Iterator[None] = iter(())
        self.summarised_ms = summarised_ms

    @property
    def first_open_key(self) -> int:
        """The minutes of checks with smaller keys are summarised already."""
        return first_key(self.summarised_ms)

    def step(self, now_ms: int, in_flight: Callable[[], int]) -> bool:
        """Take the next step. False: there is none. Outbox entries up to `in_flight` are being delivered."""
        if self._work is None:
            with self._snapshot() as connection:
                self._work = plan_work(connection, self.summarised_ms, now_ms)
            if self._work is None:
                return False
            self._steps = self._take_steps(self._work, now_ms, in_flight)
        try:
            next(self._steps, None)
        except BaseException:
            self.reset()  # begin the minute again
            raise
        return True

    def _take_steps(self, work: Work, now_ms: int, in_flight: Callable[[], int]) -> Iterator[None]:
        for sites in work.sites:
            with self._snapshot() as connection:
                _add_up_minute(connection, work, sites)
            yield
        for span in work.ending:
            with self._snapshot() as connection:
                ending = sites_of(connection, span, work)
            for some in _in_groups(ending, SITES_AT_ONCE[span]):
                with self._snapshot() as connection:
                    work.found[span] |= _longer(connection, span, work, some)
                yield
        for span in work.ending:
            for some in _in_groups(sorted(work.found[span]), ROWS_AT_ONCE):
                with self._writing() as connection:
                    known = {site: work.found[span][site] for site in some if site in work.found[span]}
                    summaries.store(connection, span, work.begin_of(span), known)
                yield
        with self._writing() as connection:
            _store(connection, work, now_ms, in_flight())
        self.summarised_ms = work.until_ms
        self.reset()

    def changed(self, keys: Collection[int]) -> None:
        """Checks with these keys are being stored."""
        work = self._work
        if work is None:
            return
        first_ms = work.until_ms if work.start_ms is None else work.start_ms
        if any(self.summarised_ms <= time_of(key) < first_ms for key in keys):
            self.reset()  # their minute comes before this work's, and would be passed over
            return
        begin_ms = min((work.begin_of(span) for span in work.ending), default=work.until_ms - MINUTE_MS)
        work.changed.update(site_of(key) for key in keys if begin_ms <= time_of(key) < work.until_ms)

    def reset(self) -> None:
        """Forget what was begun."""
        self._work, self._steps = None, iter(())


def _in_groups(sites: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (sites[first : first + size] for first in range(0, len(sites), size))


def _store(connection: sqlite3.Connection, work: Work, now_ms: int, in_flight: int) -> None:
    """Store the result of the work, within a transaction."""
    _add_up_changed(connection, work)
    if work.start_ms is not None:
        outbox.fold_minute(connection, work.start_ms, work.checks, in_flight)
        states.save(connection, work.last_states)
    for span in (span for span in Span if work.found[span]):
        start_ms = work.begin_of(span)
        of_sites = work.found[span].keys() if span is Span.MINUTE else work.changed & work.found[span].keys()
        summaries.store(connection, span, start_ms, {site: work.found[span][site] for site in of_sites})
        keys = (first_key(start_ms), first_key(start_ms) | SITE_MASK)
        outbox.add(connection, span.kind, *keys, len(work.found[span]), now_ms)
    meta.put(connection, Value.SUMMARISED_MS, work.until_ms)


def plan_work(connection: sqlite3.Connection, summarised_ms: int, now_ms: int) -> Work | None:
    """The oldest minute with checks, or the end of an hour before it; None when it is too early for either."""
    key = connection.execute("SELECT MIN(id) FROM checks WHERE id >= ?", (first_key(summarised_ms),)).fetchone()[0]
    start_ms = None if key is None else Span.MINUTE.start_of(time_of(key))
    until_ms = _next_end(summarised_ms, start_ms)
    if until_ms is None or until_ms + SETTLED_MS > now_ms:
        return None
    ending = [span for span in (Span.HOUR, Span.DAY) if until_ms % span.length_ms == 0]
    if start_ms is None or start_ms >= until_ms:
        return Work(None, until_ms, ending=ending)
    return Work(start_ms, until_ms, _portions(connection, start_ms), ending)


def _next_end(summarised_ms: int, start_ms: int | None) -> int | None:
    """The end of the minute that begins at `start_ms`, or of the hour or day under way if that is earlier."""
    ends = [] if start_ms is None else [start_ms + MINUTE_MS]
    for span in (Span.HOUR, Span.DAY):
        if summarised_ms % span.length_ms:
            ends.append(span.start_of(summarised_ms) + span.length_ms)
            break
    return min(ends, default=None)


def _portions(connection: sqlite3.Connection, start_ms: int) -> Sequence[Collection[int]]:
    """The sites with checks in a minute, in groups for one step each."""
    query = f"SELECT {SITE}, COUNT(*) FROM checks WHERE id >= ? AND id < ? GROUP BY 1 ORDER BY 1"
    portions: list[list[int]] = [[]]
    room = CHECKS_AT_ONCE
    for site, count in connection.execute(query, (first_key(start_ms), first_key(start_ms + MINUTE_MS))):
        if room <= 0:
            portions.append([])
            room = CHECKS_AT_ONCE
        portions[-1].append(site)
        room -= count
    return portions


def _add_up_minute(connection: sqlite3.Connection, work: Work, sites: Collection[int]) -> None:
    if work.start_ms is None or not sites:
        return
    found = summaries.of_minute(connection, work.start_ms, sites)
    work.found[Span.MINUTE] |= found
    work.checks += sum(summary.checks for summary in found.values())
    where, span = summaries.in_minute(work.start_ms, sites)
    rows = connection.execute(f"SELECT {states.TELLING_COLUMNS} FROM checks WHERE {where} ORDER BY id", span)
    work.last_states |= states.follow(states.load(connection, sites), (row for row in rows if site_of(row[0]) in sites))


def sites_of(connection: sqlite3.Connection, span: Span, work: Work) -> Sequence[int]:
    """The sites with checks in the hour or day that ends with this work."""
    finer = FINER[span]
    query = f"SELECT DISTINCT {SITE} FROM {finer.kind} WHERE id >= ? AND id < ?"
    stored = connection.execute(query, (first_key(work.begin_of(span)), first_key(work.until_ms)))
    return sorted({site for (site,) in stored} | work.found[finer].keys())


def _longer(connection: sqlite3.Connection, span: Span, work: Work, sites: Collection[int]) -> Mapping[int, Summary]:
    newest = work.found[FINER[span]]
    return summaries.of_finer(connection, span, work.begin_of(span), sites, newest)


def _add_up_changed(connection: sqlite3.Connection, work: Work) -> None:
    """Add up again the sites whose checks have changed, from what the transaction sees."""
    if not work.changed:
        return
    for found in work.found.values():
        for site in work.changed:
            found.pop(site, None)
    if work.start_ms is not None:
        for site in work.changed:
            work.last_states.pop(site, None)
        _add_up_minute(connection, work, work.changed)
        work.checks = sum(summary.checks for summary in work.found[Span.MINUTE].values())
    for span in work.ending:
        work.found[span] |= _longer(connection, span, work, work.changed)
