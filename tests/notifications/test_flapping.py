"""A site that fails at random does not flood anybody: seeded, by the rule and the plan of messages alone, 20 hours of it."""

import pytest

from bench.flapping import simulate


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_site_that_fails_one_check_in_seven_sends_at_most_four_messages_an_hour(seed: int) -> None:
    changes, sent = simulate(15, seed)
    assert changes <= 16
    assert 0 < sent <= 4


@pytest.mark.parametrize("share", [5, 10, 12, 18, 20, 30, 50])
def test_nor_does_one_that_fails_more_or_less_often_send_many_more(share: int) -> None:
    changes, sent = simulate(share, 1)
    assert changes <= 16
    assert sent <= 5
