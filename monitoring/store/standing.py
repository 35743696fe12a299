"""Where each site stood at a moment, by questions that every reader answers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from monitoring.checks.schedule import GRACE_MS
from monitoring.models import History, Site, SiteStats, Streak, Window
from monitoring.states import histories_from, unknown_after_ms
from monitoring.store.base import HistoryReader, Reader, StreakReader

MOST_CHECKS = 50_000
"""About so many checks are read at most: 0.2 s of work. Sites that are checked too seldom to be among them are counted."""

MOST_LOOKS = 8
"""How many questions a look asks about beginnings of good times; the next look finds more."""

TOGETHER_MS = 10_000
"""Failures that lie no further apart are looked up by one question."""


NO_STREAK = Streak(None, None)


def reach_ms(site: Site) -> int:
    """How far before a moment the newest check of a site may lie that is not unknown then, with all it may cover."""
    return unknown_after_ms(site) + _most_covered_ms(site)


def _most_covered_ms(site: Site) -> int:
    return 2 * site.interval_ms + site.timeout_ms + GRACE_MS


class Standing:
    """Remembers between two looks what took questions to find out."""

    def __init__(self) -> None:
        self._good_since: dict[tuple[str, int], int | None] = {}

    def at(self, reader: Reader, sites: Sequence[Site], at_ms: int, failed_ms: Mapping[str, int]) -> Mapping[str, History]:
        """The histories of these sites by the checks before `at_ms`. Raises `StoreError`.

        `failed_ms` are last failures that are known from elsewhere, by host. What no question told is None; a site
        that is unknown by then may be missing.
        """
        known = reader.histories() if isinstance(reader, HistoryReader) else {}
        streaks = reader.streaks(at_ms) if isinstance(reader, StreakReader) else {}
        found = _by_checks(reader, sites, at_ms)
        found = {**_of_the_past(known, at_ms), **found}
        found |= _of_seldom_sites(reader, [site for site in sites if site.host not in found], at_ms, streaks)
        histories = {
            host: _with_streak(
                _with_failure(_completed(history, known.get(host)), failed_ms.get(host)), streaks.get(host, NO_STREAK)
            )
            for host, history in found.items()
        }
        self._look_up(reader, [site for site in sites if site.host in histories], histories)
        return {host: self._with_beginning(host, history) for host, history in histories.items()}

    def _look_up(self, reader: Reader, sites: Sequence[Site], histories: Mapping[str, History]) -> None:
        """The first check after the last failure, of sites that are good since before the window that was read."""
        lacking = [
            (failure_ms, site)
            for site in sites
            if _lacks_beginning(histories[site.host])
            and (failure_ms := histories[site.host].last_failure_ms) is not None
            and (site.host, failure_ms) not in self._good_since
        ]
        for together in _near_each_other(lacking)[:MOST_LOOKS]:
            after = Window(together[0][0] + 1, max(failure_ms + _most_covered_ms(site) for failure_ms, site in together))
            results = reader.results(after)
            for failure_ms, site in together:
                times = (check.time_ms for check in results if check.host == site.host and check.time_ms > failure_ms)
                self._good_since[(site.host, failure_ms)] = next(times, None)

    def _with_beginning(self, host: str, history: History) -> History:
        if history.last_failure_ms is None or not _lacks_beginning(history):
            return history
        return replace(history, good_since_ms=self._good_since.get((host, history.last_failure_ms)))


def _near_each_other(failures: Iterable[tuple[int, Site]]) -> list[list[tuple[int, Site]]]:
    """The failures in order of time, those that one question can answer for together."""
    groups: list[list[tuple[int, Site]]] = []
    for failure_ms, site in sorted(failures, key=itemgetter(0)):
        if groups and failure_ms - groups[-1][0][0] <= TOGETHER_MS:
            groups[-1].append((failure_ms, site))
        else:
            groups.append([(failure_ms, site)])
    return groups


def _of_the_past(known: Mapping[str, History], at_ms: int) -> dict[str, History]:
    """Those that hold no check from `at_ms` on."""
    return {host: history for host, history in known.items() if history.last_ms < at_ms}


def _completed(history: History, newest: History | None) -> History:
    """What a history lacks, from a newer one of the same site.

    The latest run of good checks, if it began before, is also the latest that had begun then; so it is with failed ones.
    """
    if newest is None:
        return history

    def earlier(moment_ms: int | None) -> int | None:
        return None if moment_ms is None or moment_ms > history.last_ms else moment_ms

    return replace(
        _with_failure(history, newest.last_failure_ms),
        good_since_ms=history.good_since_ms or earlier(newest.good_since_ms),
        failing_since_ms=history.failing_since_ms or earlier(newest.failing_since_ms),
        detail=history.detail or (newest.detail if earlier(newest.last_failure_ms) else ""),
    )


def _lacks_beginning(history: History) -> bool:
    return history.last_available and history.good_since_ms is None


def _with_failure(history: History, failed_ms: int | None) -> History:
    known = [moment for moment in (history.last_failure_ms, failed_ms) if moment is not None and moment <= history.last_ms]
    return replace(history, last_failure_ms=max(known, default=None))


def _with_streak(history: History, streak: Streak) -> History:
    """What a history lacks, from all checks before the same moment."""
    history = _with_failure(history, streak.last_failure_ms)
    if not _lacks_beginning(history) or history.last_failure_ms != streak.last_failure_ms:
        return history
    return replace(history, good_since_ms=streak.good_since_ms)


def _by_checks(reader: Reader, sites: Sequence[Site], at_ms: int) -> dict[str, History]:
    """Of those that have a check in a window short enough to be read; when nothing is measured any more, the last ones."""
    if not sites:
        return {}
    length_ms = _readable_ms(sites)
    found = histories_from(reader.results(Window.before(at_ms, length_ms)))
    if found:
        return found
    last_ms = reader.last_time()
    if last_ms is None or last_ms >= at_ms:
        return {}
    return histories_from(reader.results(Window.before(last_ms + 1, length_ms)))


def _readable_ms(sites: Sequence[Site]) -> int:
    """The longest reach of a site for which not too many checks of all of them must be read."""
    lengths = sorted({reach_ms(site) for site in sites})
    readable = [length for length in lengths if sum(length // site.interval_ms for site in sites) <= MOST_CHECKS]
    return readable[-1] if readable else lengths[0]


def _of_seldom_sites(reader: Reader, sites: Sequence[Site], at_ms: int, streaks: Mapping[str, Streak]) -> dict[str, History]:
    """Of sites that are checked seldom: from their streaks where these say it, else by counts."""
    last_ms = {site.host: streaks.get(site.host, NO_STREAK).last_ms for site in sites}
    found = {
        site.host: _by_streak(site, last, streaks[site.host])
        for site in sites
        if (last := last_ms[site.host]) is not None and last >= at_ms - _lately_ms(site)
    }
    return found | _by_counts(reader, [site for site in sites if last_ms[site.host] is None], at_ms)


def _lately_ms(site: Site) -> int:
    """A site whose last check is older than this is unknown."""
    return unknown_after_ms(site) + site.interval_ms


def _by_streak(site: Site, last_ms: int, streak: Streak) -> History:
    """A streak does not say how long the last check covers: an interval, as nearly all do."""
    is_good = last_ms != streak.last_failure_ms
    return History(last_ms, site.interval_ms, is_good, streak.last_failure_ms, streak.good_since_ms)


def _by_counts(reader: Reader, sites: Sequence[Site], at_ms: int) -> dict[str, History]:
    """One question for all with equal intervals, and one for each that came back lately."""
    groups: defaultdict[int, list[Site]] = defaultdict(list)
    for site in sites:
        groups[_lately_ms(site)].append(site)
    found: dict[str, History] = {}
    for length_ms, group in groups.items():
        found |= _counted(reader, group, Window.before(at_ms, length_ms))
    return found


def _counted(reader: Reader, sites: Collection[Site], window: Window) -> dict[str, History]:
    seen = reader.stats(window)
    return {site.host: _by_stats(reader, site, seen[site.host], window.until_ms) for site in sites if site.host in seen}


def _by_stats(reader: Reader, site: Site, seen: SiteStats, at_ms: int) -> History:
    """Of a site that was checked lately: has there been a good check since its last failure?"""
    failed_ms = seen.last_failure_ms
    if failed_ms is not None and not (seen.available and site.host in reader.stats(Window(failed_ms + 1, at_ms))):
        return History(failed_ms, site.interval_ms, last_available=False, last_failure_ms=failed_ms)
    # When exactly the good check was nobody asked; it is recent enough, which is all that a state needs.
    return History(at_ms - site.interval_ms, site.interval_ms, last_available=True, last_failure_ms=failed_ms)
