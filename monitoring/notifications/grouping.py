"""What a channel tells now, in how many messages, and what waits. Pure.

All that is pending of one site goes into one message, which says where the site stands now; its certificate into
another. Messages are merged, never dropped: each entry ends in exactly one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.models import AlertType, Cause
from monitoring.storage.notifications import Entry, Event
from monitoring.units import MINUTE_MS, SECOND_MS

QUIET_MS: Mapping[Event, int] = {
    Event.ALERT: 3 * SECOND_MS,
    Event.RECOVERY: 6 * SECOND_MS,
    Event.REMINDER: 0,
    Event.CERTIFICATE: 3 * SECOND_MS,
}
GATHER_MS: Mapping[Event, int] = {
    Event.ALERT: 10 * SECOND_MS,
    Event.RECOVERY: 30 * SECOND_MS,
    Event.REMINDER: 0,
    Event.CERTIFICATE: 10 * SECOND_MS,
}
"""A message waits until nothing of its kind has happened for the first time, but no longer than the second."""

TOGETHER_MS = 10 * SECOND_MS
"""No longer than this lies between two changes that belong together."""

FLAP_MS, FLAP_OUTAGES = 30 * MINUTE_MS, 3
"""A site flaps from so many outages within this time on, until it has had none for as long."""

HELD_MS = 5 * MINUTE_MS
"""How long a recovery of such a site must have held before it is told, and how long the site must have been steady."""

LOOK_MS = 15 * SECOND_MS
"""How often it is looked whether it is steady."""

OWN_SIDE_CAUSES = frozenset({Cause.DNS, Cause.CONNECT, Cause.TIMEOUT})
OWN_SIDE_SITES, OWN_SIDE_SHARE = 3, (3, 4)
"""When so many sites, and this share of all of them, fail by these causes, the trouble is probably on the monitor's side."""

OWN_SIDE_TOGETHER_MS = MINUTE_MS
"""Then no more than this lies between the first failed checks of two of them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan needs to know beside what is pending.

    `reported_down`: the hosts whose last message said that they are down. `outages`: when each host's alerts of the past day
    were decided (ms, in order), pending ones included. `watched`: how many sites are checked.
    `unsteady`: the hosts that have been available since their pending recovery for less than one needs.
    """

    reported_down: Collection[str] = ()
    outages: Mapping[str, Sequence[int]] = field(default_factory=dict)
    watched: int = 0
    unsteady: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Outages:
    """The outages of one host between which it had no half hour without one: how many, over how long, and does it flap?"""

    count: int = 0
    span_ms: int = 0
    flap: bool = False

    @classmethod
    def before(cls, times_ms: Sequence[int], until_ms: int) -> "Outages":
        """Those up to a moment; none if the last half hour had none."""
        run: list[int] = []
        for time_ms in times_ms:
            if time_ms <= until_ms:
                if run and time_ms - run[-1] > FLAP_MS:
                    run.clear()
                run.append(time_ms)
        if not run or until_ms - run[-1] > FLAP_MS:
            return cls()
        close = (later - earlier < FLAP_MS for earlier, later in zip(run, run[FLAP_OUTAGES - 1 :], strict=False))
        return cls(len(run), run[-1] - run[0], any(close))


@dataclass(frozen=True, slots=True)
class SiteNews:
    """All that is pending of one host, in order. `ready_ms`: from when on it may be told (None: not before more happens).

    `was_reported_down`: the last message said that it is down.
    """

    entries: Sequence[Entry]
    recent: "Outages"
    was_reported_down: bool
    ready_ms: int | None

    @property
    def host(self) -> str:
        return self.last.alert.host

    @property
    def last(self) -> Entry:
        return self.entries[-1]

    @property
    def is_down(self) -> bool:
        return self.last.alert.type is AlertType.ALERT

    @property
    def is_unwatched(self) -> bool:
        return self.last.alert.is_unwatched

    @property
    def flaps(self) -> bool:
        return self.recent.flap

    @property
    def event(self) -> Event:
        """The kind of message that it needs."""
        if self.last.event is Event.CERTIFICATE:
            return Event.CERTIFICATE
        if not self.is_down:
            return Event.RECOVERY
        return Event.REMINDER if self.last.event is Event.REMINDER and self.was_reported_down else Event.ALERT


