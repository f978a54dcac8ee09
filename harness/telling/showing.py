"""Cases and operations as text: the graph, its gradient in the case language, the source that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import product

from ..errors import CommandError
from ..graph.build import Builder
from ..graph.directional import directional
from ..graph.emit import source
from ..graph.gradient import Gradient, gradient
from ..graph.graph import Graph, own
from ..graph.language.printing import readable_names, text_of
from ..graph.node import Constant, GraphError, Shape
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import REQUIRED, Operation
from ..reading.case import Case
from ..records.spelling import Spelling
from ..running.offered import installed
from ..words import counted, nearest

STATEMENTS = 400  # lines of one graph; the case file has them all


def case_text(case: Case) -> str:
    """The computation, the gradient written out as another one, and the source that the hand-written engine runs.

    Beyond the gradient, as far as the case asks for it, the graph of the tangent and that graph's own gradient. Of a
    case that is code, which code.
    """
    graph = case.graph
    head = [
        f"{case.name}: {case.about}" if case.about else case.name,
        f"Source: {case.source}" if case.source else "",
        "inputs:\n" + "\n".join(_input(graph, node.name) for node in graph.inputs),
    ]
    if case.call is not None:
        named = [f"  {function}" for function in case.call.functions]
        return "\n\n".join(filter(None, [*head, "\n".join(["computed by code:", *named])]))
    derived = gradient(graph)
    parts = [
        *head,
        _definitions_of(graph),
        "graph:\n" + _statements(text_of(graph)),
        _block(
            f"gradient of {graph.output.name}, composites written out"
            + (f" ({derived.seed} weighs the output)" if derived.seed else ""),
            _derivatives(derived, graph),
        ),
        "where each gradient is:\n" + _places(derived, graph, readable_names(_needed(derived))),
        *(_along(case, derived) if case.derivatives else ()),
        "source, value and gradient:\n\n" + _cut(source(derived.graph, derived.graph.outputs)),
    ]
    return "\n\n".join(part.rstrip() for part in parts if part)


def _definitions_of(graph: Graph) -> str:
    """The graph's own definitions, each with the functions that run in its place."""
    lines: list[str] = []
    for operation in own(*graph.definitions).values():
        lines.append(f"  {operation.written.removesuffix(' -> float')}: {operation.definition}")
        lines += [f"    {framework} runs {text}" for framework, text in operation.native.items()]
    return "\n".join(["define:", *lines]) if lines else ""


def _along(case: Case, derived: Gradient) -> Iterator[str]:
    """The graph of the tangent and its gradient, the Hessian-vector product: of each what was not written before."""
    along, written = directional(case.graph), {**text_of(case.graph), **_written(derived)}
    names = readable_names(along.graph, readable_names(_needed(derived)))
    directions = ", ".join(names[name] for name in along.directions.values())
    tangent = _new(along.graph, names, written)
    yield _block(f"tangent of {case.graph.output.name}, the gradient along a fixed direction ({directions})", tangent)
    if "hessian_product" in case.derivatives:
        twice = gradient(along.graph)
        names = readable_names(twice.graph, names)
        products = _new(_needed(twice), names, {**written, **tangent})
        yield _block(f"Hessian-vector product, the gradient of {names[along.graph.output.name]}", products)
        yield "where each product is:\n" + _places(twice, along.graph, names)


