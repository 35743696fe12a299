"""What the backend makes of an InfluxDB that is absent, hung, wiped, restarted, guarded, or that is none at all."""

import contextlib
import ssl
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import trustme

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable
from monitoring.models import CheckResult, Window
from monitoring.storage.base import Deletion, DeliveryRecord, Points
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.trust import MOZILLA, Trust
from tests.support.impostor import Reply, impostor
from tests.support.influx_databases import PATIENT_S, address_of, new_database, store_at
from tests.support.influxd import Influxd, free_port
from tests.support.points import by_host
from tests.support.summaries import summaries_of

NOW_MS = 1_767_225_600_000
WINDOW = Window(NOW_MS - 60_000, NOW_MS + 60_000)
PASSWORD = "s3cret'\"word"
MSGPACK = (("Content-Type", "application/x-msgpack"),)


def check(host: str = "a", at: int = 0) -> CheckResult:
    return CheckResult(host, NOW_MS + at, covers_ms=2_000, lag_us=7, status=200, response_us=1_500)


def at_port(port: int, tls: Trust | None = None) -> DatabaseAddress:
    return DatabaseAddress("influxdb", "an address", tls, "127.0.0.1", port, "user", PASSWORD, "m")


@pytest.fixture
def own_server() -> Iterator[Influxd]:
    """A server that the test may treat badly."""
    with Influxd() as server:
        yield server


def questions(store: InfluxStore) -> Iterator[Callable[[], object]]:
    yield lambda: store.write(Points(checks=[check()]))
    yield lambda: store.stats(WINDOW, exact=True)
    yield lambda: list(store.results(WINDOW))
    yield lambda: store.last_states(NOW_MS)
    yield lambda: store.missing(WINDOW)
    yield lambda: list(store.delete(Deletion(None, NOW_MS)))
    yield lambda: store.verify("file")
    yield store.last_alerts
    yield store.ping


def assert_unavailable(store: InfluxStore) -> None:
    for ask in questions(store):
        with pytest.raises(StoreUnavailable):
            ask()


# Servers that come and go


def test_a_server_that_is_not_there_is_unavailable() -> None:
    assert_unavailable(InfluxStore(at_port(free_port())))


def test_a_hung_server_is_unavailable_and_works_again_afterwards(own_server: Influxd) -> None:
    address = address_of(own_server, "monitoring")
    patient = store_at(address)
    patient.verify("file")
    own_server.pause()
    assert_unavailable(InfluxStore(address, read_timeout=0.2))
    own_server.resume()
    patient.write(Points(checks=[check()]))
    assert list(patient.results(WINDOW)) == [check()]


def test_a_killed_server_keeps_what_it_acknowledged_and_is_found_again(own_server: Influxd) -> None:
    store = store_at(address_of(own_server, "monitoring"))
    record = DeliveryRecord(3, NOW_MS, NOW_MS)
    store.verify("file")
    store.write(Points(checks=[check()], summaries=summaries_of([check()])))
    store.record("file", record)
    own_server.kill()
    assert_unavailable(store)
    own_server.start()
    assert store.verify("file") == record
    assert list(store.results(WINDOW)) == [check()]
    assert store.stats(WINDOW, exact=True)["a"].checks == 1


def test_a_restart_between_two_questions_goes_unnoticed(own_server: Influxd) -> None:
    """The connections kept open have died meanwhile: that is no reason to fail."""
    store = store_at(address_of(own_server, "monitoring"))
    store.verify("file")
    own_server.stop()
    own_server.start()
    store.write(Points(checks=[check()]))
    assert list(store.results(WINDOW)) == [check()]


def test_a_database_that_lost_its_disk_has_no_record(own_server: Influxd) -> None:
    store = store_at(address_of(own_server, "monitoring"))
    store.verify("file")
    store.record("file", DeliveryRecord(3, NOW_MS, NOW_MS))
    own_server.wipe()
    own_server.start()
    assert store.verify("file") is None


