"""Which site somebody means: by its id, its name or its URL. Pure."""

from collections.abc import Sequence

from monitoring.config.describing import printable
from monitoring.config.loading import site_host
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.names import CHARACTERS, is_name


def hosts_of(asked: str, sites: Sequence[Site], flag: str) -> tuple[str, ...]:
    """What the site is called in the stores: first as it is configured, then as it may have been before it had an id.

    A site that is not configured may still be stored under the id or URL that is asked for. `flag` begins an error.
    Raises `ConfigError` when several sites are meant, or none can be.
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
    if url is None and not is_name(asked):
        raise ConfigError([f"{flag}: must be the id, the name or the URL of a website: {CHARACTERS}"])
    return (url or asked,)


def _url(asked: str) -> str | None:
    """The form in which a URL is stored; None: it is none. A stored one stays as it is."""
    try:
        return site_host(asked)
    except ConfigError:
        return None
