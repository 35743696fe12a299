"""A monitor whose token may only write delivers through a gateway, and says why it reads its own file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.storage.base import DeliveryRecord
from monitoring.storage.delivery.forwarder import LOOK_MS, Forwarder
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.gateway.store import GatewayStore
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same, drain
from tests.support.gateway import TOKENS, WRITE_TOKEN, client_of, serving
from tests.support.memory_backend import MemoryBackend, MemoryDatabase
from tests.support.points import EVER, START_MS, alert, check, checks
from tests.support.waiting import eventually


@pytest.fixture
def database() -> MemoryBackend:
    return MemoryDatabase().open("")


@pytest.fixture
def gateway(database: MemoryBackend) -> Iterator[GatewayStore]:
    with serving(database, TOKENS) as port, closing(client_of(port, token=WRITE_TOKEN)) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LocalStore]:
    with closing(LocalStore(tmp_path / "config.db")) as store:
        yield store


def test_alerts_are_delivered_and_delivery_goes_on(file: LocalStore, gateway: GatewayStore, database: MemoryBackend) -> None:
    """It may not ask which alerts there are."""
    clock = FakeClock()
    forwarder = Forwarder(file, gateway, clock)
    for second in (1, 2, 3):
        file.append([check(second)], [alert(second)], clock.now_ms())
        drain(forwarder)
        assert forwarder.trouble is None
        clock.advance(LOOK_MS / 1_000)
    assert_same(file, database)


def test_a_file_put_back_from_a_copy_goes_on_after_what_it_had_delivered(file: LocalStore, gateway: GatewayStore) -> None:
    clock = FakeClock()
    marker = file.marker
    gateway.verify(marker)
    newest_ms = START_MS + 3_600_000
    gateway.record(marker, DeliveryRecord(9, newest_ms, newest_ms))
    forwarder = Forwarder(file, gateway, clock)
    drain(forwarder)
    assert forwarder.trouble is None
    assert file.marker != marker
    assert clock.now_ms() > newest_ms


def test_statistics_come_from_the_local_file_and_the_reason_is_said(file: LocalStore, gateway: GatewayStore) -> None:
    clock = FakeClock()
    store = LocalFirstStore(file, clock, gateway, gateway)
    store.start()
    for one in checks(range(10)):
        store.record(one)
    eventually(lambda: store.source().kind == "gateway")
    for _ in range(2):  # asked, and left alone
        found, source = store.stats(EVER, exact=False)
        assert found["a"].checks == 10
        for said in (source, store.source()):
            assert said.kind == "local"
            assert said.why.startswith(f"{gateway.name} denies access: this token is not for reading")
    assert store.finish(60)
