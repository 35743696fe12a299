"""Which version of HTTP a site is checked by."""

from pathlib import Path

import pytest

from monitoring.models import Cause, Transport
from tests.support.certificates import Authority
from tests.support.http_2 import Http2Server
from tests.support.probing import check, probing, site
from tests.support.servers import OK, HttpServer, RawServer, redirect, sends


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_site_is_checked_by_http_2_only_where_it_speaks_it(authority: Authority) -> None:
    with HttpServer(tls=authority.server("localhost")) as server:
        result = check(server.url(host="localhost"), ca_file=authority.ca_file, transport=Transport(http_version="2"))
        assert (result.cause, result.detail) == (Cause.PROTOCOL, "the server does not speak HTTP/2")
        by_1_1 = Transport(http_version="1.1")
        assert check(server.url(host="localhost"), ca_file=authority.ca_file, transport=by_1_1).cause is None
    with HttpServer() as server:
        assert check(server.url(), transport=Transport(http_version="2")).cause == Cause.PROTOCOL


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("silent", [False, True], ids=["says what it speaks", "hangs up"])
def test_a_site_that_speaks_http_2_only_is_up_by_tls_as_in_browsers(authority: Authority, silent: bool, method: str) -> None:
    with Http2Server(authority.server("localhost"), silent=silent) as server:
        expected = {} if method == "HEAD" else {"expectedText": "two"}
        target = site(server.url(host="localhost"), method=method, **expected)
        with probing(target, ca_file=authority.ca_file) as probe:
            assert [probe.check().cause for _ in range(3)] == [None] * 3
    assert server.methods == [method] * 3
    assert server.connections == 4  # what it speaks was found out once


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_server_may_leave_as_soon_as_it_has_answered(authority: Authority, method: str) -> None:
    """libcurl then may still have something to say, and nobody to tell.

    On a busy machine libcurl sometimes notices that before it has read any of the answer (2 of 3,600 checks): that is no
    answer, for curl neither.
    """
    with Http2Server(authority.server("localhost"), leaves=True) as server:
        target = site(server.url(host="localhost"), method=method, transport=Transport(http_version="2"))
        with probing(target, ca_file=authority.ca_file) as probe:
            found = [probe.check() for _ in range(50)]
            assert {result.cause for result in found if result.status} == {None}


def test_a_redirect_may_lead_to_a_site_that_speaks_http_2_only(authority: Authority) -> None:
    with (
        Http2Server(authority.server("localhost")) as there,
        HttpServer(redirect(there.url(host="localhost")), tls=authority.server("localhost")) as home,
    ):
        result = check(home.url(host="localhost"), ca_file=authority.ca_file, expectedText="two")
    assert (result.cause, result.status) == (None, 200)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_http_versions_that_are_asked_for_are_spoken(authority: Authority, version: str) -> None:
    with Http2Server(authority.server("localhost")) as secure, Http2Server() as plain:
        for server in (secure, plain):
            result = check(
                server.url(host="localhost"), ca_file=authority.ca_file, transport=Transport(http_version=version)
            )
            if version == "2":
                assert (result.cause, result.status) == (None, 200)
            else:
                assert result.cause == Cause.PROTOCOL
                assert result.detail.startswith("the server speaks HTTP/2 only")


@pytest.mark.parametrize("silent", [False, True], ids=["says what it speaks", "hangs up"])
def test_by_plain_http_a_server_that_speaks_http_2_only_is_down_as_in_browsers_and_the_key_is_named(silent: bool) -> None:
    with Http2Server(silent=silent) as server:
        result = check(server.url())
    assert (result.status, result.cause) == (0, Cause.PROTOCOL)
    assert result.detail == 'the server speaks HTTP/2 only; "httpVersion": "2" checks it that way'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_http_is_said_to_be_none(method: str) -> None:
    with RawServer(sends(b"220 smtp.test ESMTP ready\r\n")) as server:
        result = check(server.url(), method=method)
    assert (result.status, result.cause, result.detail) == (0, Cause.PROTOCOL, "the answer is not HTTP")


@pytest.mark.parametrize("line", ["http/1.1 200 OK", "HTTP/1.1\t200 OK", "HTTP/1.0 200", "HTTP/1.1 2000 OK"])
def test_a_status_line_that_libcurl_reads_is_http(line: str) -> None:
    with RawServer(sends(f"{line}\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok".encode())) as server:
        result = check(server.url(), expectedText="ok", expectedHeaders={"X-A": "1"})
    assert (result.status, result.cause) == (200, None)


def test_a_site_that_has_answered_is_not_asked_a_second_time(authority: Authority) -> None:
    """Else a site that fails now and then would never be seen to."""
    with (
        HttpServer(OK, b"", OK, tls=authority.server("localhost")) as server,
        probing(site(server.url(host="localhost")), ca_file=authority.ca_file) as probe,
    ):
        causes = [probe.check().cause for _ in range(3)]
    assert causes == [None, Cause.PROTOCOL, None]
    assert len(server.requests) == 3


def test_a_page_that_is_cut_by_http_2_is_protocol(authority: Authority) -> None:
    """There the end of the connection never is the end of a page, though TLS ends without close_notify."""
    with Http2Server(authority.server("localhost"), cut=True) as secure, Http2Server(cut=True) as plain:
        for server in (secure, plain):
            two = Transport(http_version="2")
            result = check(server.url(host="localhost"), ca_file=authority.ca_file, transport=two)
            assert (result.status, result.cause, result.response_us) == (200, Cause.PROTOCOL, None)
