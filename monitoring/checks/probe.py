"""One check of one website, by libcurl."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import pycurl

from monitoring.checks.abilities import http_2, http_version
from monitoring.checks.assertions import BODY_CAP, in_force, judge
from monitoring.checks.charset import decode
from monitoring.checks.failure import LOST_MIDWAY, CheckFailure, ends_with_tls, printable, refuses_protocol, transfer_failure
from monitoring.checks.handle import Handle
from monitoring.checks.network import Network, Transfer, TransferResult, sockets_are_known
from monitoring.checks.phases import NO_PHASES, Marks, Phases, add, phases_of, total
from monitoring.checks.redirects import MAX_REDIRECTS, Request, first_request, origin, redirected
from monitoring.checks.resolver import LookupResult
from monitoring.checks.response import ONLY_HTTP_2, Response
from monitoring.checks.transport import family_of, lookup_entry, to_look_up
from monitoring.errors import CheckAbandoned
from monitoring.models import Answer, Cause, ProbeResult, Site
from monitoring.trust import Certificates
from monitoring.units import HOUR_MS

CERTIFICATE_LOOK_MS = HOUR_MS
"""How often a check reads the expiry date of the site's certificate."""


class Hop(NamedTuple):
    """One request and its outcome: the last status received (0: none), its phases, and why the transfer failed.

    `target` is the target of a redirect that is to be followed, as the server wrote it.
    """

    status: int
    phases_us: Phases
    failure: CheckFailure | None = None
    target: bytes | None = None


