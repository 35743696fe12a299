"""Points in both directions: what is written is what is read, and plain fields and packed text say the same."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors import StoreRefused
from monitoring.fields import CHECK_FIELDS, LONGEST_DETAIL
from monitoring.models import PHASES, Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics import percentiles
from monitoring.statistics.summary import SiteSummary, Span, Summary
from monitoring.storage.base import Points
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import (
    SUMMARIES,
    WHOLE_CHECK,
    PointWriter,
    check_from,
    from_rfc3339,
    pack,
    summary_from,
    to_rfc3339,
    unpack,
)
from tests.support.influx_databases import PATIENT_S, new_database, store_at
from tests.support.influxd import Influxd
from tests.support.results import START_MS, Recording, recordings

some = settings(max_examples=100, deadline=None)
ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)


def check(at: int = 0, **more: object) -> CheckResult:
    plain = CheckResult("h", START_MS + at, 2_000, 153, 200, 31_000, (None, 1_000, None, 29_000, 1_000))
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_check_is_one_plain_point() -> None:
    writer = PointWriter("paris, 1er")
    assert writer.check(check()) == (
        f"website_availability,host=h,location=paris\\,\\ 1er available=1i,covers=2000i,lag=153e-6,status=200i,"
        f"responseTime=31000e-6,connect=1000e-6,processing=29000e-6,transfer=1000e-6 {START_MS}"
    )
    failed = check(status=0, response_us=None, phases_us=(None,) * 5, cause=Cause.TLS, detail='certificate "has" expired\\')
    assert writer.check(failed) == (
        f"website_availability,host=h,location=paris\\,\\ 1er available=0i,covers=2000i,lag=153e-6,status=0i,"
        f'cause="tls",detail="certificate \\"has\\" expired\\\\" {START_MS}'
    )


def test_the_detail_is_that_of_failures_cut_at_its_end() -> None:
    writer = PointWriter()
    assert "detail" not in writer.check(check(detail="all is well"))
    assert "detail" not in writer.check(check(cause=Cause.DNS))
    assert f'detail="{"x" * LONGEST_DETAIL}"' in writer.check(check(cause=Cause.DNS, detail="x" * (LONGEST_DETAIL + 1)))
    assert 'detail="a?b"' in writer.check(check(cause=Cause.DNS, detail="a\ud800b"))


def test_an_alert_is_one_plain_point() -> None:
    opened = Alert(AlertType.ALERT, "h", START_MS, 1_767_225_595_000, None, 76.5, Cause.DNS)
    assert PointWriter().alert(opened) == (
        f'website_alerts,host=h type="alert",startDate="2025-12-31T23:59:55.000Z",availability=76.5,cause="dns" {START_MS}'
    )


@pytest.mark.parametrize("host", ["", "a\nb", "a\\b", "a\rb", "a\0b", "\ud800"])
def test_a_name_that_can_be_no_tag_is_refused(host: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        PointWriter().check(check(host=host))
    assert refused.value.dropped == 1


@given(time_ms=st.integers(0, 4_102_444_800_000))
def test_dates_come_back_to_the_millisecond(time_ms: int) -> None:
    assert from_rfc3339(to_rfc3339(time_ms)) == time_ms


NOTHING = [None] * len(CHECK_FIELDS)


@pytest.mark.parametrize(
    "row",
    [
        (START_MS, None, *NOTHING),
        (START_MS, 1, "two seconds", *NOTHING[1:]),
        (START_MS, 1, 2000, "late", *NOTHING[2:]),
    ],
)
def test_what_another_writer_left_is_no_check(row: tuple[object, ...]) -> None:
    assert len(row) == 2 + len(WHOLE_CHECK.split(", ")) - 1
    assert check_from("h", row) is None


def test_a_failure_of_another_writer_without_a_known_cause_is_an_error() -> None:
    found = check_from("h", (START_MS, False, 2_000, 0.0, 500, None, "gremlins", *NOTHING[5:]))
    assert found == CheckResult("h", START_MS, 2_000, 0, status=500, cause=Cause.ERROR)


# Summaries

spans = st.sampled_from(Span)


def summary_of(recording: Recording, span: Span) -> Summary:
    summary = Summary.of(recording.checks)
    return summary if span is Span.MINUTE else summary.with_sketch()


@given(recording=recordings(), span=spans)
@some
def test_a_packed_summary_comes_back_whole(recording: Recording, span: Span) -> None:
    summary = summary_of(recording, span)
    assert unpack(pack(summary)) == summary


@pytest.mark.parametrize("span", Span)
def test_a_summary_of_nothing_comes_back(span: Span) -> None:
    assert unpack(pack(Summary())) == Summary()


@pytest.mark.parametrize(
    "packed",
    [
        *(None, 7, "", "1 2 3", "[]", "{}", "x" * 70_000),
        *(pack(Summary())[:-1], pack(Summary()).replace("[0,0", "[0,0,0", 1), pack(Summary()).replace("[0,0", '["0",0')),
        *(pack(Summary()).replace("{}", "7", 1), pack(Summary.of([check()])).replace('"200"', '"x"')),
        *(pack(Summary.of([check()])).replace("A", "!"), pack(Summary.of([check(), check(1)])).replace(",2,", ",3,")),
        pack(Summary.of([check()]).with_sketch())[:-8] + '!!",0,0]',
    ],
)
def test_what_is_no_packed_summary_is_none(packed: object) -> None:
    assert unpack(packed) is None


@given(recording=recordings())
@some
def test_rows_add_up_as_their_checks_do(recording: Recording) -> None:
    host = recording.checks[0].host
    own = [check for check in recording.checks if check.host == host]

    def seconds(took_us: int | None) -> float | None:
        return None if took_us is None else float(f"{took_us}e-6")

    rows = [
        (
            it.time_ms,
            int(it.available),
            it.covers_ms,
            it.status,
            seconds(it.response_us),
            it.cause,
            *map(seconds, it.phases_us),
            it.maintenance,
        )
        for it in own
    ]
    assert summary_from(rows) == Summary.of(own)


def test_plain_fields_and_packed_text_say_the_same(influxd: Influxd) -> None:
    """Read from a real InfluxDB, as a person reads them; a hundred histories in one database."""

    @given(recording=recordings(), span=spans)
    @settings(max_examples=60, deadline=None)
    def hold(recording: Recording, span: Span) -> None:
        summary = summary_of(recording, span)
        store.write(Points(summaries=[SiteSummary("h", span, span.start_of(START_MS), summary)]))
        (series,) = client.query(f"SELECT * FROM {SUMMARIES[span]}")
        (row,) = series.values
        client.query(f"DROP MEASUREMENT {SUMMARIES[span]}")
        plain = {name: value for name, value in zip(series.columns, row, strict=True) if value is not None}
        found = unpack(plain.pop("packed"))
        assert found == summary
        assert plain == {"time": span.start_of(START_MS), "host": "h", **people_read(found)}

    with new_database(influxd) as address:
        store, client = store_at(address), InfluxClient(address, (1.0, PATIENT_S))
        hold()
        store.close()
        client.close()


def people_read(summary: Summary) -> dict[str, object]:
    """The plain fields by the numbers that are packed."""
    found: dict[str, object] = {
        "checks": summary.checks,
        "failures": summary.failures,
        "covers": summary.covers_ms - summary.maintenance_ms,
        "down": summary.down_ms,
        "statuses": counted(summary.statuses),
        "causes": counted(summary.causes),
    }
    if summary.maintenance:
        found["maintenance"] = summary.maintenance_ms
    if summary.last_failure_ms is not None:
        found["lastFailure"] = summary.last_failure_ms
    for place, phase in enumerate(PHASES):
        if summary.phase_counts[place]:
            found[phase] = pytest.approx(summary.phases_us[place] / summary.phase_counts[place] / 1e6)
    if summary.responses:
        found["mean"] = pytest.approx(summary.responses_us / summary.responses / 1e6)
        found["min"], found["max"] = float(f"{summary.shortest_us}e-6"), float(f"{summary.longest_us}e-6")
        ordered = list(summary.times)
        for percent in percentiles.PERCENTS:
            if ordered:
                found[f"p{percent}"] = float(f"{percentiles.percentile(ordered, percent)}e-6")
            else:
                found[f"p{percent}"] = pytest.approx(sketched(summary, percent), abs=1e-9)
    return found


def sketched(summary: Summary, percent: int) -> float:
    from monitoring.statistics import sketch

    assert summary.shortest_us is not None
    assert summary.longest_us is not None
    place = percentiles.PERCENTS.index(percent)
    return sketch.percentiles(summary.sketch, summary.shortest_us, summary.longest_us)[place] / 1e6


def counted(counts: object) -> str:
    assert isinstance(counts, dict)
    return " ".join(f"{what}:{counts[what]}" for what in sorted(counts, key=lambda what: (-counts[what], what)))


def test_a_summary_is_never_written_with_fewer_texts() -> None:
    """InfluxDB merges the fields of a point: a text that was left out would stay what it was."""
    line = PointWriter().summary(SiteSummary("h", Span.HOUR, 3_600_000, Summary.of([check()]).with_sketch()))
    assert line.startswith("website_availability_1h,host=h checks=1i,failures=0i,covers=2000i,down=0i,")
    assert 'statuses="200:1",causes="",packed="' in line
    assert line.endswith(" 3600000")
