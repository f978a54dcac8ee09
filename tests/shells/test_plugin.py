"""The pytest plugin, run by pytest's own tester: what it collects, what a failure shows, what selects tests."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from gradaccord import harness
from gradaccord.harness import pytest_plugin
from gradaccord.harness.own.tables import read_csv

from ..conftest import PRODUCT, engine_file

SPOILT = engine_file("spoils") + ":bent"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with one case in `cases` and another YAML file beside it."""
    folder = pytester.mkdir("cases")
    (folder / "product.yaml").write_text(PRODUCT)
    pytester.path.joinpath("other.yaml").write_text("this: is no case")
    pytester.makeini("[pytest]\ngradaccord_engines = backprop\n")
    return pytester


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """What the plugin may import: pytester forgets what a run within this process was the first to import."""
    for module in walk_packages(harness.__path__, f"{harness.__name__}."):
        if "." in module.name.removeprefix(f"{harness.__name__}."):  # not the shells, which others import first
            import_module(module.name)
    for engine in ("backprop", "finite_difference.engine"):
        import_module(f"gradaccord.engines.{engine}")


# A session within another one must leave alone what plugins hold in their modules.
ALONE = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def run(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    """pytest within this process: a process of its own takes two seconds to start."""
    return project.runpytest_inprocess(*ALONE, *words)


def run_apart(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    """pytest as users start it."""
    return project.runpytest_subprocess("-p", "no:cacheprovider", *words)


def test_there_is_a_test_for_each_point_dtype_and_engine(project: pytest.Pytester) -> None:
    result = run_apart(project, "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        [
            "cases/product.yaml::point0-expected PASSED*",
            "cases/product.yaml::point0-float64-backprop PASSED*",
            "cases/product.yaml::point0-float32-backprop PASSED*",
        ]
    )


def test_other_yaml_is_left_alone_until_it_is_named(project: pytest.Pytester) -> None:
    result = run(project, "other.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*other.yaml:1:1: *"])


def test_a_case_outside_the_folders_runs_when_it_is_named(project: pytest.Pytester) -> None:
    project.path.joinpath("mine.yaml").write_text(PRODUCT.replace("product", "mine"))
    run(project, "mine.yaml").assert_outcomes(passed=3)
    run(project).assert_outcomes(passed=3)


def test_the_ini_key_names_the_folders(project: pytest.Pytester) -> None:
    project.path.joinpath("cases").rename(project.path / "mine")
    run(project).assert_outcomes()
    project.makeini("[pytest]\ngradaccord_engines = backprop\ngradaccord_cases = mine\n")
    run(project).assert_outcomes(passed=3)


def test_a_reference_that_does_not_stand_fails_the_tests_that_it_cannot_judge(project: pytest.Pytester) -> None:
    project.path.joinpath("lost.yaml").write_text("name: lost\ninputs: {x: 10000}\ngraph: {y: sin(exp(x))}\n")
    result = run(project, "lost.yaml")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*reference unreliable*", "*loose at 4,096 bits*"])


def test_options_choose_engines_and_dtypes(project: pytest.Pytester) -> None:
    result = run(project, "-v", "--gradaccord-engine", "finite_difference", "--gradaccord-dtype", "float32")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*point0-float32-finite_difference PASSED*"])


