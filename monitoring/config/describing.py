"""Describes what a configuration would run, for `--check-config`, without secrets."""

from collections.abc import Iterator

from monitoring.checks.assertions import in_force
from monitoring.config.keys.databases import DEFAULT_DATABASE
from monitoring.config.keys.maintenance import Maintenance
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.config.keys.transport import describe_transport
from monitoring.config.parsing.durations import show_time
from monitoring.config.parsing.values import show_ms, show_number
from monitoring.config.settings import Config
from monitoring.models import Site
from monitoring.names import listed, printable
from monitoring.thresholds import Rule
from monitoring.trust import MOZILLA


def describe(config: Config) -> list[str]:
    """Lines for people: the websites, where checks are stored, and how long they are kept."""
    return [
        _headline(config),
        *(f"  {_site_line(site)}" for site in config.sites),
        *([f"location: {printable(config.location)}"] if config.location else []),
        *([] if config.trust == MOZILLA else [f"certificates: {config.trust}"]),
        f"database: {_database(config)}",
        f"local file: {config.local_database}",
        f"retention: checks {show_ms(config.check_retention_ms)}, alerts {show_ms(config.alert_retention_ms)};"
        f" older data is deleted from {_pruned(config)}",
        *map(_channel_line, config.notifications),
    ]


def describe_maintenance(config: Config, now_ms: int) -> list[str]:
    """A line for each planned maintenance: its rule and its next window."""
    return [_maintenance_line(config, one, now_ms) for one in config.maintenance]


def _maintenance_line(config: Config, planned: Maintenance, now_ms: int) -> str:
    hosts = [site.host for site in config.sites if site.host in planned.hosts]
    of = "all websites" if len(hosts) == len(config.sites) else printable(listed(hosts))
    when = f'"{planned.cron}" in {planned.timezone} for {show_ms(planned.length_ms)}: ' if planned.cron else ""
    window = planned.next(now_ms)
    span = f"{show_time(window.from_ms)} until {show_time(window.until_ms)}" if window else "over"
    return f"maintenance of {of}: {when}{'next ' if planned.cron else ''}{span}"


def _channel_line(channel: ChannelConfig) -> str:
    sites = printable(", ".join(channel.sites)) or "all websites"
    reminder = "" if channel.reminder_ms is None else f", a reminder every {show_ms(channel.reminder_ms)}"
    return f"channel {printable(channel.label)}: {', '.join(channel.events)} of {sites}{reminder}"


def _headline(config: Config) -> str:
    count = len(config.sites)
    intervals = sorted({site.interval_ms for site in config.sites})
    span = " to ".join(dict.fromkeys((show_ms(intervals[0]), show_ms(intervals[-1]))))
    websites = f"{count} website{'' if count == 1 else 's'}"
    return f"{websites}, a check every {span}, alert rule evaluated every {show_ms(config.alert_interval_ms)}"


def _database(config: Config) -> str:
    if config.database is None:
        return f"{DEFAULT_DATABASE} if it answers, else the local file alone"
    return config.database.masked if config.database.backend else "none, the local file alone"


def _pruned(config: Config) -> str:
    """Where this monitor deletes expired data. A gateway deletes by its own configuration."""
    if config.database is None:
        return "the local file, and from the database if it answers"
    is_ours = config.database.backend is not None and config.database.backend.is_ours
    return "the local file and the database" if is_ours else "the local file"


def _site_line(site: Site) -> str:
    name = f" ({printable(site.name)})" if site.name else ""
    request, expected = ", ".join(request_words(site)), ", ".join(map(str, in_force(site)))
    labels = "".join(f"{what}; " for what in _labels(site))
    return f"{printable(site.host)}{name}: {labels}{request}; expects {expected}; alert {_rule(site.rule)}"


def _labels(site: Site) -> Iterator[str]:
    if not site.enabled:
        yield "paused"
    if site.group:
        yield f"group {printable(site.group)}"
    if site.tags:
        yield f"tags {printable(', '.join(site.tags))}"


def request_words(site: Site) -> Iterator[str]:
    """The request in words, without secrets."""
    yield " ".join(filter(None, (site.method, site.masked_url, f"every {show_ms(site.interval_ms)}")))
    yield f"timeout {show_ms(site.timeout_ms)}"
    yield from (f"header {name}: ***" for name, _ in site.headers)
    if site.body is not None:
        yield f"body of {len(site.body)} bytes"
    if not site.follow_redirects:
        yield "redirects not followed"
    if not site.verify_tls:
        yield "certificate not verified"
    yield from describe_transport(site.transport)


def _rule(rule: Rule) -> str:
    failures = f"at least {rule.minimum_failures} failure{'' if rule.minimum_failures == 1 else 's'}"
    asked = f" ({show_ms(rule.asked_window_ms)} would be too short to see it hang)" if rule.asked_window_ms else ""
    limits = f"below {show_number(rule.threshold)} % over {show_ms(rule.window_ms)}{asked}, {failures}"
    return f"{limits}, recovery at {show_number(rule.recovery_threshold)} %"
