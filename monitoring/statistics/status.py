"""The state of a site, from its checks. Pure."""

from dataclasses import replace

from monitoring.models import Alert, AlertType, CheckResult, History, Site, SiteStatus, State

UNKNOWN_AFTER_INTERVALS = 3


def advance(history: History | None, result: CheckResult) -> History:
    """The history after one more check."""
    if history is None:
        good_since, failing_since, last_failure, changed = None, None, None, True
    else:
        good_since, failing_since = history.good_since_ms, history.failing_since_ms
        last_failure, changed = history.last_failure_ms, history.last_available != result.available
    return History(
        last_ms=result.time_ms,
        last_covers_ms=result.covers_ms,
        last_available=result.available,
        last_failure_ms=last_failure if result.available else result.time_ms,
        good_since_ms=result.time_ms if result.available and changed else good_since,
        failing_since_ms=result.time_ms if not result.available and changed else failing_since,
        detail=history.detail if history and result.available else result.detail,
        certificate_s=history.certificate_s if history and result.certificate_s is None else result.certificate_s,
    )


def unknown_after_ms(site: Site) -> int:
    """How long after the end of its last check's interval a site still counts as measured.

    Three intervals, or as long as a check may be under way.
    """
    return max(UNKNOWN_AFTER_INTERVALS * site.interval_ms, site.timeout_ms + site.interval_ms)


def outage_is_open(last_alert: Alert | None) -> bool:
    return last_alert is not None and last_alert.type is AlertType.ALERT


def status(history: History | None, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
    """A site's state at `now_ms`. `since_ms` is the first check that showed it."""
    if not site.enabled:
        return SiteStatus(State.PAUSED, last_failure_ms=history.last_failure_ms if history else None)
    return SiteStatus() if history is None else _measured(history, site, last_alert, now_ms)


def _measured(history: History, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
    seen = SiteStatus(last_failure_ms=history.last_failure_ms, detail=history.detail, certificate_s=history.certificate_s)
    measured_until_ms = history.last_ms + history.last_covers_ms
    if now_ms - measured_until_ms > unknown_after_ms(site):
        return replace(seen, since_ms=measured_until_ms)
    if last_alert is not None and outage_is_open(last_alert):
        if history.last_available:
            return replace(seen, state=State.RECOVERING, since_ms=history.good_since_ms)
        return replace(seen, state=State.DOWN, since_ms=last_alert.start_ms)
    if history.last_available:
        return replace(seen, state=State.UP, since_ms=history.good_since_ms)
    return replace(seen, state=State.FAILING, since_ms=history.failing_since_ms)
