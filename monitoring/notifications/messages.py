"""A group of state changes in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from monitoring.display.words import duration_text, label, local_text, percent_text, plural, printable, with_reason
from monitoring.models import Alert, Downtime, Site
from monitoring.names import shell_command
from monitoring.notifications.base import Message
from monitoring.notifications.grouping import FLAP_MS, Group, SiteNews
from monitoring.notifications.words import expiry_text
from monitoring.storage.notifications import Event

LATE_MS = 60_000
"""What is sent so long after it could have been is called late."""

MOST_LISTED = 50
"""So many sites are listed in one message."""

LONGEST_IN_TITLE = 100

DRILL = "DRILL: "
OWN_SIDE = "so the trouble is probably on the monitor's side (its network or its name lookup)"
OWN_SIDE_WAS = OWN_SIDE.replace(" is ", " was ")


@dataclass(frozen=True, slots=True)
class Background:
    """What the messages say beside the records.

    `sites` by host; `watched` is how many are checked. `measured` is the alert window of each host's newest record,
    `recent` what was measured of it in the past half hour; what is not known is missing.
    """

    sites: Mapping[str, Site] = field(default_factory=dict)
    watched: int = 0
    measured: Mapping[str, Downtime] = field(default_factory=dict)
    recent: Mapping[str, Downtime] = field(default_factory=dict)
    location: str = ""
    is_drill: bool = False


def compose(group: Group, background: Background, now_ms: int) -> Message:
    """The message that tells a group."""
    title = f"{DRILL if background.is_drill else ''}{_title(group, background)}"
    lines = [*_lines(group, background, now_ms), *_late(group, now_ms)]
    if background.is_drill:
        lines.insert(0, "This is a drill: nothing has happened to your sites.")
    alerts = [entry.alert for entry in group.entries if entry.event is not Event.CERTIFICATE]
    names = [(one.host, site.name if (site := background.sites.get(one.host)) else None) for one in group.news]
    return Message(group.event, title, "\n".join(lines), alerts, names, background.is_drill)


def _title(group: Group, background: Background) -> str:
    word = _headword(group)
    place = f" [{printable(background.location)}]" if background.location else ""
    if len(group.news) == 1:
        return f"{word}: {_cut(_name(group.news[0].host, background))}{place}"
    of = f"{len(group.news)} of {plural(background.watched, 'site')}"
    where = ", probably on this side" if group.is_own_side and group.event is not Event.RECOVERY else ""
    return f"{word}: {of}{where}{place}"


def _headword(group: Group) -> str:
    if group.event is Event.CERTIFICATE:
        return "CERTIFICATE EXPIRES SOON"
    if group.event is Event.REMINDER:
        return "STILL DOWN"
    if group.event is Event.ALERT:
        return "DOWN AGAIN" if all(one.was_reported_down for one in group.news) else "DOWN"
    return "NO LONGER WATCHED" if group.news[0].is_unwatched else "UP"


def _lines(group: Group, background: Background, now_ms: int) -> Iterator[str]:
    if group.event is Event.CERTIFICATE:
        yield from _certificates(group, background, now_ms)
        return
    if len(group.news) == 1:
        yield from _about(group.news[0], background, now_ms)
    else:
        yield from _about_all(group, background, now_ms)
    host = group.news[0].host
    shown = _quoted(_name(host, background)) if len(group.news) == 1 else "SITE"
    yield f"More: {shell_command(f'--explain {shown}')}"


def _certificates(group: Group, background: Background, now_ms: int) -> Iterator[str]:
    """A line for each site."""
    for one in group.news[:MOST_LISTED]:
        name, site = _name(one.host, background), background.sites.get(one.host)
        address = f" ({printable(site.address)})" if site and printable(site.address) != name else ""
        yield f"{name}{address}: {expiry_text(one.last.alert.start_ms, now_ms)}"
    if len(group.news) > MOST_LISTED:
        yield f"and {len(group.news) - MOST_LISTED} more"


def _about(one: SiteNews, background: Background, now_ms: int) -> Iterator[str]:
    """A site in some lines."""
    alert, site = one.last.alert, background.sites.get(one.host)
    name = _name(one.host, background)
    address = printable(site.address) if site else name
    yield f"{name if name == address else f'{name} ({address})'} {_what(one, now_ms)}."
    yield f"{'Cause' if one.is_down else 'The cause was'}: {cause_text(alert)}"
    if site and not one.is_unwatched and one.last.event is not Event.REMINDER:
        yield _availability(alert, site, background.measured.get(one.host), is_down=one.is_down)
    yield from _history(one, background)


def _about_all(group: Group, background: Background, now_ms: int) -> Iterator[str]:
    """Several sites, one line each."""
    if group.is_own_side:
        fail, where = ("failed", OWN_SIDE_WAS) if group.event is Event.RECOVERY else ("fail", OWN_SIDE)
        yield f"{len(group.news)} of {plural(background.watched, 'site')} {fail} at once by network causes, {where}."
    for one in group.news[:MOST_LISTED]:
        alert, site = one.last.alert, background.sites.get(one.host)
        name = _name(one.host, background)
        address = f" ({printable(site.address)})" if site and printable(site.address) != name else ""
        flaps = "".join(f"; {line}" for line in _history(one, background))
        percent = f"; availability {percent_text(alert.availability)} %" if one.is_down else ""
        yield f"- {name}{address} {_what(one, now_ms)}: {cause_text(alert)}{percent}{flaps}"
    if len(group.news) > MOST_LISTED:
        yield f"and {len(group.news) - MOST_LISTED} more"


def _what(one: SiteNews, now_ms: int) -> str:
    """The predicate of a sentence about a site."""
    alert = one.last.alert
    since = local_text(alert.start_ms)
    if one.event is Event.REMINDER:
        return f"is still down; it has been down for {duration_text(now_ms - alert.start_ms)} (since {since})"
    if one.is_down:
        return f"has been down {'again ' if one.was_reported_down else ''}since {since}"
    if alert.end_ms is None:
        return f"is no longer watched; it was down for {duration_text(alert.time_ms - alert.start_ms)} (from {since})"
    lasted = duration_text(alert.end_ms - alert.start_ms)
    if one.was_reported_down:
        return f"has been up again since {local_text(alert.end_ms)}; it was down for {lasted} (from {since})"
    return f"was down for {lasted}, from {since} to {local_text(alert.end_ms)}, and is up again"


def cause_text(alert: Alert) -> str:
    """The cause with the reason in the server's own words: "timeout: no answer within 5 s", "status 503"."""
    detail = "" if alert.is_unwatched else printable(alert.detail)
    return with_reason(alert.cause or "unknown", detail)


