"""What people write from habit and this language does not have, each with the right way to say it.

Python has more expressions than the language, and other libraries have other names for its operations. Who
parses asks here for the error to give.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence

from ...words import nearest
from ..node import GraphError
from ..operations import OPERATIONS

LANGUAGE = "names, numbers, + - * / ** @, comparisons, calls and subscripts"

MODULES = frozenset(
    ("np", "numpy", "onp", "anp", "jnp", "jax", "nn", "lax", "torch", "F", "tf", "math", "cmath", "scipy", "special")
)

# Names that other libraries and other fields have for operations of the vocabulary.
ELSEWHERE: Mapping[str, str] = {
    "absolute": "abs", "fabs": "abs", "neg": "negative", "sgn": "sign", "mul": "multiply", "sub": "subtract",
    "div": "divide", "power": "pow", "ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "gammaln": "lgamma",
    "psi": "digamma", "expit": "sigmoid", "logistic": "sigmoid", "swish": "silu", "amax": "max", "amin": "min",
    "fmax": "maximum", "fmin": "minimum", "clamp": "clip", "select": "where", "iif": "where", "average": "mean",
    "mm": "matmul", "bmm": "matmul", "dot": "matmul", "inner": "vecdot", "transpose": "matrix_transpose",
    "T": "matrix_transpose", "mT": "matrix_transpose", "permute": "permute_dims", "view": "reshape",
    "unsqueeze": "expand_dims", "concatenate": "concat", "cat": "concat", "gather": "take", "len": "size",
    "float": "astype", "detach": "stop_gradient", "conv_transpose1d": "conv_transpose",
    "conv_transpose2d": "conv_transpose", "conv_transpose3d": "conv_transpose", "conv3d": "conv2d",
    "logsigmoid": "log_sigmoid", "log_sum_exp": "logsumexp", "cumulative_sum": "cumsum", "cumulative_prod": "cumprod",
    "sqr": "square", "bce": "binary_cross_entropy", "bce_loss": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits", "sigmoid_cross_entropy": "binary_cross_entropy_with_logits",
    "ce": "cross_entropy", "ce_loss": "cross_entropy", "cross_entropy_loss": "cross_entropy",
    "softmax_cross_entropy": "cross_entropy", "nll": "nll_loss", "mse": "mse_loss", "mae": "l1_loss",
    "mae_loss": "l1_loss", "huber": "huber_loss", "smooth_l1": "smooth_l1_loss", "kl": "kl_div", "kl_loss": "kl_div",
    "attention": "scaled_dot_product_attention", "sdpa": "scaled_dot_product_attention",
    "dot_product_attention": "scaled_dot_product_attention", "layernorm": "layer_norm", "batchnorm": "batch_norm",
    "batch_norm1d": "batch_norm", "batch_norm2d": "batch_norm", "groupnorm": "group_norm", "rmsnorm": "rms_norm",
    "max_pool1d": "max_pool", "max_pool2d": "max_pool", "avg_pool1d": "avg_pool", "avg_pool2d": "avg_pool",
    "dense": "linear", "fc": "linear", "hard_tanh": "hardtanh", "linalg_norm": "norm",
    "lookup": "embedding", "repeat": "tile", "hstack": "concat", "vstack": "concat",
}  # fmt: skip

DEFINED = "`define` gives it a meaning, and `native` names a framework's function for it"
DATA = "numbers are inputs: drawn, or by a formula in the indices, as in {shape: [3], formula: i}"
RANDOM = "a case is the same each time: draw an input, as in {shape: [3], normal: {seed: 0}}"
COMPUTED = "the gradient is always computed, and `expect` may know it"
FURTHER = "`derivatives: [tangent, hessian_product]` asks for it"
PRECISIONS = "the whole case runs in each precision of its `dtypes`"
FUNCTIONS = "there are no functions of functions: operations work on whole arrays, steps are written out"
UPDATES = "`update` names a rule, as in {rule: adam, step_size: 0.1, steps: 10}"
INDICES = "indices are inputs of dtype int64, which `take` reads"
# What is not in the vocabulary although everybody knows it, with what to do instead.
ABSENT: Mapping[str, str] = {
    **dict.fromkeys(
        ("inv", "inverse", "matrix_inverse", "pinv", "solve", "det", "logdet", "slogdet", "cholesky", "qr", "svd",
         "eig", "eigh", "lstsq", "fft", "ifft", "rfft", "expm", "erfinv", "ndtr", "cbrt", "ctc_loss", "prelu",
         "nan_to_num", "isnan", "isinf", "isfinite", "cross", "kron", "cdist", "cosine_similarity", "normalize",
         "round", "trunc"),
        DEFINED,
    ),
    **dict.fromkeys(("arange", "linspace", "zeros", "ones", "full", "eye", "zeros_like", "ones_like"), DATA),
    **dict.fromkeys(("random", "rand", "randn", "uniform", "normal", "dropout", "bernoulli"), RANDOM),
    **dict.fromkeys(("sort", "argsort", "argmax", "argmin", "topk", "nonzero", "unique", "searchsorted"), INDICES),
    **dict.fromkeys(("tril", "triu"), "a mask is an input of dtype bool, which `where` reads"),
    "trace": 'write `einsum("ii->", x)`',
    "diagonal": 'write `einsum("ii->i", x)`',
    "diag": 'write `einsum("ii->i", x)`',
    "mod": "a remainder is `a - b * floor(a / b)`",
    "remainder": "a remainder is `a - b * floor(a / b)`",
    "split": "a part is a slice, as in `x[0:2]`",
    "chunk": "a part is a slice, as in `x[0:2]`",
    "unbind": "a part is a slice, as in `x[0]`",
    "cube": "write `x ** 3`",
    **dict.fromkeys(("gradient", "gradients", "grad", "grads", "backward", "value_and_grad", "vjp"), COMPUTED),
    **dict.fromkeys(("hessian", "jacobian", "jacfwd", "jacrev", "jvp", "hvp"), FURTHER),
    **dict.fromkeys(
        ("double", "half", "fp16", "fp32", "fp64", "bf16", "float16", "float32", "float64", "bfloat16"), PRECISIONS
    ),
    **dict.fromkeys(("lambda", "map", "vmap", "scan", "cond", "while_loop", "fori_loop", "jit", "eval"), FUNCTIONS),
    **dict.fromkeys(("sgd", "adam", "adamw", "rmsprop", "momentum", "optimizer", "step"), UPDATES),
    "quick_gelu": "write `x * sigmoid(1.702 * x)`",
    "gelu_tanh": "write `gelu(x, approximate='tanh')`",
}  # fmt: skip

# Operations whose second place is something else elsewhere: Python's `max(x, 0)`, the order of NumPy's `norm(x, 2)`.
NOT_BY_PLACE = frozenset(("max", "min", "norm"))

OPERATORS: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.BitXor: ("^", "a power is written `a ** b`"),
    ast.FloorDiv: ("//", "write `floor(a / b)`"),
    ast.Mod: ("%", "a remainder is `a - b * floor(a / b)`"),
    ast.LShift: ("<<", "multiply by a power of 2"),
    ast.RShift: (">>", "divide by a power of 2"),
}


def known_as(name: str, names: Collection[str] = ()) -> str:
    """The operation, or one of further names, that a name is another library's word for; empty where there is none."""
    return name if name in OPERATIONS or name in names else ELSEWHERE.get(name, "")


