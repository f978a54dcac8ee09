"""Text -> nodes: the language of cases, a subset of Python expressions, parsed and never evaluated.

`Parser.define` turns the text of an expression into nodes of a `Builder`; `printing.py` prints a graph back.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from math import inf, prod

from ..build import Builder
from ..node import NAMED_CONSTANTS, Arg, Constant, GraphError, Param
from ..operations.parameters import unknown_parameter
from ..shapes import axes_of
from .habits import NOT_BY_PLACE, cut, place, refused, short, undefined, unknown_operation
from .slips import slip
from .subscripts import index_text

BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.BitAnd: "logical_and",
    ast.BitOr: "logical_or",
}
LOGICAL: Mapping[type[ast.boolop], str] = {ast.And: "logical_and", ast.Or: "logical_or"}
COMPARE: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}


LAMBDA = re.compile(r"\blambda(?=\s*=[^=])")
LONG = re.compile(r"[0-9]{4301,}")  # digits of an integer, which Python refuses


class ExpressionError(GraphError):
    """An error at a place in an expression: `line` and `column` count from 0 within its text."""

    def __init__(self, error: GraphError, line: int, column: int) -> None:
        super().__init__(error.found, error.expected, error.remedy)
        self.line, self.column = line, column


@lru_cache(maxsize=4096)
def parsed(text: str) -> ast.Module:
    """Statements `name = expression; ...; expression` as a tree. Raises ExpressionError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about `1else`, which is refused anyway
            return ast.parse(text.strip())
    except SyntaxError as error:
        if "too many nested" in error.msg:
            raise ExpressionError(_too_deep(), (error.lineno or 1) - 1, max((error.offset or 1) - 1, 0)) from None
        if long := LONG.search(text.strip()):
            wrong = GraphError("a number of thousands of digits", "one such as `2.5e30`")
            raise ExpressionError(wrong, 0, long.start()) from None
        if named := LAMBDA.search(text.strip()):
            wrong = GraphError("`lambda` as a parameter", "a name that is no word of Python's", "write `lambd=`")
            raise ExpressionError(wrong, 0, named.start()) from None
        if mistake := slip(text.strip()):
            raise ExpressionError(*mistake) from None
        problem = GraphError(error.msg, "an expression such as `tanh(a * b) + c`")
        raise ExpressionError(problem, (error.lineno or 1) - 1, max((error.offset or 1) - 1, 0)) from None
    except (RecursionError, MemoryError):
        raise ExpressionError(_too_deep(), 0, 0) from None
    except ValueError:  # null characters, lone surrogates
        raise ExpressionError(
            GraphError("characters that no expression has", "an expression such as `tanh(a * b) + c`"), 0, 0
        ) from None


def _too_deep() -> GraphError:
    return GraphError(
        "an expression nested too deeply",
        "at most 200 brackets in one another, and some 900 operations in a row",
        "give inner parts names of their own, each a statement",
    )


