"""Planted faults: each line of each rule bent in every way that moves its number is caught, and its number named."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.paths.dialects import dialects
from gradaccord.harness.paths.move import Move
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.paths.settings import otherwise
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.rules.definition import Definition, definition
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.rule import RULES, Line, Rule, Setting

from .moves import beginning, gradients, walked

# Settings by which every line of a rule shows: nothing is 0, and nothing is lost beside 1.
SHOWING = {
    "step_size": "0.01", "momentum": "0.5", "dampening": "0.25", "eps": "0.01", "eps_root": "0.02", "initial": "0.1",
    "slowing": "0.1", "beta2": "0.9", "psi": "0.5", "begin": "3", "shrinking": "0.1", "weight_decay": "0.1",
}  # fmt: skip


def showing(rule: str) -> Definition:
    row = RULES[rule]
    return definition(rule, {name: text for name, text in SHOWING.items() if row.allowed(name)})


def shape_of(rule: str) -> tuple[int, ...]:
    return (2, 4) if RULES[rule].by_shape else (8,)


TURNED: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult(),
}  # fmt: skip


class _Bent(ast.NodeTransformer):
    """The k-th place of an expression where something can be bent, bent; `made` says how."""

    def __init__(self, k: int) -> None:
        self.k, self.made = k, ""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        turned = TURNED.get(type(node.op))
        if turned is not None and self._now(f"{ast.unparse(node)} by {type(turned).__name__}"):
            return ast.BinOp(node.left, turned, node.right)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in ("t", "square", "sqrt", "abs", "sign", "where", "maximum", "minimum", "norm", "mean"):
            return node
        if self._now(f"{node.id} a billionth larger"):
            return ast.parse(f"({node.id} * 1.000000001)", mode="eval").body
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [self.visit(one) for one in node.args]
        return node

    def _now(self, what: str) -> bool:
        self.k -= 1
        if self.k == -1:
            self.made = what
        return self.k == -1


def bent(text: str) -> Iterator[tuple[str, str]]:
    for k in range(100):
        change = _Bent(k)
        tree = change.visit(copy.deepcopy(ast.parse(text, mode="eval").body))
        if not change.made:
            return
        yield ast.unparse(tree), change.made


def mutants(row: Rule, found: Definition) -> Iterator[tuple[Line, Line, str]]:
    for line in row.lines:
        if line.also or not found.holds(line.conditions):
            continue
        yield from ((line, replace(line, text=text), what) for text, what in bent(line.text))
        if line.name in row.start and line.name not in ("eta", "mu"):
            yield line, replace(line, text=line.name), "not updated"


def same(sound: Sequence[Move], other: Sequence[Move]) -> bool:
    """Whether a fault moves nothing by more than rounding: a sign hides much."""
    for a, b in zip(sound, other, strict=True):
        for mine, theirs in [(a.new_x, b.new_x), *((a.new_state[v], b.new_state[v]) for v in a.new_state)]:
            if (np.abs(mine - theirs) > 1e-13 * np.abs(mine) + 1e-15 * np.abs(mine).max()).any():
                return False
    return True


# Lines by rows and columns take long: what is off in them is named by `tests/paths/test_by_shape.py` too.
@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=[pytest.mark.slow] * (rule == "adafactor")) for rule in RULES]
)
def test_a_line_that_is_bent_is_caught_and_its_number_is_named(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, found = RULES[rule], showing(rule)
    x, slopes = beginning(5, shape_of(rule), "float64"), gradients(5, shape_of(rule), "float64", steps=8)
    sound = walked(row_optimiser(rule, found.chosen, {"x": x.copy()}), x, slopes)
    caught, missed = 0, list[str]()
    for k, (line, other, what) in enumerate(mutants(row, found)):
        lines = tuple(other if one is line else one for one in row.lines if not (one.also and one.name == line.name))
        monkeypatch.setitem(RULES, f"{rule} {k}", replace(row, lines=lines))
        try:
            moves = walked(row_optimiser(f"{rule} {k}", found.chosen, {"x": x.copy()}), x, slopes)
        except GraphError:  # a condition is no number that is larger
            continue
        off = [one.cause for judged in judge_moves(moves[:8], found) for one in judged.findings if one.counts]
        if off and off[0] in told_by(found, line.name):
            caught += 1
        elif off or not same(sound, moves):
            missed.append(f"{line.name}: {what}, told as {off[:1]}")
    assert missed == []
    assert caught > 0 or rule in ("ascent", "descent", "sign")


def told_by(found: Definition, name: str) -> list[str]:
    """The causes that a line's number may be told by: the visible numbers from its own on."""
    names = list(found.visible)
    first = names.index(name) if name in names else 0
    return ["update" if one == "x" else f"state {one}" for one in names[first:]]


