"""From the address of a database to its backend; which kinds there are says `monitoring.config.keys.databases.DATABASES`."""

from typing import TYPE_CHECKING, cast

from monitoring.config import DEFAULT_DATABASE, Config, DatabaseAddress, parse_database
from monitoring.errors import ConfigError

if TYPE_CHECKING:
    from monitoring.storage.base import Backend


def database_address(config: Config) -> DatabaseAddress:
    """The database of a configuration; the default one where it names none."""
    return config.database or parse_database(DEFAULT_DATABASE, {})


def open_backend(address: DatabaseAddress, read_timeout_s: float, location: str = "") -> "Backend":
    """The database at this address, opened for a location; nothing is sent yet. Raises `ConfigError` when there is none."""
    from pkgutil import resolve_name

    if address.backend is None:
        raise ConfigError([f"database: {address.masked}: this needs a database"])
    return cast("Backend", resolve_name(address.backend.store)(address, location, read_timeout_s))
