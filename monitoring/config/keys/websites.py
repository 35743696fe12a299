"""Reads the websites of a configuration: fills in all defaults and reports all contradictions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitoring.config.keys.assertions import ASSERTIONS, read_assertions, read_header_names, refuse_impossible
from monitoring.config.keys.maintenance import Maintenance, read_own_maintenance
from monitoring.config.keys.notifications import names_of_channels, refuse_unknown_channels
from monitoring.config.keys.transport import TRANSPORT_KEYS, read_transport, refuse_contradictions
from monitoring.config.parsing import values
from monitoring.config.parsing.addresses import SiteAddress, site_address
from monitoring.config.parsing.section import Section
from monitoring.models import Site
from monitoring.thresholds import DEFAULT_ALERT_INTERVAL_MS, Rule
from monitoring.units import DAY_MS, HOUR_MS, SECOND_MS

SITE_KEYS = (
    "URL",
    "id",
    "name",
    "enabled",
    "group",
    "tags",
    "checkInterval",
    "timeout",
    "method",
    "headers",
    "body",
    "followRedirects",
    "verifyTLS",
    *TRANSPORT_KEYS,
    "certificateWarning",
    *ASSERTIONS,
    "alerting",
    "notify",
    "maintenance",
)
RULE_KEYS = ("threshold", "recoveryThreshold", "window", "minimumFailures")

INTERVAL = values.duration(1, DAY_MS)
TIMEOUT = values.duration(1, HOUR_MS)
_WINDOW = values.duration(SECOND_MS, DAY_MS)
FAILURES = values.whole(1, 1_000)
CERTIFICATE_WARNING = values.duration(0, 365 * DAY_MS)

_PLAIN = Site(host="", url="")
"""The defaults of a site are those of `models.Site`."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The defaults of all websites. The rule is not fitted to a site yet; it is evaluated every `evaluated_every_ms`.

    `channels` are the names of the channels that a website may name.
    """

    interval_ms: int = _PLAIN.interval_ms
    timeout_ms: int = _PLAIN.timeout_ms
    rule: Rule = _PLAIN.rule
    certificate_warning_ms: int = _PLAIN.certificate_warning_ms
    channels: frozenset[str] = frozenset()
    evaluated_every_ms: int = DEFAULT_ALERT_INTERVAL_MS


def read_rule(section: Section, inherited: Rule) -> Rule:
    """The alert rule of one section. Keys that are not given are inherited."""
    if not section.has_any(RULE_KEYS):
        return inherited
    threshold = section.take("threshold", values.percent, inherited.threshold)
    recovery = section.take("recoveryThreshold", values.percent, None)
    if recovery is not None and recovery < threshold:
        section.problem("recoveryThreshold", f"must not be below the threshold, {values.show_number(threshold)}")
    return Rule(
        threshold=threshold,
        recovery_threshold=max(inherited.recovery_threshold, threshold) if recovery is None else recovery,
        window_ms=section.take("window", _WINDOW, inherited.window_ms),
        minimum_failures=section.take("minimumFailures", FAILURES, inherited.minimum_failures),
    )


def read_sites(sections: Iterable[Section], defaults: Defaults) -> tuple[tuple[Site, ...], list[Maintenance]]:
    """The sites with a valid URL, in order, and the maintenance that they plan for themselves.

    Reports sites that would have the same name in the stores.
    """
    sites: dict[str, Site] = {}
    maintenance: list[Maintenance] = []
    seen = _Seen()
    for section in sections:
        site = _read_site(section, defaults)
        own = read_own_maintenance(section) if section.has("URL") else []
        if site is None:
            continue
        seen.compare(section, site)
        seen.add(section, site)
        sites.setdefault(site.host, site)
        maintenance += [replace(one, hosts=frozenset({site.host})) for one in own]
    return tuple(sites.values()), maintenance


class _Seen:
    """The ids and URLs of the websites read so far, each with the section that was first to use it."""

    def __init__(self) -> None:
        self._ids: dict[str, Section] = {}
        self._urls: dict[str, Section] = {}
        self._without_id: dict[str, Section] = {}

    def compare(self, section: Section, site: Site) -> None:
        """Report duplicates: an id must be unique among ids and URLs, a URL among ids and among sites without an id."""
        if site.masked_url and site.host in self._ids:
            section.problem("id", f"is the id of {self._ids[site.host].seen_from(section)}, too")
        elif site.masked_url and site.host in self._urls:
            section.problem("id", f"is the URL of {self._urls[site.host].seen_from(section)}")
        if site.address in self._ids:
            section.problem("URL", f"is the id of {self._ids[site.address].seen_from(section)}")
        elif not site.masked_url and site.host in self._without_id:
            section.problem(
                "URL", f"the same site as {self._without_id[site.host].seen_from(section)}; one of them needs an id"
            )

    def add(self, section: Section, site: Site) -> None:
        if site.masked_url:
            self._ids.setdefault(site.host, section)
        else:
            self._without_id.setdefault(site.host, section)
        self._urls.setdefault(site.address, section)


def _read_site(section: Section, defaults: Defaults) -> Site | None:
    if not section.has("URL"):
        if section.is_object:
            section.warn("no URL, ignored")
        return None
    address = section.take("URL", site_address, None)
    own_id = section.take("id", values.site_id, None)
    site = _read_rest(section, defaults, address or SiteAddress("", ""))
    if address is None:
        return None
    # An id that equals the URL changes nothing.
    return site if own_id in (None, address.host) else replace(site, host=own_id, masked_url=address.host)


def _read_rest(section: Section, defaults: Defaults, address: SiteAddress) -> Site:
    interval_ms = section.take("checkInterval", INTERVAL, defaults.interval_ms)
    headers, private_headers = _read_headers(section.section("headers", None))
    body, is_json = section.take("body", values.body, (None, False))
    if is_json and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, ("Content-Type", "application/json"))
    site = Site(
        host=address.host,
        url=address.url,
        name=section.take("name", values.text, None),
        enabled=section.take("enabled", values.flag, _PLAIN.enabled),
        group=section.take("group", values.label, None),
        tags=section.take("tags", values.labels, _PLAIN.tags),
        method=section.take("method", values.method, _PLAIN.method),
        headers=headers,
        private_headers=private_headers,
        body=body,
        interval_ms=interval_ms,
        timeout_ms=section.take("timeout", TIMEOUT, defaults.timeout_ms),
        follow_redirects=section.take("followRedirects", values.flag, _PLAIN.follow_redirects),
        verify_tls=section.take("verifyTLS", values.flag, _PLAIN.verify_tls),
        transport=read_transport(section),
        rule=read_rule(section.section("alerting", RULE_KEYS), defaults.rule),
        notify=section.take("notify", names_of_channels, None),
        certificate_warning_ms=section.take("certificateWarning", CERTIFICATE_WARNING, defaults.certificate_warning_ms),
    )
    refuse_unknown_channels(section, site, defaults.channels)
    assertions = read_assertions(section)
    rule = site.rule.fitted_to(site.interval_ms, site.timeout_ms, defaults.evaluated_every_ms)
    if assertions or rule is not site.rule:
        site = replace(site, assertions=tuple(assertions.values()), rule=rule)
    refuse_impossible(section, site, assertions)
    if address.url:
        refuse_contradictions(section, site)
    return site


def _read_headers(section: Section) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The headers, and the names (in lower case) of those with a variable in their value."""
    found = [(name, *section.take(name, values.header, ("", False))) for name in read_header_names(section)]
    private = tuple(name.lower() for name, _, is_private in found if is_private)
    return tuple((name, value) for name, value, _ in found), private
