"""Incidents, their feed, months and badges, without a browser."""

import json
from dataclasses import replace
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from werkzeug.test import Client

from monitoring.config.parsing.durations import month
from monitoring.display.view_model.months import MONTH_RULE
from monitoring.display.view_model.overview import STALE_MS, slug
from monitoring.display.words import time_text
from monitoring.models import SiteStatus, State
from monitoring.units import DAY_MS, MINUTE_MS
from monitoring.web.application import LOOPBACK_NAMES, make_application
from monitoring.web.history import report_table
from monitoring.web.pages import MOST_INCIDENTS
from monitoring.web.serve import LIMITS
from tests.support.gateway import NO_TOKENS
from tests.support.page import HOSTILE, NOW_MS, Shown, outage, sites_named

ATOM = "{http://www.w3.org/2005/Atom}"
START_MS = NOW_MS - 60 * MINUTE_MS


def scene(*names: str) -> Shown:
    """The first site is down, the second one was."""
    shown = Shown(sites_named(names or ("shop", "orders")))
    first, second = (site.host for site in shown.sites[:2])
    shown.states[first] = SiteStatus(State.DOWN, NOW_MS - 73_000, NOW_MS, "no answer")
    shown.alerts = outage(second, START_MS, START_MS + 10 * MINUTE_MS) + outage(first, NOW_MS - 73_000, None, "<b>x</b>\x1b")
    shown.publish()
    return shown


def client_of(shown: Shown) -> Client:
    return Client(make_application(shown.board, NO_TOKENS, LIMITS, shown.clock, frozenset(LOOPBACK_NAMES)))


def read(shown: Shown, path: str) -> str:
    answer = client_of(shown).get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_incidents_stand_by_day_the_newest_first() -> None:
    page = read(scene(), "/incidents")
    assert page.index("ongoing") < page.index("over</span>")
    assert "10 min" in page
    assert '<h2 id="d2026-05-28">' in page


def test_an_open_incident_of_a_site_that_nobody_measures_any_more_is_not_said_to_go_on() -> None:
    shown = scene()
    shown.states[shown.sites[0].host] = SiteStatus(State.UNKNOWN, NOW_MS - 5 * MINUTE_MS)
    shown.publish()
    assert "last measured 5 min ago" in read(shown, "/incidents")
    page = read(shown, f"/incidents/{slug(shown.sites[0].host)}-{NOW_MS - 73_000}")
    assert "not known: not measured since" in page
    overview = read(shown, "/")
    assert ", ongoing<" not in overview
    assert "not measured now" in overview


def test_one_that_nobody_measures_any_more_is_as_long_in_its_month_as_on_its_own_page() -> None:
    shown = scene()
    host = shown.sites[0].host
    shown.alerts = outage(host, NOW_MS - 900_000, None)
    shown.states[host] = SiteStatus(State.UNKNOWN, NOW_MS - 560_000)
    shown.publish()
    assert "5 min 40 s" in read(shown, f"/incidents/{slug(host)}-{NOW_MS - 900_000}")
    page = read(shown, f"/report/{time_text(NOW_MS)[:7]}")
    assert '<td class="number">5 min 40 s</td>' in page
    assert "timeout: 5 min 40 s" in page


def test_of_many_incidents_the_newest_are_listed_and_the_others_counted() -> None:
    shown = scene()
    shown.alerts = [
        it
        for number in range(MOST_INCIDENTS + 7)
        for it in outage(shown.sites[1].host, START_MS + 60_000 * number, START_MS + 60_000 * number + 5_000)
    ]
    shown.publish()
    page = read(shown, "/incidents")
    assert page.count("<li>") == MOST_INCIDENTS
    assert "7 earlier: " in page
    assert "earlier" not in read(scene(), "/incidents")


def test_an_incident_has_a_page_of_its_own() -> None:
    shown = scene()
    over = read(shown, f"/incidents/{slug(shown.sites[1].host)}-{START_MS}")
    for words in ("no answer within 5 s", "at an availability of 78.30 %", "at an availability of 91.00 %", "10 min"):
        assert words in over
    assert "<b>why</b> it is so\n  26.0 s of 120 s" in over
    assert '<h2 id="why">Why, as it was when the alert was raised</h2>' in over
    assert "<b>why" not in client_of(shown).get(f"/incidents/{slug(shown.sites[1].host)}-{START_MS}").text
    ongoing = read(shown, f"/incidents/{slug(shown.sites[0].host)}-{NOW_MS - 73_000}")
    assert "not yet" in ongoing
    assert '<h2 id="why">Why</h2>' in ongoing
    assert client_of(shown).get("/incidents/nothing").status_code == 404


def test_every_link_on_the_pages_leads_somewhere() -> None:
    import re

    shown = scene()
    client = client_of(shown)
    for page in ("/", "/incidents", "/report", f"/site/{slug(shown.sites[0].host)}"):
        for link in re.findall(r'(?:href|src)="([^"#?]+)', read(shown, page)):
            path = "/" + link.removeprefix("http://localhost/").removeprefix("../").removeprefix("./")
            assert client.get(path).status_code == 200, f"{page}: {link}"


def test_the_feed_is_xml_whatever_names_hold() -> None:
    feed = ET.fromstring(client_of(scene(*HOSTILE)).get("/incidents.atom").text)
    titles = [entry.findtext(f"{ATOM}title") for entry in feed.iter(f"{ATOM}entry")]
    assert titles == [
        "<script>document.title='owned'</script> is down",
        "</title><img src=x onerror=alert(1)> was down for 10 min",
    ]
    first = next(feed.iter(f"{ATOM}entry"))
    assert "cause timeout: <b>x</b>\\x1b" in (first.findtext(f"{ATOM}content") or "")
    assert (first.find(f"{ATOM}link") or {}).get("href", "http://localhost/").startswith("http://localhost/")


