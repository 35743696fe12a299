"""The whole configuration as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.config.keys.maintenance import Maintenance
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.models import Site
from monitoring.shell import PLAIN, Program
from monitoring.thresholds import DEFAULT_ALERT_INTERVAL_MS
from monitoring.trust import MOZILLA, Trust
from monitoring.units import DAY_MS

DEFAULT_CHECK_RETENTION_MS = 30 * DAY_MS
DEFAULT_ALERT_RETENTION_MS = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration, with every default filled in.

    `database` is None if none is named: then the default InfluxDB is used if it answers. `location` is where checks are
    made from ("": not configured), `trust` the certificates that sites, databases and gateways are verified with.
    `notifications` are the channels, `maintenance` is what is planned. `warnings` are lines for people. `files` are the
    files that it was read from, as `glob` patterns. `former_names` are the names of sites that it had before a change.
    `repr` omits the sites, because variables in them may be secrets.
    """

    sites: tuple[Site, ...] = field(repr=False)
    database: DatabaseAddress | None
    local_database: Path
    location: str = ""
    trust: Trust = MOZILLA
    alert_interval_ms: int = DEFAULT_ALERT_INTERVAL_MS
    check_retention_ms: int = DEFAULT_CHECK_RETENTION_MS
    alert_retention_ms: int = DEFAULT_ALERT_RETENTION_MS
    notifications: tuple[ChannelConfig, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=(), compare=False)
    program: Program = PLAIN
    former_names: Mapping[str, str | None] = field(default_factory=dict, compare=False)

    def in_place_of(self, before: "Config") -> "Config":
        """This configuration, which still names the sites that it no longer has: the end of their outages is told."""
        return replace(self, former_names=before.names)

    def started_by(self, program: Program) -> "Config":
        """This configuration of a program that was started in this way, which messages repeat."""
        channels = tuple(replace(channel, program=program) for channel in self.notifications)
        return replace(self, program=program, notifications=channels)

    @property
    def names(self) -> Mapping[str, str | None]:
        """The configured names by host, also of sites that were removed from it."""
        return {**self.former_names, **{site.host: site.name for site in self.sites}}

    def site_of(self, host: str) -> Site | None:
        """The configured site of a host; None: there is none."""
        return next((site for site in self.sites if site.host == host), None)

    @property
    def active_sites(self) -> tuple[Site, ...]:
        """The sites that are checked: all that are not paused."""
        return tuple(site for site in self.sites if site.enabled)

    @property
    def needing_restart(self) -> tuple[DatabaseAddress | None, Path, str, Trust]:
        """The settings that take effect only at the next start: stores, location and trusted certificates."""
        return self.database, self.local_database, self.location, self.trust
