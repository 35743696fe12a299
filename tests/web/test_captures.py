"""The pictures of the page in docs/: `make page-pictures` takes them anew."""

import os
from pathlib import Path

import pytest

from monitoring.display.overview import slug
from monitoring.models import Cause, CheckResult, SiteStatus, State
from monitoring.units import MINUTE_MS
from tests.support.browser import Browser
from tests.support.page import NOW_MS, Shown, outage, serving_page, sites_named
from tests.support.page_scenes import NAMES
from tests.support.sources import ROOT

WIDTH = 1100
PICTURES = {"page": "", "page-site": "site/{}?window=1h"}


def shown_scene() -> Shown:
    """A small shop with some trouble."""
    shown = Shown(sites_named(NAMES))
    down, recovering = shown.sites[1].host, shown.sites[0].host
    shown.states[down] = SiteStatus(State.DOWN, NOW_MS - 13 * MINUTE_MS, NOW_MS, "no answer within 5 s")
    shown.states[recovering] = SiteStatus(State.RECOVERING, NOW_MS - 16_000, NOW_MS, "status 503")
    before = outage(recovering, NOW_MS - 60 * MINUTE_MS, NOW_MS - 50 * MINUTE_MS, "status 503")
    shown.alerts = [*before, *outage(down, NOW_MS - 13 * MINUTE_MS, None)]
    phases = (900, 11_000, 22_500, 20_000, 2_600)
    shown.checks = [
        CheckResult(down, NOW_MS - 20_000 + at * 2_000, 2_000, 100, cause=Cause.TIMEOUT, detail="no answer within 5 s")
        if at % 5
        else CheckResult(down, NOW_MS - 20_000 + at * 2_000, 2_000, 100, 200, 57_000, phases)
        for at in range(10)
    ]
    shown.publish()
    return shown


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_taken(chromium: Browser, name: str, theme: str, tmp_path: Path) -> None:
    shown = shown_scene()
    path = PICTURES[name].format(slug(shown.sites[1].host))
    chromium.look(WIDTH, dark=theme == "dark")
    with serving_page(shown) as url:
        chromium.open(url + path)
        if path:
            chromium.until("document.querySelector('.uplot')")
        picture = Path(os.environ.get("PICTURES") or tmp_path) / f"{name}-{theme}.png"
        chromium.picture(picture, most=820 if path else 780)
    assert picture.stat().st_size > 10_000
    assert (ROOT / "docs" / picture.name).exists()
