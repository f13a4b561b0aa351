"""A calendar server of one's own, and Google's own client to speak to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
from google.api_core.client_options import ClientOptions
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

ROOT = Path(__file__).parents[2]
TOKEN = "studio-token"


@dataclass
class Server:
    """One running calendar."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False)

    @property
    def events(self) -> Any:
        return self.service.events()

    @cached_property
    def service(self) -> Any:
        return build(
            "calendar",
            "v3",
            credentials=Credentials(token=TOKEN),  # type: ignore[no-untyped-call]
            client_options=ClientOptions(api_endpoint=f"{self.url}/calendar/v3/"),
            static_discovery=True,
            cache_discovery=False,
        )

    def fault(self, **rule: Any) -> None:
        answer = self.http.put("/sandbox/google/faults", json=[rule])
        assert answer.status_code == 200, answer.text

    def human(self, **words: Any) -> dict[str, Any]:
        answer = self.http.post("/sandbox/google/human", json=words)
        assert answer.status_code == 200, answer.text
        event: dict[str, Any] = answer.json()["event"]
        return event

    def insert(self, calendar: str, *ids: str) -> None:
        for event_id in ids:
            self.events.insert(calendarId=calendar, body=make_body(id=event_id)).execute()

    def pages(self, **query: Any) -> list[dict[str, Any]]:
        request, found = self.events.list(**query), []
        while request is not None:
            found.append(request.execute())
            request = self.events.list_next(request, found[-1])
        return found

    def watch(self, calendar: str, address: str) -> dict[str, Any]:
        body = {
            "id": f"c-{calendar[4:20]}",
            "type": "web_hook",
            "address": address,
            "token": "secret",
        }
        channel: dict[str, Any] = self.events.watch(calendarId=calendar, body=body).execute()
        return channel

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.http.close()
        self.service.close()


class Hook:
    """A place that channels can post to."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        heard = self.heard

        class Listener(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.listener = HTTPServer(("127.0.0.1", 0), Listener)
        self.address = f"http://127.0.0.1:{self.listener.server_port}/hook"
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def states(self, count: int) -> list[str]:
        deadline = time.monotonic() + 5
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        return [one["x-goog-resource-state"] for one in self.heard]

    def close(self) -> None:
        self.listener.shutdown()
        self.listener.server_close()


def start(folder: Path, port: int = 0) -> Server:
    """Start a calendar on a folder and wait until it answers."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(ROOT / "deploy"), str(ROOT)])
    command = [sys.executable, "-m", "sandbox.google", "--port", str(port), "--dir", str(folder)]
    command += ["--token", TOKEN, "--zone", "America/Toronto"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, cwd=folder)
    server = Server(folder, port, process)
    for _ in range(200):
        try:
            server.http.get("/sandbox/google/calls")
        except httpx.TransportError:
            assert process.poll() is None, "the calendar did not start"
            time.sleep(0.05)
        else:
            return server
    raise AssertionError("the calendar does not answer")


def make_body(**changes: Any) -> dict[str, Any]:
    """Return the body of an event on a December evening."""
    body = {
        "summary": "Sam",
        "start": {"dateTime": "2026-12-05T15:00:00Z"},
        "end": {"dateTime": "2026-12-05T16:00:00Z"},
    }
    return body | changes


def reason(error: HttpError) -> tuple[int, str]:
    """Return the code and the reason of a refusal."""
    detail = json.loads(error.content)["error"]
    return detail["code"], detail["errors"][0]["reason"]
