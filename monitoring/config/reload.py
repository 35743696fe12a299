"""What every program that goes on running does about a configuration that changes."""

from collections.abc import Callable, Sequence

from monitoring.config import Config, ConfigWatcher
from monitoring.errors import ConfigError
from monitoring.models import Site


def new_config(watcher: ConfigWatcher | None, say: Callable[[str], None]) -> Config | None:
    """The configuration that has taken the place of the last one; None while there is none, or none that is right.

    What is wrong is said once, all of it. Call it about once a second.
    """
    try:
        return watcher.look() if watcher else None
    except ConfigError as error:
        for problem in [*error.problems, "the configuration stays as it was"]:
            say(problem)
        return None


def consequences(before: Config, after: Config) -> list[str]:
    """What a new configuration means for a running monitor beyond other checks, in sentences."""
    told = _new_histories(before.sites, after.sites)
    if before.settled != after.settled:
        told.append("another database, location or caFile takes effect at the next start")
    return told


def _new_histories(before: Sequence[Site], after: Sequence[Site]) -> list[str]:
    """A sentence for each URL whose websites were given other ids: what is stored under one name stays there."""
    told = []
    for address in dict.fromkeys(site.address for site in after):
        was, now = ([site.host for site in sites if site.address == address] for sites in (before, after))
        gone, new = ([host for host in one if host not in other] for one, other in ((was, now), (now, was)))
        if gone and new:
            told.append(
                f"{address} is stored as {' and '.join(new)} from now on, no longer as {' and '.join(gone)}:"
                " its history begins anew"
            )
    return told
