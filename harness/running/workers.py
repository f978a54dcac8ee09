"""Where an engine runs: in this process, or in a spawned one of its own that can be killed.

An engine that hangs in compiled code cannot be stopped from within its process, and one that crashes
takes the process along.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar

from ..words import counted
from .loading import version

T = TypeVar("T")

# Importing a framework is not what a time limit is about: a worker may take this long to begin.
SECONDS_TO_LOAD = 300.0


class StoppedError(Exception):
    """The engine gave no answer: its process hung or died. `timed_out` says which."""

    def __init__(self, reason: str, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Host(Protocol):
    """Calls `function(engine, *args)`, which asks the engine so many `times`, where it lives. Raises StoppedError."""

    def call(self, engine: str, function: Callable[..., T], *args: Any, times: int = 1) -> T: ...

    def close(self) -> None: ...


class Here:
    """Engines in this process."""

    def call(self, engine: str, function: Callable[..., T], *args: Any, times: int = 1) -> T:
        return function(engine, *args)

    def close(self) -> None:
        pass


class Announcing:
    """A host that says of which engine it asks next."""

    def __init__(self, host: Host, asks: Callable[[str], None]) -> None:
        self._host = host
        self._asks = asks

    def call(self, engine: str, function: Callable[..., T], *args: Any, times: int = 1) -> T:
        self._asks(engine)
        return self._host.call(engine, function, *args, times=times)

    def close(self) -> None:
        self._host.close()


class Apart:
    """Each engine in a spawned process of its own, killed after `timeout` seconds a time (None: never) and replaced."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._workers: dict[str, tuple[BaseProcess, Any]] = {}

    def call(self, engine: str, function: Callable[..., T], *args: Any, times: int = 1) -> T:
        if engine not in self._workers:
            self._workers[engine] = _start()
            self._ask(engine, _ready, (function,), SECONDS_TO_LOAD)
        return self._ask(engine, function, args, None if self.timeout is None else self.timeout * times)

    def _ask(self, engine: str, function: Callable[..., T], args: tuple[Any, ...], limit: float | None) -> T:
        process, connection = self._workers[engine]
        try:
            connection.send((function, (engine, *args)))
            if not connection.poll(limit):  # never where there is no limit
                self._stop(engine)
                within = counted(limit or 0.0, "second")
                raise StoppedError(f"no answer within {within}: its process was stopped", timed_out=True)
            return connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            process.join(5)
            code = process.exitcode
            self._stop(engine)
            raise StoppedError(f"its process died with {_died(code)}", timed_out=False) from None

    def _stop(self, engine: str) -> None:
        process, connection = self._workers.pop(engine)
        process.kill()
        process.join()
        connection.close()

    def close(self) -> None:
        for engine in list(self._workers):
            self._stop(engine)


def _died(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def _start() -> tuple[BaseProcess, Any]:
    context = multiprocessing.get_context("spawn")  # a forked copy of a threaded framework may deadlock
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _serve(connection: Any) -> None:
    ignore_interrupts()
    _die_with_parent()
    while True:
        try:
            function, args = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(function(*args))


def _ready(engine: str, function: Callable[..., object]) -> None:
    """Load the engine; the function came with the module that it lives in."""
    version(engine)


def ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; only the one that owns the run decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent is gone, since one that hangs would stay for ever."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL))
