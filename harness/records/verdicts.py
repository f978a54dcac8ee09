"""The table of verdicts: what each means, how grave it is, whether it counts; in the order of reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Verdict: TypeAlias = Literal[
    "agree",
    "lossy",
    "ill-conditioned",
    "convention",
    "kink artefact",
    "imprecise",
    "wrong",
    "not finite",
    "out of range",
    "overflow",
    "unstable",
    "failed",
    "timed out",
    "undefined",
    "unsupported",
    "not judged",
    "reference unreliable",
]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One verdict.

    `severity` orders those that looking at a link can give: of a chain of links the gravest decides.
    `finding`: it makes exit status 1 unless a ledger entry explains it; a convention does so only where engines chose
    differently, which the judge of a unit decides, who sees them all. `compared`: an engine's number was held
    against the truth. `sound`: no doubt is left of it. `general`: its reason is about an engine, not about one case.
    `style` is that of the terminal.
    """

    means: str
    style: str
    severity: int | None = None
    finding: bool = False
    compared: bool = False
    sound: bool = False
    general: bool = False


VERDICTS: dict[Verdict, Meaning] = {}


def verdict(name: Verdict, means: str, style: str = "red", **rest: Any) -> None:
    """Add one verdict to the table; `rest` as in `Meaning`."""
    assert name not in VERDICTS, f"{name} has two rows"
    VERDICTS[name] = Meaning(means, style, **rest)


# fmt: off
verdict("agree", "every step up to this number is a sound evaluation of the engine's own numbers", "green", severity=0, compared=True, sound=True)
verdict("lossy", "sound, but the usual formula cancels here and loses at least half of the digits", "cyan", severity=1, compared=True, sound=True)
verdict("ill-conditioned", "sound, but rounding alone may move half of the digits or more: the problem, not the engine", "cyan", severity=2, compared=True, sound=True)
verdict("convention", "at a kink, where several derivatives are right: says which one the engine took", "cyan", severity=5, compared=True)
verdict("kink artefact", "conventions combined into a gradient outside the true one-sided derivatives", severity=7, compared=True, finding=True)
verdict("imprecise", "a step is off, and sound only in a lower precision", severity=6, compared=True, finding=True)
verdict("wrong", "a step is off in every precision", severity=8, compared=True, finding=True)
verdict("not finite", "NaN or infinity where the truth is finite", severity=9, compared=True, finding=True)
verdict("out of range", "every step is sound, but one leaves the dtype's range, and the result is nowhere near the truth", severity=9, compared=True, finding=True)
verdict("overflow", "beyond the dtype's largest number", severity=10, compared=True, finding=True)
verdict("unstable", "a second run on the same inputs gave another answer", compared=True, finding=True)
verdict("failed", "the engine raised, crashed or returned nonsense", finding=True)
verdict("timed out", "no answer within the time limit", finding=True)
verdict("undefined", "no truth exists here, as for the logarithm of -1", "dim", severity=4)
verdict("unsupported", "the engine cannot do this, or is not installed", "dim", general=True)
verdict("not judged", "the engine shows too little of its inside, or the reference is unreliable", "dim", severity=3, general=True)
verdict("reference unreliable", "two derivations of the truth contradict each other: no engine is judged", finding=True)
# fmt: on

FINDINGS: frozenset[Verdict] = frozenset(name for name, row in VERDICTS.items() if row.finding)
GRAVITY: Mapping[Verdict, int] = {name: place for place, name in enumerate(VERDICTS)}  # the place in the table
SEVERITY: Mapping[Verdict, int] = {name: row.severity for name, row in VERDICTS.items() if row.severity is not None}
