"""Which elements of a large move are sound beyond doubt, and may not be what its rows tell: balls need not see them.

An element is settled where the optimiser's number lies in the inner interval (`inner.py`) of what the rule gives on its
own numbers, and half of its digits are right. A row tells the highest score of all elements and where it is. So what is
left to balls are the elements that are not settled, and of the others those that may have the highest score.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.emit import Program, emit
from ..graph.graph import Graph
from ..graph.node import Shape
from ..judging.classify import place
from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import Index
from ..records.verdicts import FINDINGS, Verdict
from ..rules.definition import NEW, Definition, Texts
from ..rules.optimiser import reads
from .arithmetic import compares
from .inner import Inner, Setting, Unknown, entered
from .move import Judged, Measured, Move, cause_of
from .reckoning import Reckoning
from .stacked import Norms, Read

FEW = 32  # elements that may well be looked at, though some are the same
LEAST = 64  # elements of a move: below, balls are as quick
PARTIAL = ("divide", "sqrt", "pow")  # operations that have no finite ball of some balls
AT_ONCE = 32768  # elements that are reckoned at once: what is between stays in the processor's cache

Marks: TypeAlias = NDArray[np.bool_]
Measure: TypeAlias = Callable[[Move], Callable[[str, Index], Measured]]


@dataclass(frozen=True, slots=True)
class Bound:
    """Of a state variable or the parameter, for each element the score at most, but for `apart`; infinite where it is
    not settled. `lossy`: it is sound, and certainly has fewer than half of its digits. `same`: the score is 0, exactly.
    """

    scores: NDArray[np.float64]
    lossy: Marks
    same: Marks
    apart: float

    @property
    def left(self) -> Marks:
        """What is not settled, and where the score that a row tells is likely to be: the highest, of what is lossy if
        any is. What balls say of these tells where else it `may_reach`."""
        unsettled = ~np.isfinite(self.scores)
        told = np.where(unsettled | (~self.lossy if self.lossy.any() else False), -1.0, self.scores)
        return unsettled | self._reach(told, told.max() - self.apart)

    def may_reach(self, score: float, verdict: Verdict) -> Marks:
        """Where a score so high may be."""
        told = np.where(self.lossy, self.scores, -1.0) if verdict == "lossy" else self.scores
        return self._reach(told, score - self.apart)

    def _reach(self, told: NDArray[np.float64], least: float) -> Marks:
        """Of those with the score 0 the first is told, if no other one is."""
        reach = told >= max(least, 0.0)
        if least <= 0:
            reach &= ~self.same
            reach[np.argmax(told)] = True
        return reach


class Settled:
    """A move, and the elements of it that are left to balls. It and its methods raise Unknown where these are most."""

    def __init__(self, move: Move, definition: Definition, norms: Norms) -> None:
        if move.x.size < LEAST or definition.whole:
            raise Unknown
        self._move, self._definition = move, definition
        self._names = [name for name in definition.visible if name not in definition.scalars]
        self._read = Read([move], definition, norms)
        self._arrays = {"x": move.x.reshape(-1), "g": move.g.reshape(-1), NEW + "x": move.new_x.reshape(-1)}
        for v in (v for v in definition.state if v not in definition.scalars):
            for name in (v, NEW + v):
                self._arrays[name] = self._read.numerals[name].array.reshape(-1)
        if any(array.dtype != move.x.dtype for array in self._arrays.values()):
            raise Unknown
        self._left = np.zeros(move.x.size, dtype=bool)
        self.bounds: list[Mapping[str, Bound]] = []  # by form of the lines
        self._leave_by_next_form()

    @property
    def left(self) -> int:
        """How many elements that are."""
        return int(np.count_nonzero(self._left))

    def _leave_by_next_form(self) -> None:
        with np.errstate(all="ignore"):
            self.bounds.append(self._bounded(len(self.bounds)))
        for name, bound in self.bounds[-1].items():
            self._leave(bound.left, name, len(self.bounds) - 1)

    def _leave(self, where: Marks, name: str, form: int) -> None:
        """Of elements that cannot be told apart the first is enough."""
        which = np.flatnonzero(where)
        if len(which) > FEW:
            which = which[self._distinct(which, name, form)]
        self._left[which] = True
        if 2 * self.left > len(self._left):
            raise Unknown

    def _distinct(self, which: NDArray[np.intp], name: str, form: int) -> NDArray[np.intp]:
        """Of elements for which a line reads, and gives, the same numbers the first; and those that are not settled."""
        scores = self.bounds[form][name].scores[which]
        line = self._line(name, self._definition.forms(name)[form])
        read = [self._arrays[one][which] for one in (*line.weighed, NEW + name)]
        bits = [np.where(np.isfinite(scores), 0, np.arange(1, len(which) + 1)), scores]
        bits += [np.ascontiguousarray(one).view(f"u{one.itemsize}") for one in read]
        order = np.lexsort(bits)
        other = [one[order][1:] != one[order][:-1] for one in bits]
        return order[np.concatenate([[True], np.any(other, axis=0)])]

    def part(self) -> Move:
        """The elements that are left, as a move. It is filled up with one of them, so that few lengths occur."""
        which = np.flatnonzero(self._left)
        return self._of(np.pad(which, (0, _length(len(which)) - len(which)), constant_values=which[0]))

    def _of(self, which: NDArray[np.intp]) -> Move:
        move, scalars, state = self._move, self._definition.scalars, self._definition.state

        def of(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
            """Of the state that the definition has: an optimiser may show more."""
            read = {v: array for v, array in arrays.items() if v in state}
            return {v: array if v in scalars else array.reshape(-1)[which] for v, array in read.items()}

        return replace(
            move,
            x=self._arrays["x"][which],
            g=self._arrays["g"][which],
            state=None if move.state is None else of(move.state),
            new_state=of(move.new_state),
            new_x=self._arrays[NEW + "x"][which],
        )

    def more(self, judged: Judged) -> bool:
        """Whether what balls say of the part leaves more elements to them."""
        before = self.left
        found = {finding.cause: finding for finding in judged.findings}
        for name in self._names:
            finding = found[cause_of(name)]
            off = finding.verdict in FINDINGS
            if off and self._move.form.adding:  # what it looks like depends on the largest element of all
                raise Unknown
            if off or finding.form:  # off by one form of the lines, it is judged by the others
                while len(self.bounds) < max(len(self._definition.forms(one)) for one in self._names):
                    self._leave_by_next_form()
            if finding.verdict in ("agree", "lossy"):
                bound = self.bounds[finding.form][name]
                self._leave(bound.may_reach(finding.score or 0.0, finding.verdict), name, finding.form)
        return self.left > before

    def whole(self, judged: Judged, measure: Measure) -> Judged:
        """What is said of the move, by what balls say of the part and, where they are asked, of further elements."""
        which, shape = np.flatnonzero(self._left), self._move.x.shape

        def outside(index: Index) -> Index:
            return place(which[min(index[0], len(which) - 1)], shape) if index else ()

        def measured(cause: str, index: Index) -> Measured:
            flat = int(np.ravel_multi_index(index, shape)) if index else 0
            at = int(np.searchsorted(which, flat))
            if not index:
                return judged.measured(cause, index)
            if at < len(which) and which[at] == flat:
                return judged.measured(cause, (at,))
            return measure(self._of(np.array([flat])))(cause, (0,))

        return Judged([replace(one, index=outside(one.index)) for one in judged.findings], measured)

    def _bounded(self, form: int) -> Mapping[str, Bound]:
        """By the so manieth form of each number's lines, where it has so many."""
        forms = {name: self._definition.forms(name) for name in self._names}
        lines = {name: self._line(name, texts[form]) for name, texts in forms.items() if form < len(texts)}
        given = {
            name: Setting(self._read(name, self._move.form), self._read(name, None))
            for line in lines.values()
            for name in line.reads
            if name not in self._arrays
        }
        size = self._move.x.size
        scores = {name: np.zeros(size) for name in lines}
        lossy, same = ({name: np.zeros(size, dtype=bool) for name in lines} for _ in range(2))
        apart = dict.fromkeys(lines, 0.0)
        for start in range(0, size, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            numbers = _Entered(self._arrays, part, self._move.form)
            for name, line in lines.items():
                made = line.program(*(numbers[one] if one in self._arrays else given[one] for one in line.reads))[0]
                if not isinstance(made, Inner):
                    raise Unknown
                new = numbers.plain(NEW + name)
                scores[name][part], lossy[name][part] = scores_of(new, made, self._move.form)
                apart[name] = max(apart[name], made.shift)
                found = scores[name][part]
                if np.max(found, where=np.isfinite(found), initial=0.0) <= 2 * made.shift:
                    same[name][part] = made.same()
        return {name: Bound(scores[name], lossy[name], same[name], apart[name]) for name in lines}

    def _line(self, name: str, texts: Texts) -> _Line:
        return _line(self._definition, name, self._move.x.shape, texts, self._move.form)


class _Entered(dict[str, Inner]):
    """A part of arrays as a step reads them, each converted once."""

    def __init__(self, arrays: Mapping[str, Array], part: slice, form: Format) -> None:
        self._arrays, self._part, self._form = arrays, part, form

    def __missing__(self, name: str) -> Inner:
        self[name] = made = entered(self.plain(name), self._form)
        return made

    def plain(self, name: str) -> Array:
        return self._arrays[name][self._part]


def scores_of(new: Array, made: Inner, form: Format) -> tuple[NDArray[np.float64], Marks]:
    """The scores of numbers at most, infinite where they may be off, or where it is open whether they have half of
    their digits; and where they have not."""
    off: NDArray[np.float64] = np.abs((new.astype(made.middle.dtype) - made.middle).astype(np.float64))
    radius: NDArray[np.float64] = made.whole * (1 - 2.0**-40)  # what float64 lost of the radius itself
    scores: NDArray[np.float64] = np.where(off == 0, radius * 0, off / radius)
    exact, half, least = 2 * radius * made.exact, form.unit**0.5, form.underflow
    fine = off + exact <= np.maximum((made.size - exact) * half, least) * (1 - 2.0**-40)
    lossy = off - exact > np.maximum((made.size + exact) * half, least) * (1 + 2.0**-40)
    return np.where((scores <= 1) & (fine | lossy), scores, np.inf), lossy


def _length(count: int) -> int:
    return 1 << (count - 1).bit_length()


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line reads, and of that the arrays whose numbers it weighs, not only chooses by."""

    reads: tuple[str, ...]
    weighed: tuple[str, ...]
    program: Program


@lru_cache(maxsize=1024)
def _line(definition: Definition, name: str, shape: Shape, texts: Texts, form: Format) -> _Line:
    """Raises Unknown where one form divides by other arrays than the first: no form must divide by what may be 0."""
    graph = definition.graph(name, shape, texts)
    arrays = definition.arrays
    first, *others = (_partial(definition.graph(name, shape, one), arrays) for one in definition.forms(name))
    if any(other - first for other in others):
        raise Unknown
    namespace = Reckoning(form, sided=compares(graph, arrays)).namespace()
    program = emit(graph, namespace, graph.outputs, operators=False)
    return _Line(reads(graph), tuple(sorted(_weighed(graph) & arrays)), program)


def _weighed(graph: Graph) -> set[str]:
    waiting, seen = [*graph.outputs], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            node = graph[name]
            args = () if node.op == "sign" else node.args[1:] if node.op == "where" else node.args
            waiting += [arg for arg in args if isinstance(arg, str)]
    return seen


def _partial(graph: Graph, arrays: AbstractSet[str]) -> set[Hashable]:
    """What a graph divides by and takes roots of, written out, where arrays have a part in it."""
    written: dict[str, Hashable] = {}
    of_arrays = set(arrays)
    for node in graph.nodes:
        operands = [written[arg] if isinstance(arg, str) else arg for arg in node.args]
        written[node.name] = (node.op, node.params, *operands) if node.args else node.name
        if of_arrays & {*node.args}:
            of_arrays.add(node.name)
    return {
        (node.op, written[arg])
        for node in graph.operations
        if node.op in PARTIAL
        for arg in node.args[-1 if node.op == "divide" else 0 :]
        if isinstance(arg, str) and arg in of_arrays
    }
