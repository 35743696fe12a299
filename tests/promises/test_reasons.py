"""Why a site is down is said in the server's, libcurl's or OpenSSL's own words wherever the outage is seen."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.models import AlertType
from tests.support.certificates import Authority
from tests.support.gateway import NO_TOKENS, Gateway
from tests.support.influxd import Influxd
from tests.support.monitor import Monitor, local_file, stored_alerts, stored_checks, undelivered, wait_for, write_config
from tests.support.processes import Running, run_program
from tests.support.servers import HttpServer
from tests.support.terminal import Terminal

pytestmark = pytest.mark.promise

REASON = "certificate has expired"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    """A site whose certificate has expired."""
    with HttpServer(tls=authority.server("localhost", expired=True)) as server:
        yield server.url(host="localhost")


def config_in(folder: Path, authority: Authority, *urls: str, **settings: object) -> Path:
    folder.mkdir()
    return write_config(folder, urls, caFile=authority.ca_file, **settings)


def test_the_reason_is_on_the_screen_of_80_columns_and_in_plain_lines(
    tmp_path: Path, authority: Authority, url: str
) -> None:
    config = config_in(tmp_path / "terminal", authority, url)
    with Terminal(80, 24, "-m", "-c", config) as terminal:
        terminal.until("the reason, whole, beside its site", lambda text: is_beside(REASON, "localhost", text))
        assert terminal.interrupt() == 0
    with Running("-m", "-c", config) as plain:
        plain.until(lambda running: any(REASON in line and "localhost" in line for line in running.printed))
        plain.terminate()


def is_beside(reason: str, site: str, text: str) -> bool:
    return any(reason in line and site in line for line in text.splitlines())


@pytest.mark.parametrize("through_gateway", [False, True], ids=["InfluxDB", "gateway"])
def test_the_reason_is_in_every_store_and_in_all_that_reads_them(
    tmp_path: Path, authority: Authority, url: str, through_gateway: bool
) -> None:
    with Influxd() as influxd:
        influx = influxd.url("monitoring")
        with Gateway(config_in(tmp_path / "gateway", authority, url, database=influx), tokens=NO_TOKENS) as gateway:
            gateway.wait_until_it_serves()
            database = gateway.url if through_gateway else influx
            config = config_in(tmp_path / "monitor", authority, url, database=database)
            with Monitor(config) as monitor:
                monitor.wait_for_announcement("alert")
                wait_for(lambda: monitor.objects("stats"), "statistics")
                wait_for(lambda: influxd.series("SELECT * FROM monitoring..website_alerts"), "the alert is delivered")
                # From elsewhere: another machine's file is empty, so the database answers.
                assert_read(config_in(tmp_path / "reader", authority, url, database=database), local_file(config))
                assert monitor.terminate() == 0
            assert REASON in monitor.announced("alert")[0]["detail"]
            assert REASON in monitor.objects("stats")[-1]["sites"][0]["detail"]
            wait_for_delivery(config)
            assert_stored(influxd, local_file(config))


def wait_for_delivery(config: Path) -> None:
    if undelivered(local_file(config)):
        with Monitor(config):
            wait_for(lambda: not undelivered(local_file(config)), "everything is delivered")


def assert_stored(influxd: Influxd, file: Path) -> None:
    assert all(REASON in check.detail for check in stored_checks(file))
    (alert,) = stored_alerts(file)
    assert (alert.type, REASON in alert.detail) == (AlertType.ALERT, True)
    for measurement in ("website_availability", "website_alerts"):
        (series,) = influxd.series(f"SELECT detail FROM monitoring..{measurement}")
        assert all(REASON in row[1] for row in series["values"]), measurement


def assert_read(config: Path, file: Path) -> None:
    (alert,) = stored_alerts(file)
    history = run_program("-a", "--once", "-c", config)
    assert REASON in history.stdout, history.stderr
    told = [json.loads(line) for line in run_program("-a", "--once", "--format", "json", "-c", config).stdout.splitlines()]
    assert [one["detail"] for one in told if one["kind"] == "alert"] == [alert.detail]
    statistics = run_program("-p", "--once", "--format", "json", "-c", config)
    shown = [json.loads(line) for line in statistics.stdout.splitlines()]
    assert {site["detail"] for one in shown if one["kind"] == "stats" for site in one["sites"]} == {alert.detail}
    assert is_beside(REASON, "localhost", run_program("-p", "--once", "-c", config).stdout)