def unknown_operation(name: str, further: Collection[str], defined: Collection[str]) -> GraphError:
    """A call of what is no operation, neither of the vocabulary nor of the file's `further` ones."""
    listed = f"`gradaccord ops` lists all {len(OPERATIONS)}."
    if name in defined:
        return GraphError(
            f"`{name}` is called, and no operation", "an operation", f"a product is written `{name} * (...)`"
        )
    if name in ABSENT and name not in further:
        remedy = f"it is not there: {ABSENT[name]}"
        return GraphError(f"unknown operation `{name}`", "an operation of the vocabulary", remedy)
    other = known_as(name)
    near = f"Did you mean `{other}`?" if other else nearest(name, [*OPERATIONS, *further])
    return GraphError(f"unknown operation `{name}`", "an operation of the vocabulary", f"{near} {listed}".strip())


def undefined(name: str, known: Collection[str], expected: str = "an input, or a node defined above") -> GraphError:
    """The use of a name that nothing has."""
    return GraphError(f"undefined name `{name}`", expected, nearest(name, known))


def refused(tree: ast.AST) -> GraphError:
    """Why a piece of Python is no expression of the language, and what to write instead."""
    text = f"`{short(tree)}`"
    match tree:
        case ast.BinOp(_, operator, _) if type(operator) in OPERATORS:
            sign, remedy = OPERATORS[type(operator)]
            return GraphError(f"the operator `{sign}`", "+ - * / ** @ or a comparison", remedy)
        case ast.UnaryOp(ast.UAdd()):
            return GraphError(text, LANGUAGE, "take the plus sign away")
        case ast.Compare(left, [first, second, *_], [middle, right, *_]):
            one, two = short(ast.Compare(left, [first], [middle])), short(ast.Compare(middle, [second], [right]))
            return GraphError(text, "one comparison at a time", f"write `{one} and {two}`")
        case ast.IfExp(test, body, other):
            words = ", ".join(map(short, (test, body, other)))
            return GraphError(text, LANGUAGE, f"write `where({words})`")
        case ast.Call(ast.Attribute(value, name), operands, keywords):
            return _dotted(text, value, name, list(map(short, [*operands, *keywords])))
        case ast.Attribute(value, name):
            return _dotted(text, value, name, None)
        case ast.Call(ast.Lambda() as function):
            return refused(function)
        case ast.Call():
            return GraphError(f"{text}, a call of no name", LANGUAGE, "a product is written with `*`")
        case ast.Lambda():
            return GraphError(text, LANGUAGE, "functions stand under `define`, as in `swish(x): x * sigmoid(x)`")
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return GraphError(f"the comprehension {text}", LANGUAGE, "operations work on whole arrays: `sum(a * b)`")
        case ast.NamedExpr(ast.Name(name), value) | ast.Assign([ast.Name(name)], value):
            remedy = f"make it a statement of its own: `{name}: {short(value)}`"
            return GraphError(f"the assignment {text}", "one expression", remedy)
        case ast.JoinedStr() | ast.Constant(str()):
            return GraphError(f"the text {text}", LANGUAGE, "names and numbers stand without quotes")
        case ast.Constant(bool()):
            return GraphError(text, LANGUAGE, "a condition is a comparison, or an input of dtype bool")
        case ast.Constant(complex()):
            return GraphError(f"the complex number {text}", LANGUAGE, "numbers are real")
        case ast.List() | ast.Tuple():
            return GraphError(text, LANGUAGE, "`stack([a, b])` makes an array of scalars")
        case _:
            return GraphError(text, LANGUAGE)


