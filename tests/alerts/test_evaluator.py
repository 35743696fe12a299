"""Alerts from the stored checks: each transition written once, across restarts too."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.alerts.evaluator import Evaluator
from monitoring.alerts.rule import evaluate
from monitoring.models import Alert, AlertType, Cause, CheckResult, Downtime, Failure, Site, Window
from monitoring.statistics.reference import Ended
from monitoring.statistics.tracker import StatusTracker
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.sqlite.store import LocalStore
from monitoring.thresholds import Rule
from tests.support.clock import FakeClock
from tests.support.points import EVER, START_MS, check
from tests.support.simulation import evaluate_all

FAST = Site("fast", "http://fast/", interval_ms=2_000)
OTHER = Site("other", "http://other/", interval_ms=2_000)
SLOW = Site("slow", "http://slow/", interval_ms=300_000, rule=Rule(window_ms=600_000))
ALERT, RECOVERY = AlertType.ALERT, AlertType.RECOVERY


class Monitor:
    """What of a monitor an evaluator needs, on a file that survives it."""

    def __init__(self, path: Path, clock: FakeClock, *sites: Site) -> None:
        self.clock = clock
        self.local = LocalStore(path)
        self._store = LocalFirstStore(self.local, clock)
        self._tracker = StatusTracker(sites, self.local.last_states(EVER.until_ms))
        self.sites = sites
        self.evaluator = Evaluator(self._store, clock, self.local.last_alerts(), self._tracker.last_states, evaluate)
        self._store.start()

    def checked(self, site: Site, seconds: range, cause: Cause | None = None) -> None:
        """The site was checked at these seconds, each check standing for the step between them."""
        for second in seconds:
            result = CheckResult(site.host, START_MS + second * 1_000, seconds.step * 1_000, 0, cause=cause)
            self._tracker.observe(result)
            self._store.record(result)

    def evaluated_at(self, second: float) -> list[Alert]:
        """The records that a round at this second writes."""
        self.clock.advance(second - (self.clock.now_ms() - START_MS) / 1_000)
        return evaluate_all(self.evaluator, self.sites)

    def open_outages(self) -> list[Alert]:
        return self.evaluator.open_outages(self.sites)

    def end(self) -> None:
        assert self._store.finish(20)
        self._store.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START_MS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


@pytest.fixture
def monitor(path: Path, clock: FakeClock) -> Iterator[Monitor]:
    monitor = Monitor(path, clock, FAST, OTHER, SLOW)
    yield monitor
    monitor.end()


def stored(path: Path, clock: FakeClock) -> list[Alert]:
    local = LocalStore(path)
    found = list(local.alerts(EVER))
    local.close()
    return found


def alert(second: float, start: float, availability: float, cause: Cause = Cause.DNS) -> Alert:
    return Alert(ALERT, "fast", START_MS + round(second * 1_000), START_MS + round(start * 1_000), None, availability, cause)


def test_an_alert_is_written_and_told_once(monitor: Monitor) -> None:
    monitor.checked(FAST, range(0, 100, 2))
    monitor.checked(FAST, range(100, 126, 2), Cause.DNS)
    assert monitor.evaluated_at(124) == []
    wanted = alert(126, 100, 100 * 94 / 120)
    assert monitor.evaluated_at(126) == [wanted]
    assert list(monitor.local.alerts(EVER)) == [wanted]
    assert monitor.evaluator.last_alert("fast") == wanted
    assert monitor.open_outages() == [wanted]
    monitor.checked(FAST, range(126, 200, 2), Cause.DNS)
    for second in range(128, 200, 2):
        assert monitor.evaluated_at(second) == []
    assert list(monitor.local.alerts(EVER)) == [wanted]


def test_a_recovery_ends_the_outage_with_its_first_good_check(monitor: Monitor) -> None:
    monitor.checked(FAST, range(0, 60, 2), Cause.TLS)
    (opened,) = monitor.evaluated_at(60)
    monitor.checked(FAST, range(60, 180, 2))
    assert monitor.evaluated_at(166) == []
    (over,) = monitor.evaluated_at(168)
    assert over == Alert(RECOVERY, "fast", START_MS + 168_000, opened.start_ms, START_MS + 60_000, 90.0, Cause.TLS)
    assert monitor.open_outages() == []
    assert monitor.evaluated_at(170) == []


def test_sites_with_nothing_stay_as_they_are(monitor: Monitor) -> None:
    assert monitor.evaluated_at(0) == monitor.evaluated_at(10_000) == []
    assert monitor.evaluator.last_alert("fast") is None
    assert monitor.open_outages() == []
    monitor.checked(FAST, range(10_000, 10_050, 2), Cause.DNS)
    assert [found.host for found in monitor.evaluated_at(10_050)] == ["fast"]
    assert monitor.evaluated_at(20_000) == [], "nothing measured is no recovery"


def test_each_site_is_evaluated_by_its_own_window(monitor: Monitor) -> None:
    """Two failures five minutes apart: an alert for the site that is checked so rarely, and for no other."""
    monitor.checked(SLOW, range(0, 600, 300), Cause.TIMEOUT)
    monitor.checked(FAST, range(0, 4, 2), Cause.TIMEOUT)
    monitor.checked(FAST, range(4, 600, 2))
    assert monitor.evaluated_at(130) == []
    (found,) = monitor.evaluated_at(599)
    assert (found.host, found.start_ms, found.cause) == ("slow", START_MS, Cause.TIMEOUT)


def test_several_sites_go_down_at_once(path: Path, clock: FakeClock) -> None:
    sites = [Site(f"site {number}", "http://site/") for number in range(5)]
    monitor = Monitor(path, clock, *sites, SLOW)
    for number, site in enumerate(sites):
        monitor.checked(site, range(number, 60, 2), Cause.DNS if number % 2 else None)
    assert [found.host for found in monitor.evaluated_at(60)] == ["site 1", "site 3"]
    assert [found.start_ms - START_MS for found in monitor.open_outages()] == [1_000, 3_000]
    monitor.end()


def test_after_a_restart_nothing_is_announced_twice(path: Path, clock: FakeClock) -> None:
    first = Monitor(path, clock, FAST)
    first.checked(FAST, range(0, 60, 2), Cause.DNS)
    (opened,) = first.evaluated_at(60)
    first.end()
    second = Monitor(path, clock, FAST)
    assert second.open_outages() == [opened]
    second.checked(FAST, range(70, 120, 2), Cause.DNS)
    assert [second.evaluated_at(moment) for moment in range(62, 120, 2)] == [[]] * 29
    second.end()
    assert stored(path, clock) == [opened]


def test_after_a_restart_no_recovery_is_forgotten(path: Path, clock: FakeClock) -> None:
    """The site came back while the monitor was off: known from the first good check on, announced once it is sure."""
    first = Monitor(path, clock, FAST)
    first.checked(FAST, range(0, 60, 2), Cause.DNS)
    (opened,) = first.evaluated_at(60)
    first.end()
    second = Monitor(path, clock, FAST)
    second.checked(FAST, range(3_600, 3_696, 2))
    assert second.evaluated_at(3_694) == []
    (over,) = second.evaluated_at(3_696)
    assert (over.type, over.start_ms, over.end_ms) == (RECOVERY, opened.start_ms, START_MS + 3_600_000)
    second.end()
    assert stored(path, clock) == [opened, over]


def test_a_recovery_that_was_under_way_keeps_its_date_across_a_restart(path: Path, clock: FakeClock) -> None:
    first = Monitor(path, clock, FAST)
    first.checked(FAST, range(0, 60, 2), Cause.DNS)
    first.evaluated_at(60)
    first.checked(FAST, range(60, 100, 2))
    first.end()
    second = Monitor(path, clock, FAST)
    second.checked(FAST, range(104, 180, 2))
    (over,) = second.evaluated_at(172)
    assert over.end_ms == START_MS + 60_000
    second.end()


def test_after_a_recovery_the_next_outage_is_announced_as_a_new_one(monitor: Monitor) -> None:
    monitor.checked(FAST, range(0, 60, 2), Cause.DNS)
    monitor.checked(FAST, range(60, 200, 2))
    monitor.checked(FAST, range(200, 260, 2), Cause.TLS)
    told = [found for moment in range(58, 262, 2) for found in monitor.evaluated_at(moment)]
    assert [(it.type, it.cause) for it in told] == [(ALERT, Cause.DNS), (RECOVERY, Cause.DNS), (ALERT, Cause.TLS)]
    assert told[2].start_ms == START_MS + 200_000
    assert list(monitor.local.alerts(EVER)) == told


@pytest.mark.parametrize("restarted", [False, True])
def test_the_downtime_of_an_outage_that_has_ended_is_not_counted_again(
    path: Path, clock: FakeClock, restarted: bool
) -> None:
    """After the recovery at 168 s the window holds 12 s of the outage; the next alert takes 26 s of its own."""
    monitor = Monitor(path, clock, FAST, OTHER)
    monitor.checked(FAST, range(0, 60, 2), Cause.DNS)
    monitor.checked(FAST, range(60, 164, 2))
    monitor.checked(FAST, range(164, 166, 2), Cause.TLS)  # later than the end of the outage: it counts for the next
    monitor.checked(FAST, range(166, 170, 2))
    monitor.checked(OTHER, range(0, 170, 2))
    told = [found for moment in range(58, 172, 2) for found in monitor.evaluated_at(moment)]
    assert [(it.type, it.end_ms) for it in told] == [(ALERT, None), (RECOVERY, START_MS + 166_000)]
    if restarted:
        monitor.end()
        monitor = Monitor(path, clock, FAST, OTHER)
    monitor.checked(FAST, range(170, 200, 2), Cause.DNS)
    assert [moment for moment in range(172, 202, 2) if monitor.evaluated_at(moment)] == [196]
    (*_, again) = monitor.local.alerts(EVER)
    assert (again.type, again.start_ms) == (ALERT, START_MS + 170_000)
    monitor.end()


def test_a_site_that_is_no_longer_watched_is_no_open_outage(path: Path, clock: FakeClock) -> None:
    first = Monitor(path, clock, FAST)
    first.checked(FAST, range(0, 60, 2), Cause.DNS)
    assert first.evaluated_at(60)
    first.end()
    second = Monitor(path, clock, SLOW)
    assert second.open_outages() == []
    second.end()


def test_the_outage_of_a_site_that_is_no_longer_watched_ends_with_a_record_of_its_own(path: Path, clock: FakeClock) -> None:
    """Whether it left while the monitor ran or between two runs; one that comes back begins anew."""
    monitor = Monitor(path, clock, FAST, OTHER)
    for site in (FAST, OTHER):
        monitor.checked(site, range(0, 60, 2), Cause.DNS)
    alerts = {it.host: it for it in monitor.evaluated_at(60)}
    clock.advance(10)
    (ended,) = monitor.evaluator.end_unwatched([OTHER])
    assert ended == replace(alerts["fast"], type=RECOVERY, time_ms=START_MS + 70_000, detail="no longer watched")
    assert monitor.evaluator.end_unwatched([OTHER]) == []
    monitor.end()
    clock.advance(10)
    next_one = Monitor(path, clock, FAST)
    (ended,) = next_one.evaluator.end_unwatched([FAST])
    assert (ended.type, ended.host, ended.end_ms) == (RECOVERY, "other", None)
    next_one.checked(FAST, range(80, 106, 2), Cause.DNS)
    assert next_one.evaluated_at(104) == [], "what failed before belongs to the outage that was ended"
    (again,) = next_one.evaluated_at(106)
    assert (again.type, again.start_ms) == (ALERT, START_MS + 80_000)
    next_one.end()
    assert [it.type for it in stored(path, clock)] == [ALERT, ALERT, RECOVERY, RECOVERY, ALERT]


def test_the_decision_of_a_site_says_why(monitor: Monitor) -> None:
    monitor.checked(FAST, range(0, 120, 30))
    monitor.checked(FAST, range(120, 150, 30), Cause.DNS)
    monitor.clock.advance(121)
    decision = monitor.evaluator.decide(FAST, monitor.evaluator.observe([FAST]))
    assert decision.change is None
    assert decision.reason == "only 1 failed of the 2 checks an alert needs"


def test_checks_of_other_programs_in_the_same_file_do_no_harm(monitor: Monitor) -> None:
    monitor.local.append([check(second, "stranger", Cause.DNS) for second in range(60)], [], 0)
    assert monitor.evaluated_at(60) == []


@pytest.mark.parametrize(("sites", "questions"), [([FAST], [{"fast"}]), ([FAST, OTHER, SLOW], [None, {"slow"}])])
def test_one_question_answers_for_all_windows_that_are_equally_long(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch, sites: list[Site], questions: list[set[str] | None]
) -> None:
    """Of many sites all is added up (None), of a single one only its own checks."""
    asked: list[set[str] | None] = []
    real = LocalStore.downtime

    def downtime(store: LocalStore, window: Window, hosts: Collection[str] | None, ended: Ended) -> Mapping[str, Downtime]:
        asked.append(None if hosts is None else set(hosts))
        return real(store, window, hosts, ended)

    monkeypatch.setattr(LocalStore, "downtime", downtime)
    monitor.checked(FAST, range(0, 60, 2), Cause.DNS)
    monitor.checked(OTHER, range(0, 60, 2))
    monitor.clock.advance(60)
    observed = monitor.evaluator.observe(sites)
    assert asked == questions
    assert observed.of(FAST) == Downtime(30, 30, 60_000, 60_000)


def test_a_check_that_fails_while_an_alert_is_decided_is_no_part_of_it(
    monitor: Monitor, path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cause, start and availability of an alert follow from one and the same checks."""
    monitor.checked(FAST, range(0, 92, 2))
    monitor.checked(FAST, range(92, 106, 2), Cause.DNS)
    monitor.checked(FAST, range(106, 120, 2), Cause.TIMEOUT)
    real = LocalStore.failures

    def failures(store: LocalStore, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        late = CheckResult("fast", START_MS + 119_500, 2_000, 0, cause=Cause.TIMEOUT)
        monitor.local.append([late], [], 0)
        return real(store, window, hosts)

    monkeypatch.setattr(LocalStore, "failures", failures)
    assert monitor.evaluated_at(120) == [alert(120, 92, 100 * 46 / 60, Cause.DNS)]
