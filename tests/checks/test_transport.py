"""How a site can be reached otherwise than by its URL alone, on real servers and proxies."""

import hashlib
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from monitoring.models import Cause
from monitoring.transport import Transport
from tests.support.certificates import Authority
from tests.support.probing import check
from tests.support.proxies import HttpProxy, SocksProxy
from tests.support.servers import OK, HttpServer, Request, closed_port, redirect, response
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"))


def cause_by(url: str, trusted: str | None = None, **transport: object) -> Cause | None:
    return check(url, ca_file=trusted, transport=Transport(**transport)).cause  # type: ignore[arg-type]


# --- Addresses


def test_one_kind_of_addresses_can_be_chosen() -> None:
    with HttpServer(host="::1") as server:
        url = server.url(host="localhost")
        assert [cause_by(url, ip_version=version) for version in (None, 6, 4)] == [None, None, Cause.CONNECT]
    with HttpServer() as server:
        url = server.url(host="localhost")
        assert [cause_by(url, ip_version=version) for version in (None, 6, 4)] == [None, Cause.CONNECT, None]


def test_another_address_is_asked_under_the_same_name(authority: Authority) -> None:
    with HttpServer(tls=authority.server("shop.test")) as server:
        for place in (f"127.0.0.1:{server.port}", f"localhost:{server.port}", f"127.1:{server.port}"):
            assert cause_by("https://shop.test/", authority.ca_file, connect_to=place) is None
        assert cause_by(f"https://shop.test:{server.port}/", authority.ca_file, connect_to="127.0.0.1") is None
        assert cause_by("https://blog.test/", authority.ca_file, connect_to=f"127.0.0.1:{server.port}") == Cause.TLS
    assert server.requests[0].headers["host"] == "shop.test"
    assert len(server.requests) == 4


@pytest.mark.parametrize("host", ["192.0.2.1", "192.0.513", "0xC0000201", "3221225985", "0300.0.2.1"])
def test_an_address_written_as_a_number_is_elsewhere_too(host: str) -> None:
    with HttpServer(redirect("/there"), OK) as server:
        assert cause_by(f"http://{host}/", connect_to=f"127.0.0.1:{server.port}") is None
    assert [request.target for request in server.requests] == ["/", "/there"]


def test_only_the_site_itself_is_elsewhere() -> None:
    with HttpServer() as there, HttpServer(redirect(there.url(host="localhost"))) as here:
        assert cause_by("http://shop.test/", connect_to=f"127.0.0.1:{here.port}") is None
    assert [len(server.requests) for server in (here, there)] == [1, 1]


# --- Proxies


def test_http_proxies_are_asked_for_the_site(authority: Authority) -> None:
    with (
        HttpServer() as plain,
        HttpServer(tls=authority.server("localhost")) as secure,
        HttpProxy() as proxy,
        HttpProxy(tls=authority.server("localhost")) as secure_proxy,
    ):
        for server, host in ((plain, "127.0.0.1"), (secure, "localhost")):
            for way in (proxy.url("", "localhost"), secure_proxy.url("", "localhost")):
                assert cause_by(server.url(host=host), authority.ca_file, proxy=way) is None
    assert proxy.asked == [f"GET {plain.url()}", f"CONNECT localhost:{secure.port}"]
    assert secure_proxy.asked == proxy.asked
    assert [len(server.requests) for server in (plain, secure)] == [2, 2]


def test_a_proxy_that_wants_a_login_gets_it(authority: Authority) -> None:
    with HttpServer(tls=authority.server("localhost")) as server, HttpProxy(login=True) as proxy:
        url, way = server.url(host="localhost"), proxy.url("")
        assert cause_by(url, authority.ca_file, proxy=way.replace("//", "//me:pa%3Ass@")) is None
        refused = check(url, ca_file=authority.ca_file, transport=Transport(proxy=way))
    assert (refused.status, refused.cause, refused.detail) == (0, Cause.CONNECT, "CONNECT tunnel failed, response 407")


@pytest.mark.parametrize(("scheme", "cause"), [("socks5", Cause.DNS), ("socks5h", None)])
def test_socks_proxies_know_names_that_we_do_not_only_with_an_h(scheme: str, cause: Cause | None) -> None:
    with HttpServer() as server, SocksProxy({"site.invalid": "127.0.0.1"}) as proxy:
        way = f"{scheme}://localhost:{proxy.port}"
        assert cause_by(server.url(host="site.invalid"), proxy=way) == cause
        assert cause_by(server.url(), proxy=way) is None
    assert proxy.asked == [f"site.invalid:{server.port}"] * (cause is None) + [f"127.0.0.1:{server.port}"]


def test_a_socks_proxy_is_told_the_first_address_of_a_name_that_has_several() -> None:
    with HttpServer() as server, SocksProxy() as proxy:
        assert cause_by(server.url(host="app.localhost"), proxy=f"socks5://localhost:{proxy.port}") is None
    assert proxy.asked == [f"127.0.0.1:{server.port}"]


