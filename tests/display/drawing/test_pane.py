"""The pane of one site: state, reason, the rule's sum, the hour, phases, percentiles, a chart."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.explain import earliest_recovery_ms
from monitoring.alerts.rule import evaluate
from monitoring.display.drawing.pane import cause_lines, certificate_lines, forecast_text, pane_lines
from monitoring.display.view_model.viewing import SiteLine
from monitoring.models import AlertType, Downtime, State
from monitoring.thresholds import Rule
from tests.support.views import HOSTS, NOON, measured, site, words

TEN_MIN, HOUR = 600_000, 3_600_000


def pane(down_ms: int = 26_000, state: State = State.DOWN, height: int = 44) -> list[str]:
    row = measured(site(HOSTS[1], state, 40, "health", "SSL certificate problem: certificate has expired"), down_ms)
    line = SiteLine(row, {TEN_MIN: row, HOUR: replace(row, stats=replace(row.stats, covered_ms=1_800_000))})
    return [one.plain for one in pane_lines(line, TEN_MIN, NOON, 50, height)]


def test_it_tells_all_of_a_site() -> None:
    text = words(pane())
    for what in (
        "health https://example.org/health ✖ down for 3 min 20 s, since ",
        "certificate has expired",
        "94.0 s good of 120.0 s measured = 78.3 %, a recovery needs 90 % recovers in >= 14 s if all pass",
        "Past hour",
        "down 1 min 20 s of 10 min, 40 of 300 checks failed timeout:40",
        "processing 20ms ━",
        "p50 20ms p95 60ms p99 80ms",
        "10m 86.66 % 1h 28.88 % (50 % measured)",
        "Response time, past 10 minutes",
    ):
        assert what in text


def test_what_does_not_fit_is_left_out_whole() -> None:
    for height in range(1, 44):
        assert len(pane(height=height)) <= height
    assert "Past hour" not in words(pane(height=9))


def test_of_a_site_that_is_up_it_says_what_an_alert_needs() -> None:
    text = words(pane(2_000, State.UP))
    assert "2.0 s down of 120 s = 1.6 %, an alert needs more than 20 %" in text
    assert "recovers" not in text


def test_a_certificate_that_has_expired_is_not_said_to_be_valid() -> None:
    row = site(HOSTS[0], State.UP)
    for days, said in ((-1, "certificate expired"), (3, "certificate valid for 3 d")):
        ends = replace(row, status=replace(row.status, certificate_s=NOON // 1_000 + days * 86_400))
        assert [line.plain for line in certificate_lines(ends, NOON)] == [said]


def test_nothing_is_forecast_where_the_window_is_not_known() -> None:
    assert forecast_text(site(HOSTS[0], State.DOWN)) == ""


@given(
    failed=st.lists(st.booleans(), min_size=1, max_size=60),
    threshold=st.integers(1, 99),
    more=st.integers(0, 60),
)
def test_no_site_recovers_earlier_than_is_said(failed: list[bool], threshold: int, more: int) -> None:
    """Whatever checks there were, every 2 s: seen by the rule itself, second by second, with good checks from now on."""
    rule = Rule(recovery_threshold=Rule().recovery_threshold, threshold=Rule().threshold * threshold / 99)
    checks = [(place * 2_000, bad) for place, bad in enumerate(failed)]
    now_ms = len(failed) * 2_000

    def seen(at_ms: int) -> Downtime:
        later = [(time_ms, False) for time_ms in range(now_ms, at_ms, 2_000)]
        inside = [bad for time_ms, bad in [*checks, *later] if at_ms - rule.window_ms <= time_ms < at_ms]
        return Downtime(len(inside), sum(inside), 2_000 * len(inside), 2_000 * sum(inside))

    earliest_ms = earliest_recovery_ms(seen(now_ms), rule)
    for at_ms in range(now_ms, now_ms + more * 2_000, 2_000):
        if evaluate(True, seen(at_ms), rule).change is AlertType.RECOVERY:
            assert at_ms - now_ms >= earliest_ms
            break


def test_counts_that_do_not_fit_into_a_line_are_wrapped() -> None:
    row = measured(site(HOSTS[1], State.DOWN, 40), 26_000)
    row = replace(row, stats=replace(row.stats, statuses={503: 1_000_000, 404: 2_000_000}))
    for width in (20, 30, 50):
        lines = [line.plain for line in cause_lines(row, width)]
        assert all(len(line) <= width for line in lines)
        assert words(lines).endswith("40 of 300 checks failed timeout:40 status 404:2000000 503:1000000")