@dataclass(frozen=True, slots=True)
class Group:
    """What is told in one message: news of one kind. `is_own_side`: see `OWN_SIDE_CAUSES`."""

    news: Sequence[SiteNews]
    is_own_side: bool = False

    @property
    def event(self) -> Event:
        return self.news[0].event

    @property
    def entries(self) -> Sequence[Entry]:
        return [entry for one in self.news for entry in one.entries]

    @property
    def due_ms(self) -> int:
        """When the first of it could have been told; of a site that flaps, when it was ready to be."""
        return min((one.ready_ms or 0) if one.flaps else one.entries[0].time_ms for one in self.news)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to tell now, in order; and when there is more to tell if nothing happens until then (None: never)."""

    groups: Sequence[Group]
    again_ms: int | None


def plan(pending: Iterable[Entry], around: Surroundings, now_ms: int) -> Plan:
    """What to tell at this moment."""
    by_host: dict[tuple[str, bool], list[Entry]] = {}
    for entry in sorted(pending, key=lambda entry: entry.time_ms):
        by_host.setdefault((entry.alert.host, entry.event is Event.CERTIFICATE), []).append(entry)
    news = [_news(host, entries, around, now_ms) for (host, _), entries in by_host.items()]
    groups: list[Group] = []
    later: list[int] = []
    for event in Event:
        of_event = [(one.ready_ms, one) for one in news if one.event is event and one.ready_ms is not None]
        ready = [one for ready_ms, one in of_event if ready_ms <= now_ms]
        later += [ready_ms for ready_ms, _ in of_event if ready_ms > now_ms]
        if not ready:
            continue
        times = [one.ready_ms or 0 for one in ready]
        due_ms = min(max(times) + QUIET_MS[event], min(times) + GATHER_MS[event])
        if due_ms > now_ms:
            later.append(due_ms)
        else:
            groups += _grouped(ready, around)
    groups.sort(key=lambda group: group.due_ms)
    return Plan(groups, min(later, default=None))


def must_have_been_steady(entries: Sequence[Entry], now_ms: int) -> Iterable[Entry]:
    """The recoveries among the state changes that are pending of one host, in order, since which it must be steady now.

    None where it makes no difference: the site is down, or its recovery has not held for long enough anyway.
    """
    last = entries[-1]
    if last.event is not Event.RECOVERY or now_ms < last.time_ms + HELD_MS:
        return ()
    return (entry for entry in entries if entry.event is Event.RECOVERY)


def _news(host: str, entries: Sequence[Entry], around: Surroundings, now_ms: int) -> SiteNews:
    last, was_reported_down = entries[-1], host in around.reported_down
    if last.event is Event.CERTIFICATE:
        return SiteNews(entries, Outages(), was_reported_down, last.time_ms)
    outages = Outages.before(around.outages.get(host, ()), last.time_ms)
    one = SiteNews(entries, outages, was_reported_down, last.time_ms)
    if not one.flaps or one.is_unwatched or one.event is Event.REMINDER:
        return one
    if not one.is_down:
        held_ms = last.time_ms + HELD_MS
        if held_ms <= now_ms < last.time_ms + FLAP_MS and host in around.unsteady:
            held_ms = now_ms + LOOK_MS
        return SiteNews(entries, outages, was_reported_down, held_ms)
    # Those who think that it is down need not hear that it was up for less than what counts as a recovery.
    return SiteNews(entries, outages, was_reported_down, None) if was_reported_down else one


def _grouped(news: Iterable[SiteNews], around: Surroundings) -> Iterable[Group]:
    """News of one kind as groups: what is probably on this side; of the rest what happened together by the same cause."""
    rest = sorted(news, key=lambda one: one.last.time_ms)
    if own_side := _own_side(rest, around):
        yield Group(own_side, is_own_side=True)
        hosts = {one.host for one in own_side}
        rest = [one for one in rest if one.host not in hosts]
    for together in _chains(rest, lambda one: one.last.time_ms, TOGETHER_MS):
        by_cause: dict[object, list[SiteNews]] = {}
        for one in together:
            by_cause.setdefault((one.last.alert.cause, one.is_unwatched), []).append(one)
        for alike in by_cause.values():
            yield Group(alike)


def _own_side(news: Iterable[SiteNews], around: Surroundings) -> Sequence[SiteNews]:
    """Those that failed, with nearly all sites, by the monitor's own network or name lookup; none, if it was not that.

    They may be decided and told at other times: some sites are checked seldom, or hang until their time-out.
    """
    by_network = [one for one in news if one.last.alert.cause in OWN_SIDE_CAUSES and not one.is_unwatched]
    chains = _chains(sorted(by_network, key=_began_ms), _began_ms, OWN_SIDE_TOGETHER_MS)
    largest = max(chains, key=len, default=[])
    share, of = OWN_SIDE_SHARE
    return largest if len(largest) >= OWN_SIDE_SITES and of * len(largest) >= share * around.watched else []


def _began_ms(one: SiteNews) -> int:
    return one.last.alert.start_ms


def _chains(news: Iterable[SiteNews], moment_ms: Callable[[SiteNews], int], gap_ms: int) -> Iterable[list[SiteNews]]:
    """News, in order of these moments, cut where more time lies between two of them."""
    chain: list[SiteNews] = []
    for one in news:
        if chain and moment_ms(one) - moment_ms(chain[-1]) > gap_ms:
            yield chain
            chain = []
        chain.append(one)
    if chain:
        yield chain
