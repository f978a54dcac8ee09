"""Ctrl-C, and the signals by which a machine ends a run: each ends it in good order, between two writes."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

# SIGHUP, of a terminal that is gone, is not known everywhere; SIGTERM is what `kill`, `timeout` and clusters send.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupts:
    """Each is a KeyboardInterrupt, held back while a report is written, so that no line of it is cut in the middle."""

    def __init__(self) -> None:
        self._held = False
        self._pending = False

    def __enter__(self) -> Interrupts:
        self._before = {
            number: signal.signal(number, self._on)
            for number in SIGNALS
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN  # `nohup` has it ignored
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on(self, number: int, frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._pending = True

    @contextmanager
    def held(self, *, quietly: bool = False) -> Generator[None, None, None]:
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending and not quietly:
            self._pending = False
            raise KeyboardInterrupt
