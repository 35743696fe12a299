"""The last part of the self-test: sends its outage through a real outbox and real channels, marked as a drill."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from monitoring.clock import Deadline, StopSignal, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.config import Config
from monitoring.config.keys.notifications import CHANNELS, EVENTS, ChannelConfig
from monitoring.config.parsing.values import show_ms
from monitoring.display.output.outputs import say
from monitoring.display.words import plural
from monitoring.errors import MonitoringError
from monitoring.models import Alert, AlertType, Site, Window
from monitoring.notifications.notifier import Notifier
from monitoring.notifications.outbox import Outbox
from monitoring.shell import Program
from monitoring.storage.notifications import Delivery, Entry
from monitoring.storage.sqlite.store import LocalStore
from monitoring.thresholds import Rule
from monitoring.units import HOUR_MS

DRILL_SITE = Site("drill", "http://drill.invalid/", name="drill", masked_url="http://drill.invalid")
NO_PROGRAM = Program(repeatable=False)
"""No command explains a site that exists only here."""
DOWN_OR_UP = {AlertType.ALERT: "DOWN", AlertType.RECOVERY: "UP"}
PATIENCE_MS = 45_000
"""How long a channel may take to send a message."""
POLL_S = 0.2


class SelfTestFailed(MonitoringError):
    """The self-test has not seen what it expects."""


def channels_of(invocation: Invocation) -> Sequence[ChannelConfig]:
    """The channels of the configuration. Raises `MonitoringError` if there are none."""
    channels = invocation.load()[0].notifications
    if not channels:
        raise MonitoringError("there are no channels: the configuration has no notifications")
    return channels


def run_drill(outage: Sequence[Alert], rule: Rule, channels: Sequence[ChannelConfig], directory: Path) -> None:
    """Announce an outage on these channels or, if there are none, its alert on a web hook of this process.

    `rule` has decided it. Raises `SelfTestFailed`.
    """
    if channels:
        say(f"a drill on your {plural(len(channels), 'channel')}: a site goes down, and comes back")
        answers = deliver(outage, rule, channels, directory)
        for label, trouble in answers.items():
            say(f"      {label}: {trouble or 'sent'}")
        if any(answers.values()):
            raise SelfTestFailed("not every channel has sent its messages")
        return
    say("a notification to a local web hook, which must receive one message")
    with web_hook() as (hook, received):
        trouble = deliver(outage[:1], rule, [hook], directory)[hook.label]
        say(f"      received: {', '.join(message['title'] for message in received) or 'nothing'}")
    if trouble:
        raise SelfTestFailed(f"the web hook got no message: {trouble}")
    if len(received) != 1:
        raise SelfTestFailed(f"expected one message, not {len(received)}")


def deliver(
    outage: Sequence[Alert], rule: Rule, channels: Sequence[ChannelConfig], directory: Path
) -> Mapping[str, str | None]:
    """Send the records of an outage, one after the other, on all these channels, whatever they are told of otherwise.

    Returns, by the label of each channel, why it has not sent all of them (None: it has).
    """
    clock, stop = SystemClock(), StopSignal()
    told_of_all = tuple(replace(channel, sites=(), on=frozenset(EVENTS), reminder_ms=None) for channel in channels)
    with closing(LocalStore(directory / "drill.db")) as store:
        notifier = Notifier(Outbox(store, tuple), lambda: store, clock, is_drill=True)
        sites = (replace(DRILL_SITE, rule=rule),)
        notifier.follow(Config(sites, None, store.path, notifications=told_of_all, program=NO_PROGRAM))
        try:
            for record in outage:
                say(f"      sending {DOWN_OR_UP[record.type]}, for at most {show_ms(PATIENCE_MS)}")
                store.append((), [replace(record, host=DRILL_SITE.host, time_ms=clock.now_ms())], clock.now_ms())
                notifier.notify()
                until = Deadline.after(clock, PATIENCE_MS)
                while until.left_s() and any(it.state is Delivery.PENDING for it in _entries(store, clock)):
                    clock.wait(stop, POLL_S)
            entries = _entries(store, clock)
        finally:
            notifier.close()
    return {channel.label: _trouble([it for it in entries if it.channel == channel.label]) for channel in channels}


def _entries(store: LocalStore, clock: SystemClock) -> Sequence[Entry]:
    now_ms = clock.now_ms()
    return store.deliveries(Window(now_ms - HOUR_MS, now_ms + 1))


def _trouble(entries: Sequence[Entry]) -> str | None:
    unsent = [it for it in entries if it.state not in (Delivery.SENT, Delivery.LATE)]
    return (unsent[0].reason or "it does not answer in time") if unsent else None


@contextmanager
def web_hook() -> Iterator[tuple[ChannelConfig, Sequence[Mapping[str, str]]]]:
    """A channel that sends to this process, and the messages that it has received."""
    received: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing: the self-test prints its own messages."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="web hook", daemon=True).start()
    try:
        yield ChannelConfig("web hook", CHANNELS[-1], url=f"json://127.0.0.1:{server.server_port}/"), received
    finally:
        server.shutdown()
        server.server_close()
