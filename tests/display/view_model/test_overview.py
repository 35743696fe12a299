"""The one view of all sites: its sentence, its order, its age, and what a filter leaves."""

import re
from dataclasses import replace

import pytest
from hypothesis import given

from monitoring.display.view_model.overview import (
    STALE_MS,
    Overview,
    expiries,
    grouped,
    headline,
    last_data,
    short_headline,
    slug,
)
from monitoring.display.view_model.ranking import state_counts
from monitoring.display.view_model.selection import selected
from monitoring.display.view_model.values import Header, SiteRow, StatsReport, View
from monitoring.display.words import expiry_text
from monitoring.models import SiteStatus, State, Window
from monitoring.units import DAY_MS
from tests.support.page import HOSTILE, NOW_MS, Shown, sites_named
from tests.support.results import hosts

NAMES = ("shop", "orders", "docs")


def shown(**states: SiteStatus) -> Overview:
    """These three sites, up but for the states given."""
    scene = Shown(sites_named(NAMES))
    scene.states = {site.host: states[site.name] for site in scene.sites if site.name in states}
    scene.publish()
    return scene.board.latest().overview


DOWN = SiteStatus(State.DOWN, NOW_MS - 73_000)
EARLIER = SiteStatus(State.DOWN, NOW_MS - 720_000)
RECOVERING = SiteStatus(State.RECOVERING, NOW_MS - 16_000)
UNKNOWN = SiteStatus(State.UNKNOWN, NOW_MS - 240_000)


@pytest.mark.parametrize(("states", "words"), [
    ({}, "all 3 sites are up"),
    ({"docs": SiteStatus(State.PAUSED)}, "all 2 sites are up, 1 paused"),
    ({"shop": DOWN}, "1 of 3 sites has been down since 20:25 UTC"),
    ({"shop": DOWN, "docs": EARLIER, "orders": RECOVERING}, "2 of 3 sites are down, the first since 20:14 UTC"),
    ({"shop": RECOVERING}, "1 of 3 sites has been recovering since 20:26 UTC"),
    ({"shop": SiteStatus(State.DOWN, NOW_MS - 90_000_000)}, "1 of 3 sites has been down since 2026-05-27 19:26 UTC"),
    ({"shop": UNKNOWN}, "nothing is known of 1 of 3 sites now"),
    ({"shop": SiteStatus(State.PAUSED), "orders": UNKNOWN, "docs": UNKNOWN},
     "nothing is known of any of the 2 sites now: last data 1 s ago"),
    (dict.fromkeys(NAMES, UNKNOWN), "nothing is known of any of the 3 sites now: last data 1 s ago"),
])  # fmt: skip
def test_the_sentence_tells_the_worst(states: dict[str, SiteStatus], words: str) -> None:
    assert headline(shown(**states)) == words


