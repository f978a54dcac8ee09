"""What a run tells while it is under way and how an option changes that: real runs on small cases."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.rows import Quantity, Row
from gradaccord.harness.records.verdicts import Verdict
from gradaccord.harness.running.session import strictly
from gradaccord.harness.running.unit import Unit
from gradaccord.harness.telling import progress
from gradaccord.harness.telling.progress import Clock, about

from ..conftest import PRODUCT, Command, engine_file

BENT = engine_file("spoils") + ":bent"
INFINITE = engine_file("spoils") + ":infinite"
CORNER = "name: corner\ninputs: {x: 0}\ndtypes: [float64]\ngraph: {f: abs(x)}\n"
UNJUDGED = ("--engine", "finite_difference", "--engine", "backprop")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Three cases of a product, in a folder."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("one", "two", "three"):
        (folder / f"{name}.yaml").write_text(PRODUCT.replace("name: product", f"name: {name}"))
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in this process: what it tells is what counts here, and a process of its own costs a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
        done = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*map(str, words)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    return command


def known(*quantities: str) -> str:
    """A ledger that explains what is wrong with these quantities of the bent engine."""
    entries = [
        f'{{engine: "{BENT}", quantity: {name}, verdict: wrong, reason: planted, within: .inf}}' for name in quantities
    ]
    return f"accept: [{', '.join(entries)}]\n"


def told(text: str) -> list[str]:
    """The lines of a text, their ends stripped."""
    return [line.rstrip() for line in text.splitlines()]


def saved(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "gradaccord-report" / "run.json").read_text())


# --- progress ---------------------------------------------------------------------------------------------


def test_what_will_be_run_is_told_before_an_engine_is_loaded(product: Path, gradaccord: Command) -> None:
    engine = product.parent / "loud.py"
    engine.write_text(
        "import sys\nfrom gradaccord.engines.backprop import prepare\nprint('loaded', file=sys.stderr, flush=True)\n"
    )
    done = gradaccord("run", product.name, "--engine", "backprop", "--engine", engine.name)
    assert told(done.stderr)[:2] == ["1 case, 2 units, on backprop, loud.py", "loaded"]


def test_many_variants_are_counted(product: Path, here: Command) -> None:
    words = ("--engine", "backprop", "--engine", "torch:forward", "--engine", "jax:forward")
    assert told(here("run", product, *words).stderr)[0] == "1 case, 2 units, on backprop, 2 variants"


@pytest.mark.parametrize("jobs", [[], ["--jobs", "2"]], ids=["here", "apart"])
def test_a_log_is_alive_and_not_flooded(jobs: list[str], cases: Path, here: Command) -> None:
    lines = told(here("run", cases, "--engine", "backprop", *jobs).stderr)
    assert lines[0] == "3 cases, 6 units, on backprop"
    assert re.fullmatch(r"1 of 6 units, \d+ numbers; (done: )?one float(64|32),? backprop", lines[1])
    assert len(lines) == 2


def test_a_line_comes_again_when_it_is_time(cases: Path, here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    done = here("run", cases, "--engine", "backprop")
    far = [line for line in told(done.stderr) if " of 6 units" in line]
    assert [line.split()[0] for line in far] == ["1", "2", "3", "4", "5"]  # the last is told by the end
    assert all(" left; " in line for line in far[1:])
    assert max(map(len, far)) <= 80


def test_the_time_left_follows_the_cost_of_what_is_left(
    load_text: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, now = load_text(PRODUCT), [100.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
    clock = Clock([Unit(case, 0, dtype, False) for dtype in ("a", "b", "c", "d")])
    assert clock.seconds is None
    for dtype, seconds, left in (("a", 30, None), ("b", 2, 4), ("c", 2, 2), ("d", 2, 0)):
        now[0] += seconds  # the first took long, for it loaded a framework
        clock.finds(Outcome(case=case.name, point=0, dtype=dtype, rows=()))
        assert clock.seconds == left
    clock = Clock([Unit(case, 0, dtype, False) for dtype in ("a", "b", "c")])
    for dtype in ("a", "b"):
        now[0] += 20
        clock.finds(Outcome(case=case.name, point=0, dtype=dtype, rows=()))
    for waited, left in ((5, 15), (15, 15), (60, 60)):  # it counts down, and up where the last unit takes its time
        monkeypatch.setattr(progress, "perf_counter", lambda waited=waited: now[0] + waited)
        assert clock.seconds == left


@pytest.mark.parametrize(
    "seconds, text",
    [(3, "a few seconds"), (12, "about 10 s"), (94, "about 90 s"), (150, "about 2 min"), (7000, "about 1.9 h")],
)
def test_a_time_is_told_as_one_says_it(seconds: float, text: str) -> None:
    assert about(seconds) == text


def on_a_terminal(folder: Path, *words: str, kind: str = "xterm") -> tuple[int, str]:
    """Exit status and what a terminal of 80 columns was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "CI")}
    command = [sys.executable, "-m", "gradaccord", *words]
    with subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": kind}
    ) as process:
        os.close(theirs)
        sent = b""
        while True:
            try:
                sent += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        status = process.wait()
    os.close(ours)
    return status, sent.decode()


