"""Hours and days of a hundred sites as text that InfluxDB's string fields hold. Pure."""

from collections.abc import Iterator
from itertools import accumulate, pairwise

from monitoring.store.influxblocks import packed_text, unpacked_text
from monitoring.store.rolledblocks import RolledBlock
from monitoring.store.schema import Row


def rolled_text(block: RolledBlock) -> str:
    """The rows of a block, with the names of its sites; see `read_rolled`."""
    columns = list(zip(*(row[:-1] for row in block.rows), strict=True))
    sketches = [row[-1] for row in block.rows]
    return packed_text([block.hosts, columns, list(map(len, sketches))], b"".join(sketches))


def read_rolled(text: str) -> tuple[list[str], Iterator[Row]]:
    """Hosts by place, and `RolledBlock.rows`."""
    (hosts, columns, sizes), joined = unpacked_text(text)
    if not columns:  # all that it told of was purged
        return hosts, iter(())
    ends = accumulate(sizes, initial=0)
    sketches = (joined[first:last] for first, last in pairwise(ends))
    return hosts, zip(*columns, sketches, strict=True)
