"""What a report tells of paths, as tables: where they went, and where two of them part. A row for each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..harness.records.paths import Parting, Summary, together
from ..harness.telling.findings import at_point, partings_by_unit
from ..harness.words import counted
from .layout import case_link, code, escaped, folded, listed, table, told_table

WALKED = (
    "Each engine took the steps of the case's update rule by itself, with its own optimiser, and every step was judged "
    "on the engine's own numbers."
)
PARTED = (
    "Two engines part at the first step after which fewer than half of the dtype's digits agree. Where every step is "
    "sound that is rounding, amplified: the paths of engines that are shaken in their last digits tell from which "
    "step on rounding alone may do so."
)


def trajectories(paths: Sequence[Summary], partings: Sequence[Parting]) -> str:
    """The section of paths; those with a step that is off are findings, and told with them."""
    walked = _walked(paths)
    parts = [WALKED, f"**{together(paths)}.**", folded(counted(len(walked[1]), "case"), table(*walked))]
    parts += _noted(paths)
    if partings:
        parts += [PARTED, told_table(*_parted(partings))]
    return "\n\n".join(parts)


def _walked(paths: Iterable[Summary]) -> tuple[list[str], list[list[str]]]:
    head = ["case", "rule", "steps", "engines", "dtypes", "start", "end", "moved as promised"]
    head += ["not judged, or not walked", "a step is off"]
    groups: dict[tuple[str, int], list[Summary]] = {}
    for path in paths:
        groups.setdefault((path.case, path.point), []).append(path)
    return head, [
        [
            at_point(case_link(case), point),
            group[0].rule,
            f"{max(path.steps for path in group):,}" + _watched(group[0]),
            f"{len({path.engine for path in group}):,}",
            ", ".join(dict.fromkeys(path.dtype for path in group)),
            _range(path.start for path in group),
            _range(path.end for path in group),
            _kept(group),
            _open(group),
            listed(dict.fromkeys(path.engine for path in group if path.first is not None)),
        ]
        for (case, point), group in groups.items()
    ]


def _watched(path: Summary) -> str:
    return f", every {path.watch:,}th judged" if path.watch > 1 else ""


def _range(numbers: Iterable[float | None]) -> str:
    """Where the output of all engines was: one number, or from the least to the largest."""
    shown = {f"{number:.6g}": number for number in numbers if number is not None}
    ends = sorted(shown, key=lambda text: shown[text])
    return " to ".join(dict.fromkeys([*ends[:1], *ends[-1:]]))


def _kept(group: Sequence[Summary]) -> str:
    for own in ("batch" if group[0].batches else "", "state" if group[0].state else ""):
        if own:
            return f"each output is of its own {own}"
    words = {True: "yes", False: "no", None: "did not move"}
    counts = {kept: sum(path.kept is kept for path in group) for kept in words}
    present = {words[kept]: count for kept, count in counts.items() if count}
    return next(iter(present)) if len(present) == 1 else ", ".join(f"{word}: {n}" for word, n in present.items())


def _open(group: Sequence[Summary]) -> str:
    """How many steps of which engines were not judged, and who did not walk at all."""
    told: dict[str, None] = {}
    for path in group:
        if path.unjudged:
            told[f"{code(path.engine)} {path.dtype}: {counted(path.unjudged, 'step')}"] = None
        if path.why and path.first is None:
            told[f"{code(path.engine)}: {path.why}"] = None
    return "; ".join(told)


def _noted(paths: Iterable[Summary]) -> list[str]:
    """What engines say of how they walked, each with its cases."""
    said: dict[tuple[str, str], dict[str, None]] = {}
    for path in paths:
        if path.note:
            said.setdefault((path.engine, path.note), {})[at_point(case_link(path.case), path.point)] = None
    return [f"{code(engine)}, {escaped(note)}: {', '.join(cases)}." for (engine, note), cases in said.items()]


def _parted(partings: Sequence[Parting]) -> tuple[list[str], list[list[str]]]:
    """Of each unit the first pair of engines that part, those that rounding does not explain before all others."""
    head = ["case", "dtype", "engines", "part at step", "there", "gap", "more pairs", "why"]
    return head, [
        [
            at_point(case_link(case), point),
            dtype,
            f"{code(first.engine_a)}, {code(first.engine_b)}",
            str(first.step),
            f"`{first.there}`",
            str(first.growth).removeprefix("the gap ") if first.growth else "",
            str(len(others)) if others else "",
            first.why,
        ]
        for (case, point, dtype), (first, *others) in partings_by_unit(partings).items()
    ]
