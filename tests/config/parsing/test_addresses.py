"""Addresses of websites and databases: one normal form each, and no secret in it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitoring.config import DEFAULT_DATABASE, DatabaseAddress, site_host
from monitoring.config.keys.databases import database_address
from monitoring.config.lookup import hosts_of
from monitoring.config.parsing.addresses import SiteAddress, site_address
from monitoring.config.parsing.text import Invalid, expand
from monitoring.errors import ConfigError
from monitoring.trust import MOZILLA


def address(url: str, **environ: str) -> SiteAddress:
    return site_address(expand(url, environ))


def database(url: str, **environ: str) -> DatabaseAddress:
    return database_address(expand(url, environ))


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("http://via.ecp.fr", "http://via.ecp.fr"),
        ("http://via.ecp.fr/", "http://via.ecp.fr"),
        ("HTTP://Via.ECP.fr:80/", "http://via.ecp.fr"),
        ("https://example.org:443/A?b#c", "https://example.org/A?b"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("https://example.org:00080/", "https://example.org:80"),
        ("https://example.org:/", "https://example.org"),
        ("https://example.org?q", "https://example.org/?q"),
        ("https://example.org./", "https://example.org."),
        ("https://my_service/", "https://my_service"),
        ("https://Bücher.example/ä?ö", "https://xn--bcher-kva.example/%C3%A4?%C3%B6"),
        ("http://☃.net", "http://xn--n3h.net"),
        ("http://b%C3%BCcher.test/", "http://xn--bcher-kva.test"),
        ("http://%57WW%2eexample/", "http://www.example"),
        ("https://💩.la.", "https://xn--ls8h.la."),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("http://日本語。jp", "http://xn--wgv71a119e.jp"),
        ("http://bü_cher.example", "http://xn--b_cher-3ya.example"),
        ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080"),
        ("http://[fe80:0::1%25eth0]:8080/x", "http://[fe80::1%25eth0]:8080/x"),
        ("http://[FE80::1%Eth0.5]/", "http://[fe80::1%25Eth0.5]"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("http://a.example/x\\y'z\"<>^`{|}", "http://a.example/x%5Cy%27z%22%3C%3E%5E%60%7B%7C%7D"),
        ("http://a.example/%7e%zz?a[]=1&b=%", "http://a.example/%7e%25zz?a[]=1&b=%25"),
    ],
)
def test_a_url_has_one_normal_form(written: str, normal: str) -> None:
    """Without secrets it is also what is requested."""
    assert address(written) == SiteAddress(host=normal, url=normal)


@pytest.mark.parametrize(
    ("written", "shown", "requested"),
    [
        ("https://me:pw@a.example/", "https://me:***@a.example", "https://me:pw@a.example"),
        ("https://me:a@b@a.example/", "https://me:***@a.example", "https://me:a%40b@a.example"),
        ("https://token@a.example/", "https://***@a.example", "https://token@a.example"),
        ("https://me:@a.example/", "https://***@a.example", "https://me@a.example"),
        ("https://:pw@a.example/", "https://:***@a.example", "https://:pw@a.example"),
        ("https://@a.example/", "https://a.example", "https://a.example"),
        ("https://me:${PW}@a.example/x", "https://me:***@a.example/x", "https://me:1%2F2%40%233:4@a.example/x"),
        ("https://${LOGIN}@a.example/x", "https://${LOGIN}:***@a.example/x", "https://me:pw@a.example/x"),
        ("https://a.example/${KEY}/x", "https://a.example/${KEY}/x", "https://a.example/s%20e%5Cc/x"),
        ("https://a.example/x?k=${KEY}&l=1", "https://a.example/x?k=${KEY}&l=1", "https://a.example/x?k=s%20e%5Cc&l=1"),
        ("${BASE}/x", "https://b.example/${BASE}/x", "https://b.example/api/x"),
        ("https://${HOST}:${PORT}/", "https://c.example:81", "https://c.example:81"),
        ("https://a.example/$${KEY}", "https://a.example/$%7BKEY%7D", "https://a.example/$%7BKEY%7D"),
        ("https://a.example/?q=${EMPTY}", "https://a.example/?q=", "https://a.example/?q="),
    ],
)  # fmt: skip
def test_secrets_are_requested_and_not_shown(written: str, shown: str, requested: str) -> None:
    found = address(
        written,
        PW="1/2@#3:4",
        LOGIN="me:pw",
        KEY="s e\\c",
        BASE="https://b.example/api",
        HOST="C.example",
        PORT="81",
        EMPTY="",
    )
    assert (found.host, found.url) == (shown, requested)
    assert requested not in repr(found) or shown == requested


NAMES = st.sampled_from(
    ["${A}", "$${", "$", "{", "%", "%41", "/", "?", "#", "@", ":", "user", "é", "\\", "'", "[", "]", "//", "x"]
)
TAILS = st.lists(NAMES | st.characters(codec="utf-8"), max_size=12).map("".join)


@given(
    st.sampled_from(["http://", "https://", "HTTPS://u:${A}@"]),
    st.sampled_from(["a.example", "[::1]", "BÜ.example:80", ""]),
    TAILS,
    st.text(),
)
@example("http://", "a.example", "/$$${A}", "x")
@example("https://", "a.example", "?${A}", "")
def test_a_normal_form_is_its_own_normal_form(scheme: str, server: str, tail: str, value: str) -> None:
    """So that `--purge --site` finds a site by what `-m` shows; and it is always a name that a database takes."""
    try:
        host = address(scheme + server + tail, A=value).host
    except Invalid:
        return
    assert site_host(host) == host
    assert hosts_of(host, (), "--site") == (host,)
    assert host.isascii()
    assert host.isprintable()
    assert not set(host) & set(" \\\"'")


@given(st.sampled_from(["http://", "https://"]), TAILS)
def test_any_text_is_a_url_or_refused_with_words(scheme: str, tail: str) -> None:
    try:
        said = site_host(scheme + tail)
    except ConfigError as error:
        said = str(error)
    assert said.startswith((scheme, "a website's URL "))


def test_a_url_has_a_longest_length() -> None:
    assert address("https://a.example/" + "x" * 7_000)
    with pytest.raises(Invalid, match="longer than"):
        address("https://a.example/" + "é" * 7_000)


def test_the_default_database_is_a_valid_one() -> None:
    assert database(DEFAULT_DATABASE) == DatabaseAddress(
        kind="influxdb", masked=DEFAULT_DATABASE, host="localhost", port=8086, database="monitoring"
    )


def test_a_database_address_names_everything_that_a_client_needs() -> None:
    found = database("influxdb+https://me:${PW}@[::1]/db", PW="p@s/s: %25")
    assert found == DatabaseAddress(
        kind="influxdb", masked="influxdb+https://me:***@[::1]:8086/db", tls=MOZILLA, host="::1", port=8086,
        username="me", password="p@s/s: %", database="db",
    )  # fmt: skip
    assert "p@s" not in repr(found)


def test_a_gateway_is_named_by_host_and_port() -> None:
    assert database("gateway+http://gate.example:8000/").masked == "gateway+http://gate.example:8000"
    secure = database("GATEWAY+HTTPS://Gate.example:443")
    assert (secure.kind, secure.tls, secure.host, secure.port, secure.database) == (
        "gateway",
        MOZILLA,
        "gate.example",
        443,
        "",
    )


def test_sqlite_is_the_local_file_alone() -> None:
    assert database("sqlite:") == DatabaseAddress("sqlite", "sqlite:")


@given(st.sampled_from(["influxdb://", "influxdb+https://", "gateway+http://", "sqlite:", ""]), TAILS)
def test_any_text_is_a_database_or_refused_with_words(scheme: str, tail: str) -> None:
    try:
        said = database(scheme + tail, A="x").masked
    except Invalid as error:
        said = str(error)
    assert said.isprintable()
