"""All sites at once, as the page, its feeds and its metrics show them. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.ranking import HEALTHY, RANKS, state_counts
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport, View
from monitoring.display.words import duration_text, plural, time_text
from monitoring.models import SiteStatus, State
from monitoring.units import DAY_MS

DAYS = 90
"""How many days are shown one by one, including today."""

MOST_FINE = 20
"""How many sites that need no attention a group shows, if it has more than twice as many."""

STALE_MS = 30_000
"""The age at which a reading no longer shows the present."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OTHERS = re.compile(r"[^A-Za-z0-9._]+")


@dataclass(frozen=True)
class Overview:
    """A `View` and its past: outages, newest first, and the days of each site, oldest first.

    All reports of the view have the same sites and locations.
    """

    view: View
    incidents: Sequence[Incident] = ()
    days: Mapping[SiteKey, Sequence[Mark]] = field(default_factory=dict)

    @property
    def rows(self) -> Sequence[SiteRow]:
        """The sites in the shortest window, in the order of the configuration; none before the first reading."""
        return self.view.reports[0].rows if self.view.reports else ()

    @cached_property
    def names(self) -> Mapping[str, str | None]:
        """The configured names by host."""
        return {row.host: row.name for row in self.rows}

    @cached_property
    def unmeasured(self) -> Mapping[SiteKey, int]:
        """Until when each site was measured that nobody measures now."""
        return self.view.unmeasured

    def measured_until_ms(self, key: SiteKey) -> int | None:
        """Until when a site was measured that nobody measures now; None: somebody does, or it is not known."""
        return self.unmeasured.get(key)

    def lasted_ms(self, incident: Incident) -> int:
        """How long this outage has lasted, as far as it was measured."""
        return incident.lasted_ms(self.unmeasured.get(incident.key, self.view.now_ms))

    @property
    def is_stale(self) -> bool:
        """Is the last reading too old to show the present?"""
        return bool(self.view.reports) and self.view.now_ms - self.view.reports[0].window.until_ms > STALE_MS

    def report(self, length_ms: int) -> StatsReport | None:
        """The report on the window of this length, if there is one."""
        return next((report for report in self.view.reports if report.length_ms == length_ms), None)

    def later(self, waited_ms: int) -> "Overview":
        """The same overview `waited_ms` later. If that makes it stale, all states are unknown."""
        view = replace(self.view, now_ms=self.view.now_ms + waited_ms)
        if not replace(self, view=view).is_stale:
            return self
        return replace(self, view=replace(view, reports=tuple(map(_unknown, view.reports))))


def _unknown(report: StatsReport) -> StatsReport:
    until_ms = report.window.until_ms
    rows = (
        replace(row, status=SiteStatus(State.UNKNOWN, until_ms, was.last_failure_ms, "", was.certificate_s))
        if was.measured_until_ms is None and was.state is not State.PAUSED
        else row
        for row in report.rows
        for was in (row.status,)
    )
    return replace(report, rows=tuple(rows))


@dataclass(frozen=True, slots=True)
class Group:
    """The sites of one group, worst first. `name` is None for sites without a group.

    `warns`: the certificate of one of them expires soon. Its first `notable` rows have all that need attention.
    """

    name: str | None
    rows: Sequence[SiteRow]
    warns: bool = False
    notable: int = 0

    @property
    def worst(self) -> State:
        return self.rows[0].status.state

    @property
    def sites(self) -> int:
        """The number of its sites; one that several locations see has several rows."""
        return len({row.host for row in self.rows})

    @property
    def has_trouble(self) -> bool:
        """Is a site in trouble (not up, paused or in maintenance), or does a certificate expire soon?"""
        return self.worst not in HEALTHY or self.warns

    @property
    def counts(self) -> Sequence[tuple[State, int]]:
        """The number of its sites in each state that occurs, worst first."""
        return state_counts(self.rows)

    def folded(self) -> tuple[Sequence[SiteRow], Sequence[SiteRow]]:
        """The rows to show, and those to fold away: of very many that need no attention, only the first ones are shown."""
        count = self.notable + MOST_FINE
        return (self.rows[:count], self.rows[count:]) if len(self.rows) > count + MOST_FINE else (self.rows, ())


def grouped(rows: Iterable[SiteRow], now_ms: int) -> Sequence[Group]:
    """The groups of these sites, ordered by their worst site, then as in the configuration.

    Within a state, sites whose certificate expires soon come first.
    """
    found: dict[str | None, list[tuple[int, SiteRow]]] = {}
    for row in rows:
        rank = 2 * RANKS[row.status.state] + (row.certificate_due_ms(now_ms) is None)
        found.setdefault(row.group, []).append((rank, row))
    ranked = [(name, sorted(members, key=lambda it: it[0])) for name, members in found.items()]
    ranked.sort(key=lambda group: group[1][0][0])
    return [
        Group(name, [row for _, row in members], not all(rank % 2 for rank, _ in members), _notable(members))
        for name, members in ranked
    ]


