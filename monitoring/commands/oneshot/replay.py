"""`--replay`: a back-test. Compares the alerts that another rule would have raised with those that were raised."""

import argparse
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise
from operator import attrgetter

from monitoring.alerts.backtest import Backtest, Coverage, Messages, compare
from monitoring.alerts.replay import Replay
from monitoring.clock import Clock, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.reading import SCRIPT_PATIENCE_S, ask_with_fallback
from monitoring.config.parsing.durations import Moment
from monitoring.config.parsing.values import show_ms, show_number
from monitoring.display.output.outputs import say
from monitoring.display.text.backtest import backtest_json, backtest_lines
from monitoring.display.words import time_text
from monitoring.errors import ConfigError, MonitoringError
from monitoring.models import Alert, CheckResult, Site, Window
from monitoring.notifications.simulation import messages
from monitoring.statistics.windows import TREND_BUCKETS, availability
from monitoring.storage.base import Reader
from monitoring.storage.delivery.words import Source
from monitoring.storage.multi_location import moment_to_show
from monitoring.storage.routing import ReaderChoice, Readers
from monitoring.thresholds import Rule
from monitoring.units import DAY_MS, HOUR_MS

DEFAULT_SINCE = Moment(7 * DAY_MS, is_ago=True)

MARKED_BY_HOUR_MS = TREND_BUCKETS * HOUR_MS
"""The longest window whose trend has one bucket for each hour."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A site with its own rule, and with the rule to try."""

    site: Site
    tried: Site

    @property
    def host(self) -> str:
        return self.site.host


def run(invocation: Invocation) -> int:
    """Compare the two histories of every site; returns the exit status. Raises `MonitoringError`."""
    arguments, clock = invocation.arguments, SystemClock()
    config, _ = invocation.load(arguments.site)
    trials = [
        Trial(site, replace(site, rule=rule_to_try(site, arguments, config.alert_interval_ms))) for site in config.sites
    ]
    since_ms = (arguments.since or DEFAULT_SINCE).at(clock.now_ms())
    with closing(ReaderChoice(config, clock, SCRIPT_PATIENCE_S, arguments.location)) as choice:
        found = ask_with_fallback(
            choice,
            partial(backtest_locations, trials, config.alert_interval_ms, since_ms, clock),
            f"checks since {time_text(since_ms)}",
        )
    if found.from_ms is None:
        raise MonitoringError(f"--since: there are no checks after {time_text(since_ms)}")
    for line in (backtest_json if arguments.format == "json" else backtest_lines)(found):
        say(line)
    return 0


def rule_to_try(site: Site, arguments: argparse.Namespace, every_ms: int) -> Rule:
    """The site's own rule, changed by the command line. Raises `ConfigError`."""
    own, asked = site.rule, arguments.recovery_threshold
    threshold = arguments.threshold or own.threshold
    if asked and asked < threshold:
        raise ConfigError([f"--recovery-threshold: must not be below the threshold, {show_number(threshold)}"])
    if arguments.window and arguments.window > DAY_MS:
        raise ConfigError([f"--window: the window of a rule is at most {show_ms(DAY_MS)} long"])
    return Rule(
        threshold=threshold,
        recovery_threshold=asked or max(own.recovery_threshold, threshold),
        window_ms=arguments.window or own.asked_window_ms or own.window_ms,
        minimum_failures=arguments.minimum_failures or own.minimum_failures,
    ).fitted_to(site.interval_ms, site.timeout_ms, every_ms)


def backtest_locations(
    trials: Sequence[Trial], every_ms: int, since_ms: int, clock: Clock, readers: Readers, source: Source
) -> Backtest:
    """The back-test of all locations. Raises `StoreError`, and `ConfigError` if it would begin in the future."""
    until_ms = moment_to_show(readers, clock, None)
    if since_ms >= until_ms:
        raise ConfigError([f"--since: there are no checks after {time_text(since_ms)}"])
    asked = Window(since_ms, until_ms)
    first = {location: _first_check_ms(reader, trials, asked) for location, reader in readers.items()}
    from_ms = min((moment_ms for moment_ms in first.values() if moment_ms is not None), default=None)
    found: list[Backtest] = []
    for location, reader in readers.items():
        if (begins_ms := first[location]) is not None:
            found.append(backtest(reader, location, trials, Window(begins_ms, until_ms), every_ms))
    sums = (sum(one.messages.raised for one in found), sum(one.messages.replayed for one in found))
    return Backtest(asked, from_ms, source.kind, every_ms, [site for one in found for site in one.sites], Messages(*sums))


def _first_check_ms(reader: Reader, trials: Sequence[Trial], window: Window) -> int | None:
    """The beginning of the back-test: that of the window, or the first check if that is later; None: there are no checks."""
    checks = reader.results(Window(window.from_ms - _lead_ms(trials), window.until_ms), {one.host for one in trials})
    first = next(checks, None)
    return None if first is None else max(first.time_ms, window.from_ms)


