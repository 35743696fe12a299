"""Finds out which features that a website may ask for this machine's libcurl lacks."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pycurl

from monitoring.models import Site

AUTHENTICATIONS: Mapping[str, int] = MappingProxyType(
    {
        "basic": pycurl.HTTPAUTH_BASIC,
        "digest": pycurl.HTTPAUTH_DIGEST,
        "ntlm": pycurl.HTTPAUTH_NTLM,
        "negotiate": pycurl.HTTPAUTH_NEGOTIATE,
    }
)


def http_version(site: Site) -> int:
    """libcurl's constant for the HTTP version of a site."""
    # With one request a connection HTTP/2 gains nothing and costs CPU.
    return http_2(site.url) if site.transport.http_version == "2" else pycurl.CURL_HTTP_VERSION_1_1


def http_2(url: str) -> int:
    """libcurl's constant for HTTP/2: offered beside HTTP/1.1 by TLS, or spoken from the first byte without TLS."""
    return pycurl.CURL_HTTP_VERSION_2TLS if url.startswith("https:") else pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE


def lacking(site: Site) -> Iterator[tuple[str, str]]:
    """The configuration keys of a site that this libcurl does not support, each with the feature it lacks."""
    transport = site.transport
    if (transport.proxy or "").startswith("https:") and not pycurl.version_info()[4] & pycurl.VERSION_HTTPS_PROXY:
        yield "proxy", "HTTPS proxies"
    if transport.authentication and not _takes(pycurl.HTTPAUTH, AUTHENTICATIONS[transport.authentication]):
        yield "authentication", transport.authentication
    if not _takes(pycurl.HTTP_VERSION, http_version(site)):
        yield "httpVersion", f"HTTP/{transport.http_version}"


def _takes(option: int, value: int) -> bool:
    curl = pycurl.Curl()
    try:
        curl.setopt(option, value)
    except pycurl.error:
        return False
    finally:
        curl.close()
    return True
