"""What the page answers, to whom, and in which words; without a browser."""

import json
from base64 import b64encode
from dataclasses import replace
from html import unescape

import pytest
from werkzeug.test import Client, TestResponse

from monitoring.config.keys.databases import parse_listen
from monitoring.config.tokens import Tokens
from monitoring.display.text.jsonlines import stats_json
from monitoring.display.view_model.overview import STALE_MS, slug
from monitoring.errors import ConfigError, StoreUnavailable
from monitoring.models import Cause, SiteStatus, State
from monitoring.web.application import LOOPBACK_NAMES, POLICY, make_application
from monitoring.web.serve import LIMITS, host_names, open_listener
from tests.support.gateway import NO_TOKENS, READ_TOKEN
from tests.support.page import HOSTILE, NOW_MS, Shown, days_of, outage, sites_named
from tests.support.points import check

DOWN = SiteStatus(State.DOWN, NOW_MS - 73_000, NOW_MS, "SSL certificate problem: certificate has expired")


def scene() -> Shown:
    shown = Shown(sites_named(["shop", "orders"]))
    shown.states[shown.sites[0].host] = DOWN
    shown.alerts = outage(shown.sites[0].host, NOW_MS - 73_000, None)
    failed = replace(check(0, shown.sites[0].host, Cause.STATUS, "status 503"), status=503, time_ms=NOW_MS - 2_000)
    shown.checks = [failed]
    shown.publish()
    return shown


def client_of(shown: Shown, tokens: Tokens = NO_TOKENS) -> Client:
    names = None if tokens.required else frozenset(LOOPBACK_NAMES)
    return Client(make_application(shown.board, tokens, LIMITS, shown.clock, names))


def text(response: TestResponse) -> str:
    assert response.status_code == 200, response.text
    return unescape(response.text)


def test_the_overview_tells_the_worst_first() -> None:
    page = text(client_of(scene()).get("/"))
    assert "<title>1 of 2 sites has been down since 20:25 UTC</title>" in page
    assert page.index("orders") > page.index("shop")
    assert "certificate has expired" in page
    assert "SSL certificate problem" not in page  # as everywhere: what tells nothing is left out
    assert "reading the local file: stored in config.db" in page


def test_before_the_first_answer_it_waits() -> None:
    page = text(client_of(Shown(sites_named(["shop"]))).get("/"))
    assert "<title>waiting for the first checks</title>" in page


def test_the_numbers_are_those_of_the_json() -> None:
    shown = scene()
    client = client_of(shown)
    for length_ms in (600_000, 3_600_000, 86_400_000):
        report = shown.board.latest().overview.report(length_ms)
        assert report is not None
        assert client.get(f"/api/v1/stats?window={length_ms // 1_000}").text == stats_json(report)
    assert "60.00 %" in text(client.get("/"))
    assert "60.00 %" in text(client.get(f"/site/{slug(shown.sites[0].host)}?window=24h"))
    refused = client.get("/api/v1/stats?window=7")
    assert (refused.status_code, refused.text) == (
        404,
        "there are statistics of these windows, in seconds: 600, 3600, 86400, 2592000, 7776000\n",
    )


def test_alerts_are_those_of_the_command_line_the_newest_first() -> None:
    lines = text(client_of(scene()).get("/api/v1/alerts")).splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["alert"]


def test_the_page_of_a_site_tells_why_and_how_it_is_checked() -> None:
    shown = scene()
    page = text(client_of(shown).get(f"/site/{slug(shown.sites[0].host)}"))
    for words in ("certificate has expired", "✖ status", "503", "22.5 ms", "GET every 2 s", "No answer within 5 s".lower()):
        assert words in page


@pytest.mark.parametrize("path", ["/site/nothing", "/static/nothing", "/static/../pages.py", "/nothing"])
def test_elsewhere_there_is_nothing(path: str) -> None:
    assert client_of(scene()).get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_is_taken(method: str) -> None:
    assert client_of(scene()).open("/", method=method).status_code == 405


