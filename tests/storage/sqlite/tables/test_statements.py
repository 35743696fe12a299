"""Each connection keeps up to 128 prepared statements, of some kilobytes each: so their texts name no values."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import outbox, queries, rows
from monitoring.storage.sqlite.tables.outbox import OutboxEntry
from monitoring.storage.sqlite.tables.schema import first_key
from tests.support.points import START_MS, alert, checks

Ask = Callable[[sqlite3.Connection, int], object]
"""Asks a question that differs with the number."""


def of(number: int) -> Window:
    return Window(START_MS + number * 1_000, START_MS + number * 1_000 + 60_000)


def entry(kind: str, number: int) -> OutboxEntry:
    return OutboxEntry(number, kind, first_key(START_MS + number), first_key(START_MS + number + 9_000), number, 1)


def deliver(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM outbox")
    for kind in outbox.KINDS:
        one = entry(kind, number)
        outbox.add(connection, kind, one.first, one.last, 1, START_MS, one.site)
    outbox.next_delivery(connection, 100)


QUESTIONS: dict[str, Ask] = {
    "a delivery": deliver,
    **{
        f"how many {kind} wait": lambda connection, number, kind=kind: outbox.points_of(connection, entry(kind, number))
        for kind in outbox.KINDS
    },
    "checks of a site": lambda connection, number: rows.some(connection, number, first_key(START_MS), [number], 9),
    **{
        f"counts of {kind}": lambda connection, number, kind=kind: queries.counts(connection, of(number), {}, kind, None)
        for kind in ("checks", "alerts", "minutes")
    },
    "counts by minute": lambda connection, number: queries.counts(connection, of(number), {}, "checks", Span.MINUTE),
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(LocalStore(tmp_path / "monitor.db")) as store:
        store.append(checks([1, 2]), [alert(3)], START_MS)
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as connection:
        yield connection


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_prepared_once_whatever_is_asked(connection: sqlite3.Connection, question: str) -> None:
    prepared: list[object] = []
    ask = QUESTIONS[question]
    connection.set_authorizer(lambda *action: prepared.append(action) or sqlite3.SQLITE_OK)
    ask(connection, 1)
    prepared.clear()
    ask(connection, 2)
    assert prepared == []