TWO_PLACES = [  # the states of one site as two locations see it, and those of another one
    ([State.UP, State.UP], [State.UP], "all 2 sites are up", "2 up", [(State.UP, 2)]),
    ([State.UP, State.DOWN], [State.UP], "1 of 2 sites is down", "1 of 2 down", [(State.DOWN, 1), (State.UP, 1)]),
    ([State.DOWN, State.DOWN], [State.UP], "1 of 2 sites is down", "1 of 2 down", [(State.DOWN, 1), (State.UP, 1)]),
    ([State.PAUSED, State.UP], [State.UP], "all 2 sites are up", "2 up", [(State.UP, 2)]),
    ([State.PAUSED, State.MAINTENANCE], [State.UP], "1 site is up, 1 in maintenance", "1 up, 1 in maintenance",
     [(State.MAINTENANCE, 1), (State.UP, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "sentence", "badge", "counts"), TWO_PLACES)
def test_a_site_counts_once_however_many_locations_see_it(
    one: list[State], other: list[State], sentence: str, badge: str, counts: list[tuple[State, int]]
) -> None:
    """In its worst state, in the sentence as in the line of counts below it, and on the badge."""
    rows = [
        replace(row, location=place, status=SiteStatus(state))
        for row, states in zip(shown().rows[:2], (one, other), strict=True)
        for place, state in zip(("", "paris"), states, strict=False)
    ]
    overview = Overview(
        View(Header(2, "local", ""), NOW_MS, [StatsReport(Window.before(NOW_MS, 600_000), "local", tuple(rows))])
    )
    assert headline(overview) == sentence
    assert short_headline(overview) == badge
    assert state_counts(rows) == counts
    assert sum(group.sites for group in grouped(rows, NOW_MS)) == 2


def test_before_the_first_answer_it_waits() -> None:
    scene = Shown(sites_named(NAMES))
    scene.has_data = False
    scene.publish()
    assert headline(scene.board.latest().overview) == "waiting for the first checks"


def test_what_was_read_long_ago_is_known_no_more() -> None:
    overview = shown(shop=DOWN)
    assert overview.later(STALE_MS) is overview
    aged = overview.later(STALE_MS + 60_000)
    assert {row.status.state for row in aged.rows} == {State.UNKNOWN}
    assert headline(aged) == "nothing is known of any of the 3 sites now: last data 1 min 31 s ago"


def test_what_was_unknown_or_paused_before_stays_so_when_nothing_more_is_read() -> None:
    paused = SiteStatus(State.PAUSED, NOW_MS - 90_000_000)
    aged = shown(shop=UNKNOWN, docs=paused).later(STALE_MS + 60_000)
    assert [row.status for row in aged.rows] == [UNKNOWN, SiteStatus(State.UNKNOWN, NOW_MS, None, "", 1_790_000_000), paused]
    assert last_data(aged) == ": last data 1 min 31 s ago"


def names(rows: "list[SiteRow] | tuple[SiteRow, ...]") -> list[str | None]:
    return [row.name for row in rows]


def test_groups_and_sites_with_trouble_come_first_the_others_as_configured() -> None:
    scene = Shown(sites_named(["a", "b", "c", "d"], lambda number: "odd" if number % 2 else "even"))
    scene.states[scene.sites[3].host] = DOWN
    scene.publish()
    groups = grouped(scene.board.latest().overview.rows, NOW_MS)
    assert [(group.name, names(list(group.rows)), group.has_trouble) for group in groups] == [
        ("odd", ["d", "b"], True),
        ("even", ["a", "c"], False),
    ]


def expiring(days: float, state: State = State.UP) -> SiteStatus:
    return SiteStatus(state, NOW_MS - 9_000, certificate_s=(NOW_MS + round(days * DAY_MS)) // 1_000)


def test_certificates_that_people_are_warned_of_are_listed_the_next_one_first() -> None:
    statuses = {"a": expiring(60), "b": expiring(9), "c": expiring(-1), "d": expiring(3, State.PAUSED), "e": expiring(2.5)}
    scene = Shown(sites_named([*statuses, "f", "g"]))
    scene.states = {site.host: statuses[site.name] for site in scene.sites[:5] if site.name}
    scene.sites[5] = replace(scene.sites[5], certificate_warning_ms=0)
    scene.sites[6] = replace(scene.sites[6], certificate_warning_ms=90 * DAY_MS)
    scene.states |= {scene.sites[5].host: expiring(1), scene.sites[6].host: expiring(80)}
    scene.publish()
    overview = scene.board.latest().overview
    told = [(it.row.name, expiry_text(it.expires_ms, NOW_MS)) for it in expiries(overview)]
    assert told == [
        ("c", "has expired"), ("e", "expires in 2 days"), ("b", "expires in 9 days"), ("g", "expires in 80 days"),
    ]  # fmt: skip
    (group,) = grouped(overview.rows, NOW_MS)
    assert names(list(group.rows)) == ["b", "c", "e", "g", "a", "f", "d"]
    assert (group.worst, group.has_trouble) == (State.UP, True)
    assert expiries(overview.later(STALE_MS + 60_000))[0].row.name == "c"  # what grows old forgets no certificate


@pytest.mark.parametrize(("wanted", "left"), [
    ("", ["shop", "orders", "docs"]),
    ("SHOP", ["shop"]),
    ("!shop", ["orders", "docs"]),
    ("site-1.example", ["orders"]),
    ("state:down", ["shop"]),
    ("!state:down o", ["orders", "docs"]),
    ("cause:timeout", ["shop"]),
    ("group:none", []),
    ("https://site-2", ["docs"]),
    ("nonsense:", []),
])  # fmt: skip
def test_every_word_of_a_filter_must_fit(wanted: str, left: list[str]) -> None:
    assert names(list(selected(shown(shop=DOWN).rows, wanted))) == left


@given(hosts)
def test_an_address_of_a_site_needs_no_escaping(host: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", slug(host))


def test_no_two_sites_share_an_address_and_it_never_changes() -> None:
    named = ["https://example.org/", "http://example.org/", "https://example.org", "shop", "Shop", *HOSTILE]
    assert len({slug(host) for host in named}) == len(named)
    assert slug("shop") == "shop"
    assert slug("https://example.org/health?a=b") == "example.org-health-a-b-861d4f03"
