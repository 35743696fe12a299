"""The past: the page of an incident, the feed, and the rows of a month's report."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.months import MonthReport, MonthRow
from monitoring.display.view_model.overview import Overview, slug
from monitoring.display.words import (
    DELIVERY_WORDS,
    NOTHING,
    alert_detail,
    alert_sentence,
    counts_text,
    duration_text,
    label,
    lengths_text,
    percent_text,
    reason_text,
    seconds_text,
    time_text,
    with_sign,
)
from monitoring.storage.notifications import Entry
from monitoring.web.lists import incident_id
from monitoring.web.markup import name_html, time_html


def incident_facts(incident: Incident, overview: Overview) -> Sequence[tuple[str, Markup]]:
    """The content of its records, as titles with values."""
    decided = [(str(it.type), _decision(it.time_ms, it.availability)) for it in (incident.alert, incident.recovery) if it]
    place = [("seen from", name_html(incident.location))] if incident.location else []
    return [
        ("first failed check", time_html(incident.start_ms)),
        ("answers again since", _end(incident, overview)),
        ("lasted", escape(duration_text(overview.lasted_ms(incident)))),
        ("cause", escape(incident.cause or NOTHING)),
        ("reason", name_html(reason_text(incident.detail)) if incident.detail else escape(NOTHING)),
        *decided,
        *place,
    ]


def _end(incident: Incident, overview: Overview) -> Markup:
    if incident.end_ms is not None:
        return time_html(incident.end_ms)
    until_ms = overview.measured_until_ms(incident.key)
    return Markup("not yet") if until_ms is None else Markup("not known: not measured since {}").format(time_html(until_ms))


def delivery_rows(entries: Sequence[Entry] | None) -> Sequence[Sequence[Markup]] | None:
    """The notifications: channel, event, time, and whether it was sent or why not; None: they are not known here."""
    if entries is None:
        return None
    return [
        [
            name_html(it.channel),
            escape(it.event),
            escape(DELIVERY_WORDS[it.state]),
            escape(NOTHING) if it.done_ms is None else time_html(it.done_ms),
            name_html(it.reason) if it.reason else Markup(""),
        ]
        for it in entries
    ]


def _decision(time_ms: int, availability: float) -> Markup:
    return Markup("decided {} at an availability of {}").format(time_html(time_ms), with_sign(percent_text(availability)))


@dataclass(frozen=True, slots=True)
class AtomEntry:
    """An incident in the feed. Its texts are plain, not HTML."""

    name: str
    title: str
    link: str
    published: str
    updated: str
    text: str


def atom_entry(incident: Incident, overview: Overview, address: str) -> AtomEntry:
    """An incident as an entry of the feed; `address` is the URL of the overview, with its final slash."""
    lasted = duration_text(overview.lasted_ms(incident))
    name = label(incident.host, overview.names.get(incident.host))
    records = [it for it in (incident.alert, incident.recovery) if it]
    return AtomEntry(
        name=f"urn:website-monitor:{incident_id(incident)}",
        title=f"{name} is down" if incident.is_open else f"{name} was down for {lasted}",
        link=f"{address}incidents/{incident_id(incident)}",
        published=time_text(incident.start_ms),
        updated=time_text(incident.last.time_ms),
        text="\n".join(f"{alert_sentence(it, name)}\n{alert_detail(it)}" for it in records),
    )


def report_table(report: MonthReport) -> tuple[Sequence[str], Sequence[Sequence[Markup]]]:
    """The titles of the table of a month, and its rows. It has maintenance where there was any."""
    is_maintained = any(row.site.stats.maintenance_ms for row in report.rows)
    found = [_report_row(report, row, is_maintained=is_maintained) for row in report.rows]
    return [title for title in REPORT_TITLES if is_maintained or title != MAINTENANCE], found


MAINTENANCE = "Maintenance"
REPORT_TITLES = (
    *("Site", "Availability", "Measured", "Down", MAINTENANCE, "Incidents", "Longest", "Outages by cause"),
    *("p50", "p95", "p99", "Failed checks"),
)


def _report_row(report: MonthReport, row: MonthRow, *, is_maintained: bool) -> Sequence[Markup]:
    """The cells of a site; the first is its name."""
    site, response = row.site, row.site.stats.response
    place = f" [{site.location}]" if site.location else ""
    times = (response.p50_us, response.p95_us, response.p99_us) if response else (None, None, None)
    texts = [
        with_sign(percent_text(site.availability)),
        with_sign(percent_text(report.coverage(row))),
        duration_text(row.down_ms),
        *([duration_text(site.stats.maintenance_ms)] if is_maintained else []),
        str(row.incidents),
        NOTHING if row.longest_ms is None else duration_text(row.longest_ms),
        lengths_text(row.outages_ms),
        *map(seconds_text, times),
        counts_text(site.stats.causes),
    ]
    link = Markup('<a href="site/{}">{}</a>').format(slug(site.host), name_html((site.name or site.host) + place))
    return [link, *map(escape, texts)]


def neighbours(month: str) -> tuple[str, str]:
    """The names of the months before and after this one."""
    year, number = map(int, month.split("-"))
    count = year * 12 + number - 1
    before, after = (f"{it // 12}-{it % 12 + 1:02}" for it in (count - 1, count + 1))
    return before, after
