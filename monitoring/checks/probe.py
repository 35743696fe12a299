"""One check of one website, by libcurl."""

from dataclasses import dataclass

import certifi
import pycurl

from monitoring import __version__
from monitoring.checks.assertions import BODY_CAP, REDIRECTS, in_force, judge
from monitoring.checks.charset import decode
from monitoring.checks.failure import Fault, Progress, printable, transfer_fault
from monitoring.checks.network import Network, Transfer, TransferResult, sockets_are_known
from monitoring.checks.received import Body, Head
from monitoring.checks.redirects import (
    MAX_REDIRECTS,
    Request,
    first_request,
    login,
    lookup_entry,
    origin,
    redirected,
)
from monitoring.checks.resolver import LookupResult
from monitoring.errors import CheckAbandoned
from monitoring.models import Answer, Cause, ProbeResult, Site

Phases = tuple[int | None, int | None, int | None, int | None, int | None]
"""Microseconds in the order of `models.PHASES`; None for a phase that never ran or never ended."""

NO_PHASES: Phases = (None,) * 5

Marks = tuple[int, int, int, int, int]
"""When name lookup, connect, TLS handshake, wait and transfer had ended, in microseconds from the start; 0: not."""

NO_LOOKUP = LookupResult()

# Options of libcurl that pycurl has no names for.
_CA_CACHE_TIMEOUT = 321  # libcurl 7.87
_QUICK_EXIT = 322  # libcurl 7.87


@dataclass(frozen=True, slots=True)
class Hop:
    """One request and what became of it: the last status received (0: none), its phases, and the fault of the transfer.

    `target` is the absolute URL that a redirect points to.
    """

    status: int
    phases_us: Phases
    fault: Fault | None = None
    target: str | None = None


