"""Redirects are followed as browsers do, and secrets stay at home."""

import socket

import pytest

from monitoring.checks.redirects import origin
from monitoring.models import Cause
from tests.support.certificates import Authority
from tests.support.probing import SHORT_MS, check, check_raw, phase, probing, site
from tests.support.servers import (
    OK,
    HttpServer,
    RawServer,
    Request,
    pause,
    read_request,
    redirect,
    response,
    sends,
    sends_forever,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


# --- Redirects


def test_phases_are_summed_over_a_redirect_from_http_to_https(authority: Authority) -> None:
    """libcurl's own sums would count the first hop into the second one's phases."""

    def slow_body(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n")
        pause(connection, 0.4)
        connection.sendall(b"ok")

    with RawServer(slow_body, tls=authority.server("localhost")) as secure:

        def slow_redirect(connection: socket.socket) -> None:
            read_request(connection)
            pause(connection, 0.3)
            connection.sendall(redirect(secure.url(host="localhost"), 301))

        with RawServer(slow_redirect) as plain:
            result = check(plain.url(), ca_file=authority.ca_file)
    assert (result.status, result.cause) == (200, None)
    assert 290_000 <= phase(result, "processing") < 1_500_000
    assert 390_000 <= phase(result, "transfer") < 1_500_000
    assert phase(result, "tls") < 1_000_000
    assert 690_000 <= result.response_us < 3_000_000


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(303, "POST", "GET"), (301, "POST", "GET"), (302, "POST", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT"),
     (302, "PUT", "PUT"), (303, "HEAD", "HEAD"), (302, "GET", "GET")],
)  # fmt: skip
def test_the_method_after_a_redirect_is_that_of_a_browser(status: int, method: str, then: str) -> None:
    body = None if method in ("GET", "HEAD") else b"data"
    with HttpServer(redirect("/next?q=1", status), OK) as server:
        assert check(server.url(), method=method, body=body).cause is None
    second = server.requests[1]
    assert (second.method, second.target) == (then, "/next?q=1")
    assert second.body == (body if then == method and body else b"")


@pytest.mark.parametrize("hops", [10, 11])
def test_ten_redirects_are_followed_and_no_more(hops: int) -> None:
    with HttpServer(*[redirect(f"/{hop}") for hop in range(hops)], OK) as server:
        result = check(server.url())
    assert len(server.requests) == 11
    assert result.response_us is not None
    assert (result.status, result.cause) == ((200, None) if hops == 10 else (302, Cause.REDIRECTS))


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://user:secret@127.0.0.1/secret", "javascript:secret", "gopher://127.0.0.1:70/_x",
     "http://[::1/secret", "http://127.0.0.1:99999/secret"],
)  # fmt: skip
def test_a_redirect_to_anything_but_the_web_is_not_followed(target: str) -> None:
    with HttpServer(redirect(target)) as server:
        result = check(server.url())
        assert len(server.requests) == 1
    assert (result.status, result.cause) == (302, Cause.REDIRECTS)
    assert "secret" not in result.detail


def test_a_redirect_to_a_name_that_cannot_be_one_is_redirects() -> None:
    with HttpServer(redirect("http://no host/secret")) as server:
        result = check(server.url())
    assert result.cause == Cause.REDIRECTS
    assert "secret" not in result.detail


def test_a_redirect_whose_own_page_never_ends_is_not_followed() -> None:
    result = check_raw(sends_forever(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"x" * 65536))
    assert (result.status, result.cause) == (302, Cause.REDIRECTS)


def test_each_hop_has_only_the_time_that_is_left() -> None:
    def slow_redirect(connection: socket.socket) -> None:
        read_request(connection)
        pause(connection, 0.2)
        connection.sendall(redirect("/again"))

    result = check_raw(slow_redirect, timeout_ms=SHORT_MS)
    assert (result.status, result.cause, result.response_us) == (0, Cause.TIMEOUT, None)


def test_a_redirect_that_is_not_to_be_followed_is_the_answer() -> None:
    with HttpServer(redirect("file:///etc/passwd")) as server:
        assert check(server.url(), follow_redirects=False).cause is None
        assert check(server.url(), follow_redirects=False, expectedStatus=200).cause == Cause.STATUS


def test_a_redirect_without_a_target_is_an_answer() -> None:
    assert check_raw(sends(response(302))).status == 302


def test_a_site_that_first_sets_a_cookie_is_not_a_loop() -> None:
    def wants_cookie(request: Request) -> bytes:
        if request.headers.get("cookie") == "seen=1":
            return OK
        return response(302, headers={"Location": "/", "Set-Cookie": "seen=1"})

    with HttpServer(wants_cookie) as server, probing(site(server.url())) as probe:
        assert [probe.check().cause for _ in range(2)] == [None, None]
    assert len(server.requests) == 4, "the next check is a new visitor"


def test_a_target_with_spaces_and_letters_of_any_language_is_followed() -> None:
    with HttpServer(redirect("/caf\u00e9 b"), OK) as server:
        assert check(server.url()).cause is None
    assert len(server.requests) == 2


# --- What is sent, and to whom


