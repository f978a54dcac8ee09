"""Outcomes that were gathered elsewhere, as by tests -> the reports that a run of the same units writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..reading.case import Case
from ..records.outcome import Asked, Outcome
from ..records.settings import Settings
from .folder import alone, check_folder, writing
from .ledger import Ledger
from .offered import installed
from .selection import Selected, address
from .session import Began, Kept, about_run, open_reports, strictly, summary_of

Key = tuple[str, int, str]  # the path of a case, a point, a dtype


def write_reports(
    cases: Mapping[str, Case], found: Mapping[Key, Outcome], units: int, settings: Settings, command: str, began: Began
) -> None:
    """Write the reports of so many units, of which those that were found are complete; `cases` by their paths.

    Raises CommandError where the folder cannot be written.
    """
    out = Path(settings.out)
    check_folder(out)
    picked = [Selected(case, address(case.name, case.path)) for case in cases.values()]
    asked, kept = Asked(settings=settings, cases=tuple(map(summary_of, picked))), Kept()
    with alone(out), writing(out):
        reports = open_reports(out, about_run(asked, kept, command, began, units=units, left=units))
        for path, case in cases.items():
            ledger = Ledger(case)
            outcomes = [ledger.explain(outcome) for (of, _, _), outcome in found.items() if of == path]
            told = [*ledger.stale(), *ledger.idle({**installed(), **dict.fromkeys(settings.engines)})]
            if told and outcomes:
                last = Outcome(case=case.name, point=told[0].point, dtype=told[0].dtype, rows=tuple(told), unit=False)
                outcomes.append(last)
            for outcome in map(strictly, outcomes) if settings.strict else outcomes:
                kept.add(outcome)
                for report in reports:
                    report.add(outcome)
        about = about_run(asked, kept, command, began, units=units, left=units - len(found))
        for report in reports:
            report.close(about)
