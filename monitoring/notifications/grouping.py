"""Groups the pending entries of a channel into messages, and decides which to send now and which later. Pure.

One message has all pending state changes of a site and gives its present state; a warning about its certificate is a
message of its own. Messages are merged, never dropped: each entry ends in exactly one message.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from monitoring.models import Alert, AlertType, Cause
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
"""A message waits until no event of its kind has happened for `QUIET_MS`, but not longer than `GATHER_MS`."""

TOGETHER_MS = 10 * SECOND_MS
"""The longest gap between two changes that belong together."""

FLAP_MS, FLAP_OUTAGES = 30 * MINUTE_MS, 3
"""A site flaps from its third outage within this time on, until it has had no outage for as long."""

HELD_MS = 5 * MINUTE_MS
"""How long the recovery of a flapping site must have lasted before it is announced."""

LOOK_MS = 15 * SECOND_MS
"""How often the stability of such a site is examined."""

OWN_SIDE_CAUSES = frozenset({Cause.DNS, Cause.CONNECT, Cause.TIMEOUT})
OWN_SIDE_SITES, OWN_SIDE_SHARE = 3, (3, 4)
"""If this many sites and this share of all sites fail by these causes, the trouble is probably on the monitor's side."""

OWN_SIDE_TOGETHER_MS = MINUTE_MS
"""The longest gap between the first failed checks of two such sites."""


Change = TypeVar("Change")


@dataclass(frozen=True, slots=True)
class PlanningContext:
    """What a plan depends on beside the pending entries.

    `reported_down`: the hosts that people believe to be down (see the function). `outages`: the times (ms, in order) of each
    host's alerts in the past day, including pending ones. `watched`: the number of sites that are checked.
    `unstable`: the hosts whose availability since the pending recovery is below the recovery threshold. `newest`: each
    host's newest record of the past day, also of those that the channel does not report. `with_recoveries`: the channel
    reports recoveries.
    """

    reported_down: Collection[str] = ()
    outages: Mapping[str, Sequence[int]] = field(default_factory=dict)
    watched: int = 0
    unstable: Collection[str] = ()
    newest: Mapping[str, Alert] = field(default_factory=dict)
    with_recoveries: bool = True


@dataclass(frozen=True, slots=True)
class Outages:
    """A series of outages of one host without a pause of half an hour: their number, their span, and does the host flap?"""

    count: int = 0
    span_ms: int = 0
    flap: bool = False

    @classmethod
    def before(cls, times_ms: Sequence[int], until_ms: int) -> "Outages":
        """The series that is current at `until_ms`; empty if the half hour before had no outage."""
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
class SiteUpdate:
    """All pending entries of one host, in order.

    `ready_ms` is the earliest time to send them (None: not before something else happens). `was_reported_down`: the last
    message said that the host is down. `over` has ended the outage, and no entry as the channel does not report it.
    """

    entries: Sequence[Entry]
    recent: "Outages"
    was_reported_down: bool
    ready_ms: int | None
    over: Alert | None = None

    @property
    def host(self) -> str:
        return self.last.alert.host

    @property
    def last(self) -> Entry:
        return self.entries[-1]

    @property
    def began_ms(self) -> int:
        """When the first event happened that its message is about: it tells of the newest outage."""
        return next((entry for entry in reversed(self.entries) if entry.event is Event.ALERT), self.entries[0]).time_ms

    @property
    def told(self) -> Alert:
        """The record that says how the host stands now."""
        return self.over or self.last.alert

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
        """The kind of its message."""
        if self.last.event is Event.CERTIFICATE:
            return Event.CERTIFICATE
        if not self.is_down:
            return Event.RECOVERY
        return Event.REMINDER if self.last.event is Event.REMINDER and self.was_reported_down else Event.ALERT


