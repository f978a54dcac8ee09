"""Whatever a user or an engine does wrong: a clear message, the right exit status, no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.running import selection

from ..conftest import PRODUCT, Command, engine_file

# words of the command -> what the message must say
COMMANDS = {
    "missing file": (["run", "nothere.yaml"], "nothere.yaml:1:1: the file does not exist"),
    "missing case": (["run", "nested-nods"], "Did you mean `nested-nodes`?"),
    "empty folder": (["run", "empty"], "the folder holds no case"),
    "syntax error": (["run", "syntax.yaml"], "syntax.yaml:2:9: `{` is never closed"),
    "alias bomb": (["run", "bomb.yaml"], "bomb.yaml:"),
    "10 MB": (["run", "large.yaml"], "large.yaml:"),
    "3,000-fold nesting": (["run", "deep.yaml"], "deep.yaml:"),
    "nested expression": (["run", "parentheses.yaml"], "parentheses.yaml:4:"),
    "cycle": (["run", "cycle.yaml"], "cycle.yaml:4:"),
    "outside": (["run", "outside.yaml"], "outside.yaml:2:"),
    "too large": (["run", "huge.yaml"], "huge.yaml:2:"),
    "unknown engine": (["run", "good.yaml", "--engine", "trch"], "unknown engine `trch`. Did you mean `torch`?"),
    "unknown dtype": (["run", "good.yaml", "--dtype", "float46"], "unknown dtype `float46`. Did you mean `float64`?"),
    "no jobs": (["run", "good.yaml", "--jobs", "0"], "Invalid value for '--jobs'"),
    "no engine file": (["run", "good.yaml", "--engine", "gone.py:prepare"], "no engine file gone.py"),
    "no such function": (
        ["run", "good.yaml", "--engine", engine_file("raises") + ":prepar"],
        "has no `prepar`. Did you mean `prepare`?",
    ),
    "engine is no Python": (["run", "good.yaml", "--engine", "broken.py"], "broken.py:1:"),
    "out is a file": (["run", "good.yaml", "--out", "good.yaml"], "cannot write to good.yaml"),
    "out is below a file": (["run", "good.yaml", "--out", "good.yaml/out"], "cannot write to good.yaml/out"),
    "out is no place": (["run", "good.yaml", "--out", "/proc/report"], "cannot write to /proc/report"),
    "show: point": (["show", "good.yaml", "--engine", "torch", "--point", "3"], "point 3 of product"),
    "show: engine": (["show", "good.yaml", "--engine", "backprop"], "has no script of its own"),
    "ops": (["ops", "tahn"], "Did you mean `tanh`?"),
    "validate": (["validate", "syntax.yaml", "cycle.yaml"], "cycle.yaml:4:"),
}

FILES = {
    "broken.py": "def prepare(graph, dtype:\n",
    "good.yaml": PRODUCT,
    "syntax.yaml": "name: x\ninputs: {a: 1\ngraph: [",
    "bomb.yaml": "name: bomb\na: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"{y}: &{y} [{', '.join([f'*{x}'] * 9)}]\n" for x, y in zip("abcdefgh", "bcdefghi", strict=True)),
    "large.yaml": "name: large\ninputs: {a: 1}\ngraph:\n  y: a + 1\nabout: " + "x" * 10_000_000,
    "deep.yaml": "name: deep\ninputs: {a: " + "[" * 3000 + "1" + "]" * 3000 + "}\ngraph: {y: a + 1}\n",
    "parentheses.yaml": "name: deep\ninputs: {a: 1}\ngraph:\n  y: " + "(" * 3000 + "a" + ")" * 3000 + "\n",
    "cycle.yaml": "name: cycle\ninputs: {a: 1}\ngraph:\n  y: a + z\n  z: y + a\n",
    "outside.yaml": "name: outside\ninputs: {a: {file: ../secret.npy}}\ngraph: {y: a + 1}\n",
    "huge.yaml": "name: huge\ninputs: {a: {shape: [100000, 100000, 100000], normal: {seed: 0}}}\ngraph: {y: sum(a)}\n",
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("words, message", COMMANDS.values(), ids=list(COMMANDS))
def test_a_wrong_command_or_file_is_explained_with_exit_status_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, words)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 2000
    assert done.exit_code == 2


@pytest.mark.usefixtures("files")
def test_a_wrong_file_among_good_ones_starts_nothing(gradaccord: Command, tmp_path: Path) -> None:
    done = gradaccord("run", "good.yaml", "cycle.yaml", "--engine", "backprop")
    assert done.returncode == 2
    assert not (tmp_path / "gradaccord-report" / "results.csv").exists()


# engine -> verdict and reason of its row; the engine beside it keeps its results.
MISBEHAVIOUR = {
    "raises": ("failed", f"ValueError: the tape is torn at {engine_file('raises')}:8"),
    "raises_in_prepare": (
        "failed",
        f"prepare raised RuntimeError: no memory for the plan at {engine_file('raises_in_prepare')}:7",
    ),
    "exits": ("failed", "SystemExit: 3"),
    "returns_nothing": ("failed", "it returned NoneType, expected an Evaluation"),
    "prepares_nothing": ("failed", "prepare returned NoneType"),
    "fails_to_import": (
        "failed",
        f"cannot be loaded: OSError: the driver is missing at {engine_file('fails_to_import')}:5",
    ),
    "needs_a_package": ("unsupported", "a_package_that_is_not_there is not installed: pip install"),
    "spoils:missing": ("failed", "it gave no gradient of `b`"),
    "spoils:unknown": ("failed", "it gave a gradient of `z`, which the graph does not have"),
    "spoils:misshapen": ("failed", "its gradient of `b` has shape (2,), expected ()"),
    "spoils:mistyped": ("failed", "its gradient of `b` is float16, expected float"),
    "spoils:number": ("failed", "its gradient of `b` is float, expected a NumPy array"),
    "spoils:words": ("failed", "its gradient of `b` is str, expected a NumPy array"),
    "spoils:objects": ("failed", "its gradient of `b` is object, expected float"),
    "spoils:nothing": ("failed", "its gradients are NoneType, expected arrays by name"),
    "spoils:status": ("failed", "its status is 'splendid', expected one of: ok"),
    "spoils:valueless": ("failed", "it gave no value of `y`"),
    "spoils:mutating": ("failed", "it changed its input `a`"),
    "spoils:changing": ("unstable", "a second run on the same inputs gave another gradient of `a`"),
}


FAULTS = {"bent": "wrong", "tilted": "imprecise", "infinite": "not finite"}


def results(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "gradaccord-report" / "results.csv")


def named(engine: str) -> str:
    file, _, function = engine.partition(":")
    return engine_file(file) + (f":{function}" if function else "")


def test_whatever_an_engine_does_is_a_row_with_its_reason_and_costs_no_other_result(
    product: Path, gradaccord: Command
) -> None:
    engines = {named(engine): expected for engine, expected in MISBEHAVIOUR.items()}
    words = [word for engine in [*engines, "backprop"] for word in ("--engine", engine)]
    done = gradaccord("run", product, *words, "--dtype", "float64")
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 1
    rows = results(product.parent)
    for engine, (verdict, reason) in engines.items():
        own = rows[rows.engine == engine]
        assert list(own.quantity.unique()) == ["run"], engine
        assert list(own.verdict.unique()) == [verdict], engine
        assert all(found.startswith(reason) for found in own.reason), engine
    assert set(rows[rows.engine == "backprop"].verdict) == {"agree"}


def test_a_planted_fault_is_a_finding(product: Path, gradaccord: Command) -> None:
    faults = {named(f"spoils:{name}"): verdict for name, verdict in FAULTS.items()}
    done = gradaccord("run", product, *(word for fault in faults for word in ("--engine", fault)), "--dtype", "float64")
    rows = results(product.parent)
    for engine, verdict in faults.items():
        assert verdict in set(rows[rows.finding & (rows.engine == engine)].verdict)
    assert done.returncode == 1


def test_an_engine_that_hangs_in_compiled_code_is_stopped(product: Path, gradaccord: Command) -> None:
    done = gradaccord(
        "run", product, "--engine", engine_file("hangs"), "--engine", "backprop", "--timeout", "2", "--dtype", "float64"
    )
    rows = results(product.parent)
    hung = rows[rows.engine.str.contains("hangs")]
    assert set(hung.verdict) == {"timed out"}
    assert set(hung.reason) == {"no answer within 2 seconds: its process was stopped"}
    assert set(rows[rows.engine == "backprop"].verdict) == {"agree"}
    assert done.returncode == 1


@pytest.mark.parametrize(
    "words",
    [*(pytest.param(words, marks=pytest.mark.slow) for words in ([], ["--timeout", "60"])), ["--jobs", "2"]],
    ids=["here", "timeout", "jobs"],
)
def test_an_engine_that_kills_its_process_is_named_and_costs_nothing(
    words: list[str], product: Path, gradaccord: Command
) -> None:
    engine = engine_file("dies_in_float32")
    done = gradaccord("run", product, "--engine", "backprop", "--engine", engine, *words)
    rows = results(product.parent)
    dead = rows[(rows.engine == engine) & (rows.dtype == "float32")]
    assert set(dead.reason) == {"its process died with signal 9"}
    assert set(rows[(rows.engine == engine) & (rows.dtype == "float64")].verdict) == {"agree"}
    assert set(rows[rows.engine == "backprop"].verdict) == {"agree"}
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_what_kills_the_whole_run_leaves_what_was_found(product: Path, gradaccord: Command) -> None:
    engine = engine_file("dies_in_float32") + ":with_its_parent"
    done = gradaccord("run", product, "--engine", "backprop", "--engine", engine)
    assert done.returncode == -9
    partial = pd.read_csv(product.parent / "gradaccord-report" / "results.csv")
    assert set(partial[partial.dtype == "float64"].verdict) == {"agree"}


@pytest.mark.parametrize(
    "way, jobs",
    [("prepare", []), ("of_a_job", ["--jobs", "2"]), ("terminates", [])],
    ids=["here", "apart", "terminated"],
)
def test_ctrl_c_keeps_what_is_done_and_says_so(way: str, jobs: list[str], product: Path, gradaccord: Command) -> None:
    last = product.parent / "z-last.yaml"
    last.write_text("name: last\ninputs: {stop: 1}\ndtypes: [float64]\ngraph: {y: stop + 1}\n")
    done = gradaccord("run", product, last, "--engine", f"{engine_file('interrupts')}:{way}", *jobs)
    assert done.returncode == 130
    assert "Interrupted: 1 of 3 units was left; what was complete is in the reports." in done.stdout
    assert "Traceback" not in done.stderr
    rows = results(product.parent)
    assert set(rows[rows.case == "product"].verdict) == {"agree"}
    run = json.loads((product.parent / "gradaccord-report" / "run.json").read_text())
    assert run["units_left"] == 1
    assert "Interrupted" in (product.parent / "gradaccord-report" / "report.md").read_text()


@pytest.mark.parametrize("command", ["run", "validate", "prove"])
def test_ctrl_c_before_the_first_unit_is_told_too(command: str, product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*words: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(selection, "select", pressed)
    done = CliRunner().invoke(main, [command, str(product)])
    assert (done.exit_code, done.output) == (130, "Interrupted before anything was complete.\n")


# graph, inputs -> a run that ends by itself; what the numbers are is the judge's business
STRANGE = {
    "divides by zero": ("a / b", "{a: 1, b: 0}"),
    "log of -1": ("log(a)", "{a: -1}"),
    "not a number": ("a * a", "{a: .nan}"),
    "infinity": ("a * a", "{a: .inf}"),
    "empty": ("sum(a * a)", "{a: []}"),
    "zero-dimensional": ("a * b", "{a: 2, b: {shape: [], formula: 3}}"),
    "overflow": ("exp(a)", "{a: 1000}"),
}


def test_strange_numbers_are_judged_like_any(tmp_path: Path, gradaccord: Command) -> None:
    for name, (graph, inputs) in STRANGE.items():
        file = name.replace(" ", "-")
        (tmp_path / f"{file}.yaml").write_text(f"name: {file}\ninputs: {inputs}\ngraph:\n  y: {graph}\n")
    done = gradaccord("run", tmp_path, "--engine", "backprop", "--quiet")
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    rows = results(tmp_path)
    assert set(rows.case) == {name.replace(" ", "-") for name in STRANGE}
    assert not rows.reason.str.contains("judge itself failed", na=False).any()


def test_a_run_that_compared_nothing_fails(product: Path, gradaccord: Command) -> None:
    done = gradaccord("run", product, "--engine", engine_file("needs_a_package"))
    assert "Nothing was compared" in done.stdout
    assert done.returncode == 1
