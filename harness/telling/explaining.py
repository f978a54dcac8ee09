"""The chain rule on a case, in its own names and numbers: what `gradaccord explain` prints.

Forward values, each local derivative with its formula and number, the product along each edge, the sum at each node,
then the steps of the update and what they do to the output. Numbers are float64, by our own arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from textwrap import wrap

import numpy as np

from ..arithmetic import arrays
from ..errors import CommandError
from ..graph.build import Builder
from ..graph.emit import emit
from ..graph.gradient import Gradient, gradient
from ..graph.graph import Graph
from ..graph.language.printing import text_of
from ..graph.node import Arg, Constant, Node, Use
from ..reading.case import Case
from ..records.evaluation import Array, Inputs
from ..rules.optimiser import row_optimiser
from ..rules.update import Update
from ..words import counted, nearest
from .mermaid import LARGEST, count, mermaid

ENTRIES = 4  # of an array that are shown
STEPS = 5  # of a path, and the last
WIDEST = 100  # columns
WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Part:
    """A titled run of lines, which stand alone: what a reader takes in at once."""

    title: str
    lines: tuple[str, ...]


def explained(case: Case, point: int = 0, node: str = "") -> list[Part]:
    """The parts of an explanation, in the order in which they are read; `node`: of that node or input alone.

    Raises CommandError for a point or a node that the case does not have.
    """
    return _parts(case, _numbers(case, point, node), node)


def _numbers(case: Case, point: int, node: str) -> _Numbers:
    if point >= len(case.points):
        raise CommandError(f"{case.name} has no point {point}: it has {len(case.points)}, counted from 0")
    if node and node not in case.graph.by_name:
        names = [known.name for known in case.graph.nodes]
        some = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        hint = " ".join(filter(None, [nearest(node, names), f"It has {some}."]))
        raise CommandError(f"{case.name} has no node `{node}`. {hint}")
    return _Numbers(case.graph, case.inputs(point, "float64"), case.cotangent("float64"))


def _parts(case: Case, numbers: _Numbers, node: str) -> list[Part]:
    told = [n for n in case.graph.nodes if node in ("", n.name)]
    parts = [
        Part("Forward: each value from those before it", tuple(_forward(numbers, told))),
        Part("Locally: how much each step passes on", tuple(_locally(numbers, told))),
        Part(
            f"Backward: how much {numbers.output} changes with each, from the end to the beginning",
            tuple(_backward(numbers, [n for n in reversed(told) if n.name in numbers.derived.adjoints])),
        ),
    ]
    update = case.walk("float64")
    if update is not None and not node:
        parts.append(Part(f"Then {update.rule}, step by step", tuple(_steps(numbers, update))))
    return [part for part in parts if part.lines]


def lines_of(part: Part, width: int = WIDEST) -> list[str]:
    """A part for a terminal of so many columns, its title left out."""
    folded: list[str] = []
    for line in part.lines:
        margin = " " * (2 + len(line) - len(line.lstrip()))
        folded += wrap(
            line.lstrip(), max(width, 20), initial_indent=margin, subsequent_indent=margin + "    ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return folded


def in_markdown(case: Case, point: int = 0, node: str = "") -> str:
    """The explanation as a page, with the graph as a diagram where it is small enough to be one. Raises as `explained`
    does."""
    numbers = _numbers(case, point, node)
    head = [f"# {case.name}", case.about]
    if count(case.graph) <= LARGEST:
        head.append(f"```mermaid\n{mermaid(case.graph, _beside(numbers))}\n```")
    body = [f"## {part.title}\n\n```text\n{_flush(lines_of(part))}\n```" for part in _parts(case, numbers, node)]
    return "\n\n".join(filter(None, [*head, *body]))


def _flush(lines: Iterable[str]) -> str:
    return "\n".join(line[2:] for line in lines)


class _Numbers:
    """A graph with every value, term and adjoint at one point."""

    def __init__(self, graph: Graph, inputs: Inputs, cotangent: Array) -> None:
        self.graph, self.inputs, self.cotangent = graph, inputs, cotangent
        self.output, self.scalar = graph.output.name, not any(node.shape for node in graph.nodes)
        self.derived: Gradient = gradient(graph)
        named = {*self.derived.adjoints.values(), *self.derived.terms.values()}
        self._wanted = list(
            dict.fromkeys([*(n.name for n in graph.nodes), *(arg for arg in named if isinstance(arg, str))])
        )
        self._program = emit(self.derived.graph, arrays.namespace("float64"), self._wanted)
        self.at = self.run(inputs)
        self.uses: dict[str, dict[str, list[Use]]] = {}
        for use in self.derived.terms:
            read = str(graph[use.consumer].args[use.position])
            self.uses.setdefault(read, {}).setdefault(use.consumer, []).append(use)

    def run(self, inputs: Inputs) -> Mapping[str, Array]:
        """Every node by its name, with these numbers as inputs."""
        operands = {**inputs, self.derived.seed: self.cotangent}
        with np.errstate(all="ignore"):
            made = self._program(*(operands[node.name][()] for node in self.derived.graph.inputs))
        return dict(zip(self._wanted, (np.asarray(array) for array in made), strict=True))

    def of(self, arg: Arg, at: Mapping[str, Array] | None = None) -> Array:
        return _constant(arg) if isinstance(arg, Constant) else (self.at if at is None else at)[arg]

    def number(self, arg: Arg) -> str:
        """An operand as its number."""
        return arg.text if isinstance(arg, Constant) else shown(self.at[arg])

    def operands(self, step: _Step) -> Inputs:
        return {own: self.at[name] for own, name in step.operands.items()}

    def d(self, name: str) -> str:
        """The derivative of the output with respect to a node, as it is written on paper."""
        return f"d{self.output}/d{name}"

    def local(self, consumer: str, name: str) -> str:
        """That of one step alone. Where the output reads a node itself and by another way too, the two differ, and the
        step's own is written as a partial derivative."""
        partial = consumer == self.output and len(self.uses[name]) > 1
        return f"∂{consumer}/∂{name}" if partial else f"d{consumer}/d{name}"

    def seed(self, node: Node) -> str:
        return "" if self.scalar else self.d(node.name)


