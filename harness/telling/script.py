"""A case as a script of its own, which repeats an engine's numbers without gradaccord.

What the emitted source calls is copied by `ast` from the file of the engine's vocabulary, `<engine>_operations.py`: the
rows that this graph uses, and whatever those read in turn.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

from ..errors import CommandError
from ..graph.emit import source
from ..graph.graph import Graph
from ..graph.node import Node
from ..reading.case import Case
from ..records.evaluation import Array
from ..running.loading import checked, installed
from ..words import counted

LARGEST = 100_000  # numbers that a script may hold as literals

# How each framework makes an array and takes a gradient.
FRAMEWORKS: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "import": "import torch",
        "set": "",
        "array": "torch.tensor({numbers}, dtype=torch.{dtype}{wanted})",
        "wanted": ", requires_grad=True",
        "gradient": "gradients = torch.autograd.grad({output}, [{wanted}], cotangent, materialize_grads=True)",
    },
    "jax": {
        "import": "import jax\nimport jax.numpy as jnp",
        "set": 'jax.config.update("jax_enable_x64", True)',
        "array": "jnp.asarray({numbers}, dtype=jnp.{dtype}){wanted}",
        "wanted": "",
        "gradient": "_, pull = jax.vjp(lambda {wanted}: program({inputs})[0], {wanted})\ngradients = pull(cotangent)",
    },
}


def script(case: Case, engine: str, point: int, dtype: str) -> str:
    """Python source: the operations, the computation, the inputs as literals, the gradient, printed.

    Raises CommandError for an engine that is no framework's, a point that is not there, or inputs too large.
    """
    base = engine.partition(":")[0]  # variants of a framework share its operations
    if base not in FRAMEWORKS:
        checked([engine])
        raise CommandError(f"`{engine}` has no script of its own. Scripts exist for: {', '.join(FRAMEWORKS)}.")
    if point >= len(case.points):
        raise CommandError(f"point {point} of {case.name}. It has {len(case.points)}, counted from 0.")
    framework, graph, inputs = FRAMEWORKS[base], case.graph, case.inputs(point, dtype)
    size = sum(array.size for array in inputs.values())
    if size > LARGEST:
        raise CommandError(f"{case.name} has {counted(size, 'number')} as inputs; a script holds at most {LARGEST:,}.")
    imports, definitions, rows = _vocabulary(installed()[base].module + "_operations", graph, dtype)
    imports = _imports(framework["import"].splitlines(), imports)
    plain = _renamed(graph, _reserved([*imports, *definitions]))
    head, body = source(plain, [plain.output.name]).split("\n", 1)
    parameters = [name.strip() for name in head[head.index("(") + 1 : head.rindex(")")].split(",")]
    names = dict(zip((node.name for node in graph.inputs), parameters, strict=True))
    wanted = ", ".join(names[node.name] for node in graph.wanted)
    output = plain.output.name if plain.output.name.isidentifier() else "output"
    lines = [
        f'"""{case.name}, point {point}, {dtype}, on {base}. Written by `gradaccord show`; needs {base} alone."""',
        "",
        "from __future__ import annotations",
        "",
        *imports,
        *(["", framework["set"]] if framework["set"] else []),
        *definitions,
        "",
        "",
        head,
        *(f"    {op} = {text}" for op, text in rows if op != text),
        body.rstrip(),
        "",
        "",
        'nan, inf = float("nan"), float("inf")',
        *(_input(node, names[node.name], inputs[node.name], framework, dtype) for node in graph.inputs),
        f"cotangent = {_array(case.cotangent(dtype), framework, dtype, '')}",
        f"({output},) = program({', '.join(parameters)})",
        framework["gradient"].format(output=output, wanted=wanted, inputs=", ".join(parameters)),
        f'print("{graph.output.name} =", {output}.tolist())',
        f"for name, gradient in zip({[node.name for node in graph.wanted]}, gradients, strict=True):",
        '    print(f"gradient of {name} =", gradient.tolist())',
    ]
    return "\n".join(lines) + "\n"


def _reserved(lines: Iterable[str]) -> set[str]:
    """Names that mean something in the script, so that no node may take them."""
    tree = ast.parse("\n".join(lines))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound = {name for node in tree.body for name in _binds(node)}
    return (
        used
        | bound
        | set(dir(builtins))
        | {"program", "cotangent", "gradients", "gradient", "name", "pull", "nan", "inf", "_"}
    )


def _renamed(graph: Graph, reserved: Set[str]) -> Graph:
    """The same graph, an underscore behind each node's name that means something else."""
    taken = reserved | set(graph.by_name)
    names: dict[str, str] = {}
    for name in graph.by_name:
        if name in reserved:
            new = name + "_"
            while new in taken:
                new += "_"
            names[name] = new
    nodes = (
        replace(
            node,
            name=names.get(node.name, node.name),
            args=tuple(names.get(arg, arg) if isinstance(arg, str) else arg for arg in node.args),
        )
        for node in graph.nodes
    )
    return Graph(tuple(nodes), tuple(names.get(name, name) for name in graph.outputs))


