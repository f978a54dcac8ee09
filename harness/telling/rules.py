"""The update rules as a page: of each rule its lines, settings, choices and source, as its row has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..rules.rule import AVERAGED, COMMON, FIRST, LAST, RULES, TURNS, Choice, Condition, Line, Rule, Setting, Shaped
from ..rules.schedules import SCHEDULES

TURNING = """\
With `accumulate: k`, k above 1, a rule steps once in k gradients. In all lines but the first ones `t` is `turn`. On the
steps between, where `last` is false, the parameter and all state but `total` stay as they are. `total`, `averaged` and
`raw` are state: they begin at 0, `x` and 0."""


SHAPED: Mapping[Shaped, str] = {
    "parameter": "", "scalar": ", one number", "row": ", one for each row", "column": ", one for each column",
}  # fmt: skip


def rules_page() -> str:
    """All of the page behind its introduction, in Markdown."""
    parts = ["## What all rules have", _settings(COMMON), _lines([*TURNS, *FIRST["down"], *LAST, *AVERAGED]), TURNING]
    parts += ["## Schedules", _schedules()]
    for name, row in RULES.items():
        parts += [f"## {name}", row.source + ".", _settings(row.settings), *_start(row), _lines(row.lines)]
    return "\n\n".join(parts) + "\n"


def _settings(settings: Mapping[str, Setting | Choice]) -> str:
    rows = ["| setting | default | what it may be |", "|---|---|---|"]
    for name, allowed in settings.items():
        default = "" if allowed.default is None else f"`{allowed.default}`"
        if isinstance(allowed, Choice):
            said = "; ".join(f"`{answer}`: {words}" for answer, words in allowed.answers.items())
        else:
            said = allowed.expected + (", or a formula of `t`" if not allowed.whole else "")
        rows.append(f"| `{name}` | {default} | {said} |")
    return "\n".join(rows)


def _start(row: Rule) -> Iterator[str]:
    if row.start:
        said = [f"`{name}` from `{one.text}`{SHAPED[one.shape]}" for name, one in row.start.items()]
        yield f"State: {'; '.join(said)}."


def _lines(lines: list[Line] | tuple[Line, ...]) -> str:
    return "\n".join(["```text", *(_written(line) for line in lines if not line.also), "```"])


def _written(line: Line) -> str:
    conditions = ", ".join(map(_condition, line.conditions))
    return (f"[{conditions}] " if conditions else "") + f"{line.name} = {line.text}"


def _condition(condition: Condition) -> str:
    answer = "" if condition.answer is None else f": {condition.answer}"
    return f"{'not ' if condition.negated else ''}{condition.name}{answer}"


def _schedules() -> str:
    rows = ["| schedule | formula | whose |", "|---|---|---|"]
    for name, row in SCHEDULES.items():
        signature = ", ".join(key + (f"={default}" if default else "") for key, default in row.parameters.items())
        rows.append(f"| `{name}({signature})` | `{row.formula}` | {row.source} |")
    return "\n".join(rows)