def _dotted(text: str, value: ast.expr, name: str, operands: list[str] | None) -> GraphError:
    """`np.tanh(x)`, `np.pi`, `x.sum()` or `x.T`."""
    root = value
    while isinstance(root, ast.Attribute):
        root = root.value
    module = isinstance(root, ast.Name) and root.id in MODULES
    if module and operands is None and name in ("pi", "e", "inf"):
        return GraphError(text, "a name without a module", f"write `{name}`")
    words = operands or []
    if name in ABSENT:
        return GraphError(text, LANGUAGE, f"`{name}` is not there: {ABSENT[name]}")
    right = known_as(name, ("size",))
    remedy = (
        f"write `{right}({', '.join(words if module else [short(value), *words])})`"
        if right
        else nearest(name, OPERATIONS) or f"`gradaccord ops` lists all {len(OPERATIONS)} operations"
    )
    return GraphError(text, "a name without a module" if module else LANGUAGE, remedy)


def short(tree: ast.AST) -> str:
    """A piece of Python as text, cut where it is long."""
    try:
        return cut(ast.unparse(tree))
    except RecursionError:
        return "..."


def cut(text: str) -> str:
    """Text of moderate length."""
    return text if len(text) <= 60 else text[:57] + "..."


def place(tree: ast.AST, lines: Sequence[str]) -> tuple[int, int]:
    """Line and column, in characters from 0, of what is wrong with a tree: an operator's sign, else where it begins."""
    match tree:
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            sides = left, right
        case ast.BoolOp(_, [left, right, *_]) | ast.Compare(_, [_, _, *_], [left, right, *_]):
            sides = left, right
        case _:
            return begins(tree, lines)
    left, right = sides
    if left.end_lineno != right.lineno or left.end_col_offset is None:
        return begins(tree, lines)
    between = lines[right.lineno - 1].encode()[left.end_col_offset : right.col_offset].decode()
    line, column = right.lineno - 1, _characters(lines[right.lineno - 1], left.end_col_offset)
    return line, column + len(between) - len(between.lstrip(") \t"))


def begins(tree: ast.AST, lines: Sequence[str]) -> tuple[int, int]:
    """Line and column, in characters from 0, of the first character of a tree."""
    line = getattr(tree, "lineno", 1) - 1
    return line, _characters(lines[line], getattr(tree, "col_offset", 0))


def _characters(line: str, count: int) -> int:
    """How many characters the first bytes of a line are: ast counts bytes, people count characters."""
    return len(line.encode()[:count].decode())
