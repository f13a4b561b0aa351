"""The worker and the beat: Celery tasks that drain the tables, a poll for when Redis is away."""

import threading
import time
from collections.abc import Callable

import structlog
from celery import Celery, signals
from celery.app.task import Context

from booking_engine.errors import Unavailable
from connector.runtime import Runtime
from connector.tasks import book, inbox, orders, outbox, people, series, waitlist

log = structlog.get_logger(__name__)

POLL_SECONDS = 5.0
DRAINS: dict[str, Callable[[Runtime], None]] = {
    "inbox.drain": inbox.drain,
    "orders.read": orders.read,
    "outbox.drain": outbox.drain,
    "book.sweep": book.sweep,
    "waitlist.match": waitlist.match,
    "series.tend": series.tend,
    "people.tend": people.tend,
}

# A change that is to be told may have freed time for which somebody waits: that is offered first.
BEFORE = {"outbox.drain": "waitlist.match"}


def register(app: Celery, runtime: Runtime) -> None:
    """Make every drain a task. Tasks take nothing and return nothing: the rows say what to do."""
    for name, drain in DRAINS.items():
        _register(app, runtime, name, drain)


def _register(app: Celery, runtime: Runtime, name: str, drain: Callable[[Runtime], None]) -> None:
    @app.task(name=name)
    def task() -> None:
        if name in BEFORE:
            run(BEFORE[name], DRAINS[BEFORE[name]], runtime)
        run(name, drain, runtime)


def run(name: str, drain: Callable[[Runtime], None], runtime: Runtime) -> None:
    """Run one drain; a neighbour that is away is a line in the log, the next tick comes anyway."""
    try:
        drain(runtime)
    except Unavailable as error:
        log.warning("drain_postponed", drain=name, detail=error.detail)


def start(runtime: Runtime, *, threads: int) -> None:
    """Run a worker until it is told to stop."""
    register(runtime.celery, runtime)
    signals.task_prerun.connect(_bind_task_id, weak=False)
    threading.Thread(target=_poll, args=[runtime], name="poll", daemon=True).start()
    options = ["--pool=threads", f"--concurrency={threads}", "--loglevel=INFO"]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    runtime.celery.worker_main(["worker", *options])


def start_beat(runtime: Runtime, *, schedule_file: str) -> None:
    """Run the beat, the one clock of the workers."""
    runtime.celery.start(["beat", "--loglevel=INFO", "--schedule", schedule_file])


def _poll(runtime: Runtime) -> None:
    """Drain without being woken, so that losing Redis costs seconds and not the studio."""
    structlog.contextvars.bind_contextvars(task_id="poll")
    while True:
        time.sleep(POLL_SECONDS)
        for name, drain in DRAINS.items():
            try:
                run(name, drain, runtime)
            except Exception:
                log.exception("poll_failed", drain=name)


def _bind_task_id(task_id: str, task: Context, **_: object) -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task_id=task_id)
