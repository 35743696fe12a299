"""Websites that fail as planned by `bench.faults`, and know what they did.

Runs as a process of its own (`python -m bench.faulty SITES SECONDS SEED PACE`): prints the port of each site as a JSON
list, begins to fail at the first line of its standard input, and at its end prints what it did as one line of JSON:
`{"served": [[[milliseconds, "well" or a fault], ...] a site], "refused": [[[from, until], ...] a site]}`.
"""

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import cast

from bench.faults import Fault, Spell, plan
from tests.support.influxd import free_port

WELL = "well"
BACKLOG = 1_024
DELAYS_S = (0.005, 0.02, 0.05, 0.2)
LATE_S = 3.0
"""How long a late site takes: longer than the interval of the checks, shorter than their time-out."""

DRIP_S = 0.5
RESET_AFTER_S = 0.02

HEADER = "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
OK = (HEADER.format(status="200 OK", length=3) + "ok\n").encode()
ERROR = (HEADER.format(status="500 Internal Server Error", length=3) + "no\n").encode()
UNFINISHED = (HEADER.format(status="200 OK", length=1_000) + "so far").encode()

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends RST."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Site:
    """One website with a port of its own, which it keeps while nobody listens there."""

    def __init__(self, number: int) -> None:
        self.delay_s = DELAYS_S[number % len(DELAYS_S)]
        self.fault: Fault | None = None
        self.served: list[tuple[int, str]] = []
        self.refused: list[tuple[int, int]] = []
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # By its number: Linux gives a port that it chose itself away when nobody listens there any more.
        self._socket.bind(("127.0.0.1", free_port()))
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    async def listen(self) -> None:
        """Listen on the port (again): through a second descriptor, because asyncio closes what it listened on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=self._socket.dup(), backlog=BACKLOG)

    def refuse(self) -> None:
        """Nobody listens from here on; the port stays ours."""
        if self._server:
            self._server.close()
        self._socket.shutdown(socket.SHUT_RDWR)

    async def suffer(self, spells: Sequence[Spell], began_s: float) -> None:
        """Fail as planned; `began_s` is the beginning on the clock of the loop."""
        for spell in spells:
            await _sleep_until(began_s + spell.from_s)
            await self._fail(spell, began_s + spell.until_s)

    async def _fail(self, spell: Spell, until_s: float) -> None:
        if spell.fault is not Fault.REFUSE:
            self.fault = spell.fault
            await _sleep_until(until_s)
            self.fault = None
            return
        from_ms = now_ms()
        self.refuse()
        await _sleep_until(until_s)
        await self.listen()
        self.refused.append((from_ms, now_ms()))


class Connection(asyncio.Protocol):
    """One connection, which carries one small request; the client closes it, or the fault does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._transport = None

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio names it
        fault = self._site.fault
        self._site.served.append((now_ms(), fault or WELL))
        match fault:
            case None:
                self._loop.call_later(self._site.delay_s, self._send, OK)
            case Fault.LATE:
                self._loop.call_later(LATE_S, self._send, OK)
            case Fault.ERROR:
                self._send(ERROR)
            case Fault.CUT:
                self._send(UNFINISHED)
                self._close()
            case Fault.RESET:
                self._send(UNFINISHED)
                self._loop.call_later(RESET_AFTER_S, self._reset)
            case Fault.DRIP:
                self._send(UNFINISHED)
                self._drip()

    def _send(self, answer: bytes) -> None:
        if self._transport:
            self._transport.write(answer)

    def _close(self) -> None:
        if self._transport:
            self._transport.close()

    def _reset(self) -> None:
        if self._transport:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()

    def _drip(self) -> None:
        if self._transport:
            self._transport.write(b".")
            self._loop.call_later(DRIP_S, self._drip)


async def _sleep_until(moment_s: float) -> None:
    await asyncio.sleep(max(0.0, moment_s - asyncio.get_running_loop().time()))


async def serve(plans: Sequence[Sequence[Spell]]) -> None:
    """Serve until standard input ends; fail as planned from its first line on."""
    loop = asyncio.get_running_loop()
    sites = [Site(number) for number in range(len(plans))]
    for site in sites:
        await site.listen()
    print(json.dumps([site.port for site in sites]), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began_s = loop.time()
    suffering = [asyncio.create_task(site.suffer(spells, began_s)) for site, spells in zip(sites, plans, strict=True)]
    await loop.run_in_executor(None, sys.stdin.read)
    for task in suffering:
        if task.done():
            task.result()  # a fault of the target itself must not look like one of the monitor
        task.cancel()
    print(json.dumps({"served": [site.served for site in sites], "refused": [site.refused for site in sites]}), flush=True)


def main(argv: Sequence[str]) -> None:
    sites, seconds, seed, pace = argv
    asyncio.run(serve(plan(int(sites), float(seconds), int(seed), float(pace))))


if __name__ == "__main__":
    main(sys.argv[1:])