def test_what_a_proxy_cannot_do_is_a_matter_of_the_connection(authority: Authority) -> None:
    nobody = closed_port()
    with HttpProxy() as proxy, HttpProxy(refuses=True) as refusing, SocksProxy() as socks:
        for url, way, cause in (
            (f"https://localhost:{nobody}/", proxy.url(""), Cause.CONNECT),
            (f"https://localhost:{nobody}/", refusing.url(""), Cause.CONNECT),
            (f"http://127.0.0.1:{nobody}/", f"socks5h://127.0.0.1:{socks.port}", Cause.CONNECT),
            (f"http://127.0.0.1:{nobody}/", f"http://127.0.0.1:{nobody}", Cause.CONNECT),
            (f"http://127.0.0.1:{nobody}/", "http://no-proxy.invalid:80", Cause.DNS),
            (f"http://127.0.0.1:{nobody}/", refusing.url(""), Cause.STATUS),
        ):
            result = check(url, transport=Transport(proxy=way))
            assert (result.cause, result.status) == (cause, 502 if cause is Cause.STATUS else 0)


def test_a_list_of_exceptions_in_the_environment_does_not_concern_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with HttpServer() as server, HttpProxy() as proxy:
        assert cause_by(server.url(), proxy=proxy.url("")) is None
    assert proxy.asked


# --- Who asks


def digest_server(nonce: str = "n") -> Callable[[Request], bytes]:
    """Lets in `me` with the password `pa:ss`, by RFC 2617 without further options."""

    def md5(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    def answer(request: Request) -> bytes:
        given = dict(re.findall(r'(\w+)="([^"]*)"', request.headers.get("authorization", "")))
        right = md5(md5("me", "r", "pa:ss"), nonce, md5(request.method, request.target))
        if given.get("response") == right:
            return OK
        return response(401, headers={"WWW-Authenticate": f'Digest realm="r", nonce="{nonce}"'})

    return answer


@pytest.mark.parametrize(("password", "cause"), [("pa%3Ass", None), ("wrong", Cause.STATUS)])
def test_digest_authentication(password: str, cause: Cause | None) -> None:
    with HttpServer(digest_server()) as server:
        url = server.url("/x?y").replace("//", f"//me:{password}@")
        result = check(url, transport=Transport(authentication="digest"))
        assert (result.cause, result.status) == (cause, 401 if cause else 200)
        assert check(url).status == 401, "a plain login is not enough"
    assert "basic" not in server.requests[1].headers["authorization"].lower()


def test_an_authentication_stays_at_home() -> None:
    with HttpServer(digest_server()) as elsewhere, HttpServer(redirect(elsewhere.url())) as home:
        url = home.url().replace("//", "//me:pa%3Ass@")
        assert cause_by(url, authentication="digest") == Cause.STATUS
    assert all("authorization" not in request.headers for request in elsewhere.requests)


def test_without_a_ticket_negotiation_is_refused_by_the_server() -> None:
    with HttpServer(response(401, headers={"WWW-Authenticate": "Negotiate"})) as server:
        result = check(server.url(), transport=Transport(authentication="negotiate"))
    assert (result.cause, result.status) == (Cause.STATUS, 401)


def test_a_certificate_of_the_client_is_shown_to_the_site_only(authority: Authority) -> None:
    def wanting() -> ssl.SSLContext:
        context = authority.server("localhost")
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    pem = authority.server_file("client.test")
    with (
        HttpServer(tls=wanting()) as elsewhere,
        HttpServer(OK, redirect(elsewhere.url(host="localhost")), tls=wanting()) as home,
    ):
        causes = [cause_by(home.url(host="localhost"), authority.ca_file, client_certificate=(pem, pem)) for _ in range(2)]
    assert causes == [None, Cause.TLS]
    assert elsewhere.requests == []


# --- Whom we trust, and how we speak


def test_a_site_may_have_an_authority_of_its_own(authority: Authority, other: Authority) -> None:
    with HttpServer(tls=other.server("localhost")) as server, HttpServer(tls=authority.server("localhost")) as common:
        url = server.url(host="localhost")
        assert cause_by(url, authority.ca_file) == Cause.TLS
        assert cause_by(url, authority.ca_file, ca_file=other.ca_file) is None
        assert cause_by(common.url(host="localhost"), authority.ca_file, ca_file=other.ca_file) is None


@contextmanager
def s_server(pem: str, *options: str) -> Iterator[str]:
    """OpenSSL's own server: its URL."""
    port = closed_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-key", pem, "-www", "-quiet", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        url = f"https://localhost:{port}/"
        eventually(lambda: check(url, verify_tls=False).cause is not Cause.CONNECT)
        yield url
        process.kill()


@pytest.mark.parametrize(("served", "minimum", "cause"), [
    ("-tls1_3", None, None), ("-tls1_3", "1.3", None), ("-tls1_2", None, None), ("-tls1_2", "1.3", Cause.TLS),
    ("-tls1_1", None, Cause.TLS), ("-tls1_1", "1.1", None), ("-tls1_1", "1.2", Cause.TLS), ("-tls1", "1.0", None),
])  # fmt: skip
def test_the_oldest_version_of_tls_can_be_chosen(
    authority: Authority, served: str, minimum: str | None, cause: Cause | None
) -> None:
    with s_server(authority.server_file("localhost"), served, "-cipher", "DEFAULT:@SECLEVEL=0") as url:
        assert cause_by(url, authority.ca_file, minimum_tls=minimum) == cause
