"""What has an inside: compiled functions, checkpoints, and the custom rules of `custom_vjp` and `custom_jvp`.

A user's compiled function is entered. A custom rule, and a function that JAX itself compiles, is one node: what it
means is its own forward, heard and written as a text; its derivative is the rule's.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

from ...harness.graph.graph import Graph
from ...harness.graph.language.printing import readable_names, text_of
from ...harness.graph.operations import OPERATIONS
from ...harness.hearing.heard import Refused
from .defined import Marked
from .equation import Meaning, Operand, Told, bound
from .functions import is_jax_own, known, rounds_together, source_of
from .places import is_of_jax, names_of

if TYPE_CHECKING:
    from .walk import Value, Walk

UNKNOWNS = 256  # of a linear system: its matrix is inverted
RULES = {"custom_jvp_call", "custom_vjp_call"}


@dataclass(frozen=True)
class Inside:
    """What a call runs: its jaxpr, and the function that this was made of, with file and line. `is_rule`: whether it
    has a derivative of its own."""

    jaxpr: Any
    consts: Sequence[Any]
    name: str
    where: str
    is_rule: bool


def called(walk: Walk, e: Any, values: list[Value]) -> Sequence[Value]:
    """The results of a call: entered, or as one node."""
    held = e.params["jaxpr"] if "jaxpr" in e.params else e.params["call_jaxpr"]
    jaxpr, consts = getattr(held, "jaxpr", held), getattr(held, "consts", ())
    if e.params.get("name") in walk.marks:
        return _marked(walk, e, values, walk.marks[e.params["name"]])
    is_rule, of_jax = e.primitive.name in RULES, is_jax_own(jaxpr)
    live = [value.is_float and bool(value.node) for value in values]
    if not is_rule and not (of_jax and rounds_together(jaxpr, live)):
        return _entered(walk, e, jaxpr, consts, values, of_jax=of_jax)
    return _one_node(walk, e, values, Inside(jaxpr, consts, *source_of(jaxpr), is_rule))


def foreign(walk: Walk, e: Any, values: list[Value]) -> Sequence[Value] | None:
    """The results of a primitive that JAX does not have, by what it runs as; None where that is not made of JAX's own.

    It is a custom rule, with a derivative of its own. Those of Equinox's loops are entered: a buffer that is written
    once hands on a gradient that nobody reads.
    """
    impl = e.primitive.impl
    module = getattr(impl, "__module__", None) or ""
    if not hasattr(impl, "__code__") or module.partition(".")[0] in ("jax", "jaxlib"):
        return None
    try:
        closed = jax.make_jaxpr(partial(impl, **e.params))(*(value.aval for value in values))
    except Exception:  # noqa: BLE001 whatever it needs, it is no function of arrays alone
        return None
    if any(inner.primitive is e.primitive for inner in closed.jaxpr.eqns):
        return None
    if module.startswith("equinox."):
        return _entered(walk, e, closed.jaxpr, closed.consts, values, of_jax=True)
    where = f"{impl.__code__.co_filename}:{impl.__code__.co_firstlineno}"
    return _one_node(walk, e, values, Inside(closed.jaxpr, closed.consts, e.primitive.name, where, True))


def solved(walk: Walk, e: Any, values: list[Value]) -> Sequence[Value]:
    """`lax.custom_linear_solve`: the solution x of A x = b, whose derivative is that of A and b, however it was found.

    It means the run's own y refined: y + S (b - A y), where S is applied as t + S0 (r - A0 t), t = S0 r. A0, the
    matrix at this point, and its inverse S0 are constants. Both refinements double the digits of S0, and give every
    residual the rounding that a stable solver may have (Higham 2002, section 12.1).
    """
    lengths, matvec = e.params["const_lengths"], jaxpr_as_fun(e.params["jaxprs"].matvec)
    y = bound(e, [value.array for value in values])
    if len(y) != 1 or y[0].size > UNKNOWNS:
        counts = " and ".join(str(part.size) for part in y)
        raise Refused(
            f"a linear system of {counts} unknowns: at most {UNKNOWNS}, in one array, are heard", walk.place(e)
        )
    shape, basis = y[0].shape, np.eye(y[0].size, dtype=y[0].dtype).reshape(-1, *y[0].shape)
    consts: list[Any] = [value.array for value in values[: lengths.matvec]]
    columns = [matvec(*consts, column)[0] for column in basis]
    matrix = np.stack([np.asarray(column).reshape(-1) for column in columns], axis=1)
    try:
        inverse = np.linalg.inv(matrix.astype(np.float64)).astype(matrix.dtype)
    except np.linalg.LinAlgError:
        raise Refused("a linear system without a solution: its matrix is singular", walk.place(e)) from None

    def refined(*given: Any) -> Any:
        left = (given[-1] - matvec(*given[: lengths.matvec], y[0])[0]).reshape(-1)
        step = inverse @ left
        return [y[0] + (step + inverse @ (left - matrix @ step)).reshape(shape)]

    closed = jax.make_jaxpr(refined)(*(value.aval for value in values))
    return _one_node(walk, e, values, Inside(closed.jaxpr, closed.consts, "linear_solve", "", False))


def _one_node(walk: Walk, e: Any, values: list[Value], inside: Inside) -> Sequence[Value]:
    """A call as one node: an operation of the vocabulary, or what its forward says."""
    of_jax, name, place = is_of_jax(inside.where), inside.name, walk.place(e)
    if inside.is_rule and not of_jax:
        place = replace(place, call=name, rule=f"{name} at {Path(inside.where).name}" if inside.where else name)
    meanings = known(inside.jaxpr, lambda k: values[k].array) if of_jax else None
    if meanings is None:
        meanings = _forward(walk, e, values, inside)
    avals, several = [out.aval for out in e.outvars], e.primitive.multiple_results
    return walk.record(lambda *arrays: bound(e, arrays), values, avals, meanings, place, several=several)


def _marked(walk: Walk, e: Any, values: list[Value], mark: Marked) -> Sequence[Value]:
    """A function with a meaning of its own: its equations as the user would run them, and one node."""
    if len(e.outvars) != 1:
        raise Refused(f"`{mark.operation.name}` gives several results", walk.place(e))
    meaning = Meaning(mark.operation.name, range(len(values)), mark.params, operation=mark.operation)
    place = replace(walk.place(e), call=mark.operation.name)
    function = jaxpr_as_fun(e.params["jaxpr"])
    return walk.record(function, values, [e.outvars[0].aval], [meaning], place, several=True)


def _entered(
    walk: Walk, e: Any, jaxpr: Any, consts: Sequence[Any], values: list[Value], *, of_jax: bool
) -> Sequence[Value]:
    scope, outer = walk.scope, walk.outer
    if of_jax and outer is None:
        walk.outer = walk.place(e)
    walk.scope = (*scope, *names_of(e))
    try:
        return walk.run(jaxpr, consts, values)
    finally:
        walk.scope, walk.outer = scope, outer


def _forward(walk: Walk, e: Any, values: Sequence[Value], inside: Inside) -> list[Told]:
    """What each float result of a call means, by its own forward."""
    heard = walk.inside(e)
    inputs = [heard.operand(f"x{k}", value) for k, value in enumerate(values)]
    places = {value.node: k for k, value in enumerate(inputs) if value.node}
    outs = heard.run(inside.jaxpr, inside.consts, inputs)
    walk.recording.include(heard.recording)
    return [out.refused or (_result(walk, e, heard, out, places, inside) if out.is_float else None) for out in outs]


def _result(walk: Walk, e: Any, heard: Walk, out: Value, places: Mapping[str, int], inside: Inside) -> Meaning | None:
    """What one float result is, None for a constant of the run. A rule has terms even where its forward has none."""
    if not out.node and not inside.is_rule:
        return None
    name = inside.name or e.primitive.name
    operands: list[Operand] = [np.asarray(out.array)] if not out.node else []
    text = _text(heard, out, places, operands) if out.node else "x0"
    if inside.is_rule:
        text = _with_all(text, operands, list(places.values()))
    surrogate = _intended(walk, name)
    if surrogate is not None:
        if len(e.outvars) > 1:
            raise Refused(f"`{name}`: a surrogate for a rule with several results", walk.place(e))
        arguments = _arguments(len(e.invars) - e.params.get("num_consts", 0), inside)
        text = _instead(text, surrogate, arguments, e.params.get("num_consts", 0), operands)
    return Meaning(f"jax_{name}" if name in OPERATIONS else name, operands, text=text)


def _with_all(text: str, operands: list[Operand], live: Sequence[int]) -> str:
    """A text that reads every live operand, and no other value or derivative than this one."""
    *before, last = text.split("; ")
    for k in live:
        if k not in [x for x in operands if isinstance(x, int)]:
            last = f"{last} + 0 * sum(sign(stop_gradient(x{len(operands)})))"
            operands.append(k)
    return "; ".join([*before, last])


def _text(heard: Walk, out: Value, places: Mapping[str, int], operands: list[Operand]) -> str:
    """A result as a text; what it reads is added to the operands."""
    graph, _ = heard.recording.graph(out.node)
    names = dict[str, str]()
    for node in graph.inputs:
        names[node.name] = f"x{len(operands)}"
        operands.append(places[node.name] if node.name in places else np.asarray(heard.recording.values[node.name]))
    return written(graph, names)


def written(graph: Graph, names: Mapping[str, str]) -> str:
    """A graph as the text of a definition, its inputs under these names; what is used once is written where it is."""
    new = {node.name: node.name if node.op == "input" else f"t:{k}" for k, node in enumerate(graph.nodes, 1)}
    nodes = tuple(
        replace(node, name=new[node.name], args=tuple(new[arg] if isinstance(arg, str) else arg for arg in node.args))
        for node in graph.nodes
    )
    graph = replace(graph, nodes=nodes, outputs=(new[graph.outputs[0]],))
    named = readable_names(graph, names)
    lines, last = text_of(graph, named), named[graph.outputs[0]]
    return "; ".join([*(f"{name} = {text}" for name, text in lines.items() if name != last), lines.get(last, last)])


# --- rules that are meant to be no derivative --------------------------------------------------------------------


def _intended(walk: Walk, name: str) -> str | None:
    for rule, text in walk.ask.intended.items():
        if name and name in (rule, getattr(rule, "__name__", None)):
            return text
    return None


def _instead(forward: str, surrogate: str, arguments: Sequence[str], skipped: int, operands: list[Operand]) -> str:
    """The forward's value with the derivative of the surrogate, whose words are arguments or x0, x1, ..."""
    found = dict[str, str]()
    for k, name in enumerate(arguments):
        for word in (name, f"x{k}"):
            if re.search(rf"\b{re.escape(word)}\b", surrogate):
                if skipped + k not in [x for x in operands if isinstance(x, int)]:
                    operands.append(skipped + k)
                found[word] = f"x{next(i for i, x in enumerate(operands) if isinstance(x, int) and x == skipped + k)}"
    if found:
        words = "|".join(map(re.escape, sorted(found, key=len, reverse=True)))
        surrogate = re.sub(rf"\b({words})\b", lambda match: found[match[1]], surrogate)
    *before, last = forward.split("; ")
    steps = [*before, f"t_forward = {last}", f"t_surrogate = {surrogate}"]
    return "; ".join([*steps, "stop_gradient(t_forward) + (t_surrogate - stop_gradient(t_surrogate))"])


def _arguments(count: int, inside: Inside) -> list[str]:
    """What the forward calls its arguments, by its source: JAX does not keep it. x0, x1, ... where there is none."""
    plain = [f"x{k}" for k in range(count)]
    file, _, line = inside.where.rpartition(":")
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return plain
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == inside.name:
            lines = {node.lineno, *(decorator.lineno for decorator in node.decorator_list)}
            if int(line) in lines and len(node.args.args) == count:
                return [argument.arg for argument in node.args.args]
    return plain
