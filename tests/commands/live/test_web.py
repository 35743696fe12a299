"""What the status page reads: the same as print mode, and the days one by one."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from socket import gethostname

import pytest

from monitoring.clock import StopSignal
from monitoring.commands.cli import parse_arguments
from monitoring.commands.live.printer import PrintOptions, read_view
from monitoring.commands.live.series import DAYS_OF_QUARTER, HOURS, MINUTES, Charts, Scale, Series, last_checks_window
from monitoring.commands.live.web import MOST_QUERIES, PageReader, page_address
from monitoring.commands.oneshot.explain import explain_from
from monitoring.config import Config, parse_database
from monitoring.config.parsing.durations import month
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.text.jsonlines import stats_json
from monitoring.display.view_model.overview import DAYS, headline
from monitoring.errors import StoreUnavailable
from monitoring.models import Cause, Site, State, Window
from monitoring.storage.multi_location import DELAY_MS, MultiLocationReport
from monitoring.storage.notifications import Delivery, Entry, Event
from monitoring.storage.routing import ReaderChoice
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, MINUTE_MS
from monitoring.web.board import WINDOWS_MS
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.monitor import PATIENCE_S
from tests.support.page import OnlyStore
from tests.support.points import START_MS, alert, check, checks
from tests.support.printed import NO_MONITOR

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)
SITES = (SITE, Site("b", "http://b/", interval_ms=2_000, timeout_ms=10_000))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(SITES, parse_database("sqlite:", {}), tmp_path / "config.db")


@pytest.fixture
def reader(config: Config, clock: FakeClock) -> Iterator[PageReader]:
    with closing(ReaderChoice(config, clock)) as choice:
        yield PageReader(config, choice, clock)


def fill(config: Config) -> None:
    """A minute of two sites, one of which fails from second 30 on."""
    good, bad = checks(range(0, 60, 2)), [check(at, "b", None if at < 30 else Cause.DNS) for at in range(1, 60, 2)]
    with closing(LocalStore(config.local_database)) as store:
        store.append([*good, *bad], [alert(50, "b")], START_MS)


def test_it_shows_what_print_mode_prints(config: Config, clock: FakeClock, reader: PageReader) -> None:
    fill(config)
    for count in range(1, len(WINDOWS_MS) + 1):
        reader.step()
        overview = reader.board.latest().overview
        assert len(overview.view.reports) == count  # one at a time: the first page does not wait for the past 90 days
        assert [row.status.state for row in overview.rows] == [State.UP, State.DOWN]
    for report in overview.view.reports:
        with closing(ReaderChoice(config, clock)) as choice:
            view = read_view(config, choice, clock, PrintOptions(report.length_ms))
        assert stats_json(report) == stats_json(view.reports[0])
    (incident,) = overview.incidents
    assert (incident.host, incident.is_open) == ("b", True)
    assert [row.last_check_ms for row in overview.rows] == [START_MS + 56_000, START_MS + 57_000]


def test_what_goes_wrong_once_is_said_and_the_page_goes_on(
    config: Config, clock: FakeClock, reader: PageReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that ended would leave the page as it is, for ever."""
    fill(config)
    stop, seen = StopSignal(), []

    def read(*_: object) -> None:
        if not seen:
            seen.append(reader.board.latest().overview.view.read_error)
            raise KeyError("a minute")
        seen.append(reader.board.latest().overview.view.read_error)
        if len(seen) == 4:
            stop.set()

    monkeypatch.setattr("monitoring.commands.live.series.Charts.read", read)
    reader.run(stop)
    assert seen == [None, "the page could not be read: KeyError: 'a minute'", None, None]


def test_a_day_is_what_its_checks_add_up_to(config: Config, reader: PageReader) -> None:
    fill(config)
    reader.step()
    days = reader.board.latest().overview.days
    assert len(days["a", ""]) == DAYS
    assert (days["a", ""][-1].covered_ms, days["a", ""][-1].available_ms) == (58_000, 58_000)
    assert (days["b", ""][-1].covered_ms, days["b", ""][-1].available_ms) == (58_000, 30_000)
    assert days["a", ""][0].availability is None


def test_the_last_checks_of_a_site_are_its_own(config: Config, reader: PageReader) -> None:
    fill(config)
    reader.step()
    found = reader.board.questions.last_checks(SITE)
    assert [it.time_ms for it in found] == [START_MS + 1_000 * second for second in range(18, 58, 2)]
    assert {it.host for it in found} == {"a"}


def test_an_incident_is_explained_as_the_command_line_does(config: Config, clock: FakeClock, reader: PageReader) -> None:
    fill(config)
    reader.step()
    (incident,) = reader.board.latest().overview.incidents
    with closing(ReaderChoice(config, clock)) as choice:
        (store,) = choice.choose()[0].values()
        explanation = explain_from(store, config, SITES[1], clock.now_ms() - DELAY_MS)
    assert reader.board.questions.explain(incident) == explanation_lines(explanation, "", "local")
    assert reader.board.questions.explain(replace(incident, host="gone")) == ()