def _lead_ms(trials: Sequence[Trial]) -> int:
    """How much earlier than its beginning a back-test needs checks."""
    return max(one.tried.rule.window_ms for one in trials)


def backtest(reader: Reader, location: str, trials: Sequence[Trial], window: Window, every_ms: int) -> Backtest:
    """Compare the state changes of the rules to try with the recorded ones, in one location. Raises `StoreError`."""
    hosts = {one.host for one in trials}
    alerts = [alert for alert in reader.alerts(Window(0, window.until_ms)) if alert.host in hosts]
    before = [alert for alert in alerts if alert.time_ms < window.from_ms]
    last = {alert.host: alert for alert in before}
    raised = alerts[len(before) :]
    left_ms = {host: [it.time_ms for it in _of(raised, host) if it.is_unwatched] for host in hosts}
    replays = {one.host: Replay(one.tried, every_ms, last.get(one.host), left_ms[one.host]) for one in trials}
    coverage = {host: Coverage() for host in hosts}
    for check in _decisive(reader, replays, window, _lead_ms(trials)):
        replay = replays[check.host]
        (replay.add if check.time_ms >= window.from_ms else replay.remember)(check)
        coverage[check.host].add(check)
    replayed = [change for replay in replays.values() for change in replay.finish(window.until_ms)]
    announced = [
        _messages(before, raised, [one.site for one in trials], coverage),
        _messages(before, replayed, [one.tried for one in trials], coverage),
    ]
    each = [Counter(chain.from_iterable(hosts)) for hosts in announced]
    sites = [
        replace(
            compare(one.tried, location, _of(raised, one.host), _of(replayed, one.host)),
            messages=Messages(*(counts[one.host] for counts in each)),
        )
        for one in trials
    ]
    return Backtest(window, window.from_ms, reader.kind, every_ms, sites, Messages(*map(len, announced)))


def _of(changes: Iterable[Alert], host: str) -> Sequence[Alert]:
    return [change for change in changes if change.host == host]


def _messages(
    before: Iterable[Alert], changes: Iterable[Alert], sites: Sequence[Site], coverage: Mapping[str, Coverage]
) -> Sequence[Sequence[str]]:
    """The hosts in each message of a channel for all these sites. `sites` have the rule that made the changes."""
    thresholds = {site.host: site.rule.recovery_threshold for site in sites}

    def is_unstable(host: str, window: Window) -> bool:
        good = availability(*coverage[host].sums(window))
        return good is not None and good < thresholds[host]

    in_order = sorted(changes, key=attrgetter("time_ms", "host"))
    return list(messages(before, in_order, sum(site.enabled for site in sites), is_unstable))


def _decisive(reader: Reader, replays: Mapping[str, Replay], window: Window, lead_ms: int) -> Iterator[CheckResult]:
    """The checks that can change a decision: those near a failed check of the site, and those while its outage is open.

    "Near" means in the same hour, or within `lead_ms` of it. Summaries show the hours without failures, which are most of
    a month and are not read check by check. So a flapping site may be found stable later than it was, by half an hour at
    most; nothing else about it is announced meanwhile.
    """
    whole = Window(window.from_ms - lead_ms, window.until_ms)
    near = [
        (host, Window(hour_ms - lead_ms, hour_ms + HOUR_MS + lead_ms))
        for host, hour_ms in _hours_with_failures(reader, replays, whole)
    ]
    hours_ms = range(whole.from_ms // HOUR_MS * HOUR_MS, whole.until_ms, HOUR_MS)
    edges = sorted({*hours_ms, whole.until_ms, *(edge for _, part in near for edge in (part.from_ms, part.until_ms))})
    wanted: defaultdict[int, set[str]] = defaultdict(set)
    for host, part in near:
        for place in range(bisect_left(edges, part.from_ms), bisect_left(edges, part.until_ms)):
            wanted[place].add(host)
    for place, (from_ms, until_ms) in enumerate(pairwise(edges)):
        hosts = wanted[place] | {host for host, replay in replays.items() if replay.outage_is_open}
        part = Window(max(from_ms, whole.from_ms), min(until_ms, whole.until_ms))
        if hosts and part.length_ms > 0:
            yield from reader.results(part, hosts)


def _hours_with_failures(reader: Reader, hosts: Collection[str], window: Window) -> Iterator[tuple[str, int]]:
    """Each of these hosts with the start of each hour in which a check of it failed."""
    for from_ms in range(window.from_ms // HOUR_MS * HOUR_MS, window.until_ms, MARKED_BY_HOUR_MS):
        stats = reader.stats(Window(from_ms, from_ms + MARKED_BY_HOUR_MS), exact=False)
        for host in stats.keys() & hosts:
            for number, bucket in enumerate(stats[host].trend):
                if bucket.failures:
                    yield host, from_ms + number * HOUR_MS
