"""Whom databases and gateways may be certified by, with an InfluxDB that serves HTTPS; and the words if it is nobody."""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import certifi
import pytest

from monitoring.checks.probe import Probe
from monitoring.config import Config, describe, load_config, parse_config, parse_database
from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import ConfigError, StoreUnavailable
from monitoring.models import Cause, CheckResult
from monitoring.storage.base import Points
from monitoring.storage.gateway.store import GatewayStore
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.trust import MOZILLA, Certificates, Trust, bundle, why_unusable
from tests.support.certificates import Authority
from tests.support.driving import running_network
from tests.support.influxd import Influxd
from tests.support.monitor import FOREVER
from tests.support.probing import site
from tests.support.results import START_MS
from tests.support.servers import HttpServer, response

HOST = "127.0.0.1"
CHECK = CheckResult("https://example.org", START_MS, 2_000, 7, 200, 1_500)
UNKNOWN = r"does not prove who it is \(TLS\): unable to get local issuer certificate$"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[Influxd]:
    with Influxd(authority=authority) as server:
        yield server


def certificates(path: str) -> int:
    """How many a client would trust by this file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=path)
    return context.cert_store_stats()["x509"]


# The bundle


def test_mozillas_list_alone_is_used_where_it_lies() -> None:
    assert bundle(MOZILLA).path == bundle(MOZILLA).spelling == certifi.where()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_bundle_holds_both_lists_and_is_gone_afterwards(
    authority: Authority, other: Authority, in_memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for trust, count in (
        (Trust(additional=(authority.ca_file, other.ca_file)), certificates(certifi.where()) + 2),
        (Trust(authority.ca_file, (other.ca_file,)), 2),
        (Trust(authority.ca_file), 1),
    ):
        with bundle(trust) as found:
            assert certificates(found.path) == count
            assert in_memory or os.stat(found.path).st_mode & 0o077 == 0
        assert not os.path.exists(found.path)
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_does_not_end_its_last_line_does_no_harm(authority: Authority, other: Authority, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(Path(other.ca_file).read_text().rstrip("\n"))
    with bundle(Trust(str(roots), (authority.ca_file,))) as found:
        assert certificates(found.path) == 2


def test_a_file_that_has_gone_since_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{tmp_path}/ca\.pem: No such file or directory$"):
        bundle(Trust(additional=(str(tmp_path / "ca.pem"),)))


# The configuration


def parse(folder: Path, ca_file: str | None = None, environ: dict[str, str] | None = None) -> Config:
    data = {
        "websites": [{"URL": "http://a.example"}],
        "database": "influxdb+https://db.example/monitoring",
        "caFile": ca_file,
    }
    return parse_config(data, source="config.json", environ=environ or {}, path=folder / "config.json")


def test_ca_file_stands_beside_mozillas_list_and_ssl_cert_file_in_its_place(authority: Authority, tmp_path: Path) -> None:
    """Relative to the configuration, as every file that it names."""
    (tmp_path / "ca.pem").write_bytes(Path(authority.ca_file).read_bytes())
    ca, roots = str(tmp_path / "ca.pem"), authority.ca_file
    for ca_file, environ, trust, words in (
        (None, {}, MOZILLA, None),
        (None, {"SSL_CERT_FILE": ""}, MOZILLA, None),
        ("ca.pem", {}, Trust(None, (ca,)), f"certificates: Mozilla's list and {ca}"),
        (None, {"SSL_CERT_FILE": roots}, Trust(roots), f"certificates: {roots} (SSL_CERT_FILE)"),
        (ca, {"SSL_CERT_FILE": roots}, Trust(roots, (ca,)), f"certificates: {roots} (SSL_CERT_FILE) and {ca}"),
    ):
        config = parse(tmp_path, ca_file, environ)
        assert config.trust == trust
        assert config.database
        assert config.database.tls == trust
        assert [line for line in describe(config) if line.startswith("certificates")] == ([words] if words else [])


def test_the_flag_database_is_trusted_by_the_same(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(f'{{"websites": [{{"URL": "http://a.example"}}], "caFile": "{authority.ca_file}"}}')
    config = load_config(path, {}, "gateway+https://gate.example:8087")
    assert config.database
    assert config.database.tls == Trust(None, (authority.ca_file,))
    environ = {"SSL_CERT_FILE": authority.ca_file}
    assert parse_database("influxdb+https://a/b", environ).tls == Trust(authority.ca_file)
    assert parse_database("influxdb://a/b", environ).tls is None


NO_PEM = "holds no certificates in PEM form, or a broken one"
BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def make_key(file: Path, authority: Authority) -> None:
    pem = Path(authority.server_file(HOST)).read_text()
    file.write_text(pem[: pem.index("-----BEGIN CERTIFICATE")])


@pytest.mark.parametrize(
    ("make", "trouble"),
    [
        (lambda file, _: None, "cannot be read: No such file or directory"),
        (lambda file, _: file.mkdir(), "cannot be read: Is a directory"),
        (lambda file, _: file.touch(), "holds no certificates in PEM form, or a broken one"),
        (lambda file, _: file.write_bytes(b"\x30\x82rubbish\0" * 99), "holds no certificates in PEM form, or a broken one"),
        (make_key, "holds no certificates in PEM form, or a broken one"),
        (
            lambda file, ours: file.write_text(Path(ours.ca_file).read_text() + BROKEN),
            "holds no certificates in PEM form, or a broken one",
        ),
    ],
    ids=["missing", "directory", "empty", "rubbish", "key", "broken"],
)
def test_a_file_that_nobody_can_be_trusted_by_is_refused_at_the_start(
    make: Callable[[Path, Authority], object], trouble: str, authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    make(file, authority)
    assert why_unusable(str(file)) == trouble
    with pytest.raises(ConfigError) as caught:
        parse(tmp_path, "ca.pem", {"SSL_CERT_FILE": str(file)})
    assert caught.value.problems == (
        f"SSL_CERT_FILE: {file}: {trouble}", f"config.json: caFile: {file}: {trouble}",
    )  # fmt: skip


# The connection


def influx_store(server: Influxd, trust: Trust | None) -> InfluxStore:
    address = parse_database(server.url("m"), {})
    return InfluxStore(replace(address, tls=trust), read_timeout=60)


@pytest.mark.parametrize("beside", [False, True])
def test_an_influxdb_is_trusted_by_its_authority(
    secure: Influxd, authority: Authority, other: Authority, beside: bool
) -> None:
    trust = Trust(other.ca_file, (authority.ca_file,)) if beside else Trust(authority.ca_file)
    for one in (trust, Trust(None, (authority.ca_file,))):
        with closing(influx_store(secure, one)) as store:
            store.verify("file")
            store.write(Points([CHECK]))
            assert list(store.results(FOREVER)) == [CHECK]
            assert store.locations() == [""]


def test_an_influxdb_of_an_unknown_authority_gets_no_data(secure: Influxd, other: Authority) -> None:
    for trust in (MOZILLA, Trust(other.ca_file), Trust(None, (other.ca_file,))):
        with closing(influx_store(secure, trust)) as store:
            for do in (lambda store=store: store.write(Points([CHECK])), lambda store=store: list(store.results(FOREVER))):
                with pytest.raises(StoreUnavailable, match=UNKNOWN):
                    do()


def test_http_where_https_is_served_and_the_other_way_round(secure: Influxd, influxd: Influxd, authority: Authority) -> None:
    for server, tls, words in (
        (secure, None, "HTTP request to an HTTPS server|does not answer"),  # it closes before it has read all
        (influxd, MOZILLA, "does not speak TLS: "),
    ):
        with closing(influx_store(server, tls)) as store, pytest.raises(StoreUnavailable, match=words):
            store.is_known()


Open = Callable[[int, Trust], InfluxStore | GatewayStore]


def open_influx(port: int, trust: Trust) -> InfluxStore:
    return InfluxStore(DatabaseAddress("influxdb", "masked", host=HOST, port=port, database="m", tls=trust))


def open_gateway(port: int, trust: Trust) -> GatewayStore:
    return GatewayStore(DatabaseAddress("gateway", "masked", host=HOST, port=port, tls=trust))


every_client = pytest.mark.parametrize("open_store", [open_influx, open_gateway])


@every_client
def test_the_reason_is_told_in_openssls_words(open_store: Open, authority: Authority, tmp_path: Path) -> None:
    contexts = (
        (authority.server(HOST, expired=True), "certificate has expired"),
        (authority.server("elsewhere.example"), "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    )
    for context, words in contexts:
        with HttpServer(tls=context) as server, closing(open_store(server.port, Trust(authority.ca_file))) as store:
            with pytest.raises(StoreUnavailable) as caught:
                store.last_time()
            assert str(caught.value).endswith(f":{server.port} does not prove who it is (TLS): {words}")


def replace_file(path: Path, content: bytes) -> None:
    """As those do who replace certificates: at once."""
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)


@every_client
@pytest.mark.parametrize("beside", [False, True])
def test_another_certificate_is_trusted_while_a_monitor_runs(
    open_store: Open, authority: Authority, other: Authority, tmp_path: Path, beside: bool
) -> None:
    """A private authority has a new root: no restart, and the former one is trusted no longer."""
    file = tmp_path / "ca.pem"
    file.write_bytes(Path(authority.ca_file).read_bytes())
    trust = Trust(authority.ca_file, (str(file),)) if beside else Trust(str(file))
    refuse_all = response(503, b"", {"Connection": "close"})
    with (
        HttpServer(lambda _: refuse_all, tls=other.server(HOST)) as server,
        closing(open_store(server.port, trust)) as store,
    ):
        for content, words in ((None, UNKNOWN), (other, "503|refused"), (authority, UNKNOWN), (other, "503|refused")):
            if content:
                replace_file(file, Path(content.ca_file).read_bytes())
            with pytest.raises(StoreUnavailable, match=words):
                store.last_time()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_file_that_is_being_written_counts_as_it_was(
    authority: Authority, other: Authority, tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    file = tmp_path / "ca.pem"
    file.write_bytes(Path(authority.ca_file).read_bytes())
    with bundle(Trust(authority.ca_file, (str(file),))) as found:
        before = Path(found.path).read_bytes()
        for wrong in (b"", BROKEN.encode()):
            replace_file(file, wrong)
            assert (found.refresh(), Path(found.path).read_bytes()) == (False, before)
            assert found.trouble == f"{file}: holds no certificates in PEM form, or a broken one"
        file.unlink()
        assert (found.refresh(), Path(found.path).read_bytes()) == (False, before)
        assert found.trouble == f"{file}: cannot be read: No such file or directory"
        replace_file(file, Path(other.ca_file).read_bytes())
        assert found.refresh()
        assert Path(found.path).read_bytes() == b"\n".join(Path(it.ca_file).read_bytes() for it in (authority, other))
        assert not found.refresh()


def test_a_site_is_trusted_by_the_file_as_it_is_now(authority: Authority, other: Authority, tmp_path: Path) -> None:
    """Also by libcurl, which keeps the certificates that it has read."""
    file = tmp_path / "ca.pem"
    replace_file(file, Path(other.ca_file).read_bytes())
    with (
        HttpServer(tls=authority.server("localhost")) as server,
        Certificates(Trust(str(file))) as certificates,
        running_network() as network,
        closing(Probe(site(server.url(host="localhost")), network, certificates=certificates)) as probe,
    ):
        for content, cause, news in (
            (Path(other.ca_file).read_bytes(), Cause.TLS, []),
            (Path(authority.ca_file).read_bytes(), None, []),
            (
                b"rubbish",
                None,
                [f"{file}: holds no certificates in PEM form, or a broken one; what was trusted before still is"],
            ),
            (b"more rubbish", None, []),
            (Path(other.ca_file).read_bytes(), Cause.TLS, []),
            (Path(authority.ca_file).read_bytes(), None, []),
        ):
            replace_file(file, content)
            assert certificates.news() == news
            assert probe.check().cause == cause


def test_a_file_that_changes_more_than_once_between_two_checks_is_trusted_as_it_is_now(
    authority: Authority, other: Authority, tmp_path: Path
) -> None:
    """And one that is as long and as old as the one before, as `cp -p` and rsync leave it."""
    file = tmp_path / "ca.pem"
    contents = [Path(one.ca_file).read_bytes() for one in (other, authority)]
    longest = max(map(len, contents))
    stranger, right = (content.ljust(longest, b"\n") for content in contents)
    file.write_bytes(stranger)
    dates = file.stat().st_atime_ns, file.stat().st_mtime_ns
    with (
        HttpServer(tls=authority.server("localhost")) as server,
        Certificates(Trust(str(file))) as certificates,
        running_network() as network,
        closing(Probe(site(server.url(host="localhost")), network, certificates=certificates)) as probe,
    ):
        for changes, cause in (([], Cause.TLS), ([b"\n" + stranger, right], None), ([right + b"\n", stranger], Cause.TLS)):
            for content in changes:
                file.write_bytes(content)
                certificates.news()
            assert probe.check().cause == cause
        file.write_bytes(right)
        os.utime(file, ns=dates)
        certificates.news()
        assert probe.check().cause is None
