"""Plain lines and JSON: exact to the character, since scripts rely on them; and which sites are shown."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.display.text.jsonlines import alert_json, stats_json
from monitoring.display.text.plain import closing_lines, placeholder_line, stats_lines
from monitoring.display.view_model.ranking import longest_outages
from monitoring.display.view_model.values import Closing, ClosingRow, Header, SiteRow, StatsReport
from monitoring.display.words import alert_sentence, ongoing_text
from monitoring.models import Alert, AlertType, Cause, ResponseTimes, SiteStats, SiteStatus, State, Window
from monitoring.names import printable
from monitoring.storage.delivery.words import undelivered_text

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
HOST = "http://via.ecp.fr"

DOWN = Alert(AlertType.ALERT, HOST, NOON, NOON - 26_000, None, 79.99, Cause.TIMEOUT)
RECOVERED = Alert(AlertType.RECOVERY, HOST, NOON + 300_000, NOON - 26_000, NOON + 174_000, 80.0, Cause.TIMEOUT)

IN_30_DAYS_S = NOON // 1_000 + 30 * 86_400

GOOD = SiteStats(
    host=HOST,
    checks=300,
    available=298,
    covered_ms=600_000,
    available_ms=596_000,
    response=ResponseTimes(25_500.0, 12_000, 90_000, 20_000, 60_000, 80_000),
    phases_us={"resolve": 1_500.0, "connect": 4_000.0, "processing": 19_000.0, "transfer": 1_000.0},
    statuses={503: 1, 200: 298},
    causes={Cause.TIMEOUT: 1, Cause.STATUS: 1},
    last_failure_ms=NOON - 60_000,
)


def row(host: str, state: State = State.UP, available_ms: int = 0, covered_ms: int = 0) -> SiteRow:
    stats = SiteStats(host, checks=covered_ms // 2_000, covered_ms=covered_ms, available_ms=available_ms)
    return SiteRow(host, None, stats, SiteStatus(state))


def report(*rows: SiteRow, length_ms: int = 600_000) -> StatsReport:
    return StatsReport(Window.before(NOON, length_ms), "local", rows)


@given(st.text(st.characters()))
def test_no_name_at_all_gets_a_control_character_through(name: str) -> None:
    """Surrogates, which some platforms make of broken bytes, included."""
    assert printable(name).isprintable()
    lines = [
        alert_sentence(replace(DOWN, host=name)),
        *stats_lines(report(replace(row("h"), host=name, name=name))),
        *closing_lines(Closing(0, 1, (ClosingRow(name, name, 0, 0, 0, 0),))),
        placeholder_line(Header(1, name, name)),
    ]
    assert all(line.isprintable() for line in lines)


@given(st.text(st.characters()))
def test_json_lines_are_one_line_of_ascii_and_keep_the_name(name: str) -> None:
    for line in (stats_json(report(replace(row("h"), name=name))), alert_json(DOWN, name)):
        assert line.isascii()
        assert line.isprintable()
    assert json.loads(alert_json(DOWN, name))["name"] == name


def test_statistics_as_json_say_everything_they_know() -> None:
    status = SiteStatus(State.FAILING, NOON - 3_600_000, NOON - 1_000, "certificate has expired", IN_30_DAYS_S)
    seen = json.loads(stats_json(report(SiteRow(HOST, "via", GOOD, status))))
    assert seen == {
        "schema": 1,
        "kind": "stats",
        "window": 600,
        "from": "2026-01-01T11:50:00.000Z",
        "until": "2026-01-01T12:00:00.000Z",
        "source": "local",
        "sites": [
            {
                "URL": HOST,
                "name": "via",
                "group": None,
                "tags": [],
                "checks": 300,
                "available": 298,
                "availability": 99.33,
                "coverage": 100.0,
                "maintenance": 0,
                "responseTime": {"mean": 0.0255, "min": 0.012, "max": 0.09, "p50": 0.02, "p95": 0.06, "p99": 0.08},
                "phases": {"resolve": 0.0015, "connect": 0.004, "tls": None, "processing": 0.019, "transfer": 0.001},
                "statuses": {"200": 298, "503": 1},
                "causes": {"status": 1, "timeout": 1},
                "state": "failing",
                "since": "2026-01-01T11:00:00.000Z",
                "lastFailure": "2026-01-01T11:59:59.000Z",
                "detail": "certificate has expired",
                "certificateExpires": "2026-01-31T12:00:00.000Z",
            }
        ],
    }


def test_what_is_unknown_is_null_in_json_and_never_zero() -> None:
    (site,) = json.loads(stats_json(report(SiteRow(HOST, None, SiteStats(HOST), SiteStatus()))))["sites"]
    assert site == {
        "URL": HOST,
        "name": None,
        "group": None,
        "tags": [],
        "checks": 0,
        "available": 0,
        "availability": None,
        "coverage": 0.0,
        "maintenance": 0,
        "responseTime": dict.fromkeys(("mean", "min", "max", "p50", "p95", "p99")),
        "phases": dict.fromkeys(("resolve", "connect", "tls", "processing", "transfer")),
        "statuses": {},
        "causes": {},
        "state": "unknown",
        "since": None,
        "lastFailure": None,
        "detail": None,
        "certificateExpires": None,
    }


def test_numbers_in_json_are_as_exact_as_what_was_measured() -> None:
    """Microseconds; hundredths of a percent, where 100 means that every second was good."""
    response = replace(GOOD.response, mean_us=25_500.6666) if GOOD.response else None
    stats = replace(GOOD, response=response, phases_us={"resolve": 1_000 / 3}, available_ms=GOOD.covered_ms - 1)
    (site,) = json.loads(stats_json(report(SiteRow(HOST, None, stats, SiteStatus()))))["sites"]
    assert (site["responseTime"]["mean"], site["phases"]["resolve"], site["availability"]) == (0.025501, 0.000333, 99.99)


def test_json_has_the_documented_form() -> None:
    """No spaces, keys in the order of the documentation, a window of broken seconds kept."""
    line = stats_json(report(row(HOST), length_ms=1_500))
    assert line.startswith('{"schema":1,"kind":"stats","window":1.5,"from":"')
    assert line.index('"URL"') < line.index('"responseTime"') < line.index('"lastFailure"')


def test_transitions_as_json() -> None:
    assert json.loads(alert_json(DOWN, None)) == {
        "schema": 1,
        "kind": "alert",
        "type": "alert",
        "URL": HOST,
        "name": None,
        "time": "2026-01-01T12:00:00.000Z",
        "startDate": "2026-01-01T11:59:34.000Z",
        "endDate": None,
        "availability": 79.99,
        "cause": "timeout",
        "detail": None,
    }
    expired = replace(DOWN, cause=Cause.TLS, detail="certificate has expired")
    assert json.loads(alert_json(expired, None))["detail"] == "certificate has expired"
    recovered = json.loads(alert_json(replace(RECOVERED, cause=None), "via"))
    assert (recovered["type"], recovered["name"], recovered["cause"]) == ("recovery", "via", None)
    assert recovered["endDate"] == "2026-01-01T12:02:54.000Z"


@pytest.mark.parametrize(
    ("window_ms", "status_ms", "latest"), [(None, None, None), (5, None, 5), (None, 7, 7), (5, 7, 7), (9, 7, 9)]
)
def test_the_last_failure_is_the_newest_one_known(window_ms: int | None, status_ms: int | None, latest: int | None) -> None:
    site = SiteRow(HOST, None, SiteStats(HOST, last_failure_ms=window_ms), SiteStatus(last_failure_ms=status_ms))
    assert site.last_failure_ms == latest


def test_plain_lines_name_group_and_tags_where_a_site_has_any() -> None:
    plain = row(HOST)
    assert "group" not in stats_lines(report(plain))[1]
    first, second = stats_lines(report(replace(plain, group="the shop", tags=("eu", "web")), plain))[1:]
    assert first.split()[-3:] == ["group=theshop", "tags=eu,web", HOST]
    assert second.split()[-3:] == ["group=-", "tags=-", HOST]


def test_plain_lines_end_with_the_reason_of_a_failure() -> None:
    status = SiteStatus(State.DOWN, NOON, NOON, 'SSL: no alternative name matches "a\x1bb"')
    named = SiteRow(HOST, "via", GOOD, status)
    _, first, second = stats_lines(report(named, replace(named, name=None)))
    assert first.endswith("""  (via)  detail="no alternative name matches 'a\\x1bb'\"""")
    assert second.endswith("""'\"""")
    assert "detail" not in stats_lines(report(replace(named, status=replace(status, state=State.UP))))[1]


