"""Follows a configuration that changes while a program runs."""

from collections.abc import Callable, Sequence

from monitoring.config import Config, ConfigWatcher
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.names import listed

STAYS = "the configuration stays as it was"


def new_config(
    watcher: ConfigWatcher | None, say: Callable[[str], None], say_over: Callable[[str], None] | None = None
) -> Config | None:
    """The new configuration, once it has changed; None while it has not, or while it is wrong.

    All errors of a wrong one are reported once, to `say`; that it is fine again to `say_over` (None: to `say`).
    Call it about once a second.
    """
    if watcher is None:
        return None
    was_wrong = bool(watcher.problems)
    try:
        found = watcher.look()
    except ConfigError as error:
        for problem in [*error.problems, STAYS]:
            say(problem)
        return None
    if was_wrong and not watcher.problems:
        (say_over or say)("the configuration is fine again")
    return found


def config_notes(watcher: ConfigWatcher | None) -> Sequence[str]:
    """What stands in the header, and in systemd's status, while the configuration is wrong."""
    if watcher is None or not watcher.problems:
        return ()
    first, *others = watcher.problems
    return (f"{first}{f' (and {len(others)} more)' if others else ''}; {STAYS}",)


def consequences(before: Config, after: Config) -> list[str]:
    """Sentences about what a new configuration does not change in a running monitor, or changes for stored data."""
    sentences = [*_new_histories(before.sites, after.sites), *_pauses(before.sites, after.sites)]
    if before.needing_restart != after.needing_restart:
        sentences.append("another database, location or caFile takes effect at the next start")
    return sentences


def _pauses(before: Sequence[Site], after: Sequence[Site]) -> list[str]:
    """Sentences about sites of both configurations that are paused from now on, or no longer."""
    known = {site.host: site.enabled for site in before}
    changed = [site for site in after if known.get(site.host, site.enabled) != site.enabled]
    paused, resumed = ([site.host for site in changed if site.enabled is enabled] for enabled in (False, True))
    return [f"{words}: {listed(hosts)}" for words, hosts in (("paused", paused), ("no longer paused", resumed)) if hosts]


def _new_histories(before: Sequence[Site], after: Sequence[Site]) -> list[str]:
    """A sentence for each URL whose websites have other ids now. What is stored under the old ids stays there."""
    sentences = []
    for address in dict.fromkeys(site.address for site in after):
        was, now = ([site.host for site in sites if site.address == address] for sites in (before, after))
        gone, new = ([host for host in one if host not in other] for one, other in ((was, now), (now, was)))
        if gone and new:
            sentences.append(
                f"{address} is stored as {' and '.join(new)} from now on, no longer as {' and '.join(gone)}:"
                " its history begins anew"
            )
    return sentences
