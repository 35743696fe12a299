"""What the InfluxDB store makes of a server that is absent, hung, wiped, guarded, mistaken or not InfluxDB at all."""

import contextlib
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable
from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import PROOF_TIME_MS, InfluxStore
from monitoring.store.influxblocks import Told
from monitoring.store.lineprotocol import from_rfc3339, to_rfc3339
from monitoring.store.local import LocalStore
from monitoring.trust import MOZILLA
from tests.support.clock import FakeClock
from tests.support.impostor import Reply, impostor
from tests.support.influxd import Influxd, free_port

NOW_MS = 1_767_225_600_000
WINDOW = Window(NOW_MS - 60_000, NOW_MS + 60_000)
PASSWORD = "s3cret'\"word"


def check(host: str = "a", at: int = 0) -> CheckResult:
    return CheckResult(host, NOW_MS + at, covers_ms=2_000, lag_us=7, status=200, response_us=1_500)


def connect(
    server: Influxd, database: str = "monitoring", *, read_timeout: float = 30, username: str = "", password: str = ""
) -> InfluxStore:
    return InfluxStore(
        host=server.host,
        port=server.port,
        database=database,
        username=username,
        password=password,
        read_timeout=read_timeout,
    )


@pytest.fixture
def database() -> str:
    """The name of a database that does not exist yet."""
    return f"store {uuid.uuid4()}"


@pytest.fixture
def store(influxd: Influxd, database: str) -> Iterator[InfluxStore]:
    opened = connect(influxd, database)
    yield opened
    opened.drop_database()
    opened.close()


@pytest.fixture
def own_server() -> Iterator[Influxd]:
    """A server that the test may treat badly."""
    with Influxd() as server:
        yield server


def assert_unavailable(store: InfluxStore) -> None:
    for ask in (
        lambda: store.write([check()], []),
        lambda: store.stats(WINDOW),
        store.last_alerts,
        store.ping,
        lambda: store.prove("file"),
    ):
        with pytest.raises(StoreUnavailable):
            ask()


# Servers that come and go


def test_a_server_that_is_not_there_is_unavailable() -> None:
    assert_unavailable(InfluxStore(host="127.0.0.1", port=free_port(), database="monitoring"))


def test_a_hung_server_is_unavailable_and_works_again_afterwards(own_server: Influxd) -> None:
    patient = connect(own_server)
    patient.prove("file")
    own_server.pause()
    assert_unavailable(connect(own_server, read_timeout=0.5))
    own_server.resume()
    patient.write([check()], [])
    assert patient.results(WINDOW) == [check()]


def test_a_killed_server_keeps_what_it_acknowledged_and_the_store_finds_it_again(own_server: Influxd) -> None:
    store = connect(own_server)
    store.prove("file")
    store.write([check()], [])
    own_server.kill()
    assert_unavailable(store)
    own_server.start()
    assert store.prove("file")
    assert store.results(WINDOW) == [check()]


def test_a_restart_between_two_questions_goes_unnoticed(own_server: Influxd) -> None:
    """The connections kept open have died meanwhile: that is no reason to fail."""
    store = connect(own_server)
    store.prove("file")
    own_server.stop()
    own_server.start()
    store.write([check()], [])
    assert store.results(WINDOW) == [check()]


def test_a_dropped_database_is_unavailable_until_it_is_proved_again(store: InfluxStore) -> None:
    store.prove("file")
    store.drop_database()
    with pytest.raises(StoreUnavailable, match="database not found"):
        store.write([check()], [])
    with pytest.raises(StoreUnavailable, match="database not found"):
        store.stats(WINDOW)
    store.prove("file")
    store.write([check()], [])


# The proof


def test_a_database_knows_a_marker_from_the_second_time_on(store: InfluxStore) -> None:
    assert not store.database_exists()
    assert not store.is_known()
    assert not store.prove("file 1")
    assert store.database_exists()
    assert store.is_known()
    assert store.prove("file 1")
    assert not store.prove("file 2")


def test_a_database_that_lost_its_disk_knows_no_marker(own_server: Influxd) -> None:
    store = connect(own_server)
    store.prove("file")
    own_server.wipe()
    own_server.start()
    assert not store.prove("file")