@dataclass(frozen=True, slots=True)
class Group:
    """The updates in one message, all of one kind.

    `own_side`: how many of all sites failed with these, if the trouble is probably on the monitor's side (see
    `OWN_SIDE_CAUSES`); 0: it is not.
    """

    updates: Sequence[SiteUpdate]
    own_side: int = 0

    @property
    def event(self) -> Event:
        return self.updates[0].event

    @property
    def entries(self) -> Sequence[Entry]:
        return [entry for update in self.updates for entry in update.entries]

    @property
    def due_ms(self) -> int:
        """When the message could have been sent at the earliest; for a flapping site, when its update became ready."""
        return min((update.ready_ms or 0) if update.flaps else update.began_ms for update in self.updates)


@dataclass(frozen=True, slots=True)
class Plan:
    """The messages to send now, in order, and the time of the next plan if nothing happens until then (None: never)."""

    groups: Sequence[Group]
    again_ms: int | None


def plan(pending: Iterable[Entry], context: PlanningContext, now_ms: int) -> Plan:
    """Decide what to send at this moment."""
    by_host: dict[tuple[str, bool], list[Entry]] = {}
    for entry in sorted(pending, key=_order):
        by_host.setdefault((entry.alert.host, entry.event is Event.CERTIFICATE), []).append(entry)
    updates = [_update(host, entries, context, now_ms) for (host, _), entries in by_host.items()]
    groups: list[Group] = []
    later: list[int] = []
    for event in Event:
        of_event = [(update.ready_ms, update) for update in updates if update.event is event and update.ready_ms is not None]
        ready = [update for ready_ms, update in of_event if ready_ms <= now_ms]
        later += [ready_ms for ready_ms, _ in of_event if ready_ms > now_ms]
        if not ready:
            continue
        times = [update.ready_ms or 0 for update in ready]
        due_ms = min(max(times) + QUIET_MS[event], min(times) + GATHER_MS[event])
        if due_ms > now_ms:
            later.append(due_ms)
        else:
            groups += _grouped(ready, context)
    groups.sort(key=lambda group: group.due_ms)
    return Plan(groups, min(later, default=None))


def reported_down(sent: Mapping[str, Entry], changes: Iterable[Alert], *, with_recoveries: bool) -> Collection[str]:
    """The hosts that people believe to be down, because the last message about them said so.

    If they are not told of recoveries, they are supposed to have seen one before the newest outage if it lasted as long as
    that of a flapping site must. `changes` are those of the past day, in order of time.
    """
    down = {host: entry.alert.time_ms for host, entry in sent.items() if entry.event is Event.ALERT}
    if with_recoveries:
        return set(down)
    since: dict[str, list[Alert]] = {host: [] for host in down}
    for change in changes:
        if change.host in down and change.time_ms > down[change.host]:
            since[change.host].append(change)
    return {host for host, later in since.items() if not _has_recovered(later)}


def _has_recovered(changes: Sequence[Alert]) -> bool:
    """Was the site up for long enough between an alert that these changes followed and the newest alert?"""
    if changes and changes[0].type is AlertType.ALERT:
        return True  # its recovery was more than a day ago
    return any(
        change.type is AlertType.RECOVERY and after.time_ms - change.time_ms >= HELD_MS
        for change, after in pairwise(changes)
    )


def recoveries_to_confirm(entries: Sequence[Entry], now_ms: int) -> Iterable[Entry]:
    """The pending recoveries of one host since which its availability matters; `entries` are its state changes, in order.

    There are none if the host is down or if its recovery has not lasted long enough anyway.
    """
    last = entries[-1]
    if last.event is not Event.RECOVERY or now_ms < last.time_ms + HELD_MS:
        return ()
    return (entry for entry in entries if entry.event is Event.RECOVERY)


def _order(entry: Entry) -> tuple[int, int]:
    """By time, but a reminder comes before the end of its outage: it may have been due while that was pending."""
    return (entry.alert.time_ms if entry.event is Event.REMINDER else entry.time_ms, entry.time_ms)


