"""What a person chooses to see of all sites: filter, faults, order, location, window, moment."""

from dataclasses import replace

import pytest

from monitoring.display.view_model.values import SiteRow, StatsReport
from monitoring.display.view_model.viewing import WINDOWS_MS, Choice, Order, chosen_lines, earlier_ms, later_ms, site_lines
from monitoring.models import Cause, ResponseTimes, SiteStats, SiteStatus, State, Window

NOW_MS = 1_780_000_000_000
TEN_MINUTES, HOUR = WINDOWS_MS["10m"], WINDOWS_MS["1h"]


def row(name: str, state: State = State.UP, good: int = 100, took_us: int = 50_000, location: str = "") -> SiteRow:
    """A site with this availability, in this state for as many seconds as its name has letters."""
    times = ResponseTimes(took_us, took_us, took_us, took_us, took_us, took_us)
    causes = {} if good == 100 else {Cause.DNS: 1}
    stats = SiteStats(f"http://{name}/", 100, good, 100, good, times, causes=causes)
    return SiteRow(f"http://{name}/", name, stats, SiteStatus(state, NOW_MS - 1_000 * len(name)), location)


def report(length_ms: int, *rows: SiteRow) -> StatsReport:
    return StatsReport(Window.before(NOW_MS, length_ms), "local", rows)


ROWS = (
    row("orders", State.UP, 99, 70_000),
    row("Shop", State.DOWN, 40),
    row("docs", State.PAUSED, took_us=90_000),
    row("mail", State.FAILING, 90),
)


def shown(*rows: SiteRow, **chosen: object) -> list[str | None]:
    lines = site_lines([report(TEN_MINUTES, *rows)])
    return [line.now.name for line in chosen_lines(lines, replace(Choice(), **chosen))]


@pytest.mark.parametrize(("order", "names"), [
    (Order.STATE, ["Shop", "mail", "orders", "docs"]),
    (Order.NAME, ["docs", "mail", "orders", "Shop"]),
    (Order.AVAILABILITY, ["Shop", "mail", "orders", "docs"]),
    (Order.RESPONSE, ["docs", "orders", "Shop", "mail"]),
    (Order.SINCE, ["Shop", "docs", "mail", "orders"]),
])  # fmt: skip
def test_every_order_begins_with_what_people_look_for(order: Order, names: list[str]) -> None:
    assert shown(*ROWS, order=order) == names
    assert shown(*ROWS, order=order, is_reversed=True) == names[::-1]


def test_states_alone_are_no_window() -> None:
    (line,) = site_lines([StatsReport(Window(NOW_MS, NOW_MS), "local", ROWS[:1])])
    assert line.rows == {}
    assert line.shown(HOUR) is line.now is ROWS[0]


def test_orders_follow_each_other_and_come_round() -> None:
    order = Order.STATE
    for _ in Order:
        order = order.next
    assert order is Order.STATE


def test_what_was_not_measured_is_neither_slow_nor_bad() -> None:
    rows = (SiteRow("http://new/", "new", SiteStats("http://new/"), SiteStatus()), *ROWS)
    assert shown(*rows, order=Order.AVAILABILITY)[-1] == "new"
    assert shown(*rows, order=Order.RESPONSE)[-1] == "new"


def test_only_faults_leaves_out_what_is_up_or_paused() -> None:
    unknown = row("new", State.UNKNOWN)
    assert shown(*ROWS, unknown, only_faults=True) == ["Shop", "mail", "new"]


@pytest.mark.parametrize(("wanted", "names"), [
    ("state:down", ["Shop"]),
    ("!cause:dns", ["docs"]),
    ("!", ["Shop", "mail", "orders", "docs"]),
    ("mail", ["mail"]),
    ("nothing", []),
])  # fmt: skip
def test_a_filter_leaves_what_it_names(wanted: str, names: list[str]) -> None:
    assert shown(*ROWS, wanted=wanted) == names


def test_one_location_is_shown_alone() -> None:
    rows = (row("a", location="paris"), row("a", location="oslo"))
    lines = site_lines([report(TEN_MINUTES, *rows)])
    assert [line.key for line in chosen_lines(lines, Choice(location="oslo"))] == [("http://a/", "oslo")]
    assert len(chosen_lines(lines, Choice())) == 2


def test_sites_are_ordered_by_the_chosen_window_and_by_their_state_now() -> None:
    ten = (row("a", State.UP, 100), row("b", State.DOWN, 90))
    hour = (row("a", State.DOWN, 50), row("b", State.UP, 100))
    lines = site_lines([report(TEN_MINUTES, *ten), report(HOUR, *hour)])
    chosen = replace(Choice(), window_ms=HOUR, order=Order.AVAILABILITY)
    assert [line.now.name for line in chosen_lines(lines, chosen)] == ["a", "b"]
    assert [line.now.name for line in chosen_lines(lines, replace(chosen, order=Order.STATE))] == ["b", "a"]


def test_a_line_has_a_site_in_every_window_that_was_read() -> None:
    hour = row("a", good=80)
    lines = site_lines([report(TEN_MINUTES, row("a"), row("b")), report(HOUR, hour)])
    assert lines[0].row(HOUR) == hour
    assert lines[1].row(HOUR) is None
    assert site_lines([]) == []


def test_time_travel_goes_by_a_window_and_ends_at_now() -> None:
    once = earlier_ms(None, HOUR, NOW_MS)
    assert once == NOW_MS - HOUR
    twice = earlier_ms(once, HOUR, NOW_MS)
    assert twice == NOW_MS - 2 * HOUR
    assert later_ms(twice, HOUR, NOW_MS) == once
    assert later_ms(once, HOUR, NOW_MS) is None
    assert later_ms(None, HOUR, NOW_MS) is None
    assert earlier_ms(HOUR, HOUR, NOW_MS) == HOUR, "there is nothing before 1970"
