"""What a test of delivery does again and again."""

from monitoring.statistics.summary import Span
from monitoring.storage.base import Backend
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.sqlite.file.connection import opened_briefly, transaction
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import purge
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.points import EVER


def drain(forwarder: Forwarder) -> None:
    """Deliver until nothing waits."""
    for _ in range(10_000):
        if not forwarder.step():
            return
    raise AssertionError("delivery never ends")


def ask_purge(store: LocalStore, request: Request) -> None:
    """Request a purge, which `maintain` carries out, as `--purge` does."""
    with opened_briefly(store.path) as connection, transaction(connection):
        purge.ask(connection, request)


def maintain(file: LocalStore, now_ms: int) -> None:
    while file.maintain(now_ms):
        pass


def assert_same(file: LocalStore, database: Backend) -> None:
    """The database holds exactly what the file does, once each, and nothing waits."""
    assert list(database.results(EVER)) == list(file.results(EVER))
    assert list(database.alerts(EVER)) == list(file.alerts(EVER))
    pending = file.pending()
    assert (pending.points, pending.summaries) == (0, 0)


def assert_same_summaries(file: LocalStore, database: Backend) -> None:
    """The summaries of every length tell there of as many checks as here."""
    for span in Span:
        assert database.counts(EVER, span.kind) == file.counts(EVER, span.kind)
