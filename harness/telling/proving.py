"""A case's reference and its proof as text: what `gradaccord prove` prints.

Everything is at the decimals of the file, to as many digits as are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil, log2
from typing import Any

import numpy as np

from ..graph.directional import directional
from ..judging.second_order import given
from ..reading.case import Case
from ..truth.precision import is_loose
from ..truth.proof import RESULTS, Check, Proof, prove, prove_second
from ..truth.reference import Number, reference

SHOWN = 12  # elements of an array
BITS = 80  # of accuracy, at least
SET, SET_DIGITS = 20, 6  # bits of accuracy below which a ball is shown by its ends, and their digits


@dataclass(frozen=True, slots=True)
class Proved:
    text: str
    reliable: bool


def proved(case: Case, point: int, digits: int, directions: int, seed: int) -> Proved:
    """The enclosures of value and gradient at one point of a case, and all that was checked of them."""
    inputs, cotangent = case.exact_inputs(point), case.exact_cotangent()
    bits = max(BITS, ceil((digits + 1) * log2(10)))
    truth = reference(case.graph, inputs, cotangent, bits)
    proof = prove(case.graph, inputs, cotangent, truth, directions=directions, seed=seed, thorough=True)
    numbers = {f"value of {name}": truth.values[name] for name in case.graph.outputs}
    numbers |= {f"gradient of {node.name}": truth.adjoints[node.name] for node in case.graph.wanted}
    proofs = {"": proof}
    if case.derivatives:
        beyond, proofs["second order"] = _beyond(case, point, bits, directions, seed)
        numbers |= {what: number for what, number in beyond.items() if what.split()[0] in case.derivatives}
    width = max(map(len, numbers)) + 2
    lines = [f"{case.name}, point {point}, at the decimals as written", ""]
    for what, number in numbers.items():
        lines += _enclosures(what.ljust(width), number, digits)
    for title, evidence in proofs.items():
        lines += [title and f"\n  {title}", *_checked(evidence, seed), "", f"  {_conclusion(evidence)}"]
    return Proved("\n".join(line.rstrip() for line in lines), not any(evidence.failed for evidence in proofs.values()))


def _beyond(case: Case, point: int, bits: int, directions: int, seed: int) -> tuple[dict[str, Number], Proof]:
    """The tangent and the Hessian-vector products, as the value and the gradient of the contracted gradient graph."""
    along, unit = directional(case.graph), np.ones(())
    inputs = given(along, case.exact_inputs(point), case.exact_cotangent(), case.direction("float64"))
    truth = reference(along.graph, inputs, unit, bits)
    whole = prove(along.graph, inputs, unit, truth, directions=directions, seed=seed, thorough=True)
    tangent, products = truth.values[along.graph.output.name], {n: truth.adjoints[n] for n in along.directions}
    numbers = {f"tangent of {case.graph.output.name}": tangent}
    numbers |= {f"hessian_product of {name}": number for name, number in products.items()}
    balls = {name: number.balls for name, number in products.items()}
    exactly, cotangent, v = case.exact_inputs(point), case.exact_cotangent(), case.direction("float64")
    return numbers, prove_second(whole, case.graph, exactly, cotangent, v, tangent.balls[()], balls, seed=seed)


def _enclosures(what: str, number: Number, digits: int) -> Iterator[str]:
    """A number on one line, an array element by element."""
    if number.balls.shape == ():
        yield f"  {what}{_enclosure(number.balls[()], digits)}"
        return
    yield f"  {what}{list(number.balls.shape)}"
    shown = {str(list(place)): number.balls[place] for place in islice(np.ndindex(number.balls.shape), SHOWN)}
    for place, ball in shown.items():
        yield f"    {place:{max(map(len, shown))}}  {_enclosure(ball, digits)}"
    if number.balls.size > SHOWN:
        yield f"    and {number.balls.size - SHOWN:,} more"


def _enclosure(ball: Any, digits: int) -> str:
    """A ball as decimals; a set by its ends."""
    if ball.is_finite() and is_loose(ball, SET):
        return f"a set, from {_end(ball.lower())} to {_end(ball.upper())}"
    text: str = ball.str(digits)
    plain = ball.is_exact() and "." in text and not set(text) & set("[e")
    return text.rstrip("0").rstrip(".") if plain else text


def _end(ball: Any) -> str:
    return ball.str(SET_DIGITS, radius=False)


def _checked(proof: Proof, seed: int) -> Iterator[str]:
    results = {
        kind: _results(check for check in proof.operations if check.what.startswith(kind))
        for kind in ("value", "product", "adjoint")
    }
    yield f"  precision    {proof.precision:,} bits"
    yield f"  directions   {_results(proof.directions)} (random integers, seed {seed}); values {_results(proof.values)}"
    yield f"  operations   products {results['product']}; values {results['value']}"
    yield f"  adjoints     {results['adjoint']}, as the sums of their terms"


def _results(checks: Iterable[Check]) -> str:
    counts = Counter(check.result for check in checks)
    return ", ".join(f"{counts[result]:,} {result}" for result in RESULTS if counts[result]) or "none"


def _conclusion(proof: Proof) -> str:
    if proof.failed:
        return f"reference unreliable: {proof.failure}"
    if proof.proved:
        return "proved: forward and reverse mode enclose the same numbers"
    results = {check.result for check in (*proof.values, *proof.directions)}
    parts = ["a set here (a kink), which holds every slope that was found"] * ("contained" in results)
    parts += ["not finite here, which proves nothing"] * ("open" in results)
    return f"not contradicted: {'; '.join(parts)}"