def _new(graph: Graph, names: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """The statements whose names stand for nothing yet: a name means the same number throughout."""
    return {name: text for name, text in text_of(graph, names).items() if name not in written}


def _places(derived: Gradient, graph: Graph, names: Mapping[str, str]) -> str:
    arguments = ((node.name, derived.adjoints[node.name]) for node in graph.wanted)
    return "\n".join(f"  {name}: {arg.text if isinstance(arg, Constant) else names[arg]}" for name, arg in arguments)


def _input(graph: Graph, name: str) -> str:
    node = graph[name]
    kind = {"float": "", "int": " int64", "bool": " bool"}[node.kind]
    return f"  {name}: {list(node.shape) if node.shape else 'number'}{kind}" + (", constant" if node.constant else "")


def _derivatives(derived: Gradient, graph: Graph) -> dict[str, str]:
    """The statements of the gradient's graph that the graph itself does not have."""
    statements = text_of(graph)
    return {name: text for name, text in _written(derived).items() if statements.get(name) != text}


def _written(derived: Gradient) -> dict[str, str]:
    """The gradient's graph as statements, without what no gradient of an input needs."""
    return text_of(_needed(derived))


def _needed(derived: Gradient) -> Graph:
    """What the gradients of inputs need. One that is a number is told as such, and needs no statement."""
    graph, derivatives = derived.graph, set(derived.adjoints.values())
    made = {node.name for node in graph.operations if not any(isinstance(arg, str) for arg in node.args)} - derivatives
    return graph.pruned([name for name in graph.outputs if name not in made])


def _block(title: str, statements: Mapping[str, str]) -> str:
    return f"{title}:\n{_statements(statements)}" if statements else ""


def _statements(texts: Mapping[str, str]) -> str:
    return _cut("\n".join(f"  {name}: {text}" for name, text in texts.items()))


def _cut(text: str) -> str:
    lines = text.splitlines()
    more = len(lines) - STATEMENTS
    return "\n".join([*lines[:STATEMENTS], *([f"  # and {counted(more, 'more line')}"] if more > 0 else [])])


# --- operations -------------------------------------------------------------------------------------------


def operations_text() -> str:
    """Every operation: its signature, and what it means or is defined as."""
    width = 34
    lines: list[str] = []
    for operation in OPERATIONS.values():
        signature = operation.written
        meaning = operation.meaning or _definitions(operation)[0]
        if len(signature) < width:
            lines.append(f"{signature:{width}}{meaning}")
        else:
            lines += [signature, " " * width + meaning]
    return "\n".join(
        [*lines, "", f"{counted(len(OPERATIONS), 'operation')}; `gradaccord ops NAME` tells all about one"]
    )


def operation_text(name: str) -> str:
    """One operation: signature, definition, cost, its derivative in the case language, and how frameworks spell it."""
    if name not in OPERATIONS:
        hint = " ".join(filter(None, [nearest(name, OPERATIONS), f"`gradaccord ops` lists all {len(OPERATIONS)}."]))
        raise CommandError(f"unknown operation `{name}`. {hint}")
    operation = OPERATIONS[name]
    lines = [operation.written]
    if operation.operator:
        lines.append(f"  also written: a {operation.operator} b")
    if operation.primitive:
        within = f"within {counted(operation.cost, 'rounding')}" if operation.cost else "exact"
        if operation.half < operation.cost:
            within += f", {operation.half:g} in half precision"
        lines += [f"  means: {operation.meaning}", f"  a sound evaluation is {within}"]
    else:
        plain, stable = _definitions(operation)
        lines.append(f"  defined as: {plain}")
        if stable != plain:
            lines.append(f"  computed as: {stable}")
    lines += ["", *_derivative(operation), *_spellings(name)]
    return "\n".join(lines)


def spellings() -> dict[str, Mapping[str, Spelling]]:
    """How each engine's framework spells operations: `spellings.py` in the engine's room, which loads no framework."""
    found: dict[str, Mapping[str, Spelling]] = {}
    for engine, entry in installed().items():
        room = entry.module.rpartition(".")[0]
        if ":" not in engine and room and find_spec(f"{room}.spellings") is not None:
            found[engine] = import_module(f"{room}.spellings").SPELLINGS
    return found


def _spellings(name: str) -> list[str]:
    lines: list[str] = []
    for engine, table in spellings().items():
        if name in table:
            lines.append(f"  {engine}: {table[name].call}")
            lines += [f"    {note}" for note in filter(None, [table[name].note])]
    return ["", "elsewhere:", *lines] if lines else []


def _definitions(operation: Operation) -> tuple[str, str]:
    """The textbook formula and the stable one, for example operands where they depend on those."""
    shapes, params = next(_examples(operation))
    names = [operand.name for operand in operation.operands]
    kinds = {operand.name: operand.kind for operand in operation.operands}
    bound = {**dict.fromkeys(names), **dict(zip(names, shapes, strict=False)), **params, "kinds": kinds}
    return operation.formula(bound, stable=False), operation.formula(bound, stable=True)


def _derivative(operation: Operation) -> list[str]:
    if not operation.differentiable or operation.kind != "float":
        return ["it has no derivative: a gradient through it is zero"]
    shapes, params = next(_examples(operation))
    graph = _example(operation, shapes, params)
    derived = gradient(graph)
    names = readable_names(_needed(derived))
    arguments = ", ".join(f"{node.name} of shape {list(node.shape)}" for node in graph.inputs if node.shape)
    head = "".join(
        ["derivative", arguments and f", for {arguments}", derived.seed and f"; {derived.seed} weighs the result"]
    )
    lines = [f"{head}:"]
    lines += [f"  {name}: {text}" for name, text in _written(derived).items()]
    for node in graph.wanted:
        arg = derived.adjoints[node.name]
        text = arg.text if isinstance(arg, Constant) else names[arg]
        if text != f"grad_{node.name}":
            lines.append(f"  gradient of {node.name}: {text}")
    return lines


# Shapes and parameters to show an operation at: the first that its shape rule takes.
SHAPES: Sequence[Shape] = (
    (), (3,), (2, 3), (3, 2), (1, 2, 4, 4), (2, 2, 3, 3), (1, 2, 2, 2), (2,), (1, 2, 4), (2, 2, 3),
)  # fmt: skip
PARAMETERS: Mapping[str, Sequence[object]] = {
    "axis": (0, 1, -1),
    "axes": ((0,), (1, 0)),
    "shape": ((3,), (6,), (2, 3), (1, 2, 4, 4), (2, 2, 3, 3)),
    "size": (4,),
    "shift": (1,),
    "n": (1,),
    "groups": (1,),
    "kernel": (2,),
    "output_size": (1,),
    "factor": (2, 1),
    "repeats": ((2,),),
    "widths": (((1, 1),), ((1, 1), (0, 0))),
    "index": ("0", "1:3"),
    "subscripts": ("ij,jk->ik",),
}


def _examples(operation: Operation) -> Iterator[tuple[tuple[Shape, ...], dict[str, object]]]:
    """Operand shapes and parameters with which the operation works, simplest first."""
    operands = operation.operands
    # A mask of any kind may be left out, and is.
    whole = sum(not (operand.optional and operand.kind not in ("float", "int", "bool")) for operand in operands)
    counts = (2,) if operands[0].variadic else (whole,)
    required = [name for name, default in operation.parameters.items() if default == REQUIRED]
    for count in counts:
        for shapes in product(SHAPES, repeat=count):
            for values in product(*(PARAMETERS[name] for name in required)):
                params = dict(zip(required, values, strict=True))
                try:
                    graph = _example(operation, shapes, params)
                    gradient(graph)
                except (GraphError, ValueError, IndexError):
                    continue
                yield shapes, dict(graph["result"].params)


def _example(operation: Operation, shapes: Sequence[Shape], params: Mapping[str, object]) -> Graph:
    builder = Builder()
    variadic = operation.operands[0].variadic
    names = [f"x{k + 1}" for k in range(len(shapes))] if variadic else [o.name for o in operation.operands]
    names = names[: len(shapes)]
    kinds = ["float"] * len(shapes) if variadic else [o.kind for o in operation.operands][: len(shapes)]
    for name, shape, kind in zip(names, shapes, kinds, strict=True):
        builder.input(name, shape, "int" if kind == "any" else kind)  # type: ignore[arg-type]
    settings = {name: value for name, value in params.items() if value != operation.parameters[name]}
    builder.apply(operation.name, names, settings, "result")
    return builder.graph(["result"])
