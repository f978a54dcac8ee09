"""Settings that change from step to step: formulas of the step's number `t`, which is 1 at the first.

A named schedule is a formula too: `cosine(0.1, steps=100)`. What frameworks call its count is `t - 1`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..arithmetic import floats
from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.language.expression import Parser, parsed
from ..graph.node import GraphError
from ..words import nearest


@dataclass(frozen=True, slots=True)
class Named:
    """A schedule: its parameters with their defaults (empty: must be given), its formula of them and t, and whose it
    is."""

    parameters: Mapping[str, str]
    formula: str
    source: str


DOWN = "last + (value - last) * (1 + cos(pi * minimum(t - 1, steps) / steps)) / 2"
SCHEDULES: Mapping[str, Named] = {
    "constant": Named({"value": ""}, "value + 0 * t", "the same at every step"),
    "step": Named(
        {"value": "", "every": "", "factor": "0.1"}, "value * factor ** floor((t - 1) / every)",
        "torch's StepLR, optax's exponential_decay(staircase=True)",
    ),
    "exponential": Named(
        {"value": "", "factor": ""}, "value * factor ** (t - 1)",
        "torch's ExponentialLR, optax's exponential_decay with transition_steps=1",
    ),
    "polynomial": Named(
        {"value": "", "steps": "", "last": "0", "power": "1"},
        "last + (value - last) * (1 - minimum(t - 1, steps) / steps) ** power",
        "torch's PolynomialLR (last 0), optax's polynomial_schedule",
    ),
    "warmup": Named(
        {"value": "", "steps": "", "first": "0"}, "first + (value - first) * minimum((t - 1) / steps, 1)",
        "torch's LinearLR, optax's linear_schedule",
    ),
    "cosine": Named(
        {"value": "", "steps": "", "last": "0"}, DOWN,
        "Loshchilov & Hutter 2017, SGDR, eq. 5, once; optax's cosine_decay_schedule; torch's CosineAnnealingLR up to "
        "T_max, where it begins to rise again",
    ),
    "warmup_cosine": Named(
        {"value": "", "warm": "", "steps": "", "first": "0", "last": "0"},
        "where(t - 1 < warm, first + (value - first) * (t - 1) / warm, "
        "last + (value - last) * (1 + cos(pi * (minimum(t - 1, steps) - warm) / (steps - warm))) / 2)",
        "optax's warmup_cosine_decay_schedule",
    ),
    "one_cycle": Named(
        {"value": "", "steps": "", "rise": "0.3", "divide": "25", "divide_last": "10000"},
        "where(t - 1 <= rise * steps - 1, "
        "value + (value / divide - value) * (1 + cos(pi * (t - 1) / (rise * steps - 1))) / 2, "
        "value / divide / divide_last + (value - value / divide / divide_last) * "
        "(1 + cos(pi * (t - rise * steps) / (steps - rise * steps))) / 2)",
        "Smith & Topin 2018, Super-convergence, as torch's OneCycleLR; optax's phases begin and end elsewhere",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Schedule:
    """A formula of t as a function: `Schedule("0.1 / t")(2)` is 0.05."""

    text: str

    def __call__(self, t: int) -> float:
        return float(_compiled(self.text)(float(t))[0])


@lru_cache(maxsize=1024)
def written_out(text: str) -> str:
    """A formula without names of schedules. Raises GraphError for a call that is not as its row says."""
    module = parsed(text)
    return ast.unparse(_WrittenOut().visit(ast.fix_missing_locations(ast.parse(ast.unparse(module)))))


def moved(text: str, by: int) -> str:
    """A formula as it is so many steps later."""
    return ast.unparse(_Filled({"t": _tree(f"t + {by}" if by >= 0 else f"t - {-by}")}).visit(_tree(written_out(text))))


class _WrittenOut(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        named = SCHEDULES.get(node.func.id) if isinstance(node.func, ast.Name) else None
        return (
            node if named is None else _Filled(_bound(ast.unparse(node.func), named, node)).visit(_tree(named.formula))
        )


class _Filled(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._values.get(node.id, node)


def _bound(name: str, named: Named, node: ast.Call) -> dict[str, ast.expr]:
    """What each parameter of a schedule is in a call."""
    signature = ", ".join(key if not default else f"{key}={default}" for key, default in named.parameters.items())
    expected = f"{name}({signature})"
    if len(node.args) > len(named.parameters):
        raise GraphError(f"{len(node.args)} numbers for `{name}`", expected)
    given = dict(zip(named.parameters, node.args, strict=False))
    for keyword in node.keywords:
        key = str(keyword.arg)
        if key not in named.parameters:
            raise GraphError(f"`{key}` of `{name}`", expected, nearest(key, named.parameters))
        given[key] = keyword.value
    for key, default in named.parameters.items():
        if key not in given and not default:
            raise GraphError(f"`{name}` without `{key}`", expected)
    return {key: given[key] if key in given else _tree(default) for key, default in named.parameters.items()}


def _tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@lru_cache(maxsize=256)
def _compiled(text: str) -> Program:
    builder = Builder()
    value = Parser(builder, {"t": builder.input("t", ())}).value("at", written_out(text))
    name = builder.apply("copy", [value], {}, "number")
    return emit(builder.graph([name]), floats.NAMESPACE, [name])