def test_plain_statistics_are_a_heading_and_an_aligned_line_a_site() -> None:
    good = SiteRow(HOST, "via", GOOD, SiteStatus(State.UP, NOON - 59_000))
    head, first, second = stats_lines(report(good, row("https://example.org/")))
    assert head == "== past 10 minutes until 2026-01-01T12:00:00.000Z, 2 sites, from local"
    assert first.split() == [
        "up",
        "availability=99.33%",
        "coverage=100.00%",
        "checks=300",
        "mean=25.5ms",
        "p95=60.0ms",
        "max=90.0ms",
        "status=200:298,503:1",
        "causes=status:1,timeout:1",
        "last-failure=2026-01-01T11:59:00.000Z",
        "for=59s",
        HOST,
        "(via)",
    ]
    assert second.split()[:5] == ["up", "availability=-", "coverage=0.00%", "checks=0", "mean=-"]
    assert first.index("for=") == second.index("for=")
    assert "".join((head, first, second)).isascii()


def test_while_nothing_is_known_that_is_said() -> None:
    assert placeholder_line(Header(1, "influxdb", "it has everything")) == (
        "== waiting for the first checks: 1 site, reading InfluxDB: it has everything"
    )


def test_the_closing_lists_sites_alerts_and_what_is_not_delivered() -> None:
    seen = ClosingRow(HOST, "via", 1_800, 3_400_000, 3_600_000, 1)
    lines = closing_lines(Closing(NOON - 3_600_000, NOON, (seen,), (DOWN, RECOVERED), (undelivered_text(12),)))
    assert lines == [
        "== monitored 1 site for 1 h, 2026-01-01T11:00:00.000Z to 2026-01-01T12:00:00.000Z",
        "availability=94.44%  coverage=100.00%  checks=1800  incidents=1  longest-outage=3min20s  http://via.ecp.fr  (via)",
        alert_sentence(DOWN, f"{HOST} (via)"),
        alert_sentence(RECOVERED, f"{HOST} (via)"),
        "12 points wait in the local file for the database; the next start sends what is left",
    ]


