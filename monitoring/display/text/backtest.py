"""A back-test of an alert rule, as lines of text or JSON."""

from collections.abc import Iterator, Sequence

from monitoring.alerts.backtest import Backtest, SiteBacktest
from monitoring.display.text.jsonlines import json_line, location_json, rule_json
from monitoring.display.words import cause_text, duration_text, exact_text, label, plural, time_text
from monitoring.models import Alert
from monitoring.thresholds import Rule


def backtest_lines(found: Backtest) -> Iterator[str]:
    """The back-test for people: what was compared, each site for which the rules differ, and totals."""
    window = found.window
    yield (
        f"{time_text(window.from_ms)} … {time_text(window.until_ms)}, from {found.source}: "
        f"{plural(len(found.sites), 'site')}, evaluated every {duration_text(found.every_ms)}"
    )
    if found.from_ms is not None and found.from_ms > window.from_ms:
        yield f"there are no checks before {time_text(found.from_ms)}: alerts before that are left out"
    yield from _rule_lines([one.site.rule for one in found.sites])
    for one in found.sites:
        if lines := _differences(one, found.every_ms):
            yield ""
            yield from [label(one.site.host, one.site.name, one.location), *lines]
    yield ""
    yield from _sums(found)


def _rule_lines(rules: Sequence[Rule]) -> Iterator[str]:
    for rule in dict.fromkeys(rules):
        of = f" ({plural(rules.count(rule), 'site')})" if len(set(rules)) > 1 else ""
        yield f"rule tried{of}: {rule_text(rule)}"


def rule_text(rule: Rule) -> str:
    """ "alert below 80 % over 2 min, at least 2 failures, recovery at 90 %"."""
    return (
        f"alert below {exact_text(rule.threshold)} % over {duration_text(rule.window_ms)}, "
        f"at least {plural(rule.minimum_failures, 'failure')}, recovery at {exact_text(rule.recovery_threshold)} %"
    )


def _differences(one: SiteBacktest, every_ms: int) -> list[str]:
    """A line for each alert that was missed, added or moved, in order of time."""
    moved = [(pair.raised, f"{_by(pair.later_ms)}, at {time_text(pair.replayed.time_ms)}") for pair in one.moved(every_ms)]
    lines = [(alert, "missed") for alert in one.missed] + [(alert, "added") for alert in one.added] + moved
    return [f"  {_alert_text(alert)}: {what}" for alert, what in sorted(lines, key=lambda line: line[0].time_ms)]


def _by(later_ms: int) -> str:
    return f"{duration_text(abs(later_ms))} {'later' if later_ms > 0 else 'earlier'}"


def _alert_text(alert: Alert) -> str:
    return f"{time_text(alert.time_ms)}  {cause_text(alert.cause, alert.detail)}"


def _sums(found: Backtest) -> Iterator[str]:
    sites, every_ms = found.sites, found.every_ms
    same = sum(len(one.pairs) - len(one.moved(every_ms)) for one in sites)
    moved = [pair.later_ms for one in sites for pair in one.moved(every_ms)]
    missed, added = sum(len(one.missed) for one in sites), sum(len(one.added) for one in sites)
    earlier = sum(later_ms < 0 for later_ms in moved)
    yield f"alerts: {same} the same, {missed} missed, {added} added, {earlier} earlier, {len(moved) - earlier} later"
    raised, replayed = sum(len(one.raised) for one in sites), sum(len(one.replayed) for one in sites)
    yield f"state changes: {raised} by the rule in force, {replayed} by the rule tried"
    yield f"messages: {found.messages.raised} by the rule in force, {found.messages.replayed} by the rule tried"


def backtest_json(found: Backtest) -> Iterator[str]:
    """One object for each site and location, in one line: `{"kind": "replay", …}`."""
    for one in found.sites:
        yield json_line(
            {
                "kind": "replay",
                "URL": one.site.host,
                "name": one.site.name,
                **location_json(one.location),
                "since": time_text(found.window.from_ms),
                "from": None if found.from_ms is None else time_text(found.from_ms),
                "until": time_text(found.window.until_ms),
                "source": found.source,
                "rule": rule_json(one.site.rule),
                "stateChanges": {"raised": len(one.raised), "replayed": len(one.replayed)},
                "messages": {"raised": one.messages.raised, "replayed": one.messages.replayed},
                "missed": [_alert(alert) for alert in one.missed],
                "added": [_alert(alert) for alert in one.added],
                "kept": [
                    {**_alert(pair.raised), "replayed": time_text(pair.replayed.time_ms), "later": pair.later_ms / 1_000}
                    for pair in one.pairs
                ],
            }
        )


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "time": time_text(alert.time_ms),
        "startDate": time_text(alert.start_ms),
        "cause": alert.cause and str(alert.cause),
        "detail": alert.detail or None,
    }