def test_a_terminal_has_a_bar_that_fits_and_goes_away(cases: Path) -> None:
    engine = cases.parent / "slow.py"
    engine.write_text("import time\nfrom gradaccord.engines.backprop import prepare\ntime.sleep(1)\n")
    status, sent = on_a_terminal(cases.parent, "run", "cases", "-e", "slow.py", "-e", BENT)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    lines = [line for line in re.split(r"[\r\n]+", plain) if "repeat:" not in line]
    assert status == 1
    assert re.search(r"^━+ \d/6 units  [\d,]+ numbers", plain, re.MULTILINE)
    assert re.search(r"^one float64 slow.py$", plain.replace("\r", ""), re.MULTILINE)
    assert max(map(len, lines)) <= 80
    end = sent[sent.rindex("━") :]
    assert "\x1b[1A" in end and "\x1b[2K" in end  # the bar's two lines are cleared
    assert "without an explanation" in end


@pytest.mark.parametrize("kind, words", [("dumb", ()), ("xterm", ("--json",))], ids=["dumb", "json"])
def test_lines_stay_where_a_bar_would_do_harm(kind: str, words: tuple[str, ...], cases: Path) -> None:
    _, sent = on_a_terminal(cases.parent, "run", "cases", "-e", "backprop", *words, kind=kind)
    assert "━" not in sent and "1 of 6 units, 13 numbers; one float64 backprop\r\n" in sent


# --- findings as they come --------------------------------------------------------------------------------


def heads(stderr: str) -> list[str]:
    return [line for line in told(stderr) if re.match(r"(one|two|three|product)  ", line)]


def test_a_cause_is_told_once_as_it_comes_and_at_the_end_how_to_repeat_it(cases: Path, here: Command) -> None:
    done = here("run", cases, "--engine", "backprop", "--engine", BENT)
    (head,) = heads(done.stderr)
    assert head.startswith("one  ")  # the first case that has it
    assert f"repeat: gradaccord run cases/one.yaml --engine {BENT} --dtype float64\n" in done.stdout
    assert "repeat:" not in done.stderr
    assert done.returncode == 1


def test_what_a_ledger_explains_is_not_told(product: Path, here: Command) -> None:
    product.write_text(PRODUCT + known("gradient", "adjoint", "term"))
    done = here("run", product.name, "--engine", BENT)
    assert done.returncode == 0
    assert not heads(done.stderr) and "no unexplained disagreement, 1 known" in done.stdout


def test_a_path_with_the_same_cause_is_not_told_again(product: Path, here: Command) -> None:
    product.write_text(PRODUCT + "update: {rule: descent, step_size: 0.01, steps: 2}\n")
    done = here("run", product, "--engine", BENT, "--dtype", "float64")
    assert len(heads(done.stderr)) == 1
    assert "1 disagreement without an explanation" in done.stdout


# --- more and less ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [[], ["--jobs", "2"]], ids=["here", "apart"])
def test_verbose_has_a_line_for_each_case(jobs: list[str], cases: Path, here: Command) -> None:
    done = here("run", cases, "--engine", "backprop", "--engine", BENT, "--verbose", *jobs)
    rows = pd.read_csv(cases.parent / "gradaccord-report" / "results.csv")
    for name, own in rows.groupby("case"):
        counts = own.verdict.value_counts()
        line = rf"{name}: 2 units, {len(own)} numbers, \d+\.\d s: {counts.agree} agree, {counts.wrong} wrong"
        assert len(re.findall(f"^{line}$", done.stderr, re.MULTILINE)) == 1


@pytest.mark.parametrize("engine, status", [("backprop", 0), (BENT, 1)])
def test_quiet_has_the_last_line_alone(engine: str, status: int, cases: Path, here: Command) -> None:
    loud, done = (here("run", cases, "--engine", engine, *words) for words in ([], ["--quiet"]))
    assert done.returncode == status
    assert done.stderr == ""
    last = re.sub(r"\d+\.\d s", "", told(loud.stdout)[-2])
    assert told(re.sub(r"\d+\.\d s", "", done.stdout)) == [last]


