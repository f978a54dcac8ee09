"""A function of a framework that runs in place of a definition's text, as a case names it: `torch.special.logit`, or
`torch.linalg.slogdet(x)[1]`.

Text alone, which is looked at and never evaluated: `NAMESPACES` are all that it may name. A framework's engine looks
the function up.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from ..words import nearest
from .graph import Graph, own
from .language.expression import ExpressionError, parsed
from .language.habits import begins
from .node import GraphError
from .operations.operation import Operation

_DISTRIBUTIONS = (
    "bernoulli beta betabinom binom cauchy chi2 dirichlet expon gamma gennorm geom gumbel_l gumbel_r laplace logistic "
    "multinomial multivariate_normal nbinom norm pareto poisson t truncnorm uniform vonmises wrapcauchy"
)
# Where each framework has functions of arrays. What is not directly in one of these is none.
NAMESPACES: Mapping[str, Sequence[str]] = {
    "torch": ("torch", "torch.nn.functional", "torch.special", "torch.linalg", "torch.fft"),
    "jax": (
        *("jax.numpy", "jax.numpy.linalg", "jax.numpy.fft", "jax.nn", "jax.lax", "jax.lax.linalg"),
        *("jax.scipy.special", "jax.scipy.linalg", "jax.scipy.signal", "jax.scipy.fft", "jax.scipy.ndimage"),
        *("jax.scipy.integrate", "jax.scipy.stats"),
        *(f"jax.scipy.stats.{name}" for name in _DISTRIBUTIONS.split()),
        "optax.losses",
    ),
}
# What is in one of these and is about files, settings or functions, not about numbers.
NO_NUMBERS = {
    *("load", "save", "savez", "fromfile", "frombuffer", "from_dlpack", "fromfunction", "frompyfunc", "vectorize"),
    *("set_printoptions", "get_printoptions", "printoptions", "from_file", "apply_along_axis", "apply_over_axes"),
}
# Keywords by which a function would write into its operands.
WRITING = {"out", "inplace", "donate"}


@dataclass(frozen=True, slots=True)
class Native:
    """A function `module.name`, and how it is called: with operands and parameters as they come, or as `call` says."""

    text: str
    module: str
    name: str
    call: ast.Call | None = None
    output: int | None = None

    def of(self, function: Callable[..., Any], operands: Sequence[str]) -> Callable[..., Any]:
        """What is run on operands and parameters, where `function` is the one that is named."""

        def run(*given: Any, **parameters: Any) -> Any:
            if self.call is None:
                result = function(*given, **parameters)
            else:
                scope = {**dict(zip(operands, given, strict=True)), **parameters}
                named = {cast(str, word.arg): _given(word.value, scope) for word in self.call.keywords}
                result = function(*(_given(argument, scope) for argument in self.call.args), **named)
            return result if self.output is None else result[self.output]

        return run


@lru_cache(maxsize=4096)
def native(framework: str, text: str, arguments: tuple[str, ...]) -> Native:
    """The function that a text names, for a definition of these operands and parameters.

    Raises ExpressionError for anything else than a numerical function of the framework's namespaces, and for a call of
    it with anything else than arguments, numbers, words and lists of them.
    """
    body, lines = parsed(text).body, [text.strip()]
    expected = f"a function such as `{NAMESPACES[framework][1]}.name`, or a call of one, `....name(x)[1]`"

    def error(node: ast.AST, found: str, expected: str = expected, remedy: str = "") -> ExpressionError:
        return ExpressionError(GraphError(found, expected, remedy), *begins(node, lines))

    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise ExpressionError(GraphError(f"`{_short(text)}`", expected), 0, 0)
    tree, call, output = body[0].value, None, None
    match tree:
        case ast.Subscript(ast.Call() as tree, ast.Constant(int(output))):
            if isinstance(output, bool):
                raise error(tree, f"`{_short(text)}`")
        case _:
            pass
    if isinstance(tree, ast.Call):
        call, tree = tree, tree.func
    module, _, name = _dotted(tree).rpartition(".")
    if not module:
        raise error(tree, f"`{_short(text)}`")
    _check_path(framework, module, name, lambda *words: error(tree, *words))
    for argument in () if call is None else (*call.args, *(word.value for word in call.keywords)):
        _check_argument(argument, arguments, error)
    for word in () if call is None else call.keywords:
        if word.arg is None or word.arg in WRITING:
            found = "`**`" if word.arg is None else f"`{word.arg}=`, which writes into what it is given"
            raise error(word, found, "arguments that are read alone", "remove it")
    return Native(text.strip(), module, name, call, output)


def _check_path(framework: str, module: str, name: str, error: Callable[..., ExpressionError]) -> None:
    spaces, path = NAMESPACES[framework], f"{module}.{name}"
    known = f"a function of one of: {', '.join(space for space in spaces if '.stats.' not in space)}"
    if module not in spaces:
        other = next((other for other in NAMESPACES if module in NAMESPACES[other]), "")
        remedy = f"it is one of {other}'s" if other else nearest(module, spaces)
        raise error(f"`{path}`", known, remedy)
    if name.startswith("_") or path in spaces:
        raise error(f"`{path}`", "a public function", "")
    if name.endswith("_"):
        raise error(f"`{path}`, which changes its operand", "a function that gives a new array", f"`{path[:-1]}`")
    if name in NO_NUMBERS:
        raise error(f"`{path}`, which computes nothing", "a function of arrays", "")


def _check_argument(node: ast.expr, arguments: Sequence[str], error: Callable[..., ExpressionError]) -> None:
    match node:
        case ast.Name(name):
            if name not in arguments:
                raise error(
                    node, f"undefined name `{name}`", f"one of: {', '.join(arguments)}", nearest(name, arguments)
                )
        case ast.Tuple(items) | ast.List(items):
            for item in items:
                _check_argument(item, arguments, error)
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float())) | ast.Constant(int() | float() | str() | None):
            pass
        case _:
            raise error(node, f"`{_short(ast.unparse(node))}`", "operands, parameters, numbers, words, lists of them")


def _given(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """What an argument is."""
    match node:
        case ast.Name(name):
            return scope[name]
        case ast.Tuple(items):
            return tuple(_given(item, scope) for item in items)
        case ast.List(items):
            return [_given(item, scope) for item in items]
        case _:
            return ast.literal_eval(node)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(inner, name):
            return f"{before}.{name}" if (before := _dotted(inner)) else ""
        case _:
            return ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def natives(graph: Graph, framework: str) -> dict[str, Native]:
    """The functions of a framework that run in place of the graph's definitions, by the names of these."""
    return {
        operation.name: native(framework, operation.native[framework], argument_names(operation))
        for operation in own(*graph.definitions).values()
        if framework in operation.native
    }


def functions(graph: Graph, framework: str, resolve: Callable[[Native], Callable[..., Any]]) -> dict[str, Any]:
    """What a framework runs for the graph's definitions that name functions of its own, each looked up by `resolve`."""
    known = graph.vocabulary
    return {name: one.of(resolve(one), _names(known[name])) for name, one in natives(graph, framework).items()}


def argument_names(operation: Operation) -> tuple[str, ...]:
    """The operands and the parameters of an operation."""
    return (*_names(operation), *operation.parameters)


def _names(operation: Operation) -> tuple[str, ...]:
    return tuple(operand.name for operand in operation.operands)
