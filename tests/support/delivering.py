"""A local file and a database that takes from it what it is given, for tests of how packing and delivery meet."""

from collections.abc import Callable, Sequence

from monitoring.models import Alert, Cause, CheckResult
from monitoring.store.blocks import MinuteBlock
from monitoring.store.local import LocalStore
from monitoring.store.outbox import Delivery
from monitoring.store.rolledblocks import RolledBlock
from tests.support.points import START_MS, alert, check


class Delivering:
    """A local file and a database that takes what it is given, at the pace of the test."""

    def __init__(self, store: LocalStore) -> None:
        self.store = store
        self.delivered: set[object] = set()
        self.written: set[object] = set()
        self.under_way: Delivery | None = None
        self.copies: dict[tuple[int, int], MinuteBlock] = {}
        self.blocks_under_way: Sequence[MinuteBlock] = ()
        self.rolled: dict[tuple[str, int, int], RolledBlock] = {}
        self.rollups_under_way: Sequence[RolledBlock] = ()
        self.now_s = 0.0

    def go_on(self, late: bool) -> None:
        """Half a minute of checks of three sites, some with a slot long past."""
        self.now_s += 30
        points = [check(self.now_s + n * 3, host) for n in range(6) for host in ("a", "b", "c")]
        points += [check(self.now_s - 100.5, "late", Cause.TIMEOUT)] if late else []
        self.store.append(points, [alert(self.now_s)], round(self.now_s * 1_000))
        self.written |= {*points, alert(self.now_s)}

    def pack(self) -> None:
        self.store.pack(START_MS + round(self.now_s * 1_000))

    def pack_more(self) -> None:
        for _ in range(6):
            self.pack()

    def send(self) -> None:
        self.under_way = self.store.next_delivery(10)

    def arrive(self) -> None:
        if self.under_way:
            self.delivered |= {*self.under_way.results, *self.under_way.alerts}
            self.store.acknowledge(self.under_way)
        self.under_way = None

    def send_blocks(self) -> None:
        self.blocks_under_way = self.store.next_blocks(2)

    def blocks_arrive(self) -> None:
        self.copies |= {(block.minute_ms, block.part): block for block in self.blocks_under_way}
        self.store.acknowledge_blocks(self.blocks_under_way)
        self.blocks_under_way = ()

    def send_rollups(self) -> None:
        self.rollups_under_way = self.store.next_rollups(2)

    def rollups_arrive(self) -> None:
        self.rolled |= {(block.table, block.start_ms, block.part): block for block in self.rollups_under_way}
        self.store.acknowledge_rollups(self.rollups_under_way)
        self.rollups_under_way = ()

    def lose_disk(self) -> None:
        self.under_way, self.blocks_under_way, self.rollups_under_way = None, (), ()
        self.delivered.clear()
        self.copies.clear()
        self.rolled.clear()
        self.store.requeue()

    def repeat(self) -> None:
        """Everything is written once more, as by a monitor that did not hear that it was."""
        self.store.write(
            [point for point in self.written if isinstance(point, CheckResult)],
            [point for point in self.written if isinstance(point, Alert)],
        )

    def restart(self) -> None:
        """What was packed in memory is lost."""
        self.store.close()
        self.store = LocalStore(self.store.path)

    def drain(self) -> None:
        self.arrive()
        while delivery := self.store.next_delivery(10):
            self.under_way = delivery
            self.arrive()
        self.blocks_arrive()
        while blocks := self.store.next_blocks(3):
            self.blocks_under_way = blocks
            self.blocks_arrive()
        self.rollups_arrive()
        while rollups := self.store.next_rollups(3):
            self.rollups_under_way = rollups
            self.rollups_arrive()


STEPS: dict[str, Callable[[Delivering], None]] = {
    "go on": lambda it: it.go_on(late=False),
    "go on, late": lambda it: it.go_on(late=True),
    "pack": Delivering.pack,
    "pack more": Delivering.pack_more,
    "send": Delivering.send,
    "arrive": Delivering.arrive,
    "send blocks": Delivering.send_blocks,
    "blocks arrive": Delivering.blocks_arrive,
    "send rollups": Delivering.send_rollups,
    "rollups arrive": Delivering.rollups_arrive,
    "lose disk": Delivering.lose_disk,
    "repeat": Delivering.repeat,
    "restart": Delivering.restart,
}
