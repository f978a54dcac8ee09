"""Everything in an expression that is wrong on its face: forms, operations, parameters and names that there are not.

The parser stops at the first error, and it can't build on a node that failed. This walk needs no node: it
finds what is wrong with an expression itself, all at once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence

from ...words import nearest
from ..node import NAMED_CONSTANTS, GraphError
from ..operations import OPERATIONS
from ..operations.parameters import unknown_parameter
from .expression import BINARY, COMPARE, ExpressionError, parsed
from .habits import begins, place, refused, short, unknown_operation

BINDING = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # they have names of their own


def mistakes(
    tree: ast.expr,
    lines: Sequence[str],
    problem: Callable[[str], GraphError | None],
    functions: Collection[str],
    names: Collection[str],
) -> Iterator[ExpressionError]:
    """The mistakes of an expression, read from these lines, in the order of its text.

    `problem` says what is wrong with the use of a name, if anything; `functions` may be called beside the
    vocabulary, and `names` are those that exist.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        error: GraphError | None = None
        inner: list[ast.expr] = []
        match node:
            case ast.Name(name):
                error = problem(name)
            case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
                pass
            case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand) | ast.Subscript(operand):
                inner = [operand]
            case ast.BinOp(left, operator, right) if type(operator) in BINARY:
                inner = [left, right]
            case ast.BoolOp(_, values):
                inner = values
            case ast.Compare(left, [comparison], [right]) if type(comparison) in COMPARE:
                inner = [left, right]
            case ast.Call(ast.Name(op), operands, keywords):
                inner = [item for o in operands for item in (o.elts if isinstance(o, ast.List | ast.Tuple) else [o])]
                if op == "einsum" and inner and isinstance(inner[0], ast.Constant):
                    inner = inner[1:]
                if op in OPERATIONS:
                    by_name = {operand.name for operand in OPERATIONS[op].operands}
                    inner += [keyword.value for keyword in keywords if keyword.arg in by_name]
                    for keyword in keywords:
                        if keyword.arg and keyword.arg not in by_name and keyword.arg not in OPERATIONS[op].parameters:
                            wrong = unknown_parameter(OPERATIONS[op], keyword.arg)
                            yield ExpressionError(wrong, *place(keyword, lines))
                elif op not in functions and op != "size":
                    error = unknown_operation(op, functions, names)
            case _:
                error = refused(node)
                if not isinstance(node, BINDING):
                    inner = _operands(node)
        if error is not None:
            yield ExpressionError(error, *place(node, lines))
        waiting += reversed(inner)


def body_mistakes(text: str, arguments: Sequence[str], functions: Collection[str]) -> Iterator[ExpressionError]:
    """What is wrong on its face with a definition, `local = expression; ...; expression`, of these arguments."""
    try:
        body = parsed(text).body
    except ExpressionError as error:
        yield error
        return
    if not body:
        empty = GraphError("an empty definition", "an expression", "remove it, or say what it means")
        yield ExpressionError(empty, 0, 0)
    local, lines = {*arguments, *NAMED_CONSTANTS}, text.strip().splitlines()

    def problem(word: str) -> GraphError | None:
        expected = f"one of: {', '.join(arguments)}"
        near = nearest(word, sorted(local))
        return None if word in local else GraphError(f"undefined name `{word}`", expected, near)

    for count, statement in enumerate(body):
        last = count == len(body) - 1
        if not isinstance(statement, ast.Expr if last else ast.Assign):
            expected = "an expression at the end" if last else "`local = expression`"
            yield ExpressionError(GraphError(f"`{short(statement)}`", expected), *begins(statement, lines))
            continue
        yield from mistakes(statement.value, lines, problem, functions, local)
        match statement:
            case ast.Assign([ast.Name(word)]):
                local.add(word)
            case ast.Assign([target, *_]):
                wrong = GraphError(f"`{short(statement)}`", "`local = expression`")
                yield ExpressionError(wrong, *begins(target, lines))
            case _:
                pass


def _operands(tree: ast.AST) -> list[ast.expr]:
    """What a form that the language does not have computes with, functions and attributes left out."""
    match tree:
        case ast.Call(ast.Attribute(), operands):
            return operands
        case ast.Attribute() | ast.JoinedStr() | ast.Call():
            return []
        case ast.NamedExpr(_, value):
            return [value]
        case _:
            return [child for child in ast.iter_child_nodes(tree) if isinstance(child, ast.expr)]
