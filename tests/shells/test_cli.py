"""The command line, as a user types it: each command in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradaccord.harness.reading.case import find, load, shipped
from gradaccord.harness.words import counted

from ..conftest import PRODUCT, Command

COMMANDS = ["run", "list", "validate", "show", "prove", "ops", "engines", "schema"]
HEAVY = {"numpy", "torch", "jax", "flint", "rich", "ruamel", "pandas"}


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom gradaccord.harness.cli import main\n"
        f"try:\n    main({[*words, '--help']!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"sys.exit(' '.join(set(sys.modules) & {HEAVY!r}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert "Usage:" in done.stdout


def test_an_unknown_engine_is_an_error_that_loads_no_framework(product: Path) -> None:
    code = (
        "import sys\nfrom gradaccord.harness.cli import main\n"
        f"try:\n    main(['run', {str(product)!r}, '--engine', 'trch'])\n"
        "except SystemExit as end:\n    assert end.code == 2\n"
        "sys.exit(' '.join(set(sys.modules) & {'torch', 'jax'}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Did you mean `torch`?" in done.stderr


def test_a_sound_run_exits_with_0_and_writes_the_folder(product: Path, gradaccord: Command) -> None:
    done = gradaccord("run", product.name, "--engine", "backprop")
    assert done.returncode == 0
    assert done.stderr == "1 case, 2 units, on backprop\n1 of 2 units, 13 numbers; product float64 backprop\n"
    assert "no unexplained disagreement" in done.stdout
    folder = product.parent / "gradaccord-report"
    assert sorted(path.name for path in folder.glob("[!.]*")) == [
        "cases.md", "pairs.csv", "report.html", "report.md", "results.csv", "run.json", "trajectories.csv",
    ]  # fmt: skip
    run = json.loads((folder / "run.json").read_text())
    assert run["command"] == "gradaccord run product.yaml --engine backprop"


def test_a_false_expectation_exits_with_1_and_says_which_digit(product: Path, gradaccord: Command) -> None:
    product.write_text(PRODUCT.replace("y: 6", "y: 6.25"))
    done = gradaccord("run", product, "--engine", "backprop")
    assert done.returncode == 1
    assert "significant digit is wrong" in done.stdout
    assert "product.yaml:7:6" in done.stdout


def test_a_false_number_in_a_list_is_placed_at_itself(tmp_path: Path, gradaccord: Command) -> None:
    (tmp_path / "list.yaml").write_text(
        "name: list\ninputs: {a: [[1, 2], [3, 4]]}\ngraph:\n  y: 2 * a\nexpect:\n  y:\n    - [2, 4]\n    - [6, 9]\n"
    )
    assert "list.yaml:8:11" in gradaccord("run", "list.yaml", "--engine", "backprop").stdout


def test_an_entry_of_an_engine_that_is_not_installed_is_noticed(product: Path, gradaccord: Command) -> None:
    entry = "accept: [{engine: trch, quantity: value, verdict: wrong, reason: known}]\n"
    product.write_text(PRODUCT + entry)
    done = gradaccord("run", product.name, "--engine", "backprop")
    assert done.returncode == 0
    assert "product.yaml:9 is for an engine that is not installed" in " ".join(done.stdout.split())
    assert "Did you mean `torch`?" in " ".join(done.stdout.split())
    assert "Did you mean `torch`?" in (product.parent / "gradaccord-report" / "report.md").read_text()


def test_a_finding_is_repeated_as_it_was_run(product: Path, gradaccord: Command) -> None:
    product.write_text(PRODUCT.replace("y: 6", "y: 6.25"))
    done = gradaccord("run", product.name, "-e", "backprop", "-d", "float32", "--timeout", "90")
    again = "gradaccord run product.yaml --engine backprop --dtype float32 --timeout 90"
    assert f"repeat: {again}\n" in done.stdout
    assert f"repeat: `{again}`" in (product.parent / "gradaccord-report" / "report.md").read_text()


def test_the_terminal_fits_80_columns(product: Path, gradaccord: Command) -> None:
    done = gradaccord("run", product.name, "nested-nodes", "--engine", "backprop", "--engine", "finite_difference")
    assert max(len(line) for line in done.stdout.splitlines() if "repeat:" not in line) <= 80


def test_shipped_cases_go_by_their_names(gradaccord: Command) -> None:
    done = gradaccord("run", "nested-nodes", "--engine", "backprop", "--out", "here")
    assert done.returncode == 0
    assert "ascent, 100 steps" in done.stdout


def test_list_shows_every_shipped_case(gradaccord: Command) -> None:
    done = gradaccord("list")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line and not line.startswith(" ")}
    assert {load(path).name for path in find([shipped()])} <= listed


def test_validate_tells_how_many_are_right(product: Path, gradaccord: Command) -> None:
    done = gradaccord("validate", product)
    assert (done.returncode, done.stdout) == (0, "1 case, no errors\n")


def test_show_writes_the_chain_rule_out(gradaccord: Command) -> None:
    done = gradaccord("show", "nested-nodes")
    for text in ("  d: a + b", "  f: d * c", "  a: c", "  c: d", "def program(a, b, c):"):
        assert text in done.stdout


def test_show_draws_mermaid(product: Path, gradaccord: Command) -> None:
    assert gradaccord("show", product, "--mermaid").stdout.splitlines() == [
        "flowchart TD", '    n0(["a"])', '    n1(["b"])', '    n2["y = a * b"]', "    n0 --> n2", "    n1 --> n2",
        "    style n2 stroke-width:3px",
    ]  # fmt: skip


def test_ops_lists_all_and_tells_all_about_one(gradaccord: Command) -> None:
    assert "operations; `gradaccord ops NAME` tells all about one" in gradaccord("ops").stdout
    assert "grad_x: 1 - square(result)" in gradaccord("ops", "tanh").stdout


@pytest.mark.parametrize(
    "number, words, text",
    [
        (0, ("case",), "0 cases"),
        (1, ("case",), "1 case"),
        (3000, ("number",), "3,000 numbers"),
        (1.0, ("second",), "1 second"),
        (0.5, ("second",), "0.5 seconds"),
        (1, ("axis", "axes"), "1 axis"),
        (2, ("axis", "axes"), "2 axes"),
    ],
)
def test_a_noun_agrees_with_its_number(number: float, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text


REPORTED = re.compile(r"(?<![\d.,])1 (?:cases|numbers|units|seconds|steps|disagreements|roundings)\b")
RUNS = {
    "sound": (PRODUCT, []),
    "a finding": (PRODUCT.replace("y: 6", "y: 6.25"), []),
    "a path": (PRODUCT + "update: {rule: descent, step_size: 0.01, steps: 1}\n", []),
    "nothing compared": (PRODUCT, ["--dtype", "bfloat16", "--engine", "finite_difference"]),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_end_of_a_run_reads_well(name: str, product: Path, gradaccord: Command) -> None:
    text, words = RUNS[name]
    product.write_text(text)
    shown = gradaccord("run", product, *(words or ["--engine", "backprop"])).stdout
    assert "\n\n\n" not in shown and not shown.endswith("\n\n")
    assert not REPORTED.search(shown)
    assert shown.count(": nothing compared\n") == (name == "nothing compared")


def test_one_case_is_one_case_in_an_error(product: Path, gradaccord: Command) -> None:
    done = gradaccord("run", product, "--engine", "torch:forward")
    assert done.returncode == 2
    assert done.stderr.startswith("error: none of 1 case asks for what torch:forward computes: a case does so by")


def test_proofs_stand_one_blank_line_apart(gradaccord: Command) -> None:
    shown = gradaccord("prove", "square-of-a-sum").stdout
    assert shown.endswith("enclose the same numbers\n")
    assert shown.count("enclose the same numbers\n\nsquare-of-a-sum, point") == 2


@pytest.mark.parametrize(
    "name, shown, hidden",
    [
        ("less", ["less(a, b) -> bool", "a sound evaluation is exact"], []),
        ("add", ["a sound evaluation is within 1 rounding\n", "gradient of a: 1"], ["broadcast_to"]),
        ("linear", ["bias of shape [2]; grad_result weighs the result:"], []),
    ],
)
def test_ops_tells_what_a_reader_needs(name: str, shown: list[str], hidden: list[str], gradaccord: Command) -> None:
    text = gradaccord("ops", name).stdout
    assert all(part in text for part in shown)
    assert not any(part in text for part in hidden)


def test_a_gradient_that_is_a_number_needs_no_statement(gradaccord: Command) -> None:
    text = gradaccord("show", "sum").stdout
    assert "where each gradient is:\n  a: 1\n  b: 1\n" in text
    assert "written out" not in text


def test_engines_says_what_each_runs_on(gradaccord: Command) -> None:
    done = gradaccord("engines")
    assert "backprop" in done.stdout
    assert "NumPy" in done.stdout


def test_schema_is_json(gradaccord: Command) -> None:
    assert json.loads(gradaccord("schema").stdout)["title"] == "a case of gradaccord"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m gradaccord ops | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("add(a, b)")
    assert "Traceback" not in done.stderr
