"""A store of one's own as a process, and a small connector that hears what it says."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT.parent / "shared/data/shopify/schemas/admin_2026-10.json.gz"
VECTORS = ROOT.parent / "shared/data/shopify/hmac/vectors.json"
SECRET = "a-client-secret"
ADMIN_TOKEN = "an-admin-token"
SHOP = "birdie-bay.myshopify.com"
HOUR, COACHING, PACKAGE = 44000000000001, 44000000000002, 44000000000003
AVERY = 7301452800513


@dataclass(frozen=True)
class Heard:
    """One request the connector got."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def topic(self) -> str:
        return self.headers["x-shopify-topic"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Connector:
    """A server that writes down what it is told, and answers as it is bid."""

    heard: list[Heard] = field(default_factory=list)
    status: int = 200

    def start(self) -> None:
        """Listen on a free port."""
        connector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                connector.heard.append(Heard(self.command, self.path, headers, body))
                self.send_response(connector.status)
                self.send_header("Content-Type", "application/problem+json")
                self.send_header("Content-Length", "2")
                self.send_header("ETag", '"one"')
                self.send_header("Retry-After", "7")
                self.send_header("Cache-Control", "private, no-store")
                self.send_header("Set-Cookie", "connector=1")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def webhooks(self, topic: str | None = None) -> list[Heard]:
        """Return the webhooks heard so far."""
        found = [one for one in list(self.heard) if one.target == "/api/shopify/webhooks"]
        return [one for one in found if topic in {None, one.topic}]


@dataclass
class Store:
    """A running store."""

    folder: Path
    connector_url: str
    schema: Path | None = None

    def start(self) -> None:
        """Run the process and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = os.environ | {
            "PYTHONPATH": f"{ROOT / 'deploy'}{os.pathsep}{ROOT}",
            "SIMSTUDIO_URL": self.connector_url,
            "SIMSTUDIO_SHOP": SHOP,
            "SIMSTUDIO_SHOPIFY__CLIENT_ID": "client",
            "SIMSTUDIO_SHOPIFY__CLIENT_SECRET": SECRET,
            "SIMSTUDIO_SHOPIFY__ADMIN_TOKEN": ADMIN_TOKEN,
            "SIMSTUDIO_GOOGLE__TOKEN": "studio-token",
        }
        if self.schema:
            environment["SANDBOX_ADMIN_SCHEMA"] = str(self.schema)
        command = [sys.executable, "-m", "sandbox.outside", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--dir", str(self.folder)], env=environment, cwd=self.folder
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)
        eventually(self.is_up, seconds=20)

    def is_up(self) -> bool:
        """Tell whether the process answers."""
        assert self.process.poll() is None, "the store ended"
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End the process as hard as can be."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.http.close()

    def order(self, *, pay: bool = True, quantity: int = 2, **fields: Any) -> Any:
        """Make an order of simulator hours."""
        line = {"variant_id": HOUR, "quantity": quantity, "properties": {"_hold": "h-1"}}
        body = {"customer": AVERY, "lines": [line], "pay": pay} | fields
        answer = self.http.post("/sandbox/shop/orders", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def act(self, order: Any, verb: str, **fields: Any) -> Any:
        """Do something to an order."""
        answer = self.http.post(f"/sandbox/shop/orders/{order['id']}/{verb}", json=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, **changes: Any) -> None:
        """Set switches."""
        self.http.put("/sandbox/shop/switches", json=changes).raise_for_status()

    def deliveries(self) -> list[Any]:
        """Return the webhook log, newest first."""
        found: list[Any] = self.http.get("/sandbox/shop/deliveries").json()["deliveries"]
        return found

    def is_quiet(self) -> bool:
        """Tell whether every webhook is delivered or dropped."""
        counts = self.http.get("/sandbox/shop/deliveries?limit=0").json()["counts"]
        return "waiting" not in counts

    def graphql(self, query: str, **variables: Any) -> Any:
        """Ask the Admin API."""
        return self.http.post(
            "/admin/api/2026-10/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": ADMIN_TOKEN},
        ).json()


def eventually(holds: Callable[[], bool], *, seconds: float = 8) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.03)
