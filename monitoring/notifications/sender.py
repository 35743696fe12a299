"""Sends the messages of one channel: `step` sends those that are due, a thread repeats it."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from monitoring.clock import Clock
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.errors import StoreError
from monitoring.models import Alert, AlertType, Downtime, Window
from monitoring.notifications.base import Channel, Undelivered
from monitoring.notifications.grouping import FLAP_MS, Group, PlanningContext, plan, recoveries_to_confirm, reported_down
from monitoring.notifications.messages import MessageContext, compose, is_late, late_entries
from monitoring.notifications.newest import NewestRecords
from monitoring.notifications.outbox import Key, Outbox
from monitoring.notifications.routing import reminders
from monitoring.notifications.watched import Watched
from monitoring.statistics.windows import availability
from monitoring.storage.base import OwnReader
from monitoring.storage.notifications import Delivery, Entry, Event
from monitoring.units import DAY_MS, MINUTE_MS, SECOND_MS

FIRST_RETRY_MS, LONGEST_RETRY_MS = SECOND_MS, 5 * MINUTE_MS
GIVE_UP_MS = DAY_MS
"""A message that could not be sent for so long is given up."""

TOO_OLD = "could not be sent for a day"

LOOK_MS = 5 * SECOND_MS
"""How often a sender looks for entries without being woken."""

LEVEL_MS = MINUTE_MS
RESOLVED_MS = 15 * MINUTE_MS
"""How often a level-triggered channel gets all outages, and for how long these include one that has ended."""

KILLED_S = 0.5
"""How long a thread may take to end after its channel was closed."""


class Sender:
    """Sends the messages of one channel in order. A failure holds up only this channel."""

    def __init__(
        self,
        config: ChannelConfig,
        channel: Channel,
        outbox: Outbox,
        reader: Callable[[], OwnReader],
        clock: Clock,
        before: "Sender | None" = None,
    ) -> None:
        """`reader` returns a reader of the local file for this thread. `before`, the channel's old sender, ends first."""
        self.config = config
        self._before = before
        self.watched = Watched({}, {})
        """Any thread may replace it."""
        self._channel = channel
        self._outbox = outbox
        self._reader = reader
        self._newest = NewestRecords(reader)
        self._clock = clock
        self._retry_ms = 0
        self._not_before_ns = 0
        self._failures: dict[Key, int] = {}  # for each entry that failed, the number of its last failure
        self._level_ns: int | None = None
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self.run, name=f"notifications by {config.label}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def notify(self) -> None:
        """Wake the thread, because there may be something to send. Any thread may call it."""
        self._wake.set()

    def stop(self) -> None:
        """End after the current step."""
        self._ending = True
        self._wake.set()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self._thread.is_alive():
            self._thread.join()

    def close(self, timeout_s: float) -> None:
        """End the thread. A message that takes longer than `timeout_s` is aborted, stays pending, and is sent again."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
            self._channel.close()
            self._thread.join(KILLED_S)

    def run(self) -> None:
        if self._before:  # otherwise both would send the same messages
            self._before.join()
            self._before = None
        while not self._ending:
            self._wake.clear()
            try:
                pause_s = self.step()
            except Exception:  # noqa: BLE001 - the channel must go on; the step is repeated
                pause_s = LOOK_MS / 1_000
            if not self._ending:
                self._wake.wait(pause_s)

    def step(self) -> float:
        """Send the messages that are due. Returns the seconds until the next step."""
        self._add_reminders()
        pending = self._outbox.pending(self.config.label)
        if self._channel.is_level_triggered:
            return self._step_level(pending)
        if not pending:
            return LOOK_MS / 1_000
        if self._pause_ms() and all(entry.key in self._failures for entry in pending):
            return min(self._pause_ms(), LOOK_MS) / 1_000
        now_ms = self._clock.now_ms()
        found = plan(pending, self._planning_context(pending, now_ms), now_ms)
        for group in self._in_order(found.groups):
            if self._pause_ms() and any(entry.key in self._failures for entry in group.entries):
                break  # all others that are left have failed, too
            if self._ending or not self._send(group):
                return min(self._retry_ms, LOOK_MS) / 1_000
        next_ms = LOOK_MS if found.again_ms is None else min(LOOK_MS, found.again_ms - self._clock.now_ms())
        return max(0, min(next_ms, self._pause_ms() or LOOK_MS)) / 1_000

    def _pause_ms(self) -> int:
        """How long what has failed waits yet. What has not been tried does not: perhaps only one message is not accepted."""
        return max(0, (self._not_before_ns - self._clock.monotonic_ns()) // 1_000_000)

    def _in_order(self, groups: Sequence[Group]) -> Sequence[Group]:
        """The group that failed last comes last, so a message that a service never accepts does not hold up the others."""
        waiting = {entry.key for group in groups for entry in group.entries}
        self._failures = {key: number for key, number in self._failures.items() if key in waiting}
        return sorted(groups, key=lambda group: self._failures.get(group.entries[0].key, 0))

    def _send(self, group: Group) -> bool:
        """Returns False if the message must be tried again later."""
        now_ms = self._clock.now_ms()

        def send() -> None:  # also makes the message: a record that nobody foresaw fails as its message, not as the channel
            self._channel.send(compose(group, self._message_context(group), now_ms))

        return self._attempt(send, group.entries, late_entries(group, now_ms))

    def _attempt(
        self,
        send: Callable[[], None],
        entries: Sequence[Entry],
        late: Sequence[Entry],
        parts: Sequence[Callable[[], bool]] = (),
    ) -> bool:
        """Returns False if the message must be tried again later. `parts` attempt it in parts, if it is refused."""
        try:
            send()
        except Undelivered as error:
            if self._ending:  # aborted, not refused
                return False
            if error.is_final and parts:
                return all(part() for part in parts)
            return self._failed(entries, str(error), is_final=error.is_final)
        except Exception as error:  # noqa: BLE001 - it must hold up no other message
            reason = f"a mistake in this program ({type(error).__name__})"  # the error's text may hold a secret
            return not self._ending and self._failed(entries, reason, is_final=False)
        self._retry_ms = self._not_before_ns = 0
        now_ms = self._clock.now_ms()
        late_keys = {entry.key for entry in late}
        self._outbox.record(
            [
                replace(it, state=Delivery.LATE if it.key in late_keys else Delivery.SENT, done_ms=now_ms, reason="")
                for it in entries
            ]
        )
        return True

    def _failed(self, entries: Sequence[Entry], reason: str, *, is_final: bool) -> bool:
        now_ms = self._clock.now_ms()
        if is_final:
            self._outbox.record([_given_up(entry, reason, now_ms) for entry in entries])
            return True
        # One message has all pending entries of a site, so the age of the newest entry counts. Each entry is tried at least
        # once, even if the machine slept for days.
        newest_ms = {entry.alert.host: entry.time_ms for entry in sorted(entries, key=lambda entry: entry.time_ms)}
        self._outbox.record(
            [
                _given_up(entry, f"{TOO_OLD}: {reason}", now_ms)
                if now_ms - newest_ms[entry.alert.host] > GIVE_UP_MS
                else replace(entry, reason=reason)
                for entry in entries
            ]
        )
        number = max(self._failures.values(), default=0) + 1
        self._failures |= {entry.key: number for entry in entries}
        if not self._pause_ms():
            self._retry_ms = min(LONGEST_RETRY_MS, self._retry_ms * 2 or FIRST_RETRY_MS)
            self._not_before_ns = self._clock.monotonic_ns() + self._retry_ms * 1_000_000
        return False

    # A level-triggered channel

    def _step_level(self, pending: Sequence[Entry]) -> float:
        now_ns = self._clock.monotonic_ns()
        is_due = self._level_ns is None or now_ns - self._level_ns >= LEVEL_MS * 1_000_000
        if now_ns >= self._not_before_ns and (pending or is_due):
            now_ms = self._clock.now_ms()
            done = self._outbox.last_done(self.config.label)
            level = self._level(done, pending, now_ms)
            given_up = _failed_last(done, pending)
            again = [alert for alert in level if alert.host in given_up]
            if self._send_level([alert for alert in level if alert.host not in given_up], pending, now_ms):
                self._level_ns = now_ns
                self._send_again(again, given_up, now_ms)
        return min(self._retry_ms or LOOK_MS, LOOK_MS) / 1_000

    def _level(self, done: Mapping[str, Entry], pending: Sequence[Entry], now_ms: int) -> Sequence[Alert]:
        """The newest record of each host that is down, was down until a short time ago, or is still to be announced."""
        announced = {entry.alert.host: entry.alert for entry in pending if entry.event.is_state_change}
        newest = {**self._newest.of(_records(done), now_ms), **announced}
        recent_ms = now_ms - RESOLVED_MS
        return [it for it in newest.values() if it.type is AlertType.ALERT or it.time_ms > recent_ms or it.host in announced]

    def _send_level(self, level: Sequence[Alert], pending: Sequence[Entry], now_ms: int) -> bool:
        """Send it, and in halves if it is refused, so that an alert which is never accepted keeps no other away."""
        if not level:
            return True
        names, hosts = self.watched.names, {alert.host for alert in level}
        middle = len(level) // 2
        halves = [partial(self._send_level, half, pending, now_ms) for half in (level[:middle], level[middle:]) if middle]
        entries = [entry for entry in pending if entry.alert.host in hosts]
        late = [entry for entry in entries if is_late(entry.time_ms, now_ms)]
        return self._attempt(lambda: self._channel.send_level(level, names, now_ms), entries, late, halves)

    def _send_again(self, level: Sequence[Alert], given_up: Mapping[str, Entry], now_ms: int) -> None:
        """Send what was given up, because its outage goes on: the service may accept it by now. Its failure was reported."""
        if level:
            with suppress(Undelivered):
                self._channel.send_level(level, self.watched.names, now_ms)
                entries = [given_up[alert.host] for alert in level]
                self._outbox.record([replace(it, state=Delivery.LATE, done_ms=now_ms, reason="") for it in entries])

    # What is known about the sites

    @property
    def _reports_alerts(self) -> bool:
        return Event.ALERT in self.config.events

    def _add_reminders(self) -> None:
        if self.config.reminder_ms is None or self._channel.is_level_triggered:
            return
        now_ms = self._clock.now_ms()
        if self._reports_alerts:
            newest = self._newest.of(_records(self._outbox.last_sent(self.config.label)), now_ms)
        else:
            newest = self._outbox.last_alerts()
        due = [
            it
            for it in reminders(self.config, newest.values(), self.watched.sites, now_ms)
            if not any(self.watched.in_maintenance(it.alert.host, moment_ms) for moment_ms in (it.time_ms, now_ms))
        ]
        if due:
            with suppress(StoreError):  # tried again at the next step
                self._outbox.add_reminders(due)

    def _planning_context(self, pending: Sequence[Entry], now_ms: int) -> PlanningContext:
        sent = self._outbox.last_sent(self.config.label)
        changes = self._alerts(Window(now_ms - DAY_MS, now_ms + 1), pending)
        outages: dict[str, list[int]] = {}
        for alert in changes:
            if alert.type is AlertType.ALERT:
                outages.setdefault(alert.host, []).append(alert.time_ms)
        with_recoveries = Event.RECOVERY in self.config.events
        reported = set(reported_down(sent, changes, with_recoveries=with_recoveries))
        if not self._reports_alerts:  # the reminder says it by itself
            reported |= {entry.alert.host for entry in pending if entry.event is Event.REMINDER}
        return PlanningContext(
            reported_down=reported,
            outages=outages,
            watched=self.watched.active,
            unstable=self._unstable(pending, now_ms),
            newest={alert.host: alert for alert in changes},
            with_recoveries=with_recoveries,
        )

    def _unstable(self, pending: Sequence[Entry], now_ms: int) -> Collection[str]:
        changes: dict[str, list[Entry]] = {}
        for entry in pending:
            if entry.event.is_state_change:
                changes.setdefault(entry.alert.host, []).append(entry)
        return {
            host
            for host, entries in changes.items()
            if any(self._is_unstable(entry, now_ms) for entry in recoveries_to_confirm(entries, now_ms))
        }

    def _alerts(self, window: Window, pending: Sequence[Entry]) -> Sequence[Alert]:
        alerts = [entry.alert for entry in pending if entry.event.is_state_change]
        with suppress(StoreError):  # the pending ones are known anyway
            alerts += self._reader().alerts(window)
        found = {(alert.time_ms, alert.host): alert for alert in alerts}
        return [found[key] for key in sorted(found)]

    def _is_unstable(self, entry: Entry, now_ms: int) -> bool:
        site = self.watched.sites.get(entry.alert.host)
        if site is None:
            return False
        seen = self._downtime(Window(entry.time_ms, now_ms), [site.host]).get(site.host) or Downtime()
        good = availability(seen.covered_ms - seen.down_ms, seen.covered_ms)
        return good is not None and good < site.rule.recovery_threshold

    def _downtime(self, window: Window, hosts: Sequence[str]) -> Mapping[str, Downtime]:
        try:
            return self._reader().downtime(window, hosts)
        except StoreError:
            return {}

    def _message_context(self, group: Group) -> MessageContext:
        watched, now_ms = self.watched, self._clock.now_ms()
        measured: dict[str, Downtime] = {}
        if len(group.updates) == 1 and (site := watched.sites.get(group.updates[0].host)):
            until_ms = group.updates[0].last.alert.time_ms
            measured = dict(self._downtime(Window.before(until_ms, site.rule.window_ms), [site.host]))
        flapping = [update.host for update in group.updates if update.recent.flap]
        recent = self._downtime(Window.before(now_ms, FLAP_MS), flapping) if flapping else {}
        return MessageContext(watched, measured, recent)


def _records(entries: Mapping[str, Entry]) -> Mapping[str, Alert]:
    return {host: entry.alert for host, entry in entries.items()}


def _failed_last(done: Mapping[str, Entry], pending: Sequence[Entry]) -> Mapping[str, Entry]:
    """By host, what was given up of what is `done`, unless there is something newer to send."""
    announced = {entry.alert.host for entry in pending}
    return {host: it for host, it in done.items() if it.state is Delivery.FAILED and host not in announced}


def _given_up(entry: Entry, reason: str, now_ms: int) -> Entry:
    return replace(entry, state=Delivery.FAILED, done_ms=now_ms, reason=reason)
