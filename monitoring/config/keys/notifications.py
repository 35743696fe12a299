"""The channels of notifications: the key `notifications`, and the registry of the kinds of channels.

A new kind of channel is a module in `monitoring.notifications.channels` and a line in `CHANNELS`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module

from monitoring import names
from monitoring.config.parsing import values
from monitoring.config.parsing.addresses import site_address
from monitoring.config.parsing.section import Section
from monitoring.config.parsing.text import Invalid, Text, accepts
from monitoring.models import Site
from monitoring.shell import PLAIN, Program
from monitoring.trust import MOZILLA, Trust
from monitoring.units import DAY_MS, MINUTE_MS

CHANNEL_KEYS = ("name", "url", "command", "sites", "on", "reminder")
EVENTS = ("alert", "recovery", "reminder", "certificate")

_REMINDER = values.duration(MINUTE_MS, 30 * DAY_MS)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://")


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One kind of channel.

    `schemes` are those of its URLs. `open` names the "module:callable" that makes a `monitoring.notifications.base.Channel`
    from a `ChannelConfig`, without connecting. `problems` names the "module:callable" that says for each of a list of URLs
    why it cannot be used (None: it can). Both are names so that only configured channels are imported. `events` are those
    that it can announce.
    """

    name: str
    schemes: tuple[str, ...]
    open: str
    problems: str = ""
    events: tuple[str, ...] = EVENTS


_MODULE = "monitoring.notifications.channels"

CHANNELS = (
    ChannelKind("command", (), f"{_MODULE}.command:Command"),
    ChannelKind(
        *("alertmanager", ("alertmanager+http", "alertmanager+https"), f"{_MODULE}.alertmanager:Alertmanager"),
        problems=f"{_MODULE}.alertmanager:problems",
        events=("alert", "recovery", "reminder"),
    ),
    ChannelKind("apprise", (), f"{_MODULE}.services:Service", problems=f"{_MODULE}.services:problems"),
)
"""Every kind of channel. The last one takes all URLs that no other kind takes."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One channel. `label` identifies it everywhere: its name or, without one, its scheme and its index in the list.

    `url` and the arguments of `command` are secrets. `sites` are selectors; empty: all sites. `on` are the events that it
    announces. It sends a reminder of a site that stays down every `reminder_ms` (None: never). `location`,
    `trust` and `program` are those of the configuration.
    """

    label: str
    kind: ChannelKind
    name: str | None = None
    url: str = field(default="", repr=False)
    command: tuple[str, ...] = field(default=(), repr=False)
    sites: tuple[str, ...] = ()
    on: frozenset[str] = frozenset(EVENTS)
    reminder_ms: int | None = None
    location: str = ""
    trust: Trust = MOZILLA
    program: Program = PLAIN

    @property
    def events(self) -> tuple[str, ...]:
        """The events that it announces, in the order of `EVENTS`."""
        known = self.on & frozenset(self.kind.events) - (frozenset() if self.reminder_ms else frozenset({"reminder"}))
        return tuple(event for event in EVENTS if event in known)

    def wants(self, site: Site, event: str) -> bool:
        """Does it announce this event of this site? If the site names channels, only those do."""
        if event not in self.on or event not in self.kind.events:
            return False
        if site.notify is not None:
            return self.name is not None and self.name in site.notify
        return not self.sites or any(selects(selector, site) for selector in self.sites)


def selects(selector: str, site: Site) -> bool:
    """Does the selector (`tag:NAME`, `group:NAME`, an id, a name or a URL) match this site?"""
    labelled = site.has_label(selector)
    return selector in (site.host, site.name, site.address) if labelled is None else labelled


def read_channels(root: Section, sites: Sequence[Site], location: str, trust: Trust) -> tuple[ChannelConfig, ...]:
    """The configured channels. Errors are reported without showing a URL."""
    listed = enumerate(root.sections("notifications", CHANNEL_KEYS, short="url"))
    read = [(section, _read_channel(index, section, sites)) for index, section in listed]
    labels: set[str] = set()
    for section, channel in read:
        if channel is not None:
            if channel.label in labels:
                section.problem("name", "is the name of another channel, too")
            labels.add(channel.label)
    _report_unusable([(section, channel) for section, channel in read if channel is not None])
    return tuple(replace(channel, location=location, trust=trust) for _, channel in read if channel is not None)


