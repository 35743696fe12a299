"""Imports a configuration of Gatus: YAML with `endpoints`."""

import re
from collections.abc import Mapping

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "a Gatus configuration"
DEFAULT_INTERVAL = "60s"

_CONDITION = re.compile(r"(?P<left>.+?)\s*(?P<sign>==|!=|<=|>=|<|>)\s*(?P<right>.+)", re.DOTALL)
_FUNCTION = re.compile(r"(?P<name>any|pat)\((?P<inner>.*)\)", re.DOTALL)
_JSON = re.compile(r"(?P<length>len\()?\[BODY\]\.?(?P<path>[^)]*)\)?")
_IN_STARS = re.compile(r"\*([^*?\[\]]+)\*")

OTHER_KEYS = ("alerts", "dns", "ssh", "graphql", "maintenance-windows", "ui", "extra-labels", "store", "always-run")
"""Keys of an endpoint without an equivalent here."""


def read(data: object) -> Imported | None:
    """The websites; None: the data have another format."""
    endpoints = data.get("endpoints") if isinstance(data, Mapping) else None
    if not isinstance(endpoints, list) or not isinstance(data, Mapping):
        return None
    secrets = Secrets(template=lambda text: text)  # Gatus replaces ${NAME}, too
    sites = [_site(secrets, endpoint) for endpoint in endpoints if isinstance(endpoint, Mapping)]
    rest = sorted(str(key) for key in data if key != "endpoints")
    notes = [f"not imported from the rest of the file: {', '.join(rest)}"] if rest else []
    notes += [f"endpoints[{n}] is not an endpoint" for n, it in enumerate(endpoints) if not isinstance(it, Mapping)]
    return Imported(SOURCE, sites, secrets, notes)


def _site(secrets: Secrets, endpoint: Mapping[str, object]) -> Draft:
    draft = Draft({"URL": ""})
    draft.put("name", str(endpoint.get("name") or ""))
    draft.keys["URL"] = secrets.url(draft, str(endpoint.get("url", "")))
    draft.put("group", endpoint.get("group"))
    if endpoint.get("enabled") is False:
        draft.keys["enabled"] = False
    draft.put("checkInterval", str(endpoint.get("interval", DEFAULT_INTERVAL)))
    draft.put("method", endpoint.get("method"))
    headers = endpoint.get("headers")
    if isinstance(headers, Mapping):
        draft.put("headers", secrets.headers(draft, headers))
    if isinstance(body := endpoint.get("body"), str) and body:
        draft.keys["body"] = secrets.body(draft, body)
    _read_client(secrets, draft, endpoint.get("client"))
    conditions = endpoint.get("conditions")
    for condition in conditions if isinstance(conditions, list) else []:
        if not _add_condition(draft, str(condition).strip()):
            draft.notes.append(f"no equivalent for the condition: {condition}")
    if others := [key for key in OTHER_KEYS if key in endpoint]:
        draft.notes.append(f"no equivalent here: {', '.join(others)}")
    return draft


def _read_client(secrets: Secrets, draft: Draft, client: object) -> None:
    if not isinstance(client, Mapping):
        return
    known = {"timeout", "insecure", "ignore-redirect", "proxy-url"}
    draft.put("timeout", client.get("timeout") and str(client["timeout"]))
    if client.get("insecure") is True:
        draft.keys["verifyTLS"] = False
    if client.get("ignore-redirect") is True:
        draft.keys["followRedirects"] = False
    if proxy := client.get("proxy-url"):
        draft.keys["proxy"] = secrets.url(draft, str(proxy))
    if others := sorted(str(key) for key in client if key not in known):
        draft.notes.append(f"no equivalent here: client.{', client.'.join(others)}")


def _add_condition(draft: Draft, condition: str) -> bool:
    """Add a condition to the draft. Returns whether there is an equivalent."""
    found = _CONDITION.fullmatch(condition)
    if found is None:
        return False
    left, sign, right = found["left"], found["sign"], found["right"].strip().strip("\"'")
    if left == "[CONNECTED]":
        return (sign, right) == ("==", "true")
    if left == "[STATUS]":
        return _add_status(draft, sign, right)
    if left == "[CERTIFICATE_EXPIRATION]" and sign in (">", ">="):
        draft.keys["certificateWarning"] = right
        draft.notes.append(f"{condition}: sends a warning, but the site does not count as down")
        return True
    if left == "[RESPONSE_TIME]" and sign in ("<", "<=") and right.isdigit():
        draft.keys["maxResponseTime"] = f"{right}ms"
        return True
    return left.startswith(("[BODY]", "len([BODY]")) and _add_body(draft, left, sign, right)


def _add_status(draft: Draft, sign: str, right: str) -> bool:
    function = _FUNCTION.fullmatch(right)
    if sign == "==" and function and function["name"] == "any":
        draft.keys["expectedStatus"] = [int(it) for it in function["inner"].split(",") if it.strip().isdigit()]
        return bool(draft.keys["expectedStatus"])
    if not right.isdigit():
        return False
    number = int(right)
    ranges = {"==": number, "<": f"200-{number - 1}", "<=": f"200-{number}"}
    if sign in ranges:
        draft.keys["expectedStatus"] = ranges[sign]
    return sign in ranges


def _add_body(draft: Draft, left: str, sign: str, right: str) -> bool:
    function, place = _FUNCTION.fullmatch(right), _JSON.fullmatch(left)
    if place is None or sign not in ("==", "!="):
        return False
    if function:
        text = _IN_STARS.fullmatch(function["inner"])
        if function["name"] != "pat" or text is None or place["path"] or place["length"]:
            return False
        draft.keys["expectedText" if sign == "==" else "forbiddenText"] = text[1]
        return True
    if sign == "!=" or not (place["path"] or place["length"]):
        return False
    path = place["path"] or "@"
    known = draft.keys.get("expectedJSON")
    name = f"length({path})" if place["length"] else path
    draft.keys["expectedJSON"] = {**(known if isinstance(known, dict) else {}), name: _value(right)}
    return True


def _value(text: str) -> object:
    """The JSON value of this text: Gatus writes numbers, truth values and texts in the same way."""
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text