def test_quiet_tells_what_went_wrong(product: Path, here: Command) -> None:
    done = here("run", product, "--engine", engine_file("needs_a_package"), "-q")
    assert done.stderr.startswith("Nothing was compared: ")
    assert done.stdout.endswith(": nothing compared\n") and done.stdout.count("\n") == 1


def test_options_that_contradict_each_other_are_an_error(product: Path, here: Command) -> None:
    done = here("run", product, "-q", "-v")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: `--quiet` and `--verbose` exclude each other: leave one of them out\n"
    done = here("show", product, "--engine", "torch", "--mermaid")
    assert (done.returncode, done.stdout) == (2, "")
    assert not (product.parent / "gradaccord-report").exists()


# --- JSON -------------------------------------------------------------------------------------------------


def objects(text: str) -> list[dict[str, Any]]:
    """The objects of a stream, which has nothing that JSON does not know."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_json_is_an_object_for_each_finding_and_a_summary(cases: Path, here: Command) -> None:
    done = here("run", cases, "--engine", "backprop", "--engine", BENT, "--json")
    *findings, summary = objects(done.stdout)
    assert {(one["type"], one["engine"], one["verdict"], one["known"]) for one in findings} == {
        ("finding", BENT, "wrong", None)
    }
    first = findings[0]
    assert (first["case"], first["dtype"], first["quantity"], first["name"]) == ("one", "float64", "term", "a")
    assert (first["link"], first["operation"], first["rows"]) == ("term of a in y[0]", "multiply", 2)
    assert first["repeat"] == f"gradaccord run cases/one.yaml --engine {BENT} --dtype float64"
    assert (summary["type"], summary["status"], summary["stopped"]) == ("summary", 1, None)
    assert (summary["new"], summary["known"], summary["units_left"]) == (len(findings), 0, 0)
    assert sum(sum(counts.values()) for counts in summary["verdicts"].values()) == summary["numbers"]
    assert done.returncode == 1
    assert "3 cases, 6 units" in done.stderr and "1 disagreement without an explanation" in done.stderr


def test_json_has_no_infinity(product: Path, here: Command) -> None:
    done = here("run", product, "--engine", INFINITE, "--json", "--quiet")
    *findings, _ = objects(done.stdout)
    assert {one["engine_value"] for one in findings if one["verdict"] == "not finite"} == {"inf"}
    assert done.stderr == ""


def test_json_knows_what_is_known(product: Path, here: Command) -> None:
    product.write_text(PRODUCT + known("gradient"))
    done = here("run", product, "--engine", BENT, "--json", "-q")
    *findings, summary = objects(done.stdout)
    explained = [one for one in findings if one["known"]]
    assert {(one["quantity"], one["known"]) for one in explained} == {("gradient", "planted")}
    assert (summary["known"], summary["new"]) == (len(explained), len(findings) - len(explained))
    assert summary["new"] > 0


def test_json_tells_the_step_of_a_path(product: Path, here: Command) -> None:
    product.write_text(PRODUCT + "update: {rule: descent, step_size: 0.01, steps: 2}\n")
    *findings, _ = objects(here("run", product, "--engine", BENT, "--json").stdout)
    paths = [one for one in findings if one["quantity"] == "path"]
    assert [(one["step"], one["name"], one["verdict"]) for one in paths] == [(1, "a", "wrong")] * 2
    assert all(one.keys() == findings[0].keys() for one in paths)


def test_a_mistake_leaves_the_stream_empty(product: Path, here: Command) -> None:
    done = here("run", product, "--engine", "trch", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown engine `trch`")


def test_json_says_that_a_run_was_interrupted(product: Path, gradaccord: Command) -> None:
    last = product.parent / "z-last.yaml"
    last.write_text("name: last\ninputs: {stop: 1}\ndtypes: [float64]\ngraph: {y: stop + 1}\n")
    done = gradaccord("run", product, last, "--engine", f"{engine_file('interrupts')}:prepare", "--json")
    (summary,) = objects(done.stdout)
    assert (done.returncode, summary["status"], summary["stopped"], summary["units_left"]) == (
        130, 130, "interrupted", 1,
    )  # fmt: skip


# --- when to stop, and what fails -------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [[], ["--jobs", "2"]], ids=["here", "apart"])
def test_fail_fast_stops_at_the_first_finding(jobs: list[str], cases: Path, here: Command) -> None:
    (cases / "a-sound.yaml").write_text(CORNER)
    done = here("run", cases, "--engine", BENT, "--fail-fast", *jobs)
    assert done.returncode == 1
    run = saved(cases.parent)
    assert 1 <= run["units_left"] < run["units"] == 7
    assert run["flags"]["fail_fast"] is True
    said = f"Stopped at the first unexplained finding: {run['units_left']} of 7 units were left"
    assert said in done.stdout
    assert said in (cases.parent / "gradaccord-report" / "report.md").read_text()
    assert len(list((cases.parent / "gradaccord-report").glob("*.partial"))) == 0
    assert BENT in (cases.parent / "gradaccord-report" / "results.csv").read_text()


def test_fail_fast_at_the_last_unit_leaves_nothing_out(product: Path, here: Command) -> None:
    done = here("run", product, "--engine", BENT, "--dtype", "float64", "--fail-fast")
    assert done.returncode == 1
    assert "Stopped" not in done.stdout
    assert "Incomplete" not in (product.parent / "gradaccord-report" / "report.md").read_text()


def test_fail_fast_goes_on_where_all_is_explained(product: Path, here: Command) -> None:
    product.write_text(PRODUCT + known("gradient", "adjoint", "term"))
    done = here("run", product, "--engine", BENT, "--fail-fast")
    assert done.returncode == 0
    assert saved(product.parent)["units_left"] == 0


def test_strict_fails_what_is_wanted_and_not_judged(tmp_path: Path, here: Command) -> None:
    (tmp_path / "corner.yaml").write_text(CORNER)
    lenient = here("run", "corner.yaml", *UNJUDGED)
    assert lenient.returncode == 0 and "not judged" not in lenient.stderr
    done = here("run", "corner.yaml", *UNJUDGED, "--strict")
    assert done.returncode == 1
    head = "corner  gradient of x  finite_difference float64  not judged"
    assert head in told(done.stderr)
    again = "gradaccord run corner.yaml --engine finite_difference --dtype float64 --strict"
    assert f"repeat: {again}\n" in done.stdout
    assert again in (tmp_path / "gradaccord-report" / "report.md").read_text()
    assert done.stdout.splitlines()[-2].endswith("1 disagreement without an explanation")


@pytest.mark.parametrize("quantity", get_args(Quantity))
def test_strict_is_about_all_that_a_case_wants_and_nothing_else(quantity: Quantity) -> None:
    rows = [
        Row(case="c", point=0, dtype="float64", engine="e", quantity=quantity, verdict=verdict)
        for verdict in get_args(Verdict)
    ]
    found = [
        row.verdict
        for row in strictly(Outcome(case="c", point=0, dtype="float64", rows=tuple(rows))).rows
        if row.finding
    ]
    assert found == (["not judged"] if quantity in ("gradient", "tangent", "hessian_product") else [])


# --- which cases ------------------------------------------------------------------------------------------


@pytest.fixture
def tagged(cases: Path) -> Path:
    for name, tags in (("one", "[small, neuron]"), ("two", "[neuron]")):
        with (cases / f"{name}.yaml").open("a") as file:
            file.write(f"tags: {tags}\n")
    return cases


@pytest.mark.parametrize(
    "tags, names",
    [(["small"], ["one"]), (["neuron"], ["one", "two"]), (["small", "neuron"], ["one", "two"])],
    ids="-".join,
)
def test_a_tag_selects_cases(tags: list[str], names: list[str], tagged: Path, here: Command) -> None:
    words = [word for tag in tags for word in ("--tag", tag)]
    listed = here("list", tagged, *words).stdout
    assert {line.split()[0] for line in listed.splitlines()[1:-1]} == set(names)
    here("run", tagged, "--engine", "backprop", *words)
    assert {case["name"] for case in saved(tagged.parent)["cases"]} == set(names)
    assert here("validate", tagged, *words).stdout.startswith(f"{len(names)} case")


@pytest.mark.parametrize("command", ["run", "list", "validate"])
def test_an_unknown_tag_is_an_error_with_the_nearest(command: str, tagged: Path, here: Command) -> None:
    done = here(command, tagged, "--tag", "small", "--tag", "nueron")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: none of 3 cases has the tag `nueron`. Did you mean `neuron`? Known: neuron, small.\n"
    )


def test_where_no_case_has_a_tag_the_error_says_how_to_have_one(product: Path, here: Command) -> None:
    assert "They have no tags: a case gets them by `tags: [NAME]`." in here("list", product, "--tag", "a").stderr


def test_the_version_has_a_short_option(gradaccord: Command) -> None:
    assert re.fullmatch(r"(python -m )?gradaccord,? \d+\.\d+\.\d+\n", gradaccord("-V").stdout)
    assert gradaccord("-V").stdout == gradaccord("--version").stdout
