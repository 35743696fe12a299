"""The page of one site in one window, as values (`SiteView`), HTML, JSON and CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from monitoring.checks.assertions import in_force
from monitoring.config.describing import request_words
from monitoring.display.text.jsonlines import (
    alert_values,
    check_values,
    json_line,
    location_json,
    mark_values,
    response_times,
    site_values,
)
from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.overview import slug
from monitoring.display.view_model.series import Mark, causes_of, series_csv
from monitoring.display.view_model.values import SiteRow, StatsReport
from monitoring.display.words import (
    NOTHING,
    counts_text,
    duration_text,
    expiry_text,
    percent_text,
    reason_text,
    seconds_text,
    time_text,
    whole_percent_text,
    window_text,
    with_sign,
)
from monitoring.errors import StoreError
from monitoring.models import PHASES, Cause, CheckResult, Site
from monitoring.names import printable
from monitoring.web.board import WINDOWS_MS, Questions, Snapshot
from monitoring.web.cells import certificate_text
from monitoring.web.drawing import days_svg, days_text, series_svg
from monitoring.web.lists import incident_html
from monitoring.web.markup import name_html, state_html, time_html

MOST_INCIDENTS = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A site from one location: its numbers in the window, its current state, and the marks of the chart."""

    row: SiteRow
    now: SiteRow
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class SiteView:
    """The values for the page of a site. `report` is None before the first answer of the store.

    `checks` are in order of time, or None if they cannot be read now; `trouble` is the reason.
    """

    snapshot: Snapshot
    site: Site
    window: str
    report: StatsReport | None
    places: Sequence[Place]
    checks: Sequence[CheckResult] | None
    incidents: Sequence[Incident]
    trouble: str = ""


def site_view(snapshot: Snapshot, host: str, window: str, questions: Questions) -> SiteView:
    """The values of this site in the window of this name, or in the first window if there is none of this name."""
    overview, site = snapshot.overview, snapshot.sites[host]
    name = window if window in WINDOWS_MS else next(iter(WINDOWS_MS))
    report = overview.report(WINDOWS_MS[name])
    now = {row.key: row for row in overview.rows}
    rows = [row for row in report.rows if row.host == host] if report else []
    places = [Place(row, now.get(row.key, row), questions.series(row.key, name)) for row in rows]
    incidents = [it for it in overview.incidents if it.host == host][:MOST_INCIDENTS]
    try:
        checks, trouble = questions.last_checks(site), ""
    except StoreError as error:
        checks, trouble = None, str(error)
    return SiteView(snapshot, site, name, report, places, checks, incidents, trouble)


# As JSON and CSV


def site_json(view: SiteView) -> str:
    """The values of the page with the keys of the command line's JSON: `{"kind": "site", …}`."""
    window, overview = view.report.window if view.report else None, view.snapshot.overview
    return json_line(
        {
            "kind": "site",
            "URL": view.site.host,
            "name": view.site.name,
            "window": WINDOWS_MS[view.window] // 1_000,
            "from": window and time_text(window.from_ms),
            "until": window and time_text(window.until_ms),
            "source": view.report and view.report.source,
            "places": [_place_values(view, place) for place in view.places],
            "lastChecks": None if view.checks is None else [check_values(it) for it in view.checks],
            "alerts": [
                alert_values(it, overview.names.get(it.host))
                for incident in view.incidents
                for it in (incident.recovery, incident.alert)
                if it
            ],
        }
    )


def _place_values(view: SiteView, place: Place) -> dict[str, object]:
    assert view.report is not None  # noqa: S101 - places are rows of the report
    values = site_values(place.row, view.report.coverage(place.row)) | location_json(place.row.location)
    return {**values, "marks": [mark_values(mark) for mark in place.marks]}


def site_csv(view: SiteView) -> str:
    """The marks of the chart."""
    return series_csv({printable(place.row.location): place.marks for place in view.places})


# As HTML


@dataclass(frozen=True, slots=True)
class PlaceDetail:
    """A place in words: `facts` are titles with values, `phases` are means, `table` has the rows of the chart."""

    place: str
    state: Markup
    since: str
    why: Markup | None
    soon: str
    chart: Markup
    scale: str
    causes: Sequence[tuple[Cause, int]]
    table: Sequence[Sequence[object]]
    facts: Sequence[tuple[str, str]]
    phases: Sequence[tuple[str, str]]
    days: Markup
    days_text: str


@dataclass(frozen=True, slots=True)
class SiteDetail:
    """Everything on the page of a site; `windows` are the names of all windows, each with whether it is shown."""

    title: str
    name: Markup
    host: Markup
    window: str
    windows: Sequence[tuple[str, bool]]
    span: str
    mark: str
    seen: Sequence[PlaceDetail]
    checks: Sequence[Mapping[str, object]]
    incidents: Sequence[Markup]
    settings: Sequence[tuple[str, str]]
    slug: str
    trouble: str


