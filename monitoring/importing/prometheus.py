"""Imports targets of the blackbox exporter from a file_sd list or from a scrape configuration of Prometheus."""

from collections.abc import Iterator, Mapping

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "targets of Prometheus"
GROUP = "job"
"""The label that becomes the group; the others become tags."""


def read(data: object) -> Imported | None:
    """The websites; None: the data have another format."""
    secrets = Secrets()
    if _is_targets(data):
        return Imported(SOURCE, list(_sites(secrets, data)), secrets)
    jobs = data.get("scrape_configs") if isinstance(data, Mapping) else None
    if not isinstance(jobs, list):
        return None
    sites, notes = [], []
    for job in jobs:
        name = job.get("job_name") if isinstance(job, Mapping) else None
        groups = job.get("static_configs") if isinstance(job, Mapping) else None
        if not _is_targets(groups) or "probe" not in str(job.get("metrics_path", "")):
            notes.append(f"job {name}: has no targets of a blackbox exporter")
            continue
        sites += list(_sites(secrets, groups, str(name)))
    return Imported(SOURCE, sites, secrets, notes)


def _is_targets(data: object) -> bool:
    return isinstance(data, list) and bool(data) and all(isinstance(it, Mapping) and "targets" in it for it in data)


def _sites(secrets: Secrets, groups: object, job: str | None = None) -> Iterator[Draft]:
    for group in groups if isinstance(groups, list) else []:
        labels = group.get("labels")
        labels = dict(labels) if isinstance(labels, Mapping) else {}
        where = labels.pop(GROUP, job)
        targets = group["targets"]
        for target in targets if isinstance(targets, list) else []:
            yield _site(secrets, str(target), where, labels)


def _site(secrets: Secrets, target: str, group: object, labels: Mapping[str, object]) -> Draft:
    draft = Draft({"URL": target})
    if "://" not in target:
        draft.keys["URL"] = target = f"http://{target}"
        draft.notes.append(f"{draft.label} has no scheme: http is assumed, as by the blackbox exporter")
    draft.keys["URL"] = secrets.url(draft, target)
    draft.put("group", None if group is None else secrets.text(str(group)))
    visible = {name: value for name, value in labels.items() if not str(name).startswith("__")}
    draft.put("tags", [secrets.text(f"{name}={value}") for name, value in visible.items()])
    return draft
