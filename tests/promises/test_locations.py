"""Two monitors check the same site from two places, into one InfluxDB: nothing of theirs is ever mixed."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitoring.config import DatabaseAddress, parse_database
from monitoring.gateway.databases import Databases
from monitoring.models import CheckResult
from monitoring.storage.backends import open_backend
from tests.support.gateway import HOST, serving
from tests.support.influxd import Influxd
from tests.support.monitor import (
    FOREVER,
    Monitor,
    local_file,
    stored_alerts,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
)
from tests.support.processes import Running, run_program, write_websites
from tests.support.servers import OK, HttpServer, Request
from tests.support.target import DOWN

pytestmark = pytest.mark.promise

PLACES = ("paris", "tokyo")


class Website(HttpServer):
    """Answers monitors, which say where they are, and fails those in `cut_off`."""

    def __init__(self) -> None:
        super().__init__(self._page)
        self.cut_off: set[str] = set()

    def _page(self, request: Request) -> bytes:
        return DOWN if request.headers["x-place"] in self.cut_off else OK


@pytest.fixture
def website() -> Iterator[Website]:
    with Website() as server:
        yield server


def write_config(folder: Path, website: Website, database: str, **settings: object) -> Path:
    folder.mkdir()
    sites = [{"URL": website.url("/"), "name": "shop", "headers": {"X-Place": str(settings.get("location"))}}]
    return write_websites(folder, sites, database=database, **settings)


@contextmanager
def reached(how: str, address: DatabaseAddress) -> Iterator[str]:
    """What monitors and readers name as their database."""
    if how == "directly":
        yield address.masked
        return
    with (
        closing(Databases(partial(open_backend, address, 8), 9)) as databases,
        serving(databases) as port,
    ):
        yield f"gateway+http://{HOST}:{port}"


def printed(*arguments: str | Path) -> list[dict[str, Any]]:
    answer = run_program(*arguments)
    assert (answer.returncode, answer.stderr) == (0, "")
    return [json.loads(line) for line in answer.stdout.splitlines()]


def assert_holds(address: DatabaseAddress, place: str, checks: list[CheckResult]) -> None:
    with closing(open_backend(address, 60, place)) as database:
        assert {(check.host, check.time_ms, check.cause) for check in database.results(FOREVER)} == {
            (check.host, check.time_ms, check.cause) for check in checks
        }


def states(window: dict[str, Any]) -> dict[str | None, str]:
    return {site.get("location"): site["state"] for site in window["sites"]}


@pytest.mark.parametrize("how", ["directly", "through a gateway"])
def test_a_site_that_one_place_cannot_reach_is_down_there_only(
    how: str, influxd: Influxd, website: Website, tmp_path: Path
) -> None:
    address = parse_database(influxd.url(f"places-{uuid.uuid4()}"), {})
    with ExitStack() as stack:
        database = stack.enter_context(reached(how, address))
        configs = [write_config(tmp_path / place, website, database, location=place) for place in PLACES]
        elsewhere = write_config(tmp_path / "elsewhere", website, database)
        paris = stack.enter_context(Monitor(configs[0]))
        wait_for_checks(local_file(configs[0]), 5)
        follower = stack.enter_context(Running("-p", "--format", "json", "-c", elsewhere))
        follower.until(lambda it: it.objects("stats") and states(it.objects("stats")[-1]) == {"paris": "up"})
        tokyo = stack.enter_context(Monitor(configs[1]))
        wait_for_checks(local_file(configs[1]), 5)
        website.cut_off.add("tokyo")
        tokyo.wait_for_announcement("alert")
        follower.until(lambda it: states(it.objects("stats")[-1]) == {"paris": "up", "tokyo": "down"})
        follower.until(lambda it: it.announced("alert"))

        for config in configs:
            wait_for(lambda config=config: undelivered(local_file(config)) == 0, "delivery")
        (stats,) = printed("-p", "--once", "--window", "5m", "--format", "json", "-c", elsewhere)
        assert states(stats) == {"paris": "up", "tokyo": "down"}
        up, down = stats["sites"]
        assert (up["name"], up["availability"], up["causes"]) == ("shop", 100.0, {})
        assert down["availability"] < 100
        assert down["causes"].keys() == {"status"}
        (alert,) = printed("-a", "--once", "--format", "json", "-c", elsewhere)
        assert (alert["URL"], alert["location"]) == (down["URL"], "tokyo")
        assert [alert] == follower.objects("alert") == tokyo.objects("alert")
        assert paris.objects("alert") == []

        for place, config in zip(PLACES, configs, strict=True):
            (only,) = printed("-p", "--once", "--window", "5m", "--format", "json", "--location", place, "-c", elsewhere)
            assert states(only).keys() == {place}
            history = printed("-a", "--once", "--format", "json", "--location", place, "-c", elsewhere)
            assert len(history) == len(stored_alerts(local_file(config))) == (place == "tokyo")
        text = run_program("-p", "--once", "-c", elsewhere).stdout
        assert "location=paris" in text
        assert "cause status 503, seen from tokyo)" in text

        website.cut_off.clear()
        tokyo.wait_for_announcement("recovery")
        follower.until(lambda it: it.announced("recovery"))
        assert [follower.terminate(), paris.terminate(), tokyo.terminate()] == [0, 0, 0]
        assert [found["location"] for found in follower.objects("alert")] == ["tokyo", "tokyo"]
        assert follower.errors == []
    for place, config in zip(PLACES, configs, strict=True):
        if not undelivered(local_file(config)):
            assert_holds(address, place, stored_checks(local_file(config)))


def test_the_local_file_shows_the_one_location_it_is_of(website: Website, tmp_path: Path) -> None:
    config = write_config(tmp_path / "paris", website, "sqlite:", location="paris")
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), 5)
        wait_for(lambda: monitor.objects("stats"), "statistics")
        assert monitor.terminate() == 0
    assert {states(window).popitem()[0] for window in monitor.objects("stats")} == {"paris"}
    (stats,) = printed("-p", "--once", "--window", "5m", "--format", "json", "-c", config)
    assert list(states(stats)) == ["paris"]
    refused = run_program("-p", "--once", "--location", "tokyo", "-c", config)
    assert (refused.returncode, refused.stderr) == (
        1,
        "nothing is known of this location: the local file is of another one\n",
    )
