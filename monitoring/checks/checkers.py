"""The checkers of all sites, carried by one thread: started together, replaced when one dies, stopped together."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from monitoring.checks.checker import Checker
from monitoring.checks.schedule import NS_PER_MS
from monitoring.clock import Clock
from monitoring.models import CheckResult, ProbeResult, Rule, Site
from monitoring.steps import Check

if TYPE_CHECKING:
    from monitoring.engine import Engine

SPREAD_MS_PER_SITE = 10
MINIMUM_SPREAD_MS = 1_000

LAST_CHECKS_MS = 1_000
"""How long stopping waits for checks under way; one that hangs longer is abandoned."""

JOIN_S = 3.0


class Prober(Protocol):
    """What is asked of a probe: one check at a time of one site. Never raises; see `monitoring.checks.probe.Probe`."""

    def check(self) -> Check: ...

    def close(self) -> None: ...


Record = Callable[[CheckResult], None]


@dataclass(frozen=True, slots=True)
class Death:
    """A checker that could not go on, and why. `site` is None when all of them could not."""

    site: Site | None
    reason: BaseException


@dataclass(slots=True, eq=False)
class Member:
    """A checker at work and its probe. One that leaves ends its check first; then its successor, if any, begins."""

    checker: Checker
    probe: Prober
    under_way: bool = False
    leaving: bool = False
    successor: Site | None = None

    @property
    def host(self) -> str:
        return self.checker.site.host


@dataclass(frozen=True, slots=True)
class Change:
    """What a new set of sites means for the checkers."""

    added: tuple[Site, ...]
    removed: tuple[str, ...]
    changed: tuple[Site, ...]

    @classmethod
    def between(cls, before: Mapping[str, Site], after: Mapping[str, Site]) -> "Change":
        return cls(
            added=tuple(site for host, site in after.items() if host not in before),
            removed=tuple(host for host in before if host not in after),
            changed=tuple(s for host, s in after.items() if host in before and _as_checked(s) != _as_checked(before[host])),
        )


def _as_checked(site: Site) -> Site:
    """What matters to a checker: neither what the site is called nor when it is alerted."""
    return replace(site, name=None, rule=Rule())


class CheckerPool:
    """Checks all sites. Results go to `record`, those of a site in order, from the pool's thread."""

    def __init__(self, make_probe: Callable[[Site], Prober], record: Record, clock: Clock) -> None:
        self._make_probe = make_probe
        self._record = record
        self._clock = clock
        self._sites: dict[str, Site] = {}
        self._members: dict[str, Member] = {}
        self._deaths: deque[Death] = deque()
        self._missed = 0  # by checkers that are gone
        self._stop_ns: int | None = None
        self._engine = _new_engine(clock)
        self._thread = self._new_thread()

    def start(self, sites: Iterable[Site]) -> None:
        self._sites = {site.host: site for site in sites}
        self._add(self._sites.values(), max(MINIMUM_SPREAD_MS, SPREAD_MS_PER_SITE * len(self._sites)))
        self._thread.start()

    def change(self, sites: Iterable[Site]) -> Change:
        """Check these sites from now on. Those that stay as they are notice nothing."""
        before, self._sites = self._sites, {site.host: site for site in sites}
        change = Change.between(before, self._sites)
        self._engine.call_soon(lambda: self._let_go(change))
        self._add(change.added, max(MINIMUM_SPREAD_MS, SPREAD_MS_PER_SITE * len(change.added)))
        return change

    def replace_dead(self) -> list[str]:
        """Start a checker for each site whose own has died; returns a sentence for each."""
        told = []
        while self._deaths:
            death = self._deaths.popleft()
            if death.site is None:
                self._start_again()
                told.append(f"the checkers died ({death.reason!r}) and were replaced")
            elif site := self._sites.get(death.site.host):  # still wanted, perhaps with other settings
                self._add([site], MINIMUM_SPREAD_MS)
                told.append(f"the checker of {site.host} died ({death.reason!r}) and was replaced")
        return told

    def stop(self) -> None:
        """Stop all; checks under way may end within `LAST_CHECKS_MS`, hung ones are abandoned."""
        if self._thread.is_alive():
            self._engine.call_soon(self._begin_to_stop)
            self._thread.join(JOIN_S)

    def call_back(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the checkers' thread, at its next turn: never, if that thread stands still or has died."""
        self._engine.call_soon(heard)

    @property
    def missed(self) -> int:
        """How many due checks were never made because the process was kept from running."""
        return self._missed + sum(member.checker.missed for member in tuple(self._members.values()))

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="checkers", daemon=True)

    def _start_again(self) -> None:
        self._missed = self.missed
        self._members = {}
        self._engine = _new_engine(self._clock)
        self._thread = self._new_thread()
        self._add(self._sites.values(), MINIMUM_SPREAD_MS)
        self._thread.start()

    def _add(self, sites: Iterable[Site], spread_ms: int) -> None:
        """New checkers. Their slots are laid down here, their probes made in the thread that uses them."""
        for checker in [Checker(site, self._clock, spread_ms) for site in sites]:
            self._engine.call_soon(partial(self._join, checker))

    # From here on all happens in the pool's thread.

    def _run(self) -> None:
        engine = self._engine
        try:
            while self._stop_ns is None or (engine.under_way and self._clock.monotonic_ns() < self._stop_ns):
                engine.turn()
        except BaseException as error:  # noqa: BLE001 - told by `replace_dead`, which starts all of them again
            self._deaths.append(Death(None, error))
        finally:
            engine.close()
            for member in self._members.values():
                member.probe.close()

    def _begin_to_stop(self) -> None:
        self._stop_ns = self._clock.monotonic_ns() + LAST_CHECKS_MS * NS_PER_MS
        self._engine.call_at(self._stop_ns, _nothing)

    def _join(self, checker: Checker) -> None:
        if leaving := self._members.get(checker.site.host):
            leaving.successor = checker.site
            return
        try:
            member = Member(checker, self._make_probe(checker.site))
        except Exception as error:  # noqa: BLE001 - of one site: all others go on
            self._deaths.append(Death(checker.site, error))
        else:
            self._members[member.host] = member
            self._wait(member)

    def _wait(self, member: Member) -> None:
        self._engine.call_at(member.checker.due_ns, lambda: self._begin(member))

    def _begin(self, member: Member) -> None:
        if self._stop_ns is not None or self._members.get(member.host) is not member:
            return
        if member.checker.begin():
            member.under_way = True
            check = member.probe.check()
            self._engine.begin(check, lambda seen: self._finish(member, seen), lambda error: self._bury(member, error))
        else:
            self._wait(member)

    def _finish(self, member: Member, seen: ProbeResult) -> None:
        member.under_way = False
        try:
            self._record(member.checker.finish(seen))
        except Exception as error:  # noqa: BLE001 - of one site: all others go on
            self._bury(member, error)
            return
        if member.leaving:
            self._relieve(member)
        else:
            self._wait(member)

    def _let_go(self, change: Change) -> None:
        for host, successor in (*((host, None) for host in change.removed), *((site.host, site) for site in change.changed)):
            if member := self._members.get(host):  # else it died, and is replaced by what is wanted now
                member.leaving, member.successor = True, successor
                if not member.under_way:
                    self._relieve(member)

    def _relieve(self, member: Member) -> None:
        self._remove(member)
        if member.successor:
            self._join(Checker(member.successor, self._clock, MINIMUM_SPREAD_MS, member.checker))

    def _bury(self, member: Member, error: Exception) -> None:
        """Told by `replace_dead`, which starts another checker."""
        self._remove(member)
        self._deaths.append(Death(member.checker.site, error))

    def _remove(self, member: Member) -> None:
        del self._members[member.host]
        self._missed += member.checker.missed
        member.probe.close()


def _new_engine(clock: Clock) -> "Engine":
    from monitoring.engine import Engine  # late: libcurl's binding is not needed for `--help`, and may be missing there

    return Engine(clock)


def _nothing() -> None:
    """Wakes the loop."""
