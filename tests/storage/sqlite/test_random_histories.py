"""Whatever is written, delayed, summarised, purged, expired, delivered and reopened: the numbers are right."""

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitoring.models import Alert, AlertType, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span, Summary
from monitoring.storage.base import Delivery
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.forwarded import ask_purge
from tests.support.memory_backend import MemoryDatabase
from tests.support.results import START_MS, a_check, chances
from tests.support.stored import states_of

HOSTS = ("a", "b", "c'd")
EVER = Window(0, START_MS + 10**12)
HOUR_MS, DAY_MS = Span.HOUR.length_ms, Span.DAY.length_ms

steps_ms = st.sampled_from([1, 2_000, 59_000, 15 * 60_000, HOUR_MS, 7 * HOUR_MS])

ages_ms = st.sampled_from([0, 500, 61_000, HOUR_MS, DAY_MS])


class History(RuleBasedStateMachine):
    """A monitor's file beside plain lists of what it should hold, and a database that receives it."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        directory = self.resources.enter_context(tempfile.TemporaryDirectory())
        self.path = Path(directory) / "monitor.db"
        self.store = LocalStore(self.path)
        self.database = MemoryDatabase().open("")
        self.now_ms = START_MS
        self.checks: dict[tuple[int, str], CheckResult] = {}
        self.alerts: dict[tuple[int, str], Alert] = {}
        self.kept_from_ms = 0
        self.alerts_from_ms = 0
        self.forgotten = False
        self.delivery: Delivery | None = None
        self.gone: set[tuple[int, str]] = set()
        """Checks that grew too old before they were delivered."""

    def teardown(self) -> None:
        self.store.close()
        self.resources.close()

    # What happens

    @rule(step_ms=steps_ms)
    def time_goes_on(self, step_ms: int) -> None:
        self.now_ms += step_ms

    @rule(data=st.data(), hosts=st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3, unique=True))
    def checks_are_written(self, data: st.DataObject, hosts: Sequence[str]) -> None:
        late_ms = data.draw(st.sampled_from([0, 0, 0, 3_000, 80_000, 2 * HOUR_MS]))
        new = [a_check(host, self.now_ms - late_ms, data.draw(chances)) for host in hosts]
        new = [replace(check, detail="because" if check.cause else "") for check in new]
        new = [check for check in new if check.time_ms >= max(self.kept_from_ms, START_MS - DAY_MS)]
        self.store.append(new, [], self.now_ms)
        for check in new:
            if (check.time_ms, check.host) not in self.gone:
                self.checks.setdefault((check.time_ms, check.host), check)
        self.now_ms += 1

    @rule(host=st.sampled_from(HOSTS), kind=st.sampled_from(AlertType))
    def a_state_changes(self, host: str, kind: AlertType) -> None:
        alert = Alert(kind, host, self.now_ms, self.now_ms - 9, None, 50.0, None)
        self.store.append([], [alert], self.now_ms)
        self.alerts[alert.time_ms, host] = alert
        self.now_ms += 1

    @rule(steps=st.integers(1, 5))
    def some_maintenance(self, steps: int) -> None:
        for _ in range(steps):
            self.store.maintain(self.now_ms)

    @rule()
    def all_maintenance(self) -> None:
        while self.store.maintain(self.now_ms):
            pass

    @rule(limit=st.integers(1, 7), arrives=st.booleans())
    def something_is_delivered(self, limit: int, arrives: bool) -> None:
        self.delivery = self.store.next_delivery(limit)
        if self.delivery is not None:
            self.database.write(self.delivery.points)
            if arrives:
                self.store.acknowledge(self.delivery)
            else:
                self.store.postpone()

    @rule()
    def it_ends_and_starts_again(self) -> None:
        self.store.close()
        self.store = LocalStore(self.path)

    @rule(age_ms=st.integers(0, 2 * DAY_MS))
    def something_is_sent_again(self, age_ms: int) -> None:
        points = self.store.requeue(max(0, self.now_ms - age_ms), EVER.until_ms)
        inside = [key for key in [*self.checks, *self.alerts] if key[0] >= self.now_ms - age_ms]
        assert points == len(inside)

    @rule(
        host=st.none() | st.sampled_from(HOSTS),
        age_ms=st.sampled_from([0, 500, 61_000, HOUR_MS, DAY_MS]),
        forget=st.booleans(),
    )
    def something_is_purged(self, host: str | None, age_ms: int, forget: bool) -> None:
        self.all_maintenance()
        before_ms = self.now_ms - age_ms
        ask_purge(self.store, Request(host, before_ms, forget=forget))
        self.all_maintenance()
        still_open = {alert.time_ms for alert in self.last_alerts().values() if alert.type is AlertType.ALERT and not forget}
        self.checks = {key: it for key, it in self.checks.items() if key[0] >= before_ms or host not in (None, key[1])}
        self.alerts = {
            key: it
            for key, it in self.alerts.items()
            if key[0] >= before_ms or host not in (None, key[1]) or key[0] in still_open
        }
        self.forgotten = True
        self.everything_is_delivered()  # as it is before anything is deleted in the database
        deletion = self.store.next_deletion()
        assert deletion is not None
        for _ in self.database.delete(deletion):
            pass
        self.store.deletion_done(deletion)

    @rule(kept_ms=st.sampled_from([2 * HOUR_MS, DAY_MS]))
    def old_checks_expire(self, kept_ms: int) -> None:
        self.store.set_retention(kept_ms, kept_ms)
        self.all_maintenance()
        reached_ms = Span.HOUR.start_of(min(self.now_ms - kept_ms, self.store.summarised_ms()))
        oldest_ms = min((key[0] for key in self.checks), default=0)
        if oldest_ms < reached_ms:
            self.forgotten = True
            self.kept_from_ms = max(self.kept_from_ms, reached_ms)
        self.gone |= {key for key in self.checks if key[0] < reached_ms}
        self.checks = {key: it for key, it in self.checks.items() if key[0] >= reached_ms}
        alerts_ms = Span.HOUR.start_of(self.now_ms - kept_ms)
        if alerts_ms > self.alerts_from_ms:  # once an hour
            self.alerts_from_ms = alerts_ms
            newest = {alert.time_ms for alert in self.last_alerts().values()}
            self.alerts = {key: it for key, it in self.alerts.items() if key[0] >= alerts_ms or key[0] in newest}
        self.store.set_retention(10**12, 10**12)

    def last_alerts(self) -> dict[str, Alert]:
        return {alert.host: alert for _, alert in sorted(self.alerts.items())}

    # What is always true

    @invariant()
    def checks_and_alerts_are_there(self) -> None:
        assert list(self.store.results(EVER)) == [check for _, check in sorted(self.checks.items())]
        assert list(self.store.alerts(EVER)) == [alert for _, alert in sorted(self.alerts.items())]
        assert self.store.last_alerts() == self.last_alerts()

    @invariant()
    def statistics_are_those_of_the_checks(self) -> None:
        """Also of spans that were cut by a purge, and from the hour on that retention has left."""
        from_ms = max(self.kept_from_ms, START_MS - DAY_MS)
        for window in (
            Window(from_ms, self.now_ms),
            Window.before(self.now_ms, 600_000),
            Window.before(self.now_ms, 90_000),
        ):
            if window.from_ms < from_ms:
                continue
            checks = list(self.checks.values())
            for exact in (True, False):
                assert self.store.stats(window, exact=exact) == reference.summarise(checks, window, exact=exact)
            ended = dict.fromkeys({check.host for check in checks}, window.until_ms - window.length_ms // 2)
            assert self.store.downtime(window, None, ended) == reference.downtime(checks, window, None, ended)

    @invariant()
    def states_are_where_the_checks_lead(self) -> None:
        if not self.forgotten:
            assert self.store.last_states(EVER.until_ms) == states_of(self.checks.values(), EVER.until_ms)

    def everything_is_delivered(self) -> None:
        while (delivery := self.store.next_delivery(50)) is not None:
            self.database.write(delivery.points)
            self.store.acknowledge(delivery)

    @precondition(lambda self: not self.gone and not self.alerts_from_ms)  # retention there is another matter
    @rule()
    def in_the_end_the_database_holds_the_same(self) -> None:
        self.all_maintenance()
        self.everything_is_delivered()
        assert self.store.pending().points == self.store.pending().summaries == 0
        assert list(self.database.results(EVER)) == [check for _, check in sorted(self.checks.items())]
        assert list(self.database.alerts(EVER)) == [alert for _, alert in sorted(self.alerts.items())]
        assert self.database.held.summaries == summaries_until(self.checks.values(), self.store.summarised_ms())


def summaries_until(checks: Iterable[CheckResult], until_ms: int) -> dict[tuple[Span, int, str], Summary]:
    found: dict[tuple[Span, int, str], list[CheckResult]] = {}
    for check in checks:
        for span in Span:
            start_ms = span.start_of(check.time_ms)
            if start_ms + span.length_ms <= until_ms:
                found.setdefault((span, start_ms, check.host), []).append(check)
    return {key: Summary.of(own) if key[0] is Span.MINUTE else Summary.of(own).with_sketch() for key, own in found.items()}


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
