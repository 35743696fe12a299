"""Points and summaries are deleted, added, moved, delayed and overwritten under the reader: its numbers stay those of the
pure functions over what is known.

The rule, told a second time here without any InfluxDB: the checks of a span are those that its summary was made of, unless
what is finer knows of more. What a run did comes from a seed, which a failure shows (`TEST_SEED`).
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

import pytest

from monitoring.models import Cause, CheckResult, SiteStats, Window
from monitoring.statistics import reference
from monitoring.statistics.spans import plan
from monitoring.statistics.summary import FINER, SiteSummary, Span, Summary
from monitoring.storage.base import Points
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import CHECKS, SUMMARIES
from monitoring.storage.influxdb.questions import literal
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influx_databases import PATIENT_S, new_database, store_at
from tests.support.influxd import Influxd

DAY_MS, HOUR_MS, MINUTE_MS = (span.length_ms for span in (Span.DAY, Span.HOUR, Span.MINUTE))
START_MS = 1_767_225_600_000
HOSTS = ("https://example.org/", 'http://it\'s "quoted", a=b/', "bücher ☃")
HOURS = (5, 23, 24, 25, 47, 50)
"""Where checks are made: few, so that much happens to each."""
MINUTES = (0, 1, 59)

STEPS = 250
WINDOWS_EACH = 2


@dataclass
class World:
    """What the database holds, and what the monitor measured."""

    random: random.Random
    store: InfluxStore
    client: InfluxClient
    measured: dict[tuple[str, int], CheckResult] = field(default_factory=dict)
    points: dict[tuple[str, int], CheckResult] = field(default_factory=dict)
    summaries: dict[tuple[Span, str, int], list[CheckResult]] = field(default_factory=dict)

    # What happens to it

    def step(self) -> None:
        ways = (self.add, self.add, self.add, self.delay, self.deliver, self.lose, self.move, self.overwrite)
        ways += (self.summarise, self.summarise, self.summarise, self.send_stale, self.lose_summary)
        self.random.choice(ways)()

    def add(self) -> None:
        self._write(self._measure())

    def delay(self) -> None:
        """It is measured, and arrives later or never."""
        self._measure()

    def deliver(self) -> None:
        absent = sorted(self.measured.keys() - self.points.keys())
        if absent:
            self._write(self.measured[self.random.choice(absent)])

    def lose(self) -> None:
        if self.points:
            self._delete(self.random.choice(sorted(self.points)))

    def move(self) -> None:
        self.lose()
        self.add()

    def overwrite(self) -> None:
        """The same point again, or another monitor's of the same moment."""
        if self.points:
            point = self.points[self.random.choice(sorted(self.points))]
            self._write(self.random.choice([point, replace(self._check(), host=point.host, time_ms=point.time_ms)]))

    def summarise(self) -> None:
        """A span, and more often than not all that it lies in."""
        if self.measured:
            host, time_ms = self.random.choice(sorted(self.measured))
            for span in self.random.choice([(Span.MINUTE,), (Span.MINUTE, Span.HOUR), tuple(Span), (Span.DAY,)]):
                start_ms = span.start_of(time_ms)
                self._send(span, host, start_ms, self._inside(self.measured.values(), span, host, start_ms))

    def send_stale(self) -> None:
        """A summary of some of the checks: late ones are missing, or it is that of another monitor."""
        if self.measured:
            host, time_ms = self.random.choice(sorted(self.measured))
            span = self.random.choice(list(Span))
            known = self._inside(self.measured.values(), span, host, span.start_of(time_ms))
            self._send(span, host, span.start_of(time_ms), known[: self.random.randint(0, len(known))])

    def lose_summary(self) -> None:
        if self.summaries:
            span, host, start_ms = self.random.choice(sorted(self.summaries, key=str))
            del self.summaries[span, host, start_ms]
            rest = [
                (start, checks) for (other, whose, start), checks in self.summaries.items() if (other, whose) == (span, host)
            ]
            self._statement(f"DELETE FROM {SUMMARIES[span]} WHERE host = {literal(host)} AND time = {start_ms}ms")
            for start, checks in rest:
                self._send(span, host, start, checks)

    # What should be found

    def expected(self, window: Window, *, exact: bool) -> tuple[dict[str, SiteStats], int]:
        planned = plan(window, Span.MINUTE.start_of(window.until_ms), exact=exact)
        checks = [one for one in self.points.values() if any(_in(one, gap) for gap in planned.checks)]
        missing = 0
        for span, part in planned.summaries():
            for host in HOSTS:
                for start_ms in self._starts(span, part):
                    checks += self.known(span, host, start_ms)
                    if span is Span.MINUTE:
                        points = self._inside(self.points.values(), span, host, start_ms)
                        missing += max(0, len(self.summaries.get((span, host, start_ms), ())) - len(points))
        return reference.summarise(checks, window, exact=exact), missing

    def known(self, span: Span, host: str, start_ms: int) -> list[CheckResult]:
        points = self._inside(self.points.values(), span, host, start_ms)
        summarised = self.summaries.get((span, host, start_ms))
        if span is Span.MINUTE:
            return summarised if summarised is not None and len(summarised) >= len(points) else points
        starts = self._starts(FINER[span], Window(start_ms, start_ms + span.length_ms))
        told = sum(len(self.summaries.get((FINER[span], host, start), ())) for start in starts)
        if summarised is not None and len(summarised) >= max(told, len(points)):
            return summarised
        return [check for start in starts for check in self.known(FINER[span], host, start)]

    def windows(self) -> Iterator[Window]:
        bounds = [START_MS + hour * HOUR_MS + minute * MINUTE_MS for hour in (0, *HOURS, 72) for minute in (0, 1, 2, 59, 60)]
        bounds += [time_ms for _, time_ms in self.points]
        for _ in range(WINDOWS_EACH):
            one, other = self.random.choice(bounds), self.random.choice(bounds)
            if one != other:
                yield Window(min(one, other), max(one, other) + self.random.choice([0, 0, 1]))

    # How it is done

    def _measure(self) -> CheckResult:
        check = self._check()
        self.measured[check.host, check.time_ms] = check
        return check

    def _check(self) -> CheckResult:
        draw = self.random
        offset_ms = draw.choice(HOURS) * HOUR_MS + draw.choice(MINUTES) * MINUTE_MS + draw.randrange(MINUTE_MS)
        phases = (draw.randrange(9_000), draw.randrange(90_000), None, draw.randrange(900_000), draw.randrange(9_000))
        cause = draw.choice([None, None, None, *Cause])
        answered = cause is None or draw.random() < 0.5
        return CheckResult(
            host=draw.choice(HOSTS),
            time_ms=START_MS + offset_ms,
            covers_ms=draw.choice([2_000, 3_500]),
            lag_us=draw.randrange(1_000),
            status=draw.choice([200, 204, 503]) if answered else 0,
            response_us=sum(took for took in phases if took is not None) if answered else None,
            phases_us=phases,
            cause=cause,
        )

    def _write(self, check: CheckResult) -> None:
        self.measured.setdefault((check.host, check.time_ms), check)
        self.points[check.host, check.time_ms] = check
        self.store.write(Points(checks=[check]))

    def _delete(self, key: tuple[str, int]) -> None:
        host, time_ms = key
        del self.points[key]
        self._statement(f"DELETE FROM {CHECKS} WHERE host = {literal(host)} AND time = {time_ms}ms")
        self.store.write(Points(checks=[check for check in self.points.values() if check.host == host]))

    def _send(self, span: Span, host: str, start_ms: int, checks: list[CheckResult]) -> None:
        self.summaries[span, host, start_ms] = checks
        summary = Summary.of(checks) if span is Span.MINUTE else Summary.of(checks).with_sketch()
        self.store.write(Points(summaries=[SiteSummary(host, span, start_ms, summary)]))

    def _statement(self, statement: str) -> None:
        """At this location; the series is written to again afterwards, for InfluxDB may have lost sight of it."""
        self.client.query(f"{statement} AND location = 'here'")

    def _starts(self, span: Span, part: Window) -> list[int]:
        """Where the spans begin in which the database holds anything: most are empty, and to look into all took long."""
        held = chain((time_ms for _, time_ms in self.points), (start_ms for _, _, start_ms in self.summaries))
        return sorted({span.start_of(at_ms) for at_ms in held if part.from_ms <= at_ms < part.until_ms})

    @staticmethod
    def _inside(checks: Iterable[CheckResult], span: Span, host: str, start_ms: int) -> list[CheckResult]:
        part = Window(start_ms, start_ms + span.length_ms)
        return sorted((one for one in checks if one.host == host and _in(one, part)), key=lambda one: one.time_ms)


def _in(check: CheckResult, window: Window) -> bool:
    return window.from_ms <= check.time_ms < window.until_ms


@pytest.fixture
def own_influxd() -> Iterator[Influxd]:
    with Influxd() as server:
        yield server


def test_whatever_happens_to_points_and_summaries_the_numbers_are_right(own_influxd: Influxd, dice: random.Random) -> None:
    with new_database(own_influxd) as address:
        store, elsewhere = store_at(address, "here"), store_at(address, "there")
        client = InfluxClient(address, (1.0, PATIENT_S))
        world = World(random.Random(dice.random()), store, client)
        strangers = World(random.Random(dice.random()), elsewhere, client)
        for number in range(STEPS):
            if number % 100 == 50:
                own_influxd.kill()
                own_influxd.start()
            world.step()
            strangers.random.choice([strangers.add, strangers.summarise])()
            for window in world.windows():
                for exact in (True, False):
                    expected, missing = world.expected(window, exact=exact)
                    told = f"step {number}, {window}, exact={exact}"
                    assert store.stats(window, exact=exact) == expected, told
                    if exact:
                        assert store.missing(window) == missing, told
        for one in (store, elsewhere, client):
            one.close()
