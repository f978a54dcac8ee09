"""Cases whose computation is a person's own code: refused, heard and judged, what it raises, where it lives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest

from gradaccord.harness.reading.case import load
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.running.run import units
from gradaccord.harness.running.unit import outcome
from gradaccord.harness.running.workers import Beside, Here

from ..conftest import Command, assert_told

MODEL = """
from pathlib import Path
import os, sys
import torch
import helper

Path("it-ran").touch()

def sound(x, w):
    return torch.tanh(x @ w)

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 3

def bent(x, w):
    return Twice.apply(x @ w)

def broken(x, w):
    return helper.product(w, x)

def named(a, b):
    return a @ b

def hooked(x, w):
    y = x @ w
    y.register_hook(lambda g: 2 * g)
    return y

def leaves(x, w):
    sys.exit(3)

def kills(x, w):
    os._exit(3)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 3)

    def forward(self, x, w):
        return self.inner(x).sum() * w.sum()

def draws(x, w):
    return torch.dropout(x, 0.5, True).sum() * w.sum()
"""
PORT = """
import jax.numpy as jnp

def sound(x, w):
    return jnp.tanh(x @ w)
"""
HEAD = "name: mine\ninputs: {x: [[0.5, -1], [2, 0.25]], w: [0.125, 3]}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "helper.py").write_text("def product(a, b):\n    return a.reshape(1, 2) @ b[:1]\n")
    (tmp_path / "port.py").write_text(PORT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outcome]]:
    """The outcome of a case of code in one of its dtypes, heard in this process."""
    monkeypatch.syspath_prepend(str(folder))
    for name in ("model", "port", "helper"):  # of another folder, which another test has left
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = set(sys.modules)

    def run(text: str, *engines: str, unit: int = 0) -> Outcome:
        (folder / "mine.yaml").write_text(HEAD + text)
        (*_, work) = units([load(folder / "mine.yaml")])[unit : unit + 1]
        return outcome(work, engines or ("torch",), Here())

    yield run
    for name in set(sys.modules) - before:
        if name.partition("_of_")[0] in ("model", "port", "helper"):
            del sys.modules[name]


# --- a case is data -----------------------------------------------------------------------------------------------


def test_code_is_refused_unless_it_is_allowed(folder: Path, gradaccord: Command) -> None:
    (folder / "mine.yaml").write_text(HEAD + "call: {torch: model.py:sound}\n")
    for words in (["validate"], ["list"], ["show"]):
        assert gradaccord(*words, "mine.yaml").returncode == 0, words
    for words in (["prove"], ["show", "--mermaid"], ["show", "--engine", "torch"]):
        done = gradaccord(*words, "mine.yaml")
        assert (done.returncode, "torch: model.py:sound" in done.stderr) == (2, True), words
    done = gradaccord("run", "mine.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("mine.yaml:3:7: `call` runs the code of model.py:sound.")
    assert "--allow-code" in done.stderr
    python = "import gradaccord; gradaccord.run('mine.yaml')"
    asked = subprocess.run([sys.executable, "-c", python], cwd=folder, capture_output=True, text=True, check=False)
    assert "CaseErrors: mine.yaml:3:7: " in asked.stderr and "allow_code=True" in asked.stderr
    assert not (folder / "it-ran").exists()


CALL = "name: mine\ninputs: {x: 1}\n"
WRONG: Sequence[tuple[str, list[str]]] = [
    (CALL + "call: {torsh: ‸model.py:sound}\n".replace("torsh: ‸", "‸torsh: "), ["`torsh` torch"]),
    (CALL + "call: {torch: ‸model.py}\n", ["`model.py` model.py:Block"]),
    (CALL + "call: {torch: ‸model:sound}\n", ["`model:sound` model.py:Block"]),
    (CALL + "call: {torch: ‸'model.py:sound()'}\n", ["model.py:Block"]),
    (CALL + "call: {torch: ‸../model.py:sound}\n", ["inside folder"]),
    (CALL + "call: {torch: ‸/model.py:sound}\n", ["inside folder"]),
    (CALL + "call: {torch: ‸outside.py:sound}\n", ["inside folder"]),
    (CALL + "call: {torch: ‸modle.py:sound}\n", ["no file `model.py`"]),
    (CALL + "call: {torch: ‸model.py:sond}\n", ["`sond` `sound`"]),
    (CALL + "call: {torch: ‸syntax.py:f}\n", ["`syntax.py` line 2"]),
    (CALL + "call: ‸{}\n", ["empty mapping torch"]),
    (CALL + "call: ‸{torch: model.py:sound}\ngraph: {y: exp(x)}\n", ["`graph` `call` one"]),
    (CALL + "call: ‸{torch: model.py:sound}\nderivatives: [tangent]\n", ["`derivatives` `call`"]),
    (CALL + "call: ‸{torch: model.py:sound}\nupdate: {rule: ascent, step_size: 1, steps: 1}\n", ["`update`"]),
    (CALL + "call: ‸{torch: model.py:sound}\noutput: x\n", ["`x` input result"]),
    (CALL + "call: {torch: model.py:sound}\nexpect: {‸outptu: 1}\n", ["`outptu` `output`"]),
    (CALL + "call: {torch: model.py:sound}\nexpect: {gradient: {‸b: 1}}\n", ["undefined `b`"]),
    (CALL + "call: {torch: model.py:sound}\ncotangent: ‸{dtype: int64, values: [1]}\n", ["cotangent"]),
    ("‸name: mine\ninputs: {x: 1}\n", ["`graph` `call`"]),
]


@pytest.mark.parametrize("text, said", WRONG, ids=[text.splitlines()[-1] for text, _ in WRONG])
def test_what_is_wrong_is_told_at_its_place(folder: Path, text: str, said: list[str]) -> None:
    (folder / "syntax.py").write_text("x = 1\ndef f(:\n")
    (folder.parent / "elsewhere.py").write_text("def sound(): pass\n")
    (folder / "outside.py").symlink_to(folder.parent / "elsewhere.py")
    assert_told(folder / "mine.yaml", text, said)
    assert not (folder / "it-ran").exists()


# --- heard and judged ---------------------------------------------------------------------------------------------


def test_each_function_is_heard_and_judged_in_each_dtype(found: Callable[..., Outcome]) -> None:
    text = "call: {torch: model.py:sound, jax: port.py:sound}\ndtypes: [bfloat16, float64]\n"
    for unit, dtype in enumerate(("bfloat16", "float64")):
        outcome = found(text, "backprop", "torch", "jax", "jax:jit", unit=unit)
        rows = {(row.engine, row.quantity, row.name): row.verdict for row in outcome.rows}
        names = [("value", "output"), ("gradient", "x"), ("gradient", "w")]
        assert set(rows) == {(engine, *name) for engine in ("torch", "jax") for name in names}
        assert set(rows.values()) <= {"agree", "lossy"}
        assert (outcome.dtype, set(outcome.versions)) == (dtype, {"torch", "jax"})


def test_what_is_off_is_named_with_its_line_and_its_rule(found: Callable[..., Outcome]) -> None:
    rows = found("call: {torch: model.py:bent}\n").rows
    off = [row for row in rows if row.finding]
    assert {row.verdict for row in off} == {"wrong"}
    assert {row.place for row in off} >= {"model.py:22, model.Twice.apply, Twice at model.py:12"}
    assert {row.begins for row in off} == {("Twice", "derivative")}


def test_expectations_are_held_against_what_each_function_computes(found: Callable[..., Outcome]) -> None:
    text = "call: {torch: model.py:sound}\nexpect: {output: [-0.9944, 0.7616], gradient: {w: [-0.6797, 0.0909]}}\n"
    right = [row for row in found(text).rows if row.quantity == "expectation"]
    assert [(row.name, row.engine, row.verdict) for row in right] == [
        ("output", "torch", "agree"), ("gradient of w", "torch", "wrong")
    ]  # fmt: skip
    assert right[1].node == "mine.yaml:4:61"
    rows = found("output: y\ncall: {torch: model.py:sound}\nexpect: {y: 3}\n").rows
    (other,) = [row for row in rows if row.finding]
    assert (other.verdict, other.reason) == ("wrong", "the result has shape (2,), expected ()")


def test_the_cotangent_and_constants_are_those_of_the_case(found: Callable[..., Outcome], folder: Path) -> None:
    text = "call: {torch: model.py:sound}\ncotangent: [1, 0]\nexpect: {gradient: {w: [0.005586, -0.01117]}}\n"
    assert not [row for row in found(text).rows if row.finding]
    (folder / "mine.yaml").write_text(
        "name: mine\ninputs: {x: {values: [[0.5, -1]], constant: true}, w: [1, 2]}\ncall: {torch: model.py:sound}\n"
    )
    (work, _) = units([load(folder / "mine.yaml")])
    assert [row.name for row in outcome(work, ["torch"], Here()).rows if row.quantity == "gradient"] == ["w"]


def test_the_ledger_explains_what_is_known(found: Callable[..., Outcome]) -> None:
    from gradaccord.harness.records.settings import Settings
    from gradaccord.harness.running.run import run

    entry = "{engine: torch, quantity: term, verdict: wrong, reason: meant, within: 1}"
    found(f"call: {{torch: model.py:bent}}\naccept: [{entry}]\ndtypes: [float64]\n")
    case = load(Path("mine.yaml"))
    (told,) = run(units([case]), Settings(("torch",)))
    assert {row.accepted for row in told.rows if row.finding} == {"meant"}


def test_the_same_is_drawn_each_time(found: Callable[..., Outcome]) -> None:
    for name in ("Net", "draws"):
        first, again = (found(f"call: {{torch: model.py:{name}}}\n").rows for _ in range(2))
        assert {row.verdict for row in first} == {"agree"}
        assert [row.engine_value for row in first] == [row.engine_value for row in again]
    assert {row.name for row in found("call: {torch: model.py:Net}\n").rows} >= {"inner.weight", "inner.bias", "x"}


# --- what code does -----------------------------------------------------------------------------------------------

RAISES = {
    "broken": "line 1, in product",
    "named": "`named(a, b)` does not take these inputs: missing a required argument: 'a'",
    "hooked": "a hook that changes a gradient at model.py:32",
    "leaves": "SystemExit: 3",
}


@pytest.mark.parametrize("name, said", RAISES.items(), ids=RAISES)
def test_what_it_raises_is_a_row_that_failed(name: str, said: str, found: Callable[..., Outcome]) -> None:
    (row,) = found(f"call: {{torch: model.py:{name}}}\n").rows
    assert (row.engine, row.verdict, row.finding) == ("torch", "failed", True)
    assert said in row.reason.replace("line 2", "line 1")
    assert "gradaccord/harness" not in row.reason


def test_of_engines_without_code_nothing_is_asked(found: Callable[..., Outcome]) -> None:
    (row,) = found("call: {torch: model.py:sound}\n", "backprop").rows
    assert (row.verdict, row.reason) == ("unsupported", "the case is code of torch alone")


def test_what_ends_its_process_costs_no_other_case_a_row(folder: Path) -> None:
    host = Beside()
    try:
        (folder / "mine.yaml").write_text(HEAD + "call: {torch: model.py:kills}\n")
        (killed,) = outcome(units([load(folder / "mine.yaml")])[0], ["torch"], host).rows
        assert killed.reason == "its process ended with exit status 3"
        (folder / "mine.yaml").write_text(HEAD + "call: {torch: model.py:sound}\n")
        rows = outcome(units([load(folder / "mine.yaml")])[0], ["torch"], host).rows
        assert {row.verdict for row in rows} == {"agree"}
    finally:
        host.close()


# --- as users meet it ---------------------------------------------------------------------------------------------


def test_rows_reach_the_reports_and_the_exit_status(folder: Path, gradaccord: Command) -> None:
    for name in ("sound", "bent", "broken"):
        (folder / f"{name}.yaml").write_text(HEAD.replace("mine", name) + f"call: {{torch: model.py:{name}}}\n")
    words = ["run", ".", "--allow-code", "--engine", "torch", "--dtype", "float64", "--jobs", "2", "--timeout", "120"]
    done = gradaccord(*words, "--json")
    assert done.returncode == 1, done.stderr
    *findings, summary = map(json.loads, done.stdout.splitlines())
    bent = next(one for one in findings if one["case"] == "bent")
    assert (bent["operation"], bent["verdict"]) == ("Twice", "wrong")
    assert bent["place"].startswith("model.py:22, model.Twice.apply")
    assert bent["repeat"].endswith("--allow-code")
    assert (summary["cases"], summary["units"]) == (3, 3)
    report = folder / "gradaccord-report"
    rows = pd.read_csv(report / "results.csv")
    assert set(rows[rows.case == "sound"].verdict) == {"agree"}
    assert rows[rows.case == "bent"].place.str.contains("model.py:22").any()
    page = (report / "report.md").read_text()
    assert "| `Twice` | `torch` | derivative: wrong |" in page and "model.py:22" in page
    assert "<pre>Traceback (most recent call last):\n" in page
    assert "Computed by code: `torch: model.py:sound`." in (report / "cases.md").read_text()


def test_pytest_runs_code_by_an_ini_key_alone(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("cases")
    (folder / "model.py").write_text(MODEL.replace("import helper\n", ""))
    for name in ("sound", "bent"):
        (folder / f"{name}.yaml").write_text(
            HEAD.replace("mine", name) + f"call: {{torch: model.py:{name}}}\ndtypes: [float32]\n"
        )
    pytester.makeini("[pytest]\n")
    refused = pytester.runpytest_subprocess("-p", "no:cacheprovider", "cases/sound.yaml")
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(["*sound.yaml:3:7: `call` runs the code of *", "*`gradaccord_allow_code = true`*"])
    pytester.makeini("[pytest]\ngradaccord_allow_code = true\n")
    ran = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v")
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*cases/bent.yaml::point0-float32-torch FAILED*"])
    ran.stdout.fnmatch_lines(
        ["*model.py:2?, model.Twice.apply, Twice at model.py:*", "repeat: gradaccord run *--allow-code"]
    )
