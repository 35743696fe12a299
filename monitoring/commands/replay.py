"""`--replay`: a back-test. The alerts that another rule would have raised over the stored checks, beside those raised."""

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from monitoring.alerts.backtest import Backtest, SiteBacktest, compare
from monitoring.alerts.replay import Replay
from monitoring.clock import Clock, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.reading import SCRIPT_PATIENCE_S, ask_anywhere, moment_to_show
from monitoring.config.durations import Moment
from monitoring.config.values import show_ms, show_number
from monitoring.display import backtest_json, backtest_lines, time_text
from monitoring.display.outputs import say
from monitoring.errors import ConfigError, MonitoringError
from monitoring.models import Alert, CheckResult, Rule, Site, Window
from monitoring.storage.base import Reader
from monitoring.storage.delivery.words import Source
from monitoring.storage.routing import ReaderChoice, Readers
from monitoring.units import DAY_MS, HOUR_MS

DEFAULT_SINCE = Moment(7 * DAY_MS, is_ago=True)


def run(invocation: Invocation) -> int:
    """Compare the two histories of every site; returns the exit status. Raises `MonitoringError`."""
    arguments, clock = invocation.arguments, SystemClock()
    config, _ = invocation.load(arguments.site)
    sites = [replace(site, rule=rule_to_try(site, arguments)) for site in config.sites]
    since_ms = (arguments.since or DEFAULT_SINCE).at(clock.now_ms())
    with closing(ReaderChoice(config, clock, SCRIPT_PATIENCE_S, arguments.location)) as choice:
        found = ask_anywhere(choice, partial(look, sites, config.alert_interval_ms, since_ms, clock))
    if found.from_ms is None:
        raise MonitoringError(f"--since: there are no checks after {time_text(since_ms)}")
    for line in (backtest_json if arguments.format == "json" else backtest_lines)(found):
        say(line)
    return 0


def rule_to_try(site: Site, arguments: argparse.Namespace) -> Rule:
    """The site's own rule with what the command line says. Raises `ConfigError`."""
    own, asked = site.rule, arguments.recovery_threshold
    threshold = arguments.threshold or own.threshold
    if asked and asked < threshold:
        raise ConfigError([f"--recovery-threshold: must not be below the threshold, {show_number(threshold)}"])
    if arguments.window and arguments.window > DAY_MS:
        raise ConfigError([f"--window: the window of a rule is at most {show_ms(DAY_MS)} long"])
    return Rule(
        threshold=threshold,
        recovery_threshold=asked or max(own.recovery_threshold, threshold),
        window_ms=arguments.window or own.window_ms,
        minimum_failures=arguments.minimum_failures or own.minimum_failures,
    ).fitted_to(site.interval_ms)


def look(sites: Sequence[Site], every_ms: int, since_ms: int, clock: Clock, readers: Readers, source: Source) -> Backtest:
    """The back-test of each location. Raises `StoreError`, and `ConfigError` when it would begin in the future."""
    until_ms = moment_to_show(readers, clock, None)
    if since_ms >= until_ms:
        raise ConfigError([f"--since: there are no checks after {time_text(since_ms)}"])
    asked = Window(since_ms, until_ms)
    first = {location: _first_check_ms(reader, sites, asked) for location, reader in readers.items()}
    from_ms = min((moment_ms for moment_ms in first.values() if moment_ms is not None), default=None)
    found: list[SiteBacktest] = []
    for location, reader in readers.items():
        if (begins_ms := first[location]) is not None:
            found += backtest(reader, location, sites, Window(begins_ms, until_ms), every_ms)
    return Backtest(asked, from_ms, source.kind, every_ms, found)


def _first_check_ms(reader: Reader, sites: Sequence[Site], window: Window) -> int | None:
    """Where a back-test can begin: with the window, or with the first check if that is later; None: there is none."""
    lead_ms = max(site.rule.window_ms for site in sites)
    hosts = {site.host for site in sites}
    checks = reader.results(Window(window.from_ms - lead_ms, window.until_ms))
    first = next((check for check in checks if check.host in hosts), None)
    return None if first is None else max(first.time_ms, window.from_ms)


def backtest(reader: Reader, location: str, sites: Sequence[Site], window: Window, every_ms: int) -> Sequence[SiteBacktest]:
    """What the rules of these sites decide in the window, beside what was recorded in it. Raises `StoreError`."""
    before: dict[str, Alert] = {}
    raised: dict[str, list[Alert]] = {site.host: [] for site in sites}
    for alert in reader.alerts(Window(0, window.until_ms)):
        if alert.time_ms < window.from_ms:
            before[alert.host] = alert
        elif alert.host in raised:
            raised[alert.host].append(alert)
    replays = {site.host: Replay(site, every_ms, before.get(site.host)) for site in sites}
    for check in _decisive(reader, replays, window, max(site.rule.window_ms for site in sites)):
        if trial := replays.get(check.host):
            (trial.add if check.time_ms >= window.from_ms else trial.remember)(check)
    replayed = {host: trial.finish(window.until_ms) for host, trial in replays.items()}
    return [compare(site, location, raised[site.host], replayed[site.host]) for site in sites]


def _decisive(reader: Reader, replays: Mapping[str, Replay], window: Window, lead_ms: int) -> Iterator[CheckResult]:
    """The checks from which something may be decided: those of hours near a failed check, and while an outage is open.

    Summaries say where nothing failed: that is most of a month, and need not be read check by check.
    """
    whole = Window(window.from_ms - lead_ms, window.until_ms)
    busy = sorted(_hours_with_failures(reader, replays, whole))
    for start_ms in range(whole.from_ms // HOUR_MS * HOUR_MS, whole.until_ms, HOUR_MS):
        end_ms = start_ms + HOUR_MS
        is_near = any(hour_ms < end_ms + lead_ms and start_ms < hour_ms + HOUR_MS + lead_ms for hour_ms in busy)
        if is_near or any(trial.outage_is_open for trial in replays.values()):
            yield from reader.results(Window(max(start_ms, whole.from_ms), min(end_ms, whole.until_ms)))


def _hours_with_failures(reader: Reader, hosts: Collection[str], window: Window) -> Iterator[int]:
    """The starts of the hours in which a check of these hosts failed."""
    for day_ms in range(window.from_ms // DAY_MS * DAY_MS, window.until_ms, DAY_MS):
        if _has_failures(reader, hosts, Window(day_ms, day_ms + DAY_MS)):
            for hour_ms in range(day_ms, day_ms + DAY_MS, HOUR_MS):
                if _has_failures(reader, hosts, Window(hour_ms, hour_ms + HOUR_MS)):
                    yield hour_ms


def _has_failures(reader: Reader, hosts: Collection[str], window: Window) -> bool:
    stats = reader.stats(window, exact=False)
    return any(stats[host].available < stats[host].checks for host in hosts if host in stats)
