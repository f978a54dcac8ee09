"""The folder of a run: it can be written, one run at a time writes there, and what fails midway is told."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import CommandError

LOCK = ".gradaccord.lock"


def check_folder(folder: Path) -> None:
    """Make the folder of a run. Raises CommandError where that, or writing in it, is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".gradaccord.partial"
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None


def cannot_write(folder: Path, error: OSError) -> CommandError:
    return CommandError(f"cannot write to {folder}: {error.strerror or error}. `--out DIR` chooses another folder.")


@contextmanager
def alone(folder: Path) -> Generator[None, None, None]:
    """The folder for this run alone; a process that is killed gives it free. Raises CommandError where another run is
    writing there."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CommandError(
            f"another run is writing to {folder}: wait until it has ended, or choose another folder by `--out DIR`"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(folder: Path) -> Generator[None, None, None]:
    """A write that fails midway ends the run with its cause: CommandError. What was written before stays."""
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"cannot write to {folder}: {error.strerror or error}. What was complete before is there; the same command "
            "with `--resume` goes on with it once that is mended."
        ) from None
