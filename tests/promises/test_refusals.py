"""What a database refuses is never believed to be there: alerts go out in time, numbers are right, and it is said once."""

import re
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from monitoring.models import CheckResult
from monitoring.storage.sqlite.store import LocalStore
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import (
    FOREVER,
    Monitor,
    local_file,
    reading,
    stored_alerts,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.processes import run_program
from tests.support.target import Target, now_ms

pytestmark = pytest.mark.promise

DATABASE = "monitoring"
HOUR_MS = 3_600_000


def poison(server: Influxd) -> str:
    """A database in which somebody has written `available` as a boolean; its address."""
    server.query(f'CREATE DATABASE "{DATABASE}"')
    server.write(
        DATABASE, f"website_availability,host=x available=true,covers=2000i,lag=0,status=200i {now_ms() * 1_000_000}"
    )
    return server.url(DATABASE)


def test_a_database_that_refuses_every_check_delays_no_alert_and_gives_no_number(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    config = write_config(tmp_path, [target.url("/shop")], database=poison(own_influxd))
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), more_than=4)
        target.go_down("/shop")
        monitor.wait_for_announcement("alert")
        target.come_back("/shop")
        monitor.wait_for_announcement("recovery")
        wait_for(lambda: len(monitor.objects("stats")) > 1, "statistics")
        wait_for(lambda: undelivered(local_file(config)) == 0, "everything to be delivered, or refused")
        looked = run_program("-p", "--once", "--format", "text", "-c", config)
        assert monitor.terminate() == 0
    assert {line["source"] for line in monitor.objects("stats")} == {"local"}
    (told,) = [line for line in monitor.errors if "available" in line]
    assert told.startswith(f"InfluxDB at 127.0.0.1:{own_influxd.port} refused: partial write: field type conflict")
    assert told.endswith("in the local file, to be tried again every hour")
    assert "refused" in looked.stdout
    assert "the local file" in looked.stdout
    checks = stored_checks(local_file(config))
    with reading(local_file(config)) as file:
        refused = sum(it.count for it in file.refusals() if it.kind == "checks")
        assert refused + file.pending().points == len(checks)
    store = store_at(address_of(own_influxd, DATABASE))
    assert list(store.alerts(FOREVER)) == stored_alerts(local_file(config)), "what it takes is delivered"
    assert {check.host for check in store.results(FOREVER)} == {"x"}
    store.close()


def test_a_database_that_is_mended_gets_all_of_it_at_the_next_contact(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    config = write_config(tmp_path, [target.url("/shop")], database=poison(own_influxd))
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=8)
        with reading(local_file(config)) as file:
            wait_for(file.refusals, "the first refusal")
        own_influxd.query(f'DROP DATABASE "{DATABASE}"')
        own_influxd.stop()
        own_influxd.start()
        store = store_at(address_of(own_influxd, DATABASE))
        with reading(local_file(config)) as file:
            wait_for(lambda: not file.refusals(), "nothing to be refused any more", 90)
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery", 90)
        wait_for(lambda: any("takes again what it refused" in line for line in monitor.errors), "a line on stderr")
        assert monitor.terminate() == 0
    left = undelivered(local_file(config))
    there, here = list(store.results(FOREVER)), stored_checks(local_file(config))
    assert there == here[: len(there)]
    assert len(here) - len(there) <= left
    store.close()


def test_a_retention_policy_shorter_than_the_backlog_drops_the_old_in_words_and_lets_the_new_through(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    own_influxd.query(f'CREATE DATABASE "{DATABASE}" WITH DURATION 1h')
    config = write_config(tmp_path, [target.url("/shop")], database=own_influxd.url(DATABASE))
    old = [CheckResult(target.url("/shop"), now_ms() - 3 * HOUR_MS + n * 1_000, 1_000, 5, 200, 900) for n in range(3_600)]
    with closing(LocalStore(local_file(config))) as store:
        store.append(old, [], now_ms())
    with Monitor(config) as monitor:
        from_influxdb = partial(filter, lambda line: line["source"] == "influxdb")
        wait_for(lambda: list(from_influxdb(monitor.objects("stats"))), "statistics of what was not refused", 90)
        assert monitor.terminate() == 0
    (told,) = [line for line in monitor.errors if "nothing that old" in line]
    dropped = re.search(r"it dropped (\d+) points; they stay in the local file", told)
    assert dropped
    assert int(dropped[1]) >= len(old), "the summaries of that time as well"
    with closing(store_at(address_of(own_influxd, DATABASE))) as database:
        assert set(database.results(FOREVER)) <= set(stored_checks(local_file(config))) - set(old)
        assert list(database.results(FOREVER))


def test_a_named_database_with_a_wrong_password_is_said_without_a_header_and_again_when_it_is_over(
    tmp_path: Path, target: Target
) -> None:
    with Influxd({"INFLUXDB_HTTP_AUTH_ENABLED": "true"}) as server:
        server.query("CREATE USER admin WITH PASSWORD 'right' WITH ALL PRIVILEGES")
        server.query("CREATE USER monitor WITH PASSWORD 'other' WITH ALL PRIVILEGES", "admin", "right")
        address = f"influxdb://monitor:wrong@127.0.0.1:{server.port}/{DATABASE}"
        config, name = (
            write_config(tmp_path, [target.url("/shop")], database=address),
            f"InfluxDB at 127.0.0.1:{server.port}",
        )
        with Monitor(config, "--silent") as monitor:
            wait_for(lambda: any("in the local file" in line for line in monitor.errors), "a line on stderr")
            wait_for_checks(local_file(config), more_than=8)
            server.query("SET PASSWORD FOR monitor = 'wrong'", "admin", "right")
            wait_for(lambda: f"{name} is there again" in monitor.errors, "another line when it is over", 90)
            assert monitor.terminate() == 0
        start, away, over = monitor.errors
        assert start.startswith("nothing of the past could be taken over")
        assert away.startswith(f"{name} does not accept these credentials; ")
        assert over == f"{name} is there again"
        assert "wrong" not in "".join(monitor.errors)


def test_a_named_database_that_hangs_is_said_without_a_header_and_again_when_it_is_over(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    config = write_config(tmp_path, [target.url("/shop")], database=own_influxd.url(DATABASE))
    name = f"InfluxDB at 127.0.0.1:{own_influxd.port}"
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=4)
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery")
        own_influxd.pause()
        wait_for(lambda: monitor.errors, "a line on stderr", 90)
        wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + 8)
        own_influxd.resume()
        wait_for(lambda: f"{name} is there again" in monitor.errors, "another line when it is over", 90)
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery", 90)
        assert monitor.terminate() == 0
    away, over = monitor.errors
    assert away.startswith(f"{name} does not answer in time; ")
    assert over == f"{name} is there again"
