"""The page in a real browser: phone, tablet, desk; dark and light; with names that want to be code."""

import os
from pathlib import Path

import pytest

from monitoring.display.view_model.overview import slug
from monitoring.models import SiteStatus, State
from monitoring.storage.notifications import Delivery, Entry, Event
from tests.support.browser import Browser
from tests.support.page import NOW_MS, Shown, serving_page, sites_named
from tests.support.page_scenes import NAMES, show

WIDTHS = (390, 820, 1440)
THEMES = ("light", "dark")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the pictures go: PICTURES=folder keeps them."""
    return Path(os.environ.get("PICTURES") or tmp_path)


CUT = """[...document.querySelectorAll('.row > span')].filter(it => it.scrollWidth > it.clientWidth + 1)
  .map(it => it.textContent)"""
"""Cells of the overview that hold more than they show."""

SCENES = ("some", "hostile", "no data", "stale", "200", "1000")


@pytest.mark.parametrize("name", SCENES)
def test_it_fits_every_width_in_both_themes(chromium: Browser, name: str, pictures: Path) -> None:
    """Nothing is wider than the window, the console is silent, and no name has become code."""
    with serving_page(show(name)) as url:
        for width in WIDTHS:
            for theme in THEMES:
                chromium.look(width, dark=theme == "dark")
                chromium.open(url)
                assert chromium.ask("document.documentElement.scrollWidth") <= width
                assert chromium.ask(CUT) == []
                assert (
                    chromium.ask("document.querySelectorAll('main script, main iframe, main img:not([src^=badge])').length")
                    == 0
                )
                assert chromium.errors == []
                chromium.picture(pictures / f"overview-{name}-{width}-{theme}.png")


@pytest.mark.parametrize("name", ["some", "hostile"])
@pytest.mark.parametrize("page", ["site", "incidents", "incident", "report"])
def test_the_other_pages_fit_as_well(chromium: Browser, name: str, page: str, pictures: Path) -> None:
    shown = show(name)
    own = slug(shown.sites[1].host)
    path = {"site": f"site/{own}", "incident": f"incidents/{own}-{NOW_MS - 73_000}"}.get(page, page)
    with serving_page(shown) as url:
        for width in WIDTHS:
            for theme in THEMES:
                chromium.look(width, dark=theme == "dark")
                chromium.open(url + path)
                assert chromium.ask("document.documentElement.scrollWidth") <= width
                assert chromium.errors == []
                chromium.picture(pictures / f"{page}-{name}-{width}-{theme}.png")


BROKEN = """(() => { const found = [], range = document.createRange();
  for (const place of document.querySelectorAll('time span, .facts b'))
    for (const {0: word, index} of place.textContent.matchAll(/[\\d.:-]+/g)) {
      range.setStart(place.firstChild, index);
      range.setEnd(place.firstChild, index + word.length);
      if (new Set([...range.getClientRects()].map(it => it.top)).size > 1) found.push(word);
    }
  return found; })()"""
"""Dates, times and numbers that are broken into lines."""


def test_no_number_is_broken_into_lines(chromium: Browser) -> None:
    """Neither a date in a narrow line, nor a large count; and a table of times has room for a reason on a phone."""
    shown = show("some")
    own, record = slug(shown.sites[1].host), shown.alerts[-1]
    shown.entries = [Entry("ops", Event.ALERT, record.time_ms, record, Delivery.FAILED, NOW_MS, "refused")]
    with serving_page(shown) as url:
        for width in WIDTHS:
            chromium.look(width, dark=False)
            for path in ("", f"site/{own}?window=90d", f"incidents/{own}-{NOW_MS - 73_000}"):
                chromium.open(url + path)
                assert chromium.ask(BROKEN) == [], (path, width)
            last = "[...document.querySelectorAll('th')].at(-1).getBoundingClientRect().right"
            assert chromium.ask(last) <= width


def test_both_ends_of_the_90_days_are_named_below_them(chromium: Browser) -> None:
    """Also on a phone, where the sum between them needs a line of its own."""
    shown = show("some")
    ends = "[...document.querySelectorAll('[data-part=days1] + .legend > span:not([data-part])')]"
    with serving_page(shown) as url:
        for width in WIDTHS:
            chromium.look(width, dark=False)
            chromium.open(f"{url}site/{slug(shown.sites[1].host)}")
            assert chromium.ask(f"{ends}.map(it => it.textContent)") == ["90 days ago", "today"]
            assert chromium.ask(f"new Set({ends}.map(it => it.getBoundingClientRect().top)).size") == 1, width


CONTRASTS = """(() => {
  const linear = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = rgb => { const it = rgb.slice(0, 3).map(linear);
    return .2126 * it[0] + .7152 * it[1] + .0722 * it[2]; };
  const parse = it => it.match(/[\\d.]+/g).map(Number);
  const ground = it => { for (; it; it = it.parentElement) { const c = parse(getComputedStyle(it).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return parse(getComputedStyle(document.documentElement).backgroundColor); };
  const bad = [];
  for (const it of document.querySelectorAll('body *')) {
    if (![...it.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !it.checkVisibility()) continue;
    const [one, other] = [light(parse(getComputedStyle(it).color)), light(ground(it))].sort((a, b) => b - a);
    const ratio = (one + .05) / (other + .05);
    if (ratio < 4.5) bad.push(`${it.className} ${it.textContent.slice(0, 20)} ${ratio.toFixed(2)}`);
  }
  return bad;
})()"""


@pytest.mark.parametrize("theme", THEMES)
def test_letters_stand_out_from_their_ground(chromium: Browser, theme: str) -> None:
    """A contrast of at least 4.5, for every text on the pages."""
    shown = show("some")
    for state, site in zip(State, shown.sites, strict=False):
        shown.states[site.host] = SiteStatus(state, NOW_MS - 9_000, NOW_MS, "no answer within 5 s")
    shown.error = "InfluxDB at localhost:8086: connection refused"
    shown.publish()
    chromium.look(1440, dark=theme == "dark")
    with serving_page(shown) as url:
        for path in ("", f"site/{slug(shown.sites[1].host)}", "incidents", "report"):
            chromium.open(f"{url}{path}")
            assert chromium.ask(CONTRASTS) == []


def test_without_scripts_everything_is_there(chromium: Browser) -> None:
    with serving_page(show("some")) as url:
        chromium.look(1440, dark=False)
        page = chromium.read_without_scripts(url)
        assert all(name in page for name in NAMES)
        assert "1 of 8 sites has been down since 20:25 UTC" in page


def test_the_page_follows_what_happens(chromium: Browser) -> None:
    """A site goes down and comes back before the viewer's eyes: sentence, title, icon, row and order."""
    shown = Shown(sites_named(NAMES))
    shown.publish()
    site = shown.sites[4].host
    with serving_page(shown) as url:
        chromium.look(820, dark=False)
        chromium.open(url)
        assert chromium.driver.title == "all 8 sites are up"
        shown.states[site] = SiteStatus(State.DOWN, NOW_MS - 30_000, NOW_MS, "no answer")
        shown.publish()
        chromium.until("document.title.includes('1 of 8 sites has been down')")
        chromium.until("document.querySelector('.row:not(.titles) .of-site').textContent.includes('docs')")
        assert chromium.ask("document.querySelector('.summary').className") == "summary down"
        assert chromium.ask("document.querySelector('#headline').getAttribute('aria-live')") == "polite"
        shown.states = {site: SiteStatus(State.UP, NOW_MS - 1_000, None, "", NOW_MS // 1_000 + 3 * 86_400)}
        shown.publish()
        chromium.until("document.querySelector('#headline').textContent === 'all 8 sites are up'")
        chromium.until("document.querySelector('[data-live=expiries]').checkVisibility()")
        shown.states.clear()
        shown.publish()
        chromium.until("!document.querySelector('[data-live=expiries]').checkVisibility()")
        assert chromium.errors == []
