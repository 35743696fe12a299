"""The errors that cross a module border.

    MonitoringError
    ├── ConfigError        the user's configuration or command line is wrong (exit status 2)
    ├── InUse              another monitor writes this local file
    ├── CheckAbandoned     a check could not be completed: it says nothing about the site
    └── StoreError         a store could not do what was asked
        ├── StoreUnavailable   try again later: refused, hung, restarting, disk full
        │   ├── StoreBusy      somebody else holds the file's write lock
        │   ├── StoreOverwritten  another program has written into the file
        │   ├── StoreDamaged   the file cannot be read any more and must be replaced
        │   └── StoreUnverified  the database was replaced or emptied since it was verified
        ├── StoreDenied        wrong or missing credentials: shown to the user, tried again later
        └── StoreRefused       the store will never accept these data (400, 413, 422): find the bad point

Exceptions of drivers (sqlite3, requests, influxdb, pycurl) are translated into these where they are caught.
Only `main` turns an error into words and an exit status.
"""

from collections.abc import Sequence
from typing import TypeVar

Error = TypeVar("Error", bound=BaseException)


class MonitoringError(Exception):
    """Base of everything this program raises on purpose. Its text is written for the user."""


class ConfigError(MonitoringError):
    """Everything that is wrong with a configuration, one line for each problem, with secrets masked.

    `files` are the paths or glob patterns of the files that hold the configuration.
    """

    def __init__(self, problems: Sequence[str], files: Sequence[str] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.files = tuple(files)


class InUse(MonitoringError):
    """Another monitor writes the local file."""


class CheckAbandoned(MonitoringError):
    """A check could not be completed, through no fault of the site: its result is unknown."""


class StoreError(MonitoringError):
    """A store could not do what was asked."""


class StoreUnavailable(StoreError):
    """The store does not answer now, or not in time."""


class StoreBusy(StoreUnavailable):
    """Another program held the file's write lock for longer than the time-out."""


class StoreOverwritten(StoreUnavailable):
    """Another program has written into the file, or is doing so now: this monitor must not add to it."""


class StoreDamaged(StoreUnavailable):
    """The file no longer holds a complete database, and waiting does not help."""


class StoreUnverified(StoreUnavailable):
    """The database was replaced or emptied since it was verified: verify it again and send everything."""


class StoreDenied(StoreError):
    """The store rejects these credentials."""


class StoreRefused(StoreError):
    """The store rejects these data.

    `dropped` is the number of points that the store dropped (None: unknown), `field` the name of the field that it rejects
    ("": unknown). `by_age`: the points are older than the store's retention.
    """

    def __init__(self, text: str, *, dropped: int | None = None, field: str = "", by_age: bool = False) -> None:
        super().__init__(text)
        self.dropped = dropped
        self.field = field
        self.by_age = by_age

    @classmethod
    def all_of(cls, refusals: "Sequence[StoreRefused]") -> "StoreRefused":
        """One error for several requests, with the text of the first."""
        counts = [refusal.dropped for refusal in refusals]
        known = [count for count in counts if count is not None]
        return cls(
            str(refusals[0]),
            dropped=sum(known) if len(known) == len(counts) else None,
            field=next((refusal.field for refusal in refusals if refusal.field), ""),
            by_age=all(refusal.by_age for refusal in refusals),
        )


def untraced(error: Error) -> Error:
    """Remove the tracebacks of an error and of its causes; returns the error.

    Call it where errors of urllib3 are caught. A traceback refers to the frames that it passed, and urllib3's frames refer
    to their error. This cycle keeps the data that the callers were about to send until the garbage collector runs, which
    in a monitor happens once in hours (`process.prepare`). A database may be away for days.
    """
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error
