"""Which sites are shown, in which order, over which window, of which moment. Pure: `view` feeds every screen of sites."""

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
"""The windows to choose from, the shortest first, by what they are called in titles."""


class Order(StrEnum):
    """By what sites are sorted; each begins with what people look for first."""

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
    """What a person has chosen to see. `wanted` is a filter as `selected` reads it; `location` None: all of them."""

    window_ms: int = WINDOWS_MS["10m"]
    wanted: str = ""
    only_faults: bool = False
    order: Order = Order.STATE
    is_reversed: bool = False
    location: str | None = None


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site as one location sees it, in every window that was read: what one line of the overview shows.

    `now` is its row in the shortest window; `rows` are all of them, by the length of the window.
    """

    now: SiteRow
    rows: Mapping[int, SiteRow]

    @property
    def key(self) -> SiteKey:
        return self.now.key

    def row(self, window_ms: int) -> SiteRow | None:
        """The site in this window; None: it was not read yet."""
        return self.rows.get(window_ms)

    def shown(self, window_ms: int) -> SiteRow:
        """The site in this window; before that was read in the shortest one."""
        return self.rows.get(window_ms) or self.now


def site_lines(reports: Sequence[StatsReport]) -> Sequence[SiteLine]:
    """A line for each site and location of the first report, which is the shortest, in its order."""
    if not reports:
        return []
    found: dict[SiteKey, dict[int, SiteRow]] = {row.key: {} for row in reports[0].rows}
    for report in reports:
        length_ms = report.length_ms
        for row in report.rows:
            if (of_site := found.get(row.key)) is not None:
                of_site[length_ms] = row
    return [SiteLine(row, found[row.key]) for row in reports[0].rows]


def view(lines: Sequence[SiteLine], choice: Choice) -> Sequence[SiteLine]:
    """The lines that are chosen, in the order that is chosen; equals stay in the order of the configuration."""
    known = {line.key: line for line in lines}
    rows = [_row(line, choice.window_ms) for line in lines]
    fitting = [
        row
        for row in selected(rows, choice.wanted)
        if not (choice.only_faults and row.status.state in HEALTHY) and choice.location in (None, row.location)
    ]
    ordered = sorted(fitting, key=RANKS[choice.order])
    return [known[row.key] for row in (reversed(ordered) if choice.is_reversed else ordered)]


def _row(line: SiteLine, window_ms: int) -> SiteRow:
    """The site in this window, in the state in which it is now."""
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


def place_of(cursor: SiteKey | None, keys: Sequence[SiteKey]) -> int:
    """Where the cursor is among these sites; on the first one where its site is not there."""
    return keys.index(cursor) if cursor in keys else 0


def next_window(windows_ms: Sequence[int], window_ms: int) -> int:
    """The next longer one of these windows, which stand the shortest first; after the longest the shortest."""
    return next((length_ms for length_ms in windows_ms if length_ms > window_ms), windows_ms[0])


def earlier_ms(at_ms: int | None, window_ms: int, now_ms: int) -> int:
    """The moment one window before the one that is shown; `at_ms` None: now is."""
    return max(window_ms, (now_ms if at_ms is None else at_ms) - window_ms)


def later_ms(at_ms: int | None, window_ms: int, now_ms: int) -> int | None:
    """The moment one window later; None: that is now, or yet to come."""
    if at_ms is None or at_ms + window_ms >= now_ms:
        return None
    return at_ms + window_ms
