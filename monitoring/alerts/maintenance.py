"""Which sites are in maintenance now or were so a moment ago, by the configuration's plan or started by hand."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from monitoring.config.keys.maintenance import Maintenance
from monitoring.display.words import label, time_text
from monitoring.errors import StoreError
from monitoring.models import CheckResult, Window
from monitoring.names import listed
from monitoring.statistics.windows import joined
from monitoring.units import HOUR_MS

BEFORE_MS, AHEAD_MS = 2 * HOUR_MS, 2 * HOUR_MS
"""The span around the present for which maintenance is computed: longer than a check, and than `RECOMPUTE_MS`."""
RECOMPUTE_MS = HOUR_MS

ByHand = Callable[[], Mapping[str, Window]]
"""Returns, for each host, the newest maintenance that was started by hand. Raises `StoreError`."""


def windows_of(
    planned: Iterable[Maintenance], by_hand: Mapping[str, Window], span: Window
) -> Mapping[str, Sequence[Window]]:
    """The maintenance of each host in this span: windows in order that neither overlap nor touch."""
    found: defaultdict[str, list[Window]] = defaultdict(list)
    for one in planned:
        windows = list(one.windows(span))
        for host in one.hosts if windows else ():
            found[host] += windows
    for host, window in by_hand.items():
        if window.from_ms < span.until_ms and window.until_ms > span.from_ms:
            found[host].append(window)
    return {host: joined(windows) for host, windows in found.items()}


@dataclass(frozen=True, slots=True)
class MaintenanceChange:
    """Maintenance of these hosts began, and lasts until then; or is over (None)."""

    until_ms: int | None
    hosts: Sequence[str]

    def text(self, names: Mapping[str, str | None]) -> str:
        """ "maintenance until 2026-01-01T03:00:00.000Z: shop, blog", "maintenance is over: shop". `names` by host."""
        what = "is over" if self.until_ms is None else f"until {time_text(self.until_ms)}"
        return f"maintenance {what}: {listed(sorted(label(host, names.get(host)) for host in self.hosts))}"


class MaintenanceCalendar:
    """The maintenance around now. Any thread may ask; only one thread calls `plan` and `look`."""

    def __init__(self, planned: Collection[Maintenance], by_hand: ByHand) -> None:
        self._planned = planned
        self._read = by_hand
        self._by_hand: Mapping[str, Window] = {}
        self._computed_at_ms: int | None = None
        self._windows: Mapping[str, Sequence[Window]] = {}
        self._current: Mapping[str, Window] = {}

    def plan(self, planned: Collection[Maintenance]) -> None:
        """Use another plan. Checks are marked by it from the next `look` on."""
        self._planned = planned
        self._computed_at_ms = None

    def look(self, now_ms: int) -> Sequence[MaintenanceChange]:
        """Read what was started or ended by hand. Returns what began or is over. Call it every second."""
        by_hand = self._by_hand
        with suppress(StoreError):  # keep what was read before
            by_hand = self._read()
        at_ms = self._computed_at_ms
        if at_ms is None or by_hand != self._by_hand or not 0 <= now_ms - at_ms < RECOMPUTE_MS:
            self._windows = windows_of(self._planned, by_hand, Window(now_ms - BEFORE_MS, now_ms + AHEAD_MS))
            self._by_hand, self._computed_at_ms = by_hand, now_ms
        before, self._current = self._current, {host: it for host in self._windows if (it := self.at(host, now_ms))}
        return _changes(before, self._current)

    def at(self, host: str, time_ms: int) -> Window | None:
        """The maintenance of the site at this moment, however far away; None: it is in none."""
        around_ms = self._computed_at_ms
        if around_ms is not None and -BEFORE_MS <= time_ms - around_ms < AHEAD_MS:
            return self._touched(host, time_ms, time_ms + 1)
        moment = Window(time_ms, time_ms + 1)
        found = windows_of((it for it in self._planned if host in it.hosts), self._by_hand, moment)
        return next(iter(found.get(host, ())), None)

    def marked(self, check: CheckResult, ended_ms: int) -> CheckResult:
        """The check to store, marked if any maintenance fell between its slot and its end."""
        is_marked = self._touched(check.host, check.time_ms, max(ended_ms, check.time_ms) + 1)
        return replace(check, maintenance=1) if is_marked else check

    def _touched(self, host: str, from_ms: int, until_ms: int) -> Window | None:
        for window in self._windows.get(host, ()):  # hardly ever one: this is asked about each check
            if window.from_ms < until_ms and window.until_ms > from_ms:
                return window
        return None


def _changes(before: Mapping[str, Window], now: Mapping[str, Window]) -> Sequence[MaintenanceChange]:
    begun: defaultdict[int, list[str]] = defaultdict(list)
    for host, window in now.items():
        if host not in before or before[host].until_ms != window.until_ms:
            begun[window.until_ms].append(host)
    over = [host for host in before if host not in now]
    changes = [MaintenanceChange(until_ms, hosts) for until_ms, hosts in begun.items()]
    return [*changes, *([MaintenanceChange(None, over)] if over else [])]
