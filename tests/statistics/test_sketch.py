"""Percentiles of long windows: within 1 % of the exact ones, and the same however their sketches were merged."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.statistics import percentiles, sketch

times = st.lists(st.integers(0, 3) | st.integers(0, 10**7) | st.integers(0, 10**12), min_size=1, max_size=60).map(sorted)


@given(ordered=times)
def test_each_percentile_is_within_one_percent_of_the_nearest_rank(ordered: list[int]) -> None:
    """Times are whole microseconds: half of one is lost where that is more."""
    found = sketch.percentiles(sketch.of(ordered), ordered[0], ordered[-1])
    for middle, percent in zip(found, percentiles.PERCENTS, strict=True):
        exact = percentiles.percentile(ordered, percent)
        assert abs(middle - exact) <= exact * sketch.ACCURACY + 0.5


@given(ordered=times, seed=st.randoms(use_true_random=False), parts=st.integers(1, 5))
def test_parts_in_any_order_add_up_to_the_whole(ordered: list[int], seed: Random, parts: int) -> None:
    mixed = seed.sample(ordered, len(ordered))
    assert sum(sketch.of(sorted(mixed[part::parts])) for part in range(parts)) == sketch.of(ordered)
    assert sketch.count(sketch.of(ordered)) == len(ordered)


@given(ordered=times, repeats=st.sampled_from([1, 255, 256, 70_000, 2**24]))
def test_a_packed_sketch_comes_back_whole(ordered: list[int], repeats: int) -> None:
    whole = sketch.of(ordered) * repeats
    assert sketch.unpack(sketch.pack(whole)) == whole


def test_nothing_is_nothing() -> None:
    assert sketch.of([]) == 0
    assert sketch.pack(0) == b""
    assert sketch.unpack(b"") == 0


@pytest.mark.parametrize("time_us", [2**40, 2**62])
def test_a_time_longer_than_any_bucket_is_counted_in_the_last_one(time_us: int) -> None:
    assert sketch.percentiles(sketch.of([5, time_us]), 5, time_us)[1] == pytest.approx(sketch.LONGEST_US, rel=0.02)


def test_an_hour_of_a_site_takes_some_hundred_bytes() -> None:
    chance = Random(1)
    ordered = sorted(round(chance.lognormvariate(11, 0.5)) for _ in range(1_800))
    assert len(sketch.pack(sketch.of(ordered))) < 300
