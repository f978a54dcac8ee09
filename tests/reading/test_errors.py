"""Every mistake in a case file is named at its line and column.

A `‸` in the texts marks the place. What newcomers write from habit is in `test_case_habits.py`,
signs that leave no expression are in `test_case_slips.py`, files that are no text of a case in `test_case_files.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradaccord.harness.reading.case import CaseError, CaseErrors, find, load, shipped

from ..conftest import assert_told, errors_of

HEAD = "name: x\ninputs: {a: 1, b: 2}\ngraph:\n"
TWO = "name: x\ninputs: {a: [1, 2], b: 2}\ngraph:\n  f: a * b\n"

NATIVE = "name: x\ninputs: {{a: 0.5}}\ndefine: {{logit(x): log(x / (1 - x))}}\nnative: {}\ngraph:\n  f: logit(a) * 2\n"


# Each row: what goes wrong, the text with its marks, and for each mark what the error says there.
MISTAKES: dict[str, tuple[str, list[str]]] = {
    # --- keys ---
    "unknown key": (TWO + "‸expct: {f: 1}\n", ["unknown key `expct` expect"]),
    "duplicate key": ("name: x\n‸name: y\ninputs: {a: 1}\ngraph:\n  f: sin(a)\n", ["`name` is given twice line 1"]),
    "duplicate node": (HEAD + "  f: a * b\n  ‸f: a + b\n", ["`f` is given twice line 4"]),
    "duplicate input": ("name: x\ninputs: {a: 1, ‸a: 2}\ngraph:\n  f: sin(a)\n", ["`a` is given twice"]),
    "node named as an input": (HEAD + "  ‸a: a * b\n  f: a * b\n", ["`a` is an input already line 2"]),
    "missing keys": ("‸name: x\n", ["no key `inputs`", "no key `graph`"]),
    "name of the case": ("name: ‸a b\ninputs: {a: 1}\ngraph: {f: sin(a)}\n", ["`a b` as `name` letters"]),
    "no graph": ("name: x\ninputs: {a: 1}\ngraph: ‸{}\n", ["an empty mapping as `graph`"]),
    "graph of no mapping": ("name: x\ninputs: {a: 1}\ngraph: ‸a + b\n", ["`a + b` as `graph` mapping"]),
    "tags of no list": (TWO + "tags: ‸a\n", ["`a` as `tags` list"]),
    "empty about": (TWO + "about‸:\n", ["nothing as `about` text"]),
    "key of no name": ("‸[a]: 1\n", ["a list as a key"]),
    # --- expressions ---
    "unknown operation": (
        HEAD + "  h: ‸tahn(a) * b\n",
        ["unknown operation `tahn` in `h: tahn(a) * b` `gradaccord ops`"],
    ),
    "inside an expression": (HEAD + "  h: a * sin(‸tahn(b))\n", ["unknown operation `tahn`"]),
    "inside a quoted one": (HEAD + "  h: 'a * ‸tahn(b)'\n", ["unknown operation `tahn`"]),
    "after escapes": (HEAD + '  h: "a\\t* \\x61 * ‸tahn(b)"\n', ["unknown operation `tahn`"]),
    "inside a block": (HEAD + "  h: |\n    a *\n    ‸tahn(b)\n", ["unknown operation `tahn`"]),
    "inside a folded block": (HEAD + "  h: >-\n\n    a *\n      b *\n    ‸tahn(b)\n", ["unknown operation `tahn`"]),
    "on a second plain line": (HEAD + "  h: a *\n    b * ‸tahn(b)\n", ["unknown operation `tahn`"]),
    "after Greek letters": ("name: x\ninputs: {α: 1}\ngraph:\n  h: α * ‸tahn(α)\n", ["unknown operation `tahn`"]),
    "size of what has none": (
        TWO + "accept: [{engine: x, quantity: value, verdict: convention, reason: y, within: ‸2}]\n",
        [
            "`within` of `convention`, which has no size",
        ],
    ),
    "size of nothing": (
        TWO + "accept: [{engine: x, quantity: value, verdict: wrong, reason: y, within: ‸0}]\n",
        ["`0` as `within` a number above 0, or `.inf`"],
    ),
    "undefined name": (
        HEAD + "  second: a * b\n  f: second * ‸secnd\n",
        ["undefined name `secnd` Did you mean `second`?"],
    ),
    "unclosed bracket": (HEAD + "  f: a + sin‸(b\n", ["`(` is never closed `)`"]),
    "comma in a flow mapping": (
        "name: x\ninputs: {a: 1, b: 2}\ngraph: {f: maximum‸(a, ‸b)‸}\n",
        ["`(` is never closed YAML splits at commas", "the name `b)`", "nothing as `b)`"],
    ),
    "operator without operand": (HEAD + "  f: a * b ‸+\n", ["`+` with nothing behind it"]),
    "a list": (HEAD + "  f: ‸[a, b]\n", ["a list as `f` Quote"]),
    "a mapping": (HEAD + "  f: ‸{a}\n", ["a mapping as `f` Quote"]),
    "statements": (HEAD + "  f: ‸a; b\n", ["`f: a; b` one expression"]),
    "attribute": (HEAD + "  f: b * ‸a.b\n", ["`a.b` names, numbers"]),
    "conditional": (HEAD + "  f: a * (‸a if b else a)\n", ["`a if b else a`"]),
    "chained comparison": (HEAD + "  f: where(a < b ‸< a, a, b)\n", ["`a < b < a`"]),
    "list inside": (HEAD + "  f: a + ‸[b]\n", ["`[b]`"]),
    "comment inside": (HEAD + "  f: |\n    a *  ‸# twice\n    b\n", ["`#` comment"]),
    "alias node": (HEAD + "  g: ‸a\n  f: g * b\n", ["`g: a` computes nothing use the name itself"]),
    "constant node": (HEAD + "  g: ‸3\n  f: g * a * b\n", ["`g: 3` computes nothing"]),
    "enormous number": (HEAD + "  f: a * ‸1e999999999 * b\n", ["the number 1e999999999 exponent"]),
    "too many brackets": (
        HEAD + "  f: a * b * " + "(" * 200 + "‸" + "(" * 2800 + "a" + ")" * 3000 + "\n",
        ["nested too deeply at most 200 brackets in one another names of their own"],
    ),
    "too many signs": (HEAD + "  f: ‸" + "-" * 3000 + "a * b\n", ["nested too deeply"]),
    "too long a sum": (
        HEAD + "  f: ‸a * b" + " + a" * 3000 + "\n",
        ["nested too deeply some 900 operations in a row names of their own"],
    ),
    # --- operands, parameters, shapes ---
    "unknown parameter": (HEAD + "  f: sum(a * b, ‸axs=0)\n", ["`sum` has no parameter `axs` Did you mean `axis`?"]),
    "wrong parameter": (HEAD + "  f: b * sum(a, ‸keepdims=3)\n", ["keepdims=3 of `sum` True or False"]),
    "missing parameter": (HEAD + "  f: b * ‸cumsum(a)\n", ["`cumsum` without `axis`"]),
    "operand count": (HEAD + "  f: b * ‸relu(a, b)\n", ["2 operands of `relu` relu(x)"]),
    "shapes": (
        "name: x\ninputs: {a: [1, 2], b: [1, 2, 3]}\ngraph:\n  f: 2 * (‸a + b)\n",
        ["shapes (2,) and (3,) do not broadcast"],
    ),
    "axis": (HEAD + "  f: b * sum(a, ‸axis=1)\n", ["axis 1 no axis: the operand is a scalar"]),
    "index": (TWO + "  g: f + ‸a[2]\n", ["index 2 -2 to 1"]),
    "index 1.5": (TWO + "  g: f + ‸a[1.5]\n", ["index [ `take`"]),
    "index 0:1e9": (TWO + "  g: f + ‸a[0:1e9]\n", ["index [ `take`"]),
    "index ::0": (TWO + "  g: f + ‸a[::0]\n", ["index [ `take`"]),
    "index True": (TWO + "  g: f + ‸a[True]\n", ["index [ `take`"]),
    "index b": (TWO + "  g: f + ‸a[b]\n", ["index [ `take`"]),
    "index [0, 1]": (TWO + "  g: f + ‸a[[0, 1]]\n", ["index [ `take`"]),
    "kind": (
        "name: x\ninputs: {a: 1, n: {dtype: int64, values: 2}}\ngraph:\n  f: a + ‸a * n\n",
        ["`n` is int `astype`"],
    ),
    "result too large": (
        "name: x\ninputs: {a: {shape: [5000], formula: i}}\ngraph:\n  f: ‸sum(outer(a, a))\n",
        ["25,000,000 elements"],
    ),
    # --- order and use ---
    "used before it is defined": (
        HEAD + "  f: a * ‸g\n  g: a + b\n  h: f * g\n",
        ["`g` is used before it is defined on line 5 move"],
    ),
    "constant that is a later node": (
        HEAD + "  f: a * ‸e\n  e: a + b\n  h: f * e\n",
        ["`e` is used before it is defined"],
    ),
    "uses itself": (HEAD + "  f: a * b * ‸f\n", ["`f` uses itself cycles"]),
    "cycle": (HEAD + "  f: a * ‸h\n  g: b * f\n  h: g + 1\n", ["a cycle: `f` needs `h` needs `g` needs `f`"]),
    "unused node": (HEAD + "  ‸g: a + b\n  f: a * b\n", ["`g` is an unused node"]),
    "unused input": ("name: x\ninputs: {a: 1, ‸b: 2}\ngraph:\n  f: sin(a)\n", ["`b` is an unused input"]),
    "unused because of output": (TWO + "  ‸g: a + b\noutput: f\n", ["`g` is an unused node `f`"]),
    "one mistake, no follow-up": (HEAD + "  g: ‸tahn(a)\n  h: g * b\n  f: h * g\n", ["unknown operation"]),
    "all mistakes": (
        HEAD + "  g: ‸tahn(a)\n  h: ‸snh(b)\n  f: g + h + a * ‸c\n"[:-1].replace("g + h + ", "") + "\n",
        ["`tahn`", "`snh`", "`c`"],
    ),
    # --- names ---
    "word of Python": (HEAD + "  ‸lambda: a * b\n", ["the name `lambda` `lambda_`"]),
    "no identifier": (HEAD + "  ‸f.1: a * b\n", ["the name `f.1` letters"]),
    "another form of a letter": ("name: x\ninputs: {‸ℌ: 1}\ngraph:\n  f: sin(2)\n", ["the name `ℌ`"]),
    "reserved": (HEAD + "  ‸gradient: a * b\n", ["the name `gradient`"]),
    # --- inputs ---
    "text": ("name: x\ninputs: {a: ‸one}\ngraph:\n  f: sin(a)\n", ["`one` in `a` a number"]),
    "quoted number": ("name: x\ninputs: {a: ‸'1'}\ngraph:\n  f: sin(a)\n", ["`1` in `a` take the quotes away"]),
    "nan without dot": ("name: x\ninputs: {a: ‸nan}\ngraph:\n  f: sin(a)\n", ["`nan` in `a` .nan"]),
    "condition without dtype": ("name: x\ninputs: {a: ‸true}\ngraph:\n  f: sin(a)\n", ["`true` dtype: bool"]),
    "exponent": (
        "name: x\ninputs: {a: ‸1e99999999}\ngraph:\n  f: sin(a)\n",
        ["`1e99999999` exponent of at most 4 digits"],
    ),
    "ragged": ("name: x\ninputs:\n  a: [[1, 2], ‸[3]]\ngraph:\n  f: sin(a)\n", ["shape (1,) after one of shape (2,)"]),
    "deep in a list": ("name: x\ninputs:\n  a: [[1, 2], [3, ‸x]]\ngraph:\n  f: sin(a)\n", ["`x` in `a`"]),
    "mapping in a list": ("name: x\ninputs:\n  a: [1, ‸{b: 1}]\ngraph:\n  f: sin(a)\n", ["a mapping in `a`"]),
    "no integer": (
        "name: x\ninputs: {a: 1, n: {dtype: int64, values: [1, ‸1.5]}}\ngraph:\n  f: a * astype(n)\n",
        ["`1.5` in `n` an integer"],
    ),
    "no truth value": (
        "name: x\ninputs: {a: 1, n: {dtype: bool, values: [true, ‸1]}}\ngraph:\n  f: where(n, a, 0)\n",
        ["`1` in `n` true or false"],
    ),
    "unknown dtype": (
        "name: x\ninputs: {a: {dtype: ‸int, values: 1}}\ngraph:\n  f: sin(a)\n",
        ["`int` as `dtype` Did you mean `int64`?"],
    ),
    "unknown description": (
        "name: x\ninputs: {a: {shape: [2], ‸nromal: {seed: 0}}}\ngraph:\n  f: sin(a)\n",
        ["unknown key `nromal` Did you mean `normal`?"],
    ),
    "unknown setting": (
        "name: x\ninputs: {a: {shape: [2], normal: {‸sed: 0}}}\ngraph:\n  f: sin(a)\n",
        ["unknown key `sed` Did you mean `seed`?"],
    ),
    "no seed": ("name: x\ninputs: {a: {shape: [2], normal: ‸{}}}\ngraph:\n  f: sin(a)\n", ["no key `seed`"]),
    "no values": ("name: x\ninputs: {a: ‸{shape: [2]}}\ngraph:\n  f: sin(a)\n", ["none of values, normal"]),
    "two origins": (
        "name: x\ninputs: {a: ‸{shape: [], formula: 1, values: 2}}\ngraph:\n  f: sin(a)\n",
        ["`values` and `formula` one of them"],
    ),
    "no shape": ("name: x\ninputs: {a: ‸{normal: {seed: 0}}}\ngraph:\n  f: sin(a)\n", ["`normal` without `shape`"]),
    "other shape": (
        "name: x\ninputs: {a: ‸{shape: [3], values: [1, 2]}}\ngraph:\n  f: sin(a)\n",
        ["values of shape (2,) shape (3,)"],
    ),
    "negative length": (
        "name: x\ninputs: {a: {shape: [2, ‸-1], formula: i}}\ngraph:\n  f: sin(a)\n",
        ["`-1` as `shape` not negative"],
    ),
    "too large": (
        "name: x\ninputs: {a: {shape: ‸[100000, 100000], formula: i}}\ngraph:\n  f: sin(a)\n",
        ["10,000,000,000 elements memory"],
    ),
    "low and high": (
        "name: x\ninputs: {a: ‸{shape: [3], uniform: {seed: 0, low: 2}}}\ngraph:\n  f: sin(a)\n",
        ["low 2 and high 1"],
    ),
    "formula": (
        "name: x\ninputs: {a: {shape: [3], formula: i + ‸sinn(i)}}\ngraph:\n  f: sin(a)\n",
        ["unknown operation `sinn` formula"],
    ),
    "index of a formula": (
        "name: x\ninputs: {a: {shape: [3], formula: i + ‸j}}\ngraph:\n  f: sin(a)\n",
        ["undefined name `j` one of: i"],
    ),
    "reduction in a formula": (
        "name: x\ninputs: {a: {shape: [3], formula: ‸lgamma(i)}}\ngraph:\n  f: sin(a)\n",
        ["`lgamma` elementwise"],
    ),
    "kind of a formula": (
        "name: x\ninputs: {a: {shape: [3], formula: ‸i > 1}}\ngraph:\n  f: sin(a)\n",
        ["gives conditions dtype: bool"],
    ),
    "fractions as integers": (
        "name: x\ninputs: {a: 1, n: {shape: [3], dtype: int64, formula: ‸i / 2}}\ngraph:\n  f: a * astype(n)\n",
        ["not whole"],
    ),
    "file outside": (
        "name: x\ninputs: {a: {file: ‸../w.npy}}\ngraph:\n  f: sin(a)\n",
        ["`../w.npy` inside the folder"],
    ),
    "absolute file": (
        "name: x\ninputs: {a: {file: ‸/etc/passwd}}\ngraph:\n  f: sin(a)\n",
        ["`/etc/passwd` inside the folder"],
    ),
    "missing file": ("name: x\ninputs: {a: {file: ‸w.npy}}\ngraph:\n  f: sin(a)\n", ["no file `w.npy`"]),
    "all inputs constant": (
        "‸name: x\ninputs: {a: {values: 1, constant: true}}\ngraph:\n  f: sin(a)\n",
        ["no input has a gradient"],
    ),
    # --- output and cotangent ---
    "output": (TWO + "output: ‸g\n", ["undefined output `g`"]),
    "input as output": (TWO + "output: ‸a\n", ["the input `a` as output"]),
    "condition as output": (HEAD + "  ‸f: a < b\n", ["the output `f` is bool `astype`"]),
    "cotangent of a scalar": (HEAD + "  f: a * b\ncotangent: ‸2\n", ["a cotangent for the scalar `f`"]),
    "shape of the cotangent": (TWO + "cotangent: ‸[1, 2, 3]\n", ["a cotangent of shape (3,) shape (2,)"]),
    # --- points, dtypes, expectations ---
    "unknown input of a point": (TWO + "points:\n  - {‸c: 1}\n", ["unknown input `c` one of: a, b"]),
    "shape of a point": (TWO + "points:\n  - {a: ‸[1, 2, 3]}\n", ["`a` with shape (3,) shape (2,)"]),
    "a bad point and a good one": (TWO + "points:\n  - ‸5\n  - {a: ‸x}\n", ["`5` as", "`x` in `a`"]),
    "dtype": (TWO + "dtypes: [float64, ‸float23]\n", ["`float23` as `dtypes` Did you mean `float"]),
    "dtype twice": (TWO + "dtypes: [float64, ‸float64]\n", ["`float64` twice"]),
    "no dtypes": (TWO + "dtypes: ‸[]\n", ["an empty list as `dtypes`"]),
    "undefined expectation": (TWO + "expect: {f: [2, 4], ‸ff: 1}\n", ["undefined name `ff` Did you mean `f`?"]),
    "undefined gradient": (TWO + "expect:\n  gradient: {‸c: 1}\n", ["undefined name `c`"]),
    "shape of an expectation": (TWO + "expect: {f: ‸-4}\n", ["numbers of shape () for the value of `f` shape (2,)"]),
    "shape of a gradient": (TWO + "expect: {gradient: {a: ‸[1]}}\n", ["numbers of shape (1,) for the gradient of `a`"]),
    "text as an expectation": (TWO + "expect: {f: [1, ‸x]}\n", ["`x` in `f`"]),
    "infinite expectation": (HEAD + "  f: a / b\nexpect: {f: ‸.inf}\n", ["`.inf` in `f` a finite number"]),
    "gradient of a condition": (
        HEAD + "  c: a < b\n  f: where(c, a, b)\nexpect: {gradient: {‸c: 1}}\n",
        ["the gradient of `c`, which is bool"],
    ),
    "expectation at a point": (
        TWO + "points:\n  - {b: 1, expect: {f: ‸1}}\n",
        ["numbers of shape () for the value of `f`"],
    ),
    # --- definitions ---
    "definition without operands": (
        TWO.replace("graph", "define: {‸swish: a}\ngraph"),
        ["`swish` a name and its operands"],
    ),
    "undefined name in a definition": (
        TWO.replace("graph", "define: {swish(x): x * sigmoid(‸y)}\ngraph") + "  g: swish(f)\n",
        ["undefined name `y` in `swish: x * sigmoid(y)` one of: x"],
    ),
    "unknown operation in a definition": (
        TWO.replace("graph", "define: {swish(x): x * ‸sigmod(x)}\ngraph") + "  g: swish(f)\n",
        ["unknown operation `sigmod` Did you mean `sigmoid`?"],
    ),
    "recursion": (TWO.replace("graph", "define: {r(x): x * ‸r(x)}\ngraph") + "  g: r(f)\n", ["unknown operation `r`"]),
    "definition of an operation": (
        TWO.replace("graph", "define: {‸relu(x): 2 * x}\ngraph") + "  g: relu(f)\n",
        ["`relu` is defined already"],
    ),
    "definition that is not called": (TWO.replace("graph", "define: {‸r(x): 2 * x}\ngraph"), ["`r` is never called"]),
    "shapes inside a definition": (
        TWO.replace("graph", "define: {r(x): x @ x}\ngraph") + "  g: f * ‸r(b)\n",
        ["a scalar operand of `@`, inside `r` in `g: f * r(b)`"],
    ),
    "operands of a definition": (
        TWO.replace("graph", "define: {r(x): 2 * x}\ngraph") + "  g: ‸r(f, f)\n",
        ["2 operands of `r` 1: r(x)"],
    ),
    "parameter of a definition": (
        TWO.replace("graph", "define: {r(x): 2 * x}\ngraph") + "  g: r(f, ‸axis=0)\n",
        ["`r` has no parameter `axis`"],
    ),
    # --- native ---
    "native of no definition": (
        NATIVE.format("{‸lgit: {torch: torch.logit}}"),
        ["`lgit` `define` Did you mean `logit`?"],
    ),
    "native of no framework": (
        NATIVE.format("{logit: {‸trch: torch.logit}}"),
        ["functions of `trch` one of: torch, jax Did you mean `torch`?"],
    ),
    "native of no function": (NATIVE.format("{logit: ‸torch.logit}"), ["`torch.logit` as `logit` a mapping such as"]),
    "native that is empty": (NATIVE.format("{logit: ‸{}}"), ["an empty mapping as `logit`"]),
    "native elsewhere": (
        NATIVE.format("{logit: {torch: ‸torch.specal.logit}}"),
        ["`torch.specal.logit` one of: torch.special Did you mean `torch.special`?"],
    ),
    "native of the other": (
        NATIVE.format("{logit: {torch: ‸jax.scipy.special.logit}}"),
        ["`jax.scipy.special.logit` one of jax's"],
    ),
    "native with what is no operand": (
        NATIVE.format("\n  logit:\n    torch: torch.logit(‸y)"),
        ["undefined name `y` one of: x"],
    ),
    "two natives of one framework": (
        NATIVE.format("{logit: {torch: torch.logit, ‸torch: torch.special.logit}}"),
        ["`torch` is given twice"],
    ),
    # --- update and accept ---
    "unknown rule": (
        TWO + "update: {rule: ‸adem, step_size: 1, steps: 2}\n",
        ["`adem` as `rule` Did you mean `adam`?"],
    ),
    "no steps": (TWO + "update: ‸{rule: ascent, step_size: 1}\n", ["no key `steps`"]),
    "no step size": (TWO + "update: ‸{rule: ascent, steps: 1}\n", ["without `step_size`"]),
    "negative step size": (TWO + "update: {rule: ascent, step_size: ‸-1, steps: 2}\n", ["step_size: -1"]),
    "unknown setting of a rule": (
        TWO + "update: {rule: ascent, step_size: 1, steps: 2, ‸momentun: 1}\n",
        ["`momentun`"],
    ),
    "no steps at all": (TWO + "update: {rule: ascent, step_size: 1, steps: ‸0}\n", ["steps: 0 at least 1"]),
    "no reason": (TWO + "accept:\n  - ‸{engine: jax, quantity: value, verdict: wrong}\n", ["no key `reason`"]),
    "unknown verdict": (
        TWO + "accept:\n  - {engine: jax, quantity: value, verdict: ‸wrongg, reason: r}\n",
        ["`wrongg` as `verdict` Did you mean `wrong`?"],
    ),
    "unknown name in the ledger": (
        TWO + "accept:\n  - {engine: jax, quantity: value, name: ‸ff, verdict: wrong, reason: r}\n",
        ["undefined name `ff`"],
    ),
    "unknown point in the ledger": (
        TWO + "accept:\n  - {engine: jax, quantity: value, point: ‸1, verdict: wrong, reason: r}\n",
        ["point 1 at most 0"],
    ),
    "version bounds": (
        TWO + "accept:\n  - {engine: jax, quantity: value, verdict: wrong, reason: r, versions: ‸newest}\n",
        ["`newest` as `versions`"],
    ),
    # --- YAML ---
    "colon in an expression": (HEAD + "  f: a‸: b\n", ["a second `: ` one `name: value` in a row quotes"]),
    "at sign": (HEAD + "  f: ‸@a\n", ["`@` at the beginning of a text quotes"]),
    "tab": (HEAD + "‸\tf: a * b\n", ["spaces"]),
    "unclosed quote": ("name: ‸'x\n", ["`'` is never closed"]),
    "unclosed bracket of YAML": ("name: x\ninputs: ‸{a: 1\n", ["`{` is never closed `}`"]),
    "second document": (TWO + "‸---\nname: y\n", ["a second document"]),
    "tag": (TWO + "about: ‸!!python/object/apply:os.system [ls]\n", ["the tag", "a list as `about`"]),
    "unknown alias": (HEAD + "  f: ‸*a\n", ["the alias `*a` of no anchor"]),
    "alias in itself": ("name: &n [‸*n]\n", ["the alias `*n` inside its own anchor"]),
    "control character": (HEAD + "  f: a ‸\x07* b\n", ["'\\x07' is not allowed"]),
    "half a character": (TWO + 'about: ‸"\\ud800"\n', ["character `\\ud800`"]),
    "deep nesting": ("name: x\ngraph: " + "[" * 49 + "‸" + "[" * 2951 + "\n", ["deeper than 50 levels"]),
    "deep block nesting": ("name:\n  " + "- " * 49 + "‸" + "- " * 2900 + "1\n", ["deeper than 50 levels"]),
    "empty file": ("‸", ["the file is empty"]),
    "only a comment": ("‸# nothing\n", ["the file is empty"]),
    "no mapping": ("‸- 1\n", ["the file holds a list"]),
}


@pytest.mark.parametrize("text, said", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_at_its_place(tmp_path: Path, text: str, said: list[str]) -> None:
    assert_told(tmp_path / "case.yaml", text, said)


def test_a_case_without_mistakes_loads(tmp_path: Path) -> None:
    """Otherwise the table above would prove nothing."""
    for count, text in enumerate((HEAD + "  f: a * b\n", TWO)):
        path = tmp_path / f"{count}.yaml"
        path.write_text(text)
        assert load(path).name == "x"


def test_every_mistake_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(
        "name: a b\nabuot: x\ninputs: {a: x, b: 2}\ngraph:\n  f: tahn(b)\n  g: f + b\n  h: b + c\noutput: k\n"
        "expect: {g: [1], z: 0}\nupdate: {rule: up, steps: 1}\naccept: [{engine: jax}]\n"
    )
    lines = [error.line for error in errors_of(path).errors]
    assert lines == [1, 2, 3, 5, 7, 8, 9, 10, 11, 11, 11]


def test_an_error_reads_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("cases") / "nested.yaml"
    path.parent.mkdir()
    path.write_text("name: x\ninputs:\n  a: 1\ngraph:\n  c: a + 1\n\n  # doubled\n  d: 2 * c\n  h: tahn(d)\n")
    first, *rest = str(errors_of(path)).split("\n")
    assert first == "cases/nested.yaml:9:6: unknown operation `tahn` in `h: tahn(d)`."
    assert "Did you mean `tanh`? `gradaccord ops` lists all" in rest[0]


# --- anything at all --------------------------------------------------------------------------------------

BITS = [*"[]{}'\"*&#:-()!|>@%?,~/\\0x\n\té", ": ", "- ", "  ", "nan", ".inf", "1e9", "**", "<<", " #", "a[", "True"]
SMALL = [text for path in find([shipped()]) if len(text := path.read_text(encoding="utf-8")) < 2000]


@st.composite
def mistaken(draw: st.DrawFn) -> str:
    """A shipped case with a few slips of the finger."""
    text = draw(st.sampled_from(SMALL))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 4))
        text = text[:place] + draw(st.sampled_from(["", *BITS])) + text[place + cut :]
    return text


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mistaken())
def test_whatever_is_written_gives_a_case_or_errors_at_places_that_exist(tmp_path: Path, text: str) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    rows = text.split("\n")
    for error in mistakes(path):
        assert 1 <= error.column <= len(rows[error.line - 1]) + 1


def mistakes(path: Path) -> tuple[CaseError, ...]:
    """What is wrong with a file: nothing, or at least one error."""
    try:
        load(path)
    except CaseErrors as errors:
        return errors.errors or pytest.fail("an exception without an error")
    return ()
