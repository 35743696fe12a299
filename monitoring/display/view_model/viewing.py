"""Which sites to show, in which order, in which window, at which moment. Pure. All tables of sites use it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from monitoring.display.view_model.ranking import HEALTHY, badness
from monitoring.display.view_model.selection import selected
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

WINDOWS_MS = {"10m": 10 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
"""The windows to choose from, shortest first, by their titles."""


OLDER_MS = 5_000
"""A window that ends this long before the newest one is called older."""


class Order(StrEnum):
    """The keys to sort sites by. Each order begins with what people look for first."""

    STATE = "state"  # the worst first
    NAME = "name"
    AVAILABILITY = "availability"  # the lowest first
    RESPONSE = "response time"  # the slowest first
    SINCE = "since"  # the newest change first

    @property
    def next(self) -> "Order":
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person has chosen to see. `wanted` is a filter for `selected`; `location` None: all locations."""

    window_ms: int = WINDOWS_MS["10m"]
    wanted: str = ""
    only_faults: bool = False
    order: Order = Order.STATE
    is_reversed: bool = False
    location: str | None = None


@dataclass(frozen=True, slots=True)
class SiteLine:
    """One site, seen from one location, in every window that has been read: one line of the table.

    `now` is its row in the shortest window; `rows` are all of them, by the length of the window.
    """

    now: SiteRow
    rows: Mapping[int, SiteRow]

    @property
    def key(self) -> SiteKey:
        return self.now.key

    def row(self, window_ms: int) -> SiteRow | None:
        """The site in this window; None: not read yet."""
        return self.rows.get(window_ms)

    def shown(self, window_ms: int) -> SiteRow:
        """The site in this window or, if that has not been read yet, in the shortest one."""
        return self.rows.get(window_ms) or self.now


def site_lines(reports: Sequence[StatsReport]) -> Sequence[SiteLine]:
    """A line for each site and location of the shortest report, in its order."""
    if not reports:
        return []
    found: dict[SiteKey, dict[int, SiteRow]] = {row.key: {} for row in reports[0].rows}
    for report in reports:
        length_ms = report.length_ms
        for row in report.rows if length_ms else ():
            if (of_site := found.get(row.key)) is not None:
                of_site[length_ms] = row
    return [SiteLine(row, found[row.key]) for row in reports[0].rows]


def chosen_lines(lines: Sequence[SiteLine], choice: Choice) -> Sequence[SiteLine]:
    """The lines that match the choice, in the chosen order. Ties keep the order of the configuration."""
    known = {line.key: line for line in lines}
    rows = [_row(line, choice.window_ms) for line in lines]
    matching = [
        row
        for row in selected(rows, choice.wanted)
        if not (choice.only_faults and row.status.state in HEALTHY) and choice.location in (None, row.location)
    ]
    ordered = sorted(matching, key=RANKS[choice.order])
    return [known[row.key] for row in (reversed(ordered) if choice.is_reversed else ordered)]


class SiteList:
    """The lines of some reports, for a screen that is drawn many times: what was chosen last is not worked out again."""

    def __init__(self, reports: Sequence[StatsReport]) -> None:
        self.lines = site_lines(reports)
        self._last: tuple[Choice, Sequence[SiteLine]] | None = None

    def chosen(self, choice: Choice) -> Sequence[SiteLine]:
        """As `chosen_lines`."""
        if self._last is None or self._last[0] != choice:
            self._last = choice, chosen_lines(self.lines, choice)
        return self._last[1]


def _row(line: SiteLine, window_ms: int) -> SiteRow:
    """The site in this window, with its current state."""
    row = line.shown(window_ms)
    return row if row.status is line.now.status else replace(row, status=line.now.status)


def _by_name(row: SiteRow) -> tuple[str, str]:
    return (row.name or row.host).casefold(), row.location


def _by_availability(row: SiteRow) -> Fraction:
    return Fraction(101) if row.availability is None else row.availability


def _by_response(row: SiteRow) -> float:
    return -row.stats.response.p95_us if row.stats.response else 1.0


def _by_since(row: SiteRow) -> int:
    return -(row.status.since_ms or 0)


RANKS: Mapping[Order, Callable[[SiteRow], Any]] = {
    Order.STATE: badness,
    Order.NAME: _by_name,
    Order.AVAILABILITY: _by_availability,
    Order.RESPONSE: _by_response,
    Order.SINCE: _by_since,
}


def older_windows(until_ms: Mapping[int, int]) -> Mapping[int, int]:
    """The ends of the windows that are older than the newest one, so that their numbers may contradict each other.

    `until_ms` are the ends of all windows, by their length.
    """
    newest_ms = max(until_ms.values(), default=0)
    return {length_ms: end_ms for length_ms, end_ms in sorted(until_ms.items()) if newest_ms - end_ms >= OLDER_MS}


def place_of(cursor: SiteKey | None, keys: Sequence[SiteKey]) -> int:
    """The index of the cursor among these sites; 0 if its site is not one of them."""
    return keys.index(cursor) if cursor in keys else 0


def next_window(windows_ms: Sequence[int], window_ms: int) -> int:
    """The next longer window of an ascending list; after the longest the shortest."""
    return next((length_ms for length_ms in windows_ms if length_ms > window_ms), windows_ms[0])


def earlier_ms(at_ms: int | None, window_ms: int, now_ms: int) -> int:
    """The moment one window before the shown one. `at_ms` None: the present is shown."""
    return max(window_ms, (now_ms if at_ms is None else at_ms) - window_ms)


def later_ms(at_ms: int | None, window_ms: int, now_ms: int) -> int | None:
    """The moment one window later; None: that is now or in the future."""
    if at_ms is None or at_ms + window_ms >= now_ms:
        return None
    return at_ms + window_ms
