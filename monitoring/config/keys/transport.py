"""The keys that say how a website is reached. Whatever this machine's libcurl cannot do is refused here."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from monitoring.config.parsing import values
from monitoring.config.parsing.addresses import URL, address_text, masked_user, read_authority, user_of
from monitoring.config.parsing.section import Section
from monitoring.config.parsing.text import Invalid, accepts
from monitoring.models import Site
from monitoring.transport import PLAIN, Transport
from monitoring.trust import why_no_identity, why_unusable

TRANSPORT_KEYS = (
    *("ipVersion", "connectTo", "proxy", "authentication", "caFile", "clientCertificate", "minimumTLS", "httpVersion"),
)
_CERTIFICATE_KEYS = ("certificate", "key")
_AUTHENTICATION = values.choice("basic", "digest", "ntlm", "negotiate")
_MINIMUM_TLS = values.choice("1.0", "1.1", "1.2", "1.3")
_HTTP_VERSION = values.choice("1.1", "2")
_PROXIES = ("http", "https", "socks5", "socks5h")


def read_transport(section: Section) -> Transport:
    """The transport settings of a website."""
    if not section.has_any(TRANSPORT_KEYS):
        return PLAIN
    ip_version = section.take("ipVersion", _ip_version, None)
    connect_to = section.take("connectTo", _host_and_port, None)
    proxy, shown_proxy = section.take("proxy", _proxy, (None, None))
    found = Transport(
        ip_version=ip_version,
        connect_to=connect_to,
        proxy=proxy,
        shown_proxy=shown_proxy,
        authentication=section.take("authentication", _AUTHENTICATION, None),
        ca_file=_ca_file(section),
        client_certificate=_client_certificate(section),
        minimum_tls=section.take("minimumTLS", _MINIMUM_TLS, None),
        http_version=section.take("httpVersion", _HTTP_VERSION, None),
    )
    return PLAIN if found == PLAIN else found


@accepts({"enum": (4, 6)})
def _ip_version(value: object) -> int:
    if not isinstance(value, int) or value not in (4, 6):
        raise Invalid("must be 4 or 6")
    return value


@accepts({"type": "string", "minLength": 1})
def _host_and_port(value: object) -> str:
    """`host` or `host:port`."""
    text = address_text(value)
    if "@" in text.value or "/" in text.value:
        raise Invalid("must be a host or an address, and perhaps a port, as in 10.0.0.5:8443")
    authority = read_authority(text)
    return authority.host if authority.port is None else f"{authority.host}:{authority.port}"


@accepts({"type": "string", "minLength": 1})
def _proxy(value: object) -> tuple[str, str]:
    """The URL of a proxy, for libcurl and for people."""
    text = address_text(value)
    match = URL.fullmatch(text.value)
    if match is None or match["scheme"].lower() not in _PROXIES:
        raise Invalid("must be a URL that begins with http://, https://, socks5:// or socks5h://")
    if match["path"] not in ("", "/") or match["query"]:
        raise Invalid("must end after the proxy's port")
    authority = read_authority(text.between(*match.span("authority")))
    if authority.port is None:
        raise Invalid("must name the proxy's port")
    scheme, server = match["scheme"].lower(), f"{authority.host}:{authority.port}"
    return f"{scheme}://{user_of(authority)}{server}", f"{scheme}://{masked_user(authority)}{server}"


def _ca_file(section: Section) -> str | None:
    name = section.take("caFile", values.file_name, None)
    file = None if name is None else str(section.folder / name)
    if file and (trouble := why_unusable(file)):
        section.problem("caFile", f"{file}: {trouble}")
    return file


def _client_certificate(section: Section) -> tuple[str, str] | None:
    if not section.has("clientCertificate"):
        return None
    inner = section.section("clientCertificate", _CERTIFICATE_KEYS)
    certificate = inner.take("certificate", values.file_name, None)
    key = inner.take("key", values.file_name, certificate)
    if certificate is None or key is None:
        if inner.is_object and not inner.has("certificate"):
            inner.problem("certificate", "must name a PEM file")
        return None
    files = str(section.folder / certificate), str(section.folder / key)
    if trouble := why_no_identity(*files):
        inner.problem(None, trouble)
    return files


def refuse_contradictions(section: Section, site: Site) -> None:
    """Report settings that contradict each other, and those that this libcurl does not support."""
    if site.transport == PLAIN:
        return
    for key, why in _contradictions(site):
        section.problem(key, why)
    from monitoring.checks.abilities import lacking  # late: it loads libcurl, and few websites need it

    for key, what in lacking(site):
        section.problem(key, f"{what} is not built into this libcurl")


def _contradictions(site: Site) -> Iterator[tuple[str, str]]:
    transport, parts = site.transport, urlsplit(site.url)
    version = _ip_version_of(transport.connect_to or parts.netloc.rpartition("@")[2])
    if transport.ip_version and version and not transport.proxy and version != transport.ip_version:
        yield "ipVersion", f"can never be met: the site is reached at an IPv{version} address"
    if transport.connect_to and transport.proxy:
        yield "connectTo", "contradicts the proxy, which makes the connection"
    if transport.authentication not in (None, "negotiate") and not parts.username:
        yield "authentication", "needs a user and a password in the URL"
    if transport.authentication and any(name.lower() == "authorization" for name, _ in site.headers):
        yield "authentication", "contradicts the header Authorization"
    if transport.ca_file and not site.verify_tls:
        yield "caFile", "contradicts verifyTLS, which is false"


def _ip_version_of(server: str) -> int | None:
    """4 or 6 for an IP address, None for a name. A port may follow."""
    host = server.partition("]")[0].removeprefix("[") if server.startswith("[") else server.partition(":")[0]
    try:
        return ip_address(host.partition("%")[0]).version
    except ValueError:
        return None


def describe_transport(transport: Transport) -> Iterator[str]:
    """The settings in words, without secrets."""
    certificate = transport.client_certificate and transport.client_certificate[0]
    for value, words in (
        (transport.ip_version, "IPv{} only"),
        (transport.connect_to, "connected to {}"),
        (transport.shown_proxy, "through the proxy {}"),
        (transport.authentication, "{} authentication"),
        (transport.ca_file, "certificates also from {}"),
        (certificate, "client certificate {}"),
        (transport.minimum_tls, "TLS {} or newer"),
        (transport.http_version, "HTTP/{}"),
    ):
        if value is not None:
            yield words.format(value)
