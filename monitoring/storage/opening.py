"""From a configuration to open stores."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from monitoring.clock import Clock, SystemClock
from monitoring.config import Config
from monitoring.errors import StoreError
from monitoring.storage import takeover
from monitoring.storage.backends import database_address, open_backend
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.sqlite.opening import Opening
from monitoring.storage.sqlite.store import LocalStore

READER_TIMEOUT_S = 2.0
"""How long a question of the running monitor may take before the local file is asked."""

WRITER_TIMEOUT_S = 10.0


def open_local(path: Path, say: Callable[[str], None], clock: Clock) -> LocalStore:
    """The local file, or what stands in for it. Raises as `Opening.open` does."""
    return Opening(path, say, clock.now_ms()).open()


def open_store(local: LocalStore, config: Config, clock: Clock) -> LocalFirstStore:
    """The store of a running monitor: the local file, and the database of the configuration when there is one."""
    address = database_address(config)
    kind = address.backend
    if kind is None:
        return LocalFirstStore(local, clock)
    backend, reader = (open_backend(address, patience, config.location) for patience in (WRITER_TIMEOUT_S, READER_TIMEOUT_S))
    return LocalFirstStore(local, clock, backend, reader, is_named=config.database is not None, is_ours=kind.is_ours)


def take_over_past(local: LocalStore, config: Config, clock: SystemClock, say: Callable[[str], None]) -> None:
    """Let the local file take over what the database knows better of its sites; then `clock` begins after all that.

    Of a new file that is everything, of one that was put back from a copy what came after the copy was made. Part by part,
    as far as the database answers in time; that it did not is said.
    """
    last_ms = own_ms = local.last_time()
    if database_address(config).backend and (own_ms is None or local.delivered().delivery):
        patience_ms = takeover.DEADLINE_MS if own_ms is None else takeover.LOOK_MS
        try:
            for past in takeover.within(patience_ms, clock, _past_of_sites(local, config, clock)):
                local.take_over(past.alerts, past.last_states, past.checks)
                last_ms = max(last_ms or 0, past.last_ms)
        except StoreError as error:
            # Nobody may ever have started a database at the default address.
            is_new_and_late = own_ms is None and (config.database is not None or isinstance(error, takeover.TooLate))
            if last_ms != own_ms or is_new_and_late:
                what = "nothing" if last_ms is None else "only a part"
                say(f"{what} of the past could be taken over from the database, so an alert may be repeated: {error}")
    clock.start_after(last_ms)


def _past_of_sites(local: LocalStore, config: Config, clock: Clock) -> Iterator[takeover.PastOfSites]:
    own_ms = local.last_time()
    with closing(open_backend(database_address(config), WRITER_TIMEOUT_S, config.location)) as database:
        if own_ms is None:
            yield from takeover.ask(database, config.sites, clock.now_ms())
            return
        known = database.verify(local.marker)
        if known and known.delivery > local.delivered().delivery:  # it has had more of this file than there is
            yield from takeover.ask_since(database, config.sites, clock.now_ms(), own_ms)
