"""What two nodes may have to do with one another where no small change of a step is known: a factor, an addend; and
what is off lies in one step, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..graph.node import Constant, Node
from ..records.evaluation import Array
from . import wording
from .content import content
from .matching import Match, laid_out
from .proposals import Proposal, Question, distinct, everywhere
from .side import Change, Side

MOST = 16  # nodes of either side that are held against one another
LONGEST = 2**22


def other_factor(q: Question) -> Iterator[Proposal]:
    """A number that the other side multiplies or divides by."""
    for node in q.targets:
        theirs, mine = _constants(q.there, q.others), _constants(q.here, q.blamed)
        for factor in [*theirs, *(1 / abs(one) for one in mine if one)]:
            for by in (factor, 1 / factor if factor in theirs and factor else 0.0):
                if not np.isfinite(by) or by in (0, 1) or q.here.numbers[node.name].dtype.kind != "f":
                    continue

                def make(n: Node, by: float = by) -> Change:
                    return lambda known: q.here.step(n, known) * by

                word = "multiplied" if by == factor else "divided"
                reason = f"scaled: {{there}} is {word} by {wording.factor(factor)} (a factor), and {{here}} is not"
                if factor not in theirs:
                    reason = f"scaled: the factor {wording.factor(1 / factor)} of {{here}} is left out at {{there}}"
                yield from everywhere(q, node, make, reason, q.first_there)


def related(q: Question) -> Iterator[Proposal]:
    """A factor or an addend makes a node of this side one of the other's."""
    for name, other, x, y in _pairs(q):
        with np.errstate(all="ignore"):
            share, apart = y / x, y - x
        if (r := _one(share, x)) is not None and r not in (0, 1):
            yield Proposal({name: lambda known, y=y: y}, _scaled(q, r), name, other)
        elif (d := _one(apart, x)) is not None and d != 0:
            said = f"{{there}} is {wording.shown(abs(d))} {'more' if d > 0 else 'less'} than {{here}}"
            yield Proposal({name: lambda known, y=y: y}, said, name, other)
        else:
            for sign, gap in ((1, apart), (-1, -apart)):
                added = _addend(q.match.back if sign > 0 else q.match, sign, gap)
                if added:
                    yield Proposal({name: lambda known, y=y: y}, added, name, other)


def _one(x: Array, beside: Array) -> float | None:
    """The one number that an array is made of, where what it comes from is no zero."""
    told = np.isfinite(x) & (np.abs(beside) > 1e-12)
    if np.count_nonzero(told) < max(1, x.size // 2):
        return None
    found = x[told]
    middle = float(np.median(found))
    spread = float(np.max(np.abs(found - middle)))
    return middle if x.size > 1 and spread <= 1e-9 * abs(middle) else None


def _scaled(q: Question, r: float) -> str:
    """A factor, with the numbers of either side that make it."""
    mine, theirs = _constants(q.here, q.blamed), _constants(q.there, q.others)
    for p in theirs:
        for m in mine:
            if m and np.isclose(p / m, r, rtol=1e-9):
                return f"scaled by {wording.factor(p)} at {{there}} and by {wording.factor(m)} at {{here}}"
    for m in mine:
        if m and np.isclose(1 / m, r, rtol=1e-9):
            return f"the scale {wording.factor(m)} of {{here}} is left out at {{there}}"
        if np.isclose(m, r, rtol=1e-9):
            return f"the division by {wording.factor(m)} at {{here}} is left out at {{there}}"
    told = wording.factor(r)
    if "/" in told and "sqrt" not in told:
        top, _, bottom = told.partition("/")
        if top.lstrip("-").isdigit() and abs(int(top) - int(bottom)) == 1 and abs(r) > 0.5:
            n = max(abs(int(top)), int(bottom))
            kind = "unbiased (n - 1)" if abs(r) > 1 else "biased (n)"
            return f"the variance is {kind} at {{there}}, with n = {n}: {told} times that of {{here}}"
    if told.startswith("-") and told == "-1":
        return "the sign is another at {there} than at {here}"
    if (abs(r) > 1 and told.lstrip("-").isdigit()) or told.startswith("1/"):
        kind = "sum at {there} for mean at {here}" if abs(r) > 1 else "mean at {there} for sum at {here}"
        return f"scaled by {told} at {{there}} beside {{here}}, as if {kind}"
    return f"scaled by {told} at {{there}} beside {{here}}"


def _constants(side: Side, names: tuple[str, ...]) -> list[float]:
    """The numbers that these steps read as constants."""
    found: list[float] = []
    for name in names:
        for arg in side.graph[name].args:
            if isinstance(arg, Constant) and arg.exact is not None:
                found.append(float(arg.exact))
            elif isinstance(arg, str) and arg not in side.live and side.numbers[arg].dtype.kind == "f":
                x = side.numbers[arg]
                if x.size and np.ptp(x) == 0 and np.isfinite(x.flat[0]):
                    found.append(float(x.flat[0]))
    return distinct(found)


def _addend(match: Match, sign: int, gap: Array) -> str:
    """What is added on one side alone, that of the match, though both have it: the other's where `sign` is 1, this
    one's where it is -1."""
    side = match.here
    more, less = ("{there}", "{here}") if sign > 0 else ("{here}", "{there}")
    if not np.isfinite(gap).all():
        return ""
    spare = 1e-9 * float(np.abs(gap).max()) + 1e-9 * np.abs(gap)
    index = match.back.index
    for name in index.find(content(gap, spare)) if index.may(gap) else ():
        if name in side.live and match.known(name):
            node = side.graph[name]
            return f"`{side.label(side.source(node.name))}` is added at {more}, and left out at {less} (a residual)"
    kept = _vector(gap)
    if kept is None:
        return ""
    made = content(kept, np.abs(kept) * 1e-9 + 1e-12)
    for node in side.graph.inputs:
        x = side.numbers[node.name]
        if x.dtype.kind == "f" and x.size == kept.size and content(x, np.zeros(x.shape)).same(made):
            return f"no bias at {less}: `{side.label(node.name)}`, added at {more}, is left out"
    return f"an addend (a bias) is left out at {less}: {kept.size} numbers are added along one axis at {more}"


def _vector(x: Array) -> Array | None:
    """The numbers along the one axis that an array changes along."""
    if x.ndim < 2:
        return None
    for axis in range(x.ndim):
        first = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
        if len(first) > 1 and np.allclose(first, first[:1], rtol=1e-7, atol=1e-9 * float(np.abs(x).max(initial=0))):
            return first[0]
    return None


def transplanted(q: Question) -> Iterator[Proposal]:
    """The other side's number of one step in place of this side's: it says where, and not why."""
    for name, other, _, y in _pairs(q):
        yield Proposal({name: lambda known, y=y: y}, "", name, other)


def _pairs(q: Question) -> Iterator[tuple[str, str, Array, Array]]:
    """Nodes to blame of either side, of one size, with their numbers in the layout of this one."""
    others = [name for name in q.others if q.there.numbers[name].dtype.kind == "f"][:MOST]
    for node in q.targets[:MOST]:
        x = q.here.numbers[node.name]
        if x.dtype.kind != "f" or x.size > LONGEST:
            continue
        for other in others:
            for y in laid_out(q.there.numbers[other], x.shape):
                yield node.name, other, x, y