def test_method_headers_login_and_body_are_sent_as_configured() -> None:
    with HttpServer() as server:
        url = server.url("/path?q=1").replace("//", "//us%40er:pa%3Ass@")
        headers = (("X-Token", "s\u00e9cret"), ("X-Empty", ""), ("Host", "other.example"))
        assert check(url, method="PUT", headers=headers, body=b"\0data").cause is None
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("PUT", "/path?q=1", b"\0data")
    assert request.headers["authorization"] == "Basic dXNAZXI6cGE6c3M="
    assert request.headers["x-token"].encode("latin-1").decode() == "s\u00e9cret"
    assert request.headers["x-empty"] == ""
    assert request.headers["host"] == "other.example"
    assert request.headers["user-agent"].startswith("website-monitor/")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_any_method_can_do_without_a_body(method: str) -> None:
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with HttpServer(answer) as server:
        assert check(server.url(), method=method).status == 204
    assert (server.requests[0].method, server.requests[0].body) == (method, b"")


def test_secrets_stay_at_home_and_come_along_only_there() -> None:
    """home -> elsewhere -> home: what is configured for a site is seen by nobody else, in no hop and no check."""
    with (
        HttpServer(lambda _: redirect(home.url("/back"))) as elsewhere,
        HttpServer(redirect(elsewhere.url("/other")), OK) as home,
    ):
        url = home.url().replace("//", "//user:password@")
        headers = (("X-Token", "secret"), ("Authorization", "Bearer secret"), ("Cookie", "secret"), ("Host", "a.test"))
        with probing(site(url, headers=headers, private_headers=("x-token",))) as probe:
            assert [probe.check().cause for _ in range(2)] == [None, None]
    assert [seen.target for seen in elsewhere.requests] == ["/other"]
    assert elsewhere.requests[0].headers.keys().isdisjoint({"x-token", "authorization", "cookie"})
    assert elsewhere.requests[0].headers["host"] == f"127.0.0.1:{elsewhere.port}"
    assert [seen.target for seen in home.requests] == ["/", "/back", "/"]
    assert [seen.headers["x-token"] for seen in home.requests] == ["secret"] * 3
    assert [seen.headers["authorization"] for seen in home.requests] == ["Bearer secret"] * 3


def test_headers_without_a_secret_come_along_everywhere() -> None:
    """A site may let in browsers only, wherever it redirects to."""

    def for_browsers(request: Request) -> bytes:
        return OK if request.headers["user-agent"] == "Mozilla/5.0" else response(403)

    with HttpServer(for_browsers) as elsewhere, HttpServer(redirect(elsewhere.url())) as home:
        assert check(home.url(), headers=(("User-Agent", "Mozilla/5.0"), ("X-Empty", ""))).cause is None
    assert elsewhere.requests[0].headers["x-empty"] == ""


@pytest.mark.parametrize(("status", "method", "kept"), [(302, "GET", False), (307, "POST", True)])
def test_what_describes_a_body_stays_with_it(status: int, method: str, kept: bool) -> None:
    headers = (("Content-Type", "application/json"), ("X-Other", "1"))
    with HttpServer(redirect("/next", status), OK) as server:
        assert check(server.url(), method="POST", body=b"{}", headers=headers).cause is None
    second = server.requests[1]
    assert (second.method, second.headers["x-other"]) == (method, "1")
    assert ("content-type" in second.headers) is kept


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_a_site_whose_address_is_written_as_a_number_is_at_home_after_a_redirect(host: str) -> None:
    with HttpServer(redirect("/there", 307), OK) as server:
        url = server.url(host=host).replace("//", "//user:password@")
        assert check(url, method="POST", body=b"x=1", headers=(("Cookie", "a=b"),)).cause is None
    first, last = server.requests
    assert last.body == first.body == b"x=1"
    for name in ("authorization", "cookie"):
        assert last.headers[name] == first.headers[name]


def test_a_login_does_not_follow_a_redirect_elsewhere() -> None:
    with HttpServer() as elsewhere, HttpServer(redirect(elsewhere.url())) as home:
        assert check(home.url().replace("//", "//user:password@")).cause is None
    assert "authorization" in home.requests[0].headers
    assert "authorization" not in elsewhere.requests[0].headers


@pytest.mark.parametrize(
    ("home", "target", "included"),
    [
        ("http://a.example/x", "http://A.example:80/y", True),
        ("http://a.example", "https://a.example", True),  # the usual upgrade
        ("https://a.example", "http://a.example", False),  # in the clear
        ("http://a.example", "https://a.example:8443", False),  # maybe another program
        ("http://a.example:8080", "https://a.example", False),
        ("http://a.example", "https://www.a.example", False),  # maybe another machine
        ("https://a.example", "https://a.example@b.example", False),
    ],
)
def test_home_is_the_same_origin_or_its_upgrade_to_https(home: str, target: str, included: bool) -> None:
    """Pure, because real servers cannot have the default ports here."""
    assert origin(home).includes(origin(target)) is included


def test_a_body_is_not_taken_elsewhere() -> None:
    with HttpServer() as elsewhere, HttpServer(redirect(elsewhere.url(), 307)) as home:
        result = check(home.url(), method="POST", body=b"secret")
    assert result.cause == Cause.REDIRECTS
    assert elsewhere.requests == []
