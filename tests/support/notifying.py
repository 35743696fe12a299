"""A monitor's notifications without the monitor: a real local file, a real sender, a channel that is told how to behave."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from monitoring.config.keys.notifications import CHANNELS, ChannelConfig
from monitoring.models import Alert, AlertType, Cause, Site
from monitoring.notifications.base import Channel, Message, Undelivered
from monitoring.notifications.certificates import warner
from monitoring.notifications.outbox import Outbox
from monitoring.notifications.routing import route_of
from monitoring.notifications.sender import Sender
from monitoring.notifications.watched import Watched
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock

KINDS = {kind.name: kind for kind in CHANNELS}


def channel_config(label: str = "mail", kind: str = "apprise", **more: object) -> ChannelConfig:
    return ChannelConfig(label, KINDS[kind], label, **more)  # type: ignore[arg-type]


def site(name: str, **more: object) -> Site:
    return Site(f"https://{name}.example.org", f"https://{name}.example.org", name=name, **more)  # type: ignore[arg-type]


class ScriptedChannel:
    """Keeps `Channel`; remembers what it has accepted. `trouble` is raised in place of accepting."""

    is_level_triggered = False

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        self.levels: list[Sequence[Alert]] = []
        self.trouble: Undelivered | None = None

    def send(self, message: Message) -> None:
        if self.trouble:
            raise self.trouble
        self.accepted.append(message)

    def send_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        if self.trouble:
            raise self.trouble
        self.levels.append(alerts)

    def close(self) -> None: ...

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.accepted]


class Desk:
    """One channel of a monitor of these sites. Time goes on by `go_on`, in steps of a second."""

    def __init__(
        self, path: Path, sites: Sequence[Site], config: ChannelConfig | None = None, channel: Channel | None = None
    ) -> None:
        self.clock = FakeClock()
        self.scripted = ScriptedChannel()
        self.config = config or channel_config()
        self._channel = channel or self.scripted
        self._path = path
        self.unwritten: list[Alert] = []
        self.sites = list(sites)
        self._open()

    def _open(self) -> None:
        self.store = LocalStore(self._path)
        self.outbox = Outbox(self.store, lambda: self.unwritten)
        self.sender = Sender(self.config, self._channel, self.outbox, lambda: self.store, self.clock)
        self.watch(self.sites)

    def watch(self, sites: Sequence[Site]) -> None:
        """As after another configuration."""
        self.sites = list(sites)
        channels = [self.config]
        route, warn = route_of(channels, self.sites), warner(channels, self.sites)
        self.outbox.set_route(route, [self.config.label], self.clock.now_ms(), warn)
        names = {**self.sender.watched.names, **{site.host: site.name for site in self.sites}}
        self.sender.watched = Watched({site.host: site for site in self.sites}, names)

    def restart(self) -> None:
        """As after a SIGKILL: whatever is in memory is gone."""
        self.store.close()
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def down(self, *sites: Site, cause: Cause = Cause.STATUS, detail: str = "HTTP status 503") -> list[Alert]:
        """These have just been found to be down, since half a minute."""
        alerts = [self.as_down(it, cause, detail) for it in sites]
        self.store.append((), alerts, self.clock.now_ms())
        return alerts

    def as_down(self, it: Site, cause: Cause = Cause.STATUS, detail: str = "HTTP status 503") -> Alert:
        """The record of a site that has just been found to be down, which is yet to be written."""
        now_ms = self.clock.now_ms()
        return Alert(AlertType.ALERT, it.host, now_ms, now_ms - 30_000, None, 75.0, cause, "", detail)

    def up(self, *alerts: Alert, watched: bool = True) -> list[Alert]:
        """These outages have just ended; the sites answer since ten seconds."""
        found = [self.as_up(it, watched=watched) for it in alerts]
        self.store.append((), found, self.clock.now_ms())
        return found

    def outage_while_away(self, it: Site, lasts_s: int, back_s: int, until_s: int) -> None:
        """The channel does not answer while this site is down and comes back, and answers again after `back_s`."""
        self.scripted.trouble = Undelivered("it does not answer")
        alerts = self.down(it)
        self.go_on(lasts_s)
        self.up(*alerts)
        self.go_on(back_s)
        self.scripted.trouble = None
        self.go_on(until_s)

    def as_up(self, it: Alert, *, watched: bool = True) -> Alert:
        """The record of the end of this outage, which is yet to be written."""
        now_ms = self.clock.now_ms()
        return Alert(
            *(AlertType.RECOVERY, it.host, now_ms, it.start_ms, now_ms - 10_000 if watched else None, 92.0, it.cause),
            *("", it.detail if watched else "no longer watched"),
        )

    def go_on(self, seconds: float, step_s: float = 1) -> None:
        """The sender takes a step each second, or as often as is said."""
        until_ms = self.clock.now_ms() + round(seconds * 1_000)
        while self.clock.now_ms() < until_ms:
            self.clock.advance(min(step_s, (until_ms - self.clock.now_ms()) / 1_000))
            self.sender.step()
