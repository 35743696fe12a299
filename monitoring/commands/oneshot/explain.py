"""`--explain`: prints why a site is, or was, up, failing, down or recovering."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial

from monitoring.alerts.explain import Explanation, History, explain
from monitoring.clock import Clock, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.oneshot.maintenance import maintenance_at
from monitoring.commands.reading import SCRIPT_PATIENCE_S, ask_with_fallback
from monitoring.config import Config
from monitoring.config.lookup import site_of
from monitoring.display.output.outputs import say
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.text.jsonlines import explanation_json
from monitoring.display.words import label
from monitoring.models import Alert, CheckResult, LastState, Site, Window
from monitoring.statistics.status import outage_is_open
from monitoring.storage.base import Reader
from monitoring.storage.delivery.words import Source
from monitoring.storage.multi_location import moment_to_show
from monitoring.storage.routing import ReaderChoice, Readers

GOOD_BEFORE_INTERVALS = 20
"""How many intervals before a run of failed checks to search for the last good one."""


def run(invocation: Invocation) -> int:
    """Explain the site from each location that has checked it; returns the exit status. Raises `MonitoringError`."""
    config, _ = invocation.load()
    arguments, clock = invocation.arguments, SystemClock()
    site = site_of(arguments.explained, config.sites, "--explain")
    with closing(ReaderChoice(config, clock, SCRIPT_PATIENCE_S, arguments.location)) as choice:
        at_ms = None if arguments.at is None else arguments.at.at(clock.now_ms())
        question = partial(explanations, config, site, clock, at_ms)
        found, source = ask_with_fallback(choice, question, f"what {label(site.host, site.name)} did")
    for location, explanation in found.items():
        if arguments.format == "json":
            say(explanation_json(explanation, location, source.kind))
        else:
            for line in explanation_lines(explanation, location, source.kind):
                say(line)
    return 0


def explanations(
    config: Config, site: Site, clock: Clock, at_ms: int | None, readers: Readers, source: Source
) -> tuple[Mapping[str, Explanation], Source]:
    """The explanations by location: of all that have checked the site, or of the first if none has.

    Raises `StoreError`, and `ConfigError` for a time in the future.
    """
    moment_ms = moment_to_show(readers, clock, at_ms)
    found = {location: explain_from(reader, config, site, moment_ms) for location, reader in readers.items()}
    known = {location: one for location, one in found.items() if one.good or one.failed}
    return known or dict(list(found.items())[:1]), source


def explain_from(reader: Reader, config: Config, site: Site, at_ms: int) -> Explanation:
    """Explain a site from one reader's data, and from the maintenance that this machine knows. Raises `StoreError`."""
    alerts = [alert for alert in reader.alerts(Window(0, at_ms + 1)) if alert.host == site.host]
    history = History(reader.last_states(at_ms).get(site.host), alerts[-2:])
    found: dict[int, CheckResult] = {}
    for window in _windows(site, at_ms, history.last_alert, history.state):
        found |= {check.time_ms: check for check in reader.results(window, [site.host])}
    checks, maintenance = [found[time_ms] for time_ms in sorted(found)], maintenance_at(config, site, at_ms)
    return explain(site, at_ms, checks, history, config.alert_interval_ms, maintenance)


def _windows(site: Site, at_ms: int, last: Alert | None, state: LastState | None) -> list[Window]:
    """The windows of the checks that explain a site: its alert window, that of an open alert, and its last checks."""
    windows = [Window.before(at_ms, site.rule.window_ms)]
    if last and outage_is_open(last):
        windows.append(Window.before(last.time_ms, site.rule.window_ms))
    if state is None:
        return windows
    moments = [state.last_ms, state.last_failure_ms or state.last_ms]
    windows += [Window(moment_ms, moment_ms + 1) for moment_ms in moments if moment_ms < windows[0].from_ms]
    if state.failing_since_ms and not state.last_available:
        before_ms = GOOD_BEFORE_INTERVALS * site.interval_ms + site.timeout_ms
        windows.append(Window.before(state.failing_since_ms, before_ms))
    return windows
