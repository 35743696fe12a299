"""The marks of charts: each minute of the past hour, each hour of the past day and each day of the past quarter.

A mark is read for all sites at once and cached, because a span that is over hardly changes. So a chart costs no query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitoring.clock import Clock, Deadline
from monitoring.display.view_model.overview import DAYS
from monitoring.display.view_model.series import Mark, mark_of
from monitoring.display.view_model.values import SiteKey
from monitoring.models import Site, Window
from monitoring.statistics.windows import may_be_exact
from monitoring.storage.routing import Readers
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

LATELY = 3
"""How many of the last complete marks may still change, because checks are delivered late."""

PATIENCE_MS = 200
"""How long to read marks in one step, so that other queries come in between."""


@dataclass(frozen=True, slots=True)
class Scale:
    """`count` marks of one length, and how often to read each: the incomplete one, the last complete ones, and the others.

    `now_every_ms` is None if the incomplete mark is not shown.
    """

    length_ms: int
    count: int
    now_every_ms: int | None
    lately_every_ms: int
    others_every_ms: int

    def every_ms(self, age: int) -> int:
        """How often to read a mark that ended `age` marks ago; 0: the incomplete one."""
        if age == 0:
            return self.now_every_ms or 0
        return self.lately_every_ms if age <= LATELY else self.others_every_ms

    def numbers(self, until_ms: int) -> range:
        """The numbers of the marks up to this moment, oldest first."""
        end = until_ms // self.length_ms + (self.now_every_ms is not None)
        return range(end - self.count, end)


MINUTES = Scale(MINUTE_MS, 60, None, MINUTE_MS, 10 * MINUTE_MS)
HOURS = Scale(HOUR_MS, 24, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS)
DAYS_OF_QUARTER = Scale(DAY_MS, DAYS, 2 * MINUTE_MS, 10 * MINUTE_MS, 6 * HOUR_MS)


class Series:
    """A cache of the marks of one scale, by site and location. One thread fills it, any thread reads it."""

    def __init__(self, clock: Clock, scale: Scale, host: str | None = None) -> None:
        """`host`: the only one that is remembered, without exact percentiles; None: all are."""
        self._clock = clock
        self._scale = scale
        self._host = host
        self._marks: dict[int, Mapping[SiteKey, Mark]] = {}
        self._read_ms: dict[int, int] = {}
        self._by_site: Mapping[SiteKey, Sequence[Mark]] = {}

    def read(self, readers: Readers, until_ms: int, sites: int) -> None:
        """Read some of the marks that are due, newest first. `sites` is the number of sites. Raises `StoreError`."""
        scale, length_ms = self._scale, self._scale.length_ms
        deadline = Deadline.after(self._clock, PATIENCE_MS)
        numbers = scale.numbers(until_ms)
        exact = self._host is None and may_be_exact(Window.before(until_ms, scale.count * length_ms), sites)
        for number in reversed(numbers):
            age = until_ms // length_ms - number
            if until_ms - self._read_ms.get(number, 0) < scale.every_ms(age):
                continue
            window = Window(number * length_ms, min((number + 1) * length_ms, until_ms))
            self._marks[number] = {} if window.length_ms <= 0 else self._read(readers, window, exact=exact)
            self._read_ms[number] = until_ms
            self._by_site = {}
            if not deadline.left_s():
                break
        for gone in self._marks.keys() - numbers:
            del self._marks[gone]
            self._read_ms.pop(gone, None)  # missing if `forget` came before its turn

    def is_read(self, until_ms: int) -> bool:
        """Was every mark up to this moment read?"""
        return self._read_ms.keys() >= set(self._scale.numbers(until_ms))

    def forget(self) -> None:
        """Read every mark again, because other stores are read from now on."""
        self._read_ms.clear()

    def of_all(self, keys: Sequence[SiteKey], until_ms: int) -> Mapping[SiteKey, Sequence[Mark]]:
        """The marks of these sites: the same object until a mark is read. Only for the thread that reads."""
        if self._by_site.keys() != set(keys):
            columns = self._columns(until_ms)
            self._by_site = {key: [marks.get(key) or empty for marks, empty in columns] for key in keys}
        return self._by_site

    def of(self, key: SiteKey, until_ms: int) -> Sequence[Mark]:
        """The marks of a site, oldest first. A mark that has not been read yet is empty."""
        return [marks.get(key) or empty for marks, empty in self._columns(until_ms)]

    def _columns(self, until_ms: int) -> Sequence[tuple[Mapping[SiteKey, Mark], Mark]]:
        """Of each span the marks of all sites, and the empty one that all others share, oldest first."""
        length_ms, found = self._scale.length_ms, []
        for number in self._scale.numbers(until_ms):
            start_ms = number * length_ms
            empty = Mark(start_ms, max(0, min(length_ms, until_ms - start_ms)))
            found.append((self._marks.get(number, {}), empty))
        return found

    def _read(self, readers: Readers, window: Window, *, exact: bool) -> Mapping[SiteKey, Mark]:
        return {
            (host, location): mark_of(window.from_ms, window.length_ms, stats)
            for location, reader in readers.items()
            for host, stats in reader.stats(window, exact=exact).items()
            if self._host in (None, host)
        }


class Charts:
    """The series of all scales."""

    def __init__(self, clock: Clock) -> None:
        self.days = Series(clock, DAYS_OF_QUARTER)
        hours, minutes = Series(clock, HOURS), Series(clock, MINUTES)
        self._every = (minutes, self.days, hours)
        self._of_window = {"10m": (minutes, 10), "1h": (minutes, 60), "24h": (hours, 24), "30d": (self.days, 30)}

    def read(self, readers: Readers, until_ms: int, sites: int) -> None:
        """Read some of the marks that are due. Raises `StoreError`."""
        for series in self._every:
            series.read(readers, until_ms, sites)

    def forget(self) -> None:
        """Read every mark again."""
        for series in self._every:
            series.forget()

    def of(self, key: SiteKey, window: str, until_ms: int) -> Sequence[Mark]:
        """The marks of a site in the window of this name. For any thread."""
        series, count = self._of_window.get(window, (self.days, DAYS))
        return series.of(key, until_ms)[-count:]


def last_checks_window(site: Site, sites: Sequence[Site], until_ms: int, count: int, most: int) -> Window:
    """A window with about the last `count` checks of this site, but at most about `most` of all sites."""
    rate_per_ms = sum(1 / other.interval_ms for other in sites) or 1.0
    return Window.before(until_ms, max(1, min((count + 1) * site.interval_ms, round(most / rate_per_ms))))