class Probe:
    """Checks one site again and again, each time as a new visitor would.

    One thread uses it, for one check at a time: it prepares the handle, and sleeps while the network thread performs the
    transfer.

    `site` comes from a validated configuration: ValueError if its URL is not http(s). `cap_bytes`: how many bytes of a
    decompressed body are read. `certificates`: the trusted authorities, by default Mozilla's list.
    """

    def __init__(
        self, site: Site, network: Network, cap_bytes: int = BODY_CAP, certificates: Certificates | None = None
    ) -> None:
        self._site = site
        self._network = network
        self._home = origin(site.url)
        self._first = first_request(site)
        self._assertions = in_force(site)
        self._needs_headers = any(one.needs_headers for one in self._assertions)
        self._response = Response(cap_bytes, any(one.needs_body for one in self._assertions), site.follow_redirects)
        self._handle = Handle(site, self._response, (certificates or Certificates()).of(site.transport.ca_file))
        self._transfer = Transfer(self._handle.curl)
        self._waited_ns = 0
        self._checks_until_look = 0
        self._looks: bool | None = None
        """Whether this check reads certificates; None: it has made no request by TLS yet."""
        self._certificate_s: int | None = None
        self._asked, self._places = self._first, to_look_up(site, self._first)
        self._have_answered: tuple[str, ...] = ()
        self._answered: Request | None = None
        """The last one that was; for a site that never redirects the only one."""

    def check(self) -> ProbeResult:
        """Check the site once. Takes no longer than the site's time-out, redirects included.

        Raises nothing but `CheckAbandoned`, when the network thread ends meanwhile or the system has no socket left.

        Redirects are followed if the site's settings say so; then the last answer counts.
        - `status` is the status of the last answer that began, even if it was cut short or timed out; 0 if none did.
        - `response_us` is the exact sum of the phases if an answer was received completely (or up to the cap), expected
          or not; otherwise None.
        - `phases_us` are sums over all redirects; after a failed transfer they hold only the phases that ended.
        """
        try:
            self._waited_ns, self._certificate_s, self._looks = 0, None, None
            result = self._check()
            self._plan_look(result)
            return result  # noqa: TRY300 - any exception becomes a result, too
        except CheckAbandoned:
            raise
        except Exception as error:  # noqa: BLE001 - a check is a measurement: every outcome is a result
            self._handle.forget()
            # Its text is left out because it could quote a header or a URL.
            return ProbeResult(cause=Cause.ERROR, detail=f"unexpected {type(error).__name__} in the probe")
        finally:
            self._response.begin()

    def close(self) -> None:
        """Free the handle; a second close does nothing."""
        self._handle.close()

    def _check(self) -> ProbeResult:
        # Cookies live for one check. Without them, a site that sets one and redirects to itself would loop for ever.
        self._handle.forget_cookies()
        request, before = self._first, NO_PHASES
        for _ in range(MAX_REDIRECTS + 1):
            hop = self._perform(request, self._left_us(before))
            before = add(before, hop.phases_us)
            if hop.failure:
                return self._result(hop.status, None, before, self._status_first(hop.status, hop.failure))
            if hop.target is None:
                return self._judged(hop.status, before)
            step = redirected(self._home, request, hop.status, hop.target)
            if isinstance(step, CheckFailure):
                return self._result(hop.status, total(before), before, step)
            request = step
        return self._result(
            hop.status, total(before), before, CheckFailure(Cause.REDIRECTS, f"more than {MAX_REDIRECTS} redirects")
        )

    def _plan_look(self, result: ProbeResult) -> None:
        """Read a certificate again an hour after it was seen, and at every check while TLS fails."""
        self._checks_until_look -= 1
        if result.cause is Cause.TLS:
            self._checks_until_look = 0
        elif result.certificate_s is not None:
            self._checks_until_look = CERTIFICATE_LOOK_MS // self._site.interval_ms - 1

    def _left_us(self, phases_us: Phases) -> int:
        """How much of the check's time is left after the completed hops, by libcurl's own clock."""
        return self._site.timeout_ms * 1000 - total(phases_us)

    def _status_first(self, status: int, failure: CheckFailure) -> CheckFailure:
        """Prefer an unexpected status to what is wrong with the body that came with it: it says more."""
        if failure.cause is not Cause.PROTOCOL or not self._response.has_head:
            return failure
        wrong = judge([one for one in self._assertions if one.cause is Cause.STATUS], Answer(status, 0, 0))
        return CheckFailure(*wrong) if wrong else failure

    def _judged(self, status: int, phases_us: Phases) -> ProbeResult:
        response, response_us = self._response, total(phases_us)
        answer = Answer(
            status,
            response_us,
            self._site.timeout_ms * 1000 - response_us,
            tuple(response.fields) if self._needs_headers else (),
            decode(response.take_body(), self._handle.content_type()) if response.keeps else "",
            response.full,
        )
        wrong = judge(self._assertions, answer)
        return self._result(status, response_us, phases_us, wrong and CheckFailure(wrong[0], printable(wrong[1])))

    def _result(self, status: int, response_us: int | None, phases_us: Phases, failure: CheckFailure | None) -> ProbeResult:
        cause, detail = (None, "") if failure is None else (failure.cause, failure.detail)
        waited_us = self._waited_ns // 1_000
        return ProbeResult(status, response_us, phases_us, cause, detail, waited_us, self._certificate_s)

    def _perform(self, request: Request, left_us: int) -> Hop:
        if request is not self._asked:
            self._asked, self._places = request, to_look_up(self._site, request)
        entries, took_us = [], 0
        for place in self._places:
            found = self._network.look_up(place[0], left_us - took_us, family_of(self._site.transport))
            if not found.addresses:
                return Hop(0, NO_PHASES, _lookup_failure(place[0], found))
            took_us += found.took_us
            entries.append(lookup_entry(self._site.transport, place, found.addresses))
        hop = self._ask(request, entries, left_us, took_us)
        if self._may_need_http_2(request, hop):
            return self._by_http_2(request, hop, lambda lost_us: self._ask(request, entries, left_us - lost_us, took_us))
        return hop

    def _by_http_2(self, request: Request, hop: Hop, ask: Callable[[int], Hop]) -> Hop:
        """Repeat the request by HTTP/2. `ask` takes the microseconds that were lost, which do not count as response time."""
        self._handle.speak(http_2(request.url))
        again = ask(self._handle.marks(0)[4])
        found = again.status > 0 and self._handle.spoke_http_2()
        by_tls = request.url.startswith("https:")
        if not (found and by_tls):
            self._handle.speak(http_version(self._site))
        if by_tls:
            return again
        # Browsers speak HTTP/2 by TLS only: so the site is down, but the reason is known.
        return hop._replace(failure=CheckFailure(Cause.PROTOCOL, ONLY_HTTP_2)) if found else hop

    def _may_need_http_2(self, request: Request, hop: Hop) -> bool:
        """Whether this server never answered before, and now seems not to have understood the request."""
        if request is self._answered or self._site.transport.http_version:
            return False
        server = urlsplit(request.url).netloc
        if hop.status:
            self._answered = request
            if server not in self._have_answered:  # redirects may lead to ever new ones: the last few are known
                self._have_answered = (*self._have_answered[-MAX_REDIRECTS:], server)
        not_understood = hop.failure and (hop.failure.cause is Cause.PROTOCOL or refuses_protocol(hop.failure.detail))
        return bool(not_understood) and server not in self._have_answered

    def _ask(self, request: Request, entries: list[str], left_us: int, took_us: int) -> Hop:
        """Perform one request after a lookup that took `took_us`."""
        if self._looks is None and request.url.startswith("https:"):
            self._looks = self._checks_until_look <= 0 and self._network.may_keep_certificates()
            self._handle.keep_certificates(self._looks)
        self._handle.prepare(request, entries, (left_us - took_us) // 1000)
        self._response.begin()
        ended = self._network.perform(self._transfer)
        self._waited_ns += self._transfer.waited_ns
        if self._looks and request.url.startswith("https:"):
            seen = (self._certificate_s, self._handle.certificate_s())
            self._certificate_s = min((one for one in seen if one is not None), default=None)
        if ended.code == pycurl.E_COULDNT_CONNECT and self._handle.found_no_socket() and sockets_are_known():
            self._network.found_no_socket()  # no server refused: this machine could not open a connection
            raise CheckAbandoned
        return self._hop(request, ended, self._handle.marks(took_us))

    def _hop(self, request: Request, ended: TransferResult, marks: Marks) -> Hop:
        response, status = self._response, self._handle.status()
        if response.target is not None or response.full:
            return Hop(status, phases_of(marks, answered=True, complete=True), target=response.target)
        failure = self._failure(request, ended, marks)
        return Hop(status, phases_of(marks, answered=status > 0, complete=failure is None), failure)

    def _failure(self, request: Request, ended: TransferResult, marks: Marks) -> CheckFailure | None:
        """Why a transfer failed that was not ended on purpose."""
        response = self._response
        if response.failure:
            return CheckFailure(Cause.PROTOCOL, response.failure)
        if ended.code and not self._came_whole(ended):
            progress = self._handle.progress(request, marks, request is not self._first)
            return transfer_failure(ended.code, ended.text, progress)
        if self._site.transport.http_version == "2" and not self._handle.spoke_http_2():
            return CheckFailure(Cause.PROTOCOL, "the server does not speak HTTP/2")
        if response.is_cut:
            return CheckFailure(Cause.PROTOCOL, "the body ends in the middle of its Content-Encoding")
        return None

    def _came_whole(self, ended: TransferResult) -> bool:
        """Whether the whole answer was received before the connection was lost; then the loss does not matter.

        Over HTTP/2 libcurl reports an error when a server closes the connection right after its answer.
        """
        if self._response.ends_with_connection:
            return ends_with_tls(ended.text)
        return ended.code in LOST_MIDWAY and self._response.has_head and self._handle.has_all()


def _lookup_failure(name: str, found: LookupResult) -> CheckFailure:
    if found.timed_out:
        return CheckFailure(Cause.TIMEOUT, printable(f"no answer to the lookup of {name} in time"))
    return CheckFailure(Cause.DNS, printable(f"could not resolve {name}: {found.reason}"))
