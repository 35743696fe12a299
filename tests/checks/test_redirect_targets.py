"""Where a redirect leads: to where browsers go, however its target is written."""

import socket

import pytest

from monitoring.checks.redirects import absolute
from monitoring.models import Cause
from tests.support.probing import check, check_raw
from tests.support.servers import OK, Handler, HttpServer, Request, hangs_after, redirect, response, sends, sends_forever

BASE = "http://shop.test:81/a/b?c=d"


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (b"http://other.test:9000/a b", "http://other.test:9000/a%20b"),
        ("http://bücher.test/ü?ü".encode(), "http://xn--bcher-kva.test/%C3%BC?%C3%BC"),
        (b"http://b%C3%BCcher.test/", "http://xn--bcher-kva.test/"),
        ("http://I❤.test".encode(), "http://xn--i-7iq.test/"),
        (b"/caf\xe9", "http://shop.test:81/caf%E9"),  # neither UTF-8 nor anybody's error
        (b"HTTP://OTHER.test:80/X", "http://other.test/X"),
        (b"https://other.test:0443/", "https://other.test/"),
        (b"//other.test/x", "http://other.test/x"),
        (b"\\\\other.test\\x", "http://other.test/x"),
        (b"///other.test/x", "http://other.test/x"),
        (b"https:other.test/x", "https://other.test/x"),
        (b"http:x", "http://shop.test:81/a/x"),
        (b"x", "http://shop.test:81/a/x"),
        (b"../../x/./%2e%2E/y", "http://shop.test:81/y"),
        (b"?q=1#part", "http://shop.test:81/a/b?q=1"),
        (b"#part", "http://shop.test:81/a/b?c=d"),
        (b" \x01http://other.test/\tx \x02", "http://other.test/x"),
        (b"/100%/%zz?a=%", "http://shop.test:81/100%/%zz?a=%"),
        (b"/x'\"<>`{}|?'\"<>", "http://shop.test:81/x'%22%3C%3E%60%7B%7D|?%27%22%3C%3E"),
        (b"http://me:p%40ss@other.test/", "http://me:p%40ss@other.test/"),
        (b"http://me@evil.test@other.test/", "http://me%40evil.test@other.test/"),
        (b"http://0x7f.1/", "http://127.0.0.1/"),
        (b"http://2130706433/", "http://127.0.0.1/"),
        (b"http://[2001:DB8:0:0::1]/", "http://[2001:db8::1]/"),
        (b"http://a_b.test./", "http://a_b.test./"),
    ],
)
def test_a_target_is_the_one_that_browsers_go_to(target: bytes, url: str) -> None:
    assert absolute(BASE, target) == url


@pytest.mark.parametrize(
    "target", [b"http://a b/", b"http:///", b"http://[::1", b"http://x:99999/", b"http://x:y/", b"http://1.2.3.4.5/"]
)
def test_what_browsers_go_nowhere_for_is_none(target: bytes) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        absolute(BASE, target)


def test_the_zone_of_an_address_stays_while_the_address_does() -> None:
    base = "http://[fe80::1%25eth0]:81/a"
    assert absolute(base, b"/b") == "http://[fe80::1%25eth0]:81/b"
    assert absolute(base, b"http://[fe80::1]/b") == "http://[fe80::1%25eth0]/b"
    assert absolute(base, b"http://[fe80::2]/b") == "http://[fe80::2]/b"


@pytest.mark.parametrize(
    "written",
    ["/a b", "\\a%20b", "http://127.0.0.1:{port}/a b", "HTTP:\\\\127.0.0.1:{port}/\ta b", "//127.1:{port}/a b#c"],
)
def test_a_target_is_followed_however_it_is_written(written: str) -> None:
    def answer(request: Request) -> bytes:
        return OK if request.target == "/a%20b" else redirect(written.format(port=server.port))

    with HttpServer(answer) as server:
        assert check(server.url()).cause is None


@pytest.mark.parametrize(
    "end",
    [
        b"Content-Length: 500\r\n\r\nshort",
        b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"Content-Encoding: nonsense\r\nContent-Length: 5\r\n\r\nplain",
        b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["cut", "not gzip", "unknown encoding", "bad chunk", "chunk cut off"],
)
def test_nobody_needs_the_page_of_a_redirect(end: bytes) -> None:
    with HttpServer(b"HTTP/1.1 302 Found\r\nLocation: /ok\r\n" + end, OK) as server:
        result = check(server.url())
    assert (result.status, result.cause) == (200, None)


def test_a_redirect_whose_page_never_ends_is_followed_at_once() -> None:
    start = b"HTTP/1.1 302 Found\r\nLocation: /ok\r\n"
    for handler in (hangs_after(start + b"Content-Length: 5\r\n\r\n"), sends_forever(start + b"\r\n", b"x" * 65_536)):

        def handle(connection: socket.socket, handler: Handler = handler) -> None:
            peeked = connection.recv(8, socket.MSG_PEEK)
            sends(OK)(connection) if peeked.startswith(b"GET /ok") else handler(connection)

        result = check_raw(handle)
        assert (result.status, result.cause) == (200, None)
        assert result.response_us < 1_000_000


def test_the_first_target_that_is_one_counts() -> None:
    with HttpServer(b"HTTP/1.1 302 Found\r\nLocation: \r\nlocation:  /ok \r\n\r\n", OK) as server:
        assert check(server.url()).cause is None
    assert [request.target for request in server.requests] == ["/", "/ok"]


def test_two_targets_lead_nowhere() -> None:
    """Browsers and curl refuse them."""
    result = check_raw(sends(b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n"))
    assert result.cause == Cause.PROTOCOL


def test_the_login_in_a_target_and_the_cookie_that_came_with_it_are_used() -> None:
    def answer(request: Request) -> bytes:
        if request.target == "/in":
            return OK
        return response(302, headers={"Location": f"http://me:p%40w@127.0.0.1:{server.port}/in", "Set-Cookie": "seen=1"})

    with HttpServer(answer) as server:
        assert check(server.url()).cause is None
    assert server.requests[1].headers["authorization"] == "Basic bWU6cEB3"
    assert server.requests[1].headers["cookie"] == "seen=1"
