"""Where a check goes next after a redirect, and what it may take along. Pure.

libcurl could follow redirects itself, but adds up its timers over all of them: they cannot be split into phases any
more once the scheme changes on the way (blackbox_exporter #485).
"""

import re
import socket
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from monitoring.checks.failure import Fault, printable
from monitoring.models import Cause, Site

MAX_REDIRECTS = 10
"""How many redirects are followed; one more is a fault."""

_OWN = frozenset({"authorization", "cookie", "proxy-authorization", "host"})
"""Headers that are meant for the site itself, as those are whose values came from a variable."""

_OF_BODY = frozenset({"content-encoding", "content-language", "content-location", "content-type"})

_ZONE = re.compile(r"(?<=//\[)([0-9a-f:.]*)(%25[^]]*)")
_PLACE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?:[/\\]{2}([^/\\?#]*))?")

_DEFAULT_PORTS = (("http", 80), ("https", 443))


@dataclass(frozen=True, slots=True)
class Request:
    """One hop of a check.

    `url` holds no login. `at_home`: the hop goes to the configured origin, so the site's secrets go with it.
    """

    url: str = field(repr=False)
    method: str
    at_home: bool = True
    with_body: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom one talks to."""

    scheme: str
    host: str
    port: int

    def includes(self, other: "Origin") -> bool:
        """Whether `other` may see what was meant for this origin: itself, or the same host when http becomes https."""
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
    """The host of a URL if it is a name; None for an address, also for `127.1` and what else browsers take for one."""
    if ":" in host or host.startswith(("-", "+")):  # libcurl's option RESOLVE takes these signs for its own
        return None
    return None if _ipv4(host) else host


def _ipv4(host: str) -> str | None:
    """The address that `127.1` and what else browsers take for one stands for; None for any other host."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def login(site: Site) -> tuple[str, str] | None:
    """User name and password from the site's URL."""
    parts = urlsplit(site.url)
    return (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None


def first_request(site: Site) -> Request:
    """The request as configured, its login left out of the URL: else libcurl would carry it through redirects."""
    parts = urlsplit(site.url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Request(bare, site.method, with_body=site.body is not None)


def headers_of(site: Site, request: Request) -> list[tuple[str, str]]:
    """The site's own headers that go with a request: what is secret stays at home, what describes a body stays with it."""
    left_out = set() if request.at_home else _OWN | site.private_headers
    if site.body is not None and not request.with_body:
        left_out |= _OF_BODY
    return [(name, value) for name, value in site.headers if name.lower() not in left_out]


def absolute(base: str, target: bytes) -> str:
    """The URL that `target`, a header of the answer from `base`, leads a browser to. Raises ValueError.

    It is brought into the form that the standard of browsers (WHATWG URL) gives it: relative, with blanks, letters of any
    language, backslashes, or numbers for an address. Without its fragment.
    """
    import ada_url  # late: most sites never redirect

    written = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in target)
    zone = _ZONE.search(base)  # which of its networks an address is in: browsers know no such thing, curl does
    found = ada_url.URL(written, base=_ZONE.sub(r"\1", base))
    found.hash = ""
    url = str(found.href)
    same_host = zone and found.hostname == ada_url.URL(_ZONE.sub(r"\1", base)).hostname
    return url.replace("]", f"{zone[2]}]", 1) if zone and same_host else url


def redirected(home: Origin, request: Request, status: int, target: bytes) -> Request | Fault:
    """What follows when `request` was answered with a redirect to `target`."""
    try:
        url = absolute(request.url, target)
        at_home = home.includes(origin(url))
    except ValueError:
        return Fault(Cause.REDIRECTS, printable(f"redirect to {_shown(target)} is not followed"))
    step = replace(request, url=url, at_home=at_home)
    if _becomes_get(request.method, status):
        return replace(step, method="GET", with_body=False)
    if request.with_body and not at_home:
        # Without its body the request would be another one, and the body may be secret: better said than guessed.
        return Fault(Cause.REDIRECTS, printable(f"redirect to {_shown(url.encode())} would take the request's body there"))
    return step


def _becomes_get(method: str, status: int) -> bool:
    if status == 303:
        return method != "HEAD"
    return status in (301, 302) and method == "POST"


def _shown(target: bytes) -> str:
    """Scheme and host, as anything beyond may be secret."""
    place = _PLACE.match(target.decode("utf-8", "replace"))
    return f"{place[1]}://{(place[2] or '').rpartition('@')[2]}" if place else "an invalid URL"