def test_the_closing_says_first_what_is_still_down_and_at_last_where_all_of_it_lies() -> None:
    seen, again = ClosingRow(HOST, "via", 1, 1, 1, 2), replace(DOWN, time_ms=NOON + 400_000, start_ms=NOON + 390_000)
    closing = Closing(NOON, NOON + 450_000, (seen,), (DOWN, RECOVERED, again), ("12 points wait",), stored="all is in x.db")
    lines = closing_lines(closing)
    assert lines[0] == f"still down: {ongoing_text(again, NOON + 450_000, f'{HOST} (via)')}"
    assert "has been down for 1 min" in lines[0]
    assert lines[1].startswith("== monitored 1 site")
    assert lines[-2:] == ["12 points wait", "all is in x.db"]


def test_the_closing_of_many_sites_shows_the_fifty_worst() -> None:
    rows = tuple(ClosingRow(f"http://site{place}", None, 10, 100 - place, 100, 0) for place in range(60))
    lines = closing_lines(Closing(0, 100, rows))
    assert len(lines) == 1 + 50 + 1
    assert lines[1].endswith("http://site59")
    assert lines[-1] == "... and 10 more, lowest availability 91.00 %"


def test_the_longest_outage_counts_one_that_goes_on() -> None:
    again = replace(DOWN, start_ms=NOON + 400_000)
    assert longest_outages([DOWN, RECOVERED], NOON) == {HOST: 200_000}
    assert longest_outages([DOWN, RECOVERED, again], NOON + 500_000) == {HOST: 200_000}
    assert longest_outages([DOWN, RECOVERED, again], NOON + 700_000) == {HOST: 300_000}
    assert longest_outages([RECOVERED], NOON) == {HOST: 200_000}  # the alert itself was before the run


def test_plain_and_json_output_start_without_rich() -> None:
    script = "import sys, monitoring.display; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(("left_s", "days"), [(86_400, 1), (86_399, 0), (0, 0), (-1, -1), (30 * 86_400, 30)])
def test_how_long_a_certificate_is_valid_is_shown_in_whole_days(left_s: int, days: int) -> None:
    plain = row(HOST, available_ms=2_000, covered_ms=2_000)
    known = replace(plain, status=replace(plain.status, certificate_s=NOON // 1_000 + left_s))
    assert f" cert={days}d " in stats_lines(report(known))[1]
    assert "cert" not in stats_lines(report(plain))[1]
