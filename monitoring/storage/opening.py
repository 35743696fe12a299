"""Opens the stores of a configuration, and lets an empty local file take over the past of its sites from the database.

So a monitor that lost its file (a container without a volume, a new machine) goes on where the former one ended: it repeats
no alert, forgets no recovery, and alerts an outage that has begun as early as the former one would have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from monitoring.clock import Clock, Deadline, SystemClock
from monitoring.config import Config
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.models import Alert, CheckResult, LastState, Site, Window
from monitoring.storage.backends import database_address, open_backend
from monitoring.storage.base import Backend
from monitoring.storage.delivery.asking import Asker, TooLate
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.sqlite.store import LocalStore

READER_TIMEOUT_S = 2.0
"""How long the database may take for a question of the running monitor; then the local file is asked."""

WRITER_TIMEOUT_S = 10.0

NEW_FILE_MS = 4_000
OLD_FILE_MS = 1_000
"""How long a start waits for the database: with an empty file, and with one that has a past of its own."""

CHECKS_AT_ONCE_MS = 60_000
"""How much of the alert window one question asks for. The newest part, which counts most, comes first."""


def open_store(local: LocalStore, config: Config, clock: Clock) -> LocalFirstStore:
    """The store of a running monitor: the local file, and the database of the configuration when there is one."""
    address = database_address(config)
    kind = address.backend
    if kind is None:
        return LocalFirstStore(local, clock)
    backend, reader = (open_backend(address, patience, config.location) for patience in (WRITER_TIMEOUT_S, READER_TIMEOUT_S))
    return LocalFirstStore(local, clock, backend, reader, is_named=config.database is not None, is_ours=kind.is_ours)


@dataclass(frozen=True, slots=True)
class PastOfSites:
    """A part of what a database knows of some sites: newest alert records, states, latest checks.

    `last_ms` is the newest time stored, also of other sites.
    """

    last_ms: int = 0
    alerts: Sequence[Alert] = ()
    last_states: Mapping[str, LastState] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()


def ask(database: Backend, sites: Sequence[Site], now_ms: int, after_ms: int | None = None) -> Iterator[PastOfSites]:
    """The past of these sites in parts, the most important first. An empty database has none.

    After `after_ms` that is everything, with all alert records; from the beginning (None) only the newest alert records.
    Raises `StoreError`.
    """
    last_ms = database.last_time() if database.is_known() else None
    if last_ms is None:
        return
    hosts = {site.host for site in sites}
    starts_ms = max(now_ms, last_ms + 1)  # the former monitor's clock may have been ahead
    if after_ms is None:
        alerts: Iterable[Alert] = database.last_alerts().values()
    else:
        alerts = database.alerts(Window(after_ms + 1, starts_ms))
    yield PastOfSites(last_ms, [alert for alert in alerts if alert.host in hosts])
    states = database.last_states(starts_ms)
    yield PastOfSites(last_states={host: state for host, state in states.items() if host in hosts})
    from_ms = max(starts_ms - max(site.rule.window_ms for site in sites), (after_ms or -1) + 1)
    for until_ms in range(starts_ms, from_ms, -CHECKS_AT_ONCE_MS):
        found = database.results(Window(max(from_ms, until_ms - CHECKS_AT_ONCE_MS), until_ms))
        yield PastOfSites(checks=[check for check in found if check.host in hosts])


def within(patience_ms: int, clock: Clock, parts: Iterator[PastOfSites]) -> Iterator[PastOfSites]:
    """These parts as they come, in a thread of their own that is left behind when time is up.

    Raises `TooLate` then, and `StoreError` for whatever else goes wrong.
    """
    asker, deadline = Asker("past"), Deadline.after(clock, patience_ms)
    try:
        while part := asker.ask(partial(next, parts, None), deadline.left_s()):
            yield part
    except TooLate:
        raise TooLate(f"it took longer than {patience_ms / 1_000:g} s") from None
    except StoreError:
        raise
    except Exception as error:  # nothing that a database says may keep the monitor from starting
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
    finally:
        asker.end()


def take_over_past(local: LocalStore, config: Config, clock: SystemClock, say: Callable[[str], None]) -> None:
    """Let the local file take over what the database knows and it does not; `clock` begins after all that.

    An empty file takes over the past of its sites, one that was put back from a copy what came after the copy. It does so
    part by part, as far as the database answers in time. `say` is told what was taken over, and what was not.
    """
    last_ms = own_ms = local.last_time()
    has_taken = False
    if database_address(config).backend and (own_ms is None or local.delivered().delivery):
        patience_ms = NEW_FILE_MS if own_ms is None else OLD_FILE_MS
        try:
            for past in within(patience_ms, clock, _past_of_sites(local, config, clock)):
                local.take_over(past.alerts, past.last_states, past.checks)
                last_ms = max(last_ms or 0, past.last_ms)
                has_taken |= bool(past.alerts or past.last_states or past.checks)
        except StoreError as error:
            # There may never have been a database at the default address.
            is_new_and_late = own_ms is None and (config.database is not None or isinstance(error, TooLate))
            if last_ms != own_ms or is_new_and_late:
                what = "nothing" if last_ms is None else "only a part"
                say(f"{what} of the past could be taken over from the database, so an alert may be repeated: {error}")
        if has_taken:
            new = f"{local.path} was empty: the past of its sites was taken over from the database"
            put_back = f"{local.path} is a copy: what came after it was taken over from the database"
            say(new if own_ms is None else put_back)
    clock.start_after(last_ms)


def _past_of_sites(local: LocalStore, config: Config, clock: Clock) -> Iterator[PastOfSites]:
    own_ms = local.last_time()
    with closing(open_backend(database_address(config), WRITER_TIMEOUT_S, config.location)) as database:
        if own_ms is not None:
            known = database.verify(local.marker)
            if known is None or known.delivery <= local.delivered().delivery:
                return  # the file has everything that it ever delivered
        yield from ask(database, config.sites, clock.now_ms(), own_ms)
