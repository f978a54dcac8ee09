"""Cases x engines -> outcomes: what units a run has, where they are sent, and the order in which outcomes are given."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace
from functools import partial

from ..reading.case import Case
from ..records.evaluation import DEFAULT_DTYPES, DTYPES
from ..records.outcome import Outcome
from ..records.settings import Settings
from .journal import Journal
from .ledger import Ledger
from .offered import installed
from .place import do, let_go
from .pools import ThisProcess
from .schedule import Schedule, cost
from .unit import Unit, lost


def units(cases: Sequence[Case], dtypes: Sequence[str] = ()) -> list[Unit]:
    """The units of the cases, in order, in all dtypes of each or in those that are asked for.

    A case without a list of its own runs in every dtype that is asked for, others in those of their list alone.
    """
    work: list[Unit] = []
    for case in cases:
        possible = tuple(DTYPES) if dtypes and case.dtypes == DEFAULT_DTYPES else case.dtypes
        chosen = [dtype for dtype in possible if not dtypes or dtype in dtypes]
        work += [Unit(case, point, dtype, dtype == chosen[0]) for point in range(len(case.points)) for dtype in chosen]
    return work


def run(
    work: Sequence[Unit],
    settings: Settings,
    executor: Executor | None = None,
    noticed: Callable[[Outcome], None] = lambda outcome: None,
    asks: Callable[[Unit, str], None] = lambda unit, engine: None,
    journal: Journal | None = None,
) -> Generator[Outcome, None, None]:
    """The outcome of each unit, in order; what is stale or idle in ledgers comes as outcomes of its own.

    Units are done by the executor, `settings.jobs` at once; without one, in this process. In this thread `noticed`
    hears of each outcome as soon as it is complete, in any order, and `asks` of each engine before it is asked, where
    that is done in this process. What the journal has is not done again, of all else it gets the outcome as it came,
    before a ledger explains it. KeyboardInterrupt is raised again once every outcome that was complete has been given.
    """
    left = Counter(unit.case.name for unit in work)
    ledgers = {unit.case.name: Ledger(unit.case) for unit in work}

    def explained(outcome: Outcome) -> Outcome:
        outcome = ledgers[outcome.case].explain(outcome)
        noticed(outcome)
        return outcome

    sent = _Sent(work, settings, executor or ThisProcess(), asks, journal)
    for outcome in _outcomes(sent, journal, len(work), explained):
        yield outcome
        name = outcome.case
        left[name] -= 1
        if not left[name]:
            ledger = ledgers[name]
            told = [*ledger.stale(), *ledger.idle({**installed(), **dict.fromkeys(settings.engines)})]
            if told:
                last = Outcome(case=name, point=told[0].point, dtype=told[0].dtype, rows=tuple(told), unit=False)
                noticed(last)
                yield last


def _outcomes(
    sent: _Sent, journal: Journal | None, count: int, explained: Callable[[Outcome], Outcome]
) -> Iterator[Outcome]:
    """In the order of the work, of which a bounded part is under way or waits to be given."""
    complete: dict[int, Outcome] = {}
    given = 0
    try:
        while given < count:
            if journal is not None and given in journal.done:
                complete[given] = explained(journal.outcome(given))
            else:
                sent.send(given)
                for place, outcome in sent.back():
                    complete[place] = explained(outcome)
            while given in complete:
                yield complete.pop(given)
                given += 1
    except KeyboardInterrupt:
        for place, outcome in sent.back(timeout=0):
            complete[place] = explained(outcome)
        for place in sorted(complete):
            yield complete[place]
        raise
    finally:
        sent.cancel()
        let_go()


class _Sent:
    """Units on their way through an executor.

    A unit whose worker died is sent once more, with each engine in a process of its own, and among its like alone: so
    an engine that kills its process is known by name, and costs no other unit its outcome.
    """

    def __init__(
        self,
        work: Sequence[Unit],
        settings: Settings,
        executor: Executor,
        asks: Callable[[Unit, str], None],
        journal: Journal | None,
    ) -> None:
        self._work, self._executor, self._asks, self._journal = work, executor, asks, journal
        self._settings = settings
        self._careful = replace(settings, apart=True)
        jobs = max(settings.jobs, 1)
        self._room = jobs if jobs == 1 else jobs + (jobs + 3) // 4  # a worker finds its next unit waiting
        self._schedule = Schedule([cost(unit) for unit in work], jobs, journal.done if journal is not None else ())
        self._under_way: dict[Future[Outcome], tuple[int, bool]] = {}  # its place in the work; whether it is sent again
        self._again = deque[int]()
        self._losses = 0

    def send(self, awaited: int) -> None:
        """Send units while there is room; `awaited` is the first one without an outcome."""
        while len(self._under_way) < self._room:
            again = bool(self._again)
            if any(other != again for _, other in self._under_way.values()):
                return
            place = self._again.popleft() if again else self._schedule.begin(awaited)
            if place is None:
                return
            # Where workers go on dying, sending twice costs more than processes for all.
            settings = self._careful if again or self._losses > 1 else self._settings
            self._under_way[self._submitted(place, settings)] = (place, again)

    def _submitted(self, place: int, settings: Settings) -> Future[Outcome]:
        try:
            unit = self._work[place]
            if isinstance(self._executor, ThisProcess):
                return self._executor.submit(do, unit, settings, partial(self._asks, unit))
            return self._executor.submit(do, unit, settings)
        except Exception as error:  # noqa: BLE001 an executor that takes no more is the same as a worker that died
            future = Future[Outcome]()
            future.set_exception(error)
            return future

    def back(self, timeout: float | None = None) -> Iterator[tuple[int, Outcome]]:
        """Outcomes that have come, with their places in the work; waits for one."""
        for future in wait(self._under_way, timeout, FIRST_COMPLETED).done:
            place, again = self._under_way.pop(future)
            try:
                outcome = future.result()
            except Exception as error:  # noqa: BLE001 what executors raise when a worker dies differs
                if not again:
                    self._losses += not self._again
                    self._again.append(place)
                    continue
                outcome = lost(self._work[place], error)
            self._schedule.end(place)
            if self._journal is not None:
                self._journal.add(place, outcome)
            yield place, outcome

    def cancel(self) -> None:
        for future in self._under_way:
            future.cancel()
