"""What InfluxDB will not take: how much of it, which field, and why are known; the rest is stored."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from monitoring.errors import StoreRefused, StoreUnavailable
from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.storage.base import Points
from monitoring.storage.influxdb.client import BATCH, InfluxClient
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influx_databases import PATIENT_S, new_database, store_at
from tests.support.influxd import Influxd
from tests.support.points import by_host
from tests.support.summaries import summaries_of

NOW_MS = 1_767_225_600_000
WINDOW = Window(NOW_MS - 10**9, NOW_MS + 10**9)
HOUR_MS = 3_600_000


def check(host: str = "a", at: int = 0, now_ms: int = NOW_MS) -> CheckResult:
    return CheckResult(host, now_ms + at, covers_ms=2_000, lag_us=7, status=200, response_us=1_500)


@pytest.fixture
def database(influxd: Influxd) -> Iterator[str]:
    with new_database(influxd) as address:
        yield address.database


EACH_HAS = ",covers=2000i,lag=0,status=0i"
"""The fields beside `available` that a point must have to be a check."""


@pytest.fixture
def store(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as opened:
        yield opened


def refused(store: InfluxStore, points: Points) -> StoreRefused:
    with pytest.raises(StoreRefused) as caught:
        store.write(points)
    return caught.value


def seen(error: StoreRefused) -> tuple[int | None, str, bool]:
    return error.dropped, error.field, error.by_age


def test_a_field_of_another_type_is_named_and_all_its_points_are_counted(influxd: Influxd) -> None:
    """Somebody wrote `available` as a boolean first: nothing of ours is taken, and nothing is believed to be there."""
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        influxd.write(address.database, f"website_availability,host=x available=true{EACH_HAS} {NOW_MS * 1_000_000}")
        error = refused(store, Points(checks=[check(at=at) for at in range(50)]))
        assert seen(error) == (50, "available", False)
        assert "already exists as type boolean" in str(error)
        assert [found.host for found in store.results(WINDOW)] == ["x"]


def test_only_the_points_that_have_the_field_are_dropped(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        influxd.write(address.database, f"website_availability,host=x cause=1 {NOW_MS * 1_000_000}")
        checks = [check(at=0), replace(check(at=1), cause=Cause.DNS), check(at=2)]
        assert seen(refused(store, Points(checks=checks))) == (1, "cause", False)
        assert list(store.results(WINDOW)) == [checks[0], checks[2]]
        store.write(Points(checks=[check(at=3)]))


def test_summaries_and_alerts_are_refused_as_checks_are(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        influxd.write(address.database, f"website_availability_1m,host=x checks=1.5 {NOW_MS * 1_000_000}")
        influxd.write(address.database, f"website_alerts,host=x type=1 {NOW_MS * 1_000_000}")
        error = refused(store, Points(summaries=summaries_of([check()])))
        assert seen(error) == (1, "checks", False)
        alert = Alert(AlertType.ALERT, "a", NOW_MS, NOW_MS, None, 1.0, Cause.DNS)
        assert seen(refused(store, Points(alerts=[alert]))) == (1, "type", False)


def test_every_request_of_a_long_write_is_sent_and_its_refusals_add_up(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        influxd.write(address.database, f"website_availability,host=x cause=1 {NOW_MS * 1_000_000}")
        checks = [replace(check(at=at), cause=Cause.DNS if at in (0, BATCH + 1) else None) for at in range(BATCH + 10)]
        assert seen(refused(store, Points(checks=checks))) == (2, "cause", False)
        assert by_host(store.counts(WINDOW)) == {"a": BATCH + 8}


def test_what_is_older_than_the_retention_policy_is_dropped_by_age(influxd: Influxd) -> None:
    now_ms = int(time.time() * 1_000)  # the server's clock decides
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        influxd.query(f'CREATE RETENTION POLICY "short" ON "{address.database}" DURATION 1h REPLICATION 1 DEFAULT')
        checks = [check(at=-5 * HOUR_MS - at, now_ms=now_ms) for at in range(3)] + [check(now_ms=now_ms)]
        assert seen(refused(store, Points(checks=checks))) == (3, "", True)
        assert list(store.results(Window(now_ms - 10**9, now_ms + 1))) == [checks[-1]]


def test_more_sites_than_a_tag_may_have_values_are_refused() -> None:
    """InfluxDB drops good points beside them, and does not count those: only a request that it takes whole is stored."""
    with Influxd({"INFLUXDB_DATA_MAX_VALUES_PER_TAG": "3"}) as server, new_database(server) as address:
        store = store_at(address)
        store.write(Points(checks=[check(f"known {number}") for number in range(3)]))
        error = refused(store, Points(checks=[check("new 1", 1), check("known 1", 1), check("new 2", 1)]))
        assert seen(error) == (2, "", False)
        assert "max-values-per-tag limit exceeded" in str(error)
        assert seen(refused(store, Points(checks=[check("new 1", 1), check("new 2", 1)]))) == (2, "", False)
        store.write(Points(checks=[check("known 1", 1)]))
        assert [found.host for found in store.results(WINDOW) if found.time_ms > NOW_MS] == ["known 1"]


def test_more_series_than_a_database_may_hold_leave_open_how_many_are_refused() -> None:
    """InfluxDB drops the whole request then and counts all of it, though it takes the half of it that it knows."""
    with Influxd({"INFLUXDB_DATA_MAX_SERIES_PER_DATABASE": "4"}) as server, new_database(server) as address:
        store = store_at(address)
        store.write(Points(checks=[check(f"known {number}") for number in range(3)]))
        error = refused(store, Points(checks=[check("new 1", 1), check("new 2", 1), check("known 1", 1)]))
        assert seen(error) == (None, "", False)
        assert "max-series-per-database limit exceeded" in str(error)
        store.write(Points(checks=[check("known 1", 1)]))
        assert [found.host for found in store.results(WINDOW) if found.time_ms > NOW_MS] == ["known 1"]


@pytest.mark.parametrize("name", ["", "line\nend", "back\\slash", "end\\", "nul\x00", "cr\r", "\ud800"])
def test_a_name_that_no_tag_can_hold_is_refused_alone(store: InfluxStore, name: str) -> None:
    assert seen(refused(store, Points(checks=[check("good"), check(name), check("fine")]))) == (1, "", False)
    alert = Alert(AlertType.ALERT, name, NOW_MS, NOW_MS, None, 1.0, Cause.DNS)
    assert seen(refused(store, Points(alerts=[alert], summaries=summaries_of([check(name)])))) == (4, "", False)
    assert {found.host for found in store.results(WINDOW)} == {"good", "fine"}


@pytest.mark.parametrize(
    ("lines", "stored"),
    [(["nonsense"], 0), ([f"m,host=a x=1 {NOW_MS}", "nonsense", f"m,host=b x=1 {NOW_MS}"], 2)],
    ids=["alone", "among others"],
)
def test_of_lines_that_cannot_be_read_it_does_not_say_how_many_were_dropped(
    influxd: Influxd, lines: Sequence[str], stored: int
) -> None:
    with new_database(influxd) as address:
        client = InfluxClient(address, (1.0, PATIENT_S))
        with pytest.raises(StoreRefused, match="unable to parse") as caught:
            client.write(lines)
        assert caught.value.dropped is None
        assert sum(len(series.values) for series in client.query("SELECT * FROM m")) == stored
        client.close()


def test_fields_of_other_types_in_our_measurement_are_named_when_they_are_read(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        fields = 'available=1i,status=200i,lag=0,covers="two"'
        influxd.write(address.database, f"website_availability,host=x {fields} {NOW_MS * 1_000_000}")
        with pytest.raises(StoreUnavailable, match="fields of other types in website_availability"):
            store.stats(WINDOW, exact=True)
        assert not list(store.results(WINDOW))


@pytest.mark.parametrize("missing", ["available", "covers", "status"])
def test_half_a_point_is_no_check_yet(influxd: Influxd, missing: str) -> None:
    """InfluxDB stores a point field by field, and a reader sees what is there: a gateway refused all for one half."""
    fields = {"available": "1i", "covers": "2000i", "lag": "0", "status": "200i"}
    half = ",".join(f"{name}={value}" for name, value in fields.items() if name != missing)
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        store.write(Points(checks=[check("whole")]))
        influxd.write(address.database, f"website_availability,host=half {half} {NOW_MS * 1_000_000}")
        assert [found.host for found in store.results(WINDOW)] == ["whole"]
        assert store.stats(WINDOW, exact=True).keys() == {"whole"}


def test_what_other_programs_wrote_does_no_harm(influxd: Influxd) -> None:
    """Unknown causes are `error`; an alert or a summary that is none of ours is passed over."""
    time_ns = NOW_MS * 1_000_000
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        for line in (
            f'website_availability,host=x available=0i{EACH_HAS},cause="aliens" {time_ns}',
            f"website_availability,host=y available=1i{EACH_HAS} {time_ns}",
            f"website_availability,host=z temperature=21 {time_ns}",
            f'website_alerts,host=x type="siren" {time_ns}',
            f'website_alerts,host=y type="alert",startDate="yesterday",availability=1 {time_ns}',
            f'website_availability_1m,host=y checks=9i,packed="nonsense" {time_ns}',
            f"website_availability_1h,host=y checks=9i {time_ns}",
        ):
            influxd.write(address.database, line)
        for exact in (True, False):
            found = store.stats(WINDOW, exact=exact)
            assert {host: site.checks for host, site in found.items()} == {"x": 1, "y": 1}
            assert found["x"].causes == {Cause.ERROR: 1}
        assert {found.host: found.cause for found in store.results(WINDOW)} == {"x": Cause.ERROR, "y": None}
        assert not store.alerts(WINDOW)
        assert not store.last_alerts()
