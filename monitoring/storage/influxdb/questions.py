"""Parts of InfluxQL statements, and answers by host. Pure."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, groupby, islice
from operator import attrgetter

from monitoring.models import Window
from monitoring.names import is_name
from monitoring.statistics.summary import Span
from monitoring.storage.influxdb.client import Series
from monitoring.storage.influxdb.points import Row

HOSTS_AT_ONCE = 100
"""A statement names at most so many hosts."""


def literal(text: str) -> str:
    """A name as a string of InfluxQL."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"


def identifier(name: str) -> str:
    """A name as a quoted identifier of InfluxQL."""
    return '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'


def within(window: Window) -> str:
    return f"time >= {window.from_ms}ms AND time < {window.until_ms}ms"


def at_location(location: str) -> str:
    """The condition that a point is of this location. "" means points without this tag."""
    return f"location = {literal(location)}"


def of_file(marker: str) -> str:
    """The condition that a point belongs to the local file with this marker."""
    return f"file = {literal(marker)}"


def among(hosts: Collection[str]) -> str:
    """The condition that a point is of one of these hosts, which must be names."""
    return "(" + " OR ".join(f"host = {literal(host)}" for host in sorted(hosts)) + ")"


def named(hosts: Collection[str] | None) -> tuple[str, ...]:
    """The same as a list of conditions; empty for too many hosts (or None: all), when the answer has to be filtered."""
    return () if hosts is None or len(hosts) > HOSTS_AT_ONCE else (among(hosts),)


def selected(fields: str, source: str, conditions: Iterable[str], each: Span | None = None) -> str:
    """A statement whose answer comes host by host; for functions like count, `each` is the span of a value."""
    grouped = f"time({each.length_ms}ms), host fill(none)" if each else "host"
    return f"SELECT {fields} FROM {source} WHERE {' AND '.join(conditions)} GROUP BY {grouped}"


def groups(hosts: Iterable[str], size: int = HOSTS_AT_ONCE) -> Iterator[list[str]]:
    """These hosts in order and in groups. A host that cannot be a tag was never written, and is left out."""
    names = iter(sorted(filter(is_name, hosts)))
    while some := list(islice(names, size)):
        yield some


def by_host(series: Iterable[Series]) -> Iterator[tuple[str, Iterator[Row]]]:
    """The rows of each host, in order of time, from an answer that is grouped by host."""
    for host, pieces in groupby(series, attrgetter("host")):
        yield host, chain.from_iterable(piece.values for piece in pieces)
