"""Where an engine runs: in this process, or in one of its own that can be killed.

An engine that hangs in compiled code cannot be stopped from within its process, and one that crashes
takes the process along.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Event, Timer
from typing import IO, Any, Protocol, TypeVar, cast

from ..errors import started_in
from ..words import counted
from .garbage import search_less
from .loading import version
from .memory import Memory
from .offered import shipped

T = TypeVar("T")

# Importing a framework is not what a time limit is about: a worker may take this long to begin.
SECONDS_TO_LOAD = 300.0


class StoppedError(Exception):
    """The engine gave no answer: its process hung or died. `timed_out` says which."""

    def __init__(self, reason: str, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Host(Protocol):
    """Calls `function(engine, *args)` where the engine lives. Raises StoppedError.

    What runs people's own code names the `folder` of that: code of one folder shares modules, and so a process.
    `each` gives what a function yields as it comes.
    """

    def call(self, engine: str, function: Callable[..., T], *args: Any, folder: str = "") -> T: ...

    def each(self, engine: str, function: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]: ...

    def close(self) -> None: ...


class Here:
    """Engines in this process."""

    def call(self, engine: str, function: Callable[..., T], *args: Any, folder: str = "") -> T:
        return function(engine, *args)

    def each(self, engine: str, function: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]:
        return function(engine, *args)

    def close(self) -> None:
        pass


class Announcing:
    """A host that says of which engine it asks next."""

    def __init__(self, host: Host, asks: Callable[[str], None]) -> None:
        self._host = host
        self._asks = asks

    def call(self, engine: str, function: Callable[..., T], *args: Any, folder: str = "") -> T:
        self._asks(engine)
        return self._host.call(engine, function, *args, folder=folder)

    def each(self, engine: str, function: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]:
        self._asks(engine)
        return self._host.each(engine, function, *args)

    def close(self) -> None:
        self._host.close()


class Apart:
    """Each engine in a process of its own, which is killed after `timeout` seconds without an answer (None: never)."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._workers: dict[tuple[str, str], _Process] = {}

    def call(self, engine: str, function: Callable[..., T], *args: Any, folder: str = "") -> T:
        with self._worker((engine, folder), function) as worker:
            return worker.ask(function, (engine, *args), self.timeout)

    def each(self, engine: str, function: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]:
        with self._worker((engine, ""), function) as worker:
            pieces: tuple[T, ...] = worker.ask(_begin, (engine, function, *args), self.timeout)
            while pieces:
                yield pieces[0]
                pieces = worker.ask(_next, (engine,), self.timeout)

    @contextmanager
    def _worker(self, key: tuple[str, str], function: Callable[..., object]) -> Generator[_Process]:
        """The process of an engine, new where there is none; one that is left by an exception is not used again."""
        worker = self._workers.pop(key, None)
        if worker is None:
            worker = _Process()
            worker.ask(_ready, (key[0], function), SECONDS_TO_LOAD)
        try:
            yield worker
        except BaseException:
            worker.close()
            raise
        self._workers[key] = worker

    def close(self) -> None:
        while self._workers:
            self._workers.popitem()[1].close()


class Beside:
    """The shipped engines in this process; each from a file or another package, and people's own code, in one of its
    own: whatever that does to its process, end it or change its folder, costs no other engine a row, and the run no
    report."""

    def __init__(self) -> None:
        self._here, self._apart = Here(), Apart(None)

    def call(self, engine: str, function: Callable[..., T], *args: Any, folder: str = "") -> T:
        host = self._here if shipped(engine) and not folder else self._apart
        return host.call(engine, function, *args, folder=folder)

    def each(self, engine: str, function: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]:
        return (self._here if shipped(engine) else self._apart).each(engine, function, *args)

    def close(self) -> None:
        self._apart.close()


class _Process:
    """A Python that answers calls over its standard input and output.

    A plain subprocess, since `multiprocessing` forbids one to processes that are themselves daemons, as the workers of
    a cluster are.
    """

    def __init__(self) -> None:
        # -P: the folder that the command was given in must not hide a module of the same name.
        command = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"]
        # A group of its own: a signal to all of its group reaches it and what it began alone.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
        self._questions = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        with suppress(BrokenPipeError):  # the first question tells
            _send(self._questions, sys.path)

    def ask(self, function: Callable[..., T], args: tuple[Any, ...], limit: float | None) -> T:
        """What the function returns there, within so many seconds. Raises StoppedError, and the process is gone then;
        whatever the function raises is the end of its process too."""
        late = Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        clock = Timer(limit or 0.0, stop)
        if limit is not None:
            clock.start()
        answers = list[T]()
        try:
            # A process that died closed its pipes, perhaps in the middle of an answer.
            with suppress(BrokenPipeError, EOFError, pickle.UnpicklingError):
                _send(self._questions, (function, args))
                answers.append(pickle.load(self._answers))
        finally:
            clock.cancel()
        if answers and not late.is_set():
            return answers[0]
        code = None if late.is_set() else _exit(self._process)
        self.close()
        if code is None:
            within = counted(limit or 0.0, "second")
            raise StoppedError(f"no answer within {within}: its process was stopped", timed_out=True)
        raise StoppedError(f"its process {_died(code)}", timed_out=False)

    def close(self) -> None:
        if self._process.returncode is None:  # else its number may be another's by now
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._questions, self._answers):
            with suppress(OSError):  # a question that was not read is still in it
                pipe.close()


def _exit(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process that has closed its pipes, and is about to end."""
    try:
        return process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _died(code: int) -> str:
    return f"died with signal {-code}" if code < 0 else f"ended with exit status {code}"


def _send(pipe: IO[bytes], message: object) -> None:
    pipe.write(pickle.dumps(message))  # whole or not at all: what cannot be pickled must not spoil the pipe
    pipe.flush()


def serve() -> None:
    """The other end of `_Process`: answer until nobody asks."""
    begin()
    _die_with_parent()
    started_in.append(Path.cwd())
    # Whatever an engine prints must not come between the answers.
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.path[:] = pickle.load(questions)
    memory, this = Memory(), os.getpid()
    with suppress(EOFError, BrokenPipeError):
        while True:
            function, args = pickle.load(questions)
            answer = function(*args)
            if os.getpid() != this:
                os._exit(0)  # an engine has forked it, and the other one answers
            _send(answers, answer)
            if not _under_way:
                memory.give_back(args[:1])


def _ready(engine: str, function: Callable[..., object]) -> None:
    """Load the engine; the function came with the module that it lives in."""
    version(engine)


_under_way: list[Iterator[Any]] = []  # what a process of `serve` is asked for piece by piece


def _begin(engine: str, function: Callable[..., Iterator[T]], *args: Any) -> tuple[T, ...]:
    """The first piece of what a function yields; empty where there is none."""
    _under_way.append(function(engine, *args))
    return _next(engine)


def _next(engine: str) -> tuple[Any, ...]:
    piece = tuple(islice(_under_way[0], 1))
    if not piece:
        _under_way.clear()
    return piece


def begin() -> None:
    """What a process of our own begins with. Ctrl-C reaches every process of a terminal; only the one that owns the run
    decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    search_less()


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent is gone, since one that hangs would stay for ever."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL))
