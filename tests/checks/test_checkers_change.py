"""Checkers under another configuration: sites come, go and change, and no check is lost or made twice."""

import threading
from dataclasses import replace

from monitoring.checks.checker import Prober
from monitoring.checks.network import Network
from monitoring.models import CheckResult, ProbeResult, Site
from tests.support.checkers import FINE, checker_threads, quick, running, sites
from tests.support.driving import Seeing
from tests.support.waiting import eventually


def test_a_site_is_never_checked_twice_at_once_while_the_configuration_changes() -> None:
    """Two hundred sites, each checked by one check at a time, whatever becomes of it meanwhile."""
    found: list[CheckResult] = []
    under_way, overlaps = dict[str, int](), list[str]()

    def make_probe(site: Site, _network: Network) -> Prober:
        def see() -> ProbeResult:
            under_way[site.host] = under_way.get(site.host, 0) + 1
            if under_way[site.host] > 1:
                overlaps.append(site.host)
            threading.Event().wait(0.01)
            under_way[site.host] -= 1
            return FINE

        return Seeing(see)

    before = sites(200, 100)
    changed = [replace(site, timeout_ms=5_000) for site in before[:100]]
    with running(make_probe, before, found) as checkers:
        eventually(lambda: len({result.host for result in found}) == 200)
        for _ in range(5):
            change = checkers.change([*changed, *before[100:150]])
            assert (len(change.added), len(change.changed), len(change.removed)) == (0, 100, 50)
            change = checkers.change(before)
            assert (len(change.added), len(change.changed), len(change.removed)) == (50, 100, 0)
        assert checkers.replace_dead() == []
        seen = len(found)
        eventually(lambda: len({result.host for result in found[seen:]}) == 200)
        assert len(checker_threads()) == 200
    assert overlaps == []
    for site in before:
        times = [result.time_ms for result in found if result.host == site.host]
        assert times == sorted(set(times))


def test_a_changed_site_ends_its_check_first_and_goes_on_in_its_own_slot() -> None:
    found: list[CheckResult] = []
    begun, release, seen_by = threading.Event(), threading.Event(), list[int]()

    def make_probe(site: Site, _network: Network) -> Prober:
        def see() -> ProbeResult:
            seen_by.append(site.timeout_ms)
            begun.set()
            if len(seen_by) == 1:
                release.wait(10)
            return FINE

        return Seeing(see)

    (site,) = sites(1, 100)
    with running(make_probe, [site], found) as checkers:
        assert begun.wait(10)
        for timeout_ms in (7_000, 8_000):  # twice while the check is under way: the last one counts
            checkers.change([replace(site, timeout_ms=timeout_ms)])
        assert found == []
        release.set()
        eventually(lambda: len(found) > 2)
    assert seen_by[:3] == [10_000, 8_000, 8_000]
    first, second = found[:2]
    assert (second.time_ms - first.time_ms) % 100 == 0
    assert second.time_ms == first.time_ms + first.covers_ms


def test_a_removed_site_that_comes_back_during_its_last_check_is_checked_on() -> None:
    found: list[CheckResult] = []
    begun, release = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        release.wait(10)

    with running(lambda *_: quick(hold), sites(1), found) as checkers:
        assert begun.wait(10)
        assert checkers.change([]).removed == ("site 0",)
        assert checkers.change(sites(1)).added == tuple(sites(1))
        assert len(checker_threads()) == 1
        release.set()
        eventually(lambda: len(found) > 3)
        checkers.change([])
        eventually(lambda: not checker_threads())
        checkers.change(sites(1))
        seen = len(found)
        eventually(lambda: len(found) > seen + 3)


def test_a_rename_or_another_rule_does_not_touch_a_checker() -> None:
    (site,) = sites(1)
    made: list[Site] = []

    def make_probe(site: Site, _network: Network) -> Prober:
        made.append(site)
        return quick()

    with running(make_probe, [site], []) as checkers:
        eventually(lambda: bool(made))
        assert checkers.change([replace(site, name="another")]).changed == ()
    assert made == [site]
