"""The lists of the overview: incidents, certificates that expire soon, and the past days."""

from collections.abc import Sequence

from markupsafe import Markup

from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.overview import Expiry, Group, Overview, expiries, slug
from monitoring.display.view_model.ranking import HEALTHY, by_state, states_text
from monitoring.display.view_model.values import SiteRow
from monitoring.display.words import (
    GLYPHS,
    NOTHING,
    duration_text,
    expiry_text,
    last_measured_text,
    plural,
    reason_text,
    time_text,
)
from monitoring.models import State
from monitoring.units import DAY_MS
from monitoring.web.markup import (
    ONGOING,
    OVER,
    count_html,
    glyph_and_word,
    link_html,
    name_html,
    place_html,
    place_id,
    state_html,
    time_html,
)


def incident_id(incident: Incident) -> str:
    """Its name in addresses: the slug of the site, its beginning, and its location if that has a name."""
    place = f"-{place_id(incident.location)}" if incident.location else ""
    return f"{slug(incident.host)}-{incident.start_ms}{place}"


def incident_html(incident: Incident, overview: Overview) -> Markup:
    """An outage in one line."""
    reason = reason_text(incident.detail) if incident.detail else str(incident.cause or "cause unknown")
    return Markup(
        '<a class="when" href="incidents/{}">{}</a> <span class="lasted">{}</span> {} <a href="site/{}">{}</a>{}'
        ' <span class="why">{}</span>'
    ).format(
        incident_id(incident),
        time_html(incident.start_ms),
        duration_text(overview.lasted_ms(incident)),
        _goes_on(incident, overview) if incident.is_open else OVER,
        slug(incident.host),
        _name_of(incident, overview),
        place_html(incident.location),
        name_html(reason),
    )


def _goes_on(incident: Incident, overview: Overview) -> Markup:
    until_ms = overview.measured_until_ms(incident.key)
    if until_ms is None:
        return ONGOING
    return glyph_and_word(State.UNKNOWN, GLYPHS[State.UNKNOWN], last_measured_text(until_ms, overview.view.now_ms))


def _name_of(incident: Incident, overview: Overview) -> Markup:
    return name_html(overview.names.get(incident.host) or incident.host)


MOST_ONGOING = 10
"""The greatest number of open incidents that the overview lists."""


def ongoing_html(overview: Overview) -> Markup:
    """The open incidents, the newest first. If there are many, the sites below must not be pushed far down."""
    found = [it for it in overview.incidents if it.is_open]
    lines = [Markup("<li>{}</li>").format(incident_html(it, overview)) for it in found[:MOST_ONGOING]]
    if len(found) > MOST_ONGOING:
        lines.append(Markup('<li><a href="incidents">{} more</a></li>').format(len(found) - MOST_ONGOING))
    return Markup("").join(lines)


MOST_EXPIRIES = 10
"""The greatest number of certificates that the overview lists."""


def expiries_html(overview: Overview) -> Markup:
    """The certificates that expire soon, the next one first."""
    found, now_ms = expiries(overview), overview.view.now_ms
    lines = [Markup("<li>{}</li>").format(_expiry(it, now_ms)) for it in found[:MOST_EXPIRIES]]
    if len(found) > MOST_EXPIRIES:
        lines.append(Markup("<li>{} more, marked below</li>").format(plural(len(found) - MOST_EXPIRIES, "site")))
    return Markup("").join(lines)


def _expiry(expiry: Expiry, now_ms: int) -> Markup:
    words = expiry_text(expiry.expires_ms, now_ms)
    return Markup('{} <span class="soon">{}</span>: {}').format(time_html(expiry.expires_ms), words, link_html(expiry.row))


LATELY_DAYS, MOST_OF_A_DAY = 14, 5
"""The number of days that the overview lists, and the greatest number of incidents for each."""


def lately_html(overview: Overview) -> Markup:
    """The incidents of the past days by the day of their beginning, today first.

    Open ones have no duration, because it would change the text all the time. Empty before anything was read.
    """
    if not overview.view.reports:
        return Markup("")
    today = overview.view.now_ms // DAY_MS
    by_day: dict[int, list[Incident]] = {}
    for incident in overview.incidents:
        if today - (number := incident.start_ms // DAY_MS) >= LATELY_DAYS:
            break
        by_day.setdefault(number, []).append(incident)
    measured = {day.start_ms // DAY_MS for days in overview.days.values() for day in days[-LATELY_DAYS:] if day.covered_ms}
    lines = []
    for number in range(today, today - LATELY_DAYS, -1):
        found = by_day.get(number, [])
        otherwise = "no incident" if number in measured else "not measured" if overview.days else NOTHING
        words = _of_day(found, overview) if found else otherwise
        date = time_text(number * DAY_MS)[:10]
        lines.append(Markup('<dt><time datetime="{0}">{0}</time></dt><dd>{1}</dd>').format(date, words))
    return Markup("").join(lines)


def _of_day(found: Sequence[Incident], overview: Overview) -> Markup:
    parts = [_briefly(it, overview) for it in found[:MOST_OF_A_DAY]]
    if len(found) > MOST_OF_A_DAY:
        parts.append(Markup('<a href="incidents">{} more</a>').format(len(found) - MOST_OF_A_DAY))
    return Markup(", ").join(parts)


def _briefly(incident: Incident, overview: Overview) -> Markup:
    lasted = duration_text(overview.lasted_ms(incident))
    if incident.is_open:
        lasted = "ongoing" if overview.measured_until_ms(incident.key) is None else "not measured now"
    return Markup('<span class="{}"><a href="incidents/{}">{}</a> {}, {}</span>').format(
        "down" if incident.is_open else "over",
        incident_id(incident),
        _name_of(incident, overview),
        incident.cause or "cause unknown",
        lasted,
    )


def group_html(group: Group) -> Markup:
    """The number of sites of a group, and how many of them are in trouble: "5 down 1 failing of 91 sites"."""
    sites = plural(group.sites, "site")
    if group.worst in HEALTHY:
        return Markup("{} <small>{}</small>").format(state_html(group.worst), sites)
    troubles = [count_html(state, count) for state, count in group.counts if state not in HEALTHY]
    return Markup("{} <small>of {}</small>").format(Markup(" ").join(troubles), sites)


def more_text(rows: Sequence[SiteRow]) -> str:
    """ "907 more, all up"; "915 more: 8 maintenance, 907 up"."""
    return f"{len(rows)} more{states_text(by_state(row.status.state for row in rows))}"