def test_the_proof_survives_a_short_retention_policy(store: InfluxStore, influxd: Influxd, database: str) -> None:
    """Also where a policy drops whatever is older than an hour, today and in ten years."""
    store.prove("first")
    influxd.query(f'CREATE RETENTION POLICY "short" ON "{database}" DURATION 1h REPLICATION 1 DEFAULT')
    assert not store.prove("file")
    assert store.prove("file")
    assert to_rfc3339(PROOF_TIME_MS) == "2100-01-01T00:00:00.000Z"


def test_proving_leaves_no_check_and_no_alert(store: InfluxStore) -> None:
    store.prove("file")
    always = Window(0, PROOF_TIME_MS + 1)
    assert not store.results(always)
    assert not store.alerts(always)
    assert store.last_time() is None


# Credentials


@pytest.fixture(scope="module")
def guarded() -> Iterator[Influxd]:
    with Influxd({"INFLUXDB_HTTP_AUTH_ENABLED": "true"}) as server:
        quoted = PASSWORD.replace("'", r"\'")
        server.query(f"CREATE USER admin WITH PASSWORD '{quoted}' WITH ALL PRIVILEGES")
        server.query(f"CREATE USER writer WITH PASSWORD '{quoted}'", "admin", PASSWORD)
        server.query('CREATE DATABASE "shared"', "admin", PASSWORD)
        server.query('GRANT ALL ON "shared" TO writer', "admin", PASSWORD)
        yield server


@pytest.mark.parametrize(("username", "password"), [("", ""), ("admin", "guess"), ("nobody", "")])
def test_wrong_or_missing_credentials_are_denied_and_not_repeated(guarded: Influxd, username: str, password: str) -> None:
    store = connect(guarded, username=username, password=password)
    for ask in (lambda: store.write([check()], []), lambda: store.stats(WINDOW), lambda: store.prove("file")):
        with pytest.raises(StoreDenied) as caught:
            ask()
        assert "guess" not in f"{caught.value}{store!r}"


def test_the_right_credentials_are_accepted(guarded: Influxd) -> None:
    store = connect(guarded, username="admin", password=PASSWORD)
    assert not store.prove("file")
    store.write([check()], [])
    assert store.results(WINDOW) == [check()]


def test_a_user_without_the_right_to_create_databases_can_use_one_that_exists(guarded: Influxd) -> None:
    store = connect(guarded, "shared", username="writer", password=PASSWORD)
    assert not store.prove("file")
    assert store.prove("file")
    with pytest.raises(StoreDenied):
        connect(guarded, "other", username="writer", password=PASSWORD).prove("file")


# What will never be taken


def test_a_point_of_another_type_is_refused_and_the_good_ones_are_kept(
    store: InfluxStore, influxd: Influxd, database: str
) -> None:
    """Somebody wrote `cause`, which only failed checks have, as a number first."""
    store.prove("file")
    influxd.write(database, f"website_availability,host=x cause=1 {NOW_MS * 1_000_000}")
    with pytest.raises(StoreRefused, match="field type conflict"):
        store.write([check(at=0), replace(check(at=1), cause=Cause.DNS), check(at=2)], [])
    assert [found for found in store.results(WINDOW) if found.host == "a" and found.available] == [check(at=0), check(at=2)]


def test_a_point_that_is_refused_takes_none_along_that_was_sent_with_it(
    store: InfluxStore, influxd: Influxd, database: str, tmp_path: Path
) -> None:
    """New checks go in one request with what is told of their minute: the database keeps all lines but one of it."""
    checks = [check(at=0), replace(check(at=1), cause=Cause.DNS), check(at=2)]
    with contextlib.closing(LocalStore(tmp_path / "monitor.db")) as local:
        forwarder = Forwarder(local, store, FakeClock())
        forwarder.step()
        influxd.write(database, f"website_availability,host=x cause=1 {NOW_MS * 1_000_000}")
        local.append(checks, [], NOW_MS)
        while forwarder.step():
            pass
        assert [(letter.time_ms, letter.kind) for letter in local.dead_letters()] == [(NOW_MS + 1, "check")]
        assert local.pending() == (0, None)
        assert store.open_minutes(local.marker) == {NOW_MS: Told.PIECES}
    assert [found for found in store.results(WINDOW) if found.host == "a" and found.available] == [checks[0], checks[2]]
    assert store.stats(WINDOW)["a"].checks == 3, "its minute's piece tells of all"


