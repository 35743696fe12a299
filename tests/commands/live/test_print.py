"""Print mode, inside: what it shows when, and of which moment."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.alerts.log import AlertLog
from monitoring.commands.live.printer import DELAY_MS, Printer, PrintOptions, read_view
from monitoring.commands.live.rounds import Rounds, round_every_ms
from monitoring.config import Config, parse_database
from monitoring.config.parsing.durations import length_ms
from monitoring.errors import ConfigError, StoreError
from monitoring.models import Cause, Site, SiteStatus, State, Window
from monitoring.statistics import reference
from monitoring.storage.routing import ReaderChoice
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.points import START_MS, alert, checks, recovery
from tests.support.printed import NO_MONITOR
from tests.support.shown import Shown

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config((SITE, Site("b", "http://b/")), parse_database("sqlite:", {}), tmp_path / "config.db")


@pytest.fixture
def printer(config: Config, clock: FakeClock, shown: Shown) -> Iterator[Printer]:
    with closing(ReaderChoice(config, clock)) as choice:
        yield Printer(config, choice, clock, shown)


def steps(printer: Printer, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        printer.step()
        clock.advance(1)


# What is shown, and when


def test_ten_minutes_are_shown_every_ten_seconds_and_the_hour_every_minute(
    store: LocalStore, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    store.append(checks(range(0, 60, 2)), [], 0)
    printer.step()
    assert shown.lengths() == [600, 3600]
    steps(printer, clock, 10)
    assert shown.lengths() == []
    steps(printer, clock, 50)
    assert shown.lengths() == [600] * 5
    printer.step()
    assert shown.lengths() == [600, 3600]


def test_a_window_ends_where_everything_measured_has_been_stored(
    store: LocalStore, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    """And its numbers are those of the reference."""
    stored = [*checks(range(0, 40, 2)), *checks(range(40, 60, 2), cause=Cause.DNS)]
    store.append(stored, [], 0)
    printer.step()
    for report in shown.reports:
        assert report.window.until_ms == clock.now_ms() - DELAY_MS
        assert report.rows[0].stats == reference.summarise(stored, report.window, exact=True)["a"]
        assert [row.host for row in report.rows] == ["a", "b"]
        assert report.rows[0].status == SiteStatus(State.FAILING, START_MS + 40_000, START_MS + 56_000)
        assert report.rows[1].status == SiteStatus()


def test_nothing_is_shown_before_a_monitor_ran_and_at_once_when_one_does(
    config: Config, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    steps(printer, clock, 3)
    assert (shown.reports, shown.troubles, shown.header.source) == ([], [NO_MONITOR] * 3, "nothing")
    with closing(LocalStore(config.local_database)) as store:
        store.append(checks([63]), [], 0)
        printer.step()  # its check is too young to be in a window
        assert (shown.reports, shown.troubles[-1], shown.header.source) == ([], None, "local")
        clock.advance(3)
        printer.step()
    assert shown.reports[0].rows[0].stats.checks == 1


def test_a_file_in_which_nothing_was_measured_for_long_is_shown_as_unknown(
    store: LocalStore, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    store.append(checks(range(0, 60, 2)), [], 0)
    clock.advance(86_400)
    printer.step()
    assert [row.status for row in shown.reports[0].rows] == [SiteStatus(State.UNKNOWN, START_MS + 60_000), SiteStatus()]


def test_only_alerts_that_are_news_are_told_as_they_come(
    store: LocalStore, config: Config, clock: FakeClock, shown: Shown
) -> None:
    """Those of the past day stand on the screen from the start; those of other configurations' sites nowhere."""
    store.append([], [alert(-90_000), recovery(-89_000), alert(5), alert(6, "of another configuration")], 0)
    clock.advance(60)

    class Between(FakeClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            if not shown.closed and self.now_ms() < START_MS + 122_000:
                store.append([], [recovery(121), alert(121, "of another configuration")], 0)
            else:
                stop.set()
            return super().wait(stop, seconds)

    later = Between(clock.now_ms())
    Printer(config, ReaderChoice(config, later), later, shown).run(threading.Event())
    assert shown.recent == [alert(5)]
    assert shown.transitions == [recovery(121)]
    assert shown.closed == [None]


def test_what_was_decided_before_anybody_could_be_asked_is_no_news(
    config: Config, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    """The database was away when this began; its history comes when it does."""
    steps(printer, clock, 5)
    with closing(LocalStore(config.local_database)) as store:
        store.append([], [alert(59), alert(62, "b")], 0)
        printer.step()
    assert (shown.transitions, shown.ongoing) == ([alert(62, "b")], [alert(59), alert(62, "b")])


def test_what_was_decided_before_the_start_and_stored_after_it_is_news(
    store: LocalStore, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    """A monitor stores an alert a moment after its decision, on a busy machine some seconds."""
    store.append([], [alert(57)], 0)
    printer.start()
    store.append([], [alert(58, "b")], 0)
    steps(printer, clock, 2)
    assert (shown.recent, shown.transitions) == ([alert(57)], [alert(58, "b")])


def test_an_alert_shows_at_once_on_the_screen_and_in_the_windows_that_end_after_it(
    store: LocalStore, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    store.append(checks(range(0, 60, 2), cause=Cause.DNS), [alert(59)], 0)
    printer.step()
    assert shown.reports[0].rows[0].status.state is State.FAILING
    assert shown.statuses["a", ""].state is State.DOWN
    steps(printer, clock, 11)
    assert shown.reports[-1].rows[0].status.state is State.DOWN


def test_the_outages_that_go_on_are_shown(store: LocalStore, printer: Printer, shown: Shown) -> None:
    store.append(checks(range(0, 60, 2), cause=Cause.DNS), [alert(-500), recovery(-400), alert(26), alert(6, "z")], 0)
    printer.step()
    assert shown.ongoing == [alert(26)]
    assert shown.statuses["a", ""] == SiteStatus(State.DOWN, alert(26).start_ms, START_MS + 56_000)


def test_a_line_of_time_that_runs_ahead_is_followed(
    store: LocalStore, printer: Printer, clock: FakeClock, shown: Shown
) -> None:
    """The monitor's clock was set back by an hour; its times go on an hour ahead of this program's clock."""
    store.append(checks(range(3_600, 3_660, 2)), [], 0)
    printer.step()
    assert shown.reports[0].rows[0].stats.checks == 29
    assert shown.reports[0].window.until_ms == START_MS + 3_658_001 - DELAY_MS


class Watcher:
    """Keeps what a printer asks of `ConfigWatcher`."""

    def __init__(self, *found: Config | ConfigError | None) -> None:
        self._found = list(found)
        self.problems: Sequence[str] = ()

    def look(self) -> Config | None:
        found = self._found.pop(0) if self._found else None
        self.problems = found.problems if isinstance(found, ConfigError) else ()
        if isinstance(found, ConfigError):
            raise found
        return found


def test_a_new_configuration_shows_at_once_and_a_bad_one_is_told(
    store: LocalStore, config: Config, clock: FakeClock, shown: Shown, tmp_path: Path
) -> None:
    store.append([*checks(range(0, 60, 2)), *checks(range(0, 60, 2), "c")], [], 0)
    other = Config((Site("c", "http://c/"),), config.database, config.local_database)
    elsewhere = Config(other.sites, config.database, tmp_path / "elsewhere.db")
    watcher = Watcher(None, ConfigError(["config.json: wrong"]), other, elsewhere)
    with closing(ReaderChoice(config, clock)) as choice:
        printer = Printer(config, choice, clock, shown, watcher=watcher)  # type: ignore[arg-type]
        steps(printer, clock, 2)
        assert shown.notices == ["config.json: wrong", "the previous configuration stays in use"]
        assert shown.lengths() == [600, 3600]
        assert shown.header.notes == ("config.json: wrong; the previous configuration stays in use",)
        printer.step()
        assert (shown.notices[2:], shown.header.notes) == (["the configuration is valid again"], ())
        assert [(row.host, row.stats.checks) for row in shown.reports[0].rows] == [("c", 30)]
        assert (shown.lengths(), shown.header.sites) == ([600, 3600], 1)
        printer.step()
        assert (shown.reports, shown.troubles[-1]) == ([], NO_MONITOR)


def test_each_window_has_its_rhythm() -> None:
    minute = 60_000
    assert [round_every_ms(minutes * minute) for minutes in (1, 10, 30, 60, 1_440)] == [
        10_000,
        10_000,
        30_000,
        minute,
        minute,
    ]


def test_rounds_that_are_late_are_left_out(clock: FakeClock) -> None:
    rounds = Rounds(clock, {600_000: 10_000}, first_ms=3_000)
    assert rounds.due() == []
    clock.advance(3)
    assert rounds.due() == rounds.due() == [600_000]
    clock.advance(32)
    rounds.done(600_000)
    assert rounds.due() == []
    clock.advance(5)
    assert rounds.due() == [600_000]


# Once, and as it was


def look(config: Config, clock: FakeClock, wanted: PrintOptions) -> list[tuple[int, int, SiteStatus]]:
    """Checks before the end of each window, its end, and the status of the first site."""
    with closing(ReaderChoice(config, clock)) as choice:
        view = read_view(config, choice, clock, wanted)
    return [(report.window.length_ms, report.rows[0].stats.checks, report.rows[0].status) for report in view.reports]


def test_the_screen_of_a_moment_knows_nothing_of_what_came_later(
    store: LocalStore, config: Config, clock: FakeClock
) -> None:
    store.append(checks(range(0, 20, 2)), [], 0)
    store.append(checks(range(20, 40, 2), cause=Cause.DNS), [alert(32)], 0)
    store.append(checks(range(40, 60, 2)), [recovery(55)], 0)
    moments = {
        15: SiteStatus(State.UP, START_MS),
        30: SiteStatus(State.FAILING, START_MS + 20_000, START_MS + 28_000),
        36: SiteStatus(State.DOWN, alert(32).start_ms, START_MS + 34_000),
        50: SiteStatus(State.RECOVERING, START_MS + 40_000, START_MS + 38_000),
        58: SiteStatus(State.UP, START_MS + 40_000, START_MS + 38_000),
    }
    for second, expected in moments.items():
        wanted = PrintOptions(window_ms=10_000, at_ms=START_MS + second * 1_000)
        assert look(config, clock, wanted) == [(10_000, 5, expected)], second


def test_a_window_longer_than_a_day_begins_at_a_whole_hour_and_is_known_by_the_length_asked_for(
    store: LocalStore, config: Config, clock: FakeClock, shown: Shown
) -> None:
    store.append(checks(range(0, 60, 2)), [], 0)
    clock.advance(7_000)
    wanted = PrintOptions(window_ms=length_ms("30h"))
    with closing(ReaderChoice(config, clock)) as choice:
        printer = Printer(config, choice, clock, shown, wanted.rounds_ms)
        steps(printer, clock, 61)
    until_ms = START_MS + 7_060_000 - DELAY_MS
    assert [report.length_ms for report in shown.reports] == [wanted.window_ms] * 2
    assert shown.reports[0].window == Window(START_MS - 29 * 3_600_000, until_ms)
    assert shown.reports[0].rows[0].stats.checks == 30


def test_a_moment_to_come_is_refused(store: LocalStore, config: Config, clock: FakeClock) -> None:
    store.append(checks([0]), [], 0)
    with pytest.raises(ConfigError, match=r"--at: 2026-01-01T00:01:01.000Z is yet to come"):
        look(config, clock, PrintOptions(at_ms=clock.now_ms() + 1_000))


def test_there_is_nothing_to_show_where_nobody_has_measured(config: Config, clock: FakeClock) -> None:
    with pytest.raises(StoreError, match=NO_MONITOR):
        look(config, clock, PrintOptions(once=True))


def test_a_history_of_alerts_is_told_once_in_whatever_order_it_comes() -> None:
    log = AlertLog()
    assert log.add([recovery(60)]) == [recovery(60)]
    assert log.add([alert(1), recovery(60)]) == [alert(1)]
    assert (log.ongoing(), log.last("a"), log.last("a", recovery(60).time_ms)) == ([], recovery(60), alert(1))
    assert log.add([alert(100), alert(90, "b")]) == [alert(100), alert(90, "b")]
    assert log.ongoing() == [alert(90, "b"), alert(100)]
    assert log.ongoing({"a"}) == [alert(100)]
