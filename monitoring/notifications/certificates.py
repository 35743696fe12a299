"""Warnings before a certificate expires: one for each combination of site, threshold and certificate. Pure."""

from collections.abc import Collection, Iterable, Sequence

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.words import label
from monitoring.models import Alert, AlertType, CheckResult, Site
from monitoring.notifications.words import expiry_text
from monitoring.storage.notifications import WARNED, CertificateWarning, Delivery, Entry, Event, Warn


def due(site: Site, certificate_s: int, warned: Collection[Alert], now_ms: int) -> Alert | None:
    """The record of a warning about a certificate that expires at this Unix time; None: no warning is due.

    `warned` are the records of earlier warnings about this site. There is no warning about a certificate that has expired
    already: the site is down for that reason, or certificates are not verified.
    """
    expires_ms = certificate_s * 1_000
    from_ms = expires_ms - site.certificate_warning_ms
    if not from_ms <= now_ms < expires_ms or any((it.start_ms, it.time_ms) == (expires_ms, from_ms) for it in warned):
        return None
    return Alert(AlertType.ALERT, site.host, from_ms, expires_ms, None, 100.0, None)


def warner(channels: Sequence[ChannelConfig], sites: Iterable[Site]) -> Warn:
    """Warns by every channel that wants it. The file records each warning once more, even if there is no channel."""
    by_host = {site.host: site for site in sites}

    def warn(check: CheckResult, warned: Collection[Alert], now_ms: int) -> CertificateWarning | None:
        site = by_host.get(check.host)
        if check.maintenance:
            return None  # the warning follows after the maintenance
        if site is None or check.certificate_s is None or (record := due(site, check.certificate_s, warned, now_ms)) is None:
            return None
        wanting = [channel.label for channel in channels if channel.wants(site, Event.CERTIFICATE)]
        entries = [
            Entry(WARNED, Event.CERTIFICATE, record.time_ms, record, Delivery.SENT, now_ms),
            *(Entry(channel, Event.CERTIFICATE, now_ms, record) for channel in wanting),
        ]
        return CertificateWarning(entries, f"{label(site.host, site.name)}: {expiry_text(record.start_ms, now_ms)}")

    return warn