def test_an_entry_keeps_its_name_and_changes_when_the_outage_is_over() -> None:
    shown = scene()
    first = client_of(shown).get("/incidents.atom").text
    shown.alerts += outage(shown.sites[0].host, NOW_MS - 73_000, NOW_MS - 3_000)[1:]
    shown.publish()
    second = client_of(shown).get("/incidents.atom").text
    ids, updates = (
        [[entry.findtext(f"{ATOM}{tag}") for entry in ET.fromstring(text).iter(f"{ATOM}entry")] for text in (first, second)]
        for tag in ("id", "updated")
    )
    assert ids[0] == ids[1]
    assert updates[0][0] != updates[1][0]


def test_a_month_is_the_same_on_the_page_as_csv_and_as_json() -> None:
    shown = scene()
    page = read(shown, "/report")
    (site,) = [it for it in json.loads(read(shown, "/report/2026-05.json"))["sites"] if it["name"] == "shop"]
    assert site["availability"] == 60.0
    assert site["incidents"] == 1
    assert "60.00 %" in page
    assert MONTH_RULE in page
    assert ",60.00," in read(shown, "/report/2026-05.csv")
    assert 'href="report/2026-04"' in page
    assert 'href="report/2026-06"' not in page
    assert 'href="report/2026-05"' in read(shown, "/report/2026-04")


@pytest.mark.parametrize("path", ["/report/2030-01", "/report/2026-13", "/report/../x", "/report/2026-13.csv"])
def test_another_month_is_refused(path: str) -> None:
    assert client_of(scene()).get(path).status_code == 404


def test_the_badge_of_all_sites_is_their_sentence_in_short() -> None:
    shown = scene()
    assert "<title>sites: 1 of 2 down</title>" in read(shown, "/badge.svg")
    shown.states.clear()
    shown.states[shown.sites[0].host] = SiteStatus(State.MAINTENANCE, NOW_MS)
    shown.publish()
    assert "<title>sites: 1 up, 1 in maintenance</title>" in read(shown, "/badge.svg")
    shown.clock.advance(STALE_MS / 1_000 + 1)  # type: ignore[attr-defined]
    assert "<title>sites: 2 of 2 unknown</title>" in read(shown, "/badge.svg")
    empty = Shown(())
    empty.publish()
    assert "<title>sites: unknown</title>" in read(empty, "/badge.svg")


def test_a_badge_tells_the_worst_state_and_availability() -> None:
    shown = scene()
    badge = read(shown, f"/badge/{slug(shown.sites[0].host)}.svg?window=30d")
    assert "<title>shop: down 60.00 %</title>" in badge
    assert "orders: up 100.00 %" in read(shown, f"/badge/{slug(shown.sites[1].host)}.svg")
    ET.fromstring(badge)


def test_a_badge_has_the_name_of_its_site_before_the_first_checks() -> None:
    shown = Shown(sites_named(["shop"]))
    shown.has_data = False
    shown.publish()
    assert "<title>shop: unknown</title>" in read(shown, f"/badge/{slug(shown.sites[0].host)}.svg")


@pytest.mark.parametrize("window", ["24h", "30d", "90d"])
def test_badges_say_what_the_pages_say(window: str) -> None:
    """Of every state, and with the availability of the same window."""
    shown = scene(*[str(state) for state in State])
    shown.states = {site.host: SiteStatus(state, NOW_MS - 9_000) for site, state in zip(shown.sites, State, strict=True)}
    shown.publish()
    overview = read(shown, "/").split('<div class="row" role="row">')[1:]
    for site, state in zip(shown.sites, State, strict=True):
        (row,) = [it for it in overview if f'href="site/{slug(site.host)}"' in it]
        badge = read(shown, f"/badge/{slug(site.host)}.svg?window={window}")
        title = badge.split("<title>")[1].split("</title>")[0]
        percent = title.removeprefix(f"{state}: {state} ")
        assert title.startswith(f"{state}: {state} ")
        assert f"</span> {state}</span>" in row
        assert f'.{window[:-1]} {window[-1]}">{percent}</span>' in row
        assert f"</span> {state}</span>" in read(shown, f"/site/{slug(site.host)}?window={window}")
        assert f"<b>{percent}</b>" in read(shown, f"/site/{slug(site.host)}?window={window}")


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_badge_is_xml_whatever_its_name_is(number: int) -> None:
    shown = scene(*HOSTILE)
    shown.sites[number] = replace(shown.sites[number], group="x")
    ET.fromstring(client_of(shown).get(f"/badge/{slug(shown.sites[number].host)}.svg").text)


def test_what_is_stale_is_not_up_on_a_badge() -> None:
    shown = scene()
    shown.clock.advance(DAY_MS / 1_000)  # type: ignore[attr-defined]
    assert "orders: unknown" in read(shown, f"/badge/{slug(shown.sites[1].host)}.svg")


def test_a_month_with_maintenance_has_a_column_for_it() -> None:
    report = scene().board.questions.month(month("2026-05"))
    first, *others = report.rows
    maintained = replace(first, site=replace(first.site, stats=replace(first.site.stats, maintenance_ms=90 * MINUTE_MS)))
    for rows, shown in ((report.rows, False), ([maintained, *others], True)):
        titles, found = report_table(replace(report, rows=rows))
        assert ("Maintenance" in titles) == shown
        assert {len(row) for row in found} == {len(titles)}
    assert [row[titles.index("Maintenance")] for row in found] == ["1 h 30 min", "0 s"]
