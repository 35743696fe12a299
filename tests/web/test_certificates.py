"""Certificates that expire soon are on the page of all sites, before the sites; the others are not."""

from html import unescape

import pytest
from werkzeug.test import Client

from monitoring.display.view_model.overview import slug
from monitoring.models import SiteStatus, State
from monitoring.units import DAY_MS
from monitoring.web.application import LOOPBACK_NAMES, make_application
from monitoring.web.serve import LIMITS
from tests.support.gateway import NO_TOKENS
from tests.support.page import NOW_MS, Shown, sites_named


def expiring(days: float) -> SiteStatus:
    return SiteStatus(State.UP, NOW_MS - DAY_MS, certificate_s=(NOW_MS + round(days * DAY_MS)) // 1_000)


def client_of(shown: Shown) -> Client:
    shown.publish()
    return Client(make_application(shown.board, NO_TOKENS, LIMITS, shown.clock, frozenset(LOOPBACK_NAMES)))


def scene(*days: float) -> Shown:
    """A site for each certificate, which is still valid for so many days."""
    shown = Shown(sites_named([f"site {number}" for number, _ in enumerate(days)]))
    shown.states = {site.host: expiring(left) for site, left in zip(shown.sites, days, strict=True)}
    return shown


def listed(page: str) -> str:
    return page.partition('data-live="expiries">')[2].partition("</ul>")[0]


def test_the_next_to_expire_stands_first_before_the_sites() -> None:
    page = unescape(client_of(scene(80, 9.5, 0.5)).get("/").text)
    assert page.index("expires within a day") < page.index("expires in 9 days") < page.index(">Sites<")
    assert "site 0" not in listed(page)
    assert page.count("certificate expires") == 2  # in their rows as well


@pytest.mark.parametrize("days", [15, 365])
def test_where_none_expires_soon_there_is_no_word_of_it(days: float) -> None:
    page = client_of(scene(days)).get("/").text
    assert 'class="none">\n<h2 id="expiries-title">' in page
    assert listed(page) == ""
    assert "certificate expires" not in page


def test_of_many_ten_are_listed_and_the_others_counted() -> None:
    page = client_of(scene(*[3.5] * 13)).get("/").text
    assert listed(page).count("<li>") == 11
    assert "3 sites more, marked below" in listed(page)


def test_the_page_of_its_site_counts_no_days_below_none() -> None:
    shown = scene(-3, 40)
    client = client_of(shown)
    expired, valid = (client.get(f"/site/{slug(site.host)}").text for site in shown.sites)
    assert "<span>certificate</span><b>has expired</b>" in expired
    assert "<span>certificate</span><b>expires in 40 days</b>" in valid


def test_a_browser_hears_of_one_that_comes_within_the_warning() -> None:
    shown = scene(15, 365)
    client = client_of(shown)
    before = client.get("/updates?since=0").json
    shown.states[shown.sites[1].host] = expiring(13.5)
    shown.publish()
    after = client.get(f"/updates?since={before['version']}").json
    assert "expires in 13 days" in after["cells"]["expiries"]
    assert after["layout"] != before["layout"]  # it stands above those that are as well as it is
