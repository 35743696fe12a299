"""A site that fails at random does not flood anybody: seeded, by the rule and the plan of messages alone, 20 hours of it."""

from pathlib import Path

import pytest

from bench.flapping import simulate
from tests.support.notifying import Desk, channel_config, site

SHOP = site("shop")
ALERTS_ALONE = frozenset({"alert"})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_site_that_fails_one_check_in_seven_sends_at_most_four_messages_an_hour(seed: int) -> None:
    changes, sent = simulate(15, seed)
    assert changes <= 16
    assert 0 < sent <= 4


@pytest.mark.parametrize("share", [5, 10, 12, 18, 20, 30, 50])
def test_nor_does_one_that_fails_more_or_less_often_send_many_more(share: int) -> None:
    changes, sent = simulate(share, 1)
    assert changes <= 16
    assert sent <= 5


def outages(desk: Desk, count: int, apart_s: int) -> None:
    """So many outages of a minute each."""
    for _ in range(count):
        alerts = desk.down(SHOP)
        desk.go_on(60)
        desk.up(*alerts)
        desk.go_on(apart_s)


def test_a_channel_that_hears_of_no_recoveries_hears_of_every_outage_after_one_that_held(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(on=ALERTS_ALONE)) as desk:
        outages(desk, 3, apart_s=400)
        desk.down(SHOP)
        desk.go_on(60)
        assert desk.scripted.titles == ["DOWN: shop"] * 4
    assert "4th outage in 30 min" in desk.scripted.accepted[-1].text


def test_such_a_channel_is_not_flooded_by_a_site_that_recovers_for_moments(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(on=ALERTS_ALONE)) as desk:
        outages(desk, 20, apart_s=120)
        desk.go_on(300)
        assert desk.scripted.titles == ["DOWN: shop", "DOWN AGAIN: shop"]
        desk.down(SHOP)
        desk.go_on(10)
    assert desk.scripted.titles == ["DOWN: shop", "DOWN AGAIN: shop", "DOWN: shop"]


def test_nor_are_its_later_messages_late_because_of_outages_that_it_did_not_hear_of(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(on=ALERTS_ALONE)) as desk:
        outages(desk, 4, apart_s=120)
        desk.go_on(4 * 3_600, step_s=10)
        desk.down(SHOP)
        desk.go_on(10)
    assert desk.scripted.titles == ["DOWN: shop", "DOWN AGAIN: shop", "DOWN: shop"]
    assert "late" not in desk.scripted.accepted[-1].text
