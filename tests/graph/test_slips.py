"""Signs that leave no expression are told in plain words: what stands where, what is due there, what to write.

A `‸` marks where the error belongs.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradaccord.harness.graph.language.printing import text_of
from gradaccord.harness.graph.language.slips import slip
from gradaccord.harness.reading.case import find, load, shipped

from ..conftest import assert_told

HEAD = "name: x\ninputs: {a: 1, b: 2}\ngraph:\n  k: a * b\n  f: "
TAIL = "\n  h: k * f\n"

SLIPS: dict[str, tuple[str, str]] = {
    # --- operators ---
    "two operators": ("a +‸* b", "`*` directly behind `+` an operand between two operators take one of them away"),
    "a power in two": ("a * ‸* b", "`*` directly behind `*` `a ** b`"),
    "arrow": ("where(a =‸> b, a, b)", "`>` directly behind `=` write `>=`"),
    "less or equal in two": ("where(a < ‸= b, a, b)", "`=` directly behind `<` write `<=`"),
    "equal in two": ("where(a < ‸== b, a, b)", "`==` directly behind `<` take one of them away"),
    "unequal": ("where(a <‸> b, a, b)", "write `!=`"),
    "three equals signs": ("where(a ==‸= b, a, b)", "write `==`"),
    "both hold": ("where(a < 1 &‸& b < 2, a, b)", "`&` directly behind `&` `p and q`"),
    "either holds": ("where(a < 1 |‸| b < 2, a, b)", "`p or q`"),
    "trailing": ("a * b ‸+", "`+` with nothing behind it an operand on either side"),
    "trailing in brackets": ("2 * (a * b ‸-)", "`-` with nothing behind it"),
    "increment": ("a * b +‸+", "`+` with nothing behind it"),
    "leading": ("'‸/ a * b'", "`/` with nothing before it"),
    "leading in brackets": ("a * (‸* b)", "`*` with nothing before it"),
    "attribute of nothing": ("a * b‸.", "`.` with nothing behind it"),
    # --- operands ---
    "two names": ("a ‸b", "`b` directly behind `a` an operator a product is written `a * b`"),
    "three names": ("a ‸b k", "`b` directly behind `a`"),
    "a number and a name": ("a + 2 ‸b", "`b` directly behind `2` `2 * b`"),
    "a number at a name": ("a + ‸2b", "`b` directly behind `2` `2 * b`"),
    "behind brackets": ("(a + b) ‸k", "`k` directly behind `)` `(...) * k`"),
    "no brackets": ("2 * sin ‸a", "`a` directly behind `sin` write `sin(a)`"),
    "no comma": ("maximum(a ‸b)", "`b` directly behind `a` `a * b` a comma stands between operands"),
    # --- brackets and commas ---
    "unclosed": ("2 * ‸(a + b", "`(` is never closed `)`"),
    "unclosed index": ("k ‸[0", "`[` is never closed `]`"),
    "superfluous": ("(a + b)‸) * k", "`)` closes nothing as many `(` as `)`"),
    "mismatched": ("(a + b‸] * k", "`]` `)`, which closes `(`"),
    "empty index": ("a * b‸[]", "`[]` without an index `a[0]`"),
    "two commas": ("maximum(a,‸, b)", "a comma with nothing before it"),
    "a comma first": ("maximum(‸, a)", "a comma with nothing before it"),
    # --- equals signs and colons ---
    "equals sign": ("a + b ‸= k", "`=` inside an expression a comparison is written `==`"),
    "equals sign for a condition": ("where(a ‸= b, a, b)", "an operand behind a parameter `a == b`"),
    "equals sign behind a term": ("where(a + b ‸= k, a, b)", "`=` inside an expression `==`"),
    "parameter first": ("sum(axis‸=0, a)", "an operand behind a parameter operands first"),
    "colon": ("'a ‸: b'", "the sign `:` a slice stands in brackets: `a[1:3]`"),
    "colon in a call": ("'sum(a‸: b)'", "the sign `:`"),
    "choice": ("'a * b ‸? a : b'", "the sign `?` `where(p, x, y)`"),
    # --- signs of print ---
    "times": ("a ‸× b", "the sign `×` write `*`"),
    "dot": ("a ‸· b", "the sign `·` write `*`"),
    "squared": ("a * b‸²", "the sign `²` write `** 2`"),
    "minus": ("a ‸− b", "the sign `−` write `-`"),
    "less or equal": ("where(a ‸≤ b, a, b)", "the sign `≤` write `<=`"),
    "dollar": ("a * ‸$b", "the sign `$`"),
}  # fmt: skip


@pytest.mark.parametrize("text, said", SLIPS.values(), ids=SLIPS)
def test_a_slip_is_told_where_it_is_with_the_right_way(tmp_path: Path, text: str, said: str) -> None:
    assert_told(tmp_path / "case.yaml", HEAD + text + TAIL, [said])


@pytest.mark.parametrize("body", ["t = x x; t * 2", "t = x * 2; t *"], ids=["a local name", "the last expression"])
def test_a_slip_in_a_definition_is_told_too(tmp_path: Path, body: str) -> None:
    at = body.index(" x;") + 1 if "x;" in body else len(body) - 1
    text = "name: x\ninputs: {a: 1}\ndefine:\n  twice(x): " + body[:at] + "‸" + body[at:] + "\ngraph:\n  f: twice(a)\n"
    assert_told(tmp_path / "case.yaml", text, ["directly behind `x`" if "x;" in body else "`*` with nothing behind it"])


def test_a_slip_in_a_formula_is_told_too(tmp_path: Path) -> None:
    text = "name: x\ninputs:\n  a: {shape: [3], formula: 2 ‸i}\ngraph:\n  f: sum(a)\n"
    assert_told(tmp_path / "case.yaml", text, ["`i` directly behind `2` `2 * i`"])


@pytest.mark.parametrize("path", find([shipped()]), ids=lambda path: path.stem)
def test_no_expression_of_the_cases_has_a_slip(path: Path) -> None:
    for text in text_of(load(path).graph).values():
        assert slip(text) is None, text


BITS = ["a", "bc", "1", "0.5", "sin", *"+-*/@<>=&|()[],:;.?× ", "**", "==", "\n", "'", "if"]


@given(st.lists(st.sampled_from(BITS), max_size=12).map("".join))
def test_whatever_is_written_has_no_slip_or_one_at_a_place_that_exists(text: str) -> None:
    found = slip(text)
    if found is not None:
        error, line, column = found
        assert error.found and error.expected
        assert column < len(text.split("\n")[line])


@given(st.lists(st.sampled_from([bit for bit in BITS if bit not in "?×;'"]), max_size=12).map("".join))
def test_what_python_takes_as_an_expression_of_the_language_has_no_slip(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text.strip())
        except SyntaxError:
            return
    inner = list(ast.walk(tree))
    foreign = (ast.Starred, ast.AnnAssign, ast.AugAssign, ast.Lambda, ast.Dict, ast.List)
    if len(tree.body) == 1 and not any(isinstance(node, foreign) for node in inner):
        assert slip(text.strip()) is None
