"""Where a unit is done, whoever sent it there: one process, with its engines, its memory and one unit at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock, Timer

from ..records.outcome import Outcome
from ..records.settings import Settings
from .journal import digest, portions_of
from .memory import Memory
from .offered import shipped
from .pieces import Portions
from .unit import Unit, outcome
from .workers import Announcing, Apart, Beside, Host

IDLE = 60.0  # seconds without a unit, after which processes of engines are let go

# The precision of balls is one for a whole process, and so are the warnings that are silenced while an engine runs.
_ALONE = Lock()


class _Place:
    """Engines as settings want them: the shipped ones in this process, or each in one of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        apart = settings.apart or settings.timeout is not None
        self.host: Host = Apart(settings.timeout) if apart else Beside()
        self.engines = () if apart else tuple(name for name in settings.engines if shipped(name))  # that live here
        self.memory = Memory()
        self.clock = Timer(0.0, let_go)

    def rest(self) -> None:
        """Wait for the next unit: in a long-lived worker of a cluster it may never come."""
        if len(self.engines) < len(self.settings.engines):
            self.clock = Timer(IDLE, let_go)
            self.clock.daemon = True
            self.clock.start()


_places: list[_Place] = []  # the one of this process, once there is one


def do(unit: Unit, settings: Settings, asks: Callable[[str], None] = lambda engine: None) -> Outcome:
    """The outcome of a unit, in this process. Engines stay loaded for the next one; `asks` hears which is asked."""
    settings = replace(settings, jobs=0)
    with _ALONE:
        if _places and _places[0].settings != settings:
            _places.pop().host.close()
        if not _places:
            _places.append(_Place(settings))
        place = _places[0]
        place.clock.cancel()
        try:
            with _kept(unit, settings) as kept:
                result = outcome(unit, settings.engines, Announcing(place.host, asks), kept)
            place.memory.give_back(place.engines)
        finally:
            place.rest()
    return result


@contextmanager
def _kept(unit: Unit, settings: Settings) -> Generator[Portions | None, None, None]:
    """What is kept of the unit's paths, if it has any, in the folder of the run; workers of a cluster may not see
    that."""
    if unit.case.update is None or not settings.out or settings.cluster:
        yield None
        return
    with closing(Portions(portions_of(digest(unit), Path(settings.out)))) as kept:
        yield kept


def let_go() -> None:
    """End the processes of engines, unless a unit is being done."""
    if _ALONE.acquire(blocking=False):
        try:
            while _places:
                place = _places.pop()
                place.clock.cancel()
                place.host.close()
        finally:
            _ALONE.release()
