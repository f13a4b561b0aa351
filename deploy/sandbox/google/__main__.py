"""Run the calendar alone: `python -m sandbox.google --port N --dir D --token T --zone Z`."""

import argparse
from pathlib import Path

import uvicorn

from sandbox.google.app import create_app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.google")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8002)
    parser.add_argument("--dir", type=Path, default=Path(".sandbox/google"))
    parser.add_argument("--token", default="sandbox")
    parser.add_argument("--zone", default="America/Toronto")
    chosen = parser.parse_args()
    app = create_app(chosen.dir, chosen.token, chosen.zone)
    uvicorn.run(app, host=chosen.host, port=chosen.port, log_level="warning")


if __name__ == "__main__":
    main()
