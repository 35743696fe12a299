"""Addresses of databases. Pure."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from monitoring.config.addresses import URL, address_text, masked_user, read_authority
from monitoring.config.text import Invalid, Text

DEFAULT_DATABASE = "influxdb://localhost:8086/monitoring"
"""Used when the configuration names none and it answers."""

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

    `masked` is the address for people. `host` is without brackets, `database` empty for a gateway.
    """

    kind: str
    masked: str
    tls: bool = False
    host: str = ""
    port: int = 0
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    database: str = ""


def database_address(value: object) -> DatabaseAddress:
    """The address in a string of the configuration or of `--database`. Raises `Invalid`."""
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
    port = authority.port or (_INFLUX_PORT if kind == "influxdb" else None)
    if port is None:
        raise Invalid("must name the gateway's port")
    return DatabaseAddress(
        kind=kind,
        masked=f"{scheme}://{masked_user(authority)}{authority.host}:{port}{database and '/' + database}",
        tls=tls,
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
