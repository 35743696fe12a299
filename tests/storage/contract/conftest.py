"""The stores that keep the contract of `monitoring.storage.base`, each of them new for a test.

A new database joins with one line in `BACKENDS`, a reader of a local file with one in `LOCAL`.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from monitoring.gateway.databases import Databases
from monitoring.models import Alert, CheckResult
from monitoring.statistics.summary import Span
from monitoring.storage.base import Backend, Points
from monitoring.storage.sqlite.database import SharedFile
from monitoring.storage.sqlite.store import LocalStore
from tests.support.contract import (
    NOW_MS,
    FreshDatabase,
    FreshStore,
    LocalFile,
    OpenBackend,
    Opened,
    alert,
    check,
)
from tests.support.gateway import client_of, serving
from tests.support.influx_databases import new_database, store_at
from tests.support.memory_backend import MemoryDatabase
from tests.support.results import ODD_HOSTS
from tests.support.summaries import summaries_of

# Backends


@contextmanager
def memory(_: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    yield MemoryDatabase().open


@contextmanager
def influxdb(request: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    with new_database(request.getfixturevalue("influxd")) as address:
        yield partial(store_at, address)


@contextmanager
def shared_file(_: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    with tempfile.TemporaryDirectory() as directory, closing(SharedFile(Path(directory) / "gateway.db")) as shared:
        yield shared.open


@contextmanager
def behind_gateway(
    new: Callable[[pytest.FixtureRequest], AbstractContextManager[OpenBackend]], request: pytest.FixtureRequest
) -> Iterator[OpenBackend]:
    """The same database, asked through a gateway."""
    with new(request) as open_backend, serving(Databases(open_backend, 10)) as port:
        yield partial(client_of, port)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[OpenBackend]]] = {
    "memory": memory,
    "influxdb": influxdb,
    "file": shared_file,
    "gateway of a file": partial(behind_gateway, shared_file),
    "gateway of an InfluxDB": partial(behind_gateway, influxdb),
}
"""Each makes a new database, which is gone afterwards. (`request.getfixturevalue("influxd")` is a real InfluxDB.)"""


@dataclass
class Written:
    """A backend to which a monitor sends its checks, and the summaries of these spans."""

    reader: Backend
    spans: Sequence[Span] = ()
    sent: tuple[CheckResult, ...] = ()

    def write(self, checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None:
        self.reader.write(Points(checks=checks, alerts=alerts))
        self.sent = tuple({(check.time_ms, check.host): check for check in [*self.sent, *checks]}.values())
        if self.spans and checks:
            self.reader.write(Points(summaries=summaries_of(self.sent, self.spans)))


@contextmanager
def backend_with(
    new_database: Callable[[pytest.FixtureRequest], AbstractContextManager[OpenBackend]],
    spans: Sequence[Span],
    location: str,
    request: pytest.FixtureRequest,
) -> Iterator[Opened]:
    """A backend with these summaries, and others' points in the same database where it has a location."""
    with new_database(request) as open_backend:
        if location:
            with closing(open_backend("tokyo")) as neighbour, closing(open_backend("")) as nowhere:
                for other in (neighbour, nowhere):
                    stranger = [check(host, at) for host in ("a", ODD_HOSTS[0]) for at in (0, 7)]
                    other.write(Points(stranger, [alert("a", 3)], summaries_of(stranger)))
        with closing(open_backend(location)) as backend:
            backend.verify("contract")
            yield Written(backend, spans)


# Local files


@contextmanager
def sqlite_rows(_: pytest.FixtureRequest) -> Iterator[LocalFile]:
    """Nothing is summarised yet."""
    with tempfile.TemporaryDirectory() as directory, closing(LocalStore(Path(directory) / "monitor.db")) as store:
        yield LocalFile(store, lambda checks, alerts=(): store.append(checks, alerts, NOW_MS))


@contextmanager
def sqlite_summarised(_: pytest.FixtureRequest) -> Iterator[LocalFile]:
    """Whatever is written is summarised at once, and what follows comes late."""
    with tempfile.TemporaryDirectory() as directory, closing(LocalStore(Path(directory) / "monitor.db")) as store:

        def write(checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None:
            store.append(checks, alerts, NOW_MS)
            while store.maintain(NOW_MS):
                pass

        yield LocalFile(store, write)


LOCAL: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[LocalFile]]] = {
    "sqlite, rows": sqlite_rows,
    "sqlite, summarised": sqlite_summarised,
}

STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Opened]]] = {
    **LOCAL,
    **{f"{name}, points alone": partial(backend_with, new, (), "") for name, new in BACKENDS.items()},
    **{f"{name}, with minutes": partial(backend_with, new, (Span.MINUTE,), "") for name, new in BACKENDS.items()},
    **{f"{name}, with all summaries": partial(backend_with, new, tuple(Span), "") for name, new in BACKENDS.items()},
    **{
        f"{name}, among others": partial(backend_with, new, tuple(Span), "paris, 1er 'étage'")
        for name, new in BACKENDS.items()
    },
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES), scope="module")
def fresh_store(request: pytest.FixtureRequest) -> FreshStore:
    return partial(request.param, request)


@pytest.fixture(params=list(LOCAL.values()), ids=list(LOCAL), scope="module")
def fresh_file(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[LocalFile]]:
    return partial(request.param, request)


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS), scope="module")
def fresh_database(request: pytest.FixtureRequest) -> FreshDatabase:
    return partial(request.param, request)


DELETING = {name: new for name, new in BACKENDS.items() if "gateway" not in name}
"""Nobody deletes through a gateway: what is kept is for whoever runs it to say."""


@pytest.fixture(params=list(DELETING.values()), ids=list(DELETING), scope="module")
def deleting_database(request: pytest.FixtureRequest) -> FreshDatabase:
    return partial(request.param, request)


@pytest.fixture
def store(fresh_store: FreshStore) -> Iterator[Opened]:
    with fresh_store() as opened:
        yield opened


@pytest.fixture
def backend(fresh_database: FreshDatabase) -> Iterator[Backend]:
    with fresh_database() as open_backend, closing(open_backend("")) as opened:
        opened.verify("contract")
        yield opened
