"""What goes wrong outside of a case file: a wrong command, an engine that cannot be loaded, an exception in a line."""

from __future__ import annotations

import signal
from pathlib import Path
from traceback import walk_tb

from .words import visible

engine_folders: set[Path] = set()  # of the engine files that were loaded
started_in: list[Path] = []  # of an engine's own process the folder that it began in, which the engine may leave


class CommandError(Exception):
    """The command, or what it names, is wrong: what was found, what was expected, what to do. Exit status 2."""


class LoadingError(Exception):
    """An engine that exists and cannot be loaded: the reason, in one line."""


def one_line(error: BaseException) -> str:
    """An exception as one line of moderate length: type, first line of the message, place in a user's engine file."""
    try:
        lines = visible(str(error)).strip().splitlines()
    except Exception:  # noqa: BLE001 what makes the message may fail too
        lines = []
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return (text if len(text) <= 200 else text[:197] + "...") + raised_at(error)


def raised(error: BaseException) -> str:
    """What an engine raised, as `one_line`: it may be no Exception at all. An interrupt is the user's, and raised
    again, but for a process that ignores those."""
    if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        raise error
    return one_line(error)


def raised_at(error: BaseException) -> str:
    """Where in an engine file, or in a module beside it, an exception came from; empty where it came from elsewhere."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    for path, line in reversed(frames):
        if path.parent in engine_folders:
            here = started_in[0] if started_in else Path.cwd()
            shown = path.relative_to(here) if path.is_relative_to(here) else path
            return f" at {shown.as_posix()}:{line}"
    return ""
