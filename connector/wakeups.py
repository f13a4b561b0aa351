"""Wake-ups: after a commit, a nudge through Redis that the workers have something to do.

A nudge may be lost or doubled; the rows are the work and the beat looks for them anyway. It leaves
on a thread of its own, because publishing to a hung Redis can block and no request may wait for it.
"""

import threading
import time

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.05  # a busy second needs no more wake-ups than a worker can follow

TASKS = {"inbox": "inbox.drain", "outbox": "outbox.drain"}


class Wakeups:
    """Sends wake-ups for a process; several for the same queue at once become one."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._wanted: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def poke(self, queue: str) -> None:
        """Ask for a wake-up of `inbox` or `outbox`; returns at once."""
        with self._changed:
            self._wanted.add(queue)
            if self._thread is None:
                self._thread = threading.Thread(target=self._send, name="wakeups", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._wanted))
                wanted, self._wanted = self._wanted, set()
            for queue in sorted(wanted):
                try:
                    self._celery.send_task(TASKS[queue], ignore_result=True, retry=False)
                except (OperationalError, RedisError, OSError) as error:
                    log.info("wakeup_lost", queue=queue, error=type(error).__name__)
            time.sleep(PAUSE_SECONDS)