@pytest.mark.parametrize("name", ["", "line\nend", "back\\slash", "end\\", "nul\x00", "cr\r", "\ud800"])
def test_a_name_that_no_tag_can_hold_is_refused_alone(store: InfluxStore, name: str) -> None:
    store.prove("file")
    alert = Alert(AlertType.ALERT, name, NOW_MS, NOW_MS, None, 1.0, Cause.DNS)
    with pytest.raises(StoreRefused):
        store.write([check("good"), check(name), check("fine")], [])
    with pytest.raises(StoreRefused):
        store.write([], [alert])
    assert {check.host for check in store.results(WINDOW)} == {"good", "fine"}


def test_a_host_can_be_dropped_without_touching_the_others(store: InfluxStore) -> None:
    store.prove("file")
    store.write([check("it's"), check("b")], [Alert(AlertType.ALERT, "it's", NOW_MS, NOW_MS, None, 1.0, None)])
    store.drop_host("it's")
    assert [check.host for check in store.results(WINDOW)] == ["b"]
    assert not store.last_alerts()


def test_what_other_programs_wrote_does_no_harm(store: InfluxStore, influxd: Influxd, database: str) -> None:
    """Unknown causes are `error`; an alert that is none of ours is passed over."""
    store.prove("file")
    time_ns = NOW_MS * 1_000_000
    influxd.write(database, f'website_availability,host=x available=0i,cause="aliens" {time_ns}')
    influxd.write(database, f"website_availability,host=y available=1i {time_ns}")
    influxd.write(database, f'website_alerts,host=x type="siren" {time_ns}')
    influxd.write(database, f'website_alerts,host=y type="alert",startDate="yesterday",availability=1 {time_ns}')
    assert store.stats(WINDOW)["x"].causes == {Cause.ERROR: 1}
    assert store.stats(WINDOW)["y"].checks == 1
    assert {check.host: check.cause for check in store.results(WINDOW)} == {"x": Cause.ERROR, "y": None}
    assert not store.alerts(WINDOW)
    assert not store.last_alerts()


# The way to the server


def test_a_proxy_in_the_environment_is_ignored(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    store.prove("file")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Welcome to the Wi-Fi</html>"),
        Reply(200, b"[]"),
        Reply(200, b'{"results":[]}'),
        Reply(200, b'{"results":[{"partial":true,"series":[]}]}'),
        Reply(200, b"\xff\xff\xff", (("Content-Type", "application/x-msgpack"),)),
        Reply(302, b"", (("Location", "/elsewhere"),)),
        Reply(404, b"404 page not found"),
        Reply(500, b'{"error":"timeout"}'),
        Reply(503),
    ],
    ids=str,
)
def test_what_is_no_answer_of_an_influxdb_is_unavailable(reply: Reply) -> None:
    with impostor(reply) as port, contextlib.closing(InfluxStore(host="127.0.0.1", port=port, database="m")) as store:
        for ask in (lambda: store.write([check()], []), lambda: store.stats(WINDOW), lambda: store.prove("file")):
            with pytest.raises(StoreUnavailable):
                ask()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, StoreRefused), (413, StoreRefused), (422, StoreRefused), (401, StoreDenied), (403, StoreDenied)],
)
def test_a_refused_write_says_in_short_words_why(status: int, kind: type[StoreError]) -> None:
    reply = Reply(status, b'{"error":"too\\u001b[31m bad' + b" indeed" * 1000 + b'"}')
    with impostor(reply) as port, contextlib.closing(InfluxStore(host="127.0.0.1", port=port, database="m")) as store:
        with pytest.raises(kind) as caught:
            store.write([check()], [])
        assert len(str(caught.value)) < 250
        assert str(caught.value).isprintable()


def test_a_server_that_cannot_prove_its_name_gets_no_data() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with impostor(Reply(204), context) as port:
        store = InfluxStore(host="127.0.0.1", port=port, database="m", tls=MOZILLA, username="u", password=PASSWORD)
        with contextlib.closing(store), pytest.raises(StoreUnavailable, match="TLS") as caught:
            store.write([check()], [])
        assert PASSWORD not in str(caught.value)


# Dates


@pytest.mark.parametrize("time_ms", [0, 1, 999, NOW_MS, NOW_MS + 123, 4_102_444_799_999])
def test_dates_keep_every_millisecond(time_ms: int) -> None:
    assert from_rfc3339(to_rfc3339(time_ms)) == time_ms


def test_a_date_reads_like_one() -> None:
    assert to_rfc3339(NOW_MS + 7) == "2026-01-01T00:00:00.007Z"
