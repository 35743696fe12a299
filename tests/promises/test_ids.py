"""The same URL watched twice, with another text and with another request: two sites in every store and output."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import FOREVER, local_file, stored_alerts, stored_checks, wait_for_checks
from tests.support.processes import Running, run_program, write_websites
from tests.support.servers import HttpServer, Request, response

pytestmark = pytest.mark.promise

ID = 'text, "it\'s" = ☃'
"""What InfluxDB's line protocol and InfluxQL have to escape."""


def page(request: Request) -> bytes:
    """What is posted with the right token is taken, everything else is answered with a page."""
    if request.method == "POST":
        return response(201 if request.headers.get("x-token") == "right" else 403)
    return response(200, b"all is well")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer(page) as server:
        yield server


def websites(server: HttpServer, own_id: str = ID) -> list[dict[str, object]]:
    return [
        {"URL": server.url("/"), "expectedText": "well"},
        {"URL": server.url("/"), "id": own_id, "name": "a word that is missing", "expectedText": "no such word"},
        {"URL": server.url("/"), "id": "post", "method": "POST", "headers": {"X-Token": "right"}, "expectedStatus": 201},
    ]


def test_one_url_is_three_sites_of_which_one_is_down(tmp_path: Path, server: HttpServer, own_influxd: Influxd) -> None:
    plain = server.url("/").rstrip("/")
    config = write_websites(tmp_path, websites(server), database=own_influxd.url("monitoring"))
    with Running("-m", "--format", "json", "-c", config) as monitor:
        monitor.until(lambda running: running.announced("alert") and running.objects("stats"))
        shown = run_program("-p", "--once", "--format", "json", "--window", "1h", "-c", config)
        assert monitor.interrupt() == 0
        assert monitor.errors == []
    sites = json.loads(shown.stdout)["sites"]
    assert [(site["URL"], site["state"]) for site in sites] == [(plain, "up"), (ID, "down"), ("post", "up")]
    assert [(found["URL"], found["name"], found["cause"]) for found in monitor.objects("alert")] == [
        (ID, "a word that is missing", "content")
    ]
    checks = stored_checks(local_file(config))
    assert {(check.host, check.status, check.available) for check in checks} == {
        (plain, 200, True), (ID, 200, False), ("post", 201, True),
    }  # fmt: skip
    assert [alert.host for alert in stored_alerts(local_file(config))] == [ID]
    with closing(store_at(address_of(own_influxd, "monitoring"))) as database:
        assert {check.host: check.available for check in database.results(FOREVER)} == {plain: True, ID: False, "post": True}
        assert len(list(database.results(FOREVER))) == len(checks)
        assert [alert.host for alert in database.alerts(FOREVER)] == [ID]

    assert f"Website {ID} (a word that is missing) is down." in run_program("-a", "--once", "--all", "-c", config).stdout

    purged = run_program("--purge", "--site", "a word that is missing", "--yes", "-c", config)
    assert (purged.returncode, purged.stderr) == (0, "")
    assert f"1 site ({ID})" in purged.stdout
    assert {check.host for check in stored_checks(local_file(config))} == {plain, "post"}
    with closing(store_at(address_of(own_influxd, "monitoring"))) as database:
        assert {check.host for check in database.results(FOREVER)} == {plain, "post"}
        assert database.alerts(FOREVER) == []


def test_a_running_monitor_says_that_another_id_begins_another_history(tmp_path: Path, server: HttpServer) -> None:
    config = write_websites(tmp_path, websites(server))
    with Running("-m", "--format", "json", "-c", config) as monitor:
        monitor.until(lambda running: running.announced("alert"))
        write_websites(tmp_path, websites(server, "renamed"))
        os.kill(monitor.pid, signal.SIGHUP)
        monitor.until(lambda running: len(running.announced("alert")) == 2)
        assert monitor.interrupt() == 0
    plain = server.url("/").rstrip("/")
    assert monitor.errors == [
        "new configuration: 3 sites, 1 added, 1 removed",
        f"{plain} is stored as renamed from now on, no longer as {ID}: its history begins anew",
    ]
    stored = stored_alerts(local_file(config))
    assert [(alert.type, alert.host) for alert in stored] == [("alert", ID), ("recovery", ID), ("alert", "renamed")]
    assert (stored[1].end_ms, stored[1].detail) == (None, "no longer watched")


def test_a_url_means_what_was_stored_before_there_was_an_id_as_well(tmp_path: Path, server: HttpServer) -> None:
    """One is asked about after the other: who purges may keep one of the two histories."""
    plain = server.url("/").rstrip("/")
    for site in ({"URL": plain}, {"URL": plain, "id": "now"}):
        config = write_websites(tmp_path, [site])
        before = len(stored_checks(local_file(config))) if "id" in site else 0
        with Running("-m", "--silent", "-c", config) as monitor:
            wait_for_checks(local_file(config), more_than=before)
            assert monitor.interrupt() == 0
    assert hosts(config) == {plain, "now"}
    purged = run_program("--purge", "--site", f"{plain}/", "--yes", "-c", config)
    assert (purged.returncode, purged.stderr, hosts(config)) == (0, "", set())
    assert [line.partition(" of ")[2] for line in purged.stdout.splitlines() if line.startswith("To be")] == [
        "1 site (now)", f"1 site ({plain})",
    ]  # fmt: skip
    again = run_program("--purge", "--site", f"{plain}/", "--yes", "-c", config)
    assert again.stdout.splitlines() == ["There is nothing of now to delete.", f"There is nothing of {plain} to delete."]


def hosts(config: Path) -> set[str]:
    return {check.host for check in stored_checks(local_file(config))}


def test_a_name_of_two_sites_is_refused_with_what_can_be_chosen(tmp_path: Path) -> None:
    twins = [{"URL": "http://a.example", "id": own_id, "name": "twin"} for own_id in ("one", "two")]
    config = write_websites(tmp_path, twins)
    asked = run_program("--purge", "--site", "twin", "--yes", "-c", config)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.splitlines() == ["--site: 2 sites have this name: choose one of one, two"]