def _availability(alert: Alert, site: Site, measured: Downtime | None, *, is_down: bool) -> str:
    rule = site.rule
    window = duration_text(rule.window_ms)
    limit = f"an alert needs more than {_number(100 - rule.threshold)} % of {window}"
    if not is_down:
        limit = f"a recovery needs {_number(rule.recovery_threshold)} %"
    sums = ""
    if measured and measured.covered_ms:
        sums = f"{_seconds(measured.down_ms)} down of {_seconds(measured.covered_ms)} measured; "
    return f"Availability over {window}: {percent_text(alert.availability)} % ({sums}{limit})"


def _history(one: SiteNews, background: Background) -> Iterator[str]:
    """Of a site that flaps, how often and how badly."""
    if not one.recent.flap:
        return
    seen = background.recent.get(one.host)
    share = f", failing {percent_text(100 * seen.failures / seen.checks, 0)} % of its checks" if seen and seen.checks else ""
    span = duration_text(max(FLAP_MS, one.recent.span_ms))
    if one.is_down:
        yield f"{ordinal(one.recent.count)} outage in {span}{share}"
    else:
        yield f"{plural(one.recent.count, 'outage')} in {span}{share}"


def _late(group: Group, now_ms: int) -> Sequence[str]:
    late_ms = now_ms - group.due_ms
    return [f"This message is late by {duration_text(late_ms)}."] if late_ms >= LATE_MS else []


def ordinal(count: int) -> str:
    """ "1st", "2nd", "3rd", "4th", "11th"."""
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def _name(host: str, background: Background) -> str:
    site = background.sites.get(host)
    return label(host, site.name if site else None)


def _cut(name: str) -> str:
    """A name that fits into a title: a URL may have thousands of characters."""
    return name if len(name) <= LONGEST_IN_TITLE else f"{name[: LONGEST_IN_TITLE - 1]}…"


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else "'" + name.replace("'", "'\\''") + "'"


def _number(percent: Fraction) -> str:
    return f"{float(percent):g}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:g} s"
