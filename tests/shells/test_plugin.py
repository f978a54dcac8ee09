"""The pytest plugin, run by pytest's own tester: what it collects, what a failure shows, what selects tests."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

import pytest

from gradaccord import harness

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
ALONE = ("-p", "no:cacheprovider", "-p", "no:syrupy", "-p", "no:hypothesispytest")


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


def test_it_works_in_two_processes(project: pytest.Pytester) -> None:
    run_apart(project, "-n", "2").assert_outcomes(passed=3)


def test_k_selects_engines(project: pytest.Pytester) -> None:
    run(project, "-k", "float32").assert_outcomes(passed=1, deselected=2)


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
