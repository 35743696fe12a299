"""All channels of a monitor: opens, reconfigures, wakes and closes them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module

from monitoring.clock import Clock, Deadline
from monitoring.config import Config
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.errors import StoreError
from monitoring.models import Window
from monitoring.notifications import words
from monitoring.notifications.base import Channel
from monitoring.notifications.certificates import warner
from monitoring.notifications.outbox import Outbox
from monitoring.notifications.routing import route_of
from monitoring.notifications.sender import Sender
from monitoring.notifications.watched import InMaintenance, Watched, never_maintained
from monitoring.storage.base import OwnReader
from monitoring.storage.delivery.words import Condition
from monitoring.units import DAY_MS

LOOK_NS = 2_000_000_000
"""How often the conditions of the channels are read."""

CLOSE_MS = 1_000
"""How long the end of a run waits for messages that are being sent."""


class Notifier:
    """Notifies people of what the evaluator has recorded. Without channels it does nothing and has no threads."""

    def __init__(
        self,
        outbox: Outbox,
        reader: Callable[[], OwnReader],
        clock: Clock,
        *,
        is_drill: bool = False,
    ) -> None:
        """`reader` returns a reader of everything that this monitor has recorded."""
        self._outbox = outbox
        self._reader = reader
        self._clock = clock
        self._is_drill = is_drill
        self._senders: list[Sender] = []
        self._leaving: list[Sender] = []
        """Those that end after the message that they are sending."""
        self._known: tuple[int, Sequence[Condition]] | None = None

    def follow(self, config: Config, in_maintenance: InMaintenance = never_maintained) -> None:
        """Use the channels of this configuration from now on, and drop the pending entries of all others.

        The first call starts the threads. There are no reminders of sites that are in maintenance.
        """
        channels, now_ms = config.notifications, self._clock.now_ms()
        with suppress(StoreError):  # then only the outbox in memory has the new routes
            labels = [channel.label for channel in channels]
            sites = config.active_sites
            self._outbox.set_route(route_of(channels, sites), labels, now_ms, warner(channels, sites))
        known = {sender.config: sender for sender in self._senders}
        kept = [known[channel] for channel in channels if channel in known]
        left = [sender for sender in self._senders if sender not in kept]
        for sender in left:
            sender.stop()
        self._leaving = [*(sender for sender in self._leaving if sender.is_alive), *left]
        before = {sender.config.label: sender for sender in self._leaving}
        new = [self._open(channel, before.get(channel.label)) for channel in channels if channel not in known]
        self._senders = [*kept, *new]
        by_host = {site.host: site for site in config.sites}
        watched = Watched(by_host, config.names, config.location, self._is_drill, in_maintenance, config.program)
        for sender in self._senders:
            sender.watched = watched
        for sender in new:
            sender.start()

    def _open(self, config: ChannelConfig, before: Sender | None) -> Sender:
        return Sender(config, open_channel(config), self._outbox, self._reader, self._clock, before)

    def notify(self) -> None:
        """Wake all senders: there are new records. Any thread may call it."""
        for sender in self._senders:
            sender.notify()

    def conditions(self) -> Sequence[Condition]:
        """The conditions of the channels that people should know about now."""
        if not self._senders:
            return ()
        now_ns = self._clock.monotonic_ns()
        if self._known is None or now_ns - self._known[0] >= LOOK_NS:
            self._known = now_ns, self._conditions()
        return self._known[1]

    def _conditions(self) -> Sequence[Condition]:
        now_ms, labels = self._clock.now_ms(), [sender.config.label for sender in self._senders]
        return list(words.conditions(self._outbox.deliveries(Window(now_ms - DAY_MS, now_ms + 1)), labels, now_ms))

    def close(self) -> None:
        """End all threads. Unsent messages stay in the file for the next start."""
        until = Deadline.after(self._clock, CLOSE_MS)
        senders = [*self._leaving, *self._senders]
        for sender in senders:
            sender.stop()
        for sender in senders:
            sender.close(until.left_s())
        self._senders, self._leaving = [], []


def open_channel(config: ChannelConfig) -> Channel:
    """The channel of this configuration, not connected yet."""
    module, _, name = config.kind.open.partition(":")
    make: Callable[[ChannelConfig], Channel] = getattr(import_module(module), name)
    return make(config)
