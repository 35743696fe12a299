"""Opens the interactive viewer for `-p` and `-a` on a terminal, if textual is installed."""

import sys
from functools import partial
from importlib import import_module

from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.live.printer import LIVE_PATIENCE_S
from monitoring.commands.live.rounds import round_every_ms
from monitoring.commands.live.viewer_feed import ROUNDS_MS, Listing, ViewerFeed
from monitoring.config import Config, ConfigWatcher
from monitoring.display.output.outputs import print_screen
from monitoring.display.view_model.viewing import Choice
from monitoring.service.process import SCREEN_GARBAGE_THRESHOLD, prepare, uncollected
from monitoring.storage.routing import ReaderChoice
from monitoring.viewer.background import background_during
from monitoring.viewer.state import Place, State


def view(
    invocation: Invocation,
    config: Config,
    watcher: ConfigWatcher,
    listing: Listing | None = None,
) -> int:
    """Show it until the user leaves; returns the exit status. With a `listing` it opens on the incidents."""
    prepare(len(config.sites), SCREEN_GARBAGE_THRESHOLD)  # so that a key does not wait for the thread that reads
    arguments, clock = invocation.arguments, SystemClock()
    rounds_ms = dict(ROUNDS_MS)
    if arguments.window is not None:
        rounds_ms.setdefault(arguments.window, round_every_ms(arguments.window))
    choice = ReaderChoice(config, clock, LIVE_PATIENCE_S, arguments.location)
    feed = ViewerFeed(config, choice, clock, watcher, rounds_ms, listing or Listing())

    with uncollected():
        import_asyncio()
        app, background = background_during(partial(import_module, "monitoring.viewer.app"), sys.stdin.fileno(), clock)
    places = (Place.SITES, Place.INCIDENTS) if listing else (Place.SITES,)
    state = State(places, Choice(arguments.window or min(rounds_ms)))
    last_screen = app.Viewer(feed, clock, app.Settings(state, sorted(rounds_ms), len(config.sites), background)).run()
    if last_screen:
        print_screen(last_screen, invocation.environ)
    return 0


def import_asyncio() -> None:
    """Import asyncio as if this Python had no TLS, which saves the 5 MB of OpenSSL: the loop serves a terminal only.

    Databases have connections of their own, and still find it. Call this before other threads start, which may need it.
    """
    if "ssl" not in sys.modules:
        sys.modules["ssl"] = None  # type: ignore[assignment]  # importing it fails meanwhile, and asyncio goes without
        import_module("asyncio")
        del sys.modules["ssl"]
