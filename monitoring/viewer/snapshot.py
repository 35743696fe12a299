"""What the viewer shows, what it asks for, and who reads that for it."""

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
    """What is to be read: all sites over this window at `at_ms` (None: now), and more of the site `key` (None: of none).

    `windows_ms` are those that are shown beside it. `explain_ms`: the moment at which that site is to be explained; None:
    the same one.
    """

    window_ms: int
    windows_ms: frozenset[int] = frozenset()
    at_ms: int | None = None
    key: SiteKey | None = None
    explain_ms: int | None = None

    @property
    def every_ms(self) -> frozenset[int]:
        """All windows that are wanted."""
        return self.windows_ms | {self.window_ms}


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """More of one site: its last checks, the oldest first, and why it is in its state; or why neither could be read.

    `hours` are those of the past day, the oldest first; empty before all of them were read.
    """

    key: SiteKey
    at_ms: int | None = None
    checks: Sequence[CheckResult] = ()
    explanation: Explanation | None = None
    error: str | None = None
    hours: Sequence[Mark] = ()


@dataclass(frozen=True)
class Snapshot:
    """What was read of all sites. `at_ms`: of which moment; None: of now. `incidents` in it are those up to that moment.

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
        """More of this site, if it was read."""
        return self.facts if self.facts and self.facts.key == key else None


class Feed(Protocol):
    """Reads in a thread of its own: no key ever waits for a store."""

    def start(self, show: Callable[[Snapshot], None], wanted: Wanted) -> None:
        """Read from now on; `show` is called in the reading thread with every new snapshot."""

    def want(self, wanted: Wanted) -> None:
        """Read this from now on, soon."""
