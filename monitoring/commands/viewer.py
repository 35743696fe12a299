"""The interactive viewer, which `-p` and `-a` open on a terminal. Without textual they show what they show elsewhere."""

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation, is_piped
from monitoring.commands.printer import LIVE_PATIENCE_S
from monitoring.commands.rounds import round_every_ms
from monitoring.commands.viewer_feed import ROUNDS_MS, Listing, ViewerFeed
from monitoring.config import Config, ConfigWatcher
from monitoring.display.outputs import is_operable, print_screen
from monitoring.display.viewing import Choice
from monitoring.service.process import prepare
from monitoring.storage.routing import ReaderChoice
from monitoring.viewer.ground import ground_while
from monitoring.viewer.state import Place, State

__all__ = ["Listing", "command", "is_possible", "view"]


def is_possible(invocation: Invocation) -> bool:
    """Is there a person at a terminal who wants to see what goes on, and textual to show it by?"""
    arguments = invocation.arguments
    asks_once = arguments.once or arguments.at is not None
    return arguments.format == "text" and not asks_once and is_operable(invocation.environ) and has_textual()


def has_textual() -> bool:
    """Is textual installed?"""
    return find_spec("textual") is not None


def command(invocation: Invocation) -> Sequence[str] | None:
    """What starts a viewer of the same configuration; None where that was piped in, and cannot be read again."""
    arguments = invocation.arguments
    if arguments.config is not None and is_piped(arguments.config):
        return None
    config = [] if arguments.config is None else ["--config", str(arguments.config)]
    database = [] if arguments.database is None else ["--database", arguments.database]
    return [sys.executable, sys.argv[0], "--print", *config, *database, *arguments.urls]


def view(
    invocation: Invocation,
    config: Config,
    watcher: ConfigWatcher,
    listing: Listing | None = None,
) -> int:
    """Show it until the person leaves; returns the exit status. With a `listing` it opens with the incidents."""
    prepare(len(config.sites))  # a key is not to wait for the thread that reads
    arguments, clock = invocation.arguments, SystemClock()
    rounds_ms = dict(ROUNDS_MS)
    if arguments.window is not None:
        rounds_ms.setdefault(arguments.window, round_every_ms(arguments.window))
    choice = ReaderChoice(config, clock, LIVE_PATIENCE_S, arguments.location)
    feed = ViewerFeed(config, choice, clock, watcher, rounds_ms, listing or Listing())

    app, ground = ground_while(partial(import_module, "monitoring.viewer.app"), sys.stdin.fileno(), clock)
    places = (Place.SITES, Place.INCIDENTS) if listing else (Place.SITES,)
    state = State(places, Choice(arguments.window or min(rounds_ms)))
    kept = app.Viewer(feed, clock, app.Settings(state, sorted(rounds_ms), len(config.sites), ground)).run()
    if kept:
        print_screen(kept, invocation.environ)
    return 0