def _beside(numbers: _Numbers) -> dict[str, str]:
    """Of each node its number and the output's derivative, for a diagram; of an array its shape."""
    beside: dict[str, str] = {}
    for node in numbers.graph.nodes:
        if numbers.scalar:
            beside[node.name] = f"= {shown(numbers.at[node.name])}"
            if node.name in numbers.derived.adjoints:
                adjoint = shown(numbers.of(numbers.derived.adjoints[node.name]))
                beside[node.name] += f", {numbers.d(node.name)} = {adjoint}"
        elif node.op != "input" and node.shape:
            beside[node.name] = str(list(node.shape))
    return beside


# --- forward ----------------------------------------------------------------------------------------------


def _forward(numbers: _Numbers, nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        value = shown(numbers.at[node.name])
        if node.op == "input":
            yield f"{node.name} = {value}"
        else:
            step = _Step(numbers.graph, node)
            with_numbers = step.text(numbers.number) if numbers.scalar else ""
            yield _chain(node.name, step.text(_plain), with_numbers, value)


class _Step:
    """A node as a graph of its own, whose inputs are its operands one by one: an operand may be one node twice."""

    def __init__(self, graph: Graph, node: Node) -> None:
        builder = Builder(graph.definitions)
        self.node, self.operands = node, dict[str, str]()
        args = list[Arg]()
        for k, arg in enumerate(node.args):
            if isinstance(arg, str):
                read = graph[arg]
                arg = builder.input(f"operand:{k}", read.shape, read.kind, constant=arg not in graph.active)
                self.operands[arg] = read.name
            args.append(arg)
        builder.apply(node.op, args, dict(node.params), node.name)
        self.graph = builder.graph([node.name])

    def text(self, name: Callable[[Arg], str]) -> str:
        """The step in the case language, each operand as it is called by `name`."""
        names = {own: name(arg) for own, arg in self.operands.items()}
        return text_of(self.graph, {**names, self.node.name: "result"})["result"]

    def local(self, position: int, seed: str) -> _Derivative:
        """What is handed on to an operand; `seed` is what the derivative of the step's own result is called, empty
        where the step stands alone."""
        derived = gradient(self.graph, seeded=bool(seed))
        names = {**self.operands, self.node.name: self.node.name}
        names |= {derived.seed: seed} if derived.seed else {}
        names |= {node.name: f"t{k}" for k, node in enumerate(derived.graph.operations) if node.name not in names}
        arg = derived.adjoints[f"operand:{position}"]
        if isinstance(arg, Constant):
            return _Derivative(arg.text, (), derived.graph, arg)
        lines = text_of(derived.graph.pruned([arg]), names)
        formula = lines.pop(names[arg], names[arg])
        reads = tuple(f"{name} = {text}" for name, text in lines.items() if name != self.node.name)
        return _Derivative(formula, reads, derived.graph, arg)


@dataclass(frozen=True, slots=True)
class _Derivative:
    """Of a step with respect to an operand: a formula, what else that reads, and where it is in a graph."""

    formula: str
    reads: tuple[str, ...]
    graph: Graph
    arg: Arg

    def at(self, operands: Inputs) -> Array:
        if isinstance(self.arg, Constant):
            return _constant(self.arg)
        program = emit(self.graph, arrays.namespace("float64"), [self.arg])
        with np.errstate(all="ignore"):
            return np.asarray(program(*(operands[node.name][()] for node in self.graph.inputs))[0])


# --- local derivatives --------------------------------------------------------------------------------------


def _locally(numbers: _Numbers, nodes: Sequence[Node]) -> Iterator[str]:
    active = numbers.graph.active
    for node in nodes:
        if node.op == "input" or node.name not in active:
            continue
        step = _Step(numbers.graph, node)
        for arg in dict.fromkeys(arg for arg in node.args if isinstance(arg, str) and arg in active):
            derivatives = [step.local(k, numbers.seed(node)) for k, read in enumerate(node.args) if read == arg]
            formula = " + ".join(derivative.formula for derivative in derivatives)
            if numbers.scalar:
                yield _chain(numbers.local(node.name, arg), formula, shown(_local(numbers, step, derivatives)))
            else:
                yield f"{node.name} to {arg}: {formula}"
            yield from dict.fromkeys(f"    where {read}" for one in derivatives for read in one.reads)


def _local(numbers: _Numbers, step: _Step, derivatives: Iterable[_Derivative]) -> Array:
    """The derivative of a step with respect to a node, which may be several of its operands: a number."""
    return sum((one.at(numbers.operands(step)) for one in derivatives), np.zeros(()))


# --- the chain rule -------------------------------------------------------------------------------------------


def _backward(numbers: _Numbers, nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        name, adjoint = numbers.d(node.name), shown(numbers.of(numbers.derived.adjoints[node.name]))
        uses = numbers.uses.get(node.name, {})
        if node.name == numbers.output:
            weights = ", the weights that the case gives its output" if node.shape else ""
            yield f"{name} = {adjoint}{weights}"
        elif not uses:
            yield f"{name} = {adjoint}: nothing of it reaches {numbers.output}"
        elif numbers.scalar:
            symbols = " + ".join(f"{numbers.d(read)} * {numbers.local(read, node.name)}" for read in uses)
            yield _chain(name, symbols, " + ".join(_product(numbers, *use) for use in uses.items()), adjoint)
        else:
            terms = [term for several in uses.values() for term in several]
            told = "the sum of what comes through" if len(terms) > 1 else "through"
            yield f"{name} = {adjoint}, {told} {', '.join(uses)}"
            for use in terms if len(terms) > 1 else ():
                yield f"    through {use.consumer}: {shown(numbers.of(numbers.derived.terms[use]))}"


def _product(numbers: _Numbers, consumer: str, uses: Sequence[Use]) -> str:
    """What one consumer hands back, as its own derivative times the local one."""
    step = _Step(numbers.graph, numbers.graph[consumer])
    local = _local(numbers, step, [step.local(use.position, "") for use in uses])
    adjoint = numbers.of(numbers.derived.adjoints[consumer])
    return f"{shown(adjoint)} * {_bracketed(shown(local))}"


# --- the update -----------------------------------------------------------------------------------------------


def _steps(numbers: _Numbers, update: Update) -> Iterator[str]:
    """The first steps and the last: where the parameters went, and what that did to the output."""
    parameters = {node.name: numbers.inputs[node.name] for node in numbers.graph.wanted}
    advance = row_optimiser(update.rule, update.numbers, dict(parameters))
    at = numbers.run({**numbers.inputs, **update.read(0)})
    outputs, last = [_contracted(numbers, at)], dict(parameters)
    common = ", ".join(f"{name} = {text}" for name, text in update.settings.items())
    formula = _moves(update) if numbers.scalar else ""
    if not formula:
        lines = "; ".join(f"{step.name} = {step.texts[0]}" for step in update.definition.steps)
        yield f"each input x with its derivative g: {lines}"
    yield f"with {common}"
    for name, own in update.groups.items():
        yield f"but for {name} with {', '.join(f'{key} = {text}' for key, text in own.items())}"
    for name, node in update.carry.items():
        yield f"{name} is at each step what {node} was at the one before"
    for done in range(1, update.steps + 1):
        gradients = {name: numbers.of(numbers.derived.adjoints[name], at) for name in parameters}
        gradients = {name: np.broadcast_to(g, parameters[name].shape) for name, g in gradients.items()}
        moved = advance(gradients).parameters
        if done == 1:
            for name, x in moved.items():
                before, g = shown(parameters[name]), shown(gradients[name])
                if formula:
                    symbols = _moved(formula, {"x": name, "g": numbers.d(name)})
                    settings = {**update.settings, **update.groups.get(name, {})}
                    values = _moved(formula, {"x": before, "g": _bracketed(g), **settings})
                    yield f"{name} <- {_chain(symbols, values, shown(x))}"
                else:
                    yield f"step 1: {name} = {shown(x)}, from {before} with {numbers.d(name)} = {g}"
        last = {**moved, **update.carried(at)}
        at = numbers.run({**numbers.inputs, **last, **update.read(done)})
        outputs.append(_contracted(numbers, at))
        if not np.isfinite(outputs[-1]):
            break
    taken = len(outputs) - 1
    first = ", ".join(f"{value:.6g}" for value in outputs[: STEPS + 1])
    yield f"{numbers.output}: {first}{', ...' if taken > STEPS else ''}; {_went(outputs)}"
    if taken > STEPS:
        ends = ", ".join(f"{name} = {shown(x)}" for name, x in last.items())
        yield f"after {counted(taken, 'step')}: {ends}, {numbers.output} = {outputs[-1]:.6g}"


def _went(outputs: Sequence[float]) -> str:
    moves = [after - before for before, after in pairwise(outputs)]
    if all(move > 0 for move in moves):
        return "it rises"
    if all(move < 0 for move in moves):
        return "it falls"
    up, down = sum(move > 0 for move in moves), sum(move < 0 for move in moves)
    return f"it rises on {up} and falls on {down} of {counted(len(moves), 'step')}"


def _contracted(numbers: _Numbers, at: Mapping[str, Array]) -> float:
    with np.errstate(all="ignore"):
        return float(np.sum(at[numbers.output] * numbers.cotangent))


# --- numbers ----------------------------------------------------------------------------------------------------


def shown(array: Array) -> str:
    """A number to six digits; of an array its shape and first entries."""
    flat = [f"{value:.6g}" if array.dtype.kind == "f" else str(value) for value in islice(np.ravel(array), ENTRIES)]
    if not array.shape:
        return flat[0]
    return f"{list(array.shape)} {', '.join(flat)}{', ...' if array.size > ENTRIES else ''}"


def _chain(*parts: str) -> str:
    """`a = b = c`, without what is empty or said twice."""
    return " = ".join(dict.fromkeys(part for part in parts if part))


def _plain(arg: Arg) -> str:
    return arg.text if isinstance(arg, Constant) else arg


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _constant(arg: Constant) -> Array:
    return np.asarray(arrays.namespace("float64")["constant"](arg.text))


def _moves(update: Update) -> str:
    """The move of a rule as one formula of x, g and settings; empty of a rule with more to it."""
    names = {step.name: step.texts[0] for step in update.definition.steps}
    formula = WORD.sub(lambda word: "g" if names.get(word[0]) == "g" else word[0], names["x"])
    known = {"x", "g", *update.settings}
    return formula if set(names) <= {"x", "u"} and set(WORD.findall(formula)) <= known else ""


def _moved(formula: str, names: Mapping[str, str]) -> str:
    """The formula with other names or numbers in the places of these."""
    return WORD.sub(lambda word: names.get(word[0], word[0]), formula)
