"""Sets libcurl's options for how to reach a site: proxy, other address, versions of TLS, client certificate, login."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import pycurl

from monitoring.checks.abilities import AUTHENTICATIONS
from monitoring.checks.redirects import Origin, Request, name_in, origin
from monitoring.checks.resolver import ANY, IPV4, IPV6
from monitoring.models import Site
from monitoring.transport import PLAIN, Transport

# Options of libcurl that pycurl has no names for.
_SUPPRESS_CONNECT_HEADERS = 265

_TLS_VERSIONS = {
    "1.0": pycurl.SSLVERSION_TLSv1_0,
    "1.1": pycurl.SSLVERSION_TLSv1_1,
    "1.2": pycurl.SSLVERSION_TLSv1_2,
    "1.3": pycurl.SSLVERSION_TLSv1_3,
}
_OLD_TLS = frozenset({"1.0", "1.1"})
_OLD_CIPHERS = "DEFAULT:@SECLEVEL=0"
"""Without these, OpenSSL 3 refuses versions older than TLS 1.2."""

Place = tuple[str, int]
"""A host without brackets, and a port."""


def family_of(transport: Transport) -> int:
    """The kind of address to look up."""
    return {4: IPV4, 6: IPV6}.get(transport.ip_version or 0, ANY)


def to_look_up(site: Site, request: Request) -> list[Place]:
    """The names that must be looked up before this request can be made, each with its port."""
    transport, there = site.transport, origin(request.url)
    places = [(there.host, there.port)]
    if transport.proxy:
        proxy = urlsplit(transport.proxy)
        # With a proxy, the name of the site is looked up here only for "socks5" (not "socks5h").
        places = [(proxy.hostname or "", proxy.port or 0), *(places if proxy.scheme == "socks5" else ())]
    elif transport.connect_to and request.at_home:
        places = [_connected_place(transport.connect_to, there)]
    return [place for place in places if name_in(place[0])]


def _connected_place(connect_to: str, there: Origin) -> Place:
    parts = urlsplit(f"//{connect_to}")
    return parts.hostname or "", there.port if parts.port is None else parts.port


def lookup_entry(transport: Transport, place: Place, addresses: Sequence[str]) -> str:
    """An entry for libcurl's option RESOLVE.

    A SOCKS proxy gets one address of the site: the first one in this machine's order. Of several, libcurl would prefer an
    IPv6 address, which many proxies cannot reach.
    """
    proxy = urlsplit(transport.proxy or "")
    if proxy.scheme == "socks5" and place != (proxy.hostname, proxy.port):
        addresses = addresses[:1]
    return f"{place[0]}:{place[1]}:" + ",".join(f"[{one}]" if ":" in one else one for one in addresses)


def apply_transport(curl: pycurl.Curl, site: Site) -> None:
    """Set the options that are the same for all requests of a site. Raises `pycurl.error` if libcurl lacks one."""
    transport = site.transport
    # A proxy from the environment is ignored, so that a check is the same from a terminal, cron or a container.
    curl.setopt(pycurl.PROXY, transport.proxy or "")
    if transport == PLAIN:
        return
    curl.setopt(pycurl.NOPROXY, "")
    curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)  # the proxy's own headers are not the site's answer
    curl.setopt(pycurl.IPRESOLVE, {4: pycurl.IPRESOLVE_V4, 6: pycurl.IPRESOLVE_V6}.get(transport.ip_version or 0, 0))
    if transport.connect_to:
        curl.setopt(pycurl.CONNECT_TO, [_connection(origin(site.url), transport.connect_to)])
    if transport.minimum_tls:
        curl.setopt(pycurl.SSLVERSION, _TLS_VERSIONS[transport.minimum_tls])
    if transport.minimum_tls in _OLD_TLS:
        curl.setopt(pycurl.SSL_CIPHER_LIST, _OLD_CIPHERS)


def _connection(home: Origin, connect_to: str) -> str:
    """The site's entry for libcurl's option CONNECT_TO. Without a port in `connect_to`, ports stay as they are."""
    host = f"[{home.host}]" if ":" in home.host else home.host
    has_port = urlsplit(f"//{connect_to}").port is not None
    return f"{host}:{home.port}:{connect_to}" if has_port else f"{host}::{connect_to}:"


def apply_client_certificate(curl: pycurl.Curl, transport: Transport) -> None:
    """Present the client certificate to servers that ask for one, until `Curl.reset`."""
    if transport.client_certificate:
        for option, file in zip((pycurl.SSLCERT, pycurl.SSLKEY), transport.client_certificate, strict=True):
            curl.setopt(option, file)


def apply_authentication(curl: pycurl.Curl, transport: Transport, at_home: bool) -> None:
    """Set the authentication scheme. The site's own scheme is used at home only."""
    if transport.authentication:
        curl.setopt(pycurl.HTTPAUTH, AUTHENTICATIONS[transport.authentication] if at_home else pycurl.HTTPAUTH_BASIC)
    if transport.authentication == "negotiate" and at_home:
        curl.setopt(pycurl.USERNAME, "")  # the user of the machine's Kerberos ticket
