"""The errors that cross a module border.

    MonitoringError
    ├── ConfigError        the user's configuration or command line is wrong (exit status 2)
    ├── InUse              another monitor writes this local file
    ├── CheckAbandoned     a check could not be carried to its end: it says nothing about the site
    └── StoreError         a store could not do what was asked
        ├── StoreUnavailable   try again later: refused, hung, restarting, disk full
        │   ├── StoreBusy      somebody else holds the file's write lock
        │   ├── StoreOverwritten  another program has written into the file
        │   ├── StoreDamaged   the file cannot be read any more: another one must take its place
        │   └── StoreUnverified  the database has begun anew since it was verified
        ├── StoreDenied        wrong or missing credentials: shown to the user, tried again later
        └── StoreRefused       these data will never be taken (400, 413, 422): find the bad point

Drivers' own exceptions (sqlite3, requests, influxdb, pycurl) are translated where they are caught and
never travel further. Only `main` turns an error into words and an exit status.
"""

from collections.abc import Sequence
from typing import TypeVar

Error = TypeVar("Error", bound=BaseException)


class MonitoringError(Exception):
    """Base of everything this program raises on purpose. Its text is written for the user."""


class ConfigError(MonitoringError):
    """All that is wrong with a configuration, one line each, secrets masked.

    `files` are the files that it was read from, as `glob` takes them.
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
    """Another program has held the file's write lock for longer than we waited."""


class StoreOverwritten(StoreUnavailable):
    """Somebody else has written into the file, or is writing there just now: nothing may be added to that."""


class StoreDamaged(StoreUnavailable):
    """The file no longer holds a complete database: waiting does not help."""


class StoreUnverified(StoreUnavailable):
    """The database has begun anew since it was verified: whoever delivers verifies it again, and sends everything."""


class StoreDenied(StoreError):
    """The store rejects these credentials."""


class StoreRefused(StoreError):
    """The store rejects these data.

    `dropped` is how many points of the request the store dropped (None: it does not say), `field` the field that it objects
    to ("": it names none). `by_age`: the points are older than what the store keeps.
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
    """The same error without the tracebacks of it and of its causes.

    Call it where errors of urllib3 are caught. A traceback keeps the frames it passed, and urllib3's frames keep their
    error: a circle, which also holds what the callers were about to send until the garbage collector runs. In a monitor that
    happens once in hours (`process.prepare`), and a database may be away for days.
    """
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error
