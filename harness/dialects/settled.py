"""Settings for two optimisers at once: what `--set` says, whatever each of them calls it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import CommandError
from ..words import nearest
from .sides import Side, checked, rule_of, said


def settled(a: Side, b: Side, settings: Sequence[str]) -> tuple[Side, Side]:
    """Both with what `--set` says: `a.momentum=0.9`, `b.eps=1e-7`, or `lr=0.1` for each that has such a setting,
    whatever it calls it. Raises CommandError."""
    sides = {"a": a, "b": b}
    for setting in settings:
        name, equals, written = setting.partition("=")
        if not equals:
            raise CommandError(f"--set {setting}: expected NAME=VALUE, a.NAME=VALUE or b.NAME=VALUE")
        which, dot, argument = name.strip().partition(".")
        value = _value(written.strip())
        if dot and which in sides:
            sides[which] = _told(sides[which], argument, value)
            continue
        wanted = {key: _argument(side, name.strip(), [*sides.values()]) for key, side in sides.items()}
        if not any(wanted.values()):
            known = sorted(
                {*a.parameters, *b.parameters, *(a.rule.chosen if a.rule else ()), *(b.rule.chosen if b.rule else ())}
            )
            hint = " ".join(filter(None, [nearest(name, known), f"Known: {', '.join(known)}."]))
            raise CommandError(f"--set {setting}: neither has `{name}`. {hint}")
        for key, found in wanted.items():
            if found:
                sides[key] = _told(sides[key], found, value)
    return sides["a"], sides["b"]


def _value(written: str) -> Any:
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return written


def _told(side: Side, argument: str, value: Any) -> Side:
    argument, _, place = argument.partition(":")
    if place:
        value = tuple(value if k == int(place) else old for k, old in enumerate(side.call[argument]))
    if side.rule is not None:
        return replace(side, rule=rule_of(side.rule.rule, {**side.rule.chosen, argument: value}))
    return checked(side, {argument: value})


def _argument(side: Side, name: str, sides: Sequence[Side]) -> str:
    """What a side calls a setting that any side, or a rule, calls by a name; empty where it has none."""
    if side.rule is not None:
        if name in side.rule.row.settings:
            return name
    elif name in side.parameters:
        return name
    settings = {of for one in sides for native in one.natives for argument, of in said(native) if argument == name} | {
        name
    }
    if side.rule is not None:
        return next((of for of in settings if of in side.rule.row.settings), "")
    return next((argument for native in side.natives for argument, of in said(native) if of in settings), "")
