"""How many messages a history of state changes is worth: as many as a channel sends that looks every second."""

from hypothesis import given
from hypothesis import strategies as st

from monitoring.models import Alert, AlertType, Cause, Window
from monitoring.notifications.grouping import HELD_MS, PlanningContext, plan
from monitoring.notifications.simulation import messages
from monitoring.storage.notifications import Entry, Event
from monitoring.units import HOUR_MS, MINUTE_MS, SECOND_MS

START_MS = 1_767_225_600_000
HOSTS = [f"site{number}" for number in range(4)]


def change(host: str, at_ms: int, *, is_down: bool, cause: Cause = Cause.STATUS) -> Alert:
    kind = AlertType.ALERT if is_down else AlertType.RECOVERY
    return Alert(kind, host, START_MS + at_ms, START_MS + at_ms, None if is_down else START_MS + at_ms, 70.0, cause)


def outages(host: str, *spans_s: tuple[int, int], cause: Cause = Cause.STATUS) -> list[Alert]:
    ends = ((at_s, is_down) for span in spans_s for at_s, is_down in zip(span, (True, False), strict=True))
    return [change(host, at_s * SECOND_MS, is_down=is_down, cause=cause) for at_s, is_down in ends]


def never(host: str, window: Window) -> bool:
    return False


def told(changes: list[Alert], before: list[Alert] | None = None) -> list[list[str]]:
    """The hosts of which each message tells."""
    in_order = sorted(changes, key=lambda alert: (alert.time_ms, alert.host))
    return [sorted(hosts) for hosts in messages(before or [], in_order, len(HOSTS), never)]


def test_an_outage_is_two_messages_and_a_short_one_is_one() -> None:
    assert told(outages("a", (0, 300))) == [["a"], ["a"]]
    assert told(outages("a", (0, 2))) == [["a"]]


def test_what_happens_together_by_one_cause_is_told_once() -> None:
    changes = [alert for host in HOSTS for alert in outages(host, (0, 300), cause=Cause.DNS)]
    assert told(changes) == [HOSTS, HOSTS]


def test_the_recoveries_of_a_site_that_flaps_wait_until_they_have_held() -> None:
    every_four_minutes = [(start_s, start_s + 120) for start_s in range(0, 1_200, 240)]
    assert len(told(outages("a", *every_four_minutes))) < 2 * len(every_four_minutes)


def test_outages_before_the_history_count_and_what_was_told_is_known() -> None:
    spans = [(0, 120), (240, 360), (480, 600)]
    before, last = outages("a", *spans[:2]), outages("a", spans[2], (660, 780))
    assert told(last, before) != told(last)


def test_an_unstable_site_is_told_to_be_back_when_it_is_steady_or_after_half_an_hour() -> None:
    changes = outages("a", (0, 120), (240, 360), (480, 600))
    moments: list[int] = []

    def is_unstable(host: str, window: Window) -> bool:
        assert host == "a"
        moments.append(window.until_ms)
        return window.length_ms < HELD_MS + MINUTE_MS

    assert len(list(messages([], changes, 1, is_unstable))) == 6
    assert HELD_MS + MINUTE_MS <= moments[-1] - changes[-1].time_ms <= HELD_MS + 2 * MINUTE_MS


HISTORIES = st.lists(
    st.tuples(st.sampled_from(HOSTS), st.integers(1, 600), st.sampled_from([Cause.DNS, Cause.STATUS])), max_size=25
)


@given(HISTORIES)
def test_it_is_told_as_by_a_channel_that_looks_every_second(steps: list[tuple[str, int, Cause]]) -> None:
    changes, down, at_ms = [], set[str](), 0
    for host, seconds, cause in steps:
        at_ms += seconds * SECOND_MS
        down ^= {host}
        changes.append(change(host, at_ms, is_down=host in down, cause=cause))
    assert list(messages([], changes, len(HOSTS), never)) == looked(changes)


def looked(changes: list[Alert]) -> list[list[str]]:
    reported_down, pending, found, coming = set[str](), list[Entry](), list[list[str]](), list(changes)
    outages_of = {host: [it.time_ms for it in changes if it.host == host and it.type is AlertType.ALERT] for host in HOSTS}
    now_ms, end_ms = START_MS, START_MS + HOUR_MS + max((it.time_ms - START_MS for it in changes), default=0)
    while now_ms < end_ms:
        if not pending and not coming:
            break
        now_ms = max(now_ms + SECOND_MS, coming[0].time_ms if not pending else 0)
        while coming and coming[0].time_ms <= now_ms:
            alert = coming.pop(0)
            pending.append(Entry("", Event(alert.type), alert.time_ms, alert))
        known = {host: [it for it in times if it <= now_ms] for host, times in outages_of.items()}
        for group in plan(pending, PlanningContext(reported_down, known, len(HOSTS)), now_ms).groups:
            found.append([news.host for news in group.updates])
            for entry in group.entries:
                (reported_down.add if entry.event is Event.ALERT else reported_down.discard)(entry.alert.host)
            pending = [entry for entry in pending if entry not in group.entries]
    return found
