"""Any ten minutes of a site, for properties of what is decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st

from monitoring.models import Cause, Site
from tests.support.simulation import Outcome, Pause, Story, simulate, site

busy_machine = settings(deadline=None, max_examples=20)

outcomes = st.builds(Outcome, st.integers(0, 12_000), st.sampled_from([None, None, Cause.STATUS, Cause.DNS]))
pauses = st.lists(st.builds(Pause, st.integers(100, 400), st.integers(100, 600), st.booleans()), max_size=1)


@dataclass(frozen=True, slots=True)
class Script:
    """Ten minutes of a site that changes its mind every half minute, with checks of any length, and perhaps a pause."""

    target: Site
    moods: Sequence[Outcome]
    offset_s: float
    pauses: Sequence[Pause]

    def play(self, *, restarts: bool = False, maintenance: Sequence[tuple[float, float]] = ()) -> Story:
        return simulate(
            self.target,
            lambda second: self.moods[int(second / 30) % len(self.moods)],
            600,
            offset_s=self.offset_s,
            pauses=self.pauses,
            restarts=restarts,
            maintenance=maintenance,
        )


def scripts_with(pauses: st.SearchStrategy[list[Pause]]) -> st.SearchStrategy[Script]:
    return st.builds(
        Script,
        target=st.integers(500, 30_000).map(lambda interval_ms: site(interval_ms / 1_000)),
        moods=st.lists(outcomes, min_size=20, max_size=20),
        offset_s=st.integers(0, 30_000).map(lambda offset_ms: offset_ms / 1_000),
        pauses=pauses,
    )


scripts = scripts_with(pauses)
without_pauses = scripts_with(st.just([]))
