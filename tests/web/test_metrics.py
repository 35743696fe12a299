"""The numbers for Prometheus: what is in them, what is not, and what a real Prometheus makes of them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.clock import SystemClock
from monitoring.display.view_model.overview import STALE_MS
from monitoring.models import Cause, SiteStatus, State
from monitoring.web.metrics import MetricsKeeper, metrics_text
from tests.support.page import HOSTILE, NOW_MS, Shown, outage, serving_page, sites_named
from tests.support.prometheus import Prometheus, lint

Samples = Mapping[tuple[str, str, str], float]


def scene(clock: SystemClock | None = None) -> Shown:
    shown = Shown(sites_named(["shop", "orders", "paused", "unknown"]), clock)
    now_ms = shown.clock.now_ms()
    states = (State.DOWN, State.FAILING, State.PAUSED, State.UNKNOWN)
    shown.states = {
        site.host: SiteStatus(state, now_ms - 9_000, certificate_s=1_790_000_000)
        for site, state in zip(shown.sites, states, strict=True)
    }
    shown.publish()
    return shown


def samples(shown: Shown) -> Samples:
    """By name of the metric, name of the site and its further label."""
    own = {"site", "name", "location"}
    text = metrics_text(shown.board.latest().overview).decode()
    return {
        (it.name, it.labels.get("name", ""), " ".join(value for key, value in it.labels.items() if key not in own)): it.value
        for family in text_string_to_metric_families(text)
        for it in family.samples
    }


def test_up_is_told_only_of_sites_that_are_checked_and_known() -> None:
    found = samples(scene())
    assert {name: value for (metric, name, _), value in found.items() if metric == "monitoring_site_up"} == {
        "shop": 0.0,
        "orders": 1.0,
    }
    assert found["monitoring_site_state", "unknown", "unknown"] == 1.0
    assert found["monitoring_site_state", "unknown", "up"] == 0.0


def test_the_numbers_are_those_of_the_page() -> None:
    found = samples(scene())
    assert found["monitoring_site_availability_ratio", "shop", "10m"] == 0.6
    assert found["monitoring_site_availability_ratio", "orders", "90d"] == 1.0
    assert found["monitoring_site_coverage_ratio", "shop", "24h"] == 1.0
    assert found["monitoring_site_downtime_seconds", "shop", "1h"] == 1_440.0
    assert found["monitoring_site_response_time_seconds", "shop", "p95"] == 0.054
    assert found["monitoring_site_phase_seconds", "shop", "tls"] == 0.0225
    assert found["monitoring_site_failures", "shop", "timeout"] == 120.0
    assert found["monitoring_site_checks", "shop", "10m"] == 300.0
    assert found["monitoring_site_certificate_expiry_timestamp_seconds", "shop", ""] == 1_790_000_000
    assert found["monitoring_site_last_check_timestamp_seconds", "shop", ""] == (NOW_MS - 1_000) / 1_000
    assert found["monitoring_store_up", "", ""] == 1.0


def test_outages_are_counted_by_cause_as_far_as_they_lie_in_a_window() -> None:
    shown = scene()
    host, day_ms = shown.sites[0].host, 86_400_000
    ended = outage(host, NOW_MS - day_ms - 60_000, NOW_MS - day_ms + 30_000)
    status = [replace(it, cause=Cause.STATUS) for it in outage(host, NOW_MS - 3 * day_ms, NOW_MS - 3 * day_ms + 5_000)]
    shown.alerts = [*status, *ended, *outage(host, NOW_MS - 73_000, None)]
    shown.publish()
    found = {key: value for key, value in samples(shown).items() if key[0] == "monitoring_site_outage_seconds"}
    assert {key[1] for key in found} == {"shop"}
    assert {key[2]: value for key, value in found.items()} == {
        "timeout 10m": 73, "timeout 1h": 73, "timeout 24h": 103, "timeout 30d": 163, "timeout 90d": 163,
        "status 30d": 5, "status 90d": 5,
    }  # fmt: skip


def test_an_outage_that_nobody_measures_any_more_ends_with_the_last_check() -> None:
    shown = scene()
    host = shown.sites[0].host
    shown.alerts = outage(host, NOW_MS - 900_000, None)
    shown.states[host] = SiteStatus(State.UNKNOWN, NOW_MS - 560_000)
    shown.publish()
    found = {key[2]: value for key, value in samples(shown).items() if key[0] == "monitoring_site_outage_seconds"}
    assert (found["timeout 10m"], found["timeout 1h"], found["timeout 90d"]) == (40, 340, 340)


def test_when_the_store_was_not_read_for_long_there_are_no_numbers_of_sites() -> None:
    shown = scene()
    shown.clock.advance(STALE_MS / 1_000 + 1)  # type: ignore[attr-defined]
    found = samples(shown)
    assert found["monitoring_store_up", "", ""] == 0.0
    assert [key for key in found if key[0].startswith("monitoring_site")] == []


def test_before_the_first_answer_there_are_none() -> None:
    shown = Shown(sites_named(["shop"]))
    shown.has_data = False
    shown.publish()
    assert samples(shown)["monitoring_store_up", "", ""] == 0.0


def test_names_are_data() -> None:
    shown = Shown(sites_named(HOSTILE))
    shown.sites[0] = replace(shown.sites[0], host='http://a/"\\\n} 1\nup 7')
    shown.publish()
    found = samples(shown)
    assert {name for metric, name, _ in found if metric == "monitoring_site_up"} == set(HOSTILE)
    assert ("up", "", "") not in found


THOUSAND = tuple(f"{HOSTILE[number % len(HOSTILE)]} {number}" for number in range(1_000))


@pytest.mark.parametrize("names", [("shop", "orders"), HOSTILE, THOUSAND], ids=["plain", "hostile", "thousand"])
def test_promtool_finds_nothing_wrong(names: tuple[str, ...]) -> None:
    shown = Shown(sites_named(names))
    shown.publish()
    assert lint(metrics_text(shown.board.latest().overview)) == ""


def test_they_are_written_once_a_reading() -> None:
    shown, keeper = scene(), MetricsKeeper()
    first = keeper.text(shown.board.latest())
    assert keeper.text(shown.board.latest()) is first
    shown.states[shown.sites[0].host] = SiteStatus(State.UP, NOW_MS)
    shown.publish()
    assert b'monitoring_site_up{location="",name="shop",site="https://site-0.example.org/"} 1.0' in keeper.text(
        shown.board.latest()
    )
    shown.clock.advance(STALE_MS / 1_000 + 1)  # type: ignore[attr-defined]
    assert b"monitoring_site_up{" not in keeper.text(shown.board.latest())


def test_promtool_would_find_something() -> None:
    assert "counter" in lint(b"# TYPE requests counter\nrequests 1\n")


def test_a_real_prometheus_scrapes_them_and_hears_when_a_site_is_no_longer_known(tmp_path: Path) -> None:
    shown = scene(SystemClock())
    with serving_page(shown) as url, Prometheus(tmp_path, url.split("/")[2]) as prometheus:
        assert prometheus.answers("monitoring_site_up") == [0.0, 1.0]
        assert prometheus.answers('monitoring_site_up{name="shop"}') == [0.0]
        freshness = prometheus.answers('time() - monitoring_site_last_check_timestamp_seconds{name="shop"}')
        assert 0 <= freshness[0] < STALE_MS / 1_000
        shown.states[shown.sites[1].host] = SiteStatus(State.UNKNOWN)
        shown.publish()
        wait_until_absent(prometheus, 'monitoring_site_up{name="orders"}')
        assert prometheus.answers('monitoring_site_up{name="shop"}') == [0.0]


def wait_until_absent(prometheus: Prometheus, query: str) -> None:
    from tests.support.monitor import wait_for

    wait_for(lambda: prometheus.answers(f"absent({query})") == [1.0], f"{query} is absent")
