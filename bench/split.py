"""Two monitors, each with its half of the sites and a core, against one target and one InfluxDB on the same cores."""

from bench.places import prepared
from bench.processes import Core
from bench.sites import SitesRun, Task, run_tasks


def measure_split(sites: int, seconds: int) -> list[SitesRun]:
    """Split `sites` between two monitors by their configurations. The servers have no core of their own."""
    with prepared(core=None) as place:
        urls = place.target.urls(sites)
        store, database = list(place.databases.items())[-1]
        tasks = []
        for number, core in enumerate(Core):
            directory = place.directory / f"{number + 1}"
            directory.mkdir()
            tasks.append(Task(directory, urls[number :: len(Core)], database, f"{store}, {number + 1} of 2", core))
        return run_tasks(place.target, tasks, seconds)
