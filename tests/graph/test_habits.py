"""What people write from habit, or leave out, is told in plain words with the right way to say it, and told once.

A `‸` marks where the error belongs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gradaccord.harness.graph.language.habits import ABSENT, ELSEWHERE
from gradaccord.harness.graph.operations import OPERATIONS

from ..conftest import assert_told

HEAD = "name: x\ninputs: {a: 1, b: 2}\ngraph:\n"
ONE = "name: x\ninputs: {a: 1}\ngraph:\n  f: a * a\n"

# An expression with its mark, and what the error says there.
EXPRESSIONS: dict[str, tuple[str, str]] = {
    "power": ("a * b ‸^ 2", "the operator `^` `a ** b`"),
    "power of brackets": ("(a + b) ‸^ (2)", "`^`"),
    "floor division": ("a ‸// b", "`//` `floor(a / b)`"),
    "remainder": ("a ‸% b", "`%` `a - b * floor(a / b)`"),
    "and of another language": ("where(a < 1 &‸& b < 2, a, b)", "`p and q`"),
    "not of another language": ("where(‸!(a < 1), a, b)", "`not p`"),
    "a number for a condition": ("where(‸not a, a, b)", "`a` is float bool comparison"),
    "a fixed index": ("‸take(stack([a, b]), 1, axis=0)", "`1` is float int `x[1]`"),
    "lambda of a shrinkage": ("hardshrink(a * b, ‸lambda=1)", "`lambd=`"),
    "transposed convolution": ("‸conv_transpose2d(a, b)", "Did you mean `conv_transpose`?"),
    "log of sigmoid": ("‸logsigmoid(a) * b", "Did you mean `log_sigmoid`?"),
    "binary cross entropy": ("‸bce(a, b)", "Did you mean `binary_cross_entropy`?"),
    "an inverse": ("‸inv(a) * b", "it is not there `define`"),
    "sorting": ("‸sort(a) * b", "it is not there indices"),
    "random numbers": ("a * b * ‸randn(3)", "it is not there normal: {seed: 0}"),
    "a trace": ("‸trace(a) * b", 'einsum("ii->", x)'),
    "chained comparison": ("where(0 < a ‸< b, a, b)", "`0 < a and a < b`"),
    "conditional": ("‸a if b > 0 else 2", "`where(b > 0, a, 2)`"),
    "conditional without a space": ("‸a if b < 2else 2", "`where(b < 2, a, 2)`"),
    "numpy": ("‸np.tanh(a) * b", "`np.tanh(a)` without a module `tanh(a)`"),
    "torch": ("a * ‸torch.exp(b)", "`exp(b)`"),
    "math": ("‸math.sin(a) * b", "`sin(a)`"),
    "a long module": ("a * ‸torch.nn.functional.relu(b)", "`relu(b)`"),
    "another name in a module": ("‸np.power(a, b)", "`pow(a, b)`"),
    "unknown in a module": ("a * ‸np.tahn(b)", "Did you mean `tanh`?"),
    "constant of a module": ("a * b * ‸np.pi", "`pi`"),
    "method": ("‸a.sum(axis=0) * b", "`sum(a, axis=0)`"),
    "property": ("a * ‸b.T", "`matrix_transpose(b)`"),
    "another name": ("‸arctan(a) * b", "unknown operation `arctan` Did you mean `atan`?"),
    "another parameter": ("sum(a * b, ‸dim=0)", "`dim` Did you mean `axis`?"),
    "larger of two": ("‸max(a, b)", "2 operands of `max` `maximum(a, b)`"),
    "smaller of two": ("2 * ‸min(a, b)", "2 operands of `min` `minimum(a, b)`"),
    "axis by position": ("‸max(a * b, 0)", "2 operands of `max` `maximum(a, b)`"),
    "lambda": ("'a * b * ‸(lambda x: x)(a)'", "`lambda x: x` `define`"),
    "a list of indices": ("‸take(a, [0, 1]) * b", "3 operands of `take` dtype int64 `x[1]`"),
    "a precision": ("‸double(a) * b", "it is not there `dtypes`"),
    "a cast": ("‸a.float32() * b", "it is not there `dtypes`"),
    "gradients": ("‸gradients(a) * b", "it is not there always computed"),
    "a Hessian": ("‸hessian(a) * b", "it is not there `derivatives: [tangent, hessian_product]`"),
    "a function of functions": ("‸map(a) * b", "it is not there functions of functions"),
    "an optimiser": ("‸adam(a) * b", "it is not there `update`"),
    "numbers drawn by a module": ("a * b * ‸np.random.normal(3)", "it is not there normal: {seed: 0}"),
    "what a module alone has": ("a * b * ‸torch.linalg.inv(a)", "it is not there `define`"),
    "lambda alone": ("'a * b * (‸lambda x: x)'", "`lambda x: x` `define`"),
    "comprehension": ("sum(‸[x for x in a]) * b", "comprehension whole arrays"),
    "thousands of digits": ("a * b * ‸1" + "0" * 5000, "thousands of digits `2.5e30`"),
    "text": ("a * b * ‸'c'", "the text `'c'` without quotes"),
    "formatted text": ("a * b * ‸f'{c}'", "the text `f'{c}'` without quotes"),
    "assignment": ("‸g = a * b", "the assignment `g = a * b` `g: a * b`"),
    "assignment inside": ("a * (‸g := b)", "the assignment `g: b`"),
    "product without a sign": ("b * ‸a(b)", "`a` is called `a * (...)`"),
    "product with a number": ("‸2(a + b)", "`2(a + b)` `*`"),
    "product with a name": ("b * ‸2a", "`2 * a`"),
    "plus sign": ("‸+a * b", "`+a` plus sign"),
    "condition": ("where(‸True, a, b)", "`True` comparison"),
    "complex number": ("a * b * ‸2j", "`2j` real"),
    "tuple": ("‸(a, b)", "`f: (a, b)` `stack([a, b])`"),
}

# Whole texts: what goes wrong, and for each mark what the error says there.
YAML: dict[str, tuple[str, list[str]]] = {
    "too deep": (HEAD + "  f: a * b\n   ‸g: f + 1\n", ["`g: f + 1` is indented by 3 spaces 2 spaces, as above"]),
    "not deep enough": (HEAD + "  f: a * b\n ‸g: f + 1\n", ["`g: f + 1` by 1 space. 0 or 2 spaces, as above"]),
    "too deep in inputs": ("name: x\ninputs:\n  a: 1\n    ‸b: 2\n", ["`b: 2` is indented by 4 spaces 2 spaces"]),
    "item too deep": ("tags:\n  - a\n‸- b\n", ["`- b` is indented by 0 spaces 2 spaces, as above"]),
    "text that ends early": ("about: |\n  a\n ‸b\n", ["`b` is indented by 1 space. 0 or 2"]),
    "item among keys": ("name: x\n‸- a\n", ["a list item, `- a` a key, as above"]),
    "key among items": ("tags:\n  - a\n  ‸b: 1\n", ["a key, `b: 1` a list item, as above"]),
    "no colon": (HEAD + "  f: a * b\n  ‸g f + 1\n", ["`g f + 1` without a colon `name: value`"]),
    "no colon in the first of a mapping": (HEAD + "  ‸f a * b\n  g: f\n", ["`f a * b` without a colon"]),
    "no colon after a section": ("name: x\n‸inputs\n  a: 1\n", ["`inputs` without a colon"]),
    "no colon in the first row": ("‸name x\ninputs: {a: 1}\n", ["`name x` without a colon"]),
    "no colon at all": (HEAD + "  ‸f a * b\n", ["`f a * b` as `graph` colon"]),
    "equals sign": (HEAD + "  f: a * b\n  ‸g = f + 1\n", ["`g = f + 1` without a colon `g: f + 1`"]),
    "no space": (HEAD + "  f: a * b\n  ‸g:f + 1\n", ["space after the colon: `g: f + 1`"]),
    "no space in braces": ("name: x\ninputs: {‸a:1}\ngraph:\n  f: sin(a)\n", ["space after the colon: `a: 1`"]),
    "no comma": ("name: x\ninputs: {a: 1 ‸b: 2}\n", ["`b: 2}` without a comma"]),
    "two commas": ("name: x\ninputs: {a: 1,‸, b: 2}\n", ["a comma with nothing before it"]),
    "open brace": ("name: x\ninputs: ‸{a: 1\ngraph:\n", ["`{` is never closed"]),
    "open list": ("name: x\ninputs:\n  a: ‸[1, 2\ngraph:\n  f: a\n", ["`[` is never closed"]),
    "too many braces": ("name: x\ninputs: {a: 1}‸}\n", ["`}` closes nothing"]),
    "too many brackets": ("name: x\ninputs:\n  a: [1]‸]\n", ["`]` closes nothing"]),
    "after a quote": ("about: 'it'‸s'\n", ["`s'` after the end of a value a quote is written twice"]),
    "after a list": (HEAD + "  f: [a, b] ‸* 2\n", ["`* 2` after the end of a value quote an expression"]),
    "block sign": (HEAD + "  f: ‸> a\n", ["`>` at the beginning of a text '> a'"]),
    "escape": ('about: "a \\‸q"\n', ["the escape `\\q` single quotes"]),
    "tab inside": (HEAD + "  f:‸\ta * b\n", ["a tab spaces"]),
}

ALONE: dict[str, tuple[str, list[str]]] = {
    "inputs twice": (
        "name: x\ninputs: {a: 1}\n‸inputs: {b: 2}\ngraph:\n  f: a * b\n",
        ["`inputs` is given twice"],
    ),
    "graph twice": (
        "name: x\ninputs: {a: 1, b: 1}\ngraph: {f: a * a}\n‸graph: {g: b * 3}\noutput: g\nexpect: {g: 3}\n",
        ["`graph` is given twice"],
    ),
    "node twice": ("name: x\ninputs: {a: 1, b: 2}\ngraph:\n  f: a * a\n  ‸f: a * b\n", ["`f` is given twice"]),
    "input twice, of two shapes": (
        "name: x\ninputs:\n  a: 1\n  ‸a: [1, 2]\n  b: [1, 2, 3]\ngraph:\n  f: sum(a) * sum(b, axis=0)\n",
        ["`a` is given twice"],
    ),
    "after a node twice": (
        HEAD + "  f: a * a\n  ‸f: a * b\n  g: f * ‸c\n",
        ["`f` is given twice", "undefined name `c`"],
    ),
    "no inputs": ("‸name: x\ngraph:\n  f: a * ‸tahn(b)\n", ["no key `inputs`", "`tahn`"]),
    "no graph": ("‸name: x\ninputs: {a: 1}\noutput: f\nexpect: {f: 1}\n", ["no key `graph`"]),
    "below a failed one": (
        HEAD + "  f: ‸tahn(a)\n  g: f * ‸snh(b) + ‸c\n",
        ["`tahn`", "`snh`", "undefined name `c`"],
    ),
    "inputs of failed ones": (HEAD + "  f: ‸tahn(a)\n  g: f * b\n", ["`tahn`"]),
    "inputs behind failed ones": (HEAD + "  f: b * 2\n  g: f + ‸tahn(a)\n  h: g * 2\n", ["`tahn`"]),
    "several in one": (
        HEAD + "  f: ‸tahn(a) + ‸c + sum(b, ‸axs=0)\n",
        ["`tahn`", "`c`", "`axs`"],
    ),
    "below a failed definition": (
        "name: x\ninputs: {a: 1}\ndefine: {r(x): ‸tahn(x)}\ngraph:\n  f: r(a) * ‸c\n",
        ["`tahn`", "undefined name `c`"],
    ),
    "habit in a definition": (
        "name: x\ninputs: {a: 1}\ndefine: {r(x): x ‸^ 2}\ngraph:\n  f: r(a)\n",
        ["the operator `^` in `r: x ^ 2`"],
    ),
    "axis of a list": (
        "name: x\ninputs: {a: [[1, 2]]}\ngraph:\n  f: 2 * sum(a, ‸axis=[0, 7])\n",
        ["axis 7 of an operand with 2 axes from -2 to 1"],
    ),
    "axes": (
        "name: x\ninputs: {a: [[1, 2]]}\ngraph:\n  f: permute_dims(a, ‸axes=[0, 2])\n",
        ["axis 2 of an operand with 2 axes"],
    ),
    "shape": ("name: x\ninputs: {a: [1, 2]}\ngraph:\n  f: reshape(a, ‸shape=[3])\n", ["shape=[3] for 2 elements"]),
    "two missing settings": (
        ONE + "update: ‸{rule: ascent}\n",
        ["no key `steps`", "without `step_size`"],
    ),
    "four wrong settings": (
        ONE + "update: {rule: momentum, steps: ‸0, step_size: ‸-1, momentum: ‸2, ‸zz: 1}\n",
        ["steps: 0", "step_size: -1", "momentum: 2", "`zz` in an update by momentum"],
    ),
    "wrong and missing settings": (
        ONE + "update: ‸{rule: ascent, ‸momentum: 1, step_size: ‸x}\n",
        ["no key `steps`", "`momentum` in an update by ascent", "step_size: x"],
    ),
}


@pytest.mark.parametrize("text, said", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_of_habit_is_told_with_the_right_one(tmp_path: Path, text: str, said: str) -> None:
    used = HEAD + "  k: a * b\n  f: " + text + "\n  h: k * f\n"
    assert_told(tmp_path / "case.yaml", used, [said])


@pytest.mark.parametrize("text, said", YAML.values(), ids=YAML)
def test_a_slip_in_yaml_is_told_in_plain_words(tmp_path: Path, text: str, said: list[str]) -> None:
    assert_told(tmp_path / "case.yaml", text, said)


@pytest.mark.parametrize("text, said", ALONE.values(), ids=ALONE)
def test_a_mistake_is_told_and_nothing_that_it_causes(tmp_path: Path, text: str, said: list[str]) -> None:
    assert_told(tmp_path / "case.yaml", text, said)


def test_the_names_of_other_libraries_lead_to_operations() -> None:
    assert set(ELSEWHERE.values()) - {"size"} <= set(OPERATIONS)
    assert not (set(ELSEWHERE) | set(ABSENT)) & set(OPERATIONS)
    assert not set(ELSEWHERE) & set(ABSENT)
