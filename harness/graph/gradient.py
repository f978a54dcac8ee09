"""Reverse mode: a graph in, its gradient out, as another graph in the same vocabulary.

The sweep walks the graph backwards. At each node the operation's derivative gives the term of
every operand; the terms that reach a node, summed, are its adjoint (Griewank & Walther 2008, table 3.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from .expand import Body, Expander
from .graph import Graph
from .node import Arg, Constant, Node, Shape, Use
from .operations.operation import Operation
from .symbol import ONE, Symbol, Symbolic, f, function_of


@dataclass(frozen=True, slots=True)
class Gradient:
    """The graph of values and derivatives, and where in it each derivative is.

    `adjoints` has every active node of the original graph, `terms` every use. A derivative is the name
    of a node or a constant; a constant stands for an array of the node's shape (0: structurally zero).
    `seed` names the input that takes the cotangent; it is empty for a scalar output, whose cotangent is 1.
    """

    graph: Graph
    adjoints: Mapping[str, Arg]
    terms: Mapping[Use, Arg]
    seed: str


def gradient(graph: Graph, *, stable: bool = True, seeded: bool = False, apart: bool = False) -> Gradient:
    """Differentiate `graph.output` with respect to every node that it depends on.

    `seeded` makes the cotangent of a scalar output an input too. `apart` gives every term and adjoint that is
    not constant a node of its own, even where its number is another's too, and lets rules compute the result
    that they read anew: whoever differentiates again gets the derivative with respect to just one of them.

    The result's graph begins with the nodes of `graph`, composites written out by their stable or
    textbook formula, and its outputs are those of `graph`, then the gradient of each wanted input.
    """
    builder = Expander(graph.definitions, stable=stable)
    builder.add_graph(graph)
    output = graph.output
    seed = ""
    if output.shape or seeded:
        seed = builder.input(f"grad_{output.name}", output.shape)
    start = len(builder.order)
    builder.share = True
    sweep = _Sweep(builder, {output.name: Symbol(builder, seed or ONE)}, apart)
    terms: dict[Use, Arg] = {}
    adjoints: dict[str, Arg] = {}
    active = graph.active
    for node in reversed(graph.nodes):
        if node.name not in active:
            continue
        g = sweep.own(sweep.adjoint(node))
        adjoints[node.name] = g.arg
        if node.op == "input":
            continue
        for position, term in sweep.pull(node, g, active, builder.bodies.get(node.name)):
            terms[Use(node.name, position)] = term.arg
    gradients = [_node(builder, adjoints[node.name], node.shape) for node in graph.wanted]
    full = builder.graph([*graph.outputs, *gradients])
    return _named(full, start, Gradient(full, adjoints, terms, seed), graph)


class _Sweep:
    """Adjoints in the making: for each node, the terms that have reached it so far."""

    def __init__(self, builder: Expander, seeds: Mapping[str, Symbol], apart: bool = False) -> None:
        self.builder = builder
        self.apart = apart
        self.pending: dict[str, list[Symbol]] = {name: [seed] for name, seed in seeds.items()}

    def adjoint(self, node: Node) -> Symbol:
        terms = [term for term in self.pending.pop(node.name, []) if not term.zero]
        base = f"grad_{node.name}"
        total = (terms[0] if terms else Symbol(self.builder, Constant("0"))).called(base)
        for term in terms[1:]:
            total += term
        return total

    def own(self, derivative: Symbol) -> Symbol:
        """The derivative as a node of its own, where that is asked for."""
        if not self.apart or isinstance(derivative.arg, Constant):
            return derivative
        name = self.builder.fresh(derivative.base)  # a node with a name is never shared
        return Symbol(self.builder, self.builder.apply("copy", [derivative.arg], {}, name), derivative.base)

    def pull(self, node: Node, g: Symbol, active: Set[str], body: Body | None = None) -> Iterable[tuple[int, Symbol]]:
        """The term of each active operand of a node, which is also kept for that operand's adjoint."""
        if g.zero:
            symbols: Sequence[Symbolic | None] = [None] * len(node.args)
        elif body is not None:
            symbols = self._through(node, g, active, body)
        else:
            y, xs = self._result(node, g), [Symbol(self.builder, arg, g.base) for arg in node.args]
            symbols = terms(self.builder.vocabulary[node.op], g, y, xs, dict(node.params))
        for position, (arg, term) in enumerate(zip(node.args, symbols, strict=True)):
            if isinstance(arg, Constant) or arg not in active:
                continue
            symbol = term if isinstance(term, Symbol) else Symbol(self.builder, Constant("0"))
            symbol = self.own(summed_to(symbol, self.builder.shape(arg)))
            self.pending.setdefault(arg, []).append(symbol)
            yield position, symbol

    def _result(self, node: Node, g: Symbol) -> Symbol:
        """The result that a rule reads; where all is kept apart, another node that is equal."""
        if not self.apart:
            return Symbol(self.builder, node.name, g.base)
        anew = self.builder.apply(node.op, node.args, dict(node.params), self.builder.fresh(node.name))
        return Symbol(self.builder, anew, g.base)

    def _through(self, node: Node, g: Symbol, active: Set[str], body: Body) -> list[Symbol]:
        """The terms of a composite: a sweep of its inner nodes alone."""
        inner = _Sweep(self.builder, {node.name: g}, self.apart)
        reached = {arg for arg in body.operands if isinstance(arg, str) and arg in active}
        for new in body.nodes:
            if new.kind == "float" and not new.constant and any(arg in reached for arg in new.args):
                reached.add(new.name)
        for new in reversed(body.nodes):
            if new.name in reached and new.name in inner.pending and new.name not in body.operands:
                for _ in inner.pull(new, inner.adjoint(new).called(g.base), reached):
                    pass
        return [
            inner.adjoint(self.builder.nodes[arg]) if isinstance(arg, str) else Symbol(self.builder, Constant("0"))
            for arg in body.operands
        ]


