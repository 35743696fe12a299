"""How the monitor connects to a website."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Transport:
    """The settings of the connection beside the URL. None: not configured.

    `connect_to` is `host` or `host:port`, `proxy` a URL (`shown_proxy` is the same without its password),
    `client_certificate` the files of the certificate and of its key.
    """

    ip_version: int | None = None
    connect_to: str | None = None
    proxy: str | None = field(default=None, repr=False)
    shown_proxy: str | None = None
    authentication: str | None = None
    ca_file: str | None = None
    client_certificate: tuple[str, str] | None = None
    minimum_tls: str | None = None
    http_version: str | None = None


PLAIN = Transport()
"""The transport of a site that has none of these keys; all such sites share it."""
