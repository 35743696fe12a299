"""What the senders are told of the configuration that is in force."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitoring.models import Site
from monitoring.shell import PLAIN, Program

InMaintenance = Callable[[str, int], object]
"""Is (or was) this host in maintenance at this moment (ms)? Any thread may call it."""


def never_maintained(host: str, time_ms: int) -> None:
    """No site is in maintenance."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The sites at present, by host, and which of them are in maintenance. `names` are also those of former sites."""

    sites: Mapping[str, Site]
    names: Mapping[str, str | None]
    location: str = ""
    is_drill: bool = False
    in_maintenance: InMaintenance = never_maintained
    program: Program = PLAIN

    @property
    def active(self) -> int:
        return sum(site.enabled for site in self.sites.values())