def _read_channel(index: int, section: Section, sites: Sequence[Site]) -> ChannelConfig | None:
    name = section.take("name", values.label, None)
    url, command = section.take("url", _url, None), section.take("command", _command, ())
    if section.is_object and section.has("url") == section.has("command"):
        section.problem(None, "must have either url or command")
    chosen = chosen_sites(section, sites)
    reminder_ms = section.take("reminder", _REMINDER, None)
    on = section.take("on", _events, frozenset(EVENTS))
    if reminder_ms is not None and "reminder" not in on:
        section.problem("reminder", 'needs "reminder" in on')
    if not url and not command:
        return None
    scheme = _scheme_of(url) if url else "command"
    return ChannelConfig(
        label=name or f"{scheme}[{index}]",
        kind=_kind_of(scheme) if url else CHANNELS[0],
        name=name,
        url=url or "",
        command=command,
        sites=chosen,
        on=on,
        reminder_ms=reminder_ms,
    )


def chosen_sites(section: Section, sites: Sequence[Site]) -> tuple[str, ...]:
    """The selectors under the key `sites`; empty: all sites. A selector that matches none of `sites` is reported."""
    chosen = section.take("sites", _selectors, ())
    for place, selector in enumerate(chosen, start=1):
        if not any(selects(selector, site) for site in sites):
            section.problem("sites", f"entry {place} matches no website")
    return chosen


def _kind_of(scheme: str) -> ChannelKind:
    return next((kind for kind in CHANNELS if scheme in kind.schemes), CHANNELS[-1])


def _scheme_of(url: str) -> str:
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


@accepts(values.NONEMPTY)
def _url(value: object) -> str:
    found = values.nonempty(value)
    if not _SCHEME.match(found):
        raise Invalid('must be the URL of a service, as in "mailto://…" or "slack://…"')
    if any(character in found for character in "\r\n\0"):
        raise Invalid("must not contain line breaks or NUL")
    return found


@accepts({"type": "array", "items": values.NONEMPTY, "minItems": 1})
def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, Text) and item.value for item in value):
        raise Invalid('must be a list of strings, the program and its arguments, as in ["notify-send", "website"]')
    found = tuple(values.text(item) for item in value)
    if any("\0" in item for item in found):
        raise Invalid("must not contain NUL")
    return found


@accepts({"type": "array", "items": values.NONEMPTY, "minItems": 1})
def _selectors(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise Invalid('must be a list of websites: URLs, names, ids, "tag:…" or "group:…"')
    return tuple(map(_selector, value))


def _selector(value: object) -> str:
    """A URL in its normalised form, anything else unchanged."""
    found = values.nonempty(value)
    try:
        return site_address(value).host
    except Invalid:
        return found


@accepts({"type": "array", "items": {"enum": EVENTS}, "minItems": 1})
def _events(value: object) -> frozenset[str]:
    known = ", ".join(f'"{event}"' for event in EVENTS)
    if not isinstance(value, list) or not value:
        raise Invalid(f"must be a list of {known}")
    found = [values.text(item) for item in value]
    if any(item not in EVENTS for item in found):
        raise Invalid(f"may only contain {known}")
    return frozenset(found)


def channel_names(root: Section) -> frozenset[str]:
    """The names of all channels."""
    listed = root.peek("notifications")
    names = (item.get("name") for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()
    return frozenset(name for name in names if isinstance(name, str))


def refuse_unknown_channels(section: Section, site: Site, names: frozenset[str]) -> None:
    """Report channels that a website names but the configuration does not have."""
    for place, name in enumerate(site.notify or (), start=1):
        if name not in names:
            section.problem("notify", f"entry {place} is not the name of a channel in notifications")


@accepts({"type": "array", "items": values.named(names.LONGEST_LOCATION)})
def names_of_channels(value: object) -> tuple[str, ...]:
    """The key `notify` of a website: a list of names of channels, which may be empty."""
    if not isinstance(value, list):
        raise Invalid("must be a list of names of channels, […]")
    return tuple(map(values.label, value))


def _report_unusable(channels: Sequence[tuple[Section, ChannelConfig]]) -> None:
    """Ask each kind of channel which of its URLs it cannot use."""
    by_kind: dict[str, list[tuple[Section, ChannelConfig]]] = {}
    for section, channel in channels:
        if channel.kind.problems:
            by_kind.setdefault(channel.kind.problems, []).append((section, channel))
    for name, alike in by_kind.items():
        module, _, function = name.partition(":")
        found: Iterable[str | None] = getattr(import_module(module), function)([channel.url for _, channel in alike])
        for (section, _), problem in zip(alike, found, strict=True):
            if problem:
                section.problem("url", problem)
