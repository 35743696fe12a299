"""A whole monitor in one thread, on a clock that is told to go: the real main loop between checkers, a store and a display
that are made up.

    scene = Scene([site])
    scene.causes[site.host] = lambda second: Cause.DNS if 60 <= second < 120 else None
    scene.run(until_s=300)
    assert scene.display.alerts == ...
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from monitoring.alerts.evaluator import Evaluate
from monitoring.alerts.rule import evaluate
from monitoring.checks.checkers import Change, Checkers
from monitoring.clock import Deadline
from monitoring.config import Config, ConfigWatcher
from monitoring.config.keys.maintenance import Maintenance
from monitoring.display.view_model.values import Closing, Header, StatsReport, Statuses
from monitoring.errors import ConfigError, StoreUnavailable
from monitoring.models import Alert, Cause, CheckResult, Downtime, Failure, Site, SiteStats, Window
from monitoring.service.systemd import ServiceManager
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.tracker import RestoredState
from monitoring.storage.base import Deletion
from monitoring.storage.delivery import words
from monitoring.storage.delivery.asking import Deadlines
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.delivery.words import Condition, Source
from monitoringApp import MonitoringApp
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore

START_MS = 1_767_225_600_000


class SceneClock(FakeClock):
    """Calls `moved` whenever time has gone on, wherever that was: the world does not wait for the main loop."""

    def __init__(self) -> None:
        super().__init__(START_MS)
        self.moved: Callable[[], None] = lambda: None

    @property
    def second(self) -> float:
        """Seconds since the beginning."""
        return (self.now_ms() - START_MS) / 1_000

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self.moved()


class SceneStore(MemoryStore):
    """Keeps what the main loop asks of `LocalFirstStore`: the local file, and a database that is as slow as it is told."""

    name = "database:8086"

    def __init__(self, clock: SceneClock) -> None:
        super().__init__()
        self._clock = clock
        self.database_s = self.file_s = 0.0
        self.trouble: str | None = None
        self.broken: str | None = None
        self.by_hand: dict[str, Window] = {}
        self.observed: list[float] = []
        self.questions: list[tuple[str, Sequence[str] | None]] = []
        self.purged: list[Deletion] = []
        self.given_up_questions = self.flushed = False

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None: ...

    def purge(self, host: str) -> None:
        """As `--purge --site` does it."""
        deletion = Deletion([host], self._clock.now_ms(), open_alerts_of=())
        self._results = [it for it in self._results if it.host != host or it.time_ms >= deletion.before_ms]
        self._alerts = [it for it in self._alerts if not deletion.takes(it)]
        self.purged.append(deletion)

    def maintenance_by_hand(self) -> Mapping[str, Window]:
        if self.broken:
            raise StoreUnavailable(self.broken)
        return dict(self.by_hand)

    def start(self) -> None: ...

    def stats(  # type: ignore[override]
        self, window: Window, *, exact: bool, until: Deadlines | None = None
    ) -> tuple[Mapping[str, SiteStats], Source]:
        assert until, "the main loop waits for nothing without a deadline"
        if self._answers_within(self.database_s, until.database):
            return self._stats(window, exact=exact), Source("influxdb", "")
        if self._answers_within(self.file_s, until.in_all):
            return self._stats(window, exact=exact), Source("local", "too slow")
        raise StoreUnavailable("the file does not answer in time")

    def availability(self, window: Window, until: Deadline) -> Mapping[str, SiteStats]:
        if not self._answers_within(self.file_s, until):
            raise StoreUnavailable("the file does not answer in time")
        return super().stats(window, exact=False)

    def _answers_within(self, seconds: float, until: Deadline) -> bool:
        left_s = until.left_s()
        self._clock.advance(min(seconds, left_s))
        return seconds <= left_s and left_s > 0

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        self._asked("downtime", hosts)
        self.observed.append(self._clock.second)
        return super().downtime(window, hosts, ended)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        self._asked("failures", hosts)
        return super().failures(window, hosts)

    def _stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]:
        self._asked("stats", None)
        return super().stats(window, exact=exact)

    def _asked(self, what: str, hosts: Collection[str] | None) -> None:
        if self.broken:
            raise StoreUnavailable(self.broken)
        self.questions.append((what, hosts if hosts is None else sorted(hosts)))

    def give_up_questions(self) -> None:
        self.given_up_questions = True

    def source(self) -> Source:
        return Source("influxdb", "database:8086 has received everything so far")

    def notices(self) -> Sequence[str]:
        return ()

    def conditions(self) -> list[Condition]:
        return [words.unwritten(self.trouble)] if self.trouble else []

    def expired(self) -> int:
        return 0

    def left_behind(self) -> tuple[str, ...]:
        return ()

    def stored_in(self) -> str:
        return ""

    def finish(self, timeout_s: float, deliver_s: float = 0) -> bool:
        self.flushed = True
        return self.trouble is None


class SceneCheckers:
    """Check every site at its rate; each check has ended when it begins."""

    missed = 0

    def __init__(self, record: Callable[[CheckResult], None], scene: "Scene") -> None:
        self._record = record
        self._scene = scene
        self._next_ms: dict[str, int] = {}
        self._sites: Sequence[Site] = ()
        self.stuck = self.stopped = self.broken = False

    def start(self, sites: Iterable[Site]) -> None:
        self.change(sites)

    def change(self, sites: Iterable[Site]) -> Change:
        before = {site.host: site for site in self._sites}
        self._sites = tuple(sites)
        for site in self._sites:
            self._next_ms.setdefault(site.host, self._scene.clock.now_ms())
        return Change.between(before, {site.host: site for site in self._sites})

    def check(self) -> None:
        """Whatever is due by now."""
        for site in self._sites:
            while not self.stopped and self._next_ms[site.host] <= self._scene.clock.now_ms():
                time_ms = self._next_ms[site.host]
                cause = self._scene.causes.get(site.host, lambda second: None)((time_ms - START_MS) / 1_000)
                self._next_ms[site.host] += site.interval_ms
                response_us = None if cause else 5_000
                self._record(
                    CheckResult(site.host, time_ms, site.interval_ms, 0, 0 if cause else 200, response_us, cause=cause)
                )

    def replace_dead(self) -> Sequence[str]:
        if self.broken:
            raise ZeroDivisionError
        return ()

    def call_back(self, heard: Callable[[], None]) -> None:
        if not self.stuck:
            heard()

    def stop(self) -> None:
        self.stopped = True


class SceneDisplay:
    """Keeps `Display`, and remembers at which second what was shown."""

    is_screen = True
    failure: Exception | None = None

    def __init__(self, clock: SceneClock) -> None:
        self._clock = clock
        self.statistics_at: list[tuple[float, int, str]] = []
        self.long_windows_at: list[tuple[float, int]] = []
        self.alerts: list[Alert] = []
        self.names: list[str | None] = []
        self.notices: list[str] = []
        self.refreshed_at: list[float] = []
        self.closing: Closing | None = None
        self.stuck = self.still = self.closed = False

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None: ...

    def statistics(self, report: StatsReport) -> None:
        self.statistics_at.append((self._clock.second, report.length_ms, report.source))
        self.last_report = report

    def long_window(self, report: StatsReport) -> None:
        self.long_windows_at.append((self._clock.second, report.length_ms))
        self.last_long = report

    def key(self, key: str) -> bool:
        return False

    def redraw(self) -> None: ...

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def state_change(self, alert: Alert, name: str | None) -> None:
        self.alerts.append(alert)
        self.names.append(name)

    def history(self, alerts: Sequence[Alert]) -> None:
        self.records = list(alerts)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def news(self, text: str) -> None:
        self.notices.append(text)

    def read_error(self, text: str | None) -> None: ...

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        self.refreshed_at.append(self._clock.second)
        found = statuses()
        self.states = {host: status.state for (host, _), status in found.items()}
        self.since = {host: status.since_ms for (host, _), status in found.items()}
        self.downtimes = {host: status.downtime for (host, _), status in found.items()}
        self.ongoing = list(ongoing)

    def close(self, closing: Closing | None) -> None:
        self.closing, self.closed = closing, True

    def call_back(self, heard: Callable[[], None]) -> None:
        if not self.stuck:
            heard()

    def stands_still(self) -> bool:
        return self.still


class SceneWatcher:
    """A configuration file in which something stands from a second on."""

    def __init__(self, clock: SceneClock) -> None:
        self._clock = clock
        self.coming: list[tuple[float, Config | ConfigError]] = []
        self.asked = False
        self.looks: list[float] = []
        self.problems: Sequence[str] = ()

    def look(self) -> Config | None:
        self.looks.append(self._clock.second)
        if self.coming and self.coming[0][0] <= self._clock.second:
            _, found = self.coming.pop(0)
            self.problems = found.problems if isinstance(found, ConfigError) else ()
            if isinstance(found, ConfigError):
                raise found
            return found
        return None

    def ask(self) -> None:
        self.asked = True


class Scene:
    """A monitor of these sites, and the world around it. `causes`: why checks of a host fail, by second."""

    def __init__(
        self,
        sites: Sequence[Site],
        rule: Evaluate = evaluate,
        alert_interval_ms: int = 2_000,
        maintenance: tuple[Maintenance, ...] = (),
    ) -> None:
        self.clock = SceneClock()
        self.store, self.display = SceneStore(self.clock), SceneDisplay(self.clock)
        self.watcher = SceneWatcher(self.clock)
        self.causes: dict[str, Callable[[float], Cause | None]] = {}
        self.events: list[tuple[float, Callable[[], object]]] = []
        self._until_s = 0.0
        self.config = Config(
            *(tuple(sites), None, Path("scene.db")), alert_interval_ms=alert_interval_ms, maintenance=maintenance
        )
        self.app = MonitoringApp(
            self.config,
            cast(LocalFirstStore, self.store),
            self.clock,
            self.display,
            lambda record: cast(Checkers, self._with_checkers(record)),
            RestoredState(),
            rule,
            cast(ConfigWatcher, self.watcher),
        )

    def _with_checkers(self, record: Callable[[CheckResult], None]) -> SceneCheckers:
        self.checkers = SceneCheckers(record, self)
        return self.checkers

    def at(self, second: float, happens: Callable[[], object]) -> None:
        """Let something happen then, whatever the main loop is doing."""
        self.events.append((second, happens))

    def run(self, until_s: float, environ: Mapping[str, str] | None = None) -> None:
        """Run the monitor from its start to its end."""
        self.at(until_s, self.app.stop)
        self.clock.moved = self._moved
        self.app.run(ServiceManager(environ or {}, self.clock.monotonic_ns))

    def _moved(self) -> None:
        self.checkers.check()
        due = [happens for second, happens in self.events if second <= self.clock.second]
        self.events = [(second, happens) for second, happens in self.events if second > self.clock.second]
        for happens in due:
            happens()


def site(name: str, interval_ms: int = 2_000) -> Site:
    return Site(name, f"http://{name}/", name=name.title(), interval_ms=interval_ms)
