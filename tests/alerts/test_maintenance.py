"""Maintenance: no alert in it, none from it, and time that is neither up nor down."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.config import Config
from monitoring.config.keys.maintenance import Maintenance
from monitoring.models import AlertType, Cause, LastState, State, Window
from monitoring.notifications.notifier import Notifier
from monitoring.notifications.watched import InMaintenance
from monitoring.statistics.reference import downtime, summarise
from monitoring.storage.delivery.words import Condition
from tests.support.scene import START_MS, Scene, site
from tests.support.scripts import busy_machine

SHOP, BLOG = site("shop"), site("blog")


def at(second: float) -> int:
    return START_MS + round(second * 1_000)


def maintenance(first_s: float, last_s: float, host: str = "shop") -> Maintenance:
    return Maintenance(frozenset({host}), once=Window(at(first_s), at(last_s)))


def failing(first_s: float, last_s: float, *planned: Maintenance) -> Scene:
    """Two sites that fail from one second to another; the scene is yet to run."""
    scene = Scene([SHOP, BLOG], maintenance=planned)
    for host in ("shop", "blog"):
        scene.causes[host] = lambda second: Cause.CONNECT if first_s <= second < last_s else None
    return scene


def changes(scene: Scene, host: str = "shop") -> list[tuple[AlertType, float, float]]:
    """Each state change: its kind, when it was decided, and when its outage began, in seconds."""
    return [
        (it.type, (it.time_ms - START_MS) / 1_000, (it.start_ms - START_MS) / 1_000)
        for it in scene.display.alerts
        if it.host == host
    ]


def test_nothing_is_alerted_in_maintenance_and_everything_outside_of_it() -> None:
    scene = failing(100, 200, maintenance(90, 210))
    scene.run(until_s=500)
    assert not changes(scene)
    assert [kind for kind, *_ in changes(scene, "blog")] == [AlertType.ALERT, AlertType.RECOVERY]


def test_what_fails_in_maintenance_or_before_it_counts_towards_no_alert_after_it() -> None:
    """Down for 20 s before it, for all of it, and on: the alert comes when 24 s after it have failed, and begins there."""
    scene = failing(180, 400, maintenance(200, 260))
    scene.run(until_s=390)
    ((kind, decided_s, began_s),) = changes(scene)
    assert (kind, began_s) == (AlertType.ALERT, 260)
    assert decided_s == 260 + 26


def test_an_outage_that_is_open_when_maintenance_begins_stays_open_and_recovers_after_it() -> None:
    scene = failing(150, 250, maintenance(200, 300))
    states: dict[int, State] = {}
    for second in (199, 240, 290, 310):
        scene.at(second, lambda second=second: states.update({second: scene.display.states["shop"]}))  # type: ignore[misc]
    scene.run(until_s=600)
    (alert, decided_s, _), (recovery, recovered_s, _) = changes(scene)
    assert (alert, decided_s, recovery) == (AlertType.ALERT, 176, AlertType.RECOVERY)
    assert 300 + 0.8 * 120 <= recovered_s <= 300 + 0.8 * 120 + 4  # when 80 % of a window was measured again
    assert scene.display.alerts[-1].end_ms == at(250)  # the first good check, though it was made in maintenance
    assert states == {199: State.DOWN, 240: State.DOWN, 290: State.RECOVERING, 310: State.RECOVERING}


def test_maintenance_is_said_and_shown() -> None:
    scene = failing(0, 0, maintenance(60, 120))
    states: dict[int, State] = {}
    for second in (59, 70, 119, 130):
        scene.at(second, lambda second=second: states.update({second: scene.display.states["shop"]}))  # type: ignore[misc]
    scene.run(until_s=200)
    assert states == {59: State.UP, 70: State.MAINTENANCE, 119: State.MAINTENANCE, 130: State.UP}
    assert [it for it in scene.display.notices if "maintenance" in it] == [
        "maintenance until 2026-01-01T00:02:00.000Z: Shop",
        "maintenance is over: Shop",
    ]


def test_by_hand_it_begins_and_ends_within_two_seconds() -> None:
    scene = failing(100, 400)
    scene.at(90, lambda: scene.store.by_hand.update(shop=Window(at(90), at(9_000))))
    scene.at(300, lambda: scene.store.by_hand.update(shop=Window(at(90), at(300))))
    scene.run(until_s=390)
    ((kind, decided_s, _),) = changes(scene)
    assert (kind, 324 <= decided_s <= 330) == (AlertType.ALERT, True)


class Reminding:
    """Stands for the notifier, which reminds people as soon as it follows a configuration."""

    def __init__(self, scene: Scene) -> None:
        self.found: list[bool] = []
        self._scene = scene

    def follow(self, config: Config, in_maintenance: InMaintenance) -> None:
        self.found.append(bool(in_maintenance("shop", self._scene.clock.now_ms())))

    def notify(self) -> None: ...

    def conditions(self) -> Sequence[Condition]:
        return ()

    def close(self) -> None: ...


@pytest.mark.parametrize("by_hand", [False, True])
def test_whoever_is_to_be_reminded_at_the_start_or_by_a_new_configuration_knows_of_it(by_hand: bool) -> None:
    scene = failing(0, 0, *([] if by_hand else [maintenance(0, 1_000)]))
    scene.store.by_hand = {"shop": Window(at(0), at(1_000))} if by_hand else {}
    scene.watcher.coming = [(30, replace(scene.config, maintenance=(maintenance(0, 1_000),))), (40, replace(scene.config))]
    notifier = Reminding(scene)
    scene.app.notify_by(cast(Notifier, notifier))
    scene.run(until_s=60)
    assert notifier.found == [True, True, True]


def test_a_new_configuration_changes_what_is_planned() -> None:
    scene = failing(100, 400)
    planned = replace(scene.config, maintenance=(maintenance(0, 1_000),))
    scene.watcher.coming = [(80, planned), (300, scene.config)]
    scene.run(until_s=390)
    ((_, decided_s, _),) = changes(scene)
    assert 324 <= decided_s <= 330


def test_while_the_file_cannot_be_read_it_goes_on_as_it_was_known() -> None:
    scene = failing(100, 200)
    scene.store.by_hand = {"shop": Window(at(0), at(250))}
    scene.at(90, lambda: setattr(scene.store, "broken", "no answer"))
    scene.at(210, lambda: setattr(scene.store, "broken", None))
    scene.run(until_s=390)
    assert not changes(scene)


@busy_machine
@given(
    first_s=st.integers(0, 400),
    length_s=st.integers(1, 300),
    fails_s=st.integers(0, 400),
    failed_s=st.integers(0, 300),
)
def test_no_alert_is_decided_in_maintenance_or_rests_on_what_failed_before_its_end(
    first_s: int, length_s: int, fails_s: int, failed_s: int
) -> None:
    planned = maintenance(first_s, first_s + length_s)
    scene = failing(fails_s, fails_s + failed_s, planned)
    scene.run(until_s=900)
    checks = list(scene.store.results(Window(0, at(900)), ["shop"]))
    for it in checks:
        ended_ms = max(it.time_ms, at(1))  # the scene makes its first checks when its clock first moves
        assert bool(it.maintenance) == (at(first_s) <= ended_ms and it.time_ms < at(first_s + length_s))
    for alert in (it for it in scene.display.alerts if it.host == "shop"):
        assert not at(first_s) <= alert.time_ms < at(first_s + length_s)
        if alert.type is AlertType.ALERT and alert.time_ms >= at(first_s + length_s):
            own = [it for it in checks if alert.start_ms <= it.time_ms < alert.time_ms and not it.available]
            assert alert.start_ms >= at(first_s + length_s)
            assert sum(it.covers_ms for it in own) > 24_000
    (stats,) = summarise(checks, Window(0, at(900)), exact=True).values()
    assert stats.maintenance_ms == sum(it.covers_ms for it in checks if it.maintenance)
    assert stats.judged_ms + stats.maintenance_ms == stats.covered_ms
    lost = [it for it in checks if not it.available and not it.maintenance]
    assert stats.down_ms == sum(it.covers_ms for it in lost)
    assert downtime(checks, Window(0, at(900)))["shop"].down_ms == stats.down_ms
    assert isinstance(scene.store.last_states(at(900))["shop"], LastState)