def test_every_answer_keeps_other_hosts_out() -> None:
    client = client_of(scene())
    for path in ("/", "/metrics", "/nothing", "/static/page.css", "/favicon.svg"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8088", "", "127.0.0.1.evil.example"])
def test_another_name_for_this_host_is_refused(host: str) -> None:
    """A page of another site could let its own name lead here, and read what only this machine may."""
    refused = client_of(scene()).get("/", headers={"Host": host})
    assert (refused.status_code, refused.text) == (403, "this page answers to 127.0.0.1, [::1], localhost only\n")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8088", "127.0.0.1:9", "[::1]:8088"])
def test_its_own_names_are_answered(host: str) -> None:
    assert client_of(scene()).get("/", headers={"Host": host}).status_code == 200


def test_with_a_token_every_name_is_answered_to_those_who_have_it() -> None:
    client = client_of(scene(), Tokens(read=READ_TOKEN))
    named = {"Host": "status.example.org"}
    refused = client.get("/", headers=named)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    password = b64encode(f"anybody:{READ_TOKEN}".encode()).decode()
    for given in (f"Basic {password}", f"Bearer {READ_TOKEN}"):
        assert client.get("/metrics", headers={**named, "Authorization": given}).status_code == 200
    assert client.get("/healthz", headers=named).json == {"readable": True}  # a container looks without a token
    for wrong in ("Basic ???", "Basic YTpi", f"Basic {READ_TOKEN}", "Bearer wrong"):
        assert client.get("/", headers={**named, "Authorization": wrong}).status_code == 401


def test_beyond_this_machine_it_needs_a_token() -> None:
    address = parse_listen("0.0.0.0:8088")
    with pytest.raises(ConfigError, match="set MONITORING_READ_TOKEN"):
        open_listener(address, NO_TOKENS, None)
    assert host_names(address, Tokens(read=READ_TOKEN)) is None
    assert host_names(parse_listen("127.0.0.5:8088"), NO_TOKENS) == {*LOOPBACK_NAMES, "127.0.0.5"}


def test_hostile_names_are_data() -> None:
    shown = Shown(sites_named(HOSTILE, lambda number: HOSTILE[-1 - number]))
    shown.states[shown.sites[0].host] = replace(DOWN, detail="<img src=x onerror=alert(1)> \x1b[2J")
    shown.publish()
    client = client_of(shown)
    for path in ("/", f"/site/{slug(shown.sites[0].host)}", "/?q=<script>alert(1)</script>", "/updates?since=0"):
        page = client.get(path).text
        assert "<script>document" not in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
    assert "{{ 7 * 7 }}" in text(client.get("/"))


def test_a_filter_leaves_what_fits() -> None:
    client = client_of(scene())
    assert "site-1.example" not in text(client.get("/?q=state:down")).split("<h2")[-1]
    assert "No site fits this filter." in text(client.get("/?q=nonsense"))


def test_only_what_has_changed_is_sent_again() -> None:
    shown = scene()
    client = client_of(shown)
    first = client.get("/updates?since=0").json
    assert first["version"] == 1
    assert len(first["cells"]) > 10
    assert client.get("/updates?since=1").json["cells"] == {}
    shown.states[shown.sites[1].host] = SiteStatus(State.FAILING, NOW_MS)
    shown.publish()
    second = client.get("/updates?since=1").json
    own = slug(shown.sites[1].host)
    assert second["cells"].keys() == {"counts", f"{own}.state"}
    assert second["layout"] == first["layout"]  # it stays the second
    assert client.get("/updates?since=99").json["cells"].keys() == first["cells"].keys()  # of another server


def test_a_day_that_got_worse_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = scene()
    client = client_of(shown)
    before = client.get("/updates?since=0").json["version"]
    monkeypatch.setattr("tests.support.page.days_of", lambda number: [replace(it, available_ms=0) for it in days_of(0)])
    shown.publish()
    changed = client.get(f"/updates?since={before}").json["cells"]
    assert changed.keys() == {f"{slug(site.host)}.days" for site in shown.sites}
    assert "78 with downtime, 12 not measured" in text(client.get("/"))


def test_what_grew_old_is_said_in_the_words_of_elsewhere() -> None:
    shown = scene()
    client = client_of(shown)
    shown.error = "InfluxDB at localhost:8086: connection refused"
    shown.publish()
    assert "InfluxDB at localhost:8086: connection refused" in text(client.get("/"))
    assert client.get("/healthz").status_code == 503
    shown.clock.advance(STALE_MS / 1_000 + 210)  # type: ignore[attr-defined]
    page = text(client.get("/"))
    assert "<title>nothing is known of any of the 2 sites now: last data 4 min 1 s ago</title>" in page
    assert "these numbers are old: last data 4 min 1 s ago" in page


def test_a_store_that_fails_takes_from_a_page_only_what_must_be_asked_for() -> None:
    shown = scene()
    shown.store_error = StoreUnavailable("InfluxDB at localhost:8086: connection refused")
    client, site = client_of(shown), f"/site/{slug(shown.sites[0].host)}"
    page = text(client.get(site))
    assert '<p class="note" data-part="trouble">InfluxDB at localhost:8086: connection refused</p>' in page
    assert "60.00 %" in page
    assert "None lately" not in page
    assert client.get(f"{site}/data.json").json["lastChecks"] is None
    incident = text(client.get(f"/incidents/{slug(shown.sites[0].host)}-{NOW_MS - 73_000}"))
    assert "first failed check" in incident
    assert incident.count("InfluxDB at localhost:8086: connection refused") == 2  # in place of why, and of who was told
    failed = client.get("/report")
    assert (failed.status_code, failed.text) == (503, "InfluxDB at localhost:8086: connection refused\n")


def test_of_days_that_were_not_read_nothing_is_said() -> None:
    shown = Shown(sites_named(["shop"]))
    shown.has_data, shown.error = False, "InfluxDB at localhost:8086: connection refused"
    shown.publish()
    page = text(client_of(shown).get("/"))
    assert '<section aria-labelledby="lately-title" class="none">' in page
    assert "not measured" not in page
    shown.has_data, shown.error = True, None
    shown.publish({})  # the days are read after the first windows
    page = text(client_of(shown).get("/"))
    assert '<section aria-labelledby="lately-title">' in page
    assert page.count("</time></dt><dd>—</dd>") == 14


def test_who_asks_too_often_waits() -> None:
    shown = scene()
    limits = replace(LIMITS, burst=2)
    client = Client(make_application(shown.board, NO_TOKENS, limits, shown.clock, None))
    answers = [client.get("/healthz") for _ in range(3)]
    assert [it.status_code for it in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"


def test_what_a_browser_has_already_is_not_sent_again() -> None:
    client = client_of(scene())
    first = client.get("/static/page.css", headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    again = client.get("/static/page.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
