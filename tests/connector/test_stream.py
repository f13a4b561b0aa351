"""The stream of availability names the dates to fetch again, and no others."""

import json
import queue
import threading
from collections.abc import Iterator
from socket import SHUT_RDWR
from typing import Any

import httpx
import pytest

from tests.factories.serving import Served, session_body, tuesday_at

PATIENCE_SECONDS = 10


class Listener:
    """A browser's EventSource: reads events on a thread of its own until it is closed."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self._events: queue.Queue[dict[str, str]] = queue.Queue()
        self._client = httpx.Client(timeout=httpx.Timeout(5, read=30))
        self._stream = self._client.stream("GET", url, headers=headers)
        self.answer = self._stream.__enter__()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, seconds: float = PATIENCE_SECONDS) -> dict[str, str]:
        return self._events.get(timeout=seconds)

    def close(self) -> None:
        socket = self.answer.extensions["network_stream"].get_extra_info("socket")
        socket.shutdown(SHUT_RDWR)
        self._thread.join(PATIENCE_SECONDS)
        self._client.close()

    def _read(self) -> None:
        event: dict[str, str] = {}
        try:
            for line in self.answer.iter_lines():
                if not line:
                    self._events.put(event)
                    event = {}
                else:
                    name, _, value = line.partition(":")
                    event[name] = value.strip()
        except (httpx.HTTPError, httpx.StreamError, OSError):
            return


@pytest.fixture
def listeners() -> Iterator[list[Listener]]:
    opened: list[Listener] = []
    yield opened
    for each in opened:
        each.close()


def watch(api: Served, listeners: list[Listener], **headers: str) -> Listener:
    day = tuesday_at(18).date()
    base = str(api.http.base_url).rstrip("/")
    url = f"{base}/api/availability/stream?from={day}&days=2&minutes=60"
    listener = Listener(url, {name.replace("_", "-"): value for name, value in headers.items()})
    listeners.append(listener)
    return listener


def dates(event: dict[str, str]) -> Any:
    assert event["event"] == "changed"
    return json.loads(event["data"])["dates"]


def test_a_hold_changes_its_date_and_its_release_changes_it_back(
    shared_api: Served, listeners: list[Listener]
) -> None:
    listener = watch(shared_api, listeners)
    first = listener.next()
    caller = shared_api.customer(7001)

    held = caller.post("/api/holds", session_body())
    taken = listener.next()
    caller.ask("DELETE", f"/api/holds/{held.json()['hold']}")
    freed = listener.next()

    assert listener.answer.headers["Content-Type"].startswith("text/event-stream")
    assert first["id"] != taken["id"]
    assert first["id"] == freed["id"]
    assert dates(taken) == dates(freed) == [str(tuesday_at(18).date())]


def test_whoever_comes_back_hears_what_was_missed(
    shared_api: Served, listeners: list[Listener]
) -> None:
    before = watch(shared_api, listeners).next()["id"]

    same = watch(shared_api, listeners, Last_Event_ID=before)
    same.next()
    with pytest.raises(queue.Empty):
        same.next(0.5)
    late = watch(shared_api, listeners, Last_Event_ID="0123456789abcdef")
    late.next()

    assert len(dates(late.next())) == 2


def test_another_date_is_not_named(shared_api: Served, listeners: list[Listener]) -> None:
    listener = watch(shared_api, listeners)
    listener.next()

    shared_api.customer(7001).post("/api/holds", session_body(tuesday_at(18, weeks=2)))

    with pytest.raises(queue.Empty):
        listener.next(1)


def test_a_wrong_search_is_refused_before_anything_is_streamed(shared_api: Served) -> None:
    answer = shared_api.http.get("/api/availability/stream?from=2026-12-01&minutes=61")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
