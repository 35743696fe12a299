"""When a site's certificate expires: measured by some of its checks."""

import datetime as dt
import ssl

import pytest
import trustme

from monitoring.checks.handle import Handle
from monitoring.checks.network import LOOKS_A_SECOND, Network
from monitoring.checks.redirects import first_request
from monitoring.checks.response import Response
from monitoring.models import Cause
from monitoring.trust import Trust, bundle
from tests.support.certificates import Authority
from tests.support.clock import FakeClock
from tests.support.probing import check, probing, site
from tests.support.servers import OK, HttpServer, redirect

SOONER = dt.datetime(2030, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
LATER = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)
FAR = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)
HOUR_MS = 3_600_000


def expiring(ca: trustme.CA, end: dt.datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", not_after=end).configure_cert(context)
    return context


@pytest.fixture
def ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return ca, str(file)


def test_the_first_certificate_of_the_chain_counts(ca: tuple[trustme.CA, str]) -> None:
    with HttpServer(tls=expiring(ca[0], SOONER)) as server:
        assert check(server.url(host="localhost"), ca_file=ca[1]).certificate_s == SOONER.timestamp()
    between = ca[0].create_child_ca()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    between.issue_cert("localhost", not_after=LATER).configure_cert(context)
    with HttpServer(tls=context) as server:
        assert check(server.url(host="localhost"), ca_file=ca[1]).certificate_s == LATER.timestamp()


def test_redirects_count_as_well(ca: tuple[trustme.CA, str]) -> None:
    with HttpServer(tls=expiring(ca[0], SOONER)) as there:
        for tls in (None, expiring(ca[0], LATER)):
            with HttpServer(redirect(there.url(host="localhost")), tls=tls) as here:
                result = check(here.url(host="localhost"), ca_file=ca[1])
                assert (result.cause, result.certificate_s) == (None, SOONER.timestamp())


def test_a_check_looks_once_an_hour(ca: tuple[trustme.CA, str]) -> None:
    """To look costs a tenth of a millisecond."""
    with HttpServer(tls=expiring(ca[0], SOONER)) as server:
        target = site(server.url(host="localhost"), interval_ms=HOUR_MS // 3)
        with probing(target, ca_file=ca[1]) as probe:
            looked = [probe.check().certificate_s is not None for _ in range(7)]
    assert looked == [True, False, False, True, False, False, True]


def test_what_was_looked_at_is_kept_until_the_next_request(ca: tuple[trustme.CA, str]) -> None:
    """It takes 6 kB, for each site."""
    with HttpServer(tls=expiring(ca[0], SOONER)) as server, bundle(Trust(ca[1])) as trusted:
        target = site(server.url(host="localhost"))
        handle = Handle(target, Response(1_000, keeps=False, follows=True), trusted)
        expected = []
        for wanted in (True, False):
            handle.keep_certificates(wanted)
            handle.prepare(first_request(target), [], target.timeout_ms)
            handle.curl.perform()
            expected.append(handle.certificate_s())
        assert expected == [SOONER.timestamp(), None]
        handle.close()


def test_so_many_checks_a_second_look_and_the_others_do_so_later() -> None:
    clock = FakeClock()
    network = Network(clock)
    assert [network.may_keep_certificates() for _ in range(LOOKS_A_SECOND + 1)] == [True] * LOOKS_A_SECOND + [False]
    clock.advance(1.0)
    assert network.may_keep_certificates()
    network.stop()


def test_a_check_that_may_not_look_yet_says_nothing_and_a_later_one_looks(
    ca: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    may = iter([False, True])
    monkeypatch.setattr(Network, "may_keep_certificates", lambda _: next(may))
    with (
        HttpServer(tls=expiring(ca[0], SOONER)) as there,
        HttpServer(redirect(there.url(host="localhost"))) as here,
        probing(site(here.url(host="localhost")), ca_file=ca[1]) as probe,
    ):
        assert [probe.check().certificate_s for _ in range(3)] == [None, SOONER.timestamp(), None]


def test_a_certificate_that_is_refused_is_looked_at_each_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """So that one that has expired is known, and its successor at once."""
    authority = Authority(tmp_path_factory.mktemp("other"))
    with HttpServer(OK, tls=authority.server("localhost")) as server:
        with probing(site(server.url(host="localhost"))) as probe:
            refused = [probe.check() for _ in range(2)]
        assert [(one.cause, one.certificate_s) for one in refused] == [(Cause.TLS, FAR.timestamp())] * 2
        assert check(server.url(host="localhost"), verify_tls=False).certificate_s == FAR.timestamp()


def test_without_tls_there_is_none() -> None:
    with HttpServer() as server, probing(site(server.url())) as probe:
        assert [probe.check().certificate_s for _ in range(2)] == [None, None]