def test_without_a_monitor_it_says_so_and_waits(config: Config, reader: PageReader, clock: FakeClock) -> None:
    reader.step()
    overview = reader.board.latest().overview
    assert (overview.view.read_error, headline(overview)) == (NO_MONITOR, "nothing is known yet")
    for ask in (lambda: reader.board.questions.last_checks(SITE), lambda: reader.board.questions.month(month("2026-01"))):
        with pytest.raises(StoreUnavailable, match=re.escape(NO_MONITOR)):  # not "none lately", nor an empty month
            ask()
    fill(config)
    clock.advance(1)
    reader.step()
    assert reader.board.latest().overview.view.read_error is None


def test_a_monitor_that_died_leaves_unknown_sites(config: Config, reader: PageReader, clock: FakeClock) -> None:
    fill(config)
    reader.step()
    clock.advance(60)
    for _ in WINDOWS_MS:
        reader.step()
    overview = reader.board.latest().overview
    assert [row.status.state for row in overview.rows] == [State.UNKNOWN] * 2
    assert headline(overview) == "nothing is known of any of the 2 sites now: last data 1 min 1 s ago"


class CountingStore(MemoryStore):
    """Counts the days that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def stats(self, window, *, exact):  # type: ignore[no-untyped-def]
        self.asked.append(window.from_ms // DAY_MS)
        return super().stats(window, exact=exact)


def test_days_that_are_over_are_hardly_read_again(clock: FakeClock) -> None:
    store, days, now_ms = CountingStore(), Series(clock, DAYS_OF_QUARTER), START_MS + DAY_MS // 2
    today = now_ms // DAY_MS
    days.read({"": store}, now_ms, 1)
    assert store.asked == list(range(today, today - DAYS, -1))
    store.asked.clear()
    days.read({"": store}, now_ms + 2 * MINUTE_MS, 1)
    assert store.asked == [today]
    store.asked.clear()
    days.read({"": store}, now_ms + 10 * MINUTE_MS, 1)
    assert store.asked == [today, today - 1, today - 2, today - 3]
    store.asked.clear()
    days.forget()
    days.read({"": store}, now_ms + 10 * MINUTE_MS, 1)
    assert len(store.asked) == DAYS


def test_a_new_day_begins_empty_and_the_oldest_goes(clock: FakeClock) -> None:
    store, series = MemoryStore(), Series(clock, DAYS_OF_QUARTER)
    store.record(check(0))
    series.read({"": store}, START_MS + 5_000, 1)
    series.read({"": store}, START_MS + DAY_MS + 5_000, 1)
    days = series.of_all([("a", "")], START_MS + DAY_MS + 5_000)["a", ""]
    assert [day.covered_ms for day in days[-2:]] == [2_000, 0]
    assert [day.length_ms for day in days[-2:]] == [DAY_MS, 5_000]
    assert len(days) == DAYS


@pytest.mark.parametrize(("scale", "whole"), [(MINUTES, 60), (HOURS, 23)])
def test_a_mark_is_what_the_statistics_of_its_window_say(clock: FakeClock, scale: Scale, whole: int) -> None:
    """Minutes are shown when they are over; the hour that is not over is shown as far as it goes."""
    store, series, until_ms = MemoryStore(), Series(clock, scale), START_MS + scale.length_ms * 3 + 30_000
    for at in range(0, scale.length_ms * 3 // 1_000, scale.length_ms // 30_000):
        store.record(replace(check(at, cause=Cause.TIMEOUT if at % 7 == 0 else None), response_us=1_000 * (at % 90 + 1)))
    series.read({"": store}, until_ms, 1)
    marks = series.of(("a", ""), until_ms)
    assert (len(marks), marks[whole - 1].end_ms) == (scale.count, START_MS + 3 * scale.length_ms)
    for mark in (
        it for it in marks if it.length_ms and it.end_ms <= START_MS + 3 * scale.length_ms and it.start_ms >= START_MS
    ):
        stats = store.stats(Window(mark.start_ms, mark.end_ms), exact=True)["a"]
        assert stats.response is not None
        assert (mark.checks, mark.covered_ms, mark.causes) == (stats.checks, stats.covered_ms, stats.causes)
        assert (mark.p50_us, mark.p95_us) == (stats.response.p50_us, stats.response.p95_us)
    assert marks[0].checks == 0


def test_each_window_has_the_marks_of_its_scale(clock: FakeClock) -> None:
    charts = Charts(clock)
    lengths = {name: len(charts.of(("a", ""), name, START_MS)) for name in WINDOWS_MS}
    assert lengths == {"10m": 10, "1h": 60, "24h": 24, "30d": 30, "90d": 90}


def test_late_checks_come_into_the_minutes_that_are_shown(clock: FakeClock) -> None:
    store, series, until_ms = MemoryStore(), Series(clock, MINUTES), START_MS + MINUTE_MS
    series.read({"": store}, until_ms, 1)
    store.record(check(3))
    series.read({"": store}, until_ms + MINUTE_MS, 1)
    assert [mark.checks for mark in series.of(("a", ""), until_ms + MINUTE_MS)[-2:]] == [1, 0]


def test_who_was_told_of_an_outage_is_what_the_local_file_says(config: Config, clock: FakeClock) -> None:
    store = MemoryStore()
    mine, other = alert(50, "b"), replace(alert(50, "b"), start_ms=START_MS)
    entries = [Entry("ops", Event.ALERT, mine.time_ms, mine, Delivery.SENT, mine.time_ms + 900)]
    choice = OnlyStore(store, [*entries, Entry("ops", Event.ALERT, other.time_ms, other)])
    store.record(check(40, "b", Cause.DNS))
    store.record(mine)
    reader = PageReader(config, choice, clock)
    reader.step()
    (incident,) = reader.board.latest().overview.incidents
    assert reader.board.questions.deliveries(incident) == entries
    assert reader.board.questions.deliveries(replace(incident, location="paris")) is None


@pytest.mark.parametrize(("interval_ms", "length_ms"), [(2_000, 42_000), (300_000, 6_300_000)])
def test_last_checks_are_looked_for_as_far_back_as_needed(interval_ms: int, length_ms: int) -> None:
    site = Site("a", "http://a/", interval_ms=interval_ms)
    assert last_checks_window(site, [site], START_MS, 20, 20_000).length_ms == length_ms
    crowd = [site, *(Site(str(number), "http://b/", interval_ms=1_000) for number in range(999))]
    assert last_checks_window(site, crowd, START_MS, 20, 20_000).length_ms <= 20_100


class HangingStore(MemoryStore):
    """Answers no question about the checks of one site before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.goes_on = threading.Semaphore(0), threading.Event()

    def results(self, window, hosts=None):  # type: ignore[no-untyped-def]
        if hosts:
            self.asked.release()
            self.goes_on.wait(PATIENCE_S)
        return super().results(window, hosts)