def _update(host: str, entries: Sequence[Entry], context: PlanningContext, now_ms: int) -> SiteUpdate:
    last, was_reported_down = entries[-1], host in context.reported_down
    if last.event is Event.CERTIFICATE:
        return SiteUpdate(entries, Outages(), was_reported_down, last.time_ms)
    outages = Outages.before(context.outages.get(host, ()), last.time_ms)
    update = SiteUpdate(entries, outages, was_reported_down, last.time_ms, _over(last.alert, context))
    if not update.flaps or update.is_unwatched or update.event is Event.REMINDER:
        return update
    if not update.is_down:
        held_ms = last.time_ms + HELD_MS
        if held_ms <= now_ms < last.time_ms + FLAP_MS and host in context.unstable:
            held_ms = now_ms + LOOK_MS
        return SiteUpdate(entries, outages, was_reported_down, held_ms)
    # People who were notified that it is down need no message on a recovery that did not last.
    return SiteUpdate(entries, outages, was_reported_down, None) if was_reported_down else update


def _over(alert: Alert, context: PlanningContext) -> Alert | None:
    """The record that has ended this outage, if the channel does not report it."""
    newest = None if context.with_recoveries else context.newest.get(alert.host)
    return newest if newest and newest.type is AlertType.RECOVERY and newest.time_ms > alert.time_ms else None


def _grouped(updates: Iterable[SiteUpdate], context: PlanningContext) -> Iterable[Group]:
    """Updates of one kind as groups: first those that are probably the monitor's own fault, then by time and cause."""
    rest = sorted(updates, key=_changed_ms)
    failed = _failed_by_own_side(rest, context)
    if own_side := [update for update in rest if update.host in failed]:
        yield Group(own_side, len(failed))
        rest = [update for update in rest if update.host not in failed]
    for together in _chains(rest, _changed_ms, TOGETHER_MS):
        by_cause: dict[object, list[SiteUpdate]] = {}
        for update in together:
            by_cause.setdefault((update.last.alert.cause, update.is_unwatched), []).append(update)
        for alike in by_cause.values():
            yield Group(alike)


def _failed_by_own_side(updates: Sequence[SiteUpdate], context: PlanningContext) -> Collection[str]:
    """The hosts that failed together with nearly all others, by the monitor's network or name lookup; else none.

    A channel may report only some of them. It compares their first failed checks, because alerts may come at different
    times: some sites are checked rarely, or hang until their time-out.
    """
    if not any(_is_by_network(update.last.alert) for update in updates):
        return ()
    is_over = updates[0].event is Event.RECOVERY
    newest = {host: alert for host, alert in context.newest.items() if is_over or alert.type is AlertType.ALERT}
    newest |= {update.host: update.last.alert for update in updates}
    by_network = sorted(filter(_is_by_network, newest.values()), key=_began_ms)
    largest = max(_chains(by_network, _began_ms, OWN_SIDE_TOGETHER_MS), key=len, default=[])
    share, of = OWN_SIDE_SHARE
    is_enough = len(largest) >= OWN_SIDE_SITES and of * len(largest) >= share * context.watched
    return {alert.host for alert in largest} if is_enough else ()


def _is_by_network(alert: Alert) -> bool:
    return alert.cause in OWN_SIDE_CAUSES and not alert.is_unwatched


def _began_ms(alert: Alert) -> int:
    return alert.start_ms


def _changed_ms(update: SiteUpdate) -> int:
    return update.last.time_ms


def _chains(changes: Iterable[Change], moment_ms: Callable[[Change], int], gap_ms: int) -> Iterable[list[Change]]:
    """The changes, which are in order of these moments, split at each gap longer than `gap_ms`."""
    chain: list[Change] = []
    for change in changes:
        if chain and moment_ms(change) - moment_ms(chain[-1]) > gap_ms:
            yield chain
            chain = []
        chain.append(change)
    if chain:
        yield chain
