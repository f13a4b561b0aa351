"""Keep-alive connections to several processes, and a shout over all of them in one instant.

As little as possible happens here: whoever shouts shares the machine's cores with who answers.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

LATEST_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    body: bytes
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        """Return the body, read."""
        read = json.loads(self.body) if self.body else {}
        return dict(read)

    @property
    def code(self) -> str:
        """Return the status, of a refusal with its code."""
        return f"{self.status} {self.json['code']}" if self.status >= 400 else str(self.status)


class Line(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._asked_at = 0.0
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer comes later."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._asked_at = time.perf_counter()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator or self._answer is None:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) >= length:
            seconds = time.perf_counter() - self._asked_at
            self._buffer = b""
            self._answer.set_result(Answer(int(head[9:12]), rest, seconds))

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so to whoever still waits for an answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the connection was closed"))

    def close(self) -> None:
        """Hang up; whoever still waits for an answer gets none."""
        if self._answer is not None:
            self._answer.cancel()
        if self._transport is not None:
            self._transport.close()


def request(
    method: str, path: str, key: str, body: dict[str, Any] | None = None, **query: object
) -> bytes:
    """Return the bytes of a request with a staff key."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path}?{urlencode(query)} HTTP/1.1\r\nHost: prove\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def connect(ports: Sequence[int], count: int) -> list[Line]:
    """Open so many connections, spread evenly over the ports."""
    loop = asyncio.get_running_loop()
    made = [
        loop.create_connection(Line, "127.0.0.1", ports[number % len(ports)])
        for number in range(count)
    ]
    return [line for _, line in await asyncio.gather(*made)]


async def shout(lines: Sequence[Line], requests: Sequence[bytes]) -> list[Answer]:
    """Send one request over each line at once and return the answers in that order."""
    asked = [line.ask(each) for line, each in zip(lines, requests, strict=False)]
    return await asyncio.wait_for(asyncio.gather(*asked), LATEST_SECONDS)
