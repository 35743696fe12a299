"""The answer at `/`: what the gateway is, and its paths."""

from html import escape

import msgspec
from flask import Response, request

from monitoring import __version__
from monitoring.config.tokens import Tokens

PLACES = (
    ("/api/v2/openapi.json", "the interface, described", False),
    ("/healthz", "does the database answer?", False),
    ("/metrics", "for Prometheus", True),
    ("/api/v2/stats?window=600", "statistics of the past ten minutes", True),
    ("/api/v2/alerts?since=1d", "alerts and recoveries of the past day, one a line", True),
)
"""Each path, its content, and whether it needs the token for reading."""

NAME = "website monitor: gateway"
ABOUT = "It stands between monitors and readers on one side and their database on the other."


def index(tokens: Tokens, page_at: str = "") -> Response:
    """JSON, HTML or text, as the client prefers. `page_at` is the path of the status page ("": there is none)."""
    every = (*(((f"{page_at}/", "the status page, for browsers", True),) if page_at else ()), *PLACES)
    places = {place: f"{what}{' (token for reading)' * (needs and tokens.required)}" for place, what, needs in every}
    preferred = request.accept_mimetypes.best_match(["application/json", "text/html", "text/plain"], "application/json")
    if preferred == "text/html":
        rows = "".join(f'<li><a href="{escape(place)}">{escape(place)}</a>: {what}</li>' for place, what in places.items())
        page = f"<!doctype html><title>{NAME}</title><h1>{NAME} {__version__}</h1><p>{ABOUT}</p><ul>{rows}</ul>"
        return Response(page, content_type="text/html; charset=utf-8")
    if preferred == "text/plain":
        lines = [f"{NAME} {__version__}", ABOUT, *(f"  {place}  {what}" for place, what in places.items())]
        return Response("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")
    body = msgspec.json.encode({"name": NAME, "version": __version__, "about": ABOUT, "places": places})
    return Response(body, content_type="application/json")
