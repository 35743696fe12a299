"""Addresses of databases. Pure."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote

from monitoring.config.addresses import URL, address_text, masked_user, read_authority
from monitoring.config.text import Invalid, Part, Text
from monitoring.errors import ConfigError
from monitoring.trust import MOZILLA, Trust

DEFAULT_DATABASE = "influxdb://localhost:8086/monitoring"
"""Used when the configuration names none and it answers."""

DEFAULT_LISTEN = "127.0.0.1:8087"
"""Where a gateway listens when nothing else is said: reachable from its own machine only."""

_KINDS = {
    "influxdb": ("influxdb", False),
    "influxdb+https": ("influxdb", True),
    "gateway+http": ("gateway", False),
    "gateway+https": ("gateway", True),
}
_INFLUX_PORT = 8086
_DATABASE_NAME = re.compile(r"/([A-Za-z0-9_.-]{1,64})")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where checks go besides the local file. `kind` is "influxdb", "sqlite" (the local file alone) or "gateway".

    `masked` is the address for people. `tls` is None for plain HTTP, else whom to trust. `host` is without brackets,
    `database` empty for a gateway.
    """

    kind: str
    masked: str
    tls: Trust | None = None
    host: str = ""
    port: int = 0
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    database: str = ""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a gateway listens; `host` is without brackets."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Can it be reached from its own machine only?"""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: str) -> ListenAddress:
    """The address of the flag `--listen`: a host or an IP address, and a port. Raises `ConfigError`."""
    try:
        authority = read_authority(Text((Part(value),)))
    except Invalid as error:
        raise ConfigError([f"--listen: {error}"]) from None
    if authority.port is None or "@" in value:
        raise ConfigError([f"--listen: must be a host and a port, as in {DEFAULT_LISTEN}"])
    return ListenAddress(authority.host.strip("[]"), authority.port)


def database_address(value: object) -> DatabaseAddress:
    """The address in a string of the configuration or of `--database`; by TLS it trusts Mozilla's list. Raises `Invalid`."""
    text = address_text(value)
    if text.value.lower() == "sqlite:":
        return DatabaseAddress("sqlite", "sqlite:")
    if text.value.lower().startswith("sqlite:"):
        raise Invalid("sqlite: stands alone; localDatabase names the file")
    match = URL.fullmatch(text.value)
    scheme = match["scheme"].lower() if match else ""
    if match is None or scheme not in _KINDS:
        raise Invalid("must be sqlite: or begin with influxdb://, influxdb+https://, gateway+http:// or gateway+https://")
    if match["query"]:
        raise Invalid("must end before a question mark")
    return _server(scheme, text.between(*match.span("authority")), match["path"])


def _server(scheme: str, server: Text, path: str) -> DatabaseAddress:
    kind, tls = _KINDS[scheme]
    authority = read_authority(server)
    database = _database(kind, path)
    if kind == "gateway" and "@" in server.value:
        raise Invalid("must not hold a user: the gateway's token stands in MONITORING_TOKEN")
    port = authority.port or (_INFLUX_PORT if kind == "influxdb" else None)
    if port is None:
        raise Invalid("must name the gateway's port")
    return DatabaseAddress(
        kind=kind,
        masked=f"{scheme}://{masked_user(authority)}{authority.host}:{port}{database and '/' + database}",
        tls=MOZILLA if tls else None,
        host=authority.host.strip("[]"),
        port=port,
        username=unquote(authority.user.value),
        password=unquote(authority.password.value),
        database=database,
    )


def _database(kind: str, path: str) -> str:
    if kind == "influxdb":
        name = _DATABASE_NAME.fullmatch(path)
        if name is None:
            raise Invalid(f"must end with the name of a database, as in {DEFAULT_DATABASE}")
        return name[1]
    if path not in ("", "/"):
        raise Invalid("must end after the gateway's port")
    return ""
