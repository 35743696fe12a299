"""The notification mode shows every record once, whoever wrote it and however late it came."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from alertWatcher import AlertWatcher, run
from monitoring.commands.cli import parse_arguments
from monitoring.commands.invocation import Invocation
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.models import Site
from monitoring.storage.routing import Readers
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoringApp import MonitoringApp
from tests.support.clock import FakeClock
from tests.support.points import START_MS, alert, check, recovery
from tests.support.shown import ShownHistory


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "config.db")
    yield store
    store.close()


@pytest.fixture
def shown() -> ShownHistory:
    return ShownHistory()


@pytest.fixture
def watcher(store: LocalStore, shown: ShownHistory) -> AlertWatcher:
    return AlertWatcher(lambda: {"": FileReader(store.path)}, shown, FakeClock())


def test_every_record_is_shown_once_in_order(store: LocalStore, watcher: AlertWatcher, shown: ShownHistory) -> None:
    assert watcher.step() == []
    store.append([], [recovery(60), alert(1), alert(1, "b")], 0)
    assert watcher.step() == [alert(1), alert(1, "b"), recovery(60)]
    assert watcher.step() == []
    store.append([], [alert(100)], 0)
    assert watcher.step() == [alert(100)]
    assert shown.records == [alert(1), alert(1, "b"), recovery(60), alert(100)]


def test_what_was_decided_before_is_left_out_but_for_outages_that_go_on(store: LocalStore, shown: ShownHistory) -> None:
    store.append([], [alert(1, "a"), recovery(60, "a"), alert(70, "b"), alert(200, "a")], 0)
    since_ms = alert(100, "a").time_ms
    AlertWatcher(lambda: {"": FileReader(store.path)}, shown, FakeClock(), since_ms=since_ms).step()
    assert shown.records == [alert(70, "b"), alert(200, "a")]


def test_an_outage_whose_site_nobody_measures_any_more_is_not_said_to_go_on(store: LocalStore, shown: ShownHistory) -> None:
    """By its checks, or where these are gone by its alert."""
    clock = FakeClock()
    sites = {"a": Site("a", "a", interval_ms=2_000), "b": Site("b", "b", interval_ms=3_600_000)}
    watcher = AlertWatcher(lambda: {"": FileReader(store.path)}, shown, clock, site_of=sites.get)
    hosts = ("a", "b", "left the configuration")
    last = [check(28, host) for host in hosts]
    store.append(last, [*(alert(28, host) for host in hosts), alert(28, "purged")], 0)
    for after_s, unmeasured in ((30, []), (120, ["a", "left the configuration"])):
        clock.advance(after_s)
        watcher.step()
        watcher.refresh()
        measured_until_ms = {it.host: until_ms for it, until_ms in shown.ongoing.items()}
        assert measured_until_ms.pop("purged") == START_MS + 28_000
        assert [host for host, until_ms in measured_until_ms.items() if until_ms is not None] == unmeasured
    assert measured_until_ms["a"] == START_MS + 30_000


def test_an_old_record_that_was_delivered_late_is_shown_too(store: LocalStore, watcher: AlertWatcher) -> None:
    """A monitor elsewhere had no network for a while."""
    store.append([], [alert(100, "here")], 0)
    assert watcher.step() == [alert(100, "here")]
    store.append([], [alert(1, "there"), recovery(50, "there")], 0)
    assert watcher.step() == [alert(1, "there"), recovery(50, "there")]


def test_the_open_outages_are_those_that_no_recovery_followed(store: LocalStore, watcher: AlertWatcher) -> None:
    store.append([], [alert(50, "late"), alert(1, "a"), recovery(60, "a"), alert(2, "b"), recovery(40, "c")], 0)
    watcher.step()
    assert watcher.ongoing() == [alert(2, "b"), alert(50, "late")]
    store.append([], [recovery(70, "b")], 0)
    watcher.step()
    assert watcher.ongoing() == [alert(50, "late")]


def test_a_late_record_opens_no_outage_that_is_over(store: LocalStore, watcher: AlertWatcher) -> None:
    store.append([], [recovery(60)], 0)
    watcher.step()
    store.append([], [alert(1)], 0)
    assert watcher.step() == [alert(1)]
    assert watcher.ongoing() == []


class Rounds(FakeClock):
    """Ends after some rounds; does something between them."""

    def __init__(self, *between: object) -> None:
        super().__init__()
        self._between = list(between)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        if not self._between:
            stop.set()
        elif callable(act := self._between.pop(0)):
            act()
        return super().wait(stop, seconds)


def test_trouble_is_told_and_over_when_the_store_answers_again(store: LocalStore, shown: ShownHistory) -> None:
    """A database that is away for a moment loses no record and forgets no open outage."""
    answers: list[StoreError | None] = [None, StoreUnavailable("database: connection refused"), None]

    def choose() -> Readers:
        if trouble := answers.pop(0):
            raise trouble
        return {"": FileReader(store.path)}

    store.append([], [alert(1)], 0)
    clock = Rounds(lambda: store.append([], [alert(9, "b")], 0), None)
    AlertWatcher(choose, shown, clock).run(threading.Event())
    assert shown.records == [alert(1), alert(9, "b")]
    assert shown.refreshed == [
        ([alert(1)], None),
        ([alert(1)], "database: connection refused"),
        ([alert(1), alert(9, "b")], None),
    ]


def run_once(path: Path) -> int:
    arguments = parse_arguments(["-a", "--once", "--format", "json", "--config", str(path)])
    return run(Invocation(arguments, {}, MonitoringApp))


def test_once_prints_the_history_and_ends(store: LocalStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store.append([], [alert(1), recovery(60), alert(100)], 0)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"websites": [{"URL": "http://localhost/"}], "database": "sqlite:"}))
    assert run_once(path) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line["kind"], line["type"], line["URL"]) for line in lines] == [
        ("alert", "alert", "a"),
        ("alert", "recovery", "a"),
        ("alert", "alert", "a"),
    ]


def test_before_any_monitor_has_run_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"websites": [{"URL": "http://localhost/"}], "database": "sqlite:"}))
    with pytest.raises(StoreError, match="no monitor has run here yet"):
        run_once(path)
