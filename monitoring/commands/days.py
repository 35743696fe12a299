"""The days of the past quarter, read one by one: a day that is over hardly changes."""

from collections.abc import Mapping, Sequence

from monitoring.clock import Clock, Deadline
from monitoring.display.overview import DAYS, Day
from monitoring.display.values import SiteKey
from monitoring.models import Site, Window
from monitoring.storage.routing import Readers
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

TODAY_EVERY_MS = MINUTE_MS
LATELY_EVERY_MS = 10 * MINUTE_MS
LATELY_DAYS = 3
"""So many days may still get checks that were delivered late."""
OTHERS_EVERY_MS = 6 * HOUR_MS

PATIENCE_MS = 200
"""So long days are read at a time: other questions are asked in between."""


class DayBook:
    """Remembers what each day of each site and location added up to. Used by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._days: dict[int, Mapping[SiteKey, Day]] = {}
        self._read_ms: dict[int, int] = {}
        self._by_site: Mapping[SiteKey, Sequence[Day]] = {}

    def read(self, readers: Readers, until_ms: int) -> None:
        """Read some of the days that are due, the newest first. Raises `StoreError`."""
        today = until_ms // DAY_MS
        deadline = Deadline.after(self._clock, PATIENCE_MS)
        for number in range(today, today - DAYS, -1):
            if until_ms - self._read_ms.get(number, 0) < self._every_ms(today - number):
                continue
            window = Window(number * DAY_MS, min((number + 1) * DAY_MS, until_ms))
            self._days[number] = {} if window.length_ms <= 0 else _read(readers, window)
            self._read_ms[number] = until_ms
            self._by_site = {}
            if not deadline.left_s():
                break

    def forget(self) -> None:
        """Read everything anew: other stores are asked from now on."""
        self._read_ms.clear()

    def of(self, keys: Sequence[SiteKey], until_ms: int) -> Mapping[SiteKey, Sequence[Day]]:
        """The days of these sites, the oldest first; one that was not read yet has nothing."""
        if self._by_site.keys() != set(keys):
            today = until_ms // DAY_MS
            numbers = range(today - DAYS + 1, today + 1)
            self._by_site = {key: [self._day(number, key) for number in numbers] for key in keys}
        return self._by_site

    def _day(self, number: int, key: SiteKey) -> Day:
        return self._days.get(number, {}).get(key) or Day(number * DAY_MS)

    @staticmethod
    def _every_ms(age_days: int) -> int:
        if age_days == 0:
            return TODAY_EVERY_MS
        return LATELY_EVERY_MS if age_days <= LATELY_DAYS else OTHERS_EVERY_MS


def _read(readers: Readers, window: Window) -> Mapping[SiteKey, Day]:
    return {
        (host, location): Day(window.from_ms, stats.covered_ms, stats.available_ms)
        for location, reader in readers.items()
        for host, stats in reader.stats(window, exact=False).items()
    }


def last_checks_window(site: Site, sites: Sequence[Site], until_ms: int, count: int, most: int) -> Window:
    """A window with about the last `count` checks of this site, and no more than `most` of all sites together."""
    rate_per_ms = sum(1 / other.interval_ms for other in sites) or 1.0
    return Window.before(until_ms, max(1, min((count + 1) * site.interval_ms, round(most / rate_per_ms))))
