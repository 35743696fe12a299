"""The text of a message on a group of state changes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from monitoring.display import words
from monitoring.display.view_model.overview import slug
from monitoring.display.words import duration_text, label, local_text, percent_text, plural, whole_percent_text
from monitoring.models import Alert, AlertType, Downtime, Site
from monitoring.names import printable
from monitoring.notifications.base import Message
from monitoring.notifications.grouping import FLAP_MS, Group, SiteUpdate
from monitoring.notifications.watched import Watched
from monitoring.notifications.words import expiry_text
from monitoring.statistics.windows import availability
from monitoring.storage.notifications import HISTORY_DELETED, Entry, Event

LATE_MS = 60_000
"""A message that is sent this long after the earliest possible time is late."""

MOST_LISTED = 50
"""The greatest number of sites that one message lists."""

LONGEST_IN_TITLE = 100

DRILL = "DRILL: "
OWN_SIDE = "so the trouble is probably on the monitor's side (its network or its name lookup)"
OWN_SIDE_WAS = OWN_SIDE.replace(" is ", " was ")


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What messages contain beside the records.

    `measured` has the sums over the alert window of each host's newest record, `recent` those over its past half hour;
    unknown ones are missing.
    """

    watched: Watched
    measured: Mapping[str, Downtime] = field(default_factory=dict)
    recent: Mapping[str, Downtime] = field(default_factory=dict)


def compose(group: Group, context: MessageContext, now_ms: int) -> Message:
    """The message for a group."""
    title = f"{DRILL if context.watched.is_drill else ''}{_title(group, context)}"
    lines = [*_lines(group, context, now_ms), *_late(group, now_ms)]
    if context.watched.is_drill:
        lines.insert(0, "This is a drill: nothing has happened to your sites.")
    about_outages = (entry.alert for entry in group.entries if entry.event is not Event.CERTIFICATE)
    alerts = [replace(alert, location=context.watched.location) for alert in about_outages]
    names = [(update.host, context.watched.names.get(update.host)) for update in group.updates]
    return Message(group.event, title, "\n".join(lines), alerts, names, context.watched.is_drill)


def _title(group: Group, context: MessageContext) -> str:
    word = _headword(group)
    place = f" [{printable(context.watched.location)}]" if context.watched.location else ""
    where = ", probably on this side" if group.own_side and group.event is not Event.RECOVERY else ""
    if len(group.updates) == 1:
        return f"{word}: {_cut(_name(group.updates[0].host, context))}{where}{place}"
    if group.updates[0].is_unwatched:
        return f"{word}: {plural(len(group.updates), 'site')}{place}"
    return f"{word}: {_share(len(group.updates), group, context)}{where}{place}"


def _share(count: int, group: Group, context: MessageContext) -> str:
    """How many sites of how many. Those that were removed while the message waited are not among those that are left."""
    is_share = all((site := context.watched.sites.get(update.host)) and site.enabled for update in group.updates)
    return f"{count} of {plural(context.watched.active, 'site')}" if is_share else plural(count, "site")


def _headword(group: Group) -> str:
    if group.event is Event.CERTIFICATE:
        return "CERTIFICATE EXPIRES SOON"
    if all(update.over for update in group.updates):
        return "WAS DOWN"
    if group.event is Event.REMINDER:
        return "STILL DOWN"
    if group.event is Event.ALERT:
        return "DOWN AGAIN" if all(update.was_reported_down for update in group.updates) else "DOWN"
    if not group.updates[0].is_unwatched:
        return "UP"
    return "HISTORY DELETED" if group.updates[0].last.alert.detail == HISTORY_DELETED else "NO LONGER WATCHED"


def _lines(group: Group, context: MessageContext, now_ms: int) -> Iterator[str]:
    if group.event is Event.CERTIFICATE:
        yield from _certificates(group, context, now_ms)
        return
    if group.own_side:
        fail, where = ("failed", OWN_SIDE_WAS) if group.event is Event.RECOVERY else ("fail", OWN_SIDE)
        yield f"{_share(group.own_side, group, context)} {fail} at once by network causes, {where}."
    if len(group.updates) == 1:
        yield from _about(group.updates[0], context, now_ms)
    else:
        yield from _about_all(group, context, now_ms)
    host = group.updates[0].host
    site = context.watched.sites.get(host)
    if command := context.watched.program.explain(site.name if site else None, host):
        of = "" if len(group.updates) == 1 else " of the first one"
        yield f"More{of}: {command}"
    if page := context.watched.program.page:
        yield f"Page: {page}site/{slug(host)}" if site and len(group.updates) == 1 else f"Page: {page}"


def _certificates(group: Group, context: MessageContext, now_ms: int) -> Iterator[str]:
    """One line for each site."""
    for update in group.updates[:MOST_LISTED]:
        name, site = _name(update.host, context), context.watched.sites.get(update.host)
        address = f" ({printable(site.address)})" if site and printable(site.address) != name else ""
        yield f"{name}{address}: {expiry_text(update.last.alert.start_ms, now_ms)}"
    if len(group.updates) > MOST_LISTED:
        yield f"and {len(group.updates) - MOST_LISTED} more"


