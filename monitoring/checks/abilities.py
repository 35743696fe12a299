"""What this machine's libcurl has been built for, of what a website may ask for."""

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
    """libcurl's number for the version of HTTP to speak."""
    # One request a connection gains nothing from HTTP/2, which costs CPU and depends on how libcurl was built.
    return http_2(site.url) if site.transport.http_version == "2" else pycurl.CURL_HTTP_VERSION_1_1


def http_2(url: str) -> int:
    """libcurl's number for HTTP/2: offered by TLS, beside HTTP/1.1; or, by plain HTTP, spoken from the first byte."""
    return pycurl.CURL_HTTP_VERSION_2TLS if url.startswith("https:") else pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE


def lacking(site: Site) -> Iterator[tuple[str, str]]:
    """Keys of the configuration that this libcurl has not been built for, each with what it lacks."""
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
