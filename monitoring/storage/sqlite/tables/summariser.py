"""Summarises past minutes, and the hours and days that end with them, in short steps.

Each step adds up some sites on a read connection, then stores their summaries in a short transaction. Nobody reads these
before the last step moves `summarised_ms` past them. A check that comes between two steps is added to what is stored, like
every late check; if the turn of its site is yet to come, that adds up all checks again. After an end in between, the minute
is begun again.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from monitoring.models import CheckResult, Window
from monitoring.statistics.summary import FINER, Span
from monitoring.storage.sqlite.tables import meta, outbox, states, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.rows import Connected
from monitoring.storage.sqlite.tables.schema import SITE, first_key, inside, site_of, time_of
from monitoring.units import MINUTE_MS

SETTLED_MS = 15_000
"""A minute is summarised so long after its end. Checks that come later are added to its summaries."""

CHECKS_AT_ONCE = 2_500
"""A step adds up about so many checks, in some 30 ms."""

SITES_AT_ONCE = {Span.HOUR: 15, Span.DAY: 50}
"""A step adds up the hour or the day of so many sites."""


class Summariser:
    """Used by the thread that writes."""

    def __init__(self, connection: sqlite3.Connection, snapshot: Connected, writing: Connected) -> None:
        """`snapshot` gives a connection for reading, `writing` a transaction."""
        self._snapshot = snapshot
        self._writing = writing
        self._steps: Iterator[None] | None = None
        self._changed: set[int] = set()
        self.summarised_ms = meta.number(connection, Value.SUMMARISED_MS)
        self._begun_ms = max(self.summarised_ms, states.newest_ms(connection) + 1)
        """There are no summaries and states of checks from this moment on."""

    def step(self, now_ms: int, in_flight: Callable[[], int]) -> bool:
        """Take the next step. False: there is none. Outbox entries up to `in_flight` are being delivered."""
        if self._steps is None:
            with self._snapshot() as connection:
                until_ms = _next_end(connection, self.summarised_ms)
            if until_ms is None or until_ms + SETTLED_MS > now_ms:
                return False
            self._begun_ms = max(self._begun_ms, until_ms)
            self._steps = self._steps_until(until_ms, now_ms, in_flight)
        try:
            next(self._steps, None)
        except BaseException:
            self._steps = None  # begin the minute again
            raise
        return True

    def _steps_until(self, until_ms: int, now_ms: int, in_flight: Callable[[], int]) -> Iterator[None]:
        """Summarise the minute that ends at this moment, then the hour and the day that end with it."""
        minute, rest = Window(until_ms - MINUTE_MS, until_ms), Window(self.summarised_ms, until_ms)
        with self._snapshot() as connection:
            groups = _groups(connection, minute)
        yield  # to look at all checks of the minute takes as long as a step
        for sites in groups:
            with self._snapshot() as connection:
                found = summaries.of_minute(connection, minute.from_ms, sites)
                last_states = states.newer(connection, rest, sites)
            with self._writing() as connection:
                summaries.store(connection, Span.MINUTE, minute.from_ms, found)
                states.save(connection, last_states)
            yield
        for span in _ending(until_ms):
            yield from self._add_up(span, Window(until_ms - span.length_ms, until_ms))
        with self._writing() as connection:
            states.save(connection, states.newer(connection, rest, self._changed))
            for span in (Span.MINUTE, *_ending(until_ms)):
                _announce(connection, span, until_ms - span.length_ms, now_ms, in_flight())
            meta.put(connection, Value.SUMMARISED_MS, until_ms)
        self.summarised_ms = until_ms
        self._changed.clear()
        self._steps = None

    def _add_up(self, span: Span, window: Window) -> Iterator[None]:
        """Add up an hour or day."""
        where, values = inside(window)
        with self._snapshot() as connection:
            query = f"SELECT DISTINCT {SITE} FROM {FINER[span].kind} WHERE {where} ORDER BY 1"
            sites = [site for (site,) in connection.execute(query, values)]
        for first in range(0, len(sites), SITES_AT_ONCE[span]):
            some = sites[first : first + SITES_AT_ONCE[span]]
            with self._snapshot() as connection:
                found = summaries.of_finer(connection, span, window.from_ms, some)
            with self._writing() as connection:
                summaries.store(connection, span, window.from_ms, found)
            yield

    def add(self, connection: sqlite3.Connection, checks: Mapping[int, CheckResult], now_ms: int, in_flight: int) -> None:
        """Add checks that have just been stored to the summaries and states that there are already."""
        late = {key: check for key, check in checks.items() if check.time_ms < self._begun_ms}
        if not late:
            return
        for span, key in summaries.add_late(connection, late, self._begun_ms):
            outbox.add_missing(connection, span.kind, [key], now_ms, in_flight)
        states.add_late(connection, late, self.summarised_ms)
        self._changed.update(site_of(key) for key, check in late.items() if check.time_ms >= self.summarised_ms)


def _next_end(connection: sqlite3.Connection, summarised_ms: int) -> int | None:
    """The end of the oldest minute with checks, or of the hour or day under way if that is earlier; None: there is none."""
    oldest = connection.execute("SELECT MIN(id) FROM checks WHERE id >= ?", (first_key(summarised_ms),)).fetchone()[0]
    ends = [] if oldest is None else [Span.MINUTE.start_of(time_of(oldest)) + MINUTE_MS]
    for span in (Span.HOUR, Span.DAY):
        if summarised_ms % span.length_ms:
            ends.append(span.start_of(summarised_ms) + span.length_ms)
            break
    return min(ends, default=None)


def _ending(until_ms: int) -> list[Span]:
    """Which longer spans end with the minute that ends then."""
    return [span for span in (Span.HOUR, Span.DAY) if until_ms % span.length_ms == 0]


def _groups(connection: sqlite3.Connection, minute: Window) -> list[range]:
    """The numbers of all sites with checks in a minute, in a range for each step."""
    where, values = inside(minute)
    query = f"SELECT {SITE}, COUNT(*) FROM checks WHERE {where} GROUP BY 1 ORDER BY 1"
    groups: list[range] = []
    room = 0
    for site, count in connection.execute(query, values):
        if room <= 0:
            groups.append(range(site, site))
            room = CHECKS_AT_ONCE
        groups[-1] = range(groups[-1].start, site + 1)
        room -= count
    return groups


def _announce(connection: sqlite3.Connection, span: Span, start_ms: int, now_ms: int, in_flight: int) -> None:
    """Put the finished summaries of a span into the outbox."""
    first, last = first_key(start_ms), first_key(start_ms + 1) - 1
    query = f"SELECT COUNT(*), SUM(checks) FROM {span.kind} WHERE id BETWEEN ? AND ?"
    number, checks = connection.execute(query, (first, last)).fetchone()
    if number and span is Span.MINUTE:
        outbox.fold_minute(connection, start_ms, checks, in_flight)
    if number:
        outbox.add(connection, span.kind, first, last, number, now_ms)
