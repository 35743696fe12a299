"""The stores that keep the contract of `monitoring.storage.base`, each of them empty for a test.

A new database joins with one line in `DATABASES`, a reader of a local file with one in `LOCAL`.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
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
from tests.support.gateway import MOST, client_of, serving
from tests.support.influx_databases import new_database, store_at
from tests.support.memory_backend import MemoryDatabase
from tests.support.results import ODD_HOSTS
from tests.support.summaries import summaries_of

# Backends: each is made once for all tests of a cell, and empty for every test and every example.


@contextmanager
def memory(_: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    yield lambda: nullcontext(MemoryDatabase().open)


@contextmanager
def influxdb(request: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    """One database, emptied after each use: to make and to drop one costs four times as much."""
    server = request.getfixturevalue("influxd")

    @contextmanager
    def emptied_afterwards() -> Iterator[OpenBackend]:
        try:
            yield partial(store_at, address)
        finally:
            server.query("DROP SERIES FROM /.*/", database=address.database)

    with new_database(server) as address:
        yield emptied_afterwards


@contextmanager
def shared_file(_: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    @contextmanager
    def new() -> Iterator[OpenBackend]:
        with (
            tempfile.TemporaryDirectory() as directory,
            closing(SharedFile(Path(directory) / "gateway.db")) as shared,
        ):
            yield shared.open

    yield new


NewBackend = Callable[[pytest.FixtureRequest], AbstractContextManager[FreshDatabase]]


@contextmanager
def behind_gateway(new: NewBackend, request: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    """The same database, asked through a gateway.

    Its server is one for all: it takes 20 ms to start, because Flask compiles every route. Its stores are new each time,
    as they remember what they have read.
    """
    behind: list[OpenBackend] = []

    def open_now(location: str) -> Backend:
        return behind[-1](location)

    databases = Databases(open_now, 10)
    patient = replace(MOST, requests_per_s=10**6)  # all examples come from one address
    with new(request) as fresh, serving(databases, limits=patient) as port:

        @contextmanager
        def through() -> Iterator[OpenBackend]:
            with fresh() as open_backend:
                behind[:] = [open_backend]
                try:
                    yield partial(client_of, port)
                finally:
                    databases.close()

        yield through


DATABASES: dict[str, NewBackend] = {"memory": memory, "influxdb": influxdb, "file": shared_file}

GATEWAYS: dict[str, NewBackend] = {
    "gateway of a file": partial(behind_gateway, shared_file),
    "gateway of an InfluxDB": partial(behind_gateway, influxdb),
}

BACKENDS = {**DATABASES, **GATEWAYS}
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
def backend_with(fresh: FreshDatabase, spans: Sequence[Span], location: str) -> Iterator[Opened]:
    """A backend with these summaries, and others' points in the same database where it has a location."""
    with fresh() as open_backend:
        if location:
            with closing(open_backend("tokyo")) as neighbour, closing(open_backend("")) as nowhere:
                neighbour.verify("contract")
                for other in (neighbour, nowhere):
                    stranger = [check(host, at) for host in ("a", ODD_HOSTS[0]) for at in (0, 7)]
                    other.write(Points(stranger, [alert("a", 3)], summaries_of(stranger)))
        with closing(open_backend(location)) as backend:
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

FILLINGS: dict[str, tuple[Sequence[Span], str]] = {
    "points alone": ((), ""),
    "with minutes": ((Span.MINUTE,), ""),
    "with all summaries": (tuple(Span), ""),
    "among others": (tuple(Span), "paris, 1er 'étage'"),
}
"""The summaries that a backend is given beside the checks, and its location."""

STORES: list[tuple[str, str]] = [
    *((name, "") for name in LOCAL),
    *((name, filling) for filling in FILLINGS for name in DATABASES),
    ("gateway of a file", "points alone"),
    *((name, "among others") for name in GATEWAYS),
]
"""What is opened, and how it is filled.

A gateway hands points and questions on. What it does depends on the kinds of points in a message and on whether it has a
location, not on which summaries its database finds to add up: that code is the same as without it. So two fillings show
both of its forms, everything with a location and checks without one; and what differs by the database behind it (stores
kept open, requests of several threads, which connection answers) needs one.
"""


@pytest.fixture(params=STORES, ids=[", ".join(filter(None, named)) for named in STORES], scope="module")
def fresh_store(request: pytest.FixtureRequest) -> Iterator[FreshStore]:
    name, filling = request.param
    if name in LOCAL:
        yield partial(LOCAL[name], request)
        return
    with BACKENDS[name](request) as fresh:
        yield partial(backend_with, fresh, *FILLINGS[filling])


@pytest.fixture(params=list(LOCAL.values()), ids=list(LOCAL), scope="module")
def fresh_file(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[LocalFile]]:
    return partial(request.param, request)


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS), scope="module")
def fresh_database(request: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    with request.param(request) as fresh:
        yield fresh


@pytest.fixture(params=list(DATABASES.values()), ids=list(DATABASES), scope="module")
def deleting_database(request: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    """Nobody deletes through a gateway: what is kept is for whoever runs it to say."""
    with request.param(request) as fresh:
        yield fresh


@pytest.fixture
def store(fresh_store: FreshStore) -> Iterator[Opened]:
    with fresh_store() as opened:
        yield opened


@pytest.fixture
def backend(fresh_database: FreshDatabase) -> Iterator[Backend]:
    with fresh_database() as open_backend, closing(open_backend("")) as opened:
        opened.verify("contract")
        yield opened
