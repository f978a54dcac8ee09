"""Functions of frameworks as a case names them: looked at, never evaluated, and only those of arrays."""

from __future__ import annotations

import math

import pytest

from gradaccord.harness.graph.language.expression import ExpressionError
from gradaccord.harness.graph.native import native

ARGUMENTS = ("x", "i", "axis")

NAMED = {
    "torch.special.logit": ("torch.special", "logit", None),
    "torch.cumprod": ("torch", "cumprod", None),
    "torch.linalg.slogdet(x)[1]": ("torch.linalg", "slogdet", 1),
    "torch.nn.functional.hardshrink(x, lambd=0.5)": ("torch.nn.functional", "hardshrink", None),
    "torch.scatter_reduce(x, axis, i, [x, (1, -2.5)], 'prod', include_self=False)": ("torch", "scatter_reduce", None),
}


@pytest.mark.parametrize("text, parts", NAMED.items())
def test_a_function_or_a_call_of_it_is_read(text: str, parts: tuple[str, str, int | None]) -> None:
    read = native("torch", text, ARGUMENTS)
    assert (read.module, read.name, read.output) == parts


def test_operands_and_parameters_go_where_the_call_has_them() -> None:
    def function(*given: object, **named: object) -> tuple[object, object]:
        return given, named

    plain = native("torch", "torch.exp", ARGUMENTS).of(function, ("x", "i"))
    assert plain(1, 2, axis=3) == ((1, 2), {"axis": 3})
    called = native("torch", "torch.exp(axis, [x, (-2, None)], word='a', i=i)", ARGUMENTS).of(function, ("x", "i"))
    assert called(1, 2, axis=3) == ((3, [1, (-2, None)]), {"word": "a", "i": 2})
    second = native("torch", "torch.exp(x)[1]", ARGUMENTS).of(math.frexp, ("x", "i"))
    assert second(8.0, 2, axis=3) == 4


# What no case may reach, and a word of what it is told.
REFUSED = {
    "torch.load": "computes nothing",
    "torch.from_file": "computes nothing",
    "torch.hub.load": "a function of one of",
    "torch.os.system": "a function of one of",
    "torch.nn.functional.torch.os.system": "a function of one of",
    "torch.exp.__call__": "a function of one of",
    "torch.__dict__": "a public function",
    "torch.__builtins__.eval": "a function of one of",
    "torch._C._jit_init": "a function of one of",
    "torch.special": "a public function",
    "torch.Tensor.exp": "a function of one of",
    "torch.nn.Linear": "a function of one of",
    "torch.relu_": "`torch.relu`",
    "os.system": "a function of one of",
    "exp": "a function such as",
    "builtins.eval": "a function of one of",
    "jax.numpy.exp": "jax's",
    "torch.exp(x)(x)": "a function such as",
    "(lambda: torch)().load": "a function such as",
    "torch.exp(torch.load)": "operands, parameters, numbers",
    "torch.exp(x.data)": "operands, parameters, numbers",
    "torch.exp(eval('1'))": "operands, parameters, numbers",
    "torch.exp(f'{x}')": "operands, parameters, numbers",
    "torch.exp(x[0])": "operands, parameters, numbers",
    "torch.exp(*x)": "operands, parameters, numbers",
    "torch.exp(y)": "one of: x, i, axis",
    "torch.exp(x, **i)": "read alone",
    "torch.exp(x, out=x)": "writes into",
    "torch.nn.functional.relu(x, inplace=True)": "writes into",
    "torch.exp(x)[x]": "a function such as",
    "torch.exp[0]": "a function such as",
    "torch.exp(x).data": "a function such as",
    "torch.exp; torch.load": "a function such as",
    "import os": "a function such as",
    "f = torch.exp": "a function such as",
    "torch.exp(": "never closed",
    "": "a function such as",
}


@pytest.mark.parametrize("text, told", REFUSED.items())
def test_nothing_else_is(text: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        native("torch", text, ARGUMENTS)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["jax.numpy.load", "jax.numpy.save", "jax.devices", "jax.jit", "jax.experimental.io_callback", "optax.adam"],
)
def test_nor_of_the_other_framework(path: str) -> None:
    with pytest.raises(ExpressionError):
        native("jax", path, ARGUMENTS)
