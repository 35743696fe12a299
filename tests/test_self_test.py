"""`-t`: passes when alerting works, through both stores, and fails when the rule is wrong in any way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitoring.models import CheckResult
from monitoring.storage.base import Points
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.broken_rules import BROKEN
from tests.support.influx_databases import address_of
from tests.support.influxd import Influxd
from tests.support.monitor import FOREVER, ROOT
from tests.support.processes import Running, command

pytestmark = pytest.mark.xdist_group("self-test")  # one process runs them all: most look at the same runs

LONGEST_S = 60.0
"""How long a self-test that passes may take: 20 s on a machine that has time for it."""

OLD_CHECK = CheckResult("http://somebody.example", 1_700_000_000_000, 2_000, 0, status=200, response_us=1_000)


@dataclass(frozen=True, slots=True)
class Finished:
    """A self-test that ran: its exit status, what it said, how long it took."""

    status: int
    said: str
    seconds: float


def finish(arguments: list[str]) -> Finished:
    began = time.monotonic()
    run = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return Finished(run.returncode, run.stdout, time.monotonic() - began)


@pytest.fixture(scope="module")
def other_influxd() -> Iterator[Influxd]:
    """An InfluxDB in which somebody has a database `test` already."""
    with Influxd() as server:
        with closing(store_test(server)) as store:
            store.verify("somebody")
            store.write(Points([OLD_CHECK]))
        yield server


def store_test(server: Influxd) -> InfluxStore:
    return InfluxStore(address_of(server, "test"), read_timeout=60)


@pytest.fixture(scope="module")
def runs(influxd: Influxd, other_influxd: Influxd) -> Iterator[dict[str, Future[Finished]]]:
    """All self-tests of this module, at the same time: each of them mostly waits."""
    databases = {"SQLite": "sqlite:", "InfluxDB": influxd.url("any"), "old InfluxDB": other_influxd.url("any")}
    commands = {where: command("-t", "--database", url) for where, url in databases.items()}
    for rule in BROKEN:
        commands[rule.__name__] = [sys.executable, "-m", "tests.support.broken_rules", rule.__name__, "sqlite:"]
    with ThreadPoolExecutor(len(commands)) as pool:
        yield {name: pool.submit(finish, arguments) for name, arguments in commands.items()}


@pytest.mark.parametrize(
    ("where", "through"),
    [("SQLite", "stores in SQLite"), ("InfluxDB", "database test"), ("old InfluxDB", "database test")],
)
def test_it_passes_where_alerting_works(runs: dict[str, Future[Finished]], where: str, through: str) -> None:
    run = runs[where].result()
    assert (run.status, run.said.splitlines()[-1][:7]) == (0, "PASSED:"), run.said
    assert through in run.said.splitlines()[1]
    assert run.seconds < LONGEST_S


def test_it_says_what_it_expected_and_what_it_saw(runs: dict[str, Future[Finished]]) -> None:
    said = runs["SQLite"].result().said
    assert said.count(": expecting ") == said.count("      saw: ") == 7
    assert said.count(" is down. availability=") == said.count(" recovered. availability=") == 3
    assert [cause for cause in ("status", "connect", "timeout") if said.count(f"cause {cause}\n") < 4] == []
    assert "Each decision was recomputed and is right" in said


def test_it_drops_the_database_it_made(runs: dict[str, Future[Finished]], influxd: Influxd) -> None:
    assert runs["InfluxDB"].result().status == 0
    with closing(store_test(influxd)) as store:
        assert not store.database_exists()


def test_it_leaves_what_was_there_and_takes_its_own_away(runs: dict[str, Future[Finished]], other_influxd: Influxd) -> None:
    assert runs["old InfluxDB"].result().status == 0
    with closing(store_test(other_influxd)) as store:
        assert [(check.host, check.time_ms) for check in store.results(FOREVER)] == [(OLD_CHECK.host, OLD_CHECK.time_ms)]
        assert store.alerts(FOREVER) == []


@pytest.mark.parametrize("broken", [rule.__name__ for rule in BROKEN])
def test_it_fails_when_the_rule(runs: dict[str, Future[Finished]], broken: str) -> None:
    run = runs[broken].result()
    assert run.status == 1, run.said
    assert "FAILED: " in run.said
    assert "Traceback" not in run.said


def test_one_that_is_interrupted_has_not_passed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with Influxd() as server:  # one of its own: the others' database has the same name
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with Running("-t", "--database", server.url("any"), environ={"TMPDIR": str(tmp_path)}) as running:
                running.until(lambda test: "[1/7]" in test.text)
                assert list(tmp_path.iterdir())
                os.kill(running.pid, number)
                assert running.wait() == 1
            assert (running.errors, list(tmp_path.iterdir())) == ([], [])
            with closing(store_test(server)) as store:
                assert not store.database_exists()
