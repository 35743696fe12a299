"""The pictures of the page in docs/: `make page-pictures` takes them anew."""

import os
from pathlib import Path

import pytest

from monitoring.display.view_model.overview import slug
from monitoring.models import Cause
from monitoring.units import DAY_MS, MINUTE_MS
from tests.support.browser import Browser
from tests.support.page import LENGTHS_MS, NOW_MS, serving_page, sites_named
from tests.support.page_past import Outage, Past, Remembered
from tests.support.page_scenes import NAMES
from tests.support.sources import ROOT

WIDTH = 1100
PICTURES = {"page": "", "page-site": "site/{}?window=1h"}


def outage(days_ago: float, minutes: float, cause: Cause, detail: str) -> Outage:
    start_ms = NOW_MS - round(days_ago * DAY_MS)
    return Outage(start_ms, start_ms + round(minutes * MINUTE_MS), cause, detail)


def shown_scene() -> Remembered:
    """A small shop with some trouble."""
    slow, busy = (Cause.TIMEOUT, "no answer within 5 s"), (Cause.STATUS, "status 503")
    refused = (Cause.CONNECT, "Connection refused")
    troubles = {
        "shop": [
            outage(41, 12, *busy), outage(9, 25, *refused), outage(50 / 1440, 10, *busy), outage(130 / 86400, 1.9, *busy),
        ],
        "orders API": [
            outage(63, 95, *refused), outage(62.8, 20, *refused), outage(20, 40, *slow), outage(5, 18, *slow),
            outage(13 / 1440, 15, *slow),
        ],
        "search": [outage(33, 30, *slow)],
        "docs": [outage(52, 210, Cause.TLS, "certificate has expired")],
        "payments": [outage(70, 6, *refused), outage(12, 3, *busy)],
        "legacy": [outage(80, 55, *busy), outage(58, 75, *busy), outage(28, 50, *busy), outage(3, 35, *busy)],
    }  # fmt: skip
    pasts = [
        Past(
            NOW_MS - (67 if name == "search" else 400) * DAY_MS,
            18_000 + 7_000 * number,
            troubles.get(name, ()),
        )
        for number, name in enumerate(NAMES)
    ]
    shown = Remembered(sites_named(NAMES), pasts)
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


def test_the_numbers_in_the_pictures_agree() -> None:
    shown = shown_scene()
    reports = [shown.report(length_ms, NOW_MS) for length_ms in sorted(LENGTHS_MS)]
    for number, site in enumerate(shown.sites):
        down_ms = [report.rows[number].stats.down_ms for report in reports]
        assert down_ms == sorted(down_ms), "a window holds the shorter ones"
        assert down_ms[-1] == sum(day.down_ms for day in shown.days(site.host)), "90 days are the bars beside them"
