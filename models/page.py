"""docs/models.md from the records: what was heard, what was refused and why, what is off."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from record import Record

EXAMINED = Path(__file__).parent / "examined.md"
PREFACE = """# Public models

Public models by name, with random weights and small inputs, heard and judged by `gradaccord.check`; no weights are
downloaded. Kept by `tox run -e models` (or `python models`), which overwrites this page. A model runs in a process of
its own. All run in float64, some in float32 and bfloat16 as well.

*Refused*: by the listener, with its reason. *Crashed*: an error of gradaccord's own. *Broken*: the model itself
does not run here. *Bits*: value, and each gradient, of the heard run against those of the plain one. *Findings* are
links that are off. Seconds are of a processor that others use too; memory is by how much the process grew at most.
"""


def page(records: Sequence[Record], where: str) -> str:
    """The page, in Markdown."""
    parts = [PREFACE, f"Machine: {where}\n", _summary(records), _reasons(records), _findings(records)]
    if EXAMINED.exists():
        parts.append(EXAMINED.read_text(encoding="utf-8"))
    families = defaultdict[str, list[Record]](list)
    for record in records:
        families[record.family].append(record)
    parts += [_family(name, families[name]) for name in sorted(families)]
    return "\n".join(parts)


def _summary(records: Sequence[Record]) -> str:
    rows: list[list[str]] = []
    for dtype in sorted({record.dtype for record in records}, key=lambda name: name != "float64"):
        of = [record for record in records if record.dtype == dtype]
        heard = [record for record in of if record.outcome == "heard"]
        outcomes = Counter(record.outcome for record in of)
        same, gradients = sum(record.same for record in heard), sum(record.gradients for record in heard)
        rows.append(
            [
                dtype,
                f"{len(of):,}",
                _share(len(heard), len(of)),
                *(f"{outcomes[name]:,}" for name in ("refused", "crashed", "out of time", "killed", "broken")),
                _share(sum(record.value_bits for record in heard), len(heard)),
                _share(same, gradients),
                f"{sum(bool(record.findings) for record in heard):,}",
                _median(record.hearing for record in heard),
                _median(record.judging for record in heard),
            ]
        )
    head = (
        "dtype | models | heard | refused | crashed | out of time | killed | broken | value bits the same | "
        "gradient bits the same | with findings | hearing | judging"
    )
    return f"## Summary\n\n{_table(head, rows)}"


def _reasons(records: Sequence[Record]) -> str:
    reasons = defaultdict[tuple[str, str], list[Record]](list)
    for record in records:
        if record.outcome != "heard":
            reasons[record.outcome, record.reason].append(record)
    ordered = sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = [
        [outcome, _cell(reason), str(len(found)), f"{found[0].name}, {found[0].dtype}"]
        for (outcome, reason), found in ordered
    ]
    return f"## Not heard, by reason\n\n{_table('what | reason | runs | the first', rows)}" if rows else ""


def _findings(records: Sequence[Record]) -> str:
    found = [record for record in records if record.findings]
    rows = [[f"{record.name}, {record.dtype}", _cell(finding)] for record in found for finding in record.findings]
    return f"## Findings\n\n{_table('model | finding', rows)}" if rows else ""


def _family(name: str, records: Sequence[Record]) -> str:
    head = "model | dtype | what | calls | numbers | value bits | gradient bits | hearing | judging | memory | findings"
    ordered = sorted(records, key=lambda record: (record.name, record.dtype != "float64", record.dtype))
    rows = [_row(record) for record in ordered]
    return f"## {name}\n\n{_table(head, rows)}"


def _row(record: Record) -> list[str]:
    model = record.name.partition("/")[2]
    if record.outcome != "heard":
        return [_cell(model), record.dtype, f"{record.outcome}: {_cell(record.reason)}", *[""] * 8]
    return [
        _cell(model),
        record.dtype,
        "heard",
        f"{record.nodes:,}",
        f"{record.numbers:,}",
        "same" if record.value_bits else "**other**",
        "same" if record.same == record.gradients else f"{record.same} of {record.gradients}",
        f"{record.hearing:.2f} s",
        f"{record.judging:.2f} s",
        f"{record.memory:.0f} MiB",
        str(len(record.findings) or ""),
    ]


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    names = head.split(" | ")
    lines = [" | ".join(names), " | ".join(["---"] * len(names)), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.1f} %)" if whole else "none"


def _median(seconds: Iterable[float]) -> str:
    kept = list(seconds)
    return f"{statistics.median(kept):.2f} s" if kept else ""


def _cell(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")[:400]
