"""What a report tells of findings, by cause: the table at its top, new ones in full, known ones with their reasons, and
what is reported without being one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..harness.records.outcome import Asked
from ..harness.records.rows import NOT_ENGINES, component
from ..harness.records.verdicts import VERDICTS
from ..harness.telling.causes import Cause
from ..harness.telling.findings import Told, told
from ..harness.words import counted
from .layout import case_link, code, escaped, listed, paragraph, shortened, table, told_table


def overview(found: Iterable[Cause]) -> str:
    """What is off, by operation and engine: a row for each cause."""
    head = ["operation", "engines", "what is off", "where", "cases", "known or new"]
    rows = [
        [
            _operation(cause),
            listed(Path(engine).name if ".py" in engine else engine for engine in cause.engines),
            cause.off,
            case_link(cause.cases[0]),
            f"{len(cause.cases):,}",
            "known" if cause.known else "**new**",
        ]
        for cause in found
    ]
    return table(head, rows)


def in_full(cause: Cause, asked: Asked) -> str:
    """One cause with its smallest finding: numbers, reasons, and a command that shows it again."""
    account = told(cause.smallest, asked)
    place = (
        case_link(account.row.case),
        f"point {account.row.point}" if account.row.point else "",
        escaped(account.who),
    )
    there = ": ".join(filter(None, (", ".join(filter(None, place)), escaped(account.what))))
    lines = [f"In {there}" if len(cause.cases) == 1 else f"In {counted(len(cause.cases), 'case')}: {_cases(cause)}"]
    lines[0] += f"; {counted(cause.rows, 'number')} in {', '.join(cause.dtypes)}" if cause.dtypes else ""
    lines += [f"The smallest: {there}"] if len(cause.cases) > 1 else []
    lines += [f"first link that is off: {escaped(account.link)}"] if account.link and account.who else []
    lines += [*map(paragraph, account.reasons), *_numbers(account)]
    lines += [f"also off there: {account.also:,} more"] if account.also else []
    lines += [f"where {escaped(account.nodes)}"] if account.nodes else []
    lines.append(f"repeat: {code(account.again)}")
    return f"### {_title(cause)}\n\n" + "<br>\n".join(lines)


def _numbers(account: Told) -> list[str]:
    row = account.row
    if not account.who or row.engine_value is None or row.reference is None:
        return []
    if row.engine_value == row.reference:
        return [f"{row.quantity} of `{row.name}`{component(row.index)} is {row.engine_value:.9g}, and so is the truth"]
    digits = f", {counted(float(f'{abs(row.digits):.0f}'), 'digit')} agree" if row.digits is not None else ""
    what = f"{row.quantity} of `{row.name}`{component(row.index)}"
    return [f"{what} is {row.engine_value:.9g}, the truth is {row.reference:.9g}{digits}"]


def in_short(cause: Cause, asked: Asked) -> str:
    """One known cause: what is off in its smallest case, why it is accepted, and a command that shows it again."""
    account = told(cause.smallest, asked)
    lines = [f"- {_title(cause)}, in {_cases(cause)}", *map(escaped, account.reasons)]
    lines += [f"accepted: {escaped(reason)}" for reason in cause.accepted]
    lines.append(f"repeat: {code(account.again)}")
    return "<br>\n  ".join(lines)


def reported(found: Iterable[Cause], asked: Asked) -> str:
    """What is worth a word and no disagreement: by verdict a row for each operation, told of its smallest case."""
    rows: list[list[str]] = []
    for cause in sorted(found, key=lambda cause: list(VERDICTS).index(cause.verdicts[0])):
        account = told(cause.smallest, asked)
        text = "; ".join(filter(None, (*map(shortened, account.reasons), account.nodes)))
        rows.append([cause.verdicts[0], _operation(cause), listed(cause.engines), _cases(cause), text])
    return told_table(["verdict", "operation", "engines", "cases", "reason, in the first of them"], rows)


def _title(cause: Cause) -> str:
    engines = (code(engine) for engine in cause.engines if engine not in NOT_ENGINES)
    who = ", ".join(filter(None, (_operation(cause), *engines)))
    return ": ".join(filter(None, (who, escaped(cause.off))))


def _operation(cause: Cause) -> str:
    return code(cause.where) if cause.where else ""


def _cases(cause: Cause, limit: int = 4) -> str:
    more = len(cause.cases) - limit
    return ", ".join(map(case_link, cause.cases[:limit])) + (f" and {more} more" if more > 0 else "")
