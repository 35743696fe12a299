"""Addresses of databases, and the registry of their kinds. Pure.

A new kind of database is a folder in `monitoring.storage` and a line in `DATABASES`.
"""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote

from monitoring.config.parsing.addresses import URL, address_text, masked_user, read_authority
from monitoring.config.parsing.text import Invalid, Segment, Text, accepts
from monitoring.errors import ConfigError
from monitoring.trust import MOZILLA, Trust

DEFAULT_DATABASE = "influxdb://localhost:8086/monitoring"
"""The database that is used if the configuration names none and this one answers."""

DEFAULT_LISTEN = "127.0.0.1:8087"
"""Where a gateway listens by default: only its own machine can reach it."""

_DATABASE_NAME = re.compile(r"/([A-Za-z0-9_.-]{1,64})")


@dataclass(frozen=True, slots=True)
class DatabaseKind:
    """One kind of database.

    `store` names the "module:callable" that makes the backend from a `DatabaseAddress`, a location and a timeout in seconds,
    without connecting. It is a name so that only the configured backend is imported. `port` is the default port; None: an
    address must name one. `has_name`: an address ends with the name of a database, so the self-test can create one of its
    own. `no_user` says why an address must not contain a user and a password; "": it may. `is_ours`: monitors and gateways
    delete purged and expired data in it, because nobody else does.
    """

    name: str
    scheme: str
    tls_scheme: str
    store: str
    port: int | None = None
    has_name: bool = True
    no_user: str = ""
    is_ours: bool = True


DATABASES = (
    DatabaseKind("influxdb", "influxdb", "influxdb+https", "monitoring.storage.influxdb.store:InfluxStore", port=8086),
    DatabaseKind(
        *("gateway", "gateway+http", "gateway+https", "monitoring.storage.gateway.store:GatewayStore"),
        has_name=False,
        no_user="the gateway's token stands in MONITORING_TOKEN",
        is_ours=False,
    ),
)
"""Every kind of database. `sqlite:` is not one: it means that the local file is all there is."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """The database to which checks are copied. `kind` is the name of one of `DATABASES`; "sqlite": only the local file.

    `masked` is the address for people. `tls` are the certificates to trust; None: plain HTTP. `host` has no brackets.
    `database` is empty for a gateway.
    """

    kind: str
    masked: str
    tls: Trust | None = None
    host: str = ""
    port: int = 0
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    database: str = ""

    @property
    def backend(self) -> DatabaseKind | None:
        """The kind of the database; None: there is only the local file."""
        return next((known for known in DATABASES if known.name == self.kind), None)

    @property
    def server(self) -> str:
        """Host and port."""
        return str(ListenAddress(self.host, self.port))

    @property
    def url(self) -> str:
        """The server's URL without credentials."""
        return f"{'https' if self.tls else 'http'}://{self.server}"


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server listens; `host` has no brackets."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Can only its own machine reach it?"""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_every(self) -> bool:
        """Does it stand for all addresses of this machine, so that nobody can open it elsewhere?"""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: str) -> ListenAddress:
    """The value of `--listen`: a host or an IP address, and a port. Raises `ConfigError`."""
    try:
        authority = read_authority(address_text(Text((Segment(value),))))
        host = authority.bare_host
    except Invalid as error:
        raise ConfigError([f"--listen: {error}"]) from None
    if authority.port is None or "@" in value:
        raise ConfigError([f"--listen: must be a host and a port, as in {DEFAULT_LISTEN}"])
    return ListenAddress(host, authority.port)


@accepts({"type": "string", "minLength": 1})
def database_address(value: object) -> DatabaseAddress:
    """The address of the key `database` or of `--database`; with TLS it trusts Mozilla's list. Raises `Invalid`."""
    text = address_text(value)
    if text.value.lower() == "sqlite:":
        return DatabaseAddress("sqlite", "sqlite:")
    if text.value.lower().startswith("sqlite:"):
        raise Invalid("sqlite: takes no path; localDatabase names the file")
    match = URL.fullmatch(text.value)
    scheme = match["scheme"].lower() if match else ""
    kind = next((known for known in DATABASES if scheme in (known.scheme, known.tls_scheme)), None)
    if match is None or kind is None:
        *some, last = (f"{scheme}://" for known in DATABASES for scheme in (known.scheme, known.tls_scheme))
        raise Invalid(f"must be sqlite: or begin with {', '.join(some)} or {last}")
    if match["query"]:
        raise Invalid("must not have a query (?…)")
    return _server(kind, scheme, text.between(*match.span("authority")), match["path"])


def _server(kind: DatabaseKind, scheme: str, server: Text, path: str) -> DatabaseAddress:
    authority = read_authority(server)
    database = _database(kind, path)
    if kind.no_user and "@" in server.value:
        raise Invalid(f"must not contain a user: {kind.no_user}")
    port = authority.port or kind.port
    if port is None:
        raise Invalid(f"must name the {kind.name}'s port")
    return DatabaseAddress(
        kind=kind.name,
        masked=f"{scheme}://{masked_user(authority)}{authority.host}:{port}{database and '/' + database}",
        tls=MOZILLA if scheme == kind.tls_scheme else None,
        host=authority.bare_host,
        port=port,
        username=unquote(authority.user.value),
        password=unquote(authority.password.value),
        database=database,
    )


def _database(kind: DatabaseKind, path: str) -> str:
    if kind.has_name:
        name = _DATABASE_NAME.fullmatch(path)
        if name is None:
            example = f"{kind.scheme}://localhost:{kind.port or 'PORT'}/monitoring"
            raise Invalid(f"must end with the name of a database, as in {example}")
        return name[1]
    if path not in ("", "/"):
        raise Invalid(f"must end after the {kind.name}'s port")
    return ""
