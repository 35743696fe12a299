"""The configuration changes while the monitor runs: only those whom it concerns notice."""

import json
import os
import resource
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.models import CheckResult
from tests.support.monitor import Monitor, stored_checks, wait_for, write_config
from tests.support.processes import run_program
from tests.support.servers import HttpServer, response

pytestmark = pytest.mark.promise

INTERVAL_MS = 1_000
"""Longer than a busy machine stands still: what is slept through is missed, whatever the configuration does."""
SITES = 200

PAUSE_S = 0.3
"""Between two pieces of a file that is written slowly: the monitor looks once a second."""


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer(response(200)) as server:
        yield server


def urls(server: HttpServer, numbers: range) -> list[str]:
    return [server.url(f"/{number}") for number in numbers]


def checks(folder: Path) -> dict[str, list[CheckResult]]:
    """The stored checks by the number of their site."""
    by_number: defaultdict[str, list[CheckResult]] = defaultdict(list)
    try:
        for result in stored_checks(folder / "config.db"):
            by_number[result.host.rpartition("/")[2]].append(result)
    except StoreUnavailable:  # the monitor is about to make the file
        pass
    return by_number


def wait_for_checks(folder: Path, names: Sequence[int], more: int = 3) -> None:
    """Wait until each of these sites was checked so many times more."""
    before = {number: len(found) for number, found in checks(folder).items()}

    def have_come() -> bool:
        now = checks(folder)
        return all(len(now[str(number)]) >= before.get(str(number), 0) + more for number in names)

    wait_for(have_come, f"{more} more checks of each of {len(names)} sites")


def replace(path: Path, text: str) -> None:
    """As an editor does: another file takes its place."""
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)


def assert_one_check_a_slot(found: Sequence[CheckResult]) -> None:
    assert {later.time_ms - earlier.time_ms for earlier, later in pairwise(found)} == {INTERVAL_MS}


@pytest.mark.timing
def test_a_change_under_two_hundred_sites_is_not_noticed_by_those_it_leaves_alone(
    tmp_path: Path, server: HttpServer
) -> None:
    """Ten sites go, ten come, one is checked in another way, one gets another name and rule; twice an editor saves."""
    path = write_config(tmp_path, urls(server, range(SITES)), interval_s=INTERVAL_MS / 1_000)
    with Monitor(path) as monitor:
        wait_for_checks(tmp_path, range(SITES))
        config = json.loads(path.read_text())
        sites = config["websites"]
        sites[20]["checkInterval"] = 0.2
        sites[21] |= {"name": "renamed", "alerting": {"threshold": 90, "recoveryThreshold": 95}}
        config["websites"] = [*sites[10:], *({"URL": url} for url in urls(server, range(SITES, SITES + 10)))]
        replace(path, json.dumps(config))
        wait_for_checks(tmp_path, range(SITES, SITES + 10))
        config["websites"] = config["websites"][:-5]
        path.write_text(json.dumps(config))
        wait_for(lambda: "5 removed" in "".join(monitor.errors), "the second change")
        wait_for_checks(tmp_path, range(10, SITES))
        assert monitor.terminate() == 0
    assert not [line for line in monitor.errors if "configuration" not in line]
    found = checks(tmp_path)
    for number in {*range(SITES + 10)} - {20}:
        assert_one_check_a_slot(found[str(number)])
    newest = max(results[-1].time_ms for results in found.values())
    for number in range(10):
        assert found[str(number)][-1].time_ms < newest - 3 * INTERVAL_MS
    # In its old slots up to the change, in slots of 200 ms from its next one on (of which a slow check may skip some).
    steps = [later.time_ms - earlier.time_ms for earlier, later in pairwise(found["20"])]
    changed = next(number for number, step in enumerate(steps) if step != INTERVAL_MS)
    assert changed > 0
    assert all(step % 200 == 0 for step in steps[changed:])


def test_a_site_is_paused_and_checked_again(tmp_path: Path) -> None:
    """Its server is not asked meanwhile, and nothing is alerted of it."""
    with HttpServer(response(200)) as server, HttpServer(response(500)) as paused:
        path = write_config(tmp_path, [server.url("/0"), paused.url("/1")])
        config = json.loads(path.read_text())
        config["websites"][1] |= {"enabled": False, "group": "shop", "tags": ["eu"]}
        path.write_text(json.dumps(config))
        with Monitor(path) as monitor:
            wait_for_checks(tmp_path, [0], more=10)
            stats = json.loads(run_program("-p", "--once", "--format", "json", "-c", path).stdout.splitlines()[0])
            assert [(site["state"], site["group"], site["tags"]) for site in stats["sites"]] == [
                ("up", None, []),
                ("paused", "shop", ["eu"]),
            ]
            assert not paused.requests
            del config["websites"][1]["enabled"]
            replace(path, json.dumps(config))
            wait_for(lambda: monitor.announced("alert"), "the alert")
            assert monitor.terminate() == 0


