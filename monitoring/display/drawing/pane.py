"""The pane of one site, beside the table of all sites. Pure."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from monitoring.alerts.explain import WindowSum, earliest_recovery_ms
from monitoring.display.drawing.brief import brief_duration, brief_percent, brief_seconds, brief_window
from monitoring.display.drawing.chart import cause_legend, cause_strip, chart_lines
from monitoring.display.drawing.columns import state_text
from monitoring.display.drawing.grid import heading, wrapped
from monitoring.display.drawing.sparkline import height_us
from monitoring.display.drawing.theme import STATE_TOKENS
from monitoring.display.text.explanation import down_sum, recovery_sum
from monitoring.display.view_model.values import SiteRow
from monitoring.display.view_model.viewing import SiteLine
from monitoring.display.words import (
    counts_text,
    duration_text,
    label,
    local_time,
    percent_text,
    reason_text,
    whole_percent_text,
    window_text,
)
from monitoring.models import PHASES, State, Window
from monitoring.names import printable
from monitoring.statistics.windows import coverage
from monitoring.units import HOUR_MS

REASON_LINES = 3
LEAST_CHART, MOST_CHART = 4, 10
BAR = 20
OPEN = frozenset((State.DOWN, State.RECOVERING))


def pane_lines(line: SiteLine, window_ms: int, now_ms: int, width: int, height: int) -> Sequence[Text]:
    """The pane in at most `height` lines: state, rule, the past hour, causes, phases, percentiles, windows, and a chart."""
    row = line.shown(window_ms)
    parts = (
        state_lines(line.now, now_ms, width),
        _rule(line.now, width),
        _hour(line, width),
        cause_lines(row, width),
        _phases(row, width),
        time_lines(row),
        _availability(line, now_ms),
    )
    lines: list[Text] = []
    for part in parts:
        if part and len(lines) + len(part) + 1 <= height:
            lines += [*([Text("")] if lines else []), *part]
    room = min(MOST_CHART, height - len(lines) - 2)
    if room >= LEAST_CHART and any(map(height_us, row.stats.trend)):
        title = f"Response time, {window_text(window_ms)}"
        lines += [Text(""), Text(title, "title"), *chart_lines(row.stats.trend, width, room)]
    return lines[:height]


def forecast_text(row: SiteRow) -> str:
    """ "recovers in >= 24 s if all pass", for a site with an open alert; "" if nothing is known."""
    sums, rule = row.status.downtime, row.rule
    if sums is None or rule is None or row.status.state not in OPEN:
        return ""
    wait_ms = earliest_recovery_ms(sums, rule)
    seconds = -(-wait_ms // 1_000)
    wait = f"{seconds} s" if seconds < 100 else brief_duration(1_000 * seconds)
    return f"recovers in >= {wait} if all pass" if wait_ms else ""


def state_lines(row: SiteRow, now_ms: int, width: int) -> list[Text]:
    status = row.status
    lines = [Text(label(row.host, row.name, row.location), "title")]
    if row.name or row.address != row.host:
        lines += [Text(text, "weak") for text in wrapped(printable(row.address or row.host), width)[:2]]
    said = state_text(status.state)
    if status.since_ms is not None:
        said.append(f" for {duration_text(now_ms - status.since_ms)}, since {local_time(status.since_ms):%d %b %H:%M:%S}")
    reason = wrapped(reason_text(row.detail), width)[:REASON_LINES] if row.detail else []
    return [*lines, said, *(Text(text, STATE_TOKENS[status.state]) for text in reason)]


def _rule(row: SiteRow, width: int) -> list[Text]:
    sums, rule = row.status.downtime, row.rule
    if sums is None or rule is None:
        return []
    found = WindowSum(Window(0, rule.window_ms), (), sums, ())
    said = recovery_sum(found, rule) if row.status.state in OPEN else down_sum(found, rule)
    forecast = forecast_text(row)
    return [Text(text) for text in (*wrapped(said, width), *wrapped(forecast, width))]


def _hour(line: SiteLine, width: int) -> list[Text]:
    """The past hour by cause or, before it has been read, the longest window with marks."""
    known = [length for length, row in line.rows.items() if row.stats.trend]
    length_ms = HOUR_MS if HOUR_MS in known else max(known, default=None)
    if length_ms is None:
        return []
    trend = line.rows[length_ms].stats.trend
    legend = cause_legend(trend)
    return [heading(window_text(length_ms).capitalize(), legend), cause_strip(trend, width)]


def cause_lines(row: SiteRow, width: int) -> list[Text]:
    stats = row.stats
    if not stats.down_ms:
        return []
    failed = sum(stats.causes.values())
    lasted = f"down {duration_text(stats.down_ms)} of {duration_text(stats.judged_ms)}"
    said = f"{lasted}, {failed} of {stats.available + failed} checks failed"
    counts = [counts_text(stats.causes)]
    if len(stats.statuses) > 1:
        counts.append(f"status {counts_text(stats.statuses)}")
    together = "  ".join(counts)
    lines = [together] if len(together) <= width else [line for text in counts for line in wrapped(text, width)]
    return [*map(Text, wrapped(said, width)), *(Text(line, "bad") for line in lines)]


def _phases(row: SiteRow, width: int) -> list[Text]:
    """Each phase with its mean, and a bar for its share."""
    phases: Mapping[str, float] = row.stats.phases_us
    total = sum(phases.values())
    room = min(BAR, max(0, width - 21))
    return [
        Text.assemble(f"{name:<11}{brief_seconds(phases[name]):>7}  ", ("━" * round(room * phases[name] / total), "good"))
        for name in PHASES
        if total and name in phases
    ]


def time_lines(row: SiteRow) -> list[Text]:
    response = row.stats.response
    if response is None:
        return []
    times = {"p50": response.p50_us, "p95": response.p95_us, "p99": response.p99_us}
    others = {"min": response.min_us, "mean": response.mean_us, "max": response.max_us}
    return [Text("  ".join(f"{name} {brief_seconds(took):>6}" for name, took in some.items())) for some in (times, others)]


def _availability(line: SiteLine, now_ms: int) -> list[Text]:
    """Each window with its availability, and the measured part if that is not all of it."""
    said = []
    for length_ms, row in sorted(line.rows.items()):
        measured = whole_percent_text(coverage(row.stats.covered_ms, length_ms))
        partly = "" if measured == "100" else f" ({measured} % measured)"
        said.append(f"{brief_window(length_ms)} {brief_percent(percent_text(row.availability))} %{partly}")
    return [*map(Text, said), *certificate_lines(line.now, now_ms)]


def certificate_lines(row: SiteRow, now_ms: int) -> list[Text]:
    days = row.certificate_days(now_ms)
    if days is None:
        return []
    return [Text("certificate expired" if days < 0 else f"certificate valid for {days} d")]
