"""What the pages show in tests of pictures, widths and letters: hostile names, nothing yet, old data, many sites."""

from dataclasses import replace

from monitoring.models import Cause, CheckResult, SiteStatus, State
from monitoring.units import MINUTE_MS
from tests.support.page import HOSTILE, NOW_MS, Shown, outage, sites_named

NAMES = ("shop", "orders API", "search", "front page", "docs", "status", "payments", "legacy")


def with_trouble(shown: Shown) -> Shown:
    down, recovering = shown.sites[1].host, shown.sites[0].host
    shown.states[down] = SiteStatus(State.DOWN, NOW_MS - 73_000, NOW_MS, "no answer within 5 s <b>\u202e")
    shown.states[recovering] = SiteStatus(State.RECOVERING, NOW_MS - 16_000, NOW_MS, "HTTP status 503")
    shown.alerts = outage(recovering, NOW_MS - 60 * MINUTE_MS, NOW_MS - 50 * MINUTE_MS) + outage(down, NOW_MS - 73_000, None)
    phases = (900, 11_000, 22_500, 20_000, 2_600)
    shown.checks = [
        CheckResult(down, NOW_MS - 40_000 + at * 2_000, 2_000, 100, 200, 57_000, phases)
        if at < 12
        else CheckResult(down, NOW_MS - 40_000 + at * 2_000, 2_000, 100, cause=Cause.TIMEOUT, detail="no answer within 5 s")
        for at in range(20)
    ]
    return shown


def scene(name: str) -> Shown:
    if name in ("200", "1000"):
        grouped = (lambda number: f"group {number % 7}") if name == "200" else (lambda _: None)
        return with_trouble(Shown(sites_named([f"site {number}" for number in range(int(name))], grouped)))
    if name == "hostile":
        shown = Shown(sites_named(HOSTILE, lambda number: (HOSTILE[0], None, "plain")[number % 3]))
        shown.sites[2] = replace(shown.sites[2], host="javascript:alert(1)//\x00")
        return with_trouble(shown)
    shown = Shown(sites_named(NAMES))
    if name == "no data":
        shown.has_data, shown.error = False, "no monitor has run here yet: start ./monitoringApp.py -m"
        return shown
    return with_trouble(shown)


def show(name: str) -> Shown:
    shown = scene(name)
    shown.publish()
    if name == "stale":
        shown.clock.advance(240)  # type: ignore[attr-defined]
    return shown
