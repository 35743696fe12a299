"""Deletes from InfluxDB by short statements, one for each step.

Retention policies are left alone: they take an administrator, and would delete the data of others in the same database. For
each deletion InfluxDB rewrites what it has of that week.

When part of a series is deleted while InfluxDB writes its cache to the disk, it may drop the series from its index (seen
with 1.6.7 within half a minute of writing and deleting). What is left is on the disk, but is not found until something is
written to the series. So a point that stays is written again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from monitoring.models import AlertType
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import ALERTS, CHECKS, SUMMARIES, line_again
from monitoring.storage.influxdb.questions import among, groups, of_file

FORMER = ("website_minutes", "website_hours", "website_days")
"""The measurements of version 1.1.0's packed summaries."""

ALWAYS_THERE: Mapping[str, str] = {CHECKS: "available", ALERTS: "type", **dict.fromkeys(SUMMARIES.values(), "checks")}
"""A field that every point of a measurement has. Its value is an integer or plain letters."""


def deletion_steps(client: InfluxClient, here: str, deletion: Deletion) -> Iterator[None]:
    """Delete what meets the condition `here`, which names a location. Raises `StoreError`.

    The longest spans go first, so that finer ones answer until they go, too.
    """
    sources = [SUMMARIES[span] for span in reversed(Span) if span in deletion.spans]
    sources += [CHECKS] if deletion.checks else []
    for source in sources:
        for hosts in groups(_hosts_before(client, here, source, deletion)):
            delete(client, source, (here, among(hosts)), deletion.before_ms)
            yield
    if deletion.alerts:
        yield from _delete_alerts(client, here, deletion)
    for source in FORMER if deletion.former else ():
        client.query(f"DROP SERIES FROM {source} WHERE {of_file(deletion.former)}")
        yield


def delete(client: InfluxClient, source: str, whose: Sequence[str], before_ms: int) -> None:
    """Delete what meets all of these conditions before a moment. Raises `StoreError`."""
    staying = list(_newest(client, source, whose, before_ms))
    client.query(f"DELETE FROM {source} WHERE {' AND '.join(whose)} AND time < {before_ms}ms")
    if staying:
        client.write(staying)


def _newest(client: InfluxClient, source: str, whose: Sequence[str], from_ms: int) -> Iterator[str]:
    """The newest point of each series from a moment on, which InfluxDB may still have in its cache."""
    field = ALWAYS_THERE[source]
    conditions = " AND ".join((*whose, f"time >= {from_ms}ms"))
    for series in client.query(f"SELECT last({field}) FROM {source} WHERE {conditions} GROUP BY *"):
        time_ms, value = series.values[0]
        yield line_again(source, series.tags, field, value, time_ms)


def _delete_alerts(client: InfluxClient, here: str, deletion: Deletion) -> Iterator[None]:
    """Open alerts may have to stay: a monitor that starts on another machine must know that they were announced."""
    hosts = set(_hosts_before(client, here, ALERTS, deletion))
    open_since_ms = _open_alerts(client, here) if hosts else {}
    if deletion.open_alerts_of is not None:
        open_since_ms = {host: at_ms for host, at_ms in open_since_ms.items() if host in deletion.open_alerts_of}
    for some in groups(hosts - open_since_ms.keys()):
        delete(client, ALERTS, (here, among(some)), deletion.before_ms)
        yield
    for host in sorted(hosts & open_since_ms.keys()):
        for some in groups([host]):
            delete(client, ALERTS, (here, among(some)), min(deletion.before_ms, open_since_ms[host]))
            yield


def _hosts_before(client: InfluxClient, here: str, source: str, deletion: Deletion) -> Collection[str]:
    """The hosts with something to delete in this measurement. Quick, however much it holds."""
    choice = f"SELECT first({ALWAYS_THERE[source]}) FROM {source}"
    found = client.query(f"{choice} WHERE {here} AND time < {deletion.before_ms}ms GROUP BY host")
    hosts = {series.host for series in found}
    return hosts if deletion.hosts is None else hosts & set(deletion.hosts)


def _open_alerts(client: InfluxClient, here: str) -> Mapping[str, int]:
    """The times of open alerts, by host."""
    found = client.query(f"SELECT last(type) FROM {ALERTS} WHERE {here} GROUP BY host")
    newest = {one.host: one.values[0] for one in found}
    return {host: time_ms for host, (time_ms, kind) in newest.items() if kind == AlertType.ALERT}
