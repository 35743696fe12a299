"""Finds the site that a person names by its id, name or URL, or the sites of a tag or a group. Pure."""

import difflib
from collections.abc import Sequence

from monitoring.config.loading import site_host
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.names import CHARACTERS, is_name, printable

LIKENESS = 0.6
"""How similar a name or URL must be to be suggested in place of an unknown one."""


def hosts_of(asked: str, sites: Sequence[Site], flag: str) -> tuple[str, ...]:
    """The names of a site in the stores: its present one, then the one that it may have had before it was given an id.

    A site that is not configured any more may still be stored under the id or URL `asked`. Errors begin with `flag`.
    Raises `ConfigError` if several sites match, or if no site can be stored under such a name.
    """
    url = _url(asked)
    if exact := [site.host for form in (asked, url) for site in sites if site.host == form]:
        return (exact[0],)
    named = [site for site in sites if site.name == asked]
    meant = named or [site for site in sites if site.address in (asked, url)]
    if len(meant) > 1:
        hosts = printable(", ".join(site.host for site in meant))
        raise ConfigError([f"{flag}: {len(meant)} sites have this {'name' if named else 'URL'}: choose one of {hosts}"])
    if meant:
        return (meant[0].host,) if named else (meant[0].host, meant[0].address)
    if url is None and (not is_name(asked) or asked.isspace()):
        raise ConfigError([f"{flag}: must be the id, the name or the URL of a website: {CHARACTERS}"])
    return (url or asked,)


def site_of(asked: str, sites: Sequence[Site], flag: str) -> Site:
    """The configured site that matches. Raises `ConfigError` if there is none, with a suggestion."""
    host = hosts_of(asked, sites, flag)[0]
    for site in sites:
        if site.host == host:
            return site
    forms = {form: form for site in sites for form in (site.name, site.host, site.address) if form}
    close = difflib.get_close_matches(asked, forms, n=1, cutoff=LIKENESS)
    hint = f"did you mean {close[0]}?" if close else "--check-config lists them"
    raise ConfigError([printable(f"{flag}: no website is called {asked}; {hint}")])


def sites_of(asked: str, sites: Sequence[Site], flag: str) -> tuple[Site, ...]:
    """The configured sites of `tag:WORD` or `group:NAME`, or else the one that matches. Raises `ConfigError`."""
    found = _labelled(asked, sites)
    if found is None:
        return (site_of(asked, sites, flag),)
    if not found:
        kind, _, label = asked.partition(":")
        raise ConfigError([printable(f"{flag}: no website has the {kind} {label}; --check-config lists them")])
    return found


def chosen_hosts(asked: str, sites: Sequence[Site], flag: str) -> tuple[str, ...]:
    """The names in the stores of the sites of `tag:WORD` or `group:NAME`, or else what `hosts_of` finds.

    Raises `ConfigError` as that does.
    """
    found = _labelled(asked, sites)
    return hosts_of(asked, sites, flag) if found is None else tuple(site.host for site in found)


def _labelled(asked: str, sites: Sequence[Site]) -> tuple[Site, ...] | None:
    """The sites of `tag:WORD` or `group:NAME`; None: `asked` is of another form."""
    if all(site.has_label(asked) is None for site in sites):
        return None
    return tuple(site for site in sites if site.has_label(asked))


def _url(asked: str) -> str | None:
    """The form in which a URL is stored; None: it is not a URL."""
    try:
        return site_host(asked)
    except ConfigError:
        return None
