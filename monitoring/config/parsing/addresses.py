"""URLs: the normalised form that is requested, and the form without secrets that is shown. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

from monitoring.config.parsing.text import Invalid, Segment, Text, accepts, or_variable

HIDDEN = "***"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 8_000
_LONGEST_NAME = 253

URL = re.compile(r"(?P<scheme>[^:/?#]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>(?:\?[^#]*)?)", re.DOTALL)
_CREDENTIALS = re.compile(r"[^/?#]*://([^/?#]*)@", re.DOTALL)
_HOST_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
_ZONE = re.compile(r"[A-Za-z0-9._~-]{1,15}")
_LABELS = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")

# What is escaped in each part: all but what RFC 3986 allows there, and quotes. A query may have [] since everyone writes it.
_IN_USER = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&()*+,;=%-]")
_IN_PASSWORD = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&()*+,;=%:-]")
_IN_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&()*+,;=%:@/-]")
_IN_QUERY = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&()*+,;=%:@/?\[\]-]")


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """`host` is the form that people and stores see, `url` the one that is requested: ASCII, escaped, without fragment."""

    host: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """`user:password@host:port`. The host is in the form of a URL: an IPv6 address has brackets."""

    user: Text
    password: Text
    host: str
    port: int | None

    @property
    def bare_host(self) -> str:
        """The host without brackets. Raises `Invalid` for an address with a zone."""
        if "%" in self.host:
            raise Invalid("must have an IPv6 address without a zone")
        return self.host.strip("[]")


@accepts(or_variable({"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://"}))
def site_address(value: object) -> SiteAddress:
    """The two normal forms of a website's URL. Raises `Invalid`."""
    text = address_text(value)
    match = URL.match(text.value)
    scheme = match["scheme"].lower() if match else ""
    if match is None or scheme not in _DEFAULT_PORTS:
        raise Invalid("must be a URL that begins with http:// or https://" + _scheme_hint(text))
    authority = read_authority(text.between(*match.span("authority")))
    port = "" if authority.port in (None, _DEFAULT_PORTS[scheme]) else f":{authority.port}"
    server = authority.host + port
    path, query = text.between(*match.span("path")), text.between(*match.span("query"))
    shown = _local_part(_masked(path, _IN_PATH), _masked(query, _IN_QUERY))
    asked = _local_part(_escaped(path, _IN_PATH), _escaped(query, _IN_QUERY))
    address = SiteAddress(
        f"{scheme}://{masked_user(authority)}{server}{shown}", f"{scheme}://{user_of(authority)}{server}{asked}"
    )
    if max(len(address.host), len(address.url)) > _LONGEST_URL:
        raise Invalid(f"must not be longer than {_LONGEST_URL} characters")
    return address


def _scheme_hint(text: Text) -> str:
    """Completes the error for `example.org/path`; "" if https:// in front would not make it a URL."""
    if "://" in text.value or "@" in text.value:
        return ""
    try:
        site_address(Text((Segment("https://"), *text.parts)))
    except Invalid:
        return ""
    return "; put https:// in front of it"


def address_text(value: object) -> Text:
    """The text of a URL, ready to be split into its parts. Raises `Invalid`."""
    if not isinstance(value, Text):
        raise Invalid("must be a string")
    typed = "".join(part.value for part in value.parts if not part.variable)
    if " " in typed or not typed.isprintable():
        raise Invalid("must not contain blanks or control characters; write %20 for a blank")
    return _with_whole_credentials(value)


def _with_whole_credentials(text: Text) -> Text:
    """Escape variables between `://` and `@`, because a password may contain @ and /.

    Otherwise a slash in a password would end it: the rest would be read as a path, and the beginning as a port.
    """
    shape = "".join("\0" if part.variable else part.value for part in text.parts)
    match = _CREDENTIALS.match(shape)
    if match is None:
        return text
    first, end = shape.count("\0", 0, match.start(1)), shape.count("\0", 0, match.end(1))
    return Text(tuple(_escape_numbered(text.parts, range(first, end))))