@pytest.mark.timing
def test_a_bad_file_is_told_once_with_all_its_errors_and_the_old_one_goes_on(tmp_path: Path, server: HttpServer) -> None:
    path = write_config(tmp_path, urls(server, range(2)), interval_s=INTERVAL_MS / 1_000)
    good = path.read_text()
    with Monitor(path) as monitor:
        wait_for_checks(tmp_path, range(2))
        replace(path, good.replace('"window"', '"windoww"').replace('"URL"', '"url"', 1))
        wait_for(lambda: "previous configuration stays" in "".join(monitor.errors), "the errors")
        wait_for_checks(tmp_path, range(2), more=5)
        told = "\n".join(monitor.errors)
        replace(path, good)
        path.unlink()
        wait_for(lambda: "no such file" in "\n".join(monitor.errors), "that the file has gone")
        path.write_text(good)
        wait_for_checks(tmp_path, range(2), more=5)
        assert monitor.terminate() == 0
    assert told.count("windoww: unknown key") == 1
    assert told.count("previous configuration stays") == 1
    for number in range(2):
        assert_one_check_a_slot(checks(tmp_path)[str(number)])


def test_a_half_written_file_does_no_harm(tmp_path: Path, server: HttpServer) -> None:
    """Written in pieces, as a slow copy does; what it says when it is whole is followed."""
    path = write_config(tmp_path, urls(server, range(2)), interval_s=INTERVAL_MS / 1_000)
    whole, never = path.read_text().replace('/1"', '/2"'), threading.Event()
    with Monitor(path) as monitor:
        wait_for_checks(tmp_path, range(2))
        with path.open("w") as file:
            for start in range(0, len(whole), 40):
                file.write(whole[start : start + 40])
                file.flush()
                never.wait(PAUSE_S)
        wait_for_checks(tmp_path, [2])
        assert monitor.terminate() == 0
    (said,) = monitor.errors
    assert said.startswith("new configuration: 2 sites, 1 added, 1 removed")


@pytest.mark.timing
def test_a_hangup_signal_reads_the_file_at_once(tmp_path: Path, server: HttpServer) -> None:
    path = write_config(tmp_path, urls(server, range(2)), interval_s=INTERVAL_MS / 1_000)
    with Monitor(path) as monitor:
        wait_for_checks(tmp_path, range(2))
        replace(path, path.read_text().replace('/1"', '/2"'))
        os.kill(monitor.pid, signal.SIGHUP)
        wait_for_checks(tmp_path, [2])
        os.kill(monitor.pid, signal.SIGHUP)  # nothing has changed: nothing happens
        wait_for_checks(tmp_path, [0], more=5)
        assert monitor.terminate() == 0
    assert_one_check_a_slot(checks(tmp_path)["0"])


def test_an_open_alert_outlives_a_change_and_is_not_told_twice(tmp_path: Path, server: HttpServer) -> None:
    with HttpServer(response(500)) as broken:
        path = write_config(tmp_path, [server.url("/0"), broken.url("/down")])
        with Monitor(path) as monitor:
            monitor.wait_for_announcement("alert")
            replace(path, path.read_text().replace('/0"', '/1"'))
            wait_for_checks(tmp_path, [1], more=20)
            assert monitor.terminate() == 0
    assert len(monitor.announced("alert")) == 1


def allow_files(monitor: Monitor, soft: int, hard: int) -> None:
    resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_more_sites_may_open_more_files(tmp_path: Path, server: HttpServer) -> None:
    """The usual limit is 1024, which a monitor raises as far as it needs: also when the sites come later."""
    config = write_config(tmp_path, urls(server, range(2)), interval_s=1)
    with Monitor(config) as monitor:
        wait_for_checks(tmp_path, range(2))
        _, hard = resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE)
        allow_files(monitor, 300, hard)
        replace(config, write_config(tmp_path, urls(server, range(100)), interval_s=1).read_text())
        wait_for_checks(tmp_path, range(100), more=1)
        assert resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE)[0] > 300
        assert monitor.terminate() == 0


def test_a_check_that_finds_no_file_descriptor_says_nothing_about_its_site(tmp_path: Path, server: HttpServer) -> None:
    """Else all sites would seem to refuse connections, and be alerted."""
    config = write_config(tmp_path, urls(server, range(20)))
    with Monitor(config) as monitor:
        wait_for_checks(tmp_path, range(20))
        _, hard = resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE)
        allow_files(monitor, 1, hard)
        wait_for(lambda: [line for line in monitor.errors if "(ulimit -n) allows 1 open files" in line], "the limit's name")
        allow_files(monitor, 500, hard)
        wait_for_checks(tmp_path, range(20))
        assert monitor.terminate() == 0
    assert all(check.available for found in checks(tmp_path).values() for check in found)
    assert not monitor.objects("alert")
