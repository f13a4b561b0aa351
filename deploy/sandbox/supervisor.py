"""Starts child processes, starts them again when they die, and stops every one at the end."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 12
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class NotStarted(Exception):
    """A child did not come up; the message ends with what it said last."""


@dataclass(slots=True)
class Child:
    """One process that is kept running."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    start_at: float = 0.0

    def start(self) -> None:
        """Start it. Should this process be killed, the kernel stops the child too."""
        stop = self.stop_signal

        def die_with_parent() -> None:
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop)

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.user,
                cwd=self.log.parent if self.user is None else "/",
                # Of its own group: Ctrl-C reaches the supervisor, which stops things in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""


@dataclass(slots=True)
class Supervisor:
    """The children in the order of their start; they are stopped the other way round."""

    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def __post_init__(self) -> None:
        """Take over the signals that end the sandbox."""
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, self._stop_soon)

    def start(self, child: Child) -> None:
        """Start a child and keep it running from now on."""
        self.children.append(child)
        child.start()

    def wait_until(self, child: Child, is_ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait for a child to be ready; raises `NotStarted` if it dies or takes too long."""
        until = time.monotonic() + seconds
        while not is_ready():
            if self.stopping:
                raise KeyboardInterrupt
            if not child.is_running() or time.monotonic() > until:
                raise NotStarted(f"{child.name} did not start:\n{child.last_words()}")
            time.sleep(0.05)

    def watch(self) -> None:
        """Keep every child running until the sandbox is told to stop."""
        while not self.stopping:
            for child in self.children:
                self._keep(child)
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop every child; one that does not listen is killed."""
        self.stopping = True
        for child in reversed(self.children):
            process = child.process
            if process is None or process.poll() is not None:
                continue
            process.send_signal(child.stop_signal)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _keep(self, child: Child) -> None:
        if child.is_running():
            return
        now = time.monotonic()
        if child.start_at == 0.0:
            wait = BACKOFF_SECONDS[min(child.deaths, len(BACKOFF_SECONDS) - 1)]
            child.deaths += 1
            child.start_at = now + wait
            code = child.process.returncode if child.process else None
            self.say(f"{child.name} ended ({code}); starting it again")
        elif now >= child.start_at:
            child.start_at = 0.0
            child.start()

    def _stop_soon(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True
