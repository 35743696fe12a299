"""Derives the state of a site from its checks. Pure."""

from dataclasses import replace

from monitoring.models import Alert, AlertType, CheckResult, LastState, Site, SiteStatus, State

UNKNOWN_AFTER_INTERVALS = 3


def advance(state: LastState | None, result: CheckResult) -> LastState:
    """The state after one more check."""
    is_good, time_ms = result.available, result.time_ms
    known = state or LastState(time_ms, 0, not is_good)
    has_changed, has_failed = known.last_available != is_good, not (is_good or result.maintenance)
    return LastState(
        time_ms,
        result.covers_ms,
        is_good,
        last_failure_ms=time_ms if has_failed else known.last_failure_ms,
        good_since_ms=time_ms if is_good and has_changed else known.good_since_ms,
        failing_since_ms=time_ms if has_changed and not is_good else known.failing_since_ms,
        detail=result.detail if has_failed else known.detail,
        certificate_s=known.certificate_s if result.certificate_s is None else result.certificate_s,
        last_maintenance_ms=time_ms if result.maintenance else known.last_maintenance_ms,
    )


def unknown_after_ms(site: Site) -> int:
    """How long after the time covered by its last check the site becomes `unknown`.

    It is three intervals, or the longest time between two results if that is longer.
    """
    return max(UNKNOWN_AFTER_INTERVALS * site.interval_ms, site.timeout_ms + site.interval_ms)


def measured_until_ms(state: LastState, site: Site, now_ms: int) -> int | None:
    """Until when the site was measured, if that is too long ago to know how it is now; None: it is known."""
    until_ms = state.last_ms + state.last_covers_ms
    return until_ms if now_ms - until_ms > unknown_after_ms(site) else None


def unlisted_site(host: str, state: LastState | None) -> Site:
    """A site that is not configured here. Its last check tells how often it was checked."""
    return Site(host, host) if state is None else Site(host, host, interval_ms=state.last_covers_ms)


def outage_is_open(last_alert: Alert | None) -> bool:
    return last_alert is not None and last_alert.type is AlertType.ALERT


def ended_ms(last_alert: Alert | None) -> int:
    """The end of the site's last outage, if it has ended; otherwise 0. Failed checks up to then belong to that outage."""
    if last_alert is None or outage_is_open(last_alert):
        return 0
    return last_alert.outage_end_ms


def counts_after_ms(last_alert: Alert | None, last_maintenance_ms: int | None) -> int:
    """Only failed checks after this moment count towards an alert: the end of the last outage or maintenance (0: none)."""
    return max(ended_ms(last_alert), last_maintenance_ms or 0)


def is_maintained(state: LastState | None) -> bool:
    """Was the last check of the site made during maintenance?"""
    return state is not None and state.last_maintenance_ms == state.last_ms


def status(state: LastState | None, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
    """The status of a site at `now_ms`; its `since_ms` is the first check in the present state.

    Without any check the alert that is open is the last that is known of the site: its checks have been deleted.
    """
    until_ms = last_alert.time_ms if last_alert is not None and outage_is_open(last_alert) else None
    if state is not None:
        until_ms = measured_until_ms(state, site, now_ms)
    if not site.enabled:
        return SiteStatus(State.PAUSED, until_ms, state.last_failure_ms if state else None)
    return SiteStatus(since_ms=until_ms) if state is None else _measured(state, site, last_alert, now_ms)


def _measured(state: LastState, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
    seen = SiteStatus(last_failure_ms=state.last_failure_ms, detail=state.detail, certificate_s=state.certificate_s)
    if (until_ms := measured_until_ms(state, site, now_ms)) is not None:
        return replace(seen, since_ms=until_ms)
    if last_alert is not None and outage_is_open(last_alert):
        if state.last_available:
            return replace(seen, state=State.RECOVERING, since_ms=state.good_since_ms)
        return replace(seen, state=State.DOWN, since_ms=last_alert.start_ms)
    if is_maintained(state):
        return replace(seen, state=State.MAINTENANCE)
    if state.last_available:
        return replace(seen, state=State.UP, since_ms=state.good_since_ms)
    return replace(seen, state=State.FAILING, since_ms=state.failing_since_ms)
