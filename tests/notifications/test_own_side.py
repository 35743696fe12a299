"""When nearly all sites fail by the network, people are told that the trouble is probably here, whichever sites they see."""

from pathlib import Path

import pytest

from monitoring.models import Cause
from tests.support.notifying import Desk, channel_config, site

MANY = [site(f"site{number}", tags=("mine",) if number < 4 else ()) for number in range(30)]


@pytest.mark.parametrize(
    ("chosen", "down", "up"),
    [
        ("tag:mine", "DOWN: 4 of 30 sites, probably on this side", "UP: 4 of 30 sites"),
        ("site0", "DOWN: site0, probably on this side", "UP: site0"),
    ],
)
def test_a_channel_of_some_sites_says_so_too(tmp_path: Path, chosen: str, down: str, up: str) -> None:
    with Desk(tmp_path / "monitor.db", MANY, channel_config(sites=(chosen,))) as desk:
        alerts = desk.down(*MANY[:28], cause=Cause.CONNECT, detail="")
        desk.go_on(20)
        desk.up(*alerts)
        desk.go_on(60)
    assert desk.scripted.titles == [down, up]
    texts = [message.text for message in desk.scripted.accepted]
    assert texts[0].startswith("28 of 30 sites fail at once by network causes, so the trouble is probably")
    assert texts[1].startswith("28 of 30 sites failed at once by network causes, so the trouble was probably")


def test_a_site_that_is_found_later_to_have_failed_with_the_others_is_reported_as_such(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", MANY, channel_config()) as desk:
        desk.down(*MANY[:28], cause=Cause.CONNECT, detail="")
        desk.go_on(20)
        desk.down(MANY[28], cause=Cause.DNS, detail="")
        desk.go_on(20)
    assert desk.scripted.titles[1:] == ["DOWN: site28, probably on this side"]
    assert desk.scripted.accepted[1].text.startswith("29 of 30 sites fail at once by network causes")


def test_a_site_that_fails_after_the_others_are_up_again_fails_alone(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", MANY, channel_config()) as desk:
        alerts = desk.down(*MANY[:28], cause=Cause.CONNECT, detail="")
        desk.go_on(20)
        desk.up(*alerts)
        desk.go_on(20)
        desk.down(MANY[28], cause=Cause.CONNECT, detail="")
        desk.go_on(20)
    assert desk.scripted.titles[1:] == ["UP: 28 of 30 sites", "DOWN: site28"]
