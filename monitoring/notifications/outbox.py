"""The notifications to send: from the local file, or from memory while the file cannot be written."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from monitoring.errors import StoreError
from monitoring.models import Alert, AlertType, Window
from monitoring.storage.notifications import Delivery, Entry, Event, Route, Warn, never, nowhere
from monitoring.storage.sqlite.store import LocalStore

Key = tuple[str, str, int, str]


class Outbox:
    """The entries of all channels. Notifications go out even if the disk is full; their state is then in memory only."""

    def __init__(self, file: LocalStore, unwritten: Callable[[], Sequence[Alert]]) -> None:
        """`unwritten` returns the alert records that are not in the file yet."""
        self._file = file
        self._unwritten = unwritten
        self._route: Route = nowhere
        self._lock = threading.Lock()
        self._unrecorded: dict[Key, Entry] = {}
        self._failing: dict[Key, Entry] = {}
        """What still has to be sent, with a reason that could not be stored."""

    def set_route(self, route: Route, channels: Sequence[str], now_ms: int, warn: Warn = never) -> None:
        """Use these channels from now on. Raises `StoreError`; then the route applies only to the entries in memory."""
        self._route = route
        self._file.set_route(route, channels, now_ms, warn)

    def add_reminders(self, entries: Sequence[Entry]) -> None:
        """Store those that are not stored yet. Raises `StoreError`."""
        self._file.add_reminders(entries)

    def pending(self, channel: str) -> Sequence[Entry]:
        """The entries that this channel still has to send, in order of time."""
        self._record_again()
        waiting = self._waiting(channel)  # first, so that entries written meanwhile appear twice and are not missed
        stored: Sequence[Entry] = ()
        with suppress(StoreError):
            stored = self._file.pending_notifications(channel)
        found = {entry.key: entry for entry in (*waiting, *stored)}
        with self._lock:
            left = [entry for key, entry in found.items() if key not in self._unrecorded]
            self._failing = {key: it for key, it in self._failing.items() if it.channel != channel or key in found}
        return sorted(left, key=lambda entry: (entry.time_ms, entry.alert.host))

    def _waiting(self, channel: str) -> Sequence[Entry]:
        """The entries for state changes that are not in the file yet."""
        alerts = self._unwritten()
        if not alerts:
            return ()
        # As in the file: whoever has an entry of the alert has one of the recovery, also if nothing could be sent so far.
        down = {host for host, entry in self._newest(channel, tuple(Delivery)).items() if entry.event is Event.ALERT}
        entries = []
        for alert in alerts:
            if channel in self._route(alert, [channel] if alert.host in down else []):
                entries.append(Entry(channel, Event(alert.type), alert.time_ms, alert))
                (down.add if alert.type is AlertType.ALERT else down.discard)(alert.host)
        return entries

    def deliveries(self, window: Window) -> Sequence[Entry]:
        """The entries about events of a window, in order of time; also of what could not be written."""
        stored: Sequence[Entry] = ()
        with suppress(StoreError):
            stored = self._file.deliveries(window)
        with self._lock:
            found = {entry.key: entry for entry in stored} | self._failing | self._unrecorded
        inside = (entry for entry in found.values() if window.from_ms <= entry.time_ms < window.until_ms)
        return sorted(inside, key=lambda entry: (entry.time_ms, entry.alert.host))

    def last_alerts(self) -> Mapping[str, Alert]:
        """The newest record of each host, whoever was told of it."""
        found: dict[str, Alert] = {}
        with suppress(StoreError):
            found = dict(self._file.last_alerts())
        return {**found, **{alert.host: alert for alert in self._unwritten()}}

    def last_sent(self, channel: str) -> Mapping[str, Entry]:
        """The newest alert or recovery of each host that this channel has sent."""
        return self._newest(channel, (Delivery.SENT, Delivery.LATE))

    def last_done(self, channel: str) -> Mapping[str, Entry]:
        """The newest alert or recovery of each host that this channel has sent or given up."""
        return self._newest(channel, (Delivery.SENT, Delivery.LATE, Delivery.FAILED))

    def _newest(self, channel: str, states: Collection[Delivery]) -> Mapping[str, Entry]:
        found: dict[str, Entry] = {}
        with suppress(StoreError):
            found = dict(self._file.newest_notifications(channel, states))
        with self._lock:
            mine = [entry for entry in self._unrecorded.values() if entry.channel == channel]
        for entry in sorted(mine, key=lambda entry: entry.time_ms):
            if entry.state in states and entry.event.is_state_change:
                found[entry.alert.host] = entry
        return found

    def record(self, entries: Sequence[Entry]) -> None:
        """Store the state of these entries, in memory if the file cannot be written."""
        by_key = {entry.key: entry for entry in entries}
        with self._lock:
            self._failing = {key: entry for key, entry in self._failing.items() if key not in by_key}
        try:
            self._file.set_delivery(entries)
        except StoreError:
            with self._lock:
                self._unrecorded |= {key: entry for key, entry in by_key.items() if entry.state is not Delivery.PENDING}
                self._failing |= {key: entry for key, entry in by_key.items() if entry.state is Delivery.PENDING}

    def _record_again(self) -> None:
        with self._lock:
            entries = list(self._unrecorded.values())
        if entries:
            unwritten = set(self._unwritten())
            with suppress(StoreError):
                self._file.set_delivery(entries)
                with self._lock:
                    for entry in entries:
                        if entry.alert not in unwritten:  # otherwise it would look as if it were still to be sent
                            self._unrecorded.pop(entry.key, None)
