"""Numbers, times and sentences: exact to the character, since people and scripts rely on them."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.display.text.plain import history_line
from monitoring.display.words import (
    alert_detail,
    alert_sentence,
    duration_text,
    ongoing_text,
    percent_text,
    reason_text,
    seconds_text,
    time_text,
    whole_percent_text,
    window_text,
)
from monitoring.models import Alert, AlertType, Cause
from monitoring.names import printable

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z

DOWN = Alert(AlertType.ALERT, "http://via.ecp.fr", NOON, NOON - 26_000, None, 79.99, Cause.TIMEOUT)
RECOVERED = replace(DOWN, type=AlertType.RECOVERY, time_ms=NOON + 300_000, end_ms=NOON + 174_000, availability=80.0)


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (None, "—"),
        (Fraction(100), "100.00"),
        (Fraction(99_999_999, 1_000_000), "99.99"),  # rounded it would look like full availability
        (Fraction(79_999, 1_000), "79.99"),  # rounded it would look as if the threshold was kept
        (79.99, "79.99"),  # as a binary fraction a hair less: still what was written
        (80.0, "80.00"),
        (Fraction(1, 10**9), "0.01"),  # not quite nothing
        (0.0, "0.00"),
        (Fraction(200, 3), "66.66"),
        (float("nan"), "—"),
    ],
)
def test_a_percentage_is_cut_off_and_never_rounded(percent: Fraction | float | None, text: str) -> None:
    assert percent_text(percent) == text


@given(st.fractions(0, 100), st.integers(0, 4))
def test_only_exactly_full_looks_full_and_only_exactly_nothing_looks_like_nothing(percent: Fraction, decimals: int) -> None:
    shown = Fraction(percent_text(percent, decimals))
    assert (shown == 100) == (percent == 100)
    assert (shown == 0) == (percent == 0)
    assert abs(shown - percent) < Fraction(1, 10**decimals)


@given(st.integers(0, 10_000))
def test_a_percentage_that_came_through_a_float_keeps_its_two_decimals(hundredths: int) -> None:
    assert percent_text(hundredths / 100) == f"{hundredths // 100}.{hundredths % 100:02d}"


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (850, "850 ms"),
        (45_999, "45 s"),
        (200_000, "3 min 20 s"),
        (180_000, "3 min"),
        (7_500_000, "2 h 5 min"),
        (7_201_000, "2 h"),
        (3 * 86_400_000 + 4 * 3_600_000 + 59_000, "3 d 4 h"),
    ],
)
def test_a_duration_shows_its_two_largest_units(duration_ms: int, text: str) -> None:
    assert duration_text(duration_ms) == text


@pytest.mark.parametrize(
    ("time_us", "text"),
    [(None, "—"), (0, "0.0 ms"), (12_345, "12.3 ms"), (999_940, "999.9 ms"), (999_960, "1.00 s"), (1_240_000.0, "1.24 s")],
)
def test_response_times_are_milliseconds_below_a_second(time_us: float | None, text: str) -> None:
    assert seconds_text(time_us) == text


def test_moments_are_rfc_3339_in_utc_with_milliseconds() -> None:
    assert time_text(1_767_225_600_000) == "2026-01-01T00:00:00.000Z"
    assert time_text(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [(600_000, "past 10 minutes"), (3_600_000, "past hour"), (90_000, "past 1 min 30 s"), (7_200_000, "past 2 h")],
)
def test_windows_have_names(length_ms: int, text: str) -> None:
    assert window_text(length_ms) == text


def test_the_alert_sentence_is_fixed() -> None:
    assert alert_sentence(DOWN) == "Website http://via.ecp.fr is down. availability=79.99%, time=2026-01-01T12:00:00.000Z"


def test_the_recovery_sentence_is_fixed() -> None:
    assert alert_sentence(RECOVERED) == (
        "Website http://via.ecp.fr recovered. availability=80.00%, down for 3 min 20 s, time=2026-01-01T12:05:00.000Z"
    )


EXPIRED = replace(DOWN, cause=Cause.TLS, detail="SSL certificate problem: certificate has expired")


def test_a_line_of_the_history_is_the_sentence_and_the_reason() -> None:
    assert history_line(DOWN) == alert_sentence(DOWN)
    assert history_line(EXPIRED) == alert_sentence(DOWN) + ', cause=tls, detail="certificate has expired"'


@pytest.mark.parametrize(
    ("detail", "telling"),
    [
        ("SSL certificate problem: certificate has expired", "certificate has expired"),
        ("SSL certificate OpenSSL verify result: certificate has expired (10)", "certificate has expired"),
        ("SSL: no alternative certificate subject name matches target host name 'a'",
         "no alternative certificate subject name matches target host name 'a'"),
        ("TLS connect error: error:0A000438:SSL routines::tlsv1 alert internal error", "tlsv1 alert internal error"),
        ("Failed to connect to 127.0.0.1 port 9 after 0 ms: Could not connect to server", "Could not connect to server"),
        ("could not resolve shop.example: Name or service not known", "Name or service not known"),
        ("Recv failure: Connection reset by peer", "Connection reset by peer"),
        ("status 503", "status 503"),
        ("not JSON: Expecting value", "not JSON: Expecting value"),
        ("Operation timed out after 5001 milliseconds with 0 bytes received", "no answer within 5 s"),
        ("Operation timed out after 503 milliseconds with 0 bytes received", "no answer within 0.5 s"),
        ("Operation timed out after 30004 milliseconds with 0 bytes received", "no answer within 30 s"),
        ("Operation timed out after 3000 milliseconds with 100 out of 5000 bytes received",
         "answer incomplete after 3 s: 100 of 5000 bytes"),
        ("Operation timed out after 3000 milliseconds with 100 bytes received", "answer incomplete after 3 s: 100 bytes"),
        ("Connection timed out after 2001 milliseconds", "no connection within 2 s"),
        ("Connection timeout after 2001 ms", "no connection within 2 s"),
        ("Resolving timed out after 2001 milliseconds", "no address within 2 s"),
        ("Operation timed out after many milliseconds", "Operation timed out after many milliseconds"),
        ("SSL: ", "SSL: "),
        ("", ""),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ],
)  # fmt: skip
def test_the_telling_part_of_a_reason(detail: str, telling: str) -> None:
    assert reason_text(detail) == telling


def test_people_read_the_reason_behind_the_cause() -> None:
    assert alert_detail(EXPIRED).startswith("cause tls: certificate has expired, first failed check ")
    assert ongoing_text(EXPIRED, NOON).endswith(", cause tls: certificate has expired)")
    assert alert_detail(replace(DOWN, cause=Cause.STATUS, detail="status 503")).startswith("cause status 503, first")


def test_the_detail_tells_why_and_from_when_to_when() -> None:
    assert alert_detail(DOWN) == "cause timeout, first failed check 2026-01-01T11:59:34.000Z"
    assert alert_detail(RECOVERED) == (
        "cause timeout, first failed check 2026-01-01T11:59:34.000Z, answering again since 2026-01-01T12:02:54.000Z"
    )
    assert alert_detail(replace(DOWN, cause=None)).startswith("cause unknown, ")


SINCE = "(since 2026-01-01T11:59:34.000Z, cause timeout)"


def test_an_outage_that_goes_on_shows_for_how_long() -> None:
    now_ms = DOWN.start_ms + 723_000
    assert ongoing_text(DOWN, now_ms) == f"Website http://via.ecp.fr has been down for 12 min 3 s {SINCE}"
    assert ongoing_text(DOWN, now_ms, "via").startswith("Website via has been down for ")


def test_of_a_site_that_nobody_measures_is_said_how_it_was_when_it_was_last_measured() -> None:
    now_ms = DOWN.start_ms + 723_000
    assert ongoing_text(DOWN, now_ms, measured_until_ms=now_ms - 120_000) == (
        f"Website http://via.ecp.fr was down when it was last measured, 2 min ago {SINCE}"
    )


def test_a_sentence_calls_a_site_as_its_table_does() -> None:
    assert alert_sentence(DOWN, "via").startswith("Website via is down. availability=")
    assert history_line(DOWN, "via").startswith("Website http://via.ecp.fr (via) is down. availability=")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("naïve ● 日本", "naïve ● 日本"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x9b31m", "\\x9b31m"),  # the one-byte form of an escape sequence
        ("\u202emoc.live", "\\u202emoc.live"),
        ("zero\u200bwidth\u2028line", "zero\\u200bwidth\\u2028line"),
    ],
)
def test_what_could_control_a_terminal_is_shown_instead_of_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0"), (Fraction(1, 100), "<1"), (1, "1"), (Fraction(999, 10), "99"), (100, "100")]
)
def test_what_was_hardly_measured_is_not_said_to_be_one_percent(part: Fraction | int, text: str) -> None:
    assert whole_percent_text(Fraction(part)) == text
