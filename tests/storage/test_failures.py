"""What a question leaves behind that a database did not answer: nothing. It may be away for days."""

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress

import pytest

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreError
from monitoring.models import CheckResult, Window
from monitoring.storage.base import Backend, Points
from monitoring.storage.gateway.store import GatewayStore
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.impostor import Reply, impostor
from tests.support.influxd import free_port
from tests.support.results import START_MS

HOST = "127.0.0.1"
Kind = type[InfluxStore] | type[GatewayStore]
CHECK = CheckResult("https://example.org", START_MS, 2_000, 7, 200, 1_500)
QUESTIONS: dict[str, Callable[[Backend], object]] = {
    "write": lambda store: store.write(Points([CHECK])),
    "stats": lambda store: store.stats(Window.before(START_MS, 60_000), exact=True),
    "verify": lambda store: store.verify("file"),
}


class Held:
    """Stands for what the caller was about to deliver."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The garbage collector does not look meanwhile."""
    gc.disable()
    yield
    gc.enable()


@contextmanager
def absent() -> Iterator[int]:
    yield free_port()


@contextmanager
def hung() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as silent:
        yield silent.getsockname()[1]


def open_store(kind: Kind, port: int) -> InfluxStore | GatewayStore:
    return kind(DatabaseAddress(kind.kind, "masked", host=HOST, port=port, database="m"), read_timeout=0.05)


def fail(question: Callable[[Backend], object], store: Backend) -> weakref.ref[Held]:
    held = Held()
    with suppress(StoreError):
        question(store)
        pytest.fail("this database should not answer")
    return weakref.ref(held)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("kind", [InfluxStore, GatewayStore])
@pytest.mark.parametrize("trouble", [
    pytest.param(absent, id="absent"),
    pytest.param(hung, id="hung"),
    pytest.param(lambda: impostor(Reply(500)), id="in trouble"),
    pytest.param(lambda: impostor(Reply(400)), id="unwilling"),
    pytest.param(lambda: impostor(Reply(401)), id="guarded"),
    pytest.param(lambda: impostor(Reply(200, b"<html>")), id="something else"),
])  # fmt: skip
@pytest.mark.usefixtures("no_collector")
def test_a_question_that_fails_keeps_nothing_of_its_caller(
    trouble: Callable[[], AbstractContextManager[int]], kind: Kind, question: Callable[[Backend], object]
) -> None:
    with trouble() as port, closing(open_store(kind, port)) as store:
        assert fail(question, store)() is None
