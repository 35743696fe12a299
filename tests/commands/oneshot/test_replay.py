"""`--replay` as a program: what another rule would have raised, beside what was; in text and JSON; how far checks reach."""

import json
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from monitoring.alerts.backtest import Messages
from monitoring.alerts.replay import Replay
from monitoring.alerts.rule import unwatched_record
from monitoring.commands.oneshot.replay import Trial, backtest
from monitoring.models import Alert, Cause, CheckResult, Site, Window
from monitoring.storage.sqlite.store import LocalStore
from monitoring.thresholds import Rule
from monitoring.units import HOUR_MS
from tests.support.memory_store import MemoryStore
from tests.support.points import START_MS
from tests.support.processes import run_program

SHOP = "http://shop.example"
HOURS = 6
FAILED_S = (range(7_200, 7_220), range(10_000, 10_100), range(18_000, 18_028))
"""20 s are no alert with the rule in force, 100 s and 28 s are."""

SINCE = ("--since", "2026-01-01T00:00:00Z")


def checks() -> list[CheckResult]:
    found = []
    for second in range(0, HOURS * 3_600, 2):
        cause = Cause.TLS if any(second in failed for failed in FAILED_S) else None
        detail = "certificate has expired" if cause else ""
        found.append(CheckResult(SHOP, START_MS + second * 1_000, 2_000, 0, 200, cause=cause, detail=detail))
    return found


