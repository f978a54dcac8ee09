"""A case as a script of its own, which repeats an engine's numbers without gradaccord.

What the emitted source calls is copied from the framework's vocabulary (`copying.py`).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from ..errors import CommandError
from ..graph.emit import source
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.native import Native, argument_names, natives
from ..graph.node import Node
from ..reading.case import Case
from ..records.evaluation import Array
from ..running.loading import checked
from ..running.offered import installed
from ..words import counted
from .copying import binds, copy
from .ways import USED, WAYS, Way

LARGEST = 100_000  # numbers that a script may hold as literals

# How each framework makes an array.
FRAMEWORKS: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "import": "import torch",
        "functions": "torch",
        "set": "",
        "array": "torch.tensor({numbers}, dtype=torch.{dtype}{wanted})",
        "wanted": ", requires_grad=True",
    },
    "jax": {
        "import": "import jax\nimport jax.numpy as jnp",
        "functions": "jnp",
        "set": 'jax.config.update("jax_enable_x64", True)',
        "array": "jnp.asarray({numbers}, dtype=jnp.{dtype}){wanted}",
        "wanted": "",
    },
}


def script(case: Case, engine: str, point: int, dtype: str, said: Sequence[str] = ()) -> str:
    """Python source: the operations, the computation, the inputs as literals, what the engine differentiates, printed
    beside versions and what else is to be `said`.

    Raises CommandError for an engine that is no framework's, a point that is not there, or inputs too large.
    """
    base = engine.partition(":")[0]  # variants of a framework share its operations
    if engine not in WAYS:
        checked([engine])
        raise CommandError(f"`{engine}` has no script of its own. Scripts exist for: {', '.join(WAYS)}.")
    if point >= len(case.points):
        raise CommandError(f"point {point} of {case.name}. It has {len(case.points)}, counted from 0.")
    framework, inputs = FRAMEWORKS[base], case.inputs(point, dtype)
    native = natives(case.graph, base)
    graph = expanded(case.graph, stable=True, own=True, keep=native)
    size = sum(array.size for array in inputs.values())
    if size > LARGEST:
        raise CommandError(f"{case.name} has {counted(size, 'number')} as inputs; a script holds at most {LARGEST:,}.")
    vocabulary = installed()[base].module.rpartition(".")[0] + ".operations"
    called = _called(graph)
    copied = copy(vocabulary, framework["functions"], [name for name in called if name not in native], dtype)
    named = {f"import {native[name].module}" for name in called if name in native}
    imports = sorted(
        {*framework["import"].splitlines(), *copied.imports, *named}, key=lambda line: (line[:4] == "from", line)
    )
    reserved = _reserved([*imports, *copied.definitions])
    plain = _renamed(graph, reserved)
    rows = [
        *copied.rows,
        *((_free(name, reserved), _native(graph, native[name], name)) for name in called if name in native),
    ]
    head, body = source(plain, [plain.output.name]).split("\n", 1)
    parameters = [name.strip() for name in head[head.index("(") + 1 : head.rindex(")")].split(",")]
    names = dict(zip((node.name for node in graph.inputs), parameters, strict=True))
    wanted = ", ".join(names[node.name] for node in graph.wanted)
    output = plain.output.name if plain.output.name.isidentifier() else "output"
    way = WAYS[engine]
    direction = case.direction(dtype) if way.along else {}
    lines = [
        f'"""{case.name}, point {point}, {dtype}, on {engine}. Written by `gradaccord show`; needs {base} alone."""',
        "",
        "from __future__ import annotations",
        "",
        "import platform",
        *imports,
        *(["", framework["set"]] if framework["set"] else []),
        *copied.definitions,
        "",
        "",
        head,
        *(f"    {op} = {text}" for op, text in rows if op != text),
        body.rstrip(),
        "",
        "",
        'nan, inf = float("nan"), float("inf")',
        *(_input(node, names[node.name], inputs[node.name], framework, dtype, way) for node in graph.inputs),
        f"cotangent = {_array(case.cotangent(dtype), framework, dtype, '')}",
        *(way.lines.format(
            output=output, wanted=wanted, inputs=", ".join(parameters),
            direction=", ".join(_array(array, framework, dtype, "") for array in direction.values()),
        ).splitlines()),
        f'print("{base}", {base}.__version__, "on Python", platform.python_version())',
        *_printed(graph, way, output),
        *(f"print({line!r})" for line in said),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _printed(graph: Graph, way: Way, output: str) -> list[str]:
    names = [node.name for node in graph.wanted]
    if way.along is None:
        return [
            f'print("{graph.output.name} =", {output}.tolist())',
            f"for name, gradient in zip({names}, gradients, strict=True):",
            '    print(f"gradient of {name} =", gradient.tolist())',
        ]
    if way.along == "tangent":
        return [f'print("tangent of {graph.output.name} =", derived.tolist())']
    return [
        f"for name, product in zip({names}, derived, strict=True):",
        '    print(f"Hessian-vector product of {name} =", product.tolist())',
    ]


def _called(graph: Graph) -> list[str]:
    """The functions that the emitted source calls: operators stand in it as they are."""
    program = source(graph, [graph.output.name])
    names = [*dict.fromkeys(node.op for node in graph.operations), "constant"]
    return [name for name in names if f"{name}(" in program]


def _reserved(lines: Iterable[str]) -> set[str]:
    """Names that mean something in the script, so that no node may take them."""
    tree = ast.parse("\n".join(lines))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound = {name for node in tree.body for name in binds(node)}
    return (
        used
        | bound
        | set(dir(builtins))
        | {"program", "cotangent", "gradient", "product", "name", "nan", "inf", "_", "platform", *USED}
    )


def _native(graph: Graph, native: Native, name: str) -> str:
    """A framework's function as an expression, which takes what the definition of that name does."""
    if native.call is None:
        return native.text
    return f"lambda {', '.join(argument_names(graph.vocabulary[name]))}: {native.text}"


def _renamed(graph: Graph, reserved: Set[str]) -> Graph:
    """A graph with an underscore behind each name that means something else in the script, of nodes and of its own
    definitions."""
    taken = reserved | set(graph.by_name)
    names = {name: _free(name, taken) for name in graph.by_name if name in reserved}
    nodes = (
        replace(
            node,
            name=names.get(node.name, node.name),
            op=_free(node.op, reserved) if graph.defines(node) else node.op,
            args=tuple(names.get(arg, arg) if isinstance(arg, str) else arg for arg in node.args),
        )
        for node in graph.nodes
    )
    own = tuple(replace(operation, name=_free(operation.name, reserved)) for operation in graph.definitions)
    outputs = tuple(names.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, definitions=own)


def _free(name: str, taken: Set[str]) -> str:
    """The name, with underscores behind it until it means nothing else."""
    while name in taken:
        name += "_"
    return name


def _input(node: Node, name: str, array: Array, framework: Mapping[str, str], dtype: str, way: Way) -> str:
    kind = {
        "float": dtype,
        "int": "int64",
        "bool": {"torch": "bool", "jnp": "bool_"}["torch" if "torch" in framework["array"] else "jnp"],
    }
    wanted = framework["wanted"] if way.leaves and node.kind == "float" and not node.constant else ""
    return f"{name} = {_array(array, framework, kind[node.kind], wanted)}"


def _array(array: Array, framework: Mapping[str, str], dtype: str, wanted: str) -> str:
    numbers = repr(array.tolist())
    if array.size == 0:
        numbers = f"__import__('numpy').zeros({array.shape})"
    return framework["array"].format(numbers=numbers, dtype=dtype, wanted=wanted)
