"""A database and a site that two private authorities have certified: whom a monitor trusts, and whom not."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.models import CheckResult
from monitoring.trust import Trust
from tests.support.certificates import Authority
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import FOREVER, local_file, stored_checks, undelivered, wait_for, wait_for_checks
from tests.support.processes import Running, run_program, write_websites
from tests.support.servers import HttpServer
from tests.support.terminal import Terminal

pytestmark = pytest.mark.promise

REFUSED = "does not prove who it is (TLS): unable to get local issuer certificate"


@pytest.fixture(scope="module")
def of_sites(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """What stands in place of Mozilla's list here."""
    return Authority(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def of_databases(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("databases"))


@pytest.fixture
def site(of_sites: Authority) -> Iterator[HttpServer]:
    with HttpServer(tls=of_sites.server("127.0.0.1")) as server:
        yield server


@pytest.fixture
def database(of_databases: Authority) -> Iterator[Influxd]:
    with Influxd(authority=of_databases) as server:
        yield server


def delivered(database: Influxd, authority: Authority) -> list[CheckResult]:
    address = replace(address_of(database, "monitoring"), tls=Trust(authority.ca_file))
    with closing(store_at(address)) as store:
        return list(store.results(FOREVER))


def test_what_is_refused_stays_here_until_its_authority_is_named(
    tmp_path: Path, site: HttpServer, database: Influxd, of_sites: Authority, of_databases: Authority
) -> None:
    websites, url = [{"URL": site.url("/")}], database.url("monitoring")
    environ = {"SSL_CERT_FILE": of_sites.ca_file}
    config = write_websites(tmp_path, websites, database=url)
    with Terminal(200, 40, "-m", "-c", config, environ=environ) as terminal:
        terminal.until("why the database is not read", lambda text: REFUSED in text)
        wait_for_checks(local_file(config))
        assert terminal.interrupt() == 0
    refused = stored_checks(local_file(config))
    assert all(check.available for check in refused), "the site is trusted"
    assert undelivered(local_file(config)) >= len(refused)

    config = write_websites(tmp_path, websites, database=url, caFile=of_databases.ca_file)
    shown = run_program("--check-config", "-c", config, environ=environ).stdout
    assert f"certificates: {of_sites.ca_file} (SSL_CERT_FILE) and {of_databases.ca_file}" in shown.splitlines()
    with Running("-m", "--format", "json", "-c", config, environ=environ) as monitor:
        wait_for(lambda: undelivered(local_file(config)) == 0, "all checks in the database")
        wait_for_checks(local_file(config), more_than=len(refused))
        monitor.until(lambda running: running.objects("stats"))
        assert monitor.interrupt() == 0
    checks = stored_checks(local_file(config))
    assert all(check.available for check in checks), "the site is trusted as before"
    assert delivered(database, of_databases) == checks

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    reader = write_websites(elsewhere, websites, database=url, caFile=of_databases.ca_file)
    answer = run_program("-p", "--once", "--format", "json", "--window", "1h", "-c", reader, environ=environ)
    assert json.loads(answer.stdout)["source"] == "influxdb"
    stranger = run_program(
        "-p", "--once", "-c", reader, "--database", url.replace("127.0.0.1", "localhost"), environ=environ
    )
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "does not prove who it is (TLS): Hostname mismatch, certificate is not valid for 'localhost'" in stranger.stderr

    purged = run_program("--purge", "--yes", "-c", config, environ=environ)
    assert (purged.returncode, purged.stderr) == (0, "")
    assert delivered(database, of_databases) == []


def test_one_list_for_sites_and_database(
    tmp_path: Path, site: HttpServer, database: Influxd, of_sites: Authority, of_databases: Authority
) -> None:
    both = tmp_path / "both.pem"
    both.write_text("".join(Path(authority.ca_file).read_text() for authority in (of_sites, of_databases)))
    config = write_websites(tmp_path, [{"URL": site.url("/")}], database=database.url("monitoring"))
    with Running("-m", "--silent", "-c", config, environ={"SSL_CERT_FILE": str(both)}) as monitor:
        wait_for_checks(local_file(config), more_than=2)
        wait_for(lambda: len(delivered(database, of_databases)) > 2, "checks in the database")
        assert monitor.interrupt() == 0
        assert monitor.errors == []
    assert all(check.available for check in delivered(database, of_databases))


@pytest.mark.parametrize("mode", ["-m", "-p", "-a", "-g", "--purge", "--check-config"])
def test_a_file_without_certificates_ends_every_mode_at_its_start(tmp_path: Path, mode: str) -> None:
    rubbish = tmp_path / "ca.pem"
    rubbish.write_text("no certificate\n")
    config = write_websites(tmp_path, [{"URL": "http://a.example"}], caFile="ca.pem")
    answer = run_program(mode, "-c", config, environ={"SSL_CERT_FILE": f"{tmp_path}/gone.pem"})
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.splitlines() == [
        f"SSL_CERT_FILE: {tmp_path}/gone.pem: cannot be read: No such file or directory",
        f"{config}:1: caFile: {rubbish}: holds no certificates in PEM form, or a broken one",
    ]


def test_the_self_test_does_not_begin_with_a_file_without_certificates(tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": f"{tmp_path}/gone.pem"}
    answer = run_program("-t", "--database", "influxdb+https://127.0.0.1:1/test", environ=environ)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.splitlines() == [f"SSL_CERT_FILE: {tmp_path}/gone.pem: cannot be read: No such file or directory"]


def test_a_running_monitor_says_that_another_list_needs_another_start(tmp_path: Path, of_sites: Authority) -> None:
    with HttpServer() as server:
        websites = [{"URL": server.url("/")}]
        config = write_websites(tmp_path, websites)
        with Running("-m", "--silent", "-c", config) as monitor:
            wait_for_checks(local_file(config))
            write_websites(tmp_path, websites, caFile=of_sites.ca_file)
            monitor.until(lambda running: len(running.errors) == 2)
            assert monitor.interrupt() == 0
    assert monitor.errors[1] == "another database, location or caFile takes effect at the next start"
