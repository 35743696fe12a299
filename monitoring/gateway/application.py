"""The gateway as a WSGI application: routes, authorisation, errors, and the form of answers."""

import gzip
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from monitoring.clock import Clock
from monitoring.config.tokens import Tokens
from monitoring.errors import ConfigError, StoreError, StoreRefused, StoreUnverified
from monitoring.gateway import requests
from monitoring.gateway.access import Forbidden, Unauthorised, authorise
from monitoring.gateway.databases import Databases
from monitoring.gateway.description import description
from monitoring.gateway.index import index
from monitoring.gateway.legacy_api import legacy_handlers
from monitoring.gateway.limits import Limits, RateLimiter
from monitoring.gateway.metrics import Metrics
from monitoring.gateway.public_api import CONTENT, JSON, PublicApi
from monitoring.gateway.refusals import Refusals
from monitoring.gateway.store_api import Answer, StoreApi
from monitoring.gateway.tls import Wsgi
from monitoring.models import Site
from monitoring.storage.base import Backend
from monitoring.storage.gateway.interface import HEALTH, Endpoint, RefusedAnswer, Role
from monitoring.storage.gateway.messages import Malformed

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

RETRY_AFTER_S = 1
COMPRESS_FROM_BYTES = 4_096


def make_application(
    databases: Databases,
    tokens: Tokens,
    limits: Limits,
    clock: Clock,
    refusals: Refusals | None = None,
    page_at: str = "",
    sites: Callable[[], Sequence[Site]] = tuple,
) -> Flask:
    """The gateway to this database. `page_at` is the path of the status page, `sites` returns the configured sites."""
    refusals = refusals or Refusals()
    application = Flask("gateway", static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = limits.body_bytes
    application.url_map.strict_slashes = False
    application.url_map.merge_slashes = False
    metrics = Metrics(refusals)
    routes = Routes(application, tokens, RateLimiter(limits, clock))
    current = StoreApi(databases, limits, clock, metrics)
    handlers = current.handlers()
    for endpoint, handler in {**handlers, **legacy_handlers(current)}.items():
        routes.add(endpoint.method, endpoint.path, endpoint.role, partial(_answer, current, endpoint, handler))
    public = PublicApi(current, clock, sites)
    for endpoint in CONTENT:
        routes.add(endpoint.method, endpoint.path, endpoint.role, partial(_answer_public, public, endpoint))
    routes.add("GET", HEALTH.path, HEALTH.role, lambda: _json(current.health()))
    routes.add("GET", "/metrics", "read", lambda: Response(current.metrics(), content_type=METRICS_TYPE))
    routes.add("GET", "/api/v2/openapi.json", None, lambda: _json(description()))
    routes.add("GET", "/", None, partial(index, tokens, page_at))
    for kind, status in _STATUSES:
        application.register_error_handler(kind, partial(_refuse, status))
    application.register_error_handler(HTTPException, _http_error)
    application.after_request(partial(_count, metrics, refusals))
    application.after_request(_finish)
    return application


def mount(application: Flask, path: str, other: Wsgi) -> None:
    """Let another application answer all requests below this path, with its own authorisation."""
    application.wsgi_app = DispatcherMiddleware(application.wsgi_app, {path: other})  # type: ignore[method-assign]


class Routes:
    """The routes. Each request must pass the rate limit of its address, then the token of its route."""

    def __init__(self, application: Flask, tokens: Tokens, rate: RateLimiter) -> None:
        self._application = application
        self._tokens = tokens
        self._rate = rate
        self._roles: dict[str, Role | None] = {}
        application.before_request(self._admit)

    def add(self, method: str, path: str, role: Role | None, answer: Callable[[], Response]) -> None:
        name = f"{method} {path}"
        self._roles[name] = role
        self._application.add_url_rule(path, name, answer, methods=[method], provide_automatic_options=False)

    def _admit(self) -> None:
        """Raises `TooManyRequests`, `Unauthorised` or `Forbidden`."""
        self._rate.admit(request.remote_addr or "")
        if role := self._roles.get(request.endpoint or ""):
            authorise(self._tokens, role, request.headers.get("Authorization", ""))


_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorised, 401),
    (Forbidden, 403),
    (Malformed, 422),
    (ConfigError, 422),
    (StoreRefused, 422),
    (StoreUnverified, 409),
    (StoreError, 503),  # also if the database denies access to the gateway: a client's token cannot help then
)

_WORDS = {
    404: "there is nothing at this path; see /api/v2/openapi.json",
    405: "this path does not take this method",
    500: "internal error",
}


def _answer(current: StoreApi, endpoint: Endpoint[Any, Any], handler: Callable[[Backend, Any], Answer]) -> Response:
    asked = requests.read(endpoint)
    with current.turn(getattr(asked, "location", None) or "") as database:
        return _json(handler(database, asked))


def _answer_public(public: PublicApi, endpoint: Endpoint[Any, Any]) -> Response:
    return Response(public.answer(endpoint, requests.read(endpoint)), content_type=CONTENT[endpoint])


def _json(found: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(found), status, content_type=JSON)


def _refuse(status: int, error: Exception) -> Response:
    refusal = RefusedAnswer(str(error))
    if isinstance(error, StoreRefused):
        refusal = RefusedAnswer(str(error), error.dropped, error.field, error.by_age)
    response = _json(refusal, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _http_error(error: HTTPException) -> Response:
    """An HTTP error as JSON, with its headers."""
    response = _json(RefusedAnswer(_WORDS.get(error.code or 500) or error.description or error.name), error.code or 500)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _count(metrics: Metrics, refusals: Refusals, response: Response) -> Response:
    refusals.note(response.status_code, request.remote_addr or "")
    path = request.url_rule.rule if request.url_rule else "other"
    metrics.answered(path, response.status_code)
    if request.method == "POST" and response.status_code in (400, 413, 415, 422):
        metrics.refused()
    return response


def _finish(response: Response) -> Response:
    """Compress long answers for clients that accept it; forbid caching and guessing of the content type."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Vary"] = "Accept-Encoding"
    body = response.get_data()
    if len(body) >= COMPRESS_FROM_BYTES and request.accept_encodings.quality("gzip"):
        response.set_data(gzip.compress(body, 1))
        response.headers["Content-Encoding"] = "gzip"
    return response
