"""What the viewer shows, what it wants to be read, and the interface of its reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitoring.alerts.explain import Explanation
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey
from monitoring.models import CheckResult, Site


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read: all sites in this window at `at_ms` (None: now), and the details of the site `key` (None: of none).

    `windows_ms` are the other windows on the screen. `explain_ms` is the moment at which to explain the site; None: `at_ms`.
    """

    window_ms: int
    windows_ms: frozenset[int] = frozenset()
    at_ms: int | None = None
    key: SiteKey | None = None
    explain_ms: int | None = None

    @property
    def every_ms(self) -> frozenset[int]:
        """All windows to read."""
        return self.windows_ms | {self.window_ms}


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """The details of one site: its last checks, oldest first, and the explanation of its state; or an error.

    `hours` are those of the past day, oldest first; empty until all have been read.
    """

    key: SiteKey
    at_ms: int | None = None
    checks: Sequence[CheckResult] = ()
    explanation: Explanation | None = None
    error: str | None = None
    hours: Sequence[Mark] = ()


@dataclass(frozen=True)
class Snapshot:
    """What has been read of all sites, at the moment `at_ms` (None: now), with the incidents up to then.

    `clock_ms` is the time by the store's clock. `is_complete`: every window that is wanted was read. `facts` are of the site
    that was asked for last.
    """

    overview: Overview
    sites: Mapping[str, Site] = field(default_factory=dict)
    at_ms: int | None = None
    clock_ms: int = 0
    is_complete: bool = False
    facts: SiteFacts | None = None

    def facts_of(self, key: SiteKey | None) -> SiteFacts | None:
        """The details of this site, if they have been read."""
        return self.facts if self.facts and self.facts.key == key else None


class Feed(Protocol):
    """The reader. It has a thread of its own, so that no key waits for a store."""

    def start(self, show: Callable[[Snapshot], None], wanted: Wanted) -> None:
        """Start to read. `show` is called in the reading thread with every new snapshot."""

    def want(self, wanted: Wanted) -> None:
        """From now on read this."""
