"""Reads the details of the site on a viewer's screen: its last checks, its explanation, the hours of its past day."""

from dataclasses import replace

from monitoring.clock import Clock
from monitoring.commands.live.printer import Printer
from monitoring.commands.live.series import HOURS, Series, last_checks_window
from monitoring.commands.oneshot.explain import explain_from
from monitoring.display.view_model.values import SiteKey
from monitoring.errors import StoreError
from monitoring.storage.base import Reader
from monitoring.storage.routing import ReaderChoice
from monitoring.units import NS_PER_MS
from monitoring.viewer.snapshot import SiteFacts, Wanted

FACTS_EVERY_MS = 5_000
"""How often to read the details of the site on the screen."""

LAST_CHECKS = 20
MOST_CHECKS = 200_000
"""How many checks of all sites to read in search of the last ones of a site."""


class SiteFactsReader:
    """Reads details in the thread of the feed. `facts` are those of the latest site."""

    def __init__(self, printer: Printer, choice: ReaderChoice, clock: Clock) -> None:
        self._printer = printer
        self._choice = choice
        self._clock = clock
        self.facts: SiteFacts | None = None
        self._facts_of: object = None
        self._facts_ns = 0
        self._hours: Series | None = None
        self._hours_of: object = None

    def read(self, wanted: Wanted) -> bool:
        """Read some of the details of the wanted site, if they are due. Returns whether there is more to read at once."""
        if wanted.key is None:
            return False
        try:
            self._read_facts(wanted, wanted.key)
            return self._read_hours(wanted, wanted.key)
        except StoreError as error:
            self.facts = SiteFacts(wanted.key, error=str(error))
            return False

    def _read_facts(self, wanted: Wanted, key: SiteKey) -> None:
        now_ns = self._clock.monotonic_ns()
        is_fresh = wanted.at_ms is not None or now_ns - self._facts_ns < FACTS_EVERY_MS * NS_PER_MS
        of = (key, wanted.at_ms, wanted.explain_ms)
        if of == self._facts_of and is_fresh and self.facts and self.facts.error is None:
            return
        hours = self.facts.hours if self.facts and self._hours_of == (key, wanted.at_ms) else ()
        self._facts_of, self._facts_ns = of, now_ns
        self.facts = replace(self._facts_at(key, wanted), hours=hours)

    def _facts_at(self, key: SiteKey, wanted: Wanted) -> SiteFacts:
        config, at_ms, reader = self._printer.config, self._until_ms(wanted), self._reader(key)
        site = config.site_of(key[0])
        if site is None:
            return SiteFacts(key, error="it is not configured any more")
        if reader is None:
            return SiteFacts(key, error="nothing is known of it")
        window = last_checks_window(site, config.sites, at_ms, LAST_CHECKS, MOST_CHECKS)
        checks = list(reader.results(window, [site.host]))[-LAST_CHECKS:]
        explain_ms = at_ms if wanted.explain_ms is None else wanted.explain_ms
        return SiteFacts(key, explain_ms, checks, explain_from(reader, config, site, explain_ms))

    def _read_hours(self, wanted: Wanted, key: SiteKey) -> bool:
        """Read some of the hours. Returns whether others are still missing."""
        reader = self._reader(key)
        if self.facts is None or self.facts.error is not None or reader is None:
            return False
        if self._hours is None or self._hours_of != (key, wanted.at_ms):
            self._hours_of = (key, wanted.at_ms)
            self._hours = Series(self._clock, HOURS, key[0])
        until_ms = self._until_ms(wanted)
        self._hours.read({key[1]: reader}, until_ms, 1)
        if not self._hours.is_read(until_ms):
            return True
        hours = self._hours.of(key, until_ms)
        if hours != self.facts.hours:
            self.facts = replace(self.facts, hours=hours)
        return False

    def _reader(self, key: SiteKey) -> Reader | None:
        return (self._printer.readers or self._choice.choose()[0]).get(key[1])

    def _until_ms(self, wanted: Wanted) -> int:
        return self._printer.until_ms() if wanted.at_ms is None else wanted.at_ms
