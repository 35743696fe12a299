"""The libcurl handle of one site: sets options once, prepares each request, and reads the outcome."""

from ssl import cert_time_to_seconds

import pycurl

from monitoring import __version__
from monitoring.checks.abilities import http_version
from monitoring.checks.decoding import ACCEPTED
from monitoring.checks.failure import Progress
from monitoring.checks.phases import Marks
from monitoring.checks.redirects import Request, headers_of, login
from monitoring.checks.response import Response
from monitoring.checks.transport import apply_authentication, apply_client_certificate, apply_transport
from monitoring.models import Site
from monitoring.trust import Bundle

# Options of libcurl that pycurl has no names for.
_CA_CACHE_TIMEOUT = 321  # libcurl 7.87
_QUICK_EXIT = 322  # libcurl 7.87

_HTTP_2 = pycurl.CURL_HTTP_VERSION_2


class Handle:
    """The handle of one site. It belongs to one thread, except during a transfer."""

    def __init__(self, site: Site, response: Response, trusted: Bundle) -> None:
        """`response` receives the answers."""
        self.curl = pycurl.Curl()
        self._site = site
        self._response = response
        self._trusted = trusted
        self._login = login(site)
        self._keeps_certificates = False
        self._http_version = http_version(site)
        self._is_at_home: bool | None = None
        """Whether it is set up for the site itself; None: not yet.

        The first `prepare` does it: in this constructor it would make the stack of each thread a page (4 kB) deeper.
        """

    def _set_up(self, at_home: bool) -> None:
        """Set the options that stay the same. Away from home no client certificate is presented."""
        curl, site = self.curl, self._site
        self._prepared: Request | None = None
        self._ca_file = ""
        _be_a_new_visitor(curl)
        _verify(curl, site.verify_tls, keep_certificates=site.transport.ca_file is None)
        apply_transport(curl, site)
        self.speak(self._http_version)
        if at_home:
            apply_client_certificate(curl, site.transport)
        curl.setopt(pycurl.OPT_CERTINFO, int(self._keeps_certificates))
        curl.setopt(pycurl.HEADERFUNCTION, self._response.receive_header)
        curl.setopt(pycurl.WRITEFUNCTION, self._response.receive_body)
        self._is_at_home = at_home

    def _reset(self) -> None:
        """Forget the last transfer and all options."""
        self.curl.reset()
        self._is_at_home = None

    def close(self) -> None:
        """A second close does nothing."""
        self.curl.close()

    def forget(self) -> None:
        """Prepare the next request from scratch."""
        self._prepared = None

    def speak(self, version: int) -> None:
        """Use this version of HTTP (a constant of libcurl) from now on."""
        self._http_version = version
        self.curl.setopt(pycurl.HTTP_VERSION, version)

    def forget_cookies(self) -> None:
        self.curl.setopt(pycurl.COOKIELIST, "ALL")

    def prepare(self, request: Request, found: list[str], timeout_ms: int) -> None:
        """Prepare this request with a time-out; `found`: entries for RESOLVE of the names that were looked up for it."""
        if request.at_home != self._is_at_home and self._site.transport.client_certificate:
            self._reset()
        if self._is_at_home is None:
            self._set_up(request.at_home)
        if found:
            self.curl.setopt(pycurl.RESOLVE, found)
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, timeout_ms))
        if self._ca_file != self._trusted.spelling:
            self._ca_file = self._trusted.spelling
            self.curl.setopt(pycurl.CAINFO, self._ca_file)
            if self._site.transport.proxy:
                self.curl.setopt(pycurl.PROXY_CAINFO, self._ca_file)
        if request is self._prepared:  # for a site that does not redirect, the rest is set once
            return
        self._prepared = None  # in case an option is refused below
        self.curl.setopt(pycurl.URL, request.url.encode("utf-8", "surrogateescape"))
        self._prepare_identity(request)
        self._prepare_method(request.method, self._site.body if request.with_body else None)
        self._prepared = request

    def _prepare_identity(self, request: Request) -> None:
        """Set the headers and the login that this request may carry."""
        curl = self.curl
        for option in (pycurl.HTTPHEADER, pycurl.USERNAME, pycurl.PASSWORD):
            curl.unsetopt(option)
        # A header without a value ends in a semicolon: "Name:" would remove it.
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers_of(self._site, request)]
        if lines:
            curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in lines])
        if request.at_home and self._login:
            curl.setopt(pycurl.USERNAME, self._login[0].encode())
            curl.setopt(pycurl.PASSWORD, self._login[1].encode())
        apply_authentication(curl, self._site.transport, request.at_home)

    def _prepare_method(self, method: str, body: bytes | None) -> None:
        curl = self.curl
        curl.unsetopt(pycurl.CUSTOMREQUEST)
        curl.setopt(pycurl.NOBODY, 0)
        curl.setopt(pycurl.HTTPGET, 1)
        if body is not None or method in ("POST", "PUT", "PATCH"):  # without a body these send "Content-Length: 0"
            curl.setopt(pycurl.POSTFIELDS, body or b"")
        curl.setopt(pycurl.HTTP09_ALLOWED, int(method != "HEAD"))  # so that `Response` sees an answer that is not HTTP
        if method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif method != "GET" or body is not None:
            curl.setopt(pycurl.CUSTOMREQUEST, method)

    def status(self) -> int:
        """The last status received; 0 if there was none or only interim ones (1xx)."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return int(status) if status >= 200 else 0

    def marks(self, before_us: int) -> Marks:
        """libcurl's timers, shifted by a lookup that took `before_us` before it began."""
        info = self.curl.getinfo
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

    def keep_certificates(self, wanted: bool) -> None:
        """Choose whether transfers keep what `certificate_s` needs: about 6 kB until the next one, and 0.1 ms each.

        libcurl frees that in the network thread, which made it. Freed in this thread, by a reset, it would remain in the
        thread's cache of free memory (glibc's tcache).
        """
        if wanted != self._keeps_certificates:
            self._keeps_certificates = wanted
            self.curl.setopt(pycurl.OPT_CERTINFO, int(wanted))

    def certificate_s(self) -> int | None:
        """The earliest expiry in the chain that the server sent, in Unix time; None if none was kept."""
        dates = [dict(one).get(b"Expire date") for one in self.curl.getinfo_raw(pycurl.INFO_CERTINFO)]
        return min((cert_time_to_seconds(date.decode("ascii")) for date in dates if date), default=None)

    def content_type(self) -> str:
        return (self.curl.getinfo_raw(pycurl.CONTENT_TYPE) or b"").decode("utf-8", "surrogateescape")

    def found_no_socket(self) -> bool:
        """After a failed connection: whether the system had no socket, rather than a server or proxy refusing it."""
        return not (self.curl.getinfo(pycurl.OS_ERRNO) or self.curl.getinfo(pycurl.HTTP_CONNECTCODE))

    def has_all(self) -> bool:
        """Whether the body is as long as its headers announced."""
        announced = self.curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T)
        is_head = self._prepared is not None and self._prepared.method == "HEAD"
        return is_head or bool(0 <= announced == self.curl.getinfo(pycurl.SIZE_DOWNLOAD_T))

    def spoke_http_2(self) -> bool:
        """Whether the answer came by HTTP/2."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) >= _HTTP_2)

    def progress(self, request: Request, marks: Marks, redirected: bool) -> Progress:
        """How far a failed transfer got."""
        by_tls = request.url.startswith("https:")
        return Progress(
            by_tls=by_tls,
            in_handshake=by_tls and marks[1] > 0 and marks[2] == 0,
            request_sent=self.curl.getinfo(pycurl.REQUEST_SIZE) > 0,
            redirected=redirected,
            os_error=self.curl.getinfo(pycurl.OS_ERRNO),
        )


def _be_a_new_visitor(curl: pycurl.Curl) -> None:
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    curl.setopt(pycurl.COOKIEFILE, "")
    curl.setopt(pycurl.ACCEPT_ENCODING, ACCEPTED)
    curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)  # done by `Response`
    curl.setopt(pycurl.USERAGENT, f"website-monitor/{__version__}")
    curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not go together
    # A resolver that hangs must not hold up `close` (without this: until it gives up, often ten seconds).
    curl.setopt(_QUICK_EXIT, 1)


def _verify(curl: pycurl.Curl, verify_tls: bool, keep_certificates: bool) -> None:
    curl.setopt(pycurl.SSL_VERIFYPEER, int(verify_tls))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if verify_tls else 0)
    # libcurl keeps the parsed certificates of one CA file on the multi handle (0.5 MB); parsing them for every check would
    # cost about 6 ms of CPU. It keeps those of the file that most sites use. A changed file gets another name.
    curl.setopt(_CA_CACHE_TIMEOUT, 86_400 if keep_certificates else 0)
