"""Cases: a YAML file -> a Case, or every error of the file at once.

`load` reads one file, `load_all` several, `find` looks for them below folders. The keys stand in
`keys.py`, the reference for users in `docs/cases.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.node import Node
from ..records.cotangent import default_cotangent, weights
from ..records.evaluation import DEFAULT_DTYPES, DTYPES, Derivative
from ..rules.update import Update
from ..words import nearest
from .code import Function, functions
from .definitions import Natives, Statements
from .indices import check_indices, check_no_index
from .inputs import Array, Input, build
from .keys import CASE, DATA_ALONE, KEYS, schema, text_in
from .known import Acceptance, Expectation, Pairs, acceptances, expectations, half_unit
from .names import shipped
from .statements import Assembly
from .update import Data, read_carry, read_data, read_update
from .yaml_text import CaseError, CaseErrors, Map, Scalar, Source, Stop, Value, read
from .yaml_tree import tree

__all__ = [
    "Acceptance",
    "Case",
    "CaseError",
    "CaseErrors",
    "Expectation",
    "Point",
    "Update",
    "find",
    "half_unit",
    "load",
    "load_all",
    "schema",
    "shipped",
]


@dataclass(frozen=True, slots=True)
class Point:
    """Where the graph is evaluated, and what is expected there. Point 0 is the case's `inputs`."""

    inputs: Mapping[str, Input]
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A computation that is a person's own code, in place of a graph: a function for each framework, called with the
    inputs by their names. `output` is what expectations call its result, and `cotangent` what weighs it, if that is
    given. `line` and `column`, from 1, are where the file says so."""

    functions: tuple[Function, ...]
    output: str
    cotangent: Input | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Case:
    """A computation with its inputs, the answers that are known and the disagreements that are.

    Where it is code, `call`, the graph has the inputs alone.
    """

    name: str
    path: Path
    about: str
    source: str
    tags: tuple[str, ...]
    graph: Graph
    points: tuple[Point, ...]
    dtypes: tuple[str, ...]
    update: Update | None
    accept: tuple[Acceptance, ...]
    weights: Input  # of the output: what contracts it
    derivatives: tuple[Derivative, ...] = ()  # asked for beside the gradient
    call: Call | None = None
    data: Data | None = None

    def walk(self, dtype: str) -> Update | None:
        """The update, with the data that it reads."""
        if self.update is None or self.data is None:
            return self.update
        return replace(self.update, data=self.data.batches(dtype))

    @property
    def expect(self) -> tuple[tuple[Expectation, ...], ...]:
        """What is expected, point by point."""
        return tuple(point.expect for point in self.points)

    def inputs(self, point: int, dtype: str) -> dict[str, Array]:
        """Every input, rounded to `dtype`; integers are int64 and conditions bool."""
        return {name: value.rounded(DTYPES[dtype]) for name, value in self.points[point].inputs.items()}

    def exact_inputs(self, point: int) -> dict[str, NDArray[np.object_]]:
        """Every input as the decimals that were written: object arrays of Fraction, int or bool.

        NaN and infinities stay floats.
        """
        return {name: value.exact() for name, value in self.points[point].inputs.items()}

    def cotangent(self, dtype: str) -> Array:
        """The weights of the output in `dtype`: 1 for a scalar."""
        return self.weights.rounded(DTYPES[dtype])

    def direction(self, dtype: str) -> dict[str, Array]:
        """Where tangents and Hessian-vector products go: a weight for each component of each wanted input, those of
        `default_cotangent`, counted through from input to input."""
        wanted = self.graph.wanted
        ends = np.cumsum([int(np.prod(node.shape)) for node in wanted])
        parts = np.split(weights(int(ends[-1])).astype(DTYPES[dtype]), ends[:-1])
        return {node.name: part.reshape(node.shape) for node, part in zip(wanted, parts, strict=True)}

    def exact_cotangent(self) -> NDArray[np.object_]:
        """The weights of the output as Fractions."""
        return self.weights.exact()


# --- finding and loading -----------------------------------------------------------------------------------


def find(paths: Sequence[Path]) -> list[Path]:
    """Every case file among `paths` and below the folders there, hidden ones left out, sorted, each once.

    Raises CaseErrors for a path that does not exist and for a folder without any.
    """
    files: dict[Path, None] = {}
    errors: list[CaseError] = []
    for path in paths:
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if _is_case(p.relative_to(path)) and p.is_file())
            if not below:
                remedy = "`gradaccord new NAME` writes one to begin with"
                errors.append(CaseError(path, 1, 1, "the folder holds no case", "files that end in .yaml", remedy))
            files.update(dict.fromkeys(below))
        elif path.exists():
            files[path] = None
        else:
            errors.append(
                CaseError(path, 1, 1, "the file does not exist", "a case file or a folder of them", "check the path")
            )
    if errors:
        raise CaseErrors(errors)
    return list(files)


def _is_case(below: Path) -> bool:
    return below.suffix in (".yaml", ".yml") and not any(part.startswith(".") for part in below.parts)


def load_all(paths: Sequence[Path]) -> list[Case]:
    """The cases of several files. Raises CaseErrors with the errors of all of them, equal names included."""
    cases: list[Case] = []
    errors: list[CaseError] = []
    names: dict[str, Path] = {}
    for path in paths:
        try:
            case = load(path)
        except CaseErrors as error:
            errors.extend(error.errors)
            continue
        if case.name in names:
            found = f"the name `{case.name}` is that of {names[case.name]} too"
            errors.append(CaseError(path, 1, 1, found, "a name of its own for each case"))
        names.setdefault(case.name, path)
        cases.append(case)
    if errors:
        raise CaseErrors(errors)
    return cases


def load(path: Path) -> Case:
    """The case in a file. Raises CaseErrors with everything that is wrong with it."""
    source = read(path)
    try:
        root = tree(source, CASE.expected)
        case = _Loader(source).case(root)
    except Stop:
        case = None
    if case is None or source.errors:
        raise CaseErrors(sorted(source.errors, key=lambda error: (error.line, error.column)))
    return case


class _Loader:
    """Gives what was read from one file its meaning."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.assembly = Assembly(source)
        self.result = ""  # of code: what expectations call it

    def case(self, root: Map) -> Case | None:
        source, contents = self.source, cast("dict[str, Any]", CASE.read(self.source, root))
        if "graph" not in contents and "call" not in contents:
            source.error(root, "no key `graph`", f"`graph`: {KEYS['graph'].about}; or `call`")
            return None
        inputs = self._inputs(contents.get("inputs") or {})
        data, tabled = read_data(source, contents.get("data"), inputs, "update" in contents)
        first = {} if data is None else data.first()
        inputs |= {name: (key, first.get(name)) for name, (key, _) in tabled.items() if name not in inputs}
        graph: Statements = contents.get("graph") or {}
        complete = contents.get("inputs") is not None and None not in (
            contents.get("graph", 0),
            contents.get("call", 0),
        )
        define: Statements = contents.get("define") or {}
        natives: Natives = contents.get("native") or {}
        self.assembly.read(inputs, graph, define, natives, complete=complete)
        call = self._call(contents)
        output = self._output(contents, graph) if call is None else None
        good = {name: value for name, (_, value) in inputs.items() if value is not None}
        points = [Point(good, self._expectations(contents.get("expect")))]
        further: list[tuple[Value, Pairs]] = contents.get("points") or []
        points += [self._point(values, good, tabled) for _, values in further]
        weights = self._weights(contents.get("cotangent"), output)
        names = self.assembly.names
        accept = acceptances(
            self.source, lambda name: bool(self.assembly.node(name)) or names.excused(name), [*names.declared],
            contents.get("accept") or [], len(points), any_name=call is not None,
        )  # fmt: skip
        carry = read_carry(source, contents, inputs, tabled, self.assembly)
        update = read_update(source, contents.get("update"), inputs, carry or {})
        dtypes = tuple(self._distinct(contents.get("dtypes")) or DEFAULT_DTYPES)
        derivatives = cast("list[Any]", self._distinct(contents.get("derivatives")))
        asked = [*(e.name for point in points for e in point.expect if e.quantity == "value"), *(carry or {}).values()]
        if carry is not None:
            self._unused(contents, graph, asked)
        if source.errors:
            return None
        if call is not None:
            whole, weights = self.assembly.graph(()), Input(default_cotangent(()))
        elif output is None or weights is None:
            return None
        else:
            built = self.assembly.graph(dict.fromkeys([output.name, *asked]))
            self._indices(built, contents["inputs"], [values for _, values in further], points)
            if data is not None:
                check_indices(source, built, {name: (tabled[name][0], table) for name, table in data.tables.items()})
            check_no_index(source, built, {name: key for name, (key, _) in inputs.items() if name in (carry or {})})
            if not built.wanted:
                source.error(root, "no input has a gradient", "an input of floats that is not `constant`")
            needed = {node.name for node in built.pruned([output.name]).nodes}
            outputs = [output.name, *(name for name in dict.fromkeys(asked) if name not in needed)]
            whole = self.assembly.graph(outputs).pruned(outputs)
        tags = tuple(cast("list[str]", contents.get("tags") or []))
        return Case(
            contents["name"][1], source.path, text_in(contents.get("about")), text_in(contents.get("source")), tags,
            whole, tuple(points), dtypes, update, accept, weights,
            tuple(name for name in derivatives if name != "gradient"), call, data,
        )  # fmt: skip

    def _call(self, contents: Mapping[str, Any]) -> Call | None:
        """The code that the case names; what a case of data alone may have is noted."""
        if contents.get("call") is None:
            return None
        place, named = contents["call"]
        if "graph" in contents:
            self.source.error(place, "`graph` and `call`", "one of them: a computation, or code that computes it")
        for key in DATA_ALONE:
            if contents.get(key):
                self.source.error(place, f"`{key}` beside `call`", "a case with a `graph`", f"remove `{key}`")
        output = contents.get("output")
        self.result = "output" if output is None else output[1].text
        if self.result in self.assembly.names.declared:
            remedy = "name the result by `output: NAME`"
            self.source.error(place, f"`{self.result}` is an input and the result", "names that differ", remedy)
        weights = None
        if (cotangent := contents.get("cotangent")) is not None:
            self.source.key = "cotangent"
            weights = build(self.source, cotangent)
            if weights is not None and weights.kind != "float":
                self.source.error(cotangent[0], f"a cotangent of kind {weights.kind}", "floats")
        found = functions(self.source, named)
        return Call(found, self.result, weights, place.line + 1, place.column + 1)

    def _expectations(self, expect: Pairs | None) -> tuple[Expectation, ...]:
        return expectations(self.source, self.assembly, expect, self.result)

    def _inputs(self, pairs: Pairs) -> dict[str, tuple[Scalar, Input | None]]:
        inputs: dict[str, tuple[Scalar, Input | None]] = {}
        for name, (key, form) in pairs.items():
            self.source.key = name
            inputs[name] = (key, None if form is None else build(self.source, form))
        return inputs

    def _indices(self, graph: Graph, first: Pairs, further: Sequence[Pairs], points: Sequence[Point]) -> None:
        """Note indices out of range, each where the first point or a further one gives it."""
        for pairs, point in zip([first, *further], points, strict=True):
            given = {name: form[0] for name, (_, form) in pairs.items() if form is not None and name in point.inputs}
            check_indices(self.source, graph, {name: (place, point.inputs[name]) for name, place in given.items()})

    def _unused(self, contents: Mapping[str, Any], graph: Statements, asked: Sequence[str]) -> None:
        last = list(graph)[-1] if graph else ""
        name = contents["output"][0].text if contents.get("output") else "" if "output" in contents else last
        if name in graph:
            self.assembly.unused(name, asked)

    def _output(self, contents: Mapping[str, Any], graph: Mapping[str, Any]) -> Node | None:
        names = self.assembly.names
        if "output" not in contents:
            return self.assembly.node(list(graph)[-1]) if graph else None
        if contents["output"] is None:
            return None
        place: Scalar = contents["output"][0]
        node = self.assembly.node(place.text)
        if node is None and not names.excused(place.text):
            self.source.error(
                place, f"undefined output `{place.text}`", "a node of the graph", nearest(place.text, list(graph))
            )
        if node is not None and node.op == "input":
            self.source.error(place, f"the input `{place.text}` as output", "a node of the graph")
            return None
        return node

    def _point(self, values: Pairs, base: Mapping[str, Input], tabled: Collection[str]) -> Point:
        inputs, expect = dict(base), values.get("expect")
        for name, (key, form) in values.items():
            self.source.key = name
            if name == "expect":
                continue
            if name in tabled:
                self.source.error(key, f"`{name}` at a further point", "the parameters: `data` is the same at each")
            elif name not in base:
                if not self.assembly.names.excused(name):
                    self.source.error(
                        key, f"unknown input `{name}`", f"one of: {', '.join(base)}", nearest(name, list(base))
                    )
            elif form is not None and (made := build(self.source, form, base[name])) is not None:
                if made.shape != base[name].shape or made.kind != base[name].kind:
                    self.source.error(
                        form[0],
                        f"`{name}` with shape {made.shape}",
                        f"shape {base[name].shape}, as in `inputs`",
                        "another shape is another case",
                    )
                inputs[name] = made
        return Point(inputs, self._expectations(expect[1] if expect else None))

    def _weights(self, cotangent: tuple[Value, Any] | None, output: Node | None) -> Input | None:
        if output is None:
            return None
        if output.kind != "float":
            key = self.assembly.names.declared[output.name]
            self.source.error(
                key,
                f"the output `{output.name}` is {output.kind}",
                "a float, which has a gradient",
                "`astype` makes a float of it",
            )
            return None
        if cotangent is None:
            return Input(default_cotangent(output.shape))
        if output.shape == ():
            self.source.error(cotangent[0], f"a cotangent for the scalar `{output.name}`", "none: it is 1", "remove it")
            return None
        self.source.key = "cotangent"
        made = build(self.source, cotangent)
        if made is not None and (made.kind != "float" or made.shape != output.shape):
            self.source.error(
                cotangent[0],
                f"a cotangent of shape {made.shape}",
                f"floats of shape {output.shape}, as `{output.name}` has",
            )
            return None
        return made

    def _distinct(self, words: Sequence[tuple[Value, str]] | None) -> list[str]:
        names: dict[str, None] = {}
        for place, name in words or []:
            if name in names:
                self.source.error(place, f"`{name}` twice", "each one once")
            names[name] = None
        return list(names)