def _input(node: Node, name: str, array: Array, framework: Mapping[str, str], dtype: str) -> str:
    kind = {
        "float": dtype,
        "int": "int64",
        "bool": {"torch": "bool", "jnp": "bool_"}["torch" if "torch" in framework["array"] else "jnp"],
    }
    wanted = framework["wanted"] if node.kind == "float" and not node.constant else ""
    return f"{name} = {_array(array, framework, kind[node.kind], wanted)}"


def _array(array: Array, framework: Mapping[str, str], dtype: str, wanted: str) -> str:
    numbers = repr(array.tolist())
    if array.size == 0:
        numbers = f"__import__('numpy').zeros({array.shape})"
    return framework["array"].format(numbers=numbers, dtype=dtype, wanted=wanted)


# --- what the source calls --------------------------------------------------------------------------------


class _Module:
    """A module's source: what each of its names is bound by at the top level."""

    def __init__(self, name: str) -> None:
        self.name = name
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None, f"{name} has no source"
        self.text = Path(spec.origin).read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.bound = {name: node for node in self.tree.body for name in _binds(node)}

    def source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ""


@cache
def _module(name: str) -> _Module:
    return _Module(name)


def _binds(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case _:
            pass


def _imports(first: Iterable[str], more: Iterable[str]) -> list[str]:
    return sorted(dict.fromkeys([*first, *more]), key=lambda line: (line.startswith("from"), line))


def _vocabulary(module_name: str, graph: Graph, dtype: str) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """The imports and definitions that the script needs, and for each operation its expression."""
    module = _module(module_name)
    rows: dict[str, ast.expr] = {}
    inside: ast.FunctionDef | None = None
    for node in module.tree.body:
        for row in ast.walk(node):
            if isinstance(row, ast.Dict):
                for key, value in zip(row.keys, row.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        rows.setdefault(key.value, value)
        if isinstance(node, ast.FunctionDef) and node.name == "namespace":
            inside = node
    needed = [*dict.fromkeys(node.op for node in graph.operations), "constant"]
    program = source(graph, [graph.output.name])
    used = [op for op in needed if f"{op}(" in program]
    for op in used:
        if op not in rows:
            raise CommandError(f"`{op}` has no counterpart there, so this case has no script")
    locals_ = {name: node for node in (inside.body if inside else []) for name in _binds(node)}
    reads = {name for op in used for name in _reads(rows[op])}
    setup = [node for name, node in locals_.items() if name in reads]
    reads = (reads - set(locals_)) | {name for node in setup for name in _reads(node)} - {"dtype"}
    copied = _Copied()
    copied.add(module, reads)

    lines = [f"\n\n{text}" if text.startswith(("def ", "class ", "@")) else f"\n{text}" for text in copied.texts]
    if setup:
        lines += ["", f"dtype = {dtype!r}", *(module.source(node) for node in setup)]
    return list(copied.imports), lines, [(op, " ".join(module.source(rows[op]).split())) for op in used]


class _Copied:
    """Imports and definitions, each after what it reads."""

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.texts: dict[str, None] = {}
        self._seen: set[tuple[str, str]] = set()

    def add(self, module: _Module, names: Iterable[str]) -> None:
        for name in sorted(names):
            if name not in module.bound or (module.name, name) in self._seen:
                continue
            self._seen.add((module.name, name))
            node = module.bound[name]
            if isinstance(node, ast.ImportFrom) and node.level:
                self.add(_module(_absolute(module.name, node)), [name])
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imports[_one_import(node, name)] = None
            else:
                self.add(module, _reads(node))
                self.texts[_unannotated(module.source(node), node)] = None


def _absolute(module: str, node: ast.ImportFrom) -> str:
    parts = module.split(".")[: -node.level]
    return ".".join([*parts, *(node.module.split(".") if node.module else [])])


def _one_import(node: ast.Import | ast.ImportFrom, name: str) -> str:
    alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
    renamed = f" as {alias.asname}" if alias.asname else ""
    return (
        f"from {node.module} import {alias.name}{renamed}"
        if isinstance(node, ast.ImportFrom)
        else f"import {alias.name}{renamed}"
    )


def _unannotated(text: str, node: ast.stmt) -> str:
    """An assignment without its annotation; the annotations of functions are never evaluated."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return f"{ast.unparse(node.target)} = {ast.unparse(node.value)}"
    return text


def _reads(node: ast.AST) -> set[str]:
    """Names that running a definition may look up elsewhere; those in annotations are left out."""
    found: set[str] = set()
    own: set[str] = set()
    waiting: list[ast.AST] = [node]
    while waiting:
        here = waiting.pop()
        match here:
            case ast.Name(id=name, ctx=ast.Load()):
                found.add(name)
            case ast.Name(id=name) | ast.arg(arg=name):
                own.add(name)
            case _:
                pass
        for field, value in ast.iter_fields(here):
            if field not in ("annotation", "returns"):
                children = cast("list[object]", value if isinstance(value, list) else [value])
                waiting += [child for child in children if isinstance(child, ast.AST)]
    return found - own if isinstance(node, ast.FunctionDef) else found