def _about(update: SiteUpdate, context: MessageContext, now_ms: int) -> Iterator[str]:
    """Several lines on one site."""
    alert, site = update.last.alert, context.watched.sites.get(update.host)
    name = _name(update.host, context)
    address = printable(site.address if site else update.host)
    yield f"{name if name == address else f'{name} ({address})'} {_what(update, now_ms)}."
    yield f"{'Cause' if update.told.type is AlertType.ALERT else 'The cause was'}: {cause_text(alert)}"
    if site and not update.is_unwatched and update.last.event is not Event.REMINDER:
        yield _availability(alert, site, context.measured.get(update.host), is_down=update.is_down)
    yield from _history(update, context)
    if any(entry.alert.detail == HISTORY_DELETED for entry in update.entries[:-1]):
        yield "The history of its previous outage was deleted."


def _about_all(group: Group, context: MessageContext, now_ms: int) -> Iterator[str]:
    """One line for each of several sites."""
    for update in group.updates[:MOST_LISTED]:
        alert, site = update.last.alert, context.watched.sites.get(update.host)
        name = _name(update.host, context)
        address = f" ({printable(site.address)})" if site and printable(site.address) != name else ""
        flaps = "".join(f"; {line}" for line in _history(update, context))
        is_news = update.is_down and update.last.event is not Event.REMINDER  # the availability is that of the alert
        percent = f"; availability {percent_text(alert.availability)} %" if is_news else ""
        yield f"- {name}{address} {_what(update, now_ms)}: {cause_text(alert)}{percent}{flaps}"
    if len(group.updates) > MOST_LISTED:
        yield f"and {len(group.updates) - MOST_LISTED} more"


def _what(update: SiteUpdate, now_ms: int) -> str:
    """The predicate of a sentence about a site."""
    alert = update.told
    since = local_text(alert.start_ms)
    if alert.type is AlertType.ALERT:
        if update.event is Event.REMINDER:
            return f"is still down; it has been down for {duration_text(now_ms - alert.start_ms)} (since {since})"
        return f"has been down {'again ' if update.was_reported_down else ''}since {since}"
    if alert.end_ms is None and alert.detail == HISTORY_DELETED:
        return f"no longer counts as down: its history was deleted (it had been down since {since})"
    if alert.end_ms is None:
        return f"is no longer watched; it was down for {duration_text(alert.time_ms - alert.start_ms)} (from {since})"
    lasted = duration_text(alert.end_ms - alert.start_ms)
    if update.was_reported_down:
        return f"has been up again since {local_text(alert.end_ms)}; it was down for {lasted} (from {since})"
    return f"was down for {lasted}, from {since} to {local_text(alert.end_ms)}, and is up again"


def cause_text(alert: Alert) -> str:
    """The cause with its reason: "timeout: no answer within 5 s", "status 503"."""
    return words.cause_text(alert.cause, "" if alert.is_unwatched else alert.detail)


def _availability(alert: Alert, site: Site, measured: Downtime | None, *, is_down: bool) -> str:
    rule = site.rule
    window = duration_text(rule.window_ms)
    limit = f"an alert needs more than {_number(100 - rule.threshold)} % of {window}"
    if not is_down:
        limit = f"a recovery needs {_number(rule.recovery_threshold)} %"
    sums = ""
    if measured and measured.covered_ms:
        good = availability(measured.covered_ms - measured.down_ms, measured.covered_ms)
        # A check that was under way at the decision has ended since: those of sites that hang often have.
        when = "" if good is not None and float(good) == alert.availability else " by now"
        sums = f"{_seconds(measured.down_ms)} down of {_seconds(measured.covered_ms)} measured{when}; "
    return f"Availability over {window}: {percent_text(alert.availability)} % ({sums}{limit})"


def _history(update: SiteUpdate, context: MessageContext) -> Iterator[str]:
    """For a flapping site, the number of its outages and the share of failed checks."""
    if not update.recent.flap:
        return
    seen = context.recent.get(update.host)
    share = ""
    if seen and seen.checks:
        share = f", failing {whole_percent_text(Fraction(100 * seen.failures, seen.checks))} % of its checks"
    span = duration_text(max(FLAP_MS, update.recent.span_ms))
    if update.is_down:
        yield f"{ordinal(update.recent.count)} outage in {span}{share}"
    else:
        yield f"{plural(update.recent.count, 'outage')} in {span}{share}"


def _late(group: Group, now_ms: int) -> Sequence[str]:
    late = is_late(group.due_ms, now_ms)
    return [f"This message is late by {duration_text(now_ms - group.due_ms)}."] if late else []


def is_late(due_ms: int, now_ms: int) -> bool:
    """Is a message that was due then, and is sent now, one that says so?"""
    return now_ms - due_ms >= LATE_MS


def late_entries(group: Group, now_ms: int) -> Sequence[Entry]:
    """What is recorded as late: all of a message that says so, else older outages in it, unless they waited on purpose."""
    if is_late(group.due_ms, now_ms):
        return group.entries
    waited = (entry for update in group.updates if not update.flaps for entry in update.entries)
    return [entry for entry in waited if is_late(entry.time_ms, now_ms)]


def ordinal(count: int) -> str:
    """ "1st", "2nd", "3rd", "4th", "11th"."""
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def _name(host: str, context: MessageContext) -> str:
    return label(host, context.watched.names.get(host))


def _cut(name: str) -> str:
    """The name, shortened for a title: a URL may have thousands of characters."""
    return name if len(name) <= LONGEST_IN_TITLE else f"{name[: LONGEST_IN_TITLE - 1]}…"


def _number(percent: Fraction) -> str:
    return f"{float(percent):g}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:g} s"