def test_a_store_that_hangs_leaves_threads_that_answer(config: Config, clock: FakeClock) -> None:
    """Few pages wait for the store; the others hear soon that it is busy."""
    store = HangingStore()
    store.record(check())
    reader = PageReader(config, OnlyStore(store), clock)
    reader.step()
    waiting = [threading.Thread(target=reader.board.questions.last_checks, args=(SITE,)) for _ in range(MOST_QUERIES)]
    for thread in waiting:
        thread.start()
        assert store.asked.acquire(timeout=PATIENCE_S)
    with pytest.raises(StoreUnavailable, match="waiting for its store"):
        reader.board.questions.last_checks(SITE)
    store.goes_on.set()
    for thread in waiting:
        thread.join()


def test_the_history_is_sorted_once_and_not_with_every_look(config: Config, clock: FakeClock) -> None:
    """It may hold a year of a site that flaps."""
    store = MemoryStore()
    for at in range(5):
        store.record(alert(50 * at, "b"))
    locations = MultiLocationReport(config.sites)
    locations.new_alerts({"": store})
    known = locations.history()
    locations.new_alerts({"": store})
    assert locations.history() is known
    store.record(alert(10, "a"))
    locations.new_alerts({"": store})
    assert [it.host for it in locations.history()] == ["b", "a", "b", "b", "b", "b"]
    locations.watch(SITES[:1])
    assert [it.host for it in locations.history()] == ["a"]
    locations.new_alerts({"paris": MemoryStore()})
    assert locations.history() == []


def test_an_outage_is_the_same_as_long_as_nothing_happens(config: Config, reader: PageReader) -> None:
    fill(config)
    reader.step()
    known = reader.board.latest().overview.incidents
    reader.step()
    assert reader.board.latest().overview.incidents is known


def test_long_windows_do_not_wait_for_ever_for_the_short_one(config: Config, clock: FakeClock, reader: PageReader) -> None:
    """Where a reading takes so long that ten minutes are due again at once, the others still have their turns."""
    fill(config)
    for _ in range(2 * len(WINDOWS_MS)):
        reader.step()
        clock.advance(11)
    assert len(reader.board.latest().overview.view.reports) == len(WINDOWS_MS)


def test_long_windows_that_begin_to_fill_are_read_with_what_comes(
    config: Config, clock: FakeClock, reader: PageReader
) -> None:
    """For the first ten minutes of a monitor the past 90 days were as empty as when the page first looked."""
    with closing(LocalStore(config.local_database)) as store:
        store.append(checks([0]), [], START_MS)
        for _ in WINDOWS_MS:
            reader.step()
        store.append([check(at, "b") for at in range(1, 30, 2)], [], START_MS)
    clock.advance(11)
    for _ in WINDOWS_MS:
        reader.step()
    assert {it.rows[1].stats.checks for it in reader.board.latest().overview.view.reports} == {15}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), "http://127.0.0.1:8088/"),
        (("--listen", "page.example.org:443", "--tls-cert", "a.pem"), "https://page.example.org:443/"),
        (("--listen", "0.0.0.0:8088"), f"http://{gethostname()}:8088/"),
        (("--listen", "[::]:8088"), f"http://{gethostname()}:8088/"),
    ],
)
def test_a_monitor_knows_where_people_find_its_page(options: Sequence[str], found: str) -> None:
    assert page_address(parse_arguments(["-m", "--web", *options])) == found
