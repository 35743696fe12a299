"""Everybody can use the pages: axe finds nothing, and the keyboard is enough."""

from dataclasses import replace

import pytest

from monitoring.display.view_model.overview import slug
from monitoring.models import SiteStatus, State
from monitoring.storage.notifications import Delivery, Entry, Event
from tests.support.browser import Browser
from tests.support.page import NOW_MS, Shown, serving_page
from tests.support.page_scenes import show

WIDTHS = (390, 820, 1440)
THEMES = ("light", "dark")
TAB, ENTER, RIGHT, LEFT = "\ue004", "\ue007", "\ue014", "\ue012"


def everything(name: str) -> Shown:
    """Every state, a store that fails, notifications of every kind."""
    shown = show(name)
    if name == "some":
        for state, site in zip(State, shown.sites, strict=False):
            shown.states[site.host] = SiteStatus(state, NOW_MS - 73_000, NOW_MS, "no answer within 5 s")
        shown.sites[3] = replace(shown.sites[3], group="eu", tags=("shop",))
        record = shown.alerts[-1]
        shown.entries = [Entry("ops", Event.ALERT, record.time_ms, record, state, NOW_MS, "refused") for state in Delivery]
        shown.error = "InfluxDB at localhost:8086: connection refused"
        shown.publish()
    return shown


def addresses(shown: Shown) -> list[str]:
    own = slug(shown.sites[1].host)
    incident = [f"incidents/{own}-{NOW_MS - 73_000}"] if shown.alerts else []
    return ["", f"site/{own}?window=1h", f"site/{own}?window=90d", "incidents", "report", *incident]


LOOKS = [("some", width, theme) for width in WIDTHS for theme in THEMES]
OTHERS = [(name, 820, "light") for name in ("hostile", "no data", "stale")]


@pytest.mark.parametrize(("name", "width", "theme"), LOOKS + OTHERS)
def test_axe_finds_nothing(chromium: Browser, name: str, width: int, theme: str) -> None:
    shown = everything(name)
    chromium.look(width, dark=theme == "dark")
    with serving_page(shown) as url:
        for path in addresses(shown):
            chromium.open(url + path)
            if path.startswith("site/") and shown.has_data:
                chromium.until("document.querySelector('.uplot')")
            chromium.ask("document.querySelectorAll('details').forEach(it => it.open = true)")
            assert chromium.inaccessible() == [], path


def test_axe_would_find_something(chromium: Browser) -> None:
    with serving_page(show("some")) as url:
        chromium.open(url)
        chromium.driver.execute_script("document.querySelector('svg.days').removeAttribute('aria-label')")
        assert any(found.startswith("svg-img-alt") for found in chromium.inaccessible())


def test_the_keyboard_leads_everywhere(chromium: Browser) -> None:
    """Past the header at once, into a site, and along its chart."""
    shown = show("some")
    own = slug(shown.sites[1].host)
    with serving_page(shown) as url:
        chromium.look(820, dark=False)
        chromium.open(url)
        chromium.press(TAB)
        assert chromium.ask("document.activeElement.className") == "skip"
        assert chromium.ask("document.activeElement.getBoundingClientRect().left >= 0")
        chromium.press(ENTER)
        chromium.until("document.activeElement.id === 'main'")
        for _ in range(20):
            chromium.press(TAB)
            if chromium.ask("document.activeElement.getAttribute('href')") == f"site/{own}":
                break
        chromium.press(ENTER)
        chromium.until(f"location.pathname === '/site/{own}' && document.querySelector('.plots')")
        chromium.driver.execute_script("document.querySelector('.plots').focus()")
        chromium.press(LEFT)
        chromium.until("document.querySelector('.reading').textContent.includes('p95')")
        last = chromium.ask("document.querySelector('.reading').textContent")
        chromium.press(LEFT)
        chromium.until(f"document.querySelector('.reading').textContent !== {last!r}")
