"""Names of sites: all of them are looked up in one way."""

import socket

import pytest

from monitoring.config.parsing.addresses import site_address
from monitoring.config.parsing.text import expand
from monitoring.models import Cause
from tests.support.probing import check
from tests.support.servers import OK, HttpServer, RawServer, redirect, sends


@pytest.mark.parametrize(
    "host", ["localhost", "localhost.", "app.localhost", "a.b.localhost.", "127.0.0.1", "127.1", "0x7f000001", "2130706433"]
)
def test_a_name_of_this_machine_or_a_number_is_an_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("monitoring.checks.resolver.socket.getaddrinfo")
    with HttpServer() as server:
        result = check(server.url(host=host))
    assert (result.status, result.cause) == (200, None)
    assert server.requests[0].headers["host"].endswith(f":{server.port}")


@pytest.mark.parametrize("host", ["shop.test", "shop.test.", "my_shop.test", "x.0x7", "1.2.3.4.5", "xn--bcher-kva.test"])
def test_every_other_name_is_looked_up_by_the_resolver(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look_up(name: str, *_: object) -> list[object]:
        asked.append(name)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr("monitoring.checks.resolver.socket.getaddrinfo", look_up)
    with HttpServer() as server:
        result = check(server.url(host=host))
    assert (result.cause, asked) == (None, [host])


def test_an_international_name_in_a_redirect_is_looked_up_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer(redirect("http://b\u00fccher.invalid/")) as server:
        result = check(server.url())
    assert result.cause == Cause.DNS
    assert result.detail.startswith("could not resolve xn--bcher-kva.invalid: ")


def test_an_address_in_one_of_several_networks_is_asked_there() -> None:
    with RawServer(sends(OK), host="::1") as server:
        url = f"http://[::1%25lo]:{server.port}/"
        assert check(url).cause is None
        assert check(site_address(expand(url, {})).url).cause is None