def _escape_numbered(parts: tuple[Segment, ...], numbers: range) -> Iterator[Segment]:
    seen = 0
    for part in parts:
        yield Segment(_escape(part.value, _IN_PASSWORD), part.variable) if part.variable and seen in numbers else part
        seen += part.variable is not None


def read_authority(text: Text) -> Authority:
    """Split the text between `://` and the path into user, password, host and port. Raises `Invalid`."""
    value = text.value
    at = value.rfind("@")
    colon = value.find(":", 0, at) if at >= 0 else -1
    user_end = colon if colon >= 0 else max(at, 0)
    match = _HOST_PORT.fullmatch(value, at + 1)
    if match is None or not match["host"]:
        raise Invalid("must name a host, and a port only as a number")
    return Authority(
        user=text.between(0, user_end),
        password=text.between(user_end + 1, at) if colon >= 0 else Text(()),
        host=_host(match["host"]),
        port=_port(match["port"] or ""),
    )


def _port(digits: str) -> int | None:
    if not digits:
        return None
    if len(digits) > 5 or not 1 <= int(digits) <= 65_535:
        raise Invalid("must have a port from 1 to 65535")
    return int(digits)


def _host(written: str) -> str:
    if written.startswith("["):
        return f"[{_ipv6(written[1:-1])}]"
    plain = unquote(written)  # what is no UTF-8 becomes a character that no name may have
    name = (plain if plain.isascii() else _punycode(plain)).lower()
    if not _LABELS.fullmatch(name) or len(name.rstrip(".")) > _LONGEST_NAME:
        raise Invalid("must have a valid host name")
    return name


def _ipv6(written: str) -> str:
    number, sign, zone = written.partition("%")
    zone = zone.removeprefix("25") or zone
    try:
        address = IPv6Address(number)
    except AddressValueError:
        address = None
    if address is None or (sign and not _ZONE.fullmatch(zone)):
        raise Invalid("must have a valid IPv6 address between the brackets")
    return address.compressed + (f"%25{zone}" if sign else "")  # RFC 6874: in a URL the sign is escaped


def _punycode(written: str) -> str:
    """The ASCII form that browsers use (UTS 46, also for `☃.net`); "" if there is none."""
    from ada_url import idna

    # A longer name cannot be valid, and would take time.
    return idna.encode(written).decode("ascii") if len(written) <= _LONGEST_NAME else ""


def user_of(authority: Authority) -> str:
    """`user:password@`, escaped for a URL."""
    user, password = _escaped(authority.user, _IN_USER), _escaped(authority.password, _IN_PASSWORD)
    if password:
        return f"{user}:{password}@"
    return f"{user}@" if user else ""


def masked_user(authority: Authority) -> str:
    """`user:***@` for people, with `${NAME}` in place of a variable's value."""
    if authority.password.value:
        return f"{_masked(authority.user, _IN_USER)}:{HIDDEN}@"
    # A user without a password is a token, as several services accept it.
    return f"{HIDDEN}@" if authority.user.value else ""


def _local_part(path: str, query: str) -> str:
    """Path and query. An empty path becomes a slash before a query, and a slash alone becomes nothing."""
    return "" if path in ("", "/") and not query else (path or "/") + query


def _escaped(text: Text, unsafe: re.Pattern[str]) -> str:
    return "".join(_escape(part.value, unsafe) for part in text.parts)


def _masked(text: Text, unsafe: re.Pattern[str]) -> str:
    """As `_escaped`, with `${NAME}` in place of a variable's value. A leading / or ? belongs to the URL and stays."""
    lead = text.value[:1] if text.value[:1] in ("/", "?") else ""
    rest = text.between(len(lead), len(text.value))
    return lead + "".join(f"${{{part.variable}}}" if part.variable else _escape(part.value, unsafe) for part in rest.parts)


def _escape(value: str, unsafe: re.Pattern[str]) -> str:
    return unsafe.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), value)
