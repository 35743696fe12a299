"""The status page as a WSGI application: routes, authorisation, and the form of answers."""

import base64
import binascii
import gzip
from collections.abc import Callable
from functools import partial

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import Forbidden as NotHere
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from monitoring.clock import Clock
from monitoring.config.tokens import Tokens
from monitoring.display.text.jsonlines import alert_json, month_json, stats_json
from monitoring.display.view_model.months import month_csv
from monitoring.errors import StoreError
from monitoring.gateway.access import Forbidden, Unauthorised, authorise
from monitoring.gateway.limits import Limits, RateLimiter
from monitoring.gateway.server import Refused, ignore_refused
from monitoring.web.board import Board
from monitoring.web.detail import site_csv, site_json
from monitoring.web.metrics import MetricsKeeper
from monitoring.web.pages import NoSuchPage, Pages

HTML = "text/html; charset=utf-8"
SVG = "image/svg+xml; charset=utf-8"
JSON = "application/json"
CSV = "text/csv; charset=utf-8"
ATOM = "application/atom+xml; charset=utf-8"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

POLICY = "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
"""The browser loads nothing from other hosts, runs no inline scripts, and does not show the page in a frame."""

HEALTH, STATIC = "/healthz", "/static/"
"""Paths that need no token, because they reveal nothing about the sites."""

COMPRESS_FROM_BYTES = 2_048
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "[::1]"}

Answer = Callable[..., Response]


def make_application(
    board: Board,
    tokens: Tokens,
    limits: Limits,
    clock: Clock,
    names: frozenset[str] | None,
    refused: Refused = ignore_refused,
) -> Flask:
    """The status page of this board.

    `names` are the allowed values of the header `Host` (None: any, because requests need a token). `refused` is called with
    the status of each answer.
    """
    application = Flask("page", static_folder=None)
    application.url_map.strict_slashes = False
    application.url_map.merge_slashes = False
    rate = RateLimiter(limits, clock)
    application.before_request(partial(_admit, tokens, rate, names))
    pages = Pages(board)
    for path, answer in _routes(board, pages).items():
        application.add_url_rule(path, path, answer, methods=["GET"], provide_automatic_options=False)
    for kind, status in ((Unauthorised, 401), (Forbidden, 403), (NoSuchPage, 404), (StoreError, 503)):
        application.register_error_handler(kind, partial(_refuse, pages, status))
    application.register_error_handler(HTTPException, lambda error: _refuse(pages, error.code or 500, error))
    application.after_request(_finish)
    application.after_request(partial(_report_status, refused))
    return application


def _routes(board: Board, pages: Pages) -> dict[str, Answer]:
    metrics = MetricsKeeper()
    return {
        "/": lambda: _text(pages.overview(request.args.get("q", "")), HTML),
        "/updates": lambda: _text(pages.updates(request.args.get("since", 0, int)), JSON),
        "/site/<slug>": lambda slug: _text(pages.site(slug, _window(), request.url_root), HTML),
        "/site/<slug>/data.json": lambda slug: _text(site_json(pages.view(slug, _window())), JSON),
        "/site/<slug>/data.csv": lambda slug: _text(site_csv(pages.view(slug, _window())), CSV),
        "/incidents": lambda: _text(pages.incidents(), HTML),
        "/incidents.atom": lambda: _text(pages.atom(request.url_root), ATOM),
        "/incidents/<name>": lambda name: _text(pages.incident(name), HTML),
        "/report": lambda: _text(pages.report(""), HTML),
        "/report/<name>": lambda name: _text(pages.report(name), HTML),
        "/report/<name>.csv": lambda name: _text(month_csv(pages.month(name)), CSV),
        "/report/<name>.json": lambda name: _text(month_json(pages.month(name)), JSON),
        "/badge.svg": lambda: _text(pages.badge_of_all(), SVG),
        "/badge/<slug>.svg": lambda slug: _text(pages.badge(slug, _window()), SVG),
        "/favicon.svg": lambda: _text(pages.favicon(), SVG),
        "/static/<name>": lambda name: _text(*pages.static(name)),
        "/metrics": lambda: Response(metrics.text(board.latest()), content_type=METRICS_TYPE),
        "/api/v1/stats": lambda: _stats(board),
        "/api/v1/alerts": lambda: _alerts(board),
        HEALTH: lambda: _health(board),
    }


