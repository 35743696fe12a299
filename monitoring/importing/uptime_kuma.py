"""Imports a backup of Uptime Kuma: JSON with `monitorList`."""

import json
from collections.abc import Mapping

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "an Uptime Kuma backup"
TYPES = ("http", "keyword", "json-query")
AUTHENTICATIONS = {"basic": "basic", "ntlm": "ntlm"}


def read(data: object) -> Imported | None:
    """The websites; None: the data have another format."""
    monitors = data.get("monitorList") if isinstance(data, Mapping) else None
    if not isinstance(monitors, list) or not isinstance(data, Mapping):
        return None
    secrets = Secrets()
    monitors = [monitor for monitor in monitors if isinstance(monitor, Mapping)]
    groups = {monitor.get("id"): str(monitor.get("name")) for monitor in monitors if monitor.get("type") == "group"}
    sites = [_site(secrets, monitor, groups) for monitor in monitors if monitor.get("type") != "group"]
    channels = data.get("notificationList")
    notes = [f"{len(channels)} notifications are not imported"] if isinstance(channels, list) and channels else []
    return Imported(SOURCE, sites, secrets, notes)


def _site(secrets: Secrets, monitor: Mapping[str, object], groups: Mapping[object, str]) -> Draft:
    draft = Draft({"URL": ""})
    draft.put("name", secrets.text(str(monitor.get("name") or "")))
    kind = monitor.get("type")
    if kind not in TYPES:
        draft.refused = f"a monitor of the type {kind}: only websites are checked here"
    draft.keys["URL"] = _url(secrets, draft, monitor)
    draft.put("group", groups.get(monitor.get("parent")))
    draft.put("tags", _tags(monitor.get("tags")))
    if monitor.get("active") in (False, 0):
        draft.keys["enabled"] = False
    draft.put("checkInterval", monitor.get("interval"))
    draft.put("timeout", monitor.get("timeout"))
    draft.put("method", None if monitor.get("method") == "GET" else monitor.get("method"))
    _read_request(secrets, draft, monitor)
    _read_expectations(secrets, draft, monitor)
    return draft


def _url(secrets: Secrets, draft: Draft, monitor: Mapping[str, object]) -> str:
    url = str(monitor.get("url") or "")
    user, password = (str(monitor.get(key) or "") for key in ("basic_auth_user", "basic_auth_pass"))
    if not (user and password):
        return secrets.url(draft, url)
    if kind := AUTHENTICATIONS.get(str(monitor.get("authMethod") or "basic")):
        draft.put("authentication", None if kind == "basic" else kind)
    else:
        draft.notes.append(f"no equivalent for authMethod: {monitor.get('authMethod')}")
    return secrets.login(draft, secrets.url(draft, url), user, password)


def _tags(tags: object) -> list[str]:
    found = [tag for tag in tags if isinstance(tag, Mapping)] if isinstance(tags, list) else []
    return [": ".join(filter(None, (str(tag.get("name") or ""), str(tag.get("value") or "")))) for tag in found]


def _read_request(secrets: Secrets, draft: Draft, monitor: Mapping[str, object]) -> None:
    try:
        headers = json.loads(str(monitor.get("headers") or "{}"))
    except ValueError:
        headers = None
    if isinstance(headers, Mapping):
        draft.put("headers", secrets.headers(draft, headers))
    else:
        draft.notes.append("left out headers, because they are not JSON")
    if isinstance(body := monitor.get("body"), str) and body:
        draft.keys["body"] = secrets.body(draft, body)
    if monitor.get("ignoreTls") in (True, 1):
        draft.keys["verifyTLS"] = False
    if monitor.get("maxredirects") == 0:
        draft.keys["followRedirects"] = False


def _read_expectations(secrets: Secrets, draft: Draft, monitor: Mapping[str, object]) -> None:
    statuses = monitor.get("accepted_statuscodes")
    draft.put("expectedStatus", _statuses(statuses) if isinstance(statuses, list) else None)
    if monitor.get("type") == "keyword":
        key = "forbiddenText" if monitor.get("invertKeyword") in (True, 1) else "expectedText"
        draft.put(key, secrets.text(str(monitor.get("keyword") or "")))
    if monitor.get("type") == "json-query":
        draft.notes.append(f"no equivalent for the JSONata query {monitor.get('jsonPath')}: write it as expectedJSON")
    if monitor.get("upsideDown") in (True, 1):
        draft.notes.append("no equivalent for upside down mode: here the site is up while it answers")
    if retries := monitor.get("maxretries"):
        draft.keys["alerting"] = {"minimumFailures": int(str(retries)) + 1} if str(retries).isdigit() else None
        draft.put("alerting", draft.keys.pop("alerting"))


def _statuses(codes: list[object]) -> list[object]:
    return [int(str(code)) if str(code).isdigit() else str(code) for code in codes]
