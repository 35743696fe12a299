"""What the page of one site shows: its numbers in one window, from every location, and how it is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from monitoring.checks.assertions import in_force
from monitoring.display.incidents import Incident
from monitoring.display.jsonlines import response_times
from monitoring.display.overview import slug
from monitoring.display.values import SiteRow, StatsReport
from monitoring.display.words import (
    counts_text,
    duration_text,
    percent_text,
    printable,
    seconds_text,
    telling_text,
    time_text,
    window_text,
    with_sign,
)
from monitoring.models import PHASES, CheckResult, Site
from monitoring.statistics.windows import bucket_width_ms, may_be_exact
from monitoring.web.board import WINDOWS_MS, Snapshot
from monitoring.web.cells import incident_html, name_html, state_html, time_html
from monitoring.web.drawing import chart_svg, days_svg, days_text


@dataclass(frozen=True, slots=True)
class Seen:
    """A site as one location sees it, in one window: `facts` are titles with values, `phases` means."""

    place: str
    state: Markup
    since: str
    why: Markup | None
    chart: Markup
    scale: str
    facts: Sequence[tuple[str, str]]
    phases: Sequence[tuple[str, str]]
    days: Markup
    days_text: str


@dataclass(frozen=True, slots=True)
class SiteDetail:
    """All that the page of a site shows; `windows` are names with whether they are the shown one."""

    title: str
    name: Markup
    host: Markup
    window: str
    windows: Sequence[tuple[str, bool]]
    span: str
    seen: Sequence[Seen]
    checks: Sequence[Mapping[str, object]]
    incidents: Sequence[Markup]
    settings: Sequence[tuple[str, str]]
    slug: str


def site_detail(snapshot: Snapshot, host: str, window: str, last_checks: Sequence[CheckResult]) -> SiteDetail:
    """The page of this site; its `last_checks` stand the oldest first."""
    overview, site = snapshot.overview, snapshot.sites[host]
    name = window if window in WINDOWS_MS else "10m"
    report = overview.report(WINDOWS_MS[name])
    rows = [row for row in report.rows if row.host == host] if report else []
    now = {row.key: row for row in overview.rows}
    return SiteDetail(
        title=printable(site.name or host),
        name=name_html(site.name or host),
        host=name_html(site.address),
        window=name,
        windows=[(it, it == name) for it in WINDOWS_MS],
        span=window_text(WINDOWS_MS[name]),
        seen=[_seen(snapshot, report, row, now.get(row.key, row)) for row in rows] if report else [],
        checks=[_check(it) for it in reversed(last_checks)],
        incidents=[incident_html(it, overview) for it in _of(overview.incidents, host)],
        settings=_settings(site),
        slug=slug(host),
    )


MOST_INCIDENTS = 50


def _of(incidents: Sequence[Incident], host: str) -> Sequence[Incident]:
    return [it for it in incidents if it.host == host][:MOST_INCIDENTS]


def _seen(snapshot: Snapshot, report: StatsReport, row: SiteRow, now: SiteRow) -> Seen:
    overview = snapshot.overview
    days = overview.days.get(row.key, ())
    status = now.status
    exact = may_be_exact(report.window, len(snapshot.sites))
    mark = duration_text(bucket_width_ms(report.window, exact=exact))
    label = f"mean response times of the {window_text(report.length_ms)}, each bar {mark}; red below: failed checks"
    slowest = max((mark.mean_us for mark in row.stats.trend if mark.mean_us is not None), default=None)
    return Seen(
        place=printable(row.location),
        state=state_html(status.state),
        since="" if status.since_ms is None else f"for {duration_text(overview.view.now_ms - status.since_ms)}",
        why=name_html(telling_text(now.detail)) if now.detail else None,
        chart=chart_svg(row.stats.trend, label),
        scale=f"the highest bar is {seconds_text(slowest)}; each is {mark}",
        facts=_facts(report, row, now, overview.view.now_ms),
        phases=[(phase, seconds_text(row.stats.phases_us.get(phase))) for phase in PHASES],
        days=days_svg(days),
        days_text=days_text(days),
    )


def _facts(report: StatsReport, row: SiteRow, now: SiteRow, now_ms: int) -> Sequence[tuple[str, str]]:
    stats, days = row.stats, now.certificate_days(now_ms)
    return [
        ("availability", with_sign(percent_text(row.availability))),
        ("measured", with_sign(percent_text(report.coverage(row)))),
        ("down", duration_text(stats.covered_ms - stats.available_ms)),
        ("checks", str(stats.checks)),
        *(
            (name, seconds_text(None if time_s is None else time_s * 1_000_000))
            for name, time_s in response_times(stats.response).items()
        ),
        ("statuses", counts_text(stats.statuses)),
        ("causes", counts_text(stats.causes)),
        *([] if days is None else [("certificate", f"{days} d left")]),
        *([] if now.last_check_ms is None else [("last check", f"{duration_text(max(0, now_ms - now.last_check_ms))} ago")]),
    ]


def _check(check: CheckResult) -> Mapping[str, object]:
    return {
        "time": time_html(check.time_ms),
        "exact": time_text(check.time_ms),
        "good": check.available,
        "status": check.status or "—",
        "took": seconds_text(check.response_us),
        "cause": str(check.cause or ""),
        "why": name_html(telling_text(check.detail)) if check.detail else Markup(""),
    }


def _settings(site: Site) -> Sequence[tuple[str, str]]:
    """The configuration in force, without secrets."""
    rule = site.rule
    return [
        ("checked", f"{site.method} every {duration_text(site.interval_ms)}" if site.enabled else "paused"),
        ("timeout", duration_text(site.timeout_ms)),
        ("expects", printable(", ".join(map(str, in_force(site))))),
        (
            "alert",
            f"below {percent_text(rule.threshold)} % over {duration_text(rule.window_ms)}, at least {rule.minimum_failures}"
            f" failed checks; recovery at {percent_text(rule.recovery_threshold)} %",
        ),
        *([("group", printable(site.group))] if site.group else []),
        *([("tags", printable(", ".join(site.tags)))] if site.tags else []),
    ]
