"""The checkers of all sites: starts them, changes them, replaces those that crash, and stops them."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitoring.checks import limits
from monitoring.checks.checker import Checker, Prober, Record
from monitoring.clock import Clock
from monitoring.models import Site
from monitoring.service import process
from monitoring.thresholds import Rule
from monitoring.units import NS_PER_MS

if TYPE_CHECKING:
    from monitoring.checks.network import Network

SPREAD_MS_PER_SITE = 10
MINIMUM_SPREAD_MS = 1_000

LAST_CHECKS_MS = 1_000
"""How long `stop` waits for checks in flight before it abandons them."""

ABANDONED_MS = 300
"""How long `stop` then waits for the threads of abandoned checks, which only free their resources."""

MakeProbe = Callable[[Site, "Network"], Prober]


@dataclass(frozen=True, slots=True)
class Change:
    """How a new set of sites differs from the one before."""

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
    """The settings that a checker uses: not the name of the site, nor its alert rule."""
    return replace(site, name=None, rule=Rule())


class Checkers:
    """Checks all sites, each in a thread of its own. Only `call_back` may be called from any thread."""

    def __init__(self, make_probe: MakeProbe, record: Record, clock: Clock, news: Callable[[], list[str]] = list) -> None:
        """Each checker's thread calls `record` with its results, in order.

        `news` returns sentences that `replace_dead` reports with its own.
        """
        self._news = news
        self._record = record
        self._clock = clock
        self._network = _new_network(clock)
        self._make_probe = lambda site: make_probe(site, self._network)
        self._sites: dict[str, Site] = {}
        self._checkers: dict[str, Checker] = {}  # including those that are to leave, until they end
        self._ended: deque[Checker] = deque()
        self._missed = 0  # by checkers that have ended
        self._refusal: str | None = None  # why some sites have no checker
        self._refusal_is_told = False
        self._lack_is_told = False

    def start(self, sites: Iterable[Site]) -> None:
        self._sites = {site.host: site for site in sites}
        process.allow_files(len(self._sites))
        self._start_missing()

    def change(self, sites: Iterable[Site]) -> Change:
        """Check these sites from now on. Sites whose settings stay the same are not interrupted."""
        self._remove_ended()
        before, self._sites = self._sites, {site.host: site for site in sites}
        change = Change.between(before, self._sites)
        for host in change.removed:
            if checker := self._checkers.get(host):
                checker.leave()
        for site in (*change.added, *change.changed):
            if checker := self._checkers.get(site.host):  # also one that was about to leave and is still there
                checker.change(site)
        process.allow_files(len(self._sites))
        self._start_missing()
        return change

    def replace_dead(self) -> list[str]:
        """Restart what crashed or could not be started. Returns one sentence for each thing to report."""
        told = self._news()
        if crash := self._network.crash:
            told.append(f"the network thread crashed ({crash!r}) and was replaced")
        for checker in self._remove_ended():
            if checker.crash and checker.site.host in self._sites:
                told.append(f"the checker of {checker.site.host} crashed ({checker.crash!r}) and was replaced")
        self._start_missing()
        if self._refusal and not self._refusal_is_told:
            told.append(f"{self._refusal}; it is tried again every second")
        elif self._refusal_is_told and not self._refusal:
            told.append("every site has its checker now")
        self._refusal_is_told = self._refusal is not None
        if self._network.lacked_sockets and not self._lack_is_told:
            self._lack_is_told = True
            allowed = process.allowed_files()
            told.append(f"RLIMIT_NOFILE (ulimit -n) allows {allowed} open files: a check that finds none left is not made")
        return told

    def stop(self) -> None:
        """Stop all checkers. Checks in flight may end within `LAST_CHECKS_MS`; the others are abandoned."""
        for checker in self._checkers.values():
            checker.leave()
        self._wait_for_ends(LAST_CHECKS_MS)
        for checker in self._checkers.values():
            checker.abandon()
        self._network.stop()
        self._wait_for_ends(ABANDONED_MS)

    def call_back(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the network thread, unless that thread is stuck or has crashed."""
        self._network.call_soon(heard)

    @property
    def missed(self) -> int:
        """How many due checks were never made, for example because the process was suspended."""
        return self._missed + sum(checker.missed for checker in self._checkers.values())

    def _start_missing(self) -> None:
        """Start the network thread, and a checker for each site that has none, as long as the system allows threads."""
        missing = [site for host, site in self._sites.items() if host not in self._checkers]
        spread_ms = max(MINIMUM_SPREAD_MS, SPREAD_MS_PER_SITE * len(missing))
        refused: OSError | RuntimeError = RuntimeError()
        try:
            if not self._network.runs:
                self._network.start()
            for site in missing[: self._room() if missing else 0]:
                checker = self._new_checker(site, spread_ms)
                process.start_small(checker)
                self._checkers[site.host] = checker
        except (RuntimeError, OSError) as error:  # no thread, or no file descriptor to wake it
            refused = error
        unchecked = sum(site.host not in self._checkers for site in missing) if self._network.runs else len(self._sites)
        self._refusal = None
        if unchecked:
            reason = limits.why_refused(refused)
            self._refusal = f"{unchecked} of {len(self._sites)} sites are not checked: {reason}"

    def _new_checker(self, site: Site, spread_ms: int) -> Checker:
        return Checker(
            site, self._make_probe, self._record, self._clock, spread_ms, self._ended.append, self._network.alarm()
        )

    def _room(self) -> int:
        """How many more checkers may be started. Some threads are left for the other work of this process."""
        if (limit := limits.tightest_thread_limit()) is None:
            return len(self._sites)
        most = limit.room + len(self._checkers)
        return max(0, max(most - limits.SPARE_THREADS, most // 2) - len(self._checkers))

    def _remove_ended(self) -> list[Checker]:
        """Remove the checkers that have ended, and return them."""
        ended = []
        while self._ended:
            checker = self._ended.popleft()
            del self._checkers[checker.site.host]
            self._missed += checker.missed
            ended.append(checker)
        return ended

    def _wait_for_ends(self, milliseconds: int) -> None:
        end_ns = self._clock.monotonic_ns() + milliseconds * NS_PER_MS
        for checker in self._checkers.values():
            checker.join(max(0.0, (end_ns - self._clock.monotonic_ns()) / 1e9))


MakeCheckers = Callable[[Record], Checkers]
"""Makes the checkers, given the function that records each result."""


def _new_network(clock: Clock) -> "Network":
    from monitoring.checks.network import Network  # late: `--help` works without libcurl

    return Network(clock)