def test_a_dropped_database_is_unavailable_until_it_is_verified_again(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        store.drop_database()
        assert not store.database_exists()
        assert not store.is_known()
        for ask in (lambda: store.write(Points(checks=[check()])), lambda: store.stats(WINDOW, exact=True)):
            with pytest.raises(StoreUnavailable, match="database not found"):
                ask()
        store.verify("file")
        store.write(Points(checks=[check()]))
        assert store.is_known()


def test_the_record_survives_a_short_retention_policy(influxd: Influxd) -> None:
    record = DeliveryRecord(3, NOW_MS, NOW_MS)
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        influxd.query(f'CREATE RETENTION POLICY "short" ON "{address.database}" DURATION 1h REPLICATION 1 DEFAULT')
        assert store.verify("file") is None
        store.record("file", record)
        assert store.verify("file") == record


def test_a_host_and_a_record_can_be_dropped_without_touching_others(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        checks = [check("it's"), check("b")]
        store.write(Points(checks=checks, summaries=summaries_of(checks)))
        store.verify("one")
        store.record("one", DeliveryRecord(1, 2, 3))
        store.record("other", DeliveryRecord(4, 5, 6))
        store.drop_host("it's")
        store.drop_record("one")
        assert list(store.results(WINDOW)) == [check("b")]
        assert by_host(store.counts(Window(0, 2 * NOW_MS), "days")) == {"b": 1}
        assert store.verify("one") is None
        assert store.verify("other") == DeliveryRecord(4, 5, 6)


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


def as_user(server: Influxd, database: str, username: str, password: str) -> InfluxStore:
    return store_at(replace(address_of(server, database), username=username, password=password))


@pytest.mark.parametrize(("username", "password"), [("", ""), ("admin", "guess"), ("nobody", "")])
def test_wrong_or_missing_credentials_are_denied_and_not_repeated(guarded: Influxd, username: str, password: str) -> None:
    store = as_user(guarded, "monitoring", username, password)
    for ask in (lambda: store.write(Points(checks=[check()])), lambda: store.stats(WINDOW, exact=True), store.last_time):
        with pytest.raises(StoreDenied) as caught:
            ask()
        assert "guess" not in f"{caught.value}{store!r}"


def test_the_right_credentials_are_accepted(guarded: Influxd) -> None:
    store = as_user(guarded, f"new {uuid.uuid4()}", "admin", PASSWORD)
    assert store.verify("file") is None
    store.write(Points(checks=[check()]))
    assert list(store.results(WINDOW)) == [check()]
    store.drop_database()


def test_a_user_without_the_right_to_create_databases_can_use_one_that_exists(guarded: Influxd) -> None:
    store = as_user(guarded, "shared", "writer", PASSWORD)
    assert store.verify("file") is None
    with pytest.raises(StoreDenied):
        as_user(guarded, "other", "writer", PASSWORD).verify("file")


# What is no InfluxDB


def test_a_proxy_in_the_environment_is_ignored(influxd: Influxd, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        assert store.verify("file") is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Welcome to the Wi-Fi</html>"),
        Reply(200, b"[]"),
        Reply(200, b'{"results":[]}'),
        Reply(200, b'{"results":[{"statement_id":0,"partial":true,"series":[]}]}'),
        Reply(200, b'{"results":[{"statement_id":0,"series":[{"values":[[1]]}]}]}'),
        Reply(200, b'{"results":[{"statement_id":0,"series":[{"columns":["time"],"values":[[1'),
        Reply(200, b"\xff\xff\xff", MSGPACK),
        Reply(200, b"", MSGPACK),
        Reply(200, b"\x81\xa7results\x91\x83\xacstatement_id\x00", MSGPACK),
        Reply(302, b"", (("Location", "/elsewhere"),)),
        Reply(404, b"404 page not found"),
        Reply(500, b'{"error":"timeout"}'),
        Reply(503),
    ],
    ids=str,
)
def test_what_is_no_answer_of_an_influxdb_is_unavailable(reply: Reply) -> None:
    with impostor(reply) as port, contextlib.closing(InfluxStore(at_port(port))) as store:
        for ask in (
            lambda: store.write(Points(checks=[check()])),
            lambda: store.stats(WINDOW, exact=True),
            lambda: store.verify("file"),
            lambda: store.last_states(NOW_MS),
            store.last_alerts,
            store.last_time,
            store.locations,
            store.is_known,
        ):
            with pytest.raises(StoreUnavailable):
                ask()


def test_a_compatible_server_that_knows_json_alone_is_read() -> None:
    series = b'{"name":"m","tags":{"host":"a"},"columns":["time","last"],"values":[[7,1]]}'
    answer = b'{"results":[{"statement_id":0,"series":[' + series + b"]}]}"
    with impostor(Reply(200, answer)) as port, contextlib.closing(InfluxStore(at_port(port))) as store:
        assert store.last_time() == 7


def test_a_question_that_nobody_waits_for_any_more_ends_early(influxd: Influxd) -> None:
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        store.write(Points(checks=[check(host) for host in "abc"]))
        waited = iter([True, False])
        with pytest.raises(StoreUnavailable, match="not waited for any more"):
            store.stats(WINDOW, exact=True, is_wanted=lambda: next(waited))
        assert list(waited) == []
        assert store.stats(WINDOW, exact=True).keys() == set("abc")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, StoreRefused), (413, StoreRefused), (422, StoreRefused), (401, StoreDenied), (403, StoreDenied)],
)
def test_a_refused_write_says_in_short_words_why(status: int, kind: type[StoreError]) -> None:
    reply = Reply(status, b'{"error":"too\\u001b[31m bad' + b" indeed" * 1000 + b'"}')
    with impostor(reply) as port, contextlib.closing(InfluxStore(at_port(port))) as store:
        with pytest.raises(kind) as caught:
            store.write(Points(checks=[check()]))
        assert len(str(caught.value)) < 250
        assert str(caught.value).isprintable()


def test_a_server_that_cannot_prove_its_name_gets_no_data() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with impostor(Reply(204), context) as port, contextlib.closing(InfluxStore(at_port(port, MOZILLA))) as store:
        with pytest.raises(StoreUnavailable, match="TLS") as caught:
            store.write(Points(checks=[check()]))
        assert PASSWORD not in str(caught.value)
    assert PATIENT_S > 1