def site_detail(view: SiteView) -> SiteDetail:
    """The page of this site."""
    site, overview = view.site, view.snapshot.overview
    lengths = [mark.length_ms for place in view.places for mark in place.marks[:1]]
    return SiteDetail(
        title=printable(site.name or site.host),
        name=name_html(site.name or site.host),
        host=name_html(site.address),
        window=view.window,
        windows=[(it, it == view.window) for it in WINDOWS_MS],
        span=window_text(WINDOWS_MS[view.window]),
        mark=duration_text(lengths[0]) if lengths else "",
        seen=[_place_detail(view, view.report, place) for place in view.places] if view.report else [],
        checks=[_check(it) for it in reversed(view.checks or ())],
        incidents=[incident_html(it, overview) for it in view.incidents],
        settings=list(_settings(site)),
        slug=slug(site.host),
        trouble=printable(view.trouble),
    )


def _place_detail(view: SiteView, report: StatsReport, place: Place) -> PlaceDetail:
    overview, row, now, marks = view.snapshot.overview, place.row, place.now, place.marks
    days = overview.days.get(row.key, ())
    slowest = seconds_text(max((mark.p95_us for mark in marks if mark.p95_us is not None), default=None))
    return PlaceDetail(
        place=printable(row.location),
        state=state_html(now.status.state),
        since="" if now.status.since_ms is None else f"for {duration_text(overview.view.now_ms - now.status.since_ms)}",
        why=name_html(reason_text(now.detail)) if now.detail else None,
        soon=certificate_text(now, overview.view.now_ms),
        chart=series_svg(marks, _spoken(report, marks, slowest)),
        scale=slowest,
        causes=list(causes_of(marks).items()),
        table=[_mark(mark) for mark in reversed(marks)],
        facts=_facts(report, row, now, overview.view.now_ms),
        phases=[(phase, seconds_text(row.stats.phases_us.get(phase))) for phase in PHASES],
        days=days_svg(days),
        days_text=days_text(days),
    )


def _spoken(report: StatsReport, marks: Sequence[Mark], slowest: str) -> str:
    """The chart in words, for screen readers."""
    failed = counts_text(causes_of(marks))
    return (
        f"response times of the {window_text(report.length_ms)}: the highest 95th percentile is {slowest};"
        f" failed checks: {'none' if failed == NOTHING else failed}; all numbers are in the table below"
    )


def _mark(mark: Mark) -> Sequence[object]:
    """A row of the table: time, p50, p95, checks, failures by cause, coverage."""
    return [
        time_html(mark.start_ms),
        seconds_text(mark.p50_us),
        seconds_text(mark.p95_us),
        mark.checks,
        counts_text(mark.causes),
        with_sign(whole_percent_text(mark.coverage)),
    ]


def _facts(report: StatsReport, row: SiteRow, now: SiteRow, now_ms: int) -> Sequence[tuple[str, str]]:
    stats, expires_s = row.stats, now.status.certificate_s
    return [
        ("availability", with_sign(percent_text(row.availability))),
        ("measured", with_sign(percent_text(report.coverage(row)))),
        ("down", duration_text(stats.down_ms)),
        *([("maintenance", duration_text(stats.maintenance_ms))] if stats.maintenance_ms else []),
        ("checks", str(stats.checks)),
        *(
            (name, seconds_text(None if time_s is None else time_s * 1_000_000))
            for name, time_s in response_times(stats.response).items()
        ),
        ("statuses", _spaced(counts_text(stats.statuses, ", "))),
        ("causes", _spaced(counts_text(stats.causes, ", "))),
        *([] if expires_s is None else [("certificate", expiry_text(expires_s * 1_000, now_ms))]),
        *([] if now.last_check_ms is None else [("last check", f"{duration_text(max(0, now_ms - now.last_check_ms))} ago")]),
    ]


def _spaced(counts: str) -> str:
    """Counts that may be broken into lines, but not within a number."""
    return counts.replace(":", ": ")


def _check(check: CheckResult) -> Mapping[str, object]:
    return {
        "time": time_html(check.time_ms),
        "good": check.available,
        "status": check.status or NOTHING,
        "took": seconds_text(check.response_us),
        "cause": str(check.cause or ""),
        "maintenance": bool(check.maintenance),
        "why": name_html(reason_text(check.detail)) if check.detail else Markup(""),
    }


def _settings(site: Site) -> Iterator[tuple[str, str]]:
    """The current configuration of the site, without secrets."""
    rule = site.rule
    yield "checked", ", ".join(request_words(site)) if site.enabled else "paused"
    yield "expects", printable(", ".join(map(str, in_force(site))))
    yield (
        "alert",
        f"below {percent_text(rule.threshold)} % over {duration_text(rule.window_ms)}, at least {rule.minimum_failures}"
        f" failed checks; recovery at {percent_text(rule.recovery_threshold)} %",
    )
    if site.url.startswith("https:"):
        warning_ms = site.certificate_warning_ms
        yield "certificate", f"told {duration_text(warning_ms)} before it expires" if warning_ms else "its end is not told"
    if site.notify is not None:
        yield "notifies", printable(", ".join(site.notify)) or "nobody"
    if site.group:
        yield "group", printable(site.group)
    if site.tags:
        yield "tags", printable(", ".join(site.tags))
