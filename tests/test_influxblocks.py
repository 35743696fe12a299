"""What InfluxDB keeps of minutes survives the way through its text fields."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from monitoring.store.blocks import MinuteBlock, PackedChecks
from monitoring.store.influxblocks import (
    Piece,
    data_text,
    hosts_text,
    read_data,
    read_hosts,
    read_sums,
    sums_text,
    version_of,
)
from monitoring.store.schema import SUMS, result_from_row
from tests.support.points import START_MS, check
from tests.support.results import ODD_HOSTS, hosts

numbers = st.integers(0, 2**62)
responses = st.lists(st.integers(0, 2**32 - 1), max_size=40).map(sorted)


@st.composite
def rows_of_sums(draw: st.DrawFn, place: int) -> tuple[object, ...]:
    times = draw(responses)
    sums = {name: draw(numbers) for name in SUMS} | {"responses_count": len(times)}
    texts = (draw(st.none() | st.just("200:29,503:1")), draw(st.none() | st.just("dns:1")))
    return (place, *sums.values(), draw(st.none() | numbers), *texts, array("I", times).tobytes())


@st.composite
def minute_blocks(draw: st.DrawFn) -> MinuteBlock:
    names = draw(st.lists(hosts, min_size=1, max_size=5, unique=True))
    places = sorted(draw(st.sets(st.integers(0, len(names) - 1), min_size=1)))
    return MinuteBlock(START_MS, 0, tuple(names), tuple(draw(rows_of_sums(place)) for place in places), b"")


@given(block=minute_blocks())
def test_sums_come_back_as_they_were(block: MinuteBlock) -> None:
    names, rows = read_sums(sums_text(block))
    assert tuple(names) == block.hosts
    assert tuple(rows) == block.sums


@given(data=st.binary())
def test_any_bytes_are_text_that_needs_no_escapes(data: bytes) -> None:
    text = data_text(data)
    assert not set(text) & set("<>&\"'\\\n")
    assert read_data(text) == data


def test_any_names_come_back() -> None:
    assert read_hosts(hosts_text(ODD_HOSTS)) == list(ODD_HOSTS)


def test_a_piece_holds_its_checks_but_not_the_words_about_failures() -> None:
    checks = [check(1, "b"), check(2, "a", detail="what only the local file says"), check(3, "b")]
    piece = Piece.of(START_MS, 60_007, checks)
    assert piece.hosts == ("b", "a")
    assert piece.number == 7, "within its minute"
    found = [result_from_row(row, dict(enumerate(piece.hosts))) for row in PackedChecks(piece.data).rows(START_MS, 0)]
    assert found == [check(1, "b"), check(2, "a"), check(3, "b")]


def test_a_version_tells_contents_apart() -> None:
    assert version_of("a", "b") == version_of("a", "b") != version_of("a", "c")
