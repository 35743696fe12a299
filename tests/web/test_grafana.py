"""The dashboards of deploy/grafana: each of their questions is put to a real Prometheus, or to a real InfluxDB."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from monitoring.clock import SystemClock
from monitoring.models import Cause, CheckResult, SiteStatus, State
from monitoring.statistics.summary import Span
from monitoring.storage.base import Points
from monitoring.storage.influxdb.client import InfluxClient
from tests.support.grafana import dashboard, queries
from tests.support.influx_databases import PATIENT_S, new_database, store_at
from tests.support.influxd import Influxd
from tests.support.page import Shown, outage, serving_page, sites_named
from tests.support.prometheus import Prometheus
from tests.support.summaries import summaries_of

BY_PROMETHEUS, BY_INFLUXDB = queries("prometheus", "expr"), queries("influxdb", "query")
HOSTS = ("https://example.org/", "shop")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped a page with a site in each state."""
    shown = Shown(sites_named([str(state) for state in State]), SystemClock())
    now_ms = shown.clock.now_ms()
    for state, site in zip(State, shown.sites, strict=True):
        shown.states[site.host] = SiteStatus(state, now_ms - 60_000, None, "", now_ms // 1_000 + 86_400)
    shown.publish()
    with serving_page(shown) as url, Prometheus(tmp_path_factory.mktemp("prometheus"), url.split("/")[2]) as server:
        yield server


@pytest.fixture(scope="module")
def influx(influxd: Influxd) -> Iterator[InfluxClient]:
    """Two hours of two sites until a minute ago, delivered as a monitor does it."""
    now_ms = Span.MINUTE.start_of(int(time.time() * 1_000))  # the questions are about the time before the server's now
    checks = [made(host, now_ms - 60_000 - 10_000 * number, number) for number in range(720) for host in HOSTS]
    alerts = outage("shop", now_ms - 600_000, now_ms - 300_000)
    with new_database(influxd) as address, closing(store_at(address)) as store:
        store.write(Points(checks, alerts, summaries_of(checks)))
        with closing(InfluxClient(address, (1.0, PATIENT_S))) as client:
            yield client


MAINTAINED = range(100, 160)
"""The checks of the shop that were made during maintenance, by their numbers: 600 s."""


def made(host: str, time_ms: int, number: int) -> CheckResult:
    if host == "shop" and number in MAINTAINED:
        return CheckResult(host, time_ms, 10_000, 90, cause=Cause.CONNECT, detail="Connection refused", maintenance=1)
    if host == "shop" and number % 9 == 5:
        return CheckResult(host, time_ms, 10_000, 90, cause=Cause.TIMEOUT, detail="no answer within 5 s")
    phases = (900, 11_000, 22_500, 20_000, 2_600)
    return CheckResult(host, time_ms, 10_000, 90, 200, sum(phases), phases, certificate_s=1_800_000_000)


@pytest.mark.parametrize("query", BY_PROMETHEUS, ids=lambda query: query.panel)
def test_every_panel_finds_something_in_prometheus(prometheus: Prometheus, query: object) -> None:
    assert prometheus.ask(query.text)  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", BY_INFLUXDB, ids=lambda query: query.panel)
def test_every_panel_finds_something_in_influxdb(influx: InfluxClient, query: object) -> None:
    series = list(influx.query(query.text))  # type: ignore[attr-defined]
    assert any(row for one in series for row in one.values)


def test_the_states_are_counted(prometheus: Prometheus) -> None:
    counts = {query.panel: prometheus.answers(query.text) for query in BY_PROMETHEUS}
    assert (counts["Down"], counts["Failing"], counts["Not measured"]) == ([2.0], [1.0], [1.0])
    assert counts["In maintenance"] == [1.0]
    assert counts["Numbers are read"] == [1.0]
    assert counts["State"] == [0.0, 0.0, 1.0, 1.0, 1.0]  # 1 without an alert, in maintenance too; none if paused or unknown


def test_maintenance_is_shown_and_is_in_no_availability(influx: InfluxClient) -> None:
    panels = {query.panel: query.text for query in BY_INFLUXDB}
    (maintained,) = by_host(influx, panels["Maintenance by site"]).values()
    assert sum(row["maintenance"] for row in maintained) == 600
    known = {row["time"] for row in by_host(influx, panels["Availability by minute"])["shop"]}
    whole = {row["time"] for row in maintained if row["maintenance"] == 60}
    assert whole
    assert known.isdisjoint(whole), "it would be 100 % there"


def by_host(influx: InfluxClient, query: str) -> dict[str, list[dict[str, Any]]]:
    return {
        series.host: [dict(zip(series.columns, row, strict=True)) for row in series.values] for series in influx.query(query)
    }


def test_what_can_be_chosen_is_found(prometheus: Prometheus, influx: InfluxClient) -> None:
    labels = [it["query"]["query"] for it in dashboard("prometheus")["templating"]["list"][1:]]
    assert labels == ["label_values(monitoring_site_checks, name)", "label_values(monitoring_site_checks, location)"]
    assert {it["metric"]["name"] for it in prometheus.ask("monitoring_site_checks")} == {str(state) for state in State}
    (sites,) = dashboard("influxdb")["templating"]["list"][1:]
    assert {row[1] for one in influx.query(sites["query"]) for row in one.values} == set(HOSTS)


@pytest.mark.parametrize("name", ["prometheus", "influxdb"])
def test_a_dashboard_can_be_imported(name: str) -> None:
    """It names no data source of ours: who imports it chooses one. Panels do not overlap."""
    found = dashboard(name)
    assert next(it["name"] for it in found["templating"]["list"]) == "datasource"
    panels = found["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24