class Parser:
    """Builds expressions into `builder`. `scope` maps further names to arguments and `parameters` to values."""

    def __init__(
        self,
        builder: Builder,
        scope: Mapping[str, Arg] | None = None,
        parameters: Mapping[str, Param] | None = None,
        separator: str = ".",
    ) -> None:
        self.builder = builder
        self.scope = scope
        self.parameters = parameters or {}
        self.separator = separator
        self._lines: list[str] = []
        self._counts: dict[str, int] = {}

    def define(self, name: str, text: str) -> str:
        """The node `name` for an expression; inner ones are called `name.1`, `name.2`, ..."""
        return self._outermost(name, self._single(text))

    def body(self, base: str, text: str, name: str) -> Arg:
        """The value of `local = expression; ...; expression`, called `name`, inner nodes after `base`."""
        *statements, last = self._read(text)
        for statement in statements:
            assert isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            value = self._build(statement.value, base, "")
            self.scope = {**(self.scope or {}), statement.targets[0].id: value}
        assert isinstance(last, ast.Expr)
        return self._build(last.value, base, name)

    def value(self, base: str, text: str) -> Arg:
        """What one expression stands for, be it a name, a number or a node. Raises ExpressionError."""
        try:
            return self._build(self._single(text), base, "")
        except RecursionError:
            raise ExpressionError(_too_deep(), 0, 0) from None

    def _single(self, text: str) -> ast.expr:
        statements = self._read(text)
        match statements:
            case [ast.Expr(tree)]:
                return tree
            case [ast.Assign() as assignment]:
                raise ExpressionError(refused(assignment), 0, 0)
            case _:
                raise ExpressionError(*(slip(text.strip()) or (GraphError(f"`{cut(text)}`", "one expression"), 0, 0)))

    def _read(self, text: str) -> list[ast.stmt]:
        self._lines = text.strip().splitlines()
        return parsed(text).body

    def _outermost(self, name: str, tree: ast.expr) -> str:
        try:
            result = self._build(tree, name, name)
        except RecursionError:
            raise ExpressionError(_too_deep(), 0, 0) from None
        if result != name:
            raise self._error(
                tree,
                GraphError(f"`{name}: {short(tree)}` computes nothing", "an operation", "use the name itself"),
            )
        return name

    def _build(self, tree: ast.expr, base: str, name: str) -> Arg:
        """The argument that a tree stands for; `name` is empty for inner nodes."""
        try:
            match tree:
                case ast.Name(id):
                    return self._name(id)
                case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
                    return Constant(self._numeral(tree))
                case ast.UnaryOp(ast.USub(), ast.Constant() | ast.Name() as operand):
                    inner = self._build(operand, base, "")
                    if isinstance(inner, Constant) and not inner.text.startswith("-"):
                        return Constant("-" + inner.text)
                    return self._apply("negative", [inner], {}, base, name)
                case ast.UnaryOp(ast.USub(), operand):
                    return self._apply("negative", [self._build(operand, base, "")], {}, base, name)
                case ast.UnaryOp(ast.Not() | ast.Invert(), operand):
                    return self._apply("logical_not", [self._build(operand, base, "")], {}, base, name)
                case ast.BoolOp(operator, [*firsts, last]):
                    left = firsts[0] if len(firsts) == 1 else ast.copy_location(ast.BoolOp(operator, firsts), tree)
                    args = [self._build(left, base, ""), self._build(last, base, "")]
                    return self._apply(LOGICAL[type(operator)], args, {}, base, name)
                case ast.BinOp(left, operator, right) if type(operator) in BINARY:
                    args = [self._build(left, base, ""), self._build(right, base, "")]
                    return self._apply(BINARY[type(operator)], args, {}, base, name)
                case ast.Compare(left, [operator], [right]) if type(operator) in COMPARE:
                    args = [self._build(left, base, ""), self._build(right, base, "")]
                    return self._apply(COMPARE[type(operator)], args, {}, base, name)
                case ast.Subscript(value, index):
                    return self._apply(
                        "getitem", [self._build(value, base, "")], {"index": index_text(index)}, base, name
                    )
                case ast.Call(ast.Name(op), operands, keywords):
                    return self._call(op, operands, keywords, base, name)
                case _:
                    raise refused(tree)
        except ExpressionError:
            raise
        except GraphError as error:
            raise self._error(tree, error) from None

    def _error(self, tree: ast.expr | ast.keyword, error: GraphError) -> ExpressionError:
        return ExpressionError(error, *place(tree, self._lines))

    def _numeral(self, tree: ast.Constant) -> str:
        # ast keeps the value alone; the text keeps every digit that was written.
        assert tree.end_col_offset is not None
        text = self._lines[tree.lineno - 1].encode()[tree.col_offset : tree.end_col_offset].decode().replace("_", "")
        exponent = text.lower().partition("e")[2].lstrip("+-")
        if exponent.isdigit() and (len(exponent) > 4 or len(text) > 1000):
            raise GraphError(f"the number {cut(text)}", "an exponent of at most four digits")
        return text if text[:2].lower() not in ("0x", "0o", "0b") else str(tree.value)

    def _name(self, name: str) -> Arg:
        if self.scope is not None:
            if name in self.scope:
                return self.scope[name]
            if name in self.parameters:
                return Constant(repr(self.parameters[name]))
        elif name in self.builder.nodes:
            return name
        if name in NAMED_CONSTANTS:
            return Constant(name)
        if self.scope is None:
            raise undefined(name, [*self.builder.nodes, *NAMED_CONSTANTS])
        indices = ", ".join(self.scope)
        expected = f"one of: {indices}" if indices else "numbers: a scalar has no index"
        raise undefined(name, [*self.scope, *NAMED_CONSTANTS], expected)

    def _call(self, op: str, operands: list[ast.expr], keywords: list[ast.keyword], base: str, name: str) -> Arg:
        params = {
            keyword.arg or "**": self._parameter(keyword.value)
            for keyword in keywords
            if keyword.arg not in self._operand_names(op)
        }
        if op == "size":
            return Constant(str(self._size(operands, params)))
        if op not in self.builder.vocabulary:
            raise unknown_operation(op, self.builder.vocabulary, self.builder.nodes)
        for keyword in keywords:
            if keyword.arg in params and keyword.arg not in self.builder.vocabulary[op].parameters:
                raise self._error(keyword, unknown_parameter(self.builder.vocabulary[op], keyword.arg))
        if op == "einsum" and operands and isinstance(operands[0], ast.Constant) and isinstance(operands[0].value, str):
            params["subscripts"] = operands[0].value
            operands = operands[1:]
        operands, by_place = self._by_place(op, operands)
        for parameter, tree in by_place.items():
            if parameter in params:
                raise self._error(tree, GraphError(f"`{parameter}` of `{op}` is given twice", "once"))
            params[parameter] = self._parameter(tree)
        flat = [item for o in operands for item in (o.elts if isinstance(o, ast.List | ast.Tuple) else [o])]
        args = [self._build(o, base, "") for o in flat]
        args += self._keyword_operands(op, len(args), keywords, base)
        if op == "einsum":
            args, params = self._diagonals(args, params, base)
        try:
            return self._apply(op, args, params, base, name)
        except GraphError as error:
            for keyword in keywords:
                if keyword.arg == error.parameter:
                    raise self._error(keyword, error) from None
            if error.parameter in by_place:
                raise self._error(by_place[error.parameter], error) from None
            raise

    def _diagonals(self, args: list[Arg], params: dict[str, object], base: str) -> tuple[list[Arg], dict[str, object]]:
        """An index that a term of `einsum` repeats reads the diagonal, taken first: a matrix in a row, each n + 1st."""
        terms, arrow, output = str(params.get("subscripts", "")).partition("->")
        letters = [term.strip() for term in terms.split(",")]
        if not arrow or len(letters) != len(args):
            return args, params  # its own check says what is wrong
        for k, arg in enumerate(args):
            while (twice := _repeated(letters[k])) and len(self.builder.shape(arg)) == len(letters[k]):
                shape, (first, second) = self.builder.shape(arg), twice
                if shape[first] != shape[second]:
                    found = f"index {letters[k][first]} with lengths {shape[first]} and {shape[second]}"
                    raise GraphError(found, "one length per index")
                rest = [axis for axis in range(len(shape)) if axis not in twice]
                n = shape[first]
                arg = self._apply("permute_dims", [arg], {"axes": (*rest, first, second)}, base, "")
                arg = self._apply("reshape", [arg], {"shape": (*(shape[axis] for axis in rest), n * n)}, base, "")
                arg = self._apply("getitem", [arg], {"index": f"..., ::{n + 1}"}, base, "")
                letters[k] = "".join(letters[k][axis] for axis in rest) + letters[k][first]
            args[k] = arg
        return args, {**params, "subscripts": f"{','.join(letters)}->{output}"}

    def _by_place(self, op: str, operands: list[ast.expr]) -> tuple[list[ast.expr], dict[str, ast.expr]]:
        """Operands, and the parameters behind them that stand without their names, as in `sum(x, 1)`.

        Where one more is likely meant to be an operand, as in `max(x, 0)`, it is none.
        """
        operation = self.builder.vocabulary[op]
        several = any(operand.variadic for operand in operation.operands)
        count = 1 if several and operands and isinstance(operands[0], ast.List | ast.Tuple) else len(operation.operands)
        if (several and count != 1) or op in NOT_BY_PLACE:
            return operands, {}
        further = operands[count:]
        if len(further) > 1 and len(operation.parameters) == 1 and all(map(_is_integer, further)):
            further = [_together(further)]  # as in `reshape(x, 2, 6)`
        if len(further) > len(operation.parameters) or not all(map(self._is_parameter, further)):
            return operands, {}
        return operands[:count], dict(zip(operation.parameters, further, strict=False))

    def _is_parameter(self, tree: ast.expr) -> bool:
        """Whether a tree is what parameters are: a number, a word, a list of them."""
        match tree:
            case ast.Constant():
                return True
            case ast.UnaryOp(ast.USub(), ast.Constant(value)):
                return isinstance(value, int | float)
            case ast.List(items) | ast.Tuple(items):
                return all(map(self._is_parameter, items))
            case ast.Name(id):
                return id in self.parameters
            case _:
                return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "size"

    def _operand_names(self, op: str) -> list[str]:
        operation = self.builder.vocabulary.get(op)
        return [] if operation is None else [operand.name for operand in operation.operands]

    def _keyword_operands(self, op: str, count: int, keywords: list[ast.keyword], base: str) -> list[Arg]:
        """Operands passed by name, which must continue where the positional ones end."""
        by_name = {keyword.arg: keyword.value for keyword in keywords if keyword.arg in self._operand_names(op)}
        args: list[Arg] = []
        for expected in self._operand_names(op)[count:]:
            if expected in by_name:
                args.append(self._build(by_name.pop(expected), base, ""))
            elif by_name:
                raise GraphError(f"`{op}` without `{expected}`", self.builder.vocabulary[op].written)
        if by_name:
            raise GraphError(f"`{next(iter(by_name))}` of `{op}` is given twice", self.builder.vocabulary[op].written)
        return args

    def _apply(self, op: str, args: list[Arg], params: Mapping[str, object], base: str, name: str) -> str:
        if not name and self.separator == ".":
            count = self._counts.get(base, 0) + 1
            while (name := f"{base}.{count}") in self.builder.nodes:
                count += 1
            self._counts[base] = count
        return self.builder.apply(op, args, params, name, base)

    def _parameter(self, tree: ast.expr) -> object:
        match tree:
            case ast.Name(id) if id in self.parameters:
                return self.parameters[id]
            case ast.Name("inf"):
                return inf
            case ast.UnaryOp(ast.USub(), ast.Name("inf")):
                return -inf
            case ast.List(items) | ast.Tuple(items):
                return tuple(self._parameter(item) for item in items)
            case ast.Constant(value):
                return value
            case ast.UnaryOp(ast.USub(), ast.Constant(value)) if isinstance(value, int | float):
                return -value
            case ast.Call(ast.Name("size"), operands, keywords):
                return self._size(operands, {k.arg or "": self._parameter(k.value) for k in keywords})
            case _:
                raise self._error(
                    tree,
                    GraphError(
                        f"`{short(tree)}` as a parameter",
                        "a number, True, False, None, text or a list of these",
                    ),
                )

    def _size(self, operands: list[ast.expr], params: Mapping[str, object]) -> int:
        if len(operands) != 1 or set(params) - {"axis"}:
            raise GraphError("`size` of something else than one operand", "size(x) or size(x, axis=0)")
        shape = self.builder.shape(self._build(operands[0], "size", ""))
        return prod(shape[axis] for axis in axes_of(params.get("axis"), len(shape)))


def _repeated(term: str) -> tuple[int, int] | None:
    """The places of the first letter that a term of `einsum` has twice."""
    for first, letter in enumerate(term):
        if letter in term[first + 1 :]:
            return first, term.index(letter, first + 1)
    return None


def _is_integer(tree: ast.expr) -> bool:
    number = tree.operand if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub) else tree
    return isinstance(number, ast.Constant) and type(number.value) is int


def _together(trees: list[ast.expr]) -> ast.expr:
    """Several trees as one tuple, which stands where they do."""
    first, last = trees[0], trees[-1]
    whole = ast.copy_location(ast.Tuple(trees, ast.Load()), first)
    whole.end_lineno, whole.end_col_offset = last.end_lineno, last.end_col_offset
    return whole
