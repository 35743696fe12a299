"""The alerts that another rule would have raised, beside those that were raised. Pure."""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitoring.models import Alert, AlertType, CheckResult, Site, Window


@dataclass(frozen=True, slots=True)
class Pair:
    """The same outage as it was raised and as the rule that is tried would have raised it."""

    raised: Alert
    replayed: Alert

    @property
    def later_ms(self) -> int:
        """How much later the rule that is tried alerts; below 0: earlier."""
        return self.replayed.time_ms - self.raised.time_ms


@dataclass(frozen=True, slots=True)
class Messages:
    """How many messages tell of the state changes that were raised, and of those of the rule that is tried."""

    raised: int = 0
    replayed: int = 0


@dataclass(frozen=True, slots=True)
class SiteBacktest:
    """One site, seen from one location. `site` has the rule that was tried.

    `raised` and `replayed` are all state changes, in order. Of the alerts among them `missed` are those raised that the rule
    would not have raised, `added` the other way round, `pairs` those that both have. `messages` are those that tell of it.
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
        """The pairs that are apart by more than two evaluations may be: at other moments the same rule decides, too."""
        return [pair for pair in self.pairs if abs(pair.later_ms) > 2 * every_ms]


@dataclass(frozen=True, slots=True)
class Backtest:
    """The back-test of a window. `from_ms` is later than it begins where no checks reach so far back, None without any.

    `source` is the store that was asked, as JSON names it; `every_ms` how often the rule is evaluated. One of the `messages`
    may tell of several sites.
    """

    window: Window
    from_ms: int | None
    source: str
    every_ms: int
    sites: Sequence[SiteBacktest]
    messages: Messages = Messages()


class Coverage:
    """What the checks of a site cover outside of maintenance, to be added up over parts of their time."""

    def __init__(self) -> None:
        self._times = array("q")
        self._covered = array("q", [0])  # before each of these times, and in the end
        self._down = array("q", [0])

    def add(self, check: CheckResult) -> None:
        """Take in the next check."""
        self._times.append(check.time_ms)
        counts_ms = 0 if check.maintenance else check.covers_ms
        self._covered.append(self._covered[-1] + counts_ms)
        self._down.append(self._down[-1] + (0 if check.cause is None else counts_ms))

    def sums(self, window: Window) -> tuple[int, int]:
        """How many milliseconds were available, and how many are covered."""
        first, last = (bisect_left(self._times, bound_ms) for bound_ms in (window.from_ms, window.until_ms))
        covered_ms = self._covered[last] - self._covered[first]
        return covered_ms - (self._down[last] - self._down[first]), covered_ms


def compare(site: Site, location: str, raised: Sequence[Alert], replayed: Sequence[Alert]) -> SiteBacktest:
    """Two histories of state changes of one site, both in order: outages that overlap in time are the same one.

    Where several of one history overlap one of the other, the first is that one, the rest were missed or added.
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
    """Each alert, with the time from its first failed check until its recovery."""
    found: list[tuple[Alert, Window]] = []
    for change in changes:
        if change.type is AlertType.ALERT:
            found.append((change, Window(change.start_ms, 1 << 62)))
        elif found:
            alert, outage = found.pop()
            found.append((alert, Window(outage.from_ms, change.time_ms)))
    return found
