"""Decides which request follows a redirect, and which secrets it may carry. Pure.

libcurl could follow redirects itself, but it adds up its timers over all of them: once the scheme changes on the way, they
cannot be split into phases any more (blackbox_exporter #485).
"""

import re
import socket
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from monitoring.checks.failure import CheckFailure, printable
from monitoring.models import Cause, Site

MAX_REDIRECTS = 10
"""How many redirects are followed; one more is a failure."""

_OWN = frozenset({"authorization", "cookie", "proxy-authorization", "host"})
"""Headers that are sent to the site itself only, like those whose values come from a variable."""

_OF_BODY = frozenset({"content-encoding", "content-language", "content-location", "content-type"})

_ZONE = re.compile(r"(?<=//\[)([0-9a-f:.]*)(%25[^]]*)")
_PLACE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?:[/\\]{2}([^/\\?#]*))?")

_DEFAULT_PORTS = (("http", 80), ("https", 443))


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a check.

    `url` holds no login. `at_home`: the request goes to the configured origin, so it may carry the site's secrets.
    """

    url: str = field(repr=False)
    method: str
    at_home: bool = True
    with_body: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a server."""

    scheme: str
    host: str
    port: int

    def includes(self, other: "Origin") -> bool:
        """Whether `other` may receive this origin's secrets: it is the same, or the same host by https instead of http."""
        upgraded = (self.scheme, self.port) == ("http", 80) and (other.scheme, other.port) == ("https", 443)
        return self == other or (upgraded and self.host == other.host)


def origin(url: str) -> Origin:
    """The origin of an http(s) URL; ValueError for any other."""
    parts = urlsplit(url)
    default = dict(_DEFAULT_PORTS).get(parts.scheme)
    if default is None or not parts.hostname:
        raise ValueError
    host = _ipv4(parts.hostname) or parts.hostname
    return Origin(parts.scheme, host, default if parts.port is None else parts.port)


def name_in(host: str) -> str | None:
    """The host of a URL if it is a name; None for an address, including forms like `127.1` that browsers accept."""
    if ":" in host or host.startswith(("-", "+")):  # these have a meaning of their own in libcurl's option RESOLVE
        return None
    return None if _ipv4(host) else host


def _ipv4(host: str) -> str | None:
    """The IPv4 address of a host like `127.1` or `0x7f000001`, as browsers read it; None for any other host."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def login(site: Site) -> tuple[str, str] | None:
    """The user name and password in the site's URL."""
    parts = urlsplit(site.url)
    return (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None


def first_request(site: Site) -> Request:
    """The request as configured. Its URL holds no login, which libcurl would send to targets of redirects, too."""
    parts = urlsplit(site.url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Request(bare, site.method, with_body=site.body is not None)


def headers_of(site: Site, request: Request) -> list[tuple[str, str]]:
    """The configured headers that this request carries: secret ones only at home, those about a body only with a body."""
    left_out = set() if request.at_home else {*_OWN, *site.private_headers}
    if site.body is not None and not request.with_body:
        left_out |= _OF_BODY
    return [(name, value) for name, value in site.headers if name.lower() not in left_out]


def absolute(base: str, target: bytes) -> str:
    """The URL that a browser goes to when `base` answers with the Location `target`. Raises ValueError.

    `target` may be relative and hold spaces, letters of any language, backslashes or an address in numbers. The result has
    the form that browsers give it (WHATWG URL), without the fragment.
    """
    import ada_url  # late: most sites do not redirect

    written = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in target)
    zone = _ZONE.search(base)  # the zone of an IPv6 address, which curl supports and browsers do not
    found = ada_url.URL(written, base=_ZONE.sub(r"\1", base))
    found.hash = ""
    url = str(found.href)
    same_host = zone and found.hostname == ada_url.URL(_ZONE.sub(r"\1", base)).hostname
    return url.replace("]", f"{zone[2]}]", 1) if zone and same_host else url


def redirected(home: Origin, request: Request, status: int, target: bytes) -> Request | CheckFailure:
    """The request that follows when `request` was answered with a redirect to `target`, or why there is none."""
    try:
        url = absolute(request.url, target)
        at_home = home.includes(origin(url))
    except ValueError:
        return CheckFailure(Cause.REDIRECTS, printable(f"redirect to {_shown(target)} is not followed"))
    step = replace(request, url=url, at_home=at_home)
    if _becomes_get(request.method, status):
        return replace(step, method="GET", with_body=False)
    if request.with_body and not at_home:
        # The body may be secret, and without it the request would be a different one: so it is not made.
        return CheckFailure(
            Cause.REDIRECTS, printable(f"redirect to {_shown(url.encode())} would take the request's body there")
        )
    return step


def _becomes_get(method: str, status: int) -> bool:
    if status == 303:
        return method != "HEAD"
    return status in (301, 302) and method == "POST"


def _shown(target: bytes) -> str:
    """The scheme and host of `target`; the rest may be secret."""
    place = _PLACE.match(target.decode("utf-8", "replace"))
    return f"{place[1]}://{(place[2] or '').rpartition('@')[2]}" if place else "an invalid URL"
