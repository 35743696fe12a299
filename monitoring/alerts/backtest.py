"""The alerts that another rule would have raised, beside those that were raised. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitoring.models import Alert, AlertType, Site, Window


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
class SiteBacktest:
    """One site, seen from one location. `site` has the rule that was tried.

    `raised` and `replayed` are all state changes, in order. Of the alerts among them `missed` are those raised that the rule
    would not have raised, `added` the other way round, `pairs` those that both have.
    """

    site: Site
    location: str
    raised: Sequence[Alert]
    replayed: Sequence[Alert]
    missed: Sequence[Alert]
    added: Sequence[Alert]
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class Backtest:
    """The back-test of a window. `from_ms` is later than it begins where no checks reach so far back, None without any.

    `source` is the store that was asked, as JSON names it; `every_ms` how often the rule is evaluated.
    """

    window: Window
    from_ms: int | None
    source: str
    every_ms: int
    sites: Sequence[SiteBacktest]


def messages(changes: Sequence[Alert]) -> Sequence[Alert]:
    """Those of these state changes that are sent to people: each of them."""
    return changes


def compare(site: Site, location: str, raised: Sequence[Alert], replayed: Sequence[Alert]) -> SiteBacktest:
    """Two histories of state changes of one site, both in order: outages that overlap in time are the same one.

    Where several of one history overlap one of the other, the first is that one, the rest were missed or added.
    """
    before, after = _outages(raised), _outages(replayed)
    pairs: list[Pair] = []
    for one in before:
        other = next((it for it in after if _overlap(one, it) and all(pair.replayed != it[0] for pair in pairs)), None)
        if other:
            pairs.append(Pair(one[0], other[0]))
    kept, new = {pair.raised for pair in pairs}, {pair.replayed for pair in pairs}
    missed = [alert for alert, _ in before if alert not in kept]
    added = [alert for alert, _ in after if alert not in new]
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


def _overlap(one: tuple[Alert, Window], other: tuple[Alert, Window]) -> bool:
    return one[1].from_ms < other[1].until_ms and other[1].from_ms < one[1].until_ms
