"""Compares the alerts that another rule would have raised with those that were raised. Pure."""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitoring.models import Alert, AlertType, CheckResult, Site, Window


@dataclass(frozen=True, slots=True)
class Pair:
    """One outage: the alert that was raised, and the alert that the other rule would have raised."""

    raised: Alert
    replayed: Alert

    @property
    def later_ms(self) -> int:
        """How much later the other rule raises the alert; below 0: earlier."""
        return self.replayed.time_ms - self.raised.time_ms


@dataclass(frozen=True, slots=True)
class Messages:
    """How many messages announce the state changes that were raised, and how many those of the other rule."""

    raised: int = 0
    replayed: int = 0


@dataclass(frozen=True, slots=True)
class SiteBacktest:
    """The comparison for one site, seen from one location. `site` has the other rule.

    `raised` and `replayed` are all state changes of either rule, in order. `missed` are the alerts that only were raised,
    `added` those that only the other rule raises, and `pairs` those of both. `messages` counts the messages on this site.
    """

    site: Site
    location: str
    raised: Sequence[Alert]
    replayed: Sequence[Alert]
    missed: Sequence[Alert]
    added: Sequence[Alert]
    pairs: Sequence[Pair]
    messages: Messages = Messages()

    def moved(self, every_ms: int) -> Sequence[Pair]:
        """The pairs that differ by more than two evaluations. The same rule, evaluated at other moments, differs by less."""
        return [pair for pair in self.pairs if abs(pair.later_ms) > 2 * every_ms]


@dataclass(frozen=True, slots=True)
class Backtest:
    """The back-test of a window. `from_ms` is its start, or the first check if checks do not reach that far back.

    Without any check `from_ms` is None. `source` is the store that was read, as JSON names it. The rule is evaluated every
    `every_ms`. One of the `messages` may announce several sites.
    """

    window: Window
    from_ms: int | None
    source: str
    every_ms: int
    sites: Sequence[SiteBacktest]
    messages: Messages = Messages()


class Coverage:
    """The time that the checks of a site cover outside of maintenance, summed over any window."""

    def __init__(self) -> None:
        self._times = array("q")
        self._covered = array("q", [0])  # the sum before each of these times; the last one is the total
        self._down = array("q", [0])

    def add(self, check: CheckResult) -> None:
        """Take in the next check."""
        self._times.append(check.time_ms)
        counts_ms = 0 if check.maintenance else check.covers_ms
        self._covered.append(self._covered[-1] + counts_ms)
        self._down.append(self._down[-1] + (0 if check.cause is None else counts_ms))

    def sums(self, window: Window) -> tuple[int, int]:
        """The available and the covered milliseconds in a window."""
        first, last = (bisect_left(self._times, bound_ms) for bound_ms in (window.from_ms, window.until_ms))
        covered_ms = self._covered[last] - self._covered[first]
        return covered_ms - (self._down[last] - self._down[first]), covered_ms


def compare(site: Site, location: str, raised: Sequence[Alert], replayed: Sequence[Alert]) -> SiteBacktest:
    """Compare two histories of state changes of one site, both in order. Outages that overlap in time form a pair.

    If several outages of one history overlap one of the other, the first forms the pair; the others are missed or added.
    """
    before, after = deque(_outages(raised)), deque(_outages(replayed))
    missed: list[Alert] = []
    added: list[Alert] = []
    pairs: list[Pair] = []
    while before and after:
        if before[0][1].until_ms <= after[0][1].from_ms:
            missed.append(before.popleft()[0])
        elif after[0][1].until_ms <= before[0][1].from_ms:
            added.append(after.popleft()[0])
        else:
            pairs.append(Pair(before.popleft()[0], after.popleft()[0]))
    missed += [alert for alert, _ in before]
    added += [alert for alert, _ in after]
    return SiteBacktest(site, location, raised, replayed, missed, added, pairs)


def _outages(changes: Iterable[Alert]) -> list[tuple[Alert, Window]]:
    """Each alert, with the window from its first failed check to its recovery."""
    found: list[tuple[Alert, Window]] = []
    for change in changes:
        if change.type is AlertType.ALERT:
            found.append((change, Window(change.start_ms, 1 << 62)))
        elif found:
            alert, outage = found.pop()
            found.append((alert, Window(outage.from_ms, change.time_ms)))
    return found