NUMBERS = [
    (rule, name) for rule in RULES for name, allowed in RULES[rule].settings.items()
    if isinstance(allowed, Setting) and name in showing(rule).chosen and name != "threshold"
]  # fmt: skip
# Of most rules one: each is looked for in the same way.
QUICK = [one for one in NUMBERS if one[1] == "eps" or one in (("descent", "step_size"), ("adam", "step_size"))]


@pytest.mark.parametrize(
    "rule, name",
    [pytest.param(*one, marks=[pytest.mark.slow] * (one not in QUICK)) for one in NUMBERS],
)
def test_a_setting_that_is_off_by_a_millionth_is_caught_and_named(rule: str, name: str) -> None:
    found = showing(rule)
    x, slopes = beginning(5, shape_of(rule), "float64"), gradients(5, shape_of(rule), "float64", steps=8)
    other = {**found.chosen, name: repr(float(found.chosen[name]) * (1 + 1e-6))}
    moves = walked(row_optimiser(rule, other, {"x": x.copy()}), x, slopes)
    judged = judge_moves(moves, found)
    if not any(one.counts for move in judged for one in move.findings):
        sound = walked(row_optimiser(rule, found.chosen, {"x": x.copy()}), x, slopes)
        assert same(sound, moves)  # a sign hides it
        return
    named = otherwise(moves, judged, found)
    twins = {"lars": ("step_size", "trust")}.get(rule, ())  # their product is all that is read
    assert named.partition(":")[0] == ("" if name in twins else name)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
@pytest.mark.parametrize("rule", RULES)
def test_every_known_definition_of_a_rule_is_sound_where_its_own_row_is_run(rule: str, dtype: str) -> None:
    for found in (showing(rule), *dialects(showing(rule))):
        centered = found.chosen.get("centered") == "yes"
        if centered and (dtype != "float64" or found.chosen["unbiased"] == "yes"):
            continue  # v - m * m keeps too few digits there, and may be negative
        x, slopes = beginning(1, shape_of(rule), dtype), gradients(1, shape_of(rule), dtype, steps=8)
        moves = walked(row_optimiser(rule, found.chosen, {"x": x.copy()}), x, slopes)
        assert not any(one.counts for judged in judge_moves(moves, found) for one in judged.findings)


MEANS = [
    ("adam", {"beta1": "0.999"}, "m"),
    ("adamax", {"beta1": "0.999"}, "m"),
    ("rmsprop", {"centered": "yes", "rho": "0.999"}, "m"),
    ("adafactor", {"power": "3"}, "v"),
    ("descent", {"average": "0.999", "average_begins": "start"}, "averaged"),
]


@pytest.mark.parametrize("rule, settings, name", MEANS, ids=[rule for rule, *_ in MEANS])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_of_a_mean_that_keeps_most_of_itself_the_sign_is_sure(
    rule: str, settings: dict[str, str], name: str, dtype: str
) -> None:
    """In half precision a rounding of the gradient is larger than what it adds to such a mean."""
    found = definition(rule, {"step_size": "0.01", **settings})
    x = np.linspace(-1, 1, 8).astype(FORMATS[dtype].dtype)
    slopes = [(np.linspace(-1, 2, 8) * (-1) ** t * (1 + t / 10)).astype(x.dtype) for t in range(6)]
    moves = walked(row_optimiser(rule, found.chosen, {"x": x.copy()}), x, slopes)
    turned = [replace(move, new_state={**move.new_state, name: -move.new_state[name]}) for move in moves]
    assert not any(one.counts for judged in judge_moves(moves, found) for one in judged.findings)
    assert all(any(one.counts for one in judged.findings) for judged in judge_moves(turned, found))