def terms(
    operation: Operation, g: Symbol, y: Symbol, xs: Sequence[Symbol], params: Mapping[str, object]
) -> Sequence[Symbolic | None]:
    """The term of each operand by the operation's derivative, before broadcasting is undone."""
    rule = operation.derivative
    assert rule is not None, f"{operation.name} has no derivative"
    if callable(rule):
        return rule(g, y, *xs, **params)
    # atan2 has an operand y of its own.
    names = {"y": y, **dict(zip((operand.name for operand in operation.operands), xs, strict=False)), **params, "g": g}
    return function_of((rule,) if isinstance(rule, str) else rule, tuple(names))(*names.values())


def summed_to(term: Symbol, shape: Shape) -> Symbol:
    """Broadcasting undone: the sum over the axes that an operand of `shape` was repeated along."""
    if isinstance(term.arg, Constant) or term.shape == shape:
        return term
    extra = len(term.shape) - len(shape)
    if extra < 0:
        return f.broadcast_to(term, shape=shape)
    axes = tuple(i for i, n in enumerate(term.shape) if i < extra or (n != 1 and shape[i - extra] == 1))
    if axes:
        total = f.sum(term, axis=axes, keepdims=not extra)
        return total if total.shape == shape else f.reshape(total, shape=shape)
    return f.broadcast_to(term, shape=shape) if term.shape != shape else term


def _node(builder: Expander, arg: Arg, shape: Shape) -> str:
    """A derivative as a node of its own shape; a constant becomes an array."""
    return arg if isinstance(arg, str) else builder.apply("broadcast_to", [arg], {"shape": shape})


def _named(full: Graph, start: int, derived: Gradient, graph: Graph) -> Gradient:
    """A gradient with readable names: an unnamed node that is the adjoint of x becomes `grad_x`."""
    taken = {node.name for node in full.nodes}
    fresh = {node.name for node in full.nodes[start:] if ":" in node.name}
    names: dict[str, str] = {}

    def claim(arg: Arg, name: str) -> None:
        if isinstance(arg, str) and arg in fresh and arg not in names:
            while name in taken:
                name += "_"
            names[arg] = name
            taken.add(name)

    for node in graph.wanted:
        claim(derived.adjoints[node.name], f"grad_{node.name}")
    for node, arg in derived.adjoints.items():
        claim(arg, f"grad_{node}")

    def renamed(arg: Arg) -> Arg:
        return names.get(arg, arg) if isinstance(arg, str) else arg

    def called(node: Node) -> Node:
        if node.name not in names and names.keys().isdisjoint(node.args):
            return node
        name, args = names.get(node.name, node.name), tuple(map(renamed, node.args))
        return Node(name, node.op, args, node.params, node.shape, node.kind, node.constant, node.dtype)

    nodes = tuple(map(called, full.nodes))
    outputs = tuple(names.get(name, name) for name in full.outputs)
    return Gradient(
        replace(full, nodes=nodes, outputs=outputs),
        {name: renamed(arg) for name, arg in derived.adjoints.items()},
        {use: renamed(arg) for use, arg in derived.terms.items()},
        derived.seed,
    )
