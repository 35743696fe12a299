"""A new local file whose database does not answer, or not everything: the monitor starts all the same, and says so."""

import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.config import Config, parse_config
from monitoring.errors import StoreUnavailable
from monitoring.models import CheckResult, Window
from monitoring.storage import opening
from monitoring.storage.base import Points
from monitoring.storage.opening import take_over_past
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.gateway import TOKENS, WRITE_TOKEN, serving
from tests.support.influxd import free_port
from tests.support.memory_backend import MemoryBackend, MemoryDatabase
from tests.support.points import START_MS, alert
from tests.support.taken_over import NOW_S, A, down_twice


def config_of(folder: Path, database: str | None) -> Config:
    data = {"websites": [{"URL": A}], **({"database": database} if database else {})}
    return parse_config(data, source="config.json", environ={}, path=folder / "config.json")


def start(local: LocalStore, config: Config) -> list[str]:
    said: list[str] = []
    take_over_past(local, config, FakeClock(), said.append)
    return said


NOTHING = "nothing of the past could be taken over from the database, so an alert may be repeated"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalStore]:
    with closing(LocalStore(tmp_path / "monitor.db")) as store:
        yield store


@pytest.mark.parametrize("kind", ["influxdb://127.0.0.1:{}/monitoring", None])
def test_a_database_that_hangs_is_not_waited_for(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    """Not the default one either: somebody is there, and may know of open alerts."""
    monkeypatch.setattr(opening, "NEW_FILE_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr("monitoring.storage.backends.DEFAULT_DATABASE", f"influxdb://127.0.0.1:{port}/monitoring")
        said = start(local, config_of(tmp_path, kind and kind.format(port)))
    assert said == [f"{NOTHING}: it took longer than 0.3 s"]


def test_a_database_that_is_away_is_said_to_be_so_if_it_was_meant_to_be_there(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    named = config_of(tmp_path, f"influxdb://127.0.0.1:{port}/monitoring")
    monkeypatch.setattr("monitoring.storage.backends.DEFAULT_DATABASE", f"influxdb://127.0.0.1:{port}/monitoring")
    (line,) = start(local, named)
    assert line.endswith(f"InfluxDB at 127.0.0.1:{port} does not answer")
    assert start(local, config_of(tmp_path, None)) == []


def test_a_token_that_may_not_read_is_said_to_be_why(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITORING_TOKEN", WRITE_TOKEN)
    with serving(MemoryBackend(MemoryDatabase()), TOKENS) as port:
        (line,) = start(local, config_of(tmp_path, f"gateway+http://127.0.0.1:{port}"))
    why = "denies access: this token is not for reading (MONITORING_READ_TOKEN is)"
    assert line == f"{NOTHING}: gateway at 127.0.0.1:{port} {why}"


class Database(MemoryBackend):
    """`on_results` is called when checks are asked for."""

    def __init__(self, on_results: Callable[[], object]) -> None:
        super().__init__(MemoryDatabase())
        self._on_results = on_results

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        if window.length_ms == opening.CHECKS_AT_ONCE_MS:
            self._on_results()
        return super().results(window, hosts)


def filled(on_results: Callable[[], object]) -> Database:
    database = Database(on_results)
    database.write(Points(down_twice(), [alert(100, A)]))
    return database


def parts_within(patience_ms: int, database: Database, folder: Path) -> tuple[list[opening.PastOfSites], str]:
    """What came in time, and what was said then."""
    found: list[opening.PastOfSites] = []
    parts = opening.ask(database, config_of(folder, None).sites, START_MS + NOW_S * 1_000)
    try:
        for part in opening.within(patience_ms, FakeClock(), parts):
            found.append(part)
    except StoreUnavailable as error:
        return found, str(error)
    return found, ""


def test_when_time_is_up_the_most_important_is_there(tmp_path: Path) -> None:
    """First open alerts, then where each site stands, then the newest checks."""
    over = threading.Event()
    asked = iter((False, True))
    found, error = parts_within(2_000, filled(lambda: next(asked) and over.wait()), tmp_path)
    over.set()
    assert error == "it took longer than 2 s"
    assert [bool(part.alerts) for part in found] == [True, False, False]
    assert [set(part.last_states) for part in found] == [set(), {A}, set()]
    assert [one.time_ms for one in found[2].checks] == [START_MS + second * 1_000 for second in range(540, NOW_S, 2)]


def test_an_answer_that_nobody_understands_does_not_keep_the_monitor_from_starting(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("odd")

    found, error = parts_within(10_000, filled(fail), tmp_path)
    assert (len(found), error) == (2, "ValueError: odd")


def test_the_whole_alert_window_is_read_however_long_it_is(tmp_path: Path) -> None:
    database, sites = filled(lambda: None), config_of(tmp_path, None).sites
    for window_s in (1, 60, 61, 120, 400):
        rule = replace(sites[0].rule, window_ms=window_s * 1_000)
        parts = opening.ask(database, [replace(sites[0], rule=rule)], START_MS + NOW_S * 1_000)
        found = sorted(one.time_ms for part in parts for one in part.checks)
        wanted = [one for one in down_twice() if one.host == A and one.time_ms >= START_MS + (NOW_S - window_s) * 1_000]
        assert found == [one.time_ms for one in wanted]
