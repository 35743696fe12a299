"""What cannot be answered is a page for browsers, and one line for programs."""

from html import unescape

import pytest
from werkzeug.test import Client, TestResponse

from monitoring.config.tokens import Tokens
from monitoring.errors import StoreUnavailable
from monitoring.web.application import LOOPBACK_NAMES, make_application
from monitoring.web.serve import LIMITS
from tests.support.gateway import NO_TOKENS, READ_TOKEN
from tests.support.page import Shown, sites_named

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
AWAY = "InfluxDB at localhost:8086: connection refused"


def client_of(tokens: Tokens = NO_TOKENS, error: str = "") -> Client:
    shown = Shown(sites_named(["secret shop"]))
    shown.store_error = StoreUnavailable(error) if error else None
    shown.publish()
    names = None if tokens.required else frozenset(LOOPBACK_NAMES)
    return Client(make_application(shown.board, tokens, LIMITS, shown.clock, names))


def page_of(answer: TestResponse, status: int) -> str:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "Accept" in answer.headers["Vary"]
    return unescape(answer.text)


@pytest.mark.parametrize(("path", "words"), [
    ("/nothing", "There is nothing here"),
    ("/site/nothing", "no site of the configuration has this address"),
    ("/incidents/nothing", "no incident that is still kept has this address"),
    ("/report/2099-01", "this month has not begun"),
    ("/report/%3Cscript%3Ealert(1)", "There is nothing here"),
    ("/a/b/c/<script>alert(1)</script>", "There is nothing here"),
])  # fmt: skip
def test_what_is_not_there_leads_back_to_the_sites(path: str, words: str) -> None:
    answer = client_of().get(path, headers=BROWSER)
    assert "<script>alert" not in answer.text
    page = page_of(answer, 404)
    assert words in page
    assert '<base href="/">' in page
    assert '<a href="incidents">Incidents</a>' in page


def test_at_a_gateway_its_links_stay_below_the_page() -> None:
    answer = client_of().get("/nothing", headers=BROWSER, environ_overrides={"SCRIPT_NAME": "/status"})
    assert '<base href="/status/">' in page_of(answer, 404)


def test_a_store_that_is_away_is_said_on_a_page() -> None:
    page = page_of(client_of(error=AWAY).get("/report", headers=BROWSER), 503)
    assert "<h1>The store cannot be read</h1>" in page
    assert AWAY in page


def test_who_has_no_token_is_told_how_to_give_it_and_nothing_else() -> None:
    client = client_of(Tokens(read=READ_TOKEN))
    answer = client.get("/", headers=BROWSER)
    page = page_of(answer, 401)
    assert "<h1>A password is needed</h1>" in page
    assert "In a browser the token is the password" in page
    assert "favicon.svg" not in page  # it tells of the sites, so it would be refused, too
    assert "secret shop" not in page
    assert "local file" not in page
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert client.get("/static/page.css").status_code == 200  # the same for everybody
    assert client.get("/static/nothing").status_code == 404
    assert [client.get(path).status_code for path in ("/favicon.svg", "/updates", "/metrics", "/staticx")] == [401] * 4


def test_programs_get_one_line() -> None:
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = client_of().get("/site/nothing", headers=accept)
        assert answer.text == "no site of the configuration has this address\n"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
