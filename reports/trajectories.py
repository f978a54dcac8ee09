"""What a report tells of paths, as tables: where each engine went, and where two of them part."""

from __future__ import annotations

from collections.abc import Sequence

from ..harness.records.paths import Parting, Summary
from ..harness.telling.findings import at_point
from ..harness.words import counted

Table = tuple[list[str], list[list[str]]]

WALKED = (
    "Each engine took the steps of the case's update rule by itself, with its own optimiser, and every step "
    "was judged on the engine's own numbers. `first off`: the first step that is not sound, and its cause.\n\n"
)
PARTED = (
    "Two engines part at the first step after which fewer than half of the dtype's digits agree. Where every step is "
    "sound that is rounding, amplified: the paths of engines that are shaken in their last digits tell from which "
    "step on rounding alone may do so.\n\n"
)


def walked(paths: Sequence[Summary]) -> Table:
    """The head and the rows of a table of paths."""
    head = ["case", "dtype", "engine", "rule", "steps", "start", "end", "moved as promised", "first off"]
    return head, [
        [
            at_point(f"`{path.case}`", path.point),
            path.dtype,
            f"`{path.engine}`",
            path.rule,
            str(path.steps),
            *_moved(path),
        ]
        for path in paths
    ]


def parted(partings: Sequence[Parting]) -> Table:
    """The head and the rows of a table of pairs of engines whose paths part."""
    head = ["case", "dtype", "engines", "part at step", "there", "why"]
    return head, [
        [
            at_point(f"`{parting.case}`", parting.point),
            parting.dtype,
            f"`{parting.engine_a}`, `{parting.engine_b}`",
            str(parting.step),
            f"`{parting.there}`",
            parting.why,
        ]
        for parting in partings
    ]


def _moved(path: Summary) -> list[str]:
    promised = {True: "yes", False: "no", None: "did not move"}[path.kept]
    if path.against:
        promised += f", {counted(path.against, 'step')} did not"
    off = path.first
    return [
        "" if path.start is None else f"{path.start:.6g}",
        "" if path.end is None else f"{path.end:.6g}",
        promised,
        "" if off is None else f"step {off.step}, `{off.name}`: {off.cause} is {off.verdict}",
    ]