class Probe:
    """Checks one site, again and again, each time as a new visitor would.

    One check at a time, by one thread: it sets the handle up, and sleeps while the network thread performs the transfer.

    `site` comes from a validated configuration: ValueError if its URL is not http(s). `cap_bytes`: how much of a
    decompressed body is read. `ca_file`: the certificates to trust, certifi's by default.
    """

    def __init__(self, site: Site, network: Network, cap_bytes: int = BODY_CAP, ca_file: str | None = None) -> None:
        self._site = site
        self._network = network
        self._home = origin(site.url)
        self._first = first_request(site)
        self._login = login(site)
        # A header without a value ends in a semicolon: "Name:" would remove it.
        self._headers = [f"{name}: {value}".encode() if value else f"{name};".encode() for name, value in site.headers]
        self._assertions = in_force(site)
        self._body = Body(cap_bytes, any(assertion.needs_body for assertion in self._assertions))
        self._head = Head() if any(assertion.needs_headers for assertion in self._assertions) else None
        self._prepared: Request | None = None
        self._curl = _new_handle(self._body, ca_file or certifi.where(), site.verify_tls)
        if self._head:
            self._curl.setopt(pycurl.HEADERFUNCTION, self._head.receive)
        self._transfer = Transfer(self._curl)
        self._waited_ns = 0

    def check(self) -> ProbeResult:
        """Check the site once: takes no longer than its time-out, redirects included.

        Raises `CheckAbandoned` when the network thread ends meanwhile or no socket is to be had, and nothing else.

        A redirect is followed only when the site says so; then the last answer counts.
        - `status` is that of the last answer that began, also when it was cut short or timed out; 0 without one.
        - `response_us` is the exact sum of the phases when an answer came whole (or up to the cap), also if it was not
          the expected one; else None.
        - `phases_us` are sums over all redirects; after a failed transfer only the phases that had ended.
        """
        try:
            self._waited_ns = 0
            return self._check()
        except CheckAbandoned:
            raise
        except Exception as error:  # noqa: BLE001 - a check is a measurement: whatever happens is its result
            self._prepared = None
            # Its text is not shown: it could quote a header or a URL.
            return ProbeResult(cause=Cause.ERROR, detail=f"unexpected {type(error).__name__} in the probe")
        finally:
            self._body.start()

    def close(self) -> None:
        """Free the handle; a second close does nothing."""
        self._curl.close()

    def _check(self) -> ProbeResult:
        # Cookies live for one check: sites that set one and redirect to themselves would loop for ever without.
        self._curl.setopt(pycurl.COOKIELIST, "ALL")
        request, before = self._first, NO_PHASES
        for _ in range(MAX_REDIRECTS + 1):
            hop = self._perform(request, self._left_us(before))
            before = _add(before, hop.phases_us)
            if hop.fault:
                return self._result(hop.status, None, before, hop.fault)
            if hop.target is None:
                return self._judged(hop.status, before)
            step = redirected(self._home, request, hop.status, hop.target)
            if isinstance(step, Fault):
                return self._result(hop.status, _total(before), before, step)
            request = step
        return self._result(
            hop.status, _total(before), before, Fault(Cause.REDIRECTS, f"more than {MAX_REDIRECTS} redirects")
        )

    def _left_us(self, phases_us: Phases) -> int:
        """What is left of the check's time after complete hops; by libcurl's own clock."""
        return self._site.timeout_ms * 1000 - _total(phases_us)

    def _judged(self, status: int, phases_us: Phases) -> ProbeResult:
        response_us = _total(phases_us)
        answer = Answer(
            status,
            response_us,
            left_us=self._site.timeout_ms * 1000 - response_us,
            headers=tuple(self._head.fields) if self._head else (),
            cut=self._body.full,  # before it is taken
            text=decode(self._body.take(), self._info_text(pycurl.CONTENT_TYPE)) if self._body.keeps else "",
        )
        wrong = judge(self._assertions, answer)
        return self._result(status, response_us, phases_us, wrong and Fault(wrong[0], printable(wrong[1])))

    def _result(self, status: int, response_us: int | None, phases_us: Phases, fault: Fault | None) -> ProbeResult:
        waited_us = self._waited_ns // 1_000
        if fault is None:
            return ProbeResult(status, response_us, phases_us, waited_us=waited_us)
        return ProbeResult(status, response_us, phases_us, fault.cause, fault.detail, waited_us)

    def _perform(self, request: Request, left_us: int) -> Hop:
        found = self._look_up(request, left_us)
        if found.reason or found.timed_out:
            return Hop(0, NO_PHASES, _lookup_fault(request, found))
        self._prepare(request)
        self._curl.setopt(pycurl.TIMEOUT_MS, max(1, (left_us - found.took_us) // 1000))
        self._body.start()
        ended = self._network.perform(self._transfer)
        self._waited_ns += self._transfer.waited_ns
        if ended.code == pycurl.E_COULDNT_CONNECT and not self._curl.getinfo(pycurl.OS_ERRNO) and sockets_are_known():
            self._network.found_no_socket()  # nothing was refused: there was no connection to be opened here
            raise CheckAbandoned
        marks = self._marks(found.took_us)
        if ended.code and not self._body.full:
            return self._failed_hop(request, ended, marks)
        return self._complete_hop(marks)

    def _look_up(self, request: Request, left_us: int) -> LookupResult:
        """Find the addresses of the host and tell libcurl; it looks up by itself what is no plain name."""
        if request.name is None:
            return NO_LOOKUP
        found = self._network.look_up(request.name, left_us)
        if found.addresses:
            self._curl.setopt(pycurl.RESOLVE, [lookup_entry(request.url, found.addresses)])
        return found

    def _complete_hop(self, marks: Marks) -> Hop:
        status, phases_us = self._status(), _phases(marks, answered=True, complete=True)
        if status not in REDIRECTS or not self._site.follow_redirects:
            return Hop(status, phases_us)
        if self._body.full:  # libcurl tells the target only after the whole body
            return Hop(status, phases_us, Fault(Cause.REDIRECTS, "the redirect's own page is too large"))
        return Hop(status, phases_us, target=self._info_text(pycurl.REDIRECT_URL) or None)

    def _failed_hop(self, request: Request, ended: TransferResult, marks: Marks) -> Hop:
        status = self._status()
        progress = Progress(
            in_handshake=request.url.startswith("https:") and marks[1] > 0 and marks[2] == 0,
            request_sent=self._curl.getinfo(pycurl.REQUEST_SIZE) > 0,
            redirected=request is not self._first,
        )
        phases_us = _phases(marks, answered=status > 0, complete=False)
        return Hop(status, phases_us, transfer_fault(ended.code, ended.text, progress))

    def _status(self) -> int:
        """The status received last; 0 if only interim ones (1xx) came."""
        status = self._curl.getinfo(pycurl.RESPONSE_CODE)
        return int(status) if status >= 200 else 0

    def _marks(self, before_us: int) -> Marks:
        """What libcurl's clock shows, after a lookup that took `before_us`."""
        info = self._curl.getinfo
        marks = (
            info(pycurl.NAMELOOKUP_TIME_T),
            info(pycurl.CONNECT_TIME_T),
            info(pycurl.APPCONNECT_TIME_T),
            info(pycurl.STARTTRANSFER_TIME_T),
            info(pycurl.TOTAL_TIME_T),
        )
        if not before_us:
            return marks
        lookup, connect, tls, start, total = (mark and mark + before_us for mark in marks)
        return lookup, connect, tls, start, total

    def _info_text(self, info: int) -> str:
        return (self._curl.getinfo_raw(info) or b"").decode("utf-8", "surrogateescape")

    def _prepare(self, request: Request) -> None:
        """Set what differs from hop to hop; a site that never redirects needs it once."""
        if request == self._prepared:
            return
        self._prepared = None  # should an option be refused half-way
        self._curl.setopt(pycurl.URL, request.url.encode("utf-8", "surrogateescape"))
        self._prepare_identity(request.at_home)
        self._prepare_method(request.method, self._site.body if request.with_body else None)
        self._prepared = request

    def _prepare_identity(self, at_home: bool) -> None:
        """The site's headers and login, for nobody but itself."""
        curl = self._curl
        for option in (pycurl.HTTPHEADER, pycurl.USERNAME, pycurl.PASSWORD):
            curl.unsetopt(option)
        if at_home and self._headers:
            curl.setopt(pycurl.HTTPHEADER, self._headers)
        if at_home and self._login:
            curl.setopt(pycurl.USERNAME, self._login[0].encode())
            curl.setopt(pycurl.PASSWORD, self._login[1].encode())

    def _prepare_method(self, method: str, body: bytes | None) -> None:
        curl = self._curl
        curl.unsetopt(pycurl.CUSTOMREQUEST)
        curl.setopt(pycurl.NOBODY, 0)
        curl.setopt(pycurl.HTTPGET, 1)
        if body is not None or method in ("POST", "PUT", "PATCH"):  # these say "Content-Length: 0" without a body
            curl.setopt(pycurl.POSTFIELDS, body or b"")
        if method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif method != "GET" or body is not None:
            curl.setopt(pycurl.CUSTOMREQUEST, method)


def _new_handle(body: Body, ca_file: str, verify_tls: bool) -> pycurl.Curl:
    curl = pycurl.Curl()
    _be_a_new_visitor(curl)
    _use_certificates(curl, ca_file, verify_tls)
    curl.setopt(pycurl.WRITEFUNCTION, body.receive)
    return curl


def _be_a_new_visitor(curl: pycurl.Curl) -> None:
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    curl.setopt(pycurl.COOKIEFILE, "")
    # The site itself is checked, the same from a terminal, cron or a container: no proxy from the environment.
    curl.setopt(pycurl.PROXY, "")
    # One request a connection gains nothing from HTTP/2, which costs CPU and depends on how libcurl was built.
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    curl.setopt(pycurl.ACCEPT_ENCODING, "")
    curl.setopt(pycurl.USERAGENT, f"website-monitor/{__version__}")
    curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not go together
    # A resolver that hangs must not hold up `close` (without this: until it gives up, often ten seconds).
    curl.setopt(_QUICK_EXIT, 1)


def _use_certificates(curl: pycurl.Curl, ca_file: str, verify_tls: bool) -> None:
    curl.setopt(pycurl.CAINFO, ca_file)
    curl.setopt(pycurl.SSL_VERIFYPEER, int(verify_tls))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if verify_tls else 0)
    # Parsed certificates are kept per handle: about 0.5 MB for each https site, where parsing them for every check
    # would cost about 6 ms of CPU. libcurl cannot share them between handles.
    curl.setopt(_CA_CACHE_TIMEOUT, 86_400)


def _phases(marks: Marks, answered: bool, complete: bool) -> Phases:
    """Split libcurl's marks into phases: each lasts from the end of the one before to its own mark.

    So they add up to the last mark exactly. libcurl sets the last two marks also when a transfer fails before them.
    """
    happened = (True, True, True, answered, complete)
    phases: list[int | None] = []
    end = 0
    for mark, real in zip(marks, happened, strict=True):
        took, end = (mark - end, mark) if mark > end else (0, end)
        phases.append(took if mark and real else None)
    return (phases[0], phases[1], phases[2], phases[3], phases[4])


def _add(one: Phases, other: Phases) -> Phases:
    if one is NO_PHASES:
        return other
    sums = [a if b is None else b + (a or 0) for a, b in zip(one, other, strict=True)]
    return (sums[0], sums[1], sums[2], sums[3], sums[4])


def _total(phases_us: Phases) -> int:
    return sum(filter(None, phases_us))


def _lookup_fault(request: Request, found: LookupResult) -> Fault:
    if found.timed_out:
        return Fault(Cause.TIMEOUT, printable(f"no answer to the lookup of {request.name} in time"))
    return Fault(Cause.DNS, printable(f"could not resolve {request.name}: {found.reason}"))
