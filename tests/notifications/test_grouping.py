"""What a channel tells: every state change in exactly one message, whatever happens in whatever order."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from monitoring.models import Alert, AlertType, Cause
from monitoring.notifications.grouping import FLAP_MS, GATHER_MS, Group, Outages, PlanningContext, plan
from monitoring.storage.notifications import Entry, Event

START_MS = 1_767_225_600_000
HOSTS = [f"site{number}" for number in range(5)]
SECOND_MS, MINUTE_MS = 1_000, 60_000


@dataclass
class Channel:
    """A channel that lives through a story: sites change, time goes on, and it is away at times."""

    now_ms: int = START_MS
    is_away: bool = False
    pending: list[Entry] = field(default_factory=list)
    reported_down: set[str] = field(default_factory=set)
    down: dict[str, Alert] = field(default_factory=dict)
    outages: dict[str, list[int]] = field(default_factory=dict)
    recorded: list[Entry] = field(default_factory=list)
    messages: list[Group] = field(default_factory=list)

    def change(self, host: str, cause: Cause) -> None:
        """It goes down, or comes back."""
        opened = self.down.pop(host, None)
        if opened is None:
            alert = Alert(AlertType.ALERT, host, self.now_ms, self.now_ms, None, 70.0, cause)
            self.down[host] = alert
            self.outages.setdefault(host, []).append(self.now_ms)
        else:
            alert = Alert(AlertType.RECOVERY, host, self.now_ms, opened.start_ms, self.now_ms, 95.0, opened.cause)
        entry = Entry("mail", Event(alert.type), self.now_ms, alert)
        self.pending.append(entry)
        self.recorded.append(entry)

    def go_on(self, milliseconds: int) -> None:
        """Second by second while something waits."""
        until_ms = self.now_ms + milliseconds
        while self.now_ms < until_ms:
            found = plan(self.pending, PlanningContext(self.reported_down, self.outages, len(HOSTS)), self.now_ms)
            if found.groups and not self.is_away:
                self._tell(found.groups[0])
                continue
            self.now_ms = min(until_ms, max(self.now_ms + SECOND_MS, found.again_ms or until_ms))

    def _tell(self, group: Group) -> None:
        self.messages.append(group)
        self.pending = [entry for entry in self.pending if entry not in group.entries]
        for one in group.updates:
            (self.reported_down.add if one.is_down else self.reported_down.discard)(one.host)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(HOSTS), st.sampled_from([Cause.DNS, Cause.STATUS, Cause.TIMEOUT])),
        st.tuples(st.just("time"), st.integers(1, 20 * MINUTE_MS), st.none()),
        st.tuples(st.just("away"), st.booleans(), st.none()),
    ),
    max_size=40,
)


def played(steps: list[tuple[str, object, object]]) -> Channel:
    """A channel to which all of this has happened."""
    channel = Channel()
    for what, value, cause in steps:
        if what == "change":
            channel.change(str(value), Cause(str(cause)))
            channel.now_ms += 1
        elif what == "time":
            channel.go_on(int(str(value)))
        else:
            channel.is_away = bool(value)
    return channel


@given(STEPS)
def test_every_state_change_is_told_in_exactly_one_message_and_in_order(steps: list[tuple[str, object, object]]) -> None:
    channel = played(steps)
    channel.is_away = False
    for host in [*channel.down]:  # a site that flaps is told to be down already: its recovery ends the story
        channel.go_on(2 * FLAP_MS)
        channel.change(host, Cause.STATUS)
    channel.go_on(2 * FLAP_MS)
    told = [entry for group in channel.messages for entry in group.entries]
    assert channel.pending == []
    assert sorted(entry.key for entry in told) == sorted(entry.key for entry in channel.recorded)
    for host in HOSTS:
        times = [entry.time_ms for entry in told if entry.alert.host == host]
        assert times == sorted(times)
        states = [one.is_down for group in channel.messages for one in group.updates if one.host == host]
        assert not states or states[-1] is False


@given(STEPS)
def test_a_message_is_of_one_kind_and_names_a_site_once(steps: list[tuple[str, object, object]]) -> None:
    channel = played(steps)
    for group in channel.messages:
        hosts = [one.host for one in group.updates]
        assert len(set(hosts)) == len(hosts)
        assert len({one.event for one in group.updates}) == 1
        assert group.own_side or len({one.last.alert.cause for one in group.updates}) == 1


@given(st.integers(1, 5))
def test_an_alert_waits_for_no_longer_than_ten_seconds(sites: int) -> None:
    channel = Channel()
    for host in HOSTS[:sites]:
        channel.change(host, Cause.STATUS)
        channel.go_on(2_900)
    channel.go_on(10 * SECOND_MS)
    assert channel.pending == []
    assert sum(len(group.updates) for group in channel.messages) == sites
    assert GATHER_MS[Event.ALERT] == 10 * SECOND_MS


def test_three_outages_in_half_an_hour_are_flapping_until_half_an_hour_without_one() -> None:
    minutes = [0, 20, 40, 45, 60, 85]
    times = [START_MS + minute * MINUTE_MS for minute in minutes]
    flaps = [Outages.before(times, time_ms).flap for time_ms in times]
    assert flaps == [False, False, False, True, True, True]
    assert Outages.before(times, times[-1]).count == 6
    assert not Outages.before(times, times[-1] + FLAP_MS + 1).flap
