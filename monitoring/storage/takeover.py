"""What a new local file takes over from a database that knows its sites.

So a monitor whose file was lost (a container without a volume, a new machine) goes on where the one before it ended: it
repeats no alert, forgets no recovery, and an outage that had begun is alerted as soon as it would have been.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

from monitoring.clock import Clock
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.models import Alert, CheckResult, LastState, Site, Window
from monitoring.storage.base import Backend
from monitoring.units import NS_PER_MS

DEADLINE_MS = 4_000
"""A monitor that starts waits no longer for a database, however that hangs."""

LOOK_MS = 1_000
"""Nor longer than this when its file has a past of its own."""

NS_PER_S = 1_000_000_000

CHECKS_AT_ONCE_MS = 60_000
"""So much of the alert window is asked for at once, the newest part first: when time is up, that is what counts most."""


@dataclass(frozen=True, slots=True)
class PastOfSites:
    """What a database knows of some sites, or a part of it.

    The newest alert record of each, where each stands, their latest checks. `last_ms` is the newest time stored of any
    site, also of others.
    """

    last_ms: int = 0
    alerts: Sequence[Alert] = ()
    last_states: Mapping[str, LastState] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()


def ask(database: Backend, sites: Sequence[Site], now_ms: int) -> Iterator[PastOfSites]:
    """The past of these sites part by part, the most important first; nothing of a database without one.

    Raises `StoreError`.
    """
    last_ms = database.last_time() if database.is_known() else None
    if last_ms is None:
        return
    hosts = {site.host for site in sites}
    yield PastOfSites(last_ms, [alert for host, alert in database.last_alerts().items() if host in hosts])
    starts_ms = max(now_ms, last_ms + 1)  # the clock of the monitor before may have run ahead
    states = database.last_states(starts_ms)
    yield PastOfSites(last_states={host: state for host, state in states.items() if host in hosts})
    from_ms = starts_ms - max(site.rule.window_ms for site in sites)
    for until_ms in range(starts_ms, from_ms, -CHECKS_AT_ONCE_MS):
        found = database.results(Window(max(from_ms, until_ms - CHECKS_AT_ONCE_MS), until_ms))
        yield PastOfSites(checks=[check for check in found if check.host in hosts])


def ask_since(database: Backend, sites: Sequence[Site], now_ms: int, after_ms: int) -> Iterator[PastOfSites]:
    """What these sites had after this moment: all alert records, where each stands, the checks of the alert window."""
    hosts = {site.host for site in sites}
    starts_ms = max(now_ms, (database.last_time() or 0) + 1)
    lost = Window(after_ms + 1, starts_ms)
    yield PastOfSites(starts_ms - 1, [alert for alert in database.alerts(lost) if alert.host in hosts])
    for past in ask(database, sites, now_ms):
        checks = [check for check in past.checks if check.time_ms > after_ms]
        yield PastOfSites(past.last_ms, (), past.last_states, checks)


class TooLate(StoreUnavailable):
    """Time was up."""


Queue = SimpleQueue[PastOfSites | StoreError | None]
"""Parts, and then an error or None."""


def within(patience_ms: int, clock: Clock, parts: Iterable[PastOfSites]) -> Iterator[PastOfSites]:
    """These parts as they come from a thread of their own, which is left behind when time is up.

    Raises `TooLate` then, and `StoreError` for what goes wrong in there.
    """
    queue: Queue = SimpleQueue()
    end_ns = clock.monotonic_ns() + patience_ms * NS_PER_MS
    Thread(target=_bring, args=(parts, queue), name="past", daemon=True).start()
    while True:
        try:
            part = queue.get(timeout=max(0, end_ns - clock.monotonic_ns()) / NS_PER_S)
        except Empty:
            raise TooLate(f"it took longer than {patience_ms / 1_000:g} s") from None
        if part is None:
            return
        if isinstance(part, StoreError):
            raise part
        yield part


def _bring(parts: Iterable[PastOfSites], queue: Queue) -> None:
    try:
        for part in parts:
            queue.put(part)
        queue.put(None)
    except StoreError as error:
        queue.put(error)
    except Exception as error:  # noqa: BLE001 - nothing that a database says may keep the monitor from starting
        queue.put(StoreUnavailable(f"{type(error).__name__}: {error}"))