@pytest.mark.parametrize(
    "option, message",
    [
        (("--gradaccord-engine", "trch"), "*unknown engine `trch`. Did you mean `torch`?*"),
        (("--gradaccord-dtype", "float46"), "*unknown dtype `float46`. Did you mean `float64`?*"),
    ],
)
def test_a_wrong_name_stops_pytest_at_once(option: tuple[str, str], message: str, project: pytest.Pytester) -> None:
    result = run(project, *option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_failure_shows_the_link_the_numbers_and_a_line_to_paste_and_no_traceback(project: pytest.Pytester) -> None:
    result = run(project, f"--gradaccord-engine={SPOILT}", "--gradaccord-dtype", "float64")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*wrong*",
            "*first link that is off: term of a in y?0?*",
            "*the engine gave *, its own numbers give *, one sound step may move it by *",
            "*engine *, truth *, error *score *",
            "*also off: 5 more*",
            f"*repeat: gradaccord run cases/product.yaml --engine {SPOILT} --dtype float64*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_false_expectation_fails_its_own_test(project: pytest.Pytester) -> None:
    (project.path / "cases" / "product.yaml").write_text(PRODUCT.replace("y: 6", "y: 6.5"))
    result = run(project, "-v")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*point0-expected FAILED*"])


@pytest.mark.parametrize("how", ["--gradaccord-strict", "ini", ""])
def test_what_a_case_wants_and_nobody_could_judge_fails_where_it_is_wanted_so(
    how: str, project: pytest.Pytester
) -> None:
    (project.path / "cases" / "product.yaml").write_text("name: kink\ninputs: {x: 0}\ngraph: {y: relu(x)}\n")
    ini = "gradaccord_strict = true\n" if how == "ini" else ""
    project.makeini(f"[pytest]\ngradaccord_engines = finite_difference\ngradaccord_dtypes = float64\n{ini}")
    result = run(project, *filter(lambda word: word.startswith("--"), [how]))
    result.assert_outcomes(**({"failed": 1} if how else {"passed": 1}))
    if how:
        result.stdout.fnmatch_lines(["*gradient of x: not judged*", "*--strict*"])


def test_an_engine_that_is_not_installed_is_skipped_with_its_reason(project: pytest.Pytester) -> None:
    result = run(project, "-rs", "--gradaccord-engine=" + engine_file("needs_a_package"))
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*a_package_that_is_not_there is not installed*"])


def test_errors_of_a_case_file_are_collection_errors_with_line_and_column(project: pytest.Pytester) -> None:
    (project.path / "cases" / "typo.yaml").write_text("name: typo\ninputs: {a: 1}\ngraph:\n  y: tahn(a)\n")
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*typo.yaml:4:6: unknown operation `tahn`*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.slow  # two processes of a process; `tox -e test` itself is one of two
def test_two_processes_keep_the_engines_of_a_unit_together_and_their_reports_are_one(project: pytest.Pytester) -> None:
    engine = project.path / "counting.py"
    engine.write_text(
        "import os\nfrom pathlib import Path\nfrom gradaccord.engines import backprop\n"
        "def prepare(graph, dtype):\n    with Path(__file__).with_suffix('.txt').open('a') as told:\n"
        "        print(dtype, file=told)\n    return backprop.prepare(graph, dtype)\nother = prepare\n"
    )
    engines = [f"--gradaccord-engine={engine}:{name}" for name in ("prepare", "other")]
    run_apart(project, "-n", "2", *engines, "--gradaccord-out", "found").assert_outcomes(passed=5)
    told = json.loads((project.path / "found" / "run.json").read_text())
    assert (told["finished"], told["units"], told["unexplained"]) == (True, 2, 0)
    assert sorted(engine.with_suffix(".txt").read_text().split()) == ["float32"] * 2 + ["float64"] * 2


def test_the_reports_of_tests_are_those_of_a_run(project: pytest.Pytester) -> None:
    (project.path / "cases" / "product.yaml").write_text(PRODUCT + LEDGER.replace("ENGINE", "backprop"))
    words = ("--gradaccord-dtype", "float64", "--gradaccord-out", "found")
    run(project, *words, f"--gradaccord-engine={SPOILT}", "--gradaccord-engine=backprop")
    table = read_csv(project.path / "found")
    assert {"wrong", "agree", "failed"} <= set(table.verdict)
    assert set(table[table.engine == "ledger"].reason.str.partition(":")[0]) == {"stale ledger entry"}
    assert "2 disagreements" in (project.path / "found" / "report.md").read_text()


def test_k_selects_engines(project: pytest.Pytester) -> None:
    run(project, "-k", "float32").assert_outcomes(passed=1, deselected=2)


def test_tags_are_markers_and_words_for_k(project: pytest.Pytester) -> None:
    folder = project.path / "cases"
    (folder / "product.yaml").write_text(PRODUCT + "tags: [network, second-order, skip]\n")
    (folder / "other.yaml").write_text(PRODUCT.replace("product", "other"))
    for words in (("-m", "network"), ("-m", "second-order"), ("-k", "network"), ("-k", "product")):
        run(project, "--strict-markers", *words).assert_outcomes(passed=3, deselected=3)


def test_the_time_of_a_unit_is_shared_among_its_tests(project: pytest.Pytester) -> None:
    """The first engine alone waits for the truth."""
    result = run(project, "-vv", "--durations=0", "--gradaccord-dtype=float32",
                 "--gradaccord-engine=backprop", "--gradaccord-engine=finite_difference")  # fmt: skip
    times = [line.split()[0] for line in result.outlines if " call " in line and "float32" in line]
    assert len(times) == 2 and len(set(times)) == 1


MISTAKES = {
    "flow": "{name: x, input: {a: 1}, grahp: {f: a * a}}",
    "quoted keys": '"name": x\n"inputs": {a: 1}\n"graph": {f: b * a}\n',
    "misspelt": "name: x\nimputs: {a: 1}\ngraf: {f: a * a}\n",
    "not deep enough": "name: x\n inputs: {a: 1}\n",
    "latin": "name: caf\xe9\n",
    "utf-16": "name: x\ninputs: {a: 1}\n",
}


def spoilt(project: pytest.Pytester) -> Path:
    """Case files with one mistake each, in place of the one that is right."""
    folder = project.path / "cases"
    (folder / "product.yaml").unlink()
    for name, text in MISTAKES.items():
        path = folder / f"{name}.yaml"
        path.write_bytes(text.encode({"latin": "latin-1", "utf-16": "utf-16"}.get(name, "utf-8")))
    return folder


def test_a_case_file_with_a_mistake_is_an_error_however_it_is_written(project: pytest.Pytester) -> None:
    folder = spoilt(project)
    (folder / "empty.yaml").write_text("# nothing yet\n")
    (folder / "compose.yml").write_text("version: 3\nservices: {web: {image: x}}\n")
    result = run(project, "-rs")
    result.assert_outcomes(errors=len(MISTAKES))
    for name in MISTAKES:
        result.stdout.fnmatch_lines_random([f"*{name}.yaml:*: *"])


def test_yaml_of_another_kind_is_named_beside_cases_and_an_error_where_cases_are_named(
    project: pytest.Pytester,
) -> None:
    (project.path / "cases" / "compose.YAML").write_text("version: 3\nservices: {web: {image: x}}\n")
    result = run(project, "-rs")
    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*cases/compose.YAML*no case: it has neither `inputs` nor `graph`"])
    project.makeini("[pytest]\ngradaccord_engines = backprop\ngradaccord_cases = cases\n")
    run(project).assert_outcomes(errors=1)


def test_an_interrupted_run_ends_quietly(project: pytest.Pytester) -> None:
    engine = f"{engine_file('interrupts')}:prepare"
    (project.path / "cases" / "z.yaml").write_text("name: z\ninputs: {stop: 1}\ngraph: {y: stop + 1}\n")
    result = run_apart(project, f"--gradaccord-engine={engine}", "--gradaccord-out", "found")
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert len(result.outlines) < 20
    assert json.loads((project.path / "found" / "run.json").read_text())["finished"] is False


def test_lf_runs_only_what_failed(project: pytest.Pytester) -> None:
    words = (f"--gradaccord-engine={SPOILT}", "--gradaccord-engine", "backprop", "--gradaccord-dtype", "float64")
    project.runpytest_inprocess(*ALONE[2:], *words).assert_outcomes(passed=2, failed=1)
    project.runpytest_inprocess(*ALONE[2:], "--lf", *words).assert_outcomes(failed=1)


LEDGER = """\
accept:
  - {engine: ENGINE, quantity: gradient, verdict: wrong, name: a, reason: planted, within: .inf}
"""


@pytest.mark.parametrize("engine, failed", [("backprop", 1), (SPOILT, 0)])
def test_a_stale_ledger_entry_fails(engine: str, failed: int, project: pytest.Pytester) -> None:
    (project.path / "cases" / "product.yaml").write_text(PRODUCT + LEDGER.replace("ENGINE", f'"{engine}"'))
    result = run(project, "-v", f"--gradaccord-engine={engine}", "-k", "ledger")
    result.assert_outcomes(passed=1 - failed, failed=failed, deselected=3)
    if failed:
        result.stdout.fnmatch_lines(["*stale ledger entry*"])


def test_a_ledger_entry_of_an_engine_that_is_not_installed_is_told(project: pytest.Pytester) -> None:
    (project.path / "cases" / "product.yaml").write_text(PRODUCT + LEDGER.replace("ENGINE", "trch"))
    result = run(project, "-rs", "-k", "ledger")
    result.assert_outcomes(skipped=1, deselected=3)
    result.stdout.fnmatch_lines(["*is for an engine that is not installed, `trch`*Did you mean `torch`?*"])


def test_a_ledger_is_read_off_the_runs_of_the_tests_beside_it(project: pytest.Pytester) -> None:
    """Each engine is prepared once in each dtype, or runs would be done twice."""
    engine = project.path / "counted.py"
    engine.write_text(
        "from pathlib import Path\nfrom gradaccord.engines import backprop\n\n"
        "def prepare(graph, dtype):\n    with Path(__file__).with_suffix('.txt').open('a') as told:\n"
        "        print(dtype, file=told)\n    return backprop.prepare(graph, dtype)\n"
    )
    (project.path / "cases" / "product.yaml").write_text(PRODUCT + LEDGER.replace("ENGINE", f"{engine}:prepare"))
    run(project, f"--gradaccord-engine={engine}:prepare").assert_outcomes(passed=3, failed=1)
    assert engine.with_suffix(".txt").read_text().split() == ["float64", "float32"]


def test_pytest_starts_without_loading_the_core(project: pytest.Pytester) -> None:
    project.makepyfile(
        "import sys\n\ndef test_modules():\n    assert 'gradaccord.harness.running.run' not in sys.modules\n"
    )
    run_apart(project, "test_pytest_starts_without_loading_the_core.py").assert_outcomes(passed=1)


def test_the_page_is_what_a_stranger_sees(pytester: pytest.Pytester) -> None:
    """`docs/pytest.md`: its files, run in an empty folder, give its failure; it names every ini key and option."""
    page = (Path(__file__).parent.parent.parent / "docs" / "pytest.md").read_text()
    for name, text in re.findall(r"^<!-- file: (.*?) -->\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    result = run(pytester, "-m", "gates")
    result.assert_outcomes(failed=1)
    (shown,) = re.findall(r"^<!-- output -->\n```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown in result.stdout.str()
    source = Path(str(pytest_plugin.__file__)).read_text()
    for name in {*re.findall(r'"(gradaccord_\w+)"', source), *re.findall(r'"(--gradaccord-\w+)"', source)}:
        assert f"`{name}" in page
