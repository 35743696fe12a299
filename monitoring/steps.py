"""The steps of a check: what a probe asks the engine to do for it while thousands of others wait for theirs.

A check is a generator: it yields a step, is sent what became of it, and returns its result.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from monitoring.models import ProbeResult

if TYPE_CHECKING:
    import pycurl


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find the addresses of this name, in at most so many microseconds."""

    name: str
    limit_us: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a lookup brought: addresses, or none and why (in few words). `timed_out`: nobody answered in time."""

    addresses: tuple[str, ...] = ()
    took_us: int = 0
    trouble: str = ""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Perform what this handle is set up for; it has a time limit of its own."""

    handle: "pycurl.Curl"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a transfer ended: libcurl's code (0: well) and its words."""

    code: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """Do this in a thread: it may take longer than other checks can wait."""

    job: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Worked:
    """What a job returned; one that raised raises in the check."""

    result: object


Step: TypeAlias = Lookup | Transfer | Work
Answer: TypeAlias = Found | Ended | Worked | None
"""What a step comes back with; None begins the check."""

Check: TypeAlias = Generator[Step, Answer, ProbeResult]
