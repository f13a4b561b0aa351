"""A load generator: one process, some connections, the same or varying requests, exact latencies.

Run as a program so that it has a core of its own; prints one JSON line.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvloop


class Caller(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it is answered."""

    def __init__(self, requests: "Requests", done: asyncio.Event) -> None:
        self._requests, self._done = requests, done
        self._buffer = b""
        self._asked_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        self._requests.answered(int(head[9:12]), time.perf_counter() - self._asked_at)
        self._buffer = rest[length:]
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done.set()

    def _ask(self) -> None:
        request = self._requests.next()
        if request is None:
            self._done.set()
            self._transport.close()
            return
        self._asked_at = time.perf_counter()
        self._transport.write(request)


class Requests:
    """What is asked, in turn, until the time is up or there is nothing left."""

    def __init__(self, templates: list[bytes], *, seconds: float, repeat: bool) -> None:
        self._templates, self._repeat = templates, repeat
        self._until = time.perf_counter() + seconds
        self._number = 0
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}

    def next(self) -> bytes | None:
        if time.perf_counter() >= self._until:
            return None
        if self._number >= len(self._templates) and not self._repeat:
            return None
        template = self._templates[self._number % len(self._templates)]
        self._number += 1
        return template.replace(b"{n}", str(self._number).encode())

    def answered(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)


async def run(url: str, requests: Requests, connections: int) -> float:
    """Ask over so many connections and return the seconds that it took."""
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    began = time.perf_counter()
    finished = [asyncio.Event() for _ in range(connections)]
    for done in finished:
        await loop.create_connection(
            lambda done=done: Caller(requests, done), address.hostname, address.port
        )
    await asyncio.gather(*(done.wait() for done in finished))
    return time.perf_counter() - began


def main() -> None:
    """Read requests from a file (a JSON list of raw HTTP texts), ask them, print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("requests", type=Path)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--once", action="store_true", help="ask each request once")
    arguments = parser.parse_args()
    templates = [text.encode() for text in json.loads(arguments.requests.read_text())]
    requests = Requests(templates, seconds=arguments.seconds, repeat=not arguments.once)
    seconds = uvloop.run(run(arguments.url, requests, arguments.connections))
    ordered = sorted(requests.latencies) or [0.0]
    result = {
        "per_second": len(requests.latencies) / seconds,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "statuses": requests.statuses,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
