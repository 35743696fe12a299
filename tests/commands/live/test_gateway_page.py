"""The status page at a gateway's own address: from its own database, for those who may read there."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from monitoring.clock import SystemClock
from monitoring.commands.live.gateway_page import NOBODY, OWN, OwnDatabaseChoice
from monitoring.config import Config, parse_database
from monitoring.errors import StoreError
from monitoring.gateway.databases import Databases, open_databases
from monitoring.models import CheckResult, Site
from monitoring.storage.base import Points
from tests.support.clock import FakeClock
from tests.support.gateway import NO_TOKENS, READ_TOKEN, WRITE_TOKEN, Gateway
from tests.support.monitor import wait_for, write_config
from tests.support.points import START_MS, check, checks

SITE = "https://shop.example"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config((Site("a", "http://a/"),), parse_database("sqlite:", {}), tmp_path / "config.db")


@pytest.fixture
def databases(config: Config) -> Iterator[Databases]:
    assert config.database is not None
    with closing(open_databases(config, config.database, 10)) as found:
        yield found


@pytest.fixture
def choice(databases: Databases, config: Config) -> OwnDatabaseChoice:
    return OwnDatabaseChoice(databases, config, FakeClock(START_MS + 60_000))


def test_it_reads_every_location_of_the_gateways_own_database(databases: Databases, choice: OwnDatabaseChoice) -> None:
    for location in ("", "paris"):
        databases.at(location).write(Points(checks([1, 3, 5])))
    readers, source = choice.choose()
    assert (sorted(readers), source.kind, source.why) == (["", "paris"], "local", OWN)
    assert readers["paris"] is databases.at("paris")
    assert choice.conditions() == ()


def test_or_of_the_wanted_one(databases: Databases, config: Config) -> None:
    databases.at("").write(Points([check()]))
    databases.at("paris").write(Points([check()]))
    assert list(OwnDatabaseChoice(databases, config, FakeClock(START_MS), "paris").choose()[0]) == ["paris"]


def test_before_the_first_delivery_it_says_so(choice: OwnDatabaseChoice) -> None:
    with pytest.raises(StoreError, match=NOBODY):
        choice.choose()


def test_sites_that_its_configuration_does_not_list_are_counted(databases: Databases, choice: OwnDatabaseChoice) -> None:
    databases.at("").write(Points([check(host=host) for host in ("a", "b", "c")]))
    choice.choose()
    (condition,) = choice.conditions()
    assert condition.text == "2 more sites in this database: the gateway's configuration does not list them"


def fresh(host: str) -> CheckResult:
    """A check that retention leaves."""
    return replace(check(host=host), time_ms=SystemClock().now_ms())


def page(gateway: Gateway, path: str, token: str | None, **how: object) -> requests.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    address = f"http://127.0.0.1:{gateway.port}{path}"
    return requests.request(str(how.pop("method", "GET")), address, headers=headers, timeout=30, allow_redirects=False)


def test_a_gateway_serves_the_page_to_those_who_may_read(tmp_path: Path) -> None:
    config = write_config(tmp_path, [SITE], database="sqlite:")
    with Gateway(config, options=["--web"]) as gateway:
        gateway.wait_until_it_serves()
        with closing(gateway.store(WRITE_TOKEN)) as writer:
            writer.write(Points([fresh(SITE)]))
        wait_for(lambda: "shop.example" in page(gateway, "/status/", READ_TOKEN).text, "the page shows the site")
        assert OWN in page(gateway, "/status/", READ_TOKEN).text
        refusals = {token: page(gateway, "/status/", token).status_code for token in (None, WRITE_TOKEN, "x" * 20)}
        assert refusals == {None: 401, WRITE_TOKEN: 403, "x" * 20: 401}
        assert page(gateway, "/status/", READ_TOKEN, method="POST").status_code == 405
        assert page(gateway, "/status", READ_TOKEN).headers["Location"].endswith("/status/")
        assert "/status/incidents.atom" in page(gateway, "/status/incidents.atom", READ_TOKEN).text
        assert page(gateway, "/", None).json()["places"]["/status/"].startswith("the status page")
        assert page(gateway, "/api/v2/stats?window=600", READ_TOKEN).json()["sites"][0]["URL"] == SITE
        metrics = page(gateway, "/metrics", READ_TOKEN).text
        assert 'monitoring_gateway_refusals_total{status="401"} 2.0' in metrics
        assert gateway.terminate() == 0


def test_unasked_it_serves_none(tmp_path: Path) -> None:
    config = write_config(tmp_path, [SITE], database="sqlite:")
    with Gateway(config, tokens=NO_TOKENS) as gateway:
        gateway.wait_until_it_serves()
        assert page(gateway, "/status/", None).status_code == 404
        assert "/status/" not in page(gateway, "/", None).json()["places"]


def test_without_tokens_no_name_of_another_site_leads_there(tmp_path: Path) -> None:
    config = write_config(tmp_path, [SITE], database="sqlite:")
    with Gateway(config, tokens=NO_TOKENS, options=["--web"]) as gateway:
        gateway.wait_until_it_serves()
        address = f"http://127.0.0.1:{gateway.port}/status/"
        assert requests.get(address, headers={"Host": "evil.example"}, timeout=30).status_code == 403
        assert requests.get(address, timeout=30).status_code == 200


def test_it_follows_the_configuration(tmp_path: Path) -> None:
    config = write_config(tmp_path, [SITE], database="sqlite:")
    with Gateway(config, tokens=NO_TOKENS, options=["--web"]) as gateway:
        gateway.wait_until_it_serves()
        with closing(gateway.store(None)) as writer:
            writer.write(Points([fresh(SITE), fresh("https://docs.example")]))
        write_config(tmp_path, [SITE, "https://docs.example"], database="sqlite:")
        wait_for(lambda: "docs.example" in page(gateway, "/status/", None).text, "the page shows the new site")
