"""The chart of a site: the browser, the server, the table and the files show the numbers of the API."""

import csv
import io
from html import unescape
from typing import Any

import pytest
import requests

from monitoring.display.view_model.overview import slug
from monitoring.models import SiteStatus, State
from monitoring.web.board import WINDOWS_MS
from tests.support.browser import Browser
from tests.support.page import NOW_MS, serving_page
from tests.support.page_scenes import show

LEFT = "\ue012"

PLOTTED = """(() => { const [plot, strip] = document.querySelector('figure.chart').chart.plots;
  return {times: plot.data.map(it => [...it]), failed: strip ? strip.data.map(it => [...it]) : [],
          causes: strip ? strip.series.slice(1).map(it => it.label) : []}; })()"""


def answer(url: str) -> Any:
    return requests.get(url, timeout=30).json()


@pytest.mark.parametrize("window", WINDOWS_MS)
def test_the_browser_draws_the_numbers_of_the_api(chromium: Browser, window: str) -> None:
    shown = show("some")
    own = slug(shown.sites[1].host)
    chromium.look(820, dark=False)
    with serving_page(shown) as url:
        (place,) = answer(f"{url}site/{own}/data.json?window={window}")["places"]
        (stats,) = [
            it
            for it in answer(f"{url}api/v1/stats?window={WINDOWS_MS[window] // 1_000}")["sites"]
            if it["name"] == "orders API"
        ]
        assert {key: place[key] for key in stats} == stats
        chromium.open(f"{url}site/{own}?window={window}")
        chromium.until("document.querySelector('figure.chart').chart")
        plotted = chromium.ask(PLOTTED)
    marks = place["marks"]
    assert plotted["times"][1:] == [[it["p50"] for it in marks], [it["p95"] for it in marks]]
    for number, cause in enumerate(plotted["causes"]):
        below = plotted["causes"][number + 1 :]  # the whole stack is drawn first, and what lies on it over it
        for mark, share in zip(marks, plotted["failed"][number + 1], strict=True):
            count = sum(mark["causes"].get(it, 0) for it in (cause, *below))
            assert (share or 0) == pytest.approx(count / mark["checks"] if mark["checks"] else 0)
    assert {cause for it in marks for cause in it["causes"]} == set(plotted["causes"])


def test_without_scripts_the_chart_and_its_table_are_there(chromium: Browser) -> None:
    shown = show("some")
    own = slug(shown.sites[1].host)
    with serving_page(shown) as url:
        page = unescape(chromium.read_without_scripts(f"{url}site/{own}?window=1h"))
        (place,) = answer(f"{url}site/{own}/data.json?window=1h")["places"]
    assert '<path class="p95"' in page
    assert '<path class="cause timeout"' in page
    for mark in place["marks"]:
        assert mark["from"] in page
        if mark["p95"] is not None:
            assert f"{mark['p95'] * 1_000:.1f} ms" in page


def test_the_csv_has_the_same_numbers() -> None:
    shown = show("some")
    own = slug(shown.sites[1].host)
    with serving_page(shown) as url:
        (place,) = answer(f"{url}site/{own}/data.json?window=24h")["places"]
        rows = list(csv.DictReader(io.StringIO(requests.get(f"{url}site/{own}/data.csv?window=24h", timeout=30).text)))
    assert len(rows) == len(place["marks"]) == 24
    for row, mark in zip(rows, place["marks"], strict=True):
        assert (row["from"], row["until"], int(row["checks"])) == (mark["from"], mark["until"], mark["checks"])
        assert (float(row["p95 seconds"]) if row["p95 seconds"] else None) == mark["p95"]
        assert {it: int(row[f"{it} failures"]) for it in ("timeout", "status")} == {
            it: mark["causes"].get(it, 0) for it in ("timeout", "status")
        }


