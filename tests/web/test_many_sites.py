"""The overview of very many sites: what needs attention is at hand, in a browser and before the viewer's eyes."""

from collections.abc import Sequence

import pytest

from monitoring.models import SiteStatus, State
from tests.support.browser import Browser
from tests.support.page import NOW_MS, Shown, outage, serving_page, sites_named

SHOWN = "[...document.querySelectorAll('.row:not(.titles)')].filter(it => it.checkVisibility()).length"
TOP = "document.querySelector('{}').getBoundingClientRect().top"
GROUPS = "[...document.querySelectorAll('.group')].map(it => [it.querySelector('h3').textContent, it.open])"


def many(count: int, down: int, groups: Sequence[str | None] = (None,)) -> Shown:
    """The first ones of these sites are down, and each site has its group in turn."""
    shown = Shown(sites_named([f"site {number}" for number in range(count)], lambda number: groups[number % len(groups)]))
    for site in shown.sites[:down]:
        shown.states[site.host] = SiteStatus(State.DOWN, NOW_MS - 73_000, NOW_MS, "no answer within 5 s")
        shown.alerts += outage(site.host, NOW_MS - 73_000, None)
    return shown


@pytest.mark.parametrize("groups", [(None,), ("shop", "office", None)])
def test_of_a_thousand_sites_those_that_need_attention_are_at_hand(chromium: Browser, groups: Sequence[str | None]) -> None:
    """Neither are they far below the open incidents, nor do nine hundred healthy ones stand between them."""
    shown = many(1_000, 60, groups)
    shown.publish()
    chromium.look(390, dark=False)
    with serving_page(shown) as url:
        chromium.open(url)
        assert chromium.ask(TOP.format("#sites-title")) < 1_200
        assert chromium.ask("document.querySelector('[data-live=ongoing]').lastChild.textContent") == "50 more"
        assert chromium.ask(SHOWN) == 60 + 20 * len(groups)
        assert chromium.ask("document.documentElement.scrollHeight") < 25_000
        more = chromium.ask("[...document.querySelectorAll('.rest summary')].map(it => parseInt(it.textContent))")
        assert sum(more) == 1_000 - 60 - 20 * len(groups)
        chromium.driver.execute_script("document.querySelectorAll('.rest summary').forEach(it => it.click())")
        assert chromium.ask(SHOWN) == 1_000


def test_a_count_leads_to_its_sites_and_the_filter_to_what_it_finds(chromium: Browser) -> None:
    shown = many(1_000, 60)
    shown.publish()
    chromium.look(820, dark=False)
    with serving_page(shown) as url:
        chromium.open(url)
        chromium.driver.execute_script("document.querySelector('.counts a').click()")
        chromium.until("location.search === '?q=state:down'")
        assert chromium.until(SHOWN) == 60
        assert "60 of 1000 sites" in chromium.ask("document.querySelector('.filter').textContent")
        chromium.until(f"{TOP.format('#q')} < 100")
        chromium.driver.execute_script("const q = document.querySelector('#q'); q.value = 'site-99'; q.form.requestSubmit()")
        chromium.until("location.search === '?q=site-99'")
        assert chromium.until(SHOWN) == 11
        chromium.until(f"{TOP.format('#q')} < 100")
        assert chromium.errors == []


def test_a_group_says_how_many_of_its_sites_are_in_trouble_and_opens_when_one_is(chromium: Browser) -> None:
    """Also while somebody looks, also the first site of a group; what somebody has closed stays closed."""
    shown = many(90, 0, ("shop", "office", "lab"))
    shown.publish()
    said = "[...document.querySelectorAll('.group > summary')].map(it => it.innerText.replace(/\\s+/g, ' '))"
    with serving_page(shown) as url:
        chromium.look(820, dark=False)
        chromium.open(url)
        assert chromium.ask(said) == ["shop ● up 30 sites", "office ● up 30 sites", "lab ● up 30 sites"]
        assert chromium.ask(GROUPS) == [["shop", True], ["office", False], ["lab", False]]
        chromium.driver.execute_script("document.querySelector('.group > summary').click()")
        shown.states[shown.sites[0].host] = SiteStatus(State.FAILING, NOW_MS - 3_000, NOW_MS, "no answer")
        shown.publish()
        chromium.until(f"({said})[0] === 'shop 1 ▲ failing of 30 sites'")
        assert chromium.ask(GROUPS)[0] == ["shop", False], "it was closed by hand"
        for number in (2, 5):
            shown.states[shown.sites[number].host] = SiteStatus(State.DOWN, NOW_MS - 3_000, NOW_MS, "no answer")
        shown.publish()
        chromium.until(f"({said})[0] === 'lab 2 ✖ down of 30 sites'")
        assert chromium.ask(GROUPS) == [["lab", True], ["shop", False], ["office", False]]
        assert chromium.errors == []


def test_axe_finds_nothing_in_what_is_folded(chromium: Browser) -> None:
    shown = many(150, 12, ("shop", None))
    shown.publish()
    chromium.look(390, dark=True)
    with serving_page(shown) as url:
        chromium.open(url)
        assert chromium.inaccessible() == []
        chromium.ask("document.querySelectorAll('details').forEach(it => it.open = true)")
        assert chromium.inaccessible() == []


def test_without_scripts_the_rest_can_be_unfolded(chromium: Browser) -> None:
    shown = many(100, 2)
    shown.publish()
    with serving_page(shown) as url:
        chromium.look(820, dark=False)
        page = chromium.read_without_scripts(url)
        assert all(f"site {number}<" in page for number in range(100))
        assert "<summary>78 more, all up</summary>" in page
