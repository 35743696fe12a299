"""Channels that another configuration removes, adds or changes while they send: nothing is sent twice or goes on unseen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from monitoring.clock import SystemClock
from monitoring.config import Config
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.models import Alert, AlertType, Cause
from monitoring.notifications.grouping import QUIET_MS
from monitoring.notifications.notifier import Notifier
from monitoring.notifications.outbox import Outbox
from monitoring.storage.notifications import Event
from monitoring.storage.sqlite.store import LocalStore
from tests.support.monitor import wait_for
from tests.support.notifying import channel_config, site
from tests.support.processes import started_with

SHOP, BLOG = site("shop"), site("blog")


class Office:
    """A notifier of two sites, whose channel is a program that writes when it begins and ends, and waits for a file."""

    def __init__(self, folder: Path, store: LocalStore) -> None:
        self._clock, self._store = SystemClock(), store
        self.log, self.gate = folder / "log", folder / "gate"
        self.log.touch()
        self.notifier = Notifier(Outbox(store, tuple), lambda: store, self._clock)
        script = f"echo begin >> '{self.log}'; until [ -e '{self.gate}' ]; do sleep 0.05; done; echo end >> '{self.log}'"
        self.channel = channel_config("ops", "command", command=("sh", "-c", script, str(self.gate)))

    def follow(self, *channels: ChannelConfig) -> None:
        self.notifier.follow(Config((SHOP, BLOG), None, self._store.path, notifications=channels))

    def down(self, host: str) -> int:
        """The time of its alert."""
        now_ms = self._clock.now_ms()
        self._store.append((), [Alert(AlertType.ALERT, host, now_ms, now_ms, None, 75.0, Cause.STATUS)], now_ms)
        self.notifier.notify()
        return now_ms

    def lines(self) -> Sequence[str]:
        return self.log.read_text().split()


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    store = LocalStore(folder / "monitor.db")
    opened = Office(folder, store)
    try:
        opened.follow(opened.channel)
        yield opened
    finally:
        opened.gate.touch()
        opened.notifier.close()
        store.close()


def test_a_channel_that_is_removed_and_added_again_first_ends_what_it_is_sending(tmp_path: Path) -> None:
    with office(tmp_path) as it:
        it.down(SHOP.host)
        wait_for(lambda: it.lines() == ["begin"], "it is sending")
        it.follow()
        it.follow(it.channel)
        due_ms = it.down(BLOG.host) + 2 * QUIET_MS[Event.ALERT]
        wait_for(lambda: SystemClock().now_ms() > due_ms, "the next message is due")
        it.gate.touch()
        wait_for(lambda: len(it.lines()) == 4, "both are sent")
        assert it.lines() == ["begin", "end", "begin", "end"]


def test_a_message_by_a_channel_that_was_removed_ends_with_the_run(tmp_path: Path) -> None:
    with office(tmp_path) as it:
        it.down(SHOP.host)
        wait_for(lambda: started_with(str(it.gate)), "it is sending")
        it.follow()
        it.notifier.close()
        assert not started_with(str(it.gate))
