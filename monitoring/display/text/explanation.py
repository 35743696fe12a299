"""Explains in lines of text why a site is in its state."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from monitoring.alerts.explain import Crossing, Explanation, Forecast, Run, WindowSum
from monitoring.alerts.rule import RECOVERY_COVERAGE
from monitoring.display.words import (
    NOTHING,
    SOURCES,
    duration_text,
    exact_text,
    label,
    outage_ms,
    percent_text,
    plural,
    reason_text,
    seconds_text,
    time_text,
    with_reason,
)
from monitoring.models import PHASES, AlertType, CheckResult
from monitoring.names import printable
from monitoring.statistics.windows import availability
from monitoring.thresholds import Rule

Moments = Callable[[int], str]
"""Formats a moment."""


def explanation_lines(found: Explanation, location: str, source: str, moment: Moments = time_text) -> list[str]:
    """The explanation for people: state, alert, window, causes, last good and last failed check, next state change.

    `moment` formats times.
    """
    lines = [_headline(found, location, source, moment)]
    if found.crossing:
        lines += ["", *_crossing_lines(found.crossing, found.site.rule, moment)]
    lines += ["", *_window_lines(found, moment), *_silence_lines(found, moment)]
    if found.now.causes:
        lines += ["", "causes", *(f"  {_cause_line(found, index)}" for index in range(len(found.now.causes)))]
    if found.good or found.failed:
        lines += ["", *_pair_lines(found.good, found.failed, moment)]
    return [*lines, "", _forecast_line(found, moment)]


def _headline(found: Explanation, location: str, source: str, moment: Moments) -> str:
    site, status = found.site, found.status
    is_since = f"is {status.state}"
    if status.since_ms is not None:
        lasts = duration_text(found.at_ms - status.since_ms)
        is_since = f"has been {status.state} for {lasts}, since {moment(status.since_ms)}"
    name = label(site.host, site.name, location)
    address = f" ({printable(site.address)})" if site.name or site.masked_url else ""
    return f"{name}{address} {is_since}; at {moment(found.at_ms)}, from {SOURCES.get(source, source)}"


def _crossing_lines(crossing: Crossing, rule: Rule, moment: Moments) -> list[str]:
    check_ms, time_ms = crossing.check_ms, crossing.alert.time_ms
    if not crossing.decided.runs:
        return [f"alert at {moment(time_ms)}: the checks of that time are not kept any more"]
    by = "" if check_ms is None else f", crossed with the check of {moment(check_ms)}"
    head = f"alert at {moment(time_ms)}{by}: {down_sum(crossing.decided, rule)}"
    return [head, *_run_lines(crossing.decided.runs, moment)]


def _window_lines(found: Explanation, moment: Moments) -> list[str]:
    now = found.now
    length, until = duration_text(now.window.length_ms), moment(now.window.until_ms)
    return [f"{length} until {until}: {window_sum_text(found)}", *_run_lines(now.runs, moment)]


def window_sum_text(found: Explanation) -> str:
    """The sum over the alert window, and what the rule needs for the next state change."""
    if not found.now.runs:
        return "no check has ended, which proves neither up nor down"
    rule = found.site.rule
    return recovery_sum(found.now, rule) if found.is_open else down_sum(found.now, rule)


def _silence_lines(found: Explanation, moment: Moments) -> list[str]:
    """A line if no check has ended for longer than usual."""
    if found.silent_since_ms is None:
        return []
    since, lasts = moment(found.silent_since_ms), duration_text(found.at_ms - found.silent_since_ms)
    if found.has_stopped:
        return [f"no check has ended since {since}, for {lasts}: it seems that no monitor is running"]
    return [f"a check is under way since {since}, for {lasts}; it fails after {duration_text(found.site.timeout_ms)}"]


def down_sum(found: WindowSum, rule: Rule) -> str:
    """ "26.0 s down of 120 s = 21.6 %, an alert needs more than 20 %"."""
    sums = found.sums
    down_ms, failures = sums.down_ms - sums.ended_down_ms, sums.failures - sums.ended_failures
    part = percent_text(Fraction(100 * down_ms, rule.window_ms), 1)
    text = f"{_seconds(down_ms)} down of {exact_text(Fraction(rule.window_ms, 1_000))} s = {part} %"
    text += f", an alert needs more than {exact_text(100 - rule.threshold)} %"
    if failures < rule.minimum_failures:
        text += f" and {plural(rule.minimum_failures, 'failed check')} ({failures} so far)"
    if sums.ended_failures:
        text += f"; {_seconds(sums.ended_down_ms)} more belong to the outage before"
    return text


def recovery_sum(found: WindowSum, rule: Rule) -> str:
    """ "108.0 s good of 120.0 s measured = 90.0 %, a recovery needs 90 %"."""
    sums = found.sums
    good_ms = sums.covered_ms - sums.down_ms
    text = f"{_seconds(good_ms)} good of {_seconds(sums.covered_ms)} measured = "
    text += f"{percent_text(availability(good_ms, sums.covered_ms), 1)} %"
    text += f", a recovery needs {exact_text(rule.recovery_threshold)} %"
    if 100 * sums.covered_ms < RECOVERY_COVERAGE * rule.window_ms:
        text += f" of at least {_seconds(RECOVERY_COVERAGE * rule.window_ms // 100)} measured"
    return text


def _run_lines(runs: Sequence[Run], moment: Moments) -> list[str]:
    return _columns([_run_words(run, moment) for run in runs])


def _run_words(run: Run, moment: Moments) -> tuple[str, ...]:
    until = f" … {moment(run.last_ms)}" if run.checks > 1 else ""
    what = _outcome(run.cause is None, str(run.cause), run.status, run.detail)
    what = f"in maintenance, {what}" if run.maintenance else what
    return f"{moment(run.first_ms)}{until}", plural(run.checks, "check"), _seconds(run.covers_ms), what


def _outcome(is_good: bool, cause: str, status: int, detail: str) -> str:
    if is_good:
        return f"good {status}" if status else "good"
    return with_reason(cause, reason_text(detail))


def _cause_line(found: Explanation, index: int) -> str:
    cause = found.now.causes[index]
    reason = f": {reason_text(cause.detail)}" if cause.detail else ""
    return f"{cause.cause}, {plural(cause.checks, 'check')}, {_seconds(cause.down_ms)}{reason}"


def _pair_lines(good: CheckResult | None, failed: CheckResult | None, moment: Moments) -> list[str]:
    """The last good and the last failed check side by side."""
    rows: list[tuple[str, ...]] = [("", "last good", "last failed")]
    rows.append(("check", *(NOTHING if it is None else moment(it.time_ms) for it in (good, failed))))
    rows.append(("status", *(str(it.status) if it and it.status else NOTHING for it in (good, failed))))
    for index, phase in enumerate(PHASES):
        rows.append((phase, *(seconds_text(it.phases_us[index] if it else None) for it in (good, failed))))
    rows.append(("total", *(seconds_text(it.response_us if it else None) for it in (good, failed))))
    why = _outcome(False, str(failed.cause), failed.status, failed.detail) if failed else NOTHING
    rows.append(("why", "", why))
    return _columns(rows, indent="")


def _forecast_line(found: Explanation, moment: Moments) -> str:
    if not found.site.enabled:
        return "the site is paused: nothing is decided"
    forecast, last = found.forecast, found.last_alert
    ended = ""
    if last is not None and not found.is_open:
        ended = f"last outage: {duration_text(outage_ms(last))} until {_end(last.end_ms, moment)}; "
    if found.is_maintained:
        until = f" until {moment(found.maintenance.until_ms)}" if found.maintenance else ""
        return f"{ended}no alert and no recovery: maintenance{until}"
    if found.has_stopped:
        return f"{ended}nothing is decided while no check is made"
    if forecast is None:
        return f"{ended}the next state change cannot be predicted without checks"
    return ended + forecast_text(forecast)


def forecast_text(forecast: Forecast) -> str:
    """ "recovers in 34 s if every check passes"."""
    when = f"in {duration_text(-(-forecast.in_ms // 1_000) * 1_000)}" if forecast.in_ms else "now"
    if forecast.change is AlertType.RECOVERY:
        return f"recovers {when} if every check passes"
    return f"an alert {when} if every check {'hangs until its timeout' if forecast.is_hanging else 'fails'}"


def _end(end_ms: int | None, moment: Moments) -> str:
    return "an unknown time" if end_ms is None else moment(end_ms)


def _seconds(time_ms: int) -> str:
    """ "26.0 s": at least one decimal, and all digits that there are."""
    return f"{exact_text(Fraction(time_ms, 1_000), 1)} s"


def _columns(rows: Sequence[tuple[str, ...]], indent: str = "  ") -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (indent + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True))).rstrip() for row in rows
    ]
