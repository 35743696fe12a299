"""Certificates that expire soon: told once a site, threshold and certificate, to those who want it."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.models import Alert, Cause, CheckResult, Site
from monitoring.notifications.certificates import due, warner
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, SECOND_MS
from tests.support.notifying import Desk, channel_config, site

NOW_MS = 1_767_225_600_000
SHOP, BLOG, LAB = site("shop"), site("blog"), site("lab", certificate_warning_ms=0)


def in_days(days: float, now_ms: int = NOW_MS) -> int:
    """The Unix time of that moment."""
    return (now_ms + round(days * DAY_MS)) // SECOND_MS


def told(days: float, *, threshold_days: float = 14) -> list[Alert]:
    """The record of a certificate that expires in so many days, as it was told when this was the threshold."""
    record = due(replace(SHOP, certificate_warning_ms=round(threshold_days * DAY_MS)), in_days(days), (), NOW_MS)
    return [record] if record else []


@pytest.mark.parametrize(
    ("threshold_days", "expires_in_days", "before", "is_told"),
    [
        (14, 5, [], True),
        (14, 14, [], True),  # exactly at the threshold
        (14, 14 + 1 / 86_400, [], False),
        (14, 90, [], False),
        (14, 1 / 86_400, [], True),
        (14, 0, [], False),  # it expires now: from here on the site is down by it
        (14, -3, [], False),
        (0, 5, [], False),  # turned off
        (14, 5, told(5), False),
        (14, 6, told(5), True),  # renewed, for too short a time
        (14, 90, told(5), False),  # renewed
        (14, 5, [*told(5), *told(6)], False),  # servers that show one or the other
        (14, 6, [*told(5), *told(6)], False),
        (7, 5, told(5), True),  # another threshold
        (7, 10, told(10), False),
        (7, 5, told(5, threshold_days=7), False),
    ],
)
def test_a_certificate_is_told_of_once_a_threshold(
    threshold_days: float, expires_in_days: float, before: list[Alert], is_told: bool
) -> None:
    shop = replace(SHOP, certificate_warning_ms=round(threshold_days * DAY_MS))
    record = due(shop, in_days(expires_in_days), before, NOW_MS)
    assert (record is not None) is is_told
    if record:
        assert (record.host, record.start_ms) == (SHOP.host, in_days(expires_in_days) * SECOND_MS)


def seen(desk: Desk, of: Site, days: float, *, maintenance: int | None = None) -> None:
    """A check has just looked at its certificate, which expires in so many days."""
    now_ms = desk.clock.now_ms()
    check = CheckResult(
        *(of.host, now_ms, 2_000, 0, 200, 1_000), certificate_s=in_days(days, now_ms), maintenance=maintenance
    )
    desk.store.append([check], (), now_ms)


def test_sites_are_told_of_in_one_message_which_says_when(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP, BLOG, LAB]) as desk:
        seen(desk, SHOP, 5.5)
        desk.go_on(1)
        seen(desk, BLOG, 0.5)
        seen(desk, LAB, 5)
        desk.go_on(20)
        (message,) = desk.scripted.accepted
        assert (message.event, message.title) == ("certificate", "CERTIFICATE EXPIRES SOON: 2 of 3 sites")
        shop, blog = message.text.splitlines()
        assert shop.startswith("shop (https://shop.example.org): its certificate expires in 5 days, on ")
        assert blog.startswith("blog (https://blog.example.org): its certificate expires within a day, on ")
        assert not message.alerts
        said = [sentence for sentence in desk.store.guard.notices() if "certificate" in sentence]
        assert [sentence.partition(":")[0] for sentence in said] == ["shop", "blog"]


def test_neither_another_check_nor_a_restart_nor_a_day_tells_it_again_but_another_certificate_does(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP]) as desk:
        start_ms = desk.clock.now_ms()
        seen(desk, SHOP, 5)
        desk.go_on(20)
        desk.restart()
        desk.clock.advance(86_400)
        seen(desk, SHOP, 5 - (desk.clock.now_ms() - start_ms) / DAY_MS)  # the same one
        desk.go_on(20)
        assert len(desk.scripted.titles) == 1
        seen(desk, SHOP, 6)
        desk.go_on(20)
        assert len(desk.scripted.titles) == 2


def test_in_maintenance_nobody_is_told_and_after_it_everybody_once(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP, BLOG]) as desk:
        seen(desk, SHOP, 5, maintenance=1)
        seen(desk, BLOG, 5)
        desk.go_on(20)
        desk.restart()
        seen(desk, SHOP, 5, maintenance=1)
        desk.go_on(3_600, step_s=60)
        assert desk.scripted.titles == ["CERTIFICATE EXPIRES SOON: blog"]
        assert [it for it in desk.store.guard.notices() if "certificate" in it] == []
        seen(desk, SHOP, 5)
        desk.go_on(20)
        assert desk.scripted.titles[1:] == ["CERTIFICATE EXPIRES SOON: shop"]
        (said,) = [it for it in desk.store.guard.notices() if "certificate" in it]
        assert said.startswith("shop: its certificate expires in ")


def test_it_stands_beside_an_outage_and_changes_nothing_of_it(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP]) as desk:
        alerts = desk.down(SHOP, cause=Cause.TLS)
        seen(desk, SHOP, 5)
        desk.go_on(20)
        desk.up(*alerts)
        desk.go_on(60)
        assert sorted(desk.scripted.titles) == ["CERTIFICATE EXPIRES SOON: shop", "DOWN: shop", "UP: shop"]
        assert desk.outbox.last_sent("mail")[SHOP.host].event == "recovery"


def test_channels_get_what_they_want_and_without_one_it_is_said_once_all_the_same(tmp_path: Path) -> None:
    channels = [
        channel_config("all"),
        channel_config("outages", on=frozenset({"alert"})),
        channel_config("level", kind="alertmanager"),
    ]
    check = CheckResult(SHOP.host, NOW_MS, 2_000, 0, 200, 1_000, certificate_s=in_days(5))
    warning = warner(channels, [SHOP])(check, (), NOW_MS)
    assert warning
    assert [entry.channel for entry in warning.entries] == ["", "all"]
    store = LocalStore(tmp_path / "monitor.db")
    store.set_route(lambda *_: (), [], NOW_MS, warner([], [SHOP]))
    for time_ms in (NOW_MS, NOW_MS + 2_000):
        store.append([replace(check, time_ms=time_ms)], (), time_ms)
    assert len([sentence for sentence in store.guard.notices() if "expires in 5 days" in sentence]) == 1
    store.close()