def _admit(tokens: Tokens, rate: RateLimiter, names: frozenset[str] | None) -> None:
    """Raises `TooManyRequests`, `NotHere`, `Unauthorised` or `Forbidden`."""
    rate.admit(request.remote_addr or "")
    if names is not None and _host_name(request.headers.get("Host", "")) not in names:
        raise NotHere("this page answers to " + ", ".join(sorted(names)) + " only")
    if request.path != HEALTH and not request.path.startswith(STATIC):
        authorise(tokens, "read", _bearer(request.headers.get("Authorization", "")))
    if not request.environ.get("PATH_INFO"):  # mounted at a path and called without the slash that relative links need
        raise RequestRedirect(request.url_root)


def _host_name(host: str) -> str:
    """The name in the header `Host`, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _bearer(header: str) -> str:
    """The header with a password as the token: browsers ask for a user name, which is ignored, and a password."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        _, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return f"Bearer {password}"


def _window() -> str:
    """The name of the requested window; "": none."""
    return request.args.get("window", "")


def _text(body: str | bytes, content_type: str) -> Response:
    return Response(body, content_type=content_type)


def _stats(board: Board) -> Response:
    """The statistics of one of the windows on the board, in the JSON of the command line."""
    overview = board.latest().overview
    asked_s = request.args.get("window", 600, int)
    report = overview.report(asked_s * 1_000)
    if report is None:
        lengths = ", ".join(str(it.length_ms // 1_000) for it in overview.view.reports) or "none yet"
        raise NoSuchPage(f"there are statistics of these windows, in seconds: {lengths}")
    return _text(stats_json(report), JSON)


def _alerts(board: Board) -> Response:
    """Every known alert and recovery, the newest first, in the JSON of the command line: one object a line."""
    overview = board.latest().overview
    records = [it for incident in overview.incidents for it in (incident.alert, incident.recovery) if it]
    records.sort(key=lambda it: it.time_ms, reverse=True)
    return _text("".join(f"{alert_json(it, overview.names.get(it.host))}\n" for it in records), "application/x-ndjson")


def _health(board: Board) -> Response:
    """200 while the store can be read, otherwise 503. It hides the reason, because it needs no token."""
    overview = board.latest().overview
    good = not overview.view.read_error and not overview.is_stale and bool(overview.rows)
    return Response(msgspec.json.encode({"readable": good}), 200 if good else 503, content_type=JSON)


def _refuse(pages: Pages, status: int, error: Exception) -> Response:
    """The reason as one line for programs, or as a page for browsers."""
    words = (error.description if isinstance(error, HTTPException) else str(error)) or "not here"
    if "text/html" in request.headers.get("Accept", ""):
        response = Response(pages.refusal(status, words, f"{request.script_root}/"), status, content_type=HTML)
    else:
        response = Response(f"{words}\n", status, content_type="text/plain; charset=utf-8")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="status page", charset="UTF-8"'
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After", "Location"):
                response.headers[name] = value
    return response


def _report_status(refused: Refused, response: Response) -> Response:
    refused(response.status_code, request.remote_addr or "")
    return response


def _finish(response: Response) -> Response:
    """Set the headers that protect the page from other sites, and compress long answers for clients that accept it."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-cache")
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.add_etag()
    response.make_conditional(request)
    accepts_gzip = response.status_code == 200 and request.accept_encodings.quality("gzip")
    if accepts_gzip and len(body := response.get_data()) >= COMPRESS_FROM_BYTES:
        response.set_data(gzip.compress(body, 1))
        response.headers["Content-Encoding"] = "gzip"
    return response