def test_the_page_of_a_site_follows_what_happens(chromium: Browser) -> None:
    shown = show("some")
    site = shown.sites[4]
    with serving_page(shown) as url:
        chromium.look(820, dark=True)
        chromium.open(f"{url}site/{slug(site.host)}")
        chromium.until("document.querySelector('figure.chart').chart")
        assert chromium.ask("document.querySelector('[data-part=state1]').textContent").strip().startswith("● up")
        drawn = chromium.ask("document.querySelector('figure.chart').chart.plots.length")
        shown.states[site.host] = SiteStatus(State.DOWN, NOW_MS - 30_000, NOW_MS, "no answer <b>x</b>")
        shown.publish()
        chromium.until("document.querySelector('[data-part=state1]').textContent.includes('down')")
        chromium.until("document.querySelector('[data-part=facts1]').textContent.includes('60.00 %')")
        chromium.until(f"document.querySelector('figure.chart').chart.columns.causes.length === 2 || {drawn} === 0")
        assert chromium.ask("document.querySelectorAll('main b b').length") == 0
        assert chromium.errors == []


def test_a_page_that_was_opened_before_the_first_check_gets_what_comes(chromium: Browser) -> None:
    """It has other parts then: the chart, the table, the last checks."""
    shown = show("no data")
    site = shown.sites[1]
    with serving_page(shown) as url:
        chromium.look(820, dark=False)
        chromium.open(f"{url}site/{slug(site.host)}")
        assert chromium.ask("document.querySelector('figure.chart')") is None
        shown.has_data, shown.error = True, None
        shown.checks = show("some").checks
        shown.publish()
        chromium.until("document.querySelector('figure.chart')?.chart")
        assert chromium.ask("document.querySelectorAll('[data-part=checks] tr').length") == 20
        assert chromium.errors == []


def test_a_chart_that_is_drawn_anew_keeps_the_focus_and_what_is_read(chromium: Browser) -> None:
    shown = show("some")
    site = shown.sites[4]
    with serving_page(shown) as url:
        chromium.look(820, dark=False)
        chromium.open(f"{url}site/{slug(site.host)}")
        chromium.until("document.querySelector('figure.chart').chart")
        chromium.driver.execute_script("document.querySelector('.plots').focus(); window.before = document.activeElement")
        chromium.press(LEFT)
        chromium.until("document.querySelector('.reading').textContent.includes('p95')")
        shown.states[site.host] = SiteStatus(State.DOWN, NOW_MS - 30_000, NOW_MS, "no answer")
        shown.publish()
        chromium.until("document.activeElement.className === 'plots' && document.activeElement !== window.before")
        chromium.until("document.querySelector('.reading').textContent.includes('failed: ')")


DRAWN = """(() => { const found = new Set();
  for (const {ctx} of document.querySelector('figure.chart').chart.plots) {
    const {data} = ctx.getImageData(0, 0, ctx.canvas.width, ctx.canvas.height), count = {};
    for (let at = 0; at < data.length; at += 4)
      if (data[at + 3] === 255) { const it = data.slice(at, at + 3).join(); count[it] = (count[it] || 0) + 1; }
    Object.keys(count).filter(it => count[it] > 50).forEach(it => found.add(it));
  }
  return [...found].sort(); })()"""
"""The colours of all charts of a site, but for those of few pixels."""


def colours(chromium: Browser) -> list[str]:
    """As they are drawn now."""
    chromium.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: list[str] = chromium.ask(DRAWN)
    return found


def test_paper_is_white_whatever_the_theme_of_the_screen(chromium: Browser) -> None:
    """Charts, states and bars are printed in the colours of the light theme, also those that are backgrounds."""
    shown = show("some")
    with serving_page(shown) as url:
        found = {}
        for theme in ("light", "dark"):
            chromium.look(820, dark=theme == "dark")
            chromium.open(f"{url}site/{slug(shown.sites[1].host)}?window=1h")
            chromium.until("document.querySelector('figure.chart').chart")
            found[theme] = colours(chromium)
        assert found["light"] != found["dark"]
        chromium.ask("dispatchEvent(new Event('beforeprint'))")
        assert colours(chromium) == found["light"]
        chromium.ask("dispatchEvent(new Event('afterprint'))")
        assert colours(chromium) == found["dark"]
        chromium.print_out()
        style = "getComputedStyle(document.querySelector('{}')).{}"
        assert chromium.ask(style.format(".state.down", "color")) == "rgb(179, 38, 30)"
        assert chromium.ask(style.format(".bars", "printColorAdjust")) == "exact"
        assert chromium.ask(style.format(".swatch.cause", "printColorAdjust")) == "exact"
