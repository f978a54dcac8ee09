"""The pytest plugin: every case at every point, in every dtype, on every engine is a test.

Collects case files below the folders that the ini key `gradaccord_cases` names, and case files named on
the command line; no other YAML. Thin over `run.py`. What is heavy is imported when a case is collected, so
that pytest starts as fast without cases as without this plugin.
"""

# pytest's nodes are built by untyped constructors.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import pickle
import shlex
from collections import Counter, OrderedDict
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from .reading.case import Case
    from .records.outcome import Asked, Outcome
    from .running.unit import Unit
    from .running.workers import Host

# Markers of pytest's own: a tag of that name is a keyword alone.
MEANT_OTHERWISE = frozenset(("skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "xdist_group"))
KEPT = 16  # outcomes of units, for the other engines of the same unit
SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini keys: which cases, engines and dtypes."""
    group = parser.getgroup("gradaccord", "cross-validation of gradients")
    group.addoption(
        "--gradaccord-engine", action="append", default=[], metavar="NAME",
        help="run cases on this engine, or on `path.py:prepare`; repeat for several",
    )  # fmt: skip
    group.addoption(
        "--gradaccord-dtype", action="append", default=[], metavar="DTYPE",
        help="run cases in this precision; repeat for several",
    )  # fmt: skip
    group.addoption(
        "--gradaccord-strict", action="store_true", default=None,
        help="a gradient, tangent or Hessian-vector product that a case wants and that is not judged fails",
    )  # fmt: skip
    group.addoption(
        "--gradaccord-out", default="", metavar="DIR", help="write the reports of these tests to this folder",
    )  # fmt: skip
    parser.addini(
        "gradaccord_allow_code", "cases may run the functions that they name by `call`", type="bool", default=False
    )
    parser.addini("gradaccord_strict", "what a case wants and nobody can judge fails", type="bool", default=False)
    parser.addini("gradaccord_cases", "folders that hold case files", type="paths", default=None)
    parser.addini(
        "gradaccord_engines", "engines to run cases on; all that are known by default", type="args", default=[]
    )
    parser.addini(
        "gradaccord_dtypes", "precisions to run cases in; those of each case by default", type="args", default=[]
    )


def pytest_configure(config: pytest.Config) -> None:
    """A wrong engine or dtype stops pytest before anything runs."""
    names = _chosen(config, "engine")
    dtypes = _chosen(config, "dtype")
    if not names and not dtypes:
        return
    from .errors import CommandError
    from .running.loading import checked
    from .running.selection import check_dtypes

    try:
        checked(names)
        check_dtypes(dtypes)
    except CommandError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Among several processes all tests of a case go to one, which computes the truth of each unit once and reads its
    ledger off them: where pytest-xdist was told no other way, and there are cases."""
    told = any(str(word).startswith("--dist") for word in config.invocation_params.args)
    if config.getoption("dist") != "load" or told or not any(map(Path.is_dir, _folders(config))):
        return None
    from .running.spread import Spread

    def scope_of(test: str) -> str:
        path = test.partition("::")[0]
        return path if path.lower().endswith(SUFFIXES) else test

    return Spread(config, log, scope_of)


def _folders(config: pytest.Config) -> list[Path]:
    folders: list[Path] | None = config.getini("gradaccord_cases")
    return folders if folders is not None else [config.rootpath / "cases"]


def _chosen(config: pytest.Config, what: str) -> list[str]:
    options: list[str] | None = config.getoption(f"--gradaccord-{what}")
    return options or config.getini(f"gradaccord_{what}s")


def _strict(config: pytest.Config) -> bool:
    return bool(config.getoption("--gradaccord-strict") or config.getini("gradaccord_strict"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """Every YAML file below the folders of cases, and one that is named; no other YAML."""
    if file_path.suffix.lower() not in SUFFIXES:
        return None
    named = parent.session.isinitpath(file_path)
    if named or any(file_path.is_relative_to(folder) for folder in _folders(parent.config)):
        return CaseFile.from_parent(parent, path=file_path)
    return None


class CaseFile(pytest.File):
    """One case: a test for each point, dtype and engine, one for what it expects and one for its ledger."""

    def collect(self) -> Iterator[pytest.Item]:
        from .reading.case import CaseErrors, load
        from .reading.names import may_be_a_case
        from .running.offered import installed, variants
        from .running.run import units
        from .running.selection import Selected, refuse_code

        try:
            case = load(self.path)
            if not self.config.getini("gradaccord_allow_code"):
                refuse_code([Selected(case, "")], "the ini key `gradaccord_allow_code = true` runs it")
        except CaseErrors as error:
            chosen = self.session.isinitpath(self.path) or self.config.getini("gradaccord_cases") is not None
            if not chosen and not may_be_a_case(self.path):
                yield NoCase.from_parent(self, name="no-case")
                return
            raise self.CollectError(str(error)) from None
        engines = _chosen(self.config, "engine") or list(installed())
        engines = [engine for engine in engines if case.derivatives or engine not in variants()]
        if case.call is not None:
            theirs = [function.framework for function in case.call.functions]
            engines = [engine for engine in engines if engine in theirs] or engines
        work = units([case], _chosen(self.config, "dtype"))
        for unit in work:
            if unit.expectations and case.expect[unit.point] and case.call is None:
                item = CaseItem.from_parent(self, name=f"point{unit.point}-expected", unit=unit, engine="truth")
                yield self._marked(item, case)
            for engine in engines:
                name = f"point{unit.point}-{unit.dtype}-{engine}"
                item = CaseItem.from_parent(self, name=name, unit=unit, engine=engine)
                yield self._marked(item, case)
        if case.accept:
            item = LedgerItem.from_parent(self, name="ledger", case=case, work=work, engines=engines)
            yield self._marked(item, case)

    def _marked(self, item: pytest.Item, case: Case) -> pytest.Item:
        """A test with the case's tags as markers, and with what else `-k` may say."""
        item.extra_keyword_matches.update((case.name, *case.tags))
        for tag in case.tags:
            if tag not in MEANT_OTHERWISE:
                if not any(line.startswith(f"{tag}:") for line in self.config.getini("markers")):
                    self.config.addinivalue_line("markers", f"{tag}: cases of gradaccord that have this tag")
                item.add_marker(tag)
        return item


class CaseFailure(Exception):
    """What is off, as text; pytest shows it without a traceback."""


def _skip(reason: str) -> NoReturn:
    """Skip a test, which is then told by its file and not by a line of this one."""
    raise pytest.skip.Exception(reason, _use_item_location=True)


class NoCase(pytest.Item):
    """A YAML file of another kind: it is named, and no more."""

    def runtest(self) -> None:
        _skip("no case: it has neither `inputs` nor `graph`")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, 0, self.name


class _CaseItem(pytest.Item):
    case: Case

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, 0, f"{self.case.name} {self.name}"


class CaseItem(_CaseItem):
    """One engine on one case at one point in one dtype."""

    def __init__(self, *, unit: Unit, engine: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit, self.engine, self.case = unit, engine, unit.case

    def runtest(self) -> None:
        result = outcome_of(self.session, self.unit)
        # What is wrong with the case or its reference concerns every engine.
        rows = [
            row for row in result.rows if row.engine == self.engine or (row.engine, row.quantity) == ("truth", "run")
        ]
        paths = [path for path in result.summaries if path.engine == self.engine and path.first is not None]
        off = [row for row in rows if row.unexplained]
        if off or paths:
            from .telling.failing import failure

            raise CaseFailure(failure(self._asked(), self.unit, self.engine, off, paths))
        silent = next((row for row in rows if row.verdict == "unsupported" and row.quantity == "run"), None)
        if silent is not None:
            _skip(silent.reason)
        if not rows and self.engine != "truth":
            _skip("it computes nothing that this case asks for")

    def _asked(self) -> Asked:
        """The run that this test is."""
        from .records.outcome import Asked
        from .records.settings import Settings
        from .running.selection import Selected, address
        from .running.session import summary_of

        case = self.unit.case
        engines, dtypes = (tuple(_chosen(self.config, what)) for what in ("engine", "dtype"))
        shown = summary_of(Selected(case, address(case.name, self.path)))
        code = case.call is not None
        settings = Settings(engines, dtypes=dtypes, strict=_strict(self.config), allow_code=code)
        return Asked(settings=settings, cases=(shown,))


class LedgerItem(_CaseItem):
    """No entry of a case's ledger is stale."""

    def __init__(self, *, case: Case, work: Sequence[Unit], engines: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case, self.work, self.engines = case, work, engines

    def named(self) -> list[str]:
        """The engines that entries are about."""
        return [one for one in self.engines if any(entry.matches(one) for entry in self.case.accept)]

    def runtest(self) -> None:
        from .running.ledger import Ledger
        from .running.offered import installed

        ledger = Ledger(self.case)
        for unit in self.work:
            ledger.explain(answered(self.session, unit))
        told = [*ledger.stale(), *ledger.idle({**installed(), **dict.fromkeys(self.engines)})]
        stale = [row.reason for row in told if row.finding]
        if stale:
            raise CaseFailure("\n".join(stale))
        if told:
            _skip("; ".join(row.reason for row in told))


_FOUND = pytest.StashKey["dict[tuple[str, int, str], Outcome]"]()  # for reports
_OUTCOMES = pytest.StashKey["OrderedDict[tuple[str, int, str], Outcome]"]()
_CASES = pytest.StashKey["tuple[dict[str, Case], int]"]()  # of the processes of pytest-xdist, and how many units
_BEGAN = pytest.StashKey[Any]()  # when the session began
_HOST = pytest.StashKey["Host"]()
_TESTS = pytest.StashKey["Counter[tuple[str, int, str]]"]()
_SELECTED = pytest.StashKey[dict[tuple[str, int, str], list[str]]]()


def _key(unit: Unit) -> tuple[str, int, str]:
    return str(unit.case.path), unit.point, unit.dtype


def outcome_of(session: pytest.Session, unit: Unit) -> Outcome:
    """The outcome of the whole unit, what is known explained."""
    from .running.ledger import Ledger
    from .running.session import strictly

    result = Ledger(unit.case).explain(answered(session, unit))
    return strictly(result) if _strict(session.config) else result


def answered(session: pytest.Session, unit: Unit) -> Outcome:
    """The outcome of the whole unit, on all of its engines that are selected; kept for the tests beside."""
    from .running.unit import outcome

    key = _key(unit)
    kept = session.stash.setdefault(_OUTCOMES, OrderedDict())
    if key not in kept:
        chosen = [name for name in _selected(session)[key] if name != "truth"]
        kept[key] = outcome(unit, chosen, _host(session))
        if session.config.getoption("--gradaccord-out"):
            session.config.stash.setdefault(_FOUND, {})[key] = kept[key]
        if len(kept) > KEPT:
            kept.popitem(last=False)
    return kept[key]


def _host(session: pytest.Session) -> Host:
    """Where engines live for the tests of this session."""
    if _HOST not in session.stash:
        from .running.workers import Beside

        session.stash[_HOST] = host = Beside()
        session.config.add_cleanup(host.close)
    return session.stash[_HOST]


def _selected(session: pytest.Session) -> dict[tuple[str, int, str], list[str]]:
    """For each unit the engines that `-k`, `--lf` and the like left, those of a ledger that is left included."""
    if _SELECTED not in session.stash:
        engines: dict[tuple[str, int, str], dict[str, None]] = {}
        for item in session.items:
            if isinstance(item, CaseItem):
                engines.setdefault(_key(item.unit), {})[item.engine] = None
            elif isinstance(item, LedgerItem):
                for unit in item.work:
                    engines.setdefault(_key(unit), {}).update(dict.fromkeys(item.named()))
        session.stash[_SELECTED] = {key: list(names) for key, names in engines.items()}
    return session.stash[_SELECTED]


# --- time, and reports -------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of the time of a unit each of its tests has the same share, whichever of them was first."""
    report = yield
    if isinstance(item, CaseItem) and call.when == "call":
        kept = item.session.stash.get(_OUTCOMES, None) or {}
        if (found := kept.get(_key(item.unit))) is not None:
            report.duration = found.seconds / max(_tests(item.session)[_key(item.unit)], 1)
    return report


def _tests(session: pytest.Session) -> Counter[tuple[str, int, str]]:
    """How many tests of each unit there are."""
    if _TESTS not in session.stash:
        session.stash[_TESTS] = Counter(_key(item.unit) for item in session.items if isinstance(item, CaseItem))
    return session.stash[_TESTS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process of pytest-xdist is done: what it found comes here, where the reports are written."""
    sent: bytes | None = getattr(node, "workeroutput", {}).get("gradaccord")
    if sent:
        found, cases, units = pickle.loads(sent)
        node.config.stash.setdefault(_FOUND, {}).update(found)
        node.config.stash[_CASES] = cases, units


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("--gradaccord-out"):
        from .running.session import Began

        session.config.stash[_BEGAN] = Began()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """`--gradaccord-out`: the reports of what was run."""
    config = session.config
    out: str | None = config.getoption("--gradaccord-out")
    if not out:
        return
    items = [item for item in getattr(session, "items", ()) if isinstance(item, CaseItem)]
    cases = {str(item.case.path): item.case for item in items}
    found = config.stash.setdefault(_FOUND, {})
    sent: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if sent is not None:
        sent["gradaccord"] = pickle.dumps((found, cases, len(_tests(session))))
        return
    cases, units = config.stash.get(_CASES, None) or (cases, len(_tests(session)) if items else 0)
    if not cases:
        return
    from .errors import CommandError
    from .records.settings import Settings
    from .running.gathered import write_reports

    settings = Settings(tuple(_chosen(config, "engine")), dtypes=tuple(_chosen(config, "dtype")), out=out,
                        strict=_strict(config), allow_code=bool(config.getini("gradaccord_allow_code")))  # fmt: skip
    command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
    try:
        write_reports(cases, found, units, settings, command, config.stash[_BEGAN])
    except CommandError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