def raised(rule: Rule | None = None) -> list[Alert]:
    replay = Replay(Site(SHOP, SHOP, rule=rule or Rule()), 2_000)
    for check in checks():
        replay.add(check)
    return list(replay.finish(START_MS + HOURS * HOUR_MS))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a shop that failed three times; the monitor raised two alerts."""
    path = tmp_path_factory.mktemp("shop") / "config.json"
    path.write_text(json.dumps({"websites": [{"URL": SHOP, "name": "shop"}], "database": "sqlite:"}))
    with closing(LocalStore(path.with_suffix(".db"))) as local:
        local.append(checks(), raised(), START_MS)
    return path


def replay(config: Path, *arguments: str) -> str:
    ended = run_program("--replay", *arguments, "-c", config)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_the_rule_in_force_would_have_raised_the_same(config: Path) -> None:
    assert len(raised()) == 4
    lines = replay(config, *SINCE).splitlines()
    assert lines[1] == "rule tried: alert below 80 % over 2 min, at least 2 failures, recovery at 90 %"
    assert lines[-3:] == [
        "alerts: 2 the same, 0 missed, 0 added, 0 earlier, 0 later",
        "state changes: 4 by the rule in force, 4 by the rule tried",
        "messages: 4 by the rule in force, 4 by the rule tried",
    ]


def test_a_stricter_rule_alerts_earlier_and_of_more(config: Path) -> None:
    lines = replay(config, *SINCE, "--threshold", "90").splitlines()
    assert "shop" in lines
    assert "  2026-01-01T02:00:14.000Z  tls: certificate has expired: added" in lines
    assert "  2026-01-01T02:47:06.000Z  tls: certificate has expired: 12 s earlier, at 2026-01-01T02:46:54.000Z" in lines
    assert "alerts: 0 the same, 0 missed, 1 added, 2 earlier, 0 later" in lines


def test_a_milder_rule_misses_what_was_short(config: Path) -> None:
    lines = replay(config, *SINCE, "--window", "5m", "--minimum-failures", "20").splitlines()
    assert lines[1] == "rule tried: alert below 80 % over 5 min, at least 20 failures, recovery at 90 %"
    assert "  2026-01-01T05:00:26.000Z  tls: certificate has expired: missed" in lines
    assert "alerts: 0 the same, 1 missed, 0 added, 0 earlier, 1 later" in lines


def test_json_is_one_object_a_site(config: Path) -> None:
    (line,) = replay(config, *SINCE, "--threshold", "90", "--format", "json").splitlines()
    found = json.loads(line)
    assert (found["schema"], found["kind"], found["URL"], found["name"]) == (1, "replay", SHOP, "shop")
    assert found["rule"] == {"threshold": 90, "recoveryThreshold": 90, "window": 120, "minimumFailures": 2}
    assert found["stateChanges"] == found["messages"] == {"raised": 4, "replayed": 6}
    assert [one["later"] for one in found["kept"]] == [-12, -12]
    assert (found["missed"], [one["cause"] for one in found["added"]]) == ([], ["tls"])
    assert found["from"] == found["since"] == "2026-01-01T00:00:00.000Z"


def test_checks_that_do_not_reach_back_are_said_to(config: Path) -> None:
    said = "there are no checks before 2026-01-01T00:00:00.000Z: alerts before that are left out"
    assert said in replay(config, "--since", "2025-12-01T00:00:00Z").splitlines()
    assert said not in replay(config, *SINCE)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--since", "2999-01-01"), 2, "--since: there are no checks after "),
        (("--since", "1h"), 1, "--since: there are no checks after "),
        (("--recovery-threshold", "70"), 2, "--recovery-threshold: must not be below the threshold, 80"),
        (("--window", "2d"), 2, "--window: the window of a rule is at most 1 d long"),
        (("--threshold", "101"), 2, "must be a number above 0 and up to 100 (percent)"),
        (("--threshold", "much"), 2, "must be a number"),
        (("--minimum-failures", "0"), 2, "must be a whole number from 1 to 1000"),
        (("--site", "shpo"), 2, "--site: no website is called shpo; did you mean shop?"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(config: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    ended = run_program("--replay", *arguments, "-c", config)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (status, "", 1)
    assert said in ended.stderr


@pytest.mark.parametrize("threshold", [80, 90, 99])
def test_hours_that_are_passed_over_change_nothing(threshold: int) -> None:
    """Summaries say that nothing failed in them. Read check by check the rule decides the same."""
    rule = Rule(threshold=Fraction(threshold), recovery_threshold=Fraction(threshold))
    store = MemoryStore()
    for check in checks():
        store.record(check)
    site, window = Site(SHOP, SHOP, rule=rule), Window(START_MS, START_MS + HOURS * HOUR_MS)
    (found,) = backtest(store, "", [Trial(site, site)], window, 2_000).sites
    assert found.replayed == raised(rule)


def test_an_outage_that_was_open_when_it_begins_is_no_new_one() -> None:
    store = MemoryStore()
    for point in [*checks(), *raised()]:
        store.record(point)
    window = Window(START_MS + 10_060_000, START_MS + HOURS * HOUR_MS)
    (found,) = backtest(store, "", [Trial(Site(SHOP, SHOP), Site(SHOP, SHOP))], window, 2_000).sites
    assert found.replayed == found.raised == raised()[1:]


def test_each_site_is_replayed_by_its_own_checks_and_what_two_tell_together_is_one_message() -> None:
    store, cafe = MemoryStore(), "http://cafe.example"
    both = [Site(SHOP, SHOP), Site(cafe, cafe)]
    for point in [*checks(), *raised()]:
        store.record(point)
        store.record(replace(point, host=cafe))
    late = START_MS + HOURS * HOUR_MS
    found = backtest(store, "", [Trial(site, site) for site in both], Window(START_MS, late), 2_000)
    assert [one.replayed for one in found.sites] == [raised(), [replace(alert, host=cafe) for alert in raised()]]
    assert [one.messages for one in found.sites] == [Messages(4, 4)] * 2
    assert found.messages == Messages(4, 4)


def test_an_outage_ends_with_the_watching_of_its_site_under_any_rule() -> None:
    """A site is removed 60 s into its outage and comes back 10 s later, still down: that alert is not of the old outage."""
    removed_ms, back_ms = START_MS + 10_060_000, START_MS + 10_070_000
    first, *_ = raised()
    end, second = unwatched_record(first, removed_ms), replace(first, time_ms=START_MS + 10_098_000, start_ms=back_ms)
    store = MemoryStore()
    for point in [*(it for it in checks() if not removed_ms <= it.time_ms < back_ms), first, end, second]:
        store.record(point)
    window = Window(START_MS, START_MS + 11_000_000)
    (found,) = backtest(store, "", [Trial(Site(SHOP, SHOP), Site(SHOP, SHOP))], window, 2_000).sites
    assert (found.missed, found.added, [pair.raised for pair in found.pairs]) == ([], [], [first, second])
    assert found.replayed[1] == end