def _notable(ranked: Sequence[tuple[int, SiteRow]]) -> int:
    places = (place for place, (rank, row) in enumerate(ranked, 1) if not rank % 2 or row.status.state not in HEALTHY)
    return max(places, default=0)


@dataclass(frozen=True, slots=True)
class Expiry:
    """A certificate of the site in `row` that expires soon."""

    row: SiteRow
    expires_ms: int


def expiries(overview: Overview) -> Sequence[Expiry]:
    """The certificates that expire soon, the earliest first; one for each site."""
    found: dict[str, Expiry] = {}
    for row in overview.rows:
        due_ms = row.certificate_due_ms(overview.view.now_ms)
        if due_ms is not None and (row.host not in found or due_ms < found[row.host].expires_ms):
            found[row.host] = Expiry(row, due_ms)
    return sorted(found.values(), key=lambda it: it.expires_ms)


def headline(overview: Overview) -> str:
    """One sentence on all sites, the worst news first."""
    rows = overview.rows
    if not rows:
        return overview.view.absence
    counts = dict(state_counts(rows))
    total = sum(counts.values())
    for state in (State.DOWN, State.RECOVERING, State.FAILING):
        if state in counts:
            return _of_some(state, counts[state], total, _since(rows, state, overview.view.now_ms))
    unknown, maintained, paused = (counts.get(state, 0) for state in (State.UNKNOWN, State.MAINTENANCE, State.PAUSED))
    if unknown and unknown == total - paused:
        which = "the site" if unknown == 1 else f"any of the {unknown} sites"
        return f"nothing is known of {which} now{last_data(overview)}"
    if unknown:
        return f"nothing is known of {unknown} of {plural(total, 'site')} now"
    up = total - maintained - paused
    others = [f"{maintained} in maintenance"] if maintained else []
    others += [f"{paused} paused"] if paused else []
    if others and not up:
        return f"{plural(total, 'site')}: {', '.join(others)}"
    return ", ".join([f"all {up} sites are up" if up != 1 else "1 site is up", *others])


TROUBLE = (State.DOWN, State.RECOVERING, State.FAILING, State.UNKNOWN)
FINE = {State.UP: "up", State.MAINTENANCE: "in maintenance", State.PAUSED: "paused"}


def short_headline(overview: Overview) -> str:
    """The same for a badge: "2 of 8 down", "7 up, 1 paused"."""
    counts = dict(state_counts(overview.rows))
    for state in TROUBLE:
        if state in counts:
            return f"{counts[state]} of {sum(counts.values())} {state}"
    return ", ".join(f"{counts[state]} {word}" for state, word in FINE.items() if state in counts) or str(State.UNKNOWN)


def last_data(overview: Overview) -> str:
    """The end of a sentence: how old the newest check is; "" if there is none."""
    newest_ms = max((row.last_check_ms for row in overview.rows if row.last_check_ms is not None), default=None)
    return "" if newest_ms is None else f": last data {duration_text(max(0, overview.view.now_ms - newest_ms))} ago"


def _of_some(state: State, count: int, total: int, since: str) -> str:
    """ "1 of 3 sites has been down since 20:25 UTC", "2 of 3 sites are down, the first since 20:14 UTC"."""
    sites = f"{count} of {total} sites" if total > 1 else "the site"
    if count > 1:
        return f"{sites} are {state}{since and f', the first {since}'}"
    return f"{sites} has been {state} {since}" if since else f"{sites} is {state}"


def _since(rows: Iterable[SiteRow], state: State, now_ms: int) -> str:
    """The start of this state, as a time: a text that does not change is not read aloud again."""
    since = [row.status.since_ms for row in rows if row.status.state is state and row.status.since_ms is not None]
    if not since:
        return ""
    first_ms = min(since)
    date, time = time_text(first_ms)[:10], time_text(first_ms)[11:16]
    return f"since {time} UTC" if now_ms - first_ms < DAY_MS else f"since {date} {time} UTC"


def slug(host: str) -> str:
    """The permanent name of a site in the page's addresses: a plain id unchanged, else a readable name with a checksum."""
    if _PLAIN_ID.fullmatch(host):
        return host
    import hashlib  # late: it loads OpenSSL, and only the page has addresses

    readable = _OTHERS.sub("-", host.partition("://")[2] or host).strip("-.")[:60]
    return f"{readable}-{hashlib.sha256(host.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}".lstrip("-")
